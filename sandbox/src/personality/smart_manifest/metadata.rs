//! What the server says about itself. The draft asks for nothing; an operation of this name is what a reader would do.

use super::{Smart, refusal};
use crate::reply::{FHIR_JSON, reply};
use crate::{json, moment, r4};
use axum::extract::State;
use axum::response::Response;
use hyper::StatusCode;
use serde_json::{Value, json};
use std::sync::{Arc, LazyLock};

/// Every type, as the statement lists them. Written once: it is most of the statement and of its cost.
static RESOURCES: LazyLock<String> =
    LazyLock::new(|| json::compact(&r4::TYPES.iter().map(resource).collect::<Vec<_>>().into()));

pub(super) async fn capabilities(State(smart): State<Arc<Smart>>) -> Response {
    let script = smart.server.script();
    let base = &smart.server.base;
    let mut rest = json!({"mode": "server", "resource": json::HOLE});
    if script.import_enabled && !script.metadata_without_import {
        rest["operation"] = json!([{"name": "import", "definition": canonical(base)}]);
    }
    let statement = json!({
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": moment::instant(smart.server.now()),
        "kind": "instance",
        "software": {"name": "fhir-import practice server", "version": env!("CARGO_PKG_VERSION")},
        "implementation": {"description": "SMART bulk data import, manifest approach", "url": base},
        "fhirVersion": "4.0.1",
        "format": ["json"],
        "rest": [rest],
    });
    reply(StatusCode::OK, FHIR_JSON, json::filled(&statement, &RESOURCES))
}

pub(super) async fn operation_definition(State(smart): State<Arc<Smart>>) -> Response {
    if !smart.server.script().import_enabled {
        return refusal(StatusCode::NOT_FOUND, "not-found", "There is no OperationDefinition/import");
    }
    let definition = json!({
        "resourceType": "OperationDefinition",
        "id": "import",
        "url": canonical(&smart.server.base),
        "name": "Import",
        "status": "active",
        "kind": "operation",
        "affectsState": true,
        "code": "import",
        "system": true,
        "type": false,
        "instance": false,
        "parameter": [
            parameter("inputFormat", 1, "1", "code"),
            parameter("inputSource", 1, "1", "uri"),
            {"name": "input", "use": "in", "min": 1, "max": "*",
                "part": [parameter("type", 1, "1", "code"), parameter("url", 1, "1", "url")]},
            {"name": "storageDetail", "use": "in", "min": 0, "max": "1",
                "part": [parameter("type", 1, "1", "code"), parameter("contentEncoding", 0, "*", "string")]},
        ],
    });
    reply(StatusCode::OK, FHIR_JSON, json::compact(&definition))
}

fn canonical(base: &str) -> String {
    format!("{base}/OperationDefinition/import")
}

fn resource(kind: &&str) -> Value {
    json!({"type": kind, "interaction": [{"code": "read"}, {"code": "search-type"}]})
}

fn parameter(name: &str, min: u32, max: &str, kind: &str) -> Value {
    json!({"name": name, "use": "in", "min": min, "max": max, "type": kind})
}
