//! Builds the workflow component.

use fhir_import_guest_build::Guest;

type Anything<T> = Result<T, Box<dyn std::error::Error>>;

const WORKFLOW: Guest = Guest {
    package: "fhir-import-obelisk-workflow",
    profile: "guest",
    file: "workflow.wasm",
    prebuilt: "FHIR_IMPORT_OBELISK_WORKFLOW_WASM",
};

fn main() -> Anything<()> {
    for watched in ["workflow", "wit", "../../wit", "../../guest/build", "../../Cargo.toml", "../../Cargo.lock"] {
        println!("cargo::rerun-if-changed={watched}");
    }
    Ok(WORKFLOW.build()?)
}
