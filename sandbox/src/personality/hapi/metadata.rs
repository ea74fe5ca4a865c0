//! What HAPI says about itself.

use super::{Brand, Hapi, refusal};
use crate::reply::{FHIR_JSON, reply};
use crate::{json, moment, r4};
use axum::extract::{Path, State};
use axum::response::Response;
use hyper::StatusCode;
use serde_json::{Value, json};
use std::sync::{Arc, LazyLock};

/// The operations that matter, in the recorded order: the poll is an operation of its own, and both definitions are
/// the server's own rather than published canonicals.
const OPERATIONS: [&str; 2] = ["import-poll-status", "import"];

/// Every type, as the statement lists them. Written once: it is most of the statement and of its cost.
static RESOURCES: LazyLock<String> =
    LazyLock::new(|| json::compact(&r4::TYPES.iter().map(resource).collect::<Vec<_>>().into()));

pub(super) async fn capabilities(State(hapi): State<Arc<Hapi>>) -> Response {
    let script = hapi.server.script();
    let shown = script.import_enabled && !script.metadata_without_import;
    let base = &hapi.server.base;
    let mut operations: Vec<_> = OPERATIONS.iter().filter(|_| shown).map(|name| advert(base, name)).collect();
    operations.push(json!({"name": "meta", "definition": format!("{base}/OperationDefinition/Multi-its-meta")}));
    let statement = json!({
        "resourceType": "CapabilityStatement",
        "id": hapi.server.ids.uuid(),
        "name": "RestServer",
        "status": "active",
        "date": moment::instant(hapi.server.now()),
        "publisher": "Not provided",
        "kind": "instance",
        "software": software(hapi.brand),
        "implementation": {"description": "HAPI FHIR R4 test server", "url": base},
        "fhirVersion": "4.0.1",
        "format": ["application/fhir+xml", "xml", "application/fhir+json", "json", "application/x-turtle", "ttl"],
        "rest": [{
            "mode": "server",
            "resource": json::HOLE,
            "interaction": [{"code": "transaction"}, {"code": "history-system"}],
            "operation": operations,
        }],
    });
    reply(StatusCode::OK, FHIR_JSON, json::filled(&statement, &RESOURCES))
}

/// The version of Smile CDR is that of the documentation.
fn software(brand: Brand) -> Value {
    match brand {
        Brand::Hapi => json!({"name": "HAPI FHIR Server", "version": "8.8.0"}),
        Brand::SmileCdr => json!({"name": "Smile CDR", "version": "2024.08.R01"}),
    }
}

fn advert(base: &str, name: &str) -> Value {
    json!({"name": name, "definition": format!("{base}/OperationDefinition/-s-{name}")})
}

/// Only what this server can do; the recorded statement lists writing as well.
fn resource(kind: &&str) -> Value {
    json!({"type": kind, "profile": format!("http://hl7.org/fhir/StructureDefinition/{kind}"),
        "interaction": [{"code": "search-type"}, {"code": "read"}], "versioning": "versioned-update"})
}

/// HAPI takes the whole `Parameters` resource as one argument and therefore defines no input parameters for `import`.
/// Inferred from its source; no definition was recorded.
pub(super) async fn operation_definition(State(hapi): State<Arc<Hapi>>, Path(id): Path<String>) -> Response {
    let name = id.strip_prefix("-s-").filter(|name| OPERATIONS.contains(name));
    let Some(name) = name.filter(|_| hapi.server.script().import_enabled) else {
        let text = format!("HAPI-2001: Resource OperationDefinition/{id} is not known");
        return refusal(StatusCode::NOT_FOUND, text);
    };
    let mut definition = json!({
        "resourceType": "OperationDefinition",
        "id": id,
        "url": format!("{}/OperationDefinition/{id}", hapi.server.base),
        "name": name,
        "status": "active",
        "kind": "operation",
        "publisher": "Not provided",
        "affectsState": name == "import",
        "code": name,
        "system": true,
        "type": false,
        "instance": false,
    });
    if name == "import-poll-status" {
        definition["parameter"] = json!([{"name": "_jobId", "use": "in", "min": 0, "max": "1", "type": "string"}]);
    }
    reply(StatusCode::OK, FHIR_JSON, json::compact(&definition))
}
