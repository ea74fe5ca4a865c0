//! What the server says about itself: nothing of import.

use super::{FHIR_JSON, Microsoft};
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

/// The name of the software can be configured; this one is the default as far as it is known.
pub(super) async fn capabilities(State(microsoft): State<Arc<Microsoft>>) -> Response {
    let base = &microsoft.server.base;
    let statement = json!({
        "resourceType": "CapabilityStatement",
        "url": format!("{base}/metadata"),
        "name": "Microsoft FHIR Server",
        "status": "active",
        "experimental": true,
        "date": moment::instant(microsoft.server.now()),
        "publisher": "Microsoft",
        "kind": "instance",
        "software": {"name": "Microsoft FHIR Server", "version": "4.0.0"},
        "fhirVersion": "4.0.1",
        "format": ["application/fhir+json"],
        "rest": [{"mode": "server", "resource": json::HOLE, "operation": [
            {"name": "export", "definition": format!("{base}/OperationDefinition/export")},
            {"name": "reindex", "definition": format!("{base}/OperationDefinition/reindex")}]}],
    });
    reply(StatusCode::OK, FHIR_JSON, json::filled(&statement, &RESOURCES))
}

fn resource(kind: &&str) -> Value {
    json!({"type": kind, "interaction": [{"code": "read"}, {"code": "search-type"}], "versioning": "versioned"})
}
