//! C99 source: the network as a function, without a library.

use super::rust::type_of;
use super::test_vectors::TestVectors;
use super::{ExportError, Exportable, Graph, lines, row, wrapped};
use crate::activation::{ActivationKind, Function};
use crate::activation::{SELU_ALPHA, SELU_SCALE};
use crate::data::Inputs;
use crate::model::Op;
use crate::num::{Real, math};
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::f64::consts;

/// The longest name of a network: with what is put behind it, what C99 compilers must tell apart in other files' names
/// is 31.
pub(super) const LONGEST_NAME: usize = 20;

/// The network as C99 source without dependencies: no library, not even `libm`, no heap, and on the stack only twice
/// the memory of the widest layer. The weights are constants.
///
/// All names in the file begin with `name`, which is at most 20 letters, digits and underscores and begins with a
/// letter. Other files of the program see three things: `name_predict`, which computes the outputs of one sample
/// (`input` and `output` may be the same memory), and the sizes `NAME_INPUTS` and `NAME_OUTPUTS`; [`c_header`] declares
/// them. Values are `float` for a network of `f32`, and `double` for one of `f64`. Macros of a name with a capital
/// letter are written as `Name_Inputs`, so that two networks never share one. Both files are also C++, from C++11 on,
/// and several may be included into one file.
///
/// Compiled with `-DNAME_SELF_TEST` the file also has `int name_self_test(void)`, which returns how many outputs for
/// the `samples` are wrong, and compiled with `-DNAME_MAIN` it is a program that runs it:
///
/// ```sh
/// cc -std=c99 -O2 -DXOR_MAIN xor.c -o xor && ./xor && echo right
/// ```
///
/// [Batch normalization](crate::layers::BatchNorm) is folded into a scale and a shift for each feature. NaN propagates
/// as in this library, unless the compiler assumes that there is none (`-ffast-math`). Compilers may call their own
/// functions: `memcpy` for a loop that copies, and those that compute with `double` where the CPU can't.
///
/// # Errors
///
/// If a layer or an activation has no [operation](crate::model::Op), a weight is not finite, or the epsilon of a
/// layer normalization is zero; if `name` is not as described above; if there are no `samples`, or an input or output
/// of one is not finite.
///
/// # Examples
///
/// ```
/// use tuplenet::io::export;
/// use tuplenet::prelude::*;
///
/// let network = <(Dense<2, 4, Tanh>, Dense<4, 1, Sigmoid>)>::new(&mut seeded(0));
/// let samples = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]];
/// let source = export::c_source(&network, "xor", &samples)?;
/// assert!(source.contains("void xor_predict(const float input[2], float output[1])"));
///
/// let error = export::c_source(&network, "1st", &samples).unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "expected a name of at most 20 letters, digits and underscores that begins with a letter, found `1st`"
/// );
/// # Ok::<(), export::ExportError>(())
/// ```
pub fn c_source<N, const IN: usize, const OUT: usize>(
    network: &N,
    name: &str,
    samples: &(impl Inputs<N::Scalar, N::In> + ?Sized),
) -> Result<String, ExportError>
where
    N: Exportable<IN, OUT> + Clone + Send + Sync,
{
    let name = check_name(name)?;
    let graph = Graph::new(network)?;
    let vectors = TestVectors::new(network, &graph, samples)?;
    let (real, [self_test, main]) = (real::<N::Scalar>(), ["SELF_TEST", "MAIN"].map(|what| macro_of(name, what)));
    let mut program = Program::new(name, &graph);
    program.compile(&graph);

    let mut text = format!(
        "/* A network of tuplenet, written by tuplenet {}. Not to be changed by hand.\n   {}\n\n   \
         Compile it with -D{self_test} for int {name}_self_test(void), which gives how many of its answers are\n   \
         wrong, or with -D{main} for a program that runs it. */\n\n#include <stddef.h>\n#include <stdint.h>\n\n",
        env!("CARGO_PKG_VERSION"),
        type_of(&graph, &mut super::rust::Used::default()),
    );
    text += &declarations::<N::Scalar>(name, IN, OUT);
    text.push('\n');
    text += &program.tables;
    text += &library::<N::Scalar>(name, &program.needs);
    text += &format!("{LINKAGE}\nvoid {name}_predict(const {real} input[{IN}], {real} output[{OUT}])\n{{\n");
    text += &program.declarations();
    text += &program.body;
    text += &format!("}}\n\n{LINKAGE_ENDS}\n");

    let count = vectors.inputs.len();
    text += &format!(
        "#if defined {self_test} || defined {main}\n\n{LINKAGE}\nint {name}_self_test(void);\n\n{LINKAGE_ENDS}\n"
    );
    let mut table = |what: &str, width: usize, rows: &[&[N::Scalar]]| {
        text += &format!("static const {real} {name}_{what}[{count}][{width}] = {{\n");
        for row in rows {
            text += &format!("    {{\n{}    }},\n", numbers("        ", row.iter().copied()));
        }
        text += "};\n\n";
    };
    table("inputs", IN, &vectors.inputs.iter().map(|row| row.as_slice()).collect::<Vec<_>>());
    table("outputs", OUT, &vectors.outputs.iter().map(|row| row.as_slice()).collect::<Vec<_>>());
    table("tolerances", OUT, &vectors.tolerances.iter().map(|row| row.as_slice()).collect::<Vec<_>>());
    let test = SELF_TEST.replace("SAMPLES", &count.to_string()).replace("OUTPUTS", &OUT.to_string());
    text += &test.replace('$', &format!("{name}_")).replace("REAL", real);
    text +=
        &format!("#endif\n\n#ifdef {main}\n\nint main(void)\n{{\n    return {name}_self_test() > 0;\n}}\n\n#endif\n");
    Ok(text)
}

