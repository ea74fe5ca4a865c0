//! What the server says about itself.

use super::{FHIR_JSON, Ibm};
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

/// The canonical of `import` is that of `import.json`; those of its siblings follow its form.
pub(super) async fn capabilities(State(ibm): State<Arc<Ibm>>) -> Response {
    let script = ibm.server.script();
    let shown = script.import_enabled && !script.metadata_without_import;
    let operations =
        [("export", "BulkData-export"), ("import", "BulkData-import"), ("bulkdata-status", "BulkData-status")];
    let operations: Vec<_> = operations.iter().filter(|(name, _)| shown || *name == "export").map(advert).collect();
    let statement = json!({
        "resourceType": "CapabilityStatement",
        "name": "IBM FHIR Server",
        "status": "active",
        "date": moment::instant(ibm.server.now()),
        "kind": "instance",
        "software": {"name": "IBM FHIR Server", "version": "4.11.1"},
        "fhirVersion": "4.0.1",
        "format": ["application/fhir+json", "application/json", "json"],
        "rest": [{"mode": "server", "resource": json::HOLE, "operation": operations}],
    });
    reply(StatusCode::OK, FHIR_JSON, json::filled(&statement, &RESOURCES))
}

fn advert((name, definition): &(&str, &str)) -> Value {
    json!({"name": name, "definition": format!("http://hl7.org/fhir/OperationDefinition/{definition}")})
}

fn resource(kind: &&str) -> Value {
    json!({"type": kind, "interaction": [{"code": "read"}, {"code": "search-type"}], "versioning": "versioned-update"})
}
