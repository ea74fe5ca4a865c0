//! Capability statements, as far as servers agree on them.

use crate::reply::{FHIR_JSON, reply};
use crate::server::Server;
use crate::{json, moment, r4};
use axum::response::Response;
use hyper::StatusCode;
use serde_json::{Value, json};
use std::sync::LazyLock;

/// Every type, as the statement lists them. Written once: it is most of the statement and of its cost.
static RESOURCES: LazyLock<String> =
    LazyLock::new(|| json::compact(&r4::TYPES.iter().map(resource).collect::<Vec<_>>().into()));

/// What the server is called.
pub(crate) struct Software {
    pub(crate) name: &'static str,
    /// `None`: the documents do not say how it is written.
    pub(crate) version: Option<&'static str>,
}

/// The statement of a server with these operations.
pub(crate) fn statement(server: &Server, software: &Software, operations: &[Value]) -> Response {
    let mut rest = json!({"mode": "server", "resource": json::HOLE});
    if !operations.is_empty() {
        rest["operation"] = operations.into();
    }
    let mut named = json!({"name": software.name});
    if let Some(version) = software.version {
        named["version"] = version.into();
    }
    let statement = json!({
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": moment::instant(server.now()),
        "kind": "instance",
        "software": named,
        "implementation": {"description": software.name, "url": server.base},
        "fhirVersion": "4.0.1",
        "format": ["application/fhir+json", "json"],
        "rest": [rest],
    });
    reply(StatusCode::OK, FHIR_JSON, json::filled(&statement, &RESOURCES))
}

/// An operation of the whole server.
pub(crate) fn operation(name: &str, definition: &str) -> Value {
    json!({"name": name, "definition": definition})
}

fn resource(kind: &&str) -> Value {
    json!({"type": kind, "interaction": [{"code": "read"}, {"code": "search-type"}]})
}
