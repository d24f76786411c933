//! The field's words: no home-made word stands where the field has one of its own. Readers search for what they know from
//! PyTorch, Keras and scikit-learn, and must find it.

use std::fs;
use std::path::{Path, PathBuf};

/// Where readers look.
const TEXTS: [&str; 5] = ["src", "examples", "README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"];

/// What to write, and what not, between bars. Words with a capital letter or an underscore are identifiers, and compared
/// as they are; of others the first letter may be a capital.
const WORDS: [(&str, &str); 37] = [
    ("derivative, gradient", "slope|slopes|Slope|SlopeFrom|input_slope|output_slope|starting_slope"),
    ("panic path", "way to a panic|ways to a panic|way to panic"),
    ("error message, readable", "in words|the words of"),
    ("unspecified", "of no account"),
    ("is called with, reports", "told of|tells us"),
    ("evaluates, metrics", "judge|judges|judged|judgement|judgements"),
    ("predicts, inference, outputs", "is asked about|answers"),
    ("values of type, the scalar type", "numbers of type"),
    ("buffer, capacity, index, position", "room for|a place for|places for"),
    ("FitOptions, FitReport, EpochReport", "Fit|Outcome|OfEpoch"),
    ("derivative, gradient", "SLOPE|slope_of"),
    ("executor, accumulate, parallel", "Hands|Gathered|Columned"),
    ("by default", "unless written"),
    ("XOR", "exclusive or"),
    ("state", "remember|remembers|remembered"),
    ("resumes, continues", "goes on"),
    ("modules, files, capacity, buffer", "one room|the room|the rooms|rooms"),
    ("unit variance", "deviation 1"),
    ("training run", "a training|trainings"),
    ("values, elements, weights, samples", "the numbers|of numbers|all numbers|more numbers|so many numbers"),
    ("values, elements, weights, samples", "the same numbers|few numbers|these numbers|whose numbers"),
    ("microcontroller", "chip|chips"),
    ("MACs", "multiply-add|multiply-adds"),
    ("Parallel, executor, single thread", "Crew|Alone"),
    ("LoadError, ExportError", "Misfit|Unwritable|Lasting|Standing"),
    ("InputLayer, InputShape", "Entrance"),
    ("boxed", "Roomy|roomy"),
    ("percent, epsilon", "THOUSANDTHS|BILLIONTHS|thousandths|billionths"),
    ("Callback", "Observer|Follower|OfNetwork|OfTrainer"),
    ("learning_rate", "plain_rate|set_rate"),
    ("the graph: Node, Op, ActivationKind", "outline"),
    ("update_buffers, merge_buffers, Kind::Buffer", "after_batch|after_part|Statistic"),
    ("Cache, Pass, micro-batch", "Trace|DenseTrace|Tile|with_tile"),
    ("names that are not conversions", "to_logits|from_zero|starting_at"),
    ("GradientTransform, WeightDecay, Regularization", "Prepare|Prepared|Decay|Penalty"),
    ("Hyperparameters, SearchSpace, CrossValidationOptions", "Recipe|Setup|Stall|minus_squared_error"),
    ("fold task, train function, fold output, test targets", "Lesson|Teach|Learnt|truths|FEW|WIDEST|BRIEF|COUPLED"),
];

/// The field's own, or another program's.
const KEPT: [&str; 9] = [
    "a training step",
    "a training run",
    "a training sample",
    "a training set",
    "a training batch",
    "a training loop",
    "fused multiply-add",
    "--chip",
    "probe-rs chip",
];

/// Whether `phrase` is in `line` as whole words.
fn has(line: &str, phrase: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let mut rest = line;
    while let Some(at) = rest.find(phrase) {
        let after = &rest[at + phrase.len()..];
        if !rest[..at].ends_with(is_part) && !after.starts_with(is_part) {
            return true;
        }
        rest = after;
    }
    false
}

/// The home-made words in a line, each with what to write instead.
fn home_made(line: &str) -> Vec<(&'static str, &'static str)> {
    let capital = |word: &str| word[..1].to_uppercase() + &word[1..];
    let without = |line: String, kept: &&str| line.replace(kept, "···").replace(&capital(kept), "···");
    let line = KEPT.iter().fold(line.to_string(), without);
    let is_identifier = |word: &str| word.contains('_') || word.contains(char::is_uppercase);
    let words = WORDS.iter().flat_map(|(instead, words)| words.split('|').map(move |word| (word, *instead)));
    words.filter(|(word, _)| has(&line, word) || (!is_identifier(word) && has(&line, &capital(word)))).collect()
}

/// The Rust and Markdown files at `path` or in that folder, without what was built there.
fn texts(path: &Path) -> Vec<PathBuf> {
    if path.is_dir() && !path.ends_with("target") {
        let entries = fs::read_dir(path).expect("a folder that can be read");
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
        paths.sort();
        return paths.iter().flat_map(|path| texts(path)).collect();
    }
    let is_text = path.is_file() && path.extension().is_some_and(|extension| extension == "rs" || extension == "md");
    is_text.then(|| path.to_path_buf()).into_iter().collect()
}

#[test]
fn the_words_are_the_fields() {
    let mut found = String::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests are in a folder of the library");
    for path in TEXTS.iter().flat_map(|text| texts(&root.join(text))) {
        let text = fs::read_to_string(&path).expect("a text");
        let name = path.strip_prefix(root).expect("a path in the package").display();
        for (number, line) in text.lines().enumerate() {
            for (word, instead) in home_made(line) {
                found += &format!("{name}:{}: `{word}`, expected {instead}\n", number + 1);
            }
        }
    }
    assert!(found.is_empty(), "{} home-made words:\n{found}", found.lines().count());
}

#[test]
fn home_made_words_are_found() {
    for line in ["The slopes of all layers", "Slope by slope", "fn input_slope() {}", "`Crew`,", "It goes on."] {
        assert!(!home_made(line).is_empty(), "{line}");
    }
    for line in ["A slopestyle", "CrewAI", "a fused multiply-add", "A training step", "probe-rs run --chip nRF52"] {
        assert!(home_made(line).is_empty(), "{line}");
    }
}
