//! The words of the compiler where sizes, number types or targets do not match: `tests/words/*.stderr`, and where a file of
//! weights does not fit: `tests/words_io/*.stderr`.
//!
//! After a change of words, `TRYBUILD=overwrite cargo test --test words --features safetensors` writes them anew; read every one.

#![cfg(feature = "std")]

#[path = "common/tools.rs"]
mod tools;

use std::process::Command;

/// The compiler whose words these are; another one says the same in another way.
const COMPILER: &str = "rustc 1.95.";

/// Whether this is the compiler; if not, it is said.
fn is_known() -> bool {
    let compiler = std::env::var("RUSTC").unwrap_or("rustc".into());
    let version = Command::new(compiler).arg("--version").output().expect("the compiler tells its version").stdout;
    let version = String::from_utf8_lossy(&version);
    if !version.starts_with(COMPILER) {
        tools::skip(&format!("the error messages are those of {COMPILER}x, and this is {version}"));
        return false;
    }
    true
}

#[test]
fn words() {
    if is_known() {
        trybuild::TestCases::new().compile_fail("tests/words/*.rs");
    }
}

/// Where the compiler reads weights from a file that does not fit.
#[cfg(feature = "safetensors")]
#[test]
fn words_about_files() {
    if is_known() {
        trybuild::TestCases::new().compile_fail("tests/words_io/*.rs");
    }
}
