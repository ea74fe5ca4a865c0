//! Builds the components, so that a plain `cargo build` is enough.
//!
//! The guests are built into one fixed folder beside the host's artefacts, whatever profile the host has. Prebuilt
//! components can be named by `FHIR_IMPORT_IMPORTER_WASM` and `FHIR_IMPORT_RECORDS_WASM`.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use wasmparser::{Parser, Payload};
use wit_component::ComponentEncoder;

type Anything<T> = Result<T, Box<dyn Error>>;

const TARGET: &str = "wasm32-unknown-unknown";

struct Guest {
    package: &'static str,
    profile: &'static str,
    file: &'static str,
    prebuilt: &'static str,
}

const GUESTS: [Guest; 2] = [
    Guest {
        package: "fhir-import-importer-component",
        profile: "guest",
        file: "importer.wasm",
        prebuilt: "FHIR_IMPORT_IMPORTER_WASM",
    },
    Guest {
        package: "fhir-import-records-component",
        profile: "guest-fast",
        file: "records.wasm",
        prebuilt: "FHIR_IMPORT_RECORDS_WASM",
    },
];

fn main() -> Anything<()> {
    let out = PathBuf::from(env::var("OUT_DIR")?);
    for watched in ["../../guest", "../../wit", "../../Cargo.toml", "../../Cargo.lock"] {
        println!("cargo::rerun-if-changed={watched}");
    }
    for guest in GUESTS {
        println!("cargo::rerun-if-env-changed={}", guest.prebuilt);
        fs::write(out.join(guest.file), component(&guest, &out)?)?;
    }
    Ok(())
}

fn component(guest: &Guest, out: &Path) -> Anything<Vec<u8>> {
    if let Ok(path) = env::var(guest.prebuilt) {
        println!("cargo::rerun-if-changed={path}");
        return fs::read(&path).map_err(|e| format!("{}={path}: {e}", guest.prebuilt).into());
    }
    let module = fs::read(build(guest, &guest_folder(out)?)?)?;
    without_names(&ComponentEncoder::default().module(&module)?.validate(true).encode()?)
}

/// A component without its custom sections, which are names for debuggers.
fn without_names(component: &[u8]) -> Anything<Vec<u8>> {
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
fn section_start(component: &[u8], content: usize, end: usize) -> Anything<usize> {
    let length = leb128(end - content);
    let start = content.checked_sub(length.len() + 1).ok_or("a section has an id and a length")?;
    let fits = component[start] == 0 && component[start + 1..content] == length;
    if fits { Ok(start) } else { Err("a custom section has a length of another form".into()) }
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
fn guest_folder(out: &Path) -> Anything<PathBuf> {
    let profile =
        out.ancestors().find(|path| path.join("build").is_dir()).ok_or("OUT_DIR is not below a build folder")?;
    Ok(profile.parent().ok_or("the profile's folder has a parent")?.join("guest"))
}

/// SIMD for scanning; and no path of the building machine in what panics say, so that equal sources give equal bytes.
fn flags() -> Anything<String> {
    let home = env::var("CARGO_HOME").or_else(|_| env::var("HOME").map(|home| format!("{home}/.cargo")))?;
    Ok(["-Ctarget-feature=+simd128".to_owned(), format!("--remap-path-prefix={home}=cargo")].join("\x1f"))
}

fn build(guest: &Guest, folder: &Path) -> Anything<PathBuf> {
    let mut cargo = Command::new(env::var("CARGO")?);
    cargo.args(["build", "--locked", "--target", TARGET, "--profile", guest.profile, "--package", guest.package]);
    cargo.env("CARGO_TARGET_DIR", folder).env("CARGO_ENCODED_RUSTFLAGS", flags()?);
    // Set by clippy and others for the host's crates; the guests are built by the plain compiler.
    for wrapper in ["RUSTC_WORKSPACE_WRAPPER", "RUSTC_WRAPPER", "CLIPPY_ARGS", "CLIPPY_CONF_DIR"] {
        cargo.env_remove(wrapper);
    }
    if !cargo.status()?.success() {
        return Err(
            format!("{} cannot be built; is the target there? Run: rustup target add {TARGET}", guest.file).into()
        );
    }
    let library = format!("{}.wasm", guest.package.replace('-', "_"));
    Ok(folder.join(TARGET).join(guest.profile).join(library))
}
