//! What the server says about itself: nothing of import, and another name.

use super::{Octo, answer};
use crate::{moment, r4};
use axum::extract::State;
use axum::response::Response;
use hyper::StatusCode;
use serde_json::{Value, json};
use std::sync::{Arc, LazyLock};

/// Every type, without the search parameters of the recorded statement.
static RESOURCES: LazyLock<Value> = LazyLock::new(|| r4::TYPES.iter().map(resource).collect());

/// The URL of the implementation lacks the path of the base.
pub(super) async fn capabilities(State(octo): State<Arc<Octo>>) -> Response {
    let date = moment::instant_to(octo.server.now(), 3);
    let operations = json!([{"definition": "urn:abyxon:operation:graphql.instance", "name": "$instance"},
        {"definition": "urn:abyxon:operation:graphql.query", "name": "$query"}]);
    let interactions = ["transaction", "batch", "search-system", "history-system"].map(|code| json!({"code": code}));
    let statement = json!({
        "date": format!("{}Z", &date[..19]),
        "fhirVersion": "4.0.1",
        "format": ["application/fhir+json", "application/json"],
        "implementation": {"description": "Abyxon FHIR Server", "url": octo.server.origin},
        "kind": "instance",
        "resourceType": "CapabilityStatement",
        "rest": [{"interaction": interactions, "mode": "server", "operation": operations, "resource": *RESOURCES}],
        "software": {"name": "Abyxon"},
        "status": "active",
    });
    answer(StatusCode::OK, &statement)
}

fn resource(kind: &&str) -> Value {
    let interactions = ["read", "vread", "search-type", "create", "update", "patch", "delete"];
    json!({"conditionalCreate": true, "interaction": interactions.map(|code| json!({"code": code})),
        "profile": format!("http://hl7.org/fhir/StructureDefinition/{kind}"), "readHistory": true, "type": kind,
        "updateCreate": true, "versioning": "versioned-update"})
}
