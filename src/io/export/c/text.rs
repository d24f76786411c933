//! What surrounds the statements of a network: declarations, functions, and the self-test.

use super::super::Graph;
use super::macro_of;
use super::program::Program;
use alloc::format;
use alloc::string::String;

/// What surrounds the declarations that other files see, so that C++ looks for it under its name in C.
pub(super) const LINKAGE: &str = "#ifdef __cplusplus\nextern \"C\" {\n#endif\n";
pub(super) const LINKAGE_ENDS: &str = "#ifdef __cplusplus\n}\n#endif\n";

/// What other files see.
pub(super) fn declarations<T>(program: &Program, graph: &Graph<T>) -> String {
    let (name, real) = (program.name, program.real);
    let [inputs, outputs] = [graph.inputs, graph.outputs].map(|sizes| sizes.iter().product::<usize>());
    let [width, height] = ["INPUTS", "OUTPUTS"].map(|what| macro_of(name, what));
    let mut text = format!("#define {width} {inputs}\n#define {height} {outputs}\n");
    let mut step = String::new();
    if let Some([steps, step_inputs, step_outputs]) = program.stream {
        let [count, width, height] = ["STEPS", "INPUTS_OF_STEP", "OUTPUTS_OF_STEP"].map(|what| macro_of(name, what));
        text += &format!("#define {count} {steps}\n#define {width} {step_inputs}\n#define {height} {step_outputs}\n");
        // Also if a file includes the header, and then the source.
        let guard = macro_of(name, "STATE");
        text += &format!("\n#ifndef {guard}\n#define {guard}\n");
        text += &format!("/* What a stream carries from step to step. */\nstruct {name}_state {{\n");
        for variable in &program.state {
            text += &format!("    {};\n", variable.declaration(real));
        }
        if program.state.is_empty() {
            text += "    size_t nothing;\n";
        }
        text += "};\n#endif\n";
        step = format!(
            "\n/* Sets the state to that before the first step. */\nvoid {name}_start(struct {name}_state *state);\n\n\
             /* The outputs for the next step; input and output may be the same memory. */\n\
             void {name}_step(struct {name}_state *state, const {real} input[{step_inputs}], {real} output[{step_outputs}]);\n"
        );
    }
    let same = if program.stream.is_some() && !program.has_last {
        "input and output may not overlap"
    } else {
        "input and output may be the same memory"
    };
    text + &format!(
        "\n{LINKAGE}\n/* The outputs for one sample; {same}. */\n\
         void {name}_predict(const {real} input[{inputs}], {real} output[{outputs}]);\n{step}\n{LINKAGE_ENDS}"
    )
}

/// The functions that other files see.
pub(super) fn functions<T>(program: &Program, graph: &Graph<T>) -> String {
    let (name, real) = (program.name, program.real);
    let [inputs, outputs] = [graph.inputs, graph.outputs].map(|sizes| sizes.iter().product::<usize>());
    let body = format!("{{\n{}{}}}\n", program.declarations(), program.body);
    let predict = format!("void {name}_predict(const {real} input[{inputs}], {real} output[{outputs}])");
    let Some([steps, step_inputs, step_outputs]) = program.stream else {
        return format!("{LINKAGE}\n{predict}\n{body}\n{LINKAGE_ENDS}\n");
    };
    let arguments =
        format!("struct {name}_state *state, const {real} input[{step_inputs}], {real} output[{step_outputs}]");
    // What comes after the last step alone is not computed for the others.
    let (before, step, call) = if program.has_last {
        (
            format!("static void {name}_advance({arguments}, int is_last)\n{body}\n"),
            format!("{{\n    {name}_advance(state, input, output, 1);\n}}\n"),
            format!("{name}_advance(&state, input + step * {step_inputs}, output, step + 1 == {steps});"),
        )
    } else {
        let call = format!("{name}_step(&state, input + step * {step_inputs}, output + step * {step_outputs});");
        (String::new(), body, call)
    };
    format!(
        "{before}{LINKAGE}\nvoid {name}_start(struct {name}_state *state)\n{{\n{}}}\n\n\
         void {name}_step({arguments})\n{step}\n\
         {predict}\n{{\n    struct {name}_state state;\n    size_t step;\n    {name}_start(&state);\n    \
         for (step = 0; step < {steps}; step++) {{\n        {call}\n    }}\n}}\n\n{LINKAGE_ENDS}\n",
        start(program)
    )
}

/// The statements that set the state to zero.
fn start(program: &Program) -> String {
    let arrays = program.state.iter().any(|variable| variable.size.is_some());
    let mut text = String::from(if arrays { "    size_t i;\n" } else { "" });
    for variable in &program.state {
        text += &match variable.size {
            Some(size) => {
                format!("    for (i = 0; i < {size}; i++) {{\n        state->{}[i] = 0;\n    }}\n", variable.name)
            }
            None => format!("    state->{} = 0;\n", variable.name),
        };
    }
    if program.state.is_empty() {
        text += "    state->nothing = 0;\n";
    }
    text
}

pub(super) const SELF_TEST: &str = "\
int $self_test(void)
{
    int wrong = 0;
    size_t sample;
    size_t i;
VARIABLES    for (sample = 0; sample < SAMPLES; sample++) {
        REAL found[OUTPUTS];
        $predict($inputs[sample], found);
        for (i = 0; i < OUTPUTS; i++) {
            REAL error = found[i] - $outputs[sample][i];
            /* Not the other way round: NaN is wrong. */
            if (!(error <= $tolerances[sample][i] && error >= -$tolerances[sample][i])) {
                wrong++;
            }
        }
STEPS    }
    return wrong;
}

";

/// What the self-test of a stream has besides.
pub(super) const STEPS: &str = "        {
            /* The same step by step. */
            struct $state state;
            $start(&state);
            for (step = 0; step < COUNT; step++) {
                REAL part[OUTPUTS];
                $step(&state, $inputs[sample] + step * INPUTS, part);
                for (i = 0; WANTED && i < OUTPUTS; i++) {
                    REAL error = part[i] - $outputs[sample][FIRST + i];
                    if (!(error <= $tolerances[sample][FIRST + i] && error >= -$tolerances[sample][FIRST + i])) {
                        wrong++;
                    }
                }
            }
        }
";
