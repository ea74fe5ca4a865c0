//! The contract of `wit/`, generated: what an embedder sends and gets. The documentation of each item is the contract's.

#![allow(missing_docs, clippy::allow_attributes_without_reason, clippy::too_many_lines, reason = "generated")]

pub(crate) mod importer_world {
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "importer-component",
        imports: { default: async | trappable },
        exports: { default: async },
        additional_derives: [PartialEq, serde::Deserialize, serde::Serialize],
        with: {
            "wasi:http": wasmtime_wasi_http::p2::bindings::http,
            "wasi:io": wasmtime_wasi_io::bindings::wasi::io,
            "wasi:clocks": wasmtime_wasi::p2::bindings::clocks,
        },
    });
}

pub(crate) mod records_world {
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "records-component",
        exports: { default: async },
        additional_derives: [PartialEq, serde::Deserialize, serde::Serialize],
    });
}

impl Phase {
    /// The word of the contract.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Detecting => "detecting",
            Self::ReadyToSubmit => "ready-to-submit",
            Self::Submitting => "submitting",
            Self::Running => "running",
            Self::ReadingResult => "reading-result",
            Self::Verifying => "verifying",
            Self::Cancelling => "cancelling",
            Self::Paused => "paused",
            Self::Done => "done",
        }
    }
}

pub use importer_world::exports::fhir_import::workflow::catalog::Dialect;
pub use importer_world::exports::fhir_import::workflow::types::*;
pub use records_world::exports::fhir_import::workflow::records::{
    CheckOptions, Chosen, ErrorRow, FileSummary, Finding, Severity, Summary, TriageSummary, TypeSummary,
};
