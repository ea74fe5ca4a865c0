//! What the server says about itself.

use super::{FHIR_JSON, Onfhir};
use crate::reply::reply;
use crate::{json, moment, r4};
use axum::extract::State;
use axum::response::Response;
use hyper::StatusCode;
use serde_json::{Value, json};
use std::sync::{Arc, LazyLock};

/// Every type, as the statement lists them.
static RESOURCES: LazyLock<String> =
    LazyLock::new(|| json::compact(&r4::TYPES.iter().map(resource).collect::<Vec<_>>().into()));

/// The canonical is that of `bulk-import.json`; the name of the software is not confirmed.
pub(super) async fn capabilities(State(onfhir): State<Arc<Onfhir>>) -> Response {
    let script = onfhir.server.script();
    let mut rest = json!({"mode": "server", "resource": json::HOLE});
    if script.import_enabled && !script.metadata_without_import {
        rest["operation"] =
            json!([{"name": "import", "definition": "http://onfhir.io/fhir/OperationDefinition/import"}]);
    }
    let statement = json!({
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": moment::instant(onfhir.server.now()),
        "kind": "instance",
        "software": {"name": "onFHIR.io"},
        "implementation": {"description": "onFHIR.io FHIR repository", "url": onfhir.server.base},
        "fhirVersion": "4.0.1",
        "format": ["json"],
        "rest": [rest],
    });
    reply(StatusCode::OK, FHIR_JSON, json::filled(&statement, &RESOURCES))
}

fn resource(kind: &&str) -> Value {
    json!({"type": kind, "interaction": [{"code": "read"}, {"code": "search-type"}], "versioning": "versioned"})
}
