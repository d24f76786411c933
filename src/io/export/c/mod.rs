//! C99 source: the network as a function, without a library.

mod images;
mod library;
mod memory;
mod program;
mod sequences;
mod text;

use super::rust::{Used, type_of};
use super::test_vectors::TestVectors;
use super::{ExportError, Exportable, Graph};
use crate::data::Inputs;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use library::{library, numbers, real};
use program::Program;
use text::{LINKAGE, LINKAGE_ENDS, SELF_TEST, STEPS, declarations, functions};

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
/// An image is stored channel by channel, row by row, and a sequence step by step. A network that can be asked step by
/// step ([`Stream`](crate::model::Stream)) has three things more: the state as `struct name_state`, `name_start`, which
/// sets it to that before the first step, and `name_step`, which computes the output for the next step. The state is the
/// caller's. Outputs for each step may not be written to the memory of the inputs of later ones.
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
pub fn c_source<N>(
    network: &N,
    name: &str,
    samples: &(impl Inputs<N::Scalar, N::In> + ?Sized),
) -> Result<String, ExportError>
where
    N: Exportable + Clone + Send + Sync,
{
    let name = check_name(name)?;
    let graph = Graph::new(network)?;
    let vectors = TestVectors::new(network, &graph, samples)?;
    let (real, [self_test, main]) = (real::<N::Scalar>(), ["SELF_TEST", "MAIN"].map(|what| macro_of(name, what)));
    let mut program = Program::new(name, &graph);
    program.compile(&graph);

    let mut text = format!(
        "/* A network of tuplenet, written by tuplenet {}. Not to be changed by hand.\n   {}\n\n   \
         Compile it with -D{self_test} for int {name}_self_test(void), which gives how many of its outputs are\n   \
         wrong, or with -D{main} for a program that runs it. */\n\n#include <stddef.h>\n#include <stdint.h>\n\n",
        env!("CARGO_PKG_VERSION"),
        type_of(&graph, &mut Used::default()),
    );
    text += &declarations(&program, &graph);
    text.push('\n');
    text += &program.tables;
    text += &library::<N::Scalar>(name, &program.needs);
    text += &program.windows;
    text += &functions(&program, &graph);

    let count = vectors.inputs.len();
    text += &format!(
        "#if defined {self_test} || defined {main}\n\n{LINKAGE}\nint {name}_self_test(void);\n\n{LINKAGE_ENDS}\n"
    );
    let [inputs, outputs] = [graph.inputs, graph.outputs].map(|sizes| sizes.iter().product::<usize>());
    let mut table = |what: &str, width: usize, rows: &[Vec<N::Scalar>]| {
        text += &format!("static const {real} {name}_{what}[{count}][{width}] = {{\n");
        for row in rows {
            text += &format!("    {{\n{}    }},\n", numbers("        ", row.iter().copied()));
        }
        text += "};\n\n";
    };
    table("inputs", inputs, &vectors.inputs);
    table("outputs", outputs, &vectors.outputs);
    table("tolerances", outputs, &vectors.tolerances);
    let steps = graph.stream().map_or(String::new(), |[steps, inputs, outputs]| {
        let first = if program.has_last { "0".to_string() } else { format!("step * {outputs}") };
        let wanted = if program.has_last { format!("step + 1 == {steps}") } else { "1".to_string() };
        let sizes = [("COUNT", steps.to_string()), ("INPUTS", inputs.to_string()), ("OUTPUTS", outputs.to_string())];
        let text = STEPS.replace("FIRST", &first).replace("WANTED", &wanted);
        sizes.iter().fold(text, |text, (word, size)| text.replace(word, size))
    });
    let variables = if steps.is_empty() { "" } else { "    size_t step;\n" };
    let test = SELF_TEST.replace("VARIABLES", variables).replace("STEPS", &steps);
    let test = test.replace("SAMPLES", &count.to_string()).replace("OUTPUTS", &outputs.to_string());
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
pub fn c_header<N: Exportable>(network: &N, name: &str) -> Result<String, ExportError> {
    let name = check_name(name)?;
    let graph = Graph::new(network)?;
    let mut program = Program::new(name, &graph);
    program.compile(&graph);
    let [guard, self_test] = ["HEADER", "SELF_TEST"].map(|what| macro_of(name, what));
    let includes = if program.stream.is_some() { "#include <stddef.h>\n\n" } else { "" };
    Ok(format!(
        "/* A network of tuplenet, written by tuplenet {}. Not to be changed by hand. */\n\n\
         #ifndef {guard}\n#define {guard}\n\n{includes}{}\n{LINKAGE}\n\
         /* With -D{self_test}: how many outputs are wrong. */\nint {name}_self_test(void);\n\n\
         {LINKAGE_ENDS}\n#endif\n",
        env!("CARGO_PKG_VERSION"),
        declarations(&program, &graph),
    ))
}

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

fn check_name(name: &str) -> Result<&str, ExportError> {
    let letters = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if letters && name.starts_with(|first: char| first.is_ascii_alphabetic()) && name.len() <= LONGEST_NAME {
        return Ok(name);
    }
    Err(ExportError::Name { found: name.chars().take(40).collect() })
}
