//! The compiler's error messages where sizes, scalar types or targets do not match: `tests/compile_errors/*.stderr`, and where a
//! file of weights does not fit: `tests/compile_errors_io/*.stderr`.
//!
//! After a change of messages, `TRYBUILD=overwrite cargo test --test compile_errors` writes them again;
//! read every one.

#![cfg(feature = "std")]

#[path = "common/tools.rs"]
mod tools;

use std::process::Command;

/// The compiler whose messages these are; another version formats them differently.
const COMPILER: &str = "rustc 1.95.";

/// Whether this is that compiler; if not, the test says that it is skipped.
fn is_known() -> bool {
    let compiler = std::env::var("RUSTC").unwrap_or("rustc".into());
    let version = Command::new(compiler).arg("--version").output().expect("the compiler prints its version").stdout;
    let version = String::from_utf8_lossy(&version);
    if !version.starts_with(COMPILER) {
        tools::skip(&format!("the error messages are those of {COMPILER}x, and this is {version}"));
        return false;
    }
    true
}

#[test]
fn error_messages() {
    if is_known() {
        trybuild::TestCases::new().compile_fail("compile_errors/*.rs");
    }
}

/// Where the compiler reads weights from a file that does not fit.
#[cfg(feature = "safetensors")]
#[test]
fn error_messages_about_files() {
    if is_known() {
        trybuild::TestCases::new().compile_fail("compile_errors_io/*.rs");
    }
}