/// C99 header: the declarations of what [`c_source`] defines, to be included by other files.
///
/// # Errors
///
/// If a layer or an activation has no [operation](crate::model::Op), a weight is not finite, the epsilon of a
/// layer normalization is zero, or `name` is not one for [`c_source`].
///
/// # Examples
///
/// ```
/// use tuplenet::io::export;
/// use tuplenet::prelude::*;
///
/// let network = <(Dense<2, 4, Tanh>, Dense<4, 1, Sigmoid>)>::new(&mut seeded(0));
/// let header = export::c_header(&network, "xor")?;
/// assert!(header.contains("#define XOR_INPUTS 2\n"));
/// # Ok::<(), export::ExportError>(())
/// ```
pub fn c_header<N: Exportable<IN, OUT>, const IN: usize, const OUT: usize>(
    network: &N,
    name: &str,
) -> Result<String, ExportError> {
    let name = check_name(name)?;
    // What can't be written needs no header.
    Graph::new(network)?;
    let [guard, self_test] = ["HEADER", "SELF_TEST"].map(|what| macro_of(name, what));
    Ok(format!(
        "/* A network of tuplenet, written by tuplenet {}. Not to be changed by hand. */\n\n\
         #ifndef {guard}\n#define {guard}\n\n{}\n{LINKAGE}\n\
         /* With -D{self_test}: how many answers are wrong. */\nint {name}_self_test(void);\n\n\
         {LINKAGE_ENDS}\n#endif\n",
        env!("CARGO_PKG_VERSION"),
        declarations::<N::Scalar>(name, IN, OUT),
    ))
}

/// What surrounds the declarations that other files see, so that C++ looks for it under its name in C.
const LINKAGE: &str = "#ifdef __cplusplus\nextern \"C\" {\n#endif\n";
const LINKAGE_ENDS: &str = "#ifdef __cplusplus\n}\n#endif\n";

/// The name of a macro of a network, which no network of another name has: `XOR_MAIN` for `xor`. Names that differ in
/// their capital letters alone must have others, so that it is `Xor_Main` for `Xor` and `XOR_Main` for `XOR`.
fn macro_of(name: &str, what: &str) -> String {
    if !name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return format!("{}_{what}", name.to_ascii_uppercase());
    }
    let mut words: Vec<String> = what.split('_').map(str::to_ascii_lowercase).collect();
    for word in &mut words {
        word[..1].make_ascii_uppercase();
    }
    format!("{name}_{}", words.join("_"))
}

const SELF_TEST: &str = "\
int $self_test(void)
{
    int wrong = 0;
    size_t sample;
    size_t i;
    for (sample = 0; sample < SAMPLES; sample++) {
        REAL found[OUTPUTS];
        $predict($inputs[sample], found);
        for (i = 0; i < OUTPUTS; i++) {
            REAL error = found[i] - $outputs[sample][i];
            /* Not the other way round: NaN is wrong. */
            if (!(error <= $tolerances[sample][i] && error >= -$tolerances[sample][i])) {
                wrong++;
            }
        }
    }
    return wrong;
}

";

