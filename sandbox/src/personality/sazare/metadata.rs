//! What the server says about itself: an operation whose definition it does not have.

use super::{Sazare, answer};
use crate::{moment, r4};
use axum::extract::State;
use axum::response::Response;
use hyper::StatusCode;
use serde_json::{Value, json};
use std::sync::{Arc, LazyLock};

/// Every type. The recorded statement lists some of them, with their search parameters.
static RESOURCES: LazyLock<Value> = LazyLock::new(|| r4::TYPES.iter().map(resource).collect());

pub(super) async fn capabilities(State(sazare): State<Arc<Sazare>>) -> Response {
    let (server, script) = (&sazare.server, sazare.server.script());
    let mut operations =
        vec![json!({"definition": "http://hl7.org/fhir/uv/bulkdata/OperationDefinition/export", "name": "export"})];
    if script.import_enabled && !script.metadata_without_import {
        operations.push(json!({"definition": "http://sazare.dev/OperationDefinition/import", "name": "import"}));
    }
    let description = "fhir-sazare - Lightweight FHIR R4 Server";
    let statement = json!({
        "date": &moment::instant(server.now())[..10],
        "fhirVersion": "4.0.1",
        "format": ["json"],
        "implementation": {"description": description, "url": server.base},
        "instantiates": ["http://hl7.org/fhir/us/core/CapabilityStatement/us-core-server"],
        "kind": "instance",
        "resourceType": "CapabilityStatement",
        "rest": [{"interaction": [{"code": "transaction"}, {"code": "batch"}], "mode": "server",
            "operation": operations, "resource": *RESOURCES}],
        "software": {"name": "sazare", "version": "0.6.6"},
        "status": "active",
    });
    answer(StatusCode::OK, "application/json", &statement)
}

fn resource(kind: &&str) -> Value {
    json!({"conditionalCreate": true, "interaction": [{"code": "read"}, {"code": "search-type"}], "readHistory": true,
        "type": kind, "versioning": "versioned"})
}
