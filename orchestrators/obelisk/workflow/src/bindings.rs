//! Generated from `wit/` of the repository and of the adapter; nothing else is in here.

#![allow(missing_docs, clippy::allow_attributes_without_reason, reason = "generated")]

wit_bindgen::generate!({
    path: ["../../../wit", "../wit"],
    world: "fhir-import:orchestration/workflow",
    generate_all,
    pub_export_macro: true,
});
