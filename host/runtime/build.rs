//! Builds the components that this library loads.

use fhir_import_guest_build::Guest;

type Anything<T> = Result<T, Box<dyn std::error::Error>>;

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
    for watched in ["../../guest", "../../wit", "../../Cargo.toml", "../../Cargo.lock"] {
        println!("cargo::rerun-if-changed={watched}");
    }
    Ok(GUESTS.iter().try_for_each(Guest::build)?)
}