fn check_name(name: &str) -> Result<&str, ExportError> {
    let letters = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if letters && name.starts_with(|first: char| first.is_ascii_alphabetic()) && name.len() <= LONGEST_NAME {
        return Ok(name);
    }
    Err(ExportError::Name { found: name.chars().take(40).collect() })
}

fn declarations<T: Real>(name: &str, inputs: usize, outputs: usize) -> String {
    let (real, [width, height]) = (real::<T>(), ["INPUTS", "OUTPUTS"].map(|what| macro_of(name, what)));
    format!(
        "#define {width} {inputs}\n#define {height} {outputs}\n\n{LINKAGE}\n\
         /* The outputs for one sample; input and output may be the same memory. */\n\
         void {name}_predict(const {real} input[{inputs}], {real} output[{outputs}]);\n\n{LINKAGE_ENDS}"
    )
}

fn is_float<T: Real>() -> bool {
    T::MANTISSA_BITS == f32::MANTISSA_BITS
}

fn real<T: Real>() -> &'static str {
    if is_float::<T>() { "float" } else { "double" }
}

/// A number as a constant in C, from whose digits the same bits follow.
fn literal<T: Real>(value: T) -> String {
    format!("{value:?}{}", if is_float::<T>() { "f" } else { "" })
}

fn numbers<T: Real>(indent: &str, values: impl Iterator<Item = T>) -> String {
    wrapped(indent, values.map(literal))
}

/// Where the inputs of the next layer are stored.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Input,
    Output,
    /// One of two buffers.
    Buffer(usize),
}

impl Place {
    fn name(self) -> &'static str {
        match self {
            Place::Input => "input",
            Place::Output => "output",
            Place::Buffer(0) => "a",
            Place::Buffer(_) => "b",
        }
    }
}

/// The function `predict` and what it needs.
struct Program<'n> {
    name: &'n str,
    real: &'static str,
    place: Place,
    /// How many values there are now.
    size: usize,
    /// How many dense layers are still to come.
    dense: usize,
    outputs: usize,
    /// The sizes of the two buffers.
    buffers: [usize; 2],
    /// For each depth of residuals, how large the largest is.
    kept: Vec<usize>,
    /// The sizes of the residuals around this place.
    residuals: Vec<usize>,
    tables: String,
    body: String,
    needs: BTreeSet<&'static str>,
    loops: bool,
}

impl<'n> Program<'n> {
    fn new<T: Real>(name: &'n str, graph: &Graph<T>) -> Self {
        Program {
            name,
            real: real::<T>(),
            place: Place::Input,
            size: graph.inputs,
            dense: graph.parts.iter().filter(|part| matches!(part, Op::Linear { .. })).count(),
            outputs: graph.outputs,
            buffers: [0; 2],
            kept: Vec::new(),
            residuals: Vec::new(),
            tables: String::new(),
            body: String::new(),
            needs: BTreeSet::new(),
            loops: false,
        }
    }

    fn compile<T: Real>(&mut self, graph: &Graph<T>) {
        let name = self.name;
        for (index, part) in graph.parts.iter().enumerate() {
            match *part {
                Op::Linear { inputs, outputs, weight, bias, function } => {
                    let rows = (0..outputs).flat_map(|index| row(weight, outputs, index));
                    self.table("weight", index, outputs * inputs, rows);
                    self.table("bias", index, outputs, bias.iter().copied());
                    self.dense -= 1;
                    // Nothing is written to the output before all of the input has been read, since they may be the
                    // same.
                    let to = match self.place {
                        Place::Input => self.buffer(0, outputs),
                        _ if self.dense == 0 => Place::Output,
                        Place::Buffer(0) => self.buffer(1, outputs),
                        _ => self.buffer(0, outputs),
                    };
                    self.needs.insert("dense");
                    self.body += &format!(
                        "    {name}_dense({name}_weight_{index}, {name}_bias_{index}, {inputs}, {outputs}, {}, {});\n",
                        self.place.name(),
                        to.name()
                    );
                    (self.place, self.size) = (to, outputs);
                    self.activate::<T>(function);
                }
                Op::Apply { function, .. } => self.activate::<T>(function),
                Op::BatchNormalization { weight, bias, mean, variance, epsilon, .. } => {
                    let [scale, shift] = lines(weight, bias, mean, variance, epsilon);
                    self.table("scale", index, scale.len(), scale.into_iter());
                    self.table("shift", index, shift.len(), shift.into_iter());
                    self.each(|x| format!("{x} = {x} * {name}_scale_{index}[i] + {name}_shift_{index}[i]"));
                }
                Op::LayerNormalization { weight, bias, epsilon_nanos } => {
                    self.table("weight", index, weight.len(), weight.iter().copied());
                    self.table("bias", index, bias.len(), bias.iter().copied());
                    self.needs.insert("normalize");
                    self.own();
                    self.body += &format!(
                        "    {name}_normalize({name}_weight_{index}, {name}_bias_{index}, {}, {}, {});\n",
                        literal(T::of(epsilon_nanos as f64 / 1e9)),
                        self.size,
                        self.place.name()
                    );
                }
                Op::ResidualBegins { size } => {
                    let depth = self.residuals.len();
                    self.residuals.push(size);
                    if self.kept.len() <= depth {
                        self.kept.push(0);
                    }
                    self.kept[depth] = self.kept[depth].max(size);
                    self.copy(&format!("kept_{depth}"), self.place.name(), size);
                }
                Op::ResidualEnds => {
                    self.residuals.pop();
                    let depth = self.residuals.len();
                    self.each(|x| format!("{x} += kept_{depth}[i]"));
                }
                // What is unknown is in no graph.
                Op::Source { .. }
                | Op::InvertedDropout { .. }
                | Op::ChainBegins
                | Op::ChainEnds
                | Op::Unknown { .. } => {}
            }
        }
        if self.place != Place::Output {
            self.copy("output", self.place.name(), self.outputs);
        }
    }

