//! What Obelisk is given: two components, and the files that say what they may reach. See README.md beside it.

/// The loop of an import, as a workflow component for Obelisk 0.41 (`obelisk:workflow` 6).
pub const WORKFLOW_WASM: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/workflow.wasm"));

/// The files of a deployment: `importer.wasm` as it is everywhere, the loop, and Obelisk's two configurations.
pub const DEPLOYMENT: [(&str, &[u8]); 4] = [
    ("importer.wasm", fhir_import::IMPORTER_WASM),
    ("workflow.wasm", WORKFLOW_WASM),
    ("deployment.toml", include_bytes!("../deployment.toml")),
    ("server.toml", include_bytes!("../server.toml")),
];
