//! Generated from `wit/`; nothing else is in here.

#![allow(missing_docs, clippy::allow_attributes_without_reason, reason = "generated")]

wit_bindgen::generate!({
    path: "../../../wit",
    world: "importer-component",
    generate_all,
    pub_export_macro: true,
});
