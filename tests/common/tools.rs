//! Programs that tests need, and what is said where there is none.

use std::process::{Command, Stdio};

/// A check that this machine can't do. In CI, where `CI` is set, that is a failure; elsewhere it is said.
#[track_caller]
pub fn skip(reason: &str) {
    let in_ci = std::env::var_os("CI").is_some_and(|value| !value.is_empty() && value != "false");
    assert!(!in_ci, "{reason}; where CI is set, nothing is skipped");
    eprintln!("skipped: {reason}");
}

/// Whether all these programs are there, each with the package of Debian that has it.
#[track_caller]
#[allow(dead_code, reason = "not every test that may be skipped needs a program")]
pub fn are_there(tools: &[(&str, &str)]) -> bool {
    let runs =
        |tool: &str| Command::new(tool).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
    let missing = tools.iter().find(|(tool, _)| !runs(tool));
    if let Some((tool, package)) = missing {
        skip(&format!("there is no {tool}: apt-get install {package}"));
    }
    missing.is_none()
}
