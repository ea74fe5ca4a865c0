//! What must be on the machine, and how it gets there.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::run::{output, run, works};

/// What the components are compiled for.
pub const WASM: &str = "wasm32-unknown-unknown";

/// The oldest Java that HAPI 8 runs on.
const JAVA: u32 = 17;

/// Makes sure that the components can be built.
pub fn wasm_target() -> Result<()> {
    if works("rustup", &["--version"]) {
        let installed = output(Command::new("rustup").args(["target", "list", "--installed"]))?;
        if !installed.lines().any(|target| target == WASM) {
            run(Command::new("rustup").args(["target", "add", WASM]))?;
        }
        return Ok(());
    }
    let sysroot = PathBuf::from(output(Command::new("rustc").args(["--print", "sysroot"]))?.trim_end());
    ensure!(
        sysroot.join("lib/rustlib").join(WASM).join("lib").is_dir(),
        "this Rust cannot compile for {WASM}, and there is no rustup to add it. Install rustup (https://rustup.rs), or \
         your distribution's package of Rust's standard library for {WASM}"
    );
    Ok(())
}

/// Makes sure that there are a formatter and a linter.
pub fn rust_tools() -> Result<()> {
    if works("cargo", &["fmt", "--version"]) && works("cargo", &["clippy", "--version"]) {
        return Ok(());
    }
    run(Command::new("rustup").args(["component", "add", "rustfmt", "clippy"])).context("rustfmt and clippy are needed")
}

/// Makes sure that the real HAPI server of the tests can be built and run.
pub fn java() -> Result<()> {
    // `-version` speaks on stderr; the quoted number is the one thing that all vendors print alike.
    let said = Command::new("java").arg("-version").output();
    let said =
        said.with_context(|| format!("no java: install a JDK {JAVA} or newer; a real HAPI server is tested with"))?;
    let text = String::from_utf8_lossy(&said.stderr).into_owned();
    let major: Option<u32> =
        text.split('"').nth(1).and_then(|version| version.split(['.', '-', '+']).next()?.parse().ok());
    match major {
        Some(major) if major >= JAVA => {}
        Some(major) => bail!("java is version {major}: install a JDK {JAVA} or newer"),
        None => bail!("`java -version` does not work: install a JDK {JAVA} or newer"),
    }
    ensure!(works("javac", &["-version"]), "java is a JRE without javac: install a JDK {JAVA} or newer");
    ensure!(works("mvn", &["--version"]), "no mvn: install Maven 3.8 or newer; it builds the HAPI server of the tests");
    Ok(())
}
