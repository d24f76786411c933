//! Puts the description of the target's memory where the linker looks for it.

use std::path::PathBuf;
use std::{env, fs};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (target, out) = (env::var("TARGET")?, PathBuf::from(env::var("OUT_DIR")?));
    let memory = format!("memory/{target}.x");
    println!("cargo::rerun-if-changed=memory");
    println!("cargo::rerun-if-changed=build.rs");
    if fs::exists(&memory)? {
        // `link.x` of cortex-m-rt includes a file of this name; the other one is named in .cargo/config.toml.
        fs::copy(&memory, out.join(if target.starts_with("riscv") { "riscv.x" } else { "memory.x" }))?;
        println!("cargo::rustc-link-search={}", out.display());
    }
    Ok(())
}
