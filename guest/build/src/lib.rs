//! Builds the components, for the build scripts of whoever loads them, so that a plain `cargo build` is enough.
//!
//! Guests are built into one fixed folder beside the host's artefacts, whatever profile the host has.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use anyhow::{Context, Result, bail, ensure};
use wasmparser::{Parser, Payload};
use wit_component::ComponentEncoder;

const TARGET: &str = "wasm32-unknown-unknown";

/// A crate that becomes a component.
pub struct Guest {
    /// Its package.
    pub package: &'static str,
    /// The profile of the root `Cargo.toml` that it is built with.
    pub profile: &'static str,
    /// The name of the component's file in `OUT_DIR`.
    pub file: &'static str,
    /// The variable of the environment that may name a prebuilt component instead.
    pub prebuilt: &'static str,
}

impl Guest {
    /// Puts the component into the `OUT_DIR` of the build script that calls it.
    ///
    /// # Errors
    /// When it cannot be built: what is missing, or what the compiler said.
    pub fn build(&self) -> Result<()> {
        let out = PathBuf::from(env::var("OUT_DIR")?);
        println!("cargo::rerun-if-env-changed={}", self.prebuilt);
        let file = out.join(self.file);
        fs::write(&file, component(self, &out)?).with_context(|| file.display().to_string())
    }
}

fn component(guest: &Guest, out: &Path) -> Result<Vec<u8>> {
    if let Ok(path) = env::var(guest.prebuilt) {
        println!("cargo::rerun-if-changed={path}");
        return fs::read(&path).with_context(|| format!("{}={path}", guest.prebuilt));
    }
    let module = fs::read(build(guest, &guest_folder(out)?)?)?;
    without_names(&ComponentEncoder::default().module(&module)?.validate(true).encode()?)
}

/// A component without its custom sections, which are names for debuggers.
fn without_names(component: &[u8]) -> Result<Vec<u8>> {
    let mut kept = Vec::with_capacity(component.len());
    let mut copied = 0;
    for payload in Parser::new(0).parse_all(component) {
        // Sections of nested modules are copied with their module.
        if let Payload::CustomSection(section) = payload?
            && section.name() == "component-name"
        {
            let (start, end) = (usize::try_from(section.range().start)?, usize::try_from(section.range().end)?);
            kept.extend_from_slice(&component[copied..section_start(component, start, end)?]);
            copied = end;
        }
    }
    kept.extend_from_slice(&component[copied..]);
    Ok(kept)
}

/// Where a section begins whose content is a range: one byte of id and a LEB128 length lie before the content.
fn section_start(component: &[u8], content: usize, end: usize) -> Result<usize> {
    let length = leb128(end - content);
    let start = content.checked_sub(length.len() + 1).context("a section has an id and a length")?;
    let fits = component[start] == 0 && component[start + 1..content] == length;
    ensure!(fits, "a custom section has a length of another form");
    Ok(start)
}

fn leb128(mut value: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = (value & 0x7f) as u8;
        value >>= 7;
        bytes.push(if value == 0 { low } else { low | 0x80 });
        if value == 0 {
            return bytes;
        }
    }
}

/// `target/guest`, beside the folder of the host's profile.
fn guest_folder(out: &Path) -> Result<PathBuf> {
    let profile =
        out.ancestors().find(|path| path.join("build").is_dir()).context("OUT_DIR is not below a build folder")?;
    Ok(profile.parent().context("the profile's folder has a parent")?.join("guest"))
}

/// SIMD for scanning; and no path of the building machine in what panics say, so that equal sources give equal bytes.
fn flags() -> Result<String> {
    let home = env::var("CARGO_HOME").or_else(|_| env::var("HOME").map(|home| format!("{home}/.cargo")))?;
    Ok(["-Ctarget-feature=+simd128".to_owned(), format!("--remap-path-prefix={home}=cargo")].join("\x1f"))
}

fn build(guest: &Guest, folder: &Path) -> Result<PathBuf> {
    let mut cargo = Command::new(env::var("CARGO")?);
    cargo.args(["build", "--locked", "--target", TARGET, "--profile", guest.profile, "--package", guest.package]);
    cargo.env("CARGO_TARGET_DIR", folder).env("CARGO_ENCODED_RUSTFLAGS", flags()?);
    // Set by clippy and others for the host's crates; the guests are built by the plain compiler.
    for wrapper in ["RUSTC_WORKSPACE_WRAPPER", "RUSTC_WRAPPER", "CLIPPY_ARGS", "CLIPPY_CONF_DIR"] {
        cargo.env_remove(wrapper);
    }
    if !cargo.status()?.success() {
        bail!("{} cannot be built; is the target there? Run: rustup target add {TARGET}", guest.file);
    }
    let library = format!("{}.wasm", guest.package.replace('-', "_"));
    Ok(folder.join(TARGET).join(guest.profile).join(library))
}
