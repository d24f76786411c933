//! Faults of other libraries, tried here: each test failed once. What must not compile is among the tests of error messages
//! (`tests/compile_errors`), the converters in `tests/io/run`.

#[path = "faults/data.rs"]
mod data;
#[path = "faults/files.rs"]
mod files;
#[path = "faults/losses.rs"]
mod losses;
#[path = "faults/sequences.rs"]
mod sequences;
#[path = "faults/training.rs"]
mod training;