    fn table<T: Real>(&mut self, what: &str, index: usize, size: usize, values: impl Iterator<Item = T>) {
        let (name, real) = (self.name, self.real);
        let values = numbers("    ", values);
        self.tables += &format!("static const {real} {name}_{what}_{index}[{size}] = {{\n{values}}};\n\n");
    }

    fn buffer(&mut self, which: usize, size: usize) -> Place {
        self.buffers[which] = self.buffers[which].max(size);
        Place::Buffer(which)
    }

    fn copy(&mut self, to: &str, from: &str, size: usize) {
        self.loops = true;
        self.body += &format!("    for (i = 0; i < {size}; i++) {{\n        {to}[i] = {from}[i];\n    }}\n");
    }

    /// Copies the values, if necessary, to where they may be changed.
    fn own(&mut self) {
        if self.place == Place::Input {
            self.place = self.buffer(0, self.size);
            self.copy(self.place.name(), "input", self.size);
        }
    }

    /// Changes each value.
    fn each(&mut self, statement: impl Fn(&str) -> String) {
        self.own();
        self.loops = true;
        let statement = statement(&format!("{}[i]", self.place.name()));
        self.body += &format!("    for (i = 0; i < {}; i++) {{\n        {statement};\n    }}\n", self.size);
    }

    fn activate<T: Real>(&mut self, function: ActivationKind) {
        let name = self.name;
        let (chunk, called) = match function.0 {
            Function::Identity => return,
            Function::LeakyRelu { percent } => {
                let factor = literal(T::of(f64::from(percent) / 100.0));
                return self.each(|x| format!("{x} = {x} > {} ? {x} : {x} * {factor}", literal(T::ZERO)));
            }
            Function::Softmax => {
                self.needs.insert("softmax");
                self.own();
                self.body += &format!("    {name}_softmax({}, {});\n", self.size, self.place.name());
                return;
            }
            Function::Tanh if is_float::<T>() => ("tanh_float", "tanh"),
            Function::Tanh => ("tanh_double", "tanh"),
            Function::Relu => ("relu", "relu"),
            Function::Elu => ("elu", "elu"),
            Function::Selu => ("selu", "selu"),
            Function::Gelu => ("gelu", "gelu"),
            Function::Silu => ("silu", "silu"),
            Function::Sigmoid => ("sigmoid", "sigmoid"),
            // Without a line that would make it the sigmoid of a network called `.._hard`.
            Function::HardSigmoid => ("hardsigmoid", "hardsigmoid"),
            Function::Softplus => ("softplus", "softplus"),
            Function::Softsign => ("softsign", "softsign"),
        };
        self.needs.insert(chunk);
        self.each(|x| format!("{x} = {name}_{called}({x})"));
    }

    /// The variables of the function.
    fn declarations(&self) -> String {
        let mut text = String::new();
        if self.loops {
            text += "    size_t i;\n";
        }
        for (buffer, size) in ["a", "b"].iter().zip(self.buffers).filter(|(_, size)| *size > 0) {
            text += &format!("    {} {buffer}[{size}];\n", self.real);
        }
        for (depth, size) in self.kept.iter().enumerate() {
            text += &format!("    {} kept_{depth}[{size}];\n", self.real);
        }
        text
    }
}

