//! Builds the components, so that a plain `cargo build` is enough.
//!
//! The guests are built into one fixed folder beside the host's artefacts, whatever profile the host has. Prebuilt
//! components can be named by `FHIR_IMPORT_IMPORTER_WASM` and `FHIR_IMPORT_RECORDS_WASM`.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

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
    Ok(ComponentEncoder::default().module(&module)?.validate(true).encode()?)
}

/// `target/guest`, beside the folder of the host's profile.
fn guest_folder(out: &Path) -> Anything<PathBuf> {
    let profile = out.ancestors().find(|path| path.join("build").is_dir()).ok_or("OUT_DIR is not below a build folder")?;
    Ok(profile.parent().ok_or("the profile's folder has a parent")?.join("guest"))
}

fn build(guest: &Guest, folder: &Path) -> Anything<PathBuf> {
    let mut cargo = Command::new(env::var("CARGO")?);
    cargo.args(["build", "--locked", "--target", TARGET, "--profile", guest.profile, "--package", guest.package]);
    cargo.env("CARGO_TARGET_DIR", folder).env("CARGO_ENCODED_RUSTFLAGS", "-Ctarget-feature=+simd128");
    // Set by clippy and others for the host's crates; the guests are built by the plain compiler.
    for wrapper in ["RUSTC_WORKSPACE_WRAPPER", "RUSTC_WRAPPER", "CLIPPY_ARGS", "CLIPPY_CONF_DIR"] {
        cargo.env_remove(wrapper);
    }
    if !cargo.status()?.success() {
        return Err(format!("{} cannot be built; is the target there? Run: rustup target add {TARGET}", guest.file).into());
    }
    let library = format!("{}.wasm", guest.package.replace('-', "_"));
    Ok(folder.join(TARGET).join(guest.profile).join(library))
}