/// The functions that are needed, in an order in which each comes after those it uses.
fn library<T: Real>(name: &str, needs: &BTreeSet<&'static str>) -> String {
    let chunks: Vec<(&str, &str)> =
        include_str!("functions.c").split("//// ").skip(1).filter_map(|chunk| chunk.split_once('\n')).collect();
    let mut needed: BTreeSet<&str> = needs.clone();
    // From the last to the first, since each uses only what comes before it.
    for (heading, _) in chunks.iter().rev() {
        let mut words = heading.split(' ');
        if words.next().is_some_and(|chunk| needed.contains(chunk)) {
            needed.extend(words);
        }
    }
    let mut text = String::new();
    for (heading, body) in chunks {
        if needed.contains(heading.split(' ').next().unwrap_or(heading)) {
            text += &filled::<T>(body).replace('$', &format!("{name}_")).replace("REAL", real::<T>());
        }
    }
    text
}

/// A text with numbers in place of their names between `@`.
fn filled<T: Real>(text: &str) -> String {
    let pieces = text.split('@').enumerate();
    pieces.map(|(index, piece)| if index % 2 == 0 { piece.to_string() } else { value_of::<T>(piece) }).collect()
}

fn value_of<T: Real>(word: &str) -> String {
    let (of, float) = (|value: f64| literal(T::of(value)), is_float::<T>());
    let (word, variable) = word.split_once(' ').unwrap_or((word, ""));
    match word {
        "BITS" => if float { "uint32_t" } else { "uint64_t" }.to_string(),
        "BIAS" => format!("{}", T::EXPONENT_BIAS.exact()),
        "MANTISSA_BITS" => T::MANTISSA_BITS.to_string(),
        "LOG2_E" => of(consts::LOG2_E),
        "LN_2_HIGH" => literal(T::LN_2_HIGH),
        "LN_2_LOW" => literal(T::LN_2_LOW),
        "LN_MIN" => format!("({})", literal(T::LN_MIN)),
        "SQRT_2" => of(consts::SQRT_2),
        "FRAC_1_SQRT_2" => of(consts::FRAC_1_SQRT_2),
        "SIXTH" => of(1.0 / 6.0),
        "SELU_SCALE" => of(SELU_SCALE),
        "SELU_BOTH" => of(SELU_SCALE * SELU_ALPHA),
        "EXP" => horner(variable, &[&[T::ONE], T::SERIES.exp.as_flattened()].concat()),
        "LN" => horner(variable, T::SERIES.ln),
        "ERFC" => numbers("        ", T::SERIES.erfc.iter().copied()),
        "ERFC_LAST" => (T::SERIES.erfc.len() - 1).to_string(),
        "TANH_END" => of(math::SHORT_TANH_OF_HALF.end),
        "TANH_DIVIDEND" => horner(variable, &math::SHORT_TANH_OF_HALF.dividend.map(T::of)),
        "TANH_DIVISOR" => horner(variable, &math::SHORT_TANH_OF_HALF.divisor.map(T::of)[..3]),
        "MAX" => literal(T::max_value()),
        "MIN_POSITIVE" => literal(T::min_positive_value()),
        // Even powers of two, which shift any number below the smallest normal one above it.
        "ROOM" => of(if float { (1u64 << 24) as f64 } else { (1u64 << 54) as f64 }),
        "ROOT_OF_ROOM" => of(if float { (1u64 << 12) as f64 } else { (1u64 << 27) as f64 }),
        // C. Lomont, "Fast inverse square root", 2003; each step doubles the digits.
        "ESTIMATE" => if float { "UINT32_C(0x5f375a86)" } else { "UINT64_C(0x5fe6eb50c7b537a9)" }.to_string(),
        "STEPS" => if float { "3" } else { "5" }.to_string(),
        // The file's own numbers are tried by the tests, which write and compile all of it.
        number => of(number.parse().unwrap_or(f64::NAN)),
    }
}

/// `coefficients[0] + coefficients[1] x + ...`.
fn horner<T: Real>(x: &str, coefficients: &[T]) -> String {
    let mut text = String::new();
    for (index, &coefficient) in coefficients.iter().rev().enumerate() {
        let coefficient = literal(coefficient);
        text = match index {
            0 => coefficient,
            1 => format!("{text} * {x} + {coefficient}"),
            _ => format!("({text}) * {x} + {coefficient}"),
        };
    }
    text
}
