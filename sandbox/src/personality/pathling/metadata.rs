//! What the server says about itself.

use super::signed::cacheable;
use super::{Edition, FHIR_JSON, Pathling, refusal};
use crate::reply::reply;
use crate::{json, moment, r4};
use axum::extract::{Path, State};
use axum::response::Response;
use hyper::StatusCode;
use serde_json::{Value, json};
use std::sync::{Arc, LazyLock};

/// Every type, as each edition lists them. The recorded statement lists operations of a type as well.
static SEVEN: LazyLock<String> = LazyLock::new(|| resources(&["search-type", "create", "update"]));
static NEWER: LazyLock<String> = LazyLock::new(|| resources(&["read", "search-type", "create", "update", "delete"]));

fn resources(interactions: &[&str]) -> String {
    let interactions: Vec<_> = interactions.iter().map(|code| json!({"code": code})).collect();
    let resource = |kind: &&str| {
        json!({"type": kind, "profile": format!("http://hl7.org/fhir/StructureDefinition/{kind}"),
            "interaction": interactions})
    };
    json::compact(&r4::TYPES.iter().map(resource).collect::<Vec<_>>().into())
}

pub(super) async fn capabilities(State(pathling): State<Arc<Pathling>>) -> Response {
    let (name, version, major, resources) = match pathling.edition {
        Edition::Seven => ("Pathling", "7.2.0+c6b0be2", 7, &*SEVEN),
        Edition::Newer => ("Pathling Server", "1.0.0", 1, &*NEWER),
    };
    let statement = json!({
        "resourceType": "CapabilityStatement",
        "url": format!("https://pathling.csiro.au/fhir/CapabilityStatement/pathling-fhir-api-{major}"),
        "version": version.split('+').next(),
        "name": "pathling-fhir-api",
        "title": "Pathling FHIR API",
        "status": "active",
        "experimental": true,
        "date": moment::instant(pathling.server.now()),
        "publisher": "Australian e-Health Research Centre, CSIRO",
        "copyright": "Dedicated to the public domain via CC0: https://creativecommons.org/publicdomain/zero/1.0/",
        "kind": "instance",
        "software": {"name": name, "version": version},
        "implementation": {"description": "Yet Another Pathling Server", "url": pathling.server.base},
        "fhirVersion": "4.0.1",
        "format": ["json", "xml"],
        "rest": [{"mode": "server", "security": {"cors": true}, "resource": json::HOLE,
            "interaction": [{"code": "batch"}], "operation": operations(&pathling, major)}],
    });
    let response = reply(StatusCode::OK, FHIR_JSON, json::filled(&statement, resources));
    cacheable(response, "7.2.0+c6b0be2")
}

fn operations(pathling: &Pathling, major: u32) -> Vec<Value> {
    let script = pathling.server.script();
    let shown = script.import_enabled && !script.metadata_without_import;
    let names: &[&str] = match pathling.edition {
        Edition::Seven => &["import", "result", "job"],
        Edition::Newer => &["import", "import-pnp", "job", "result"],
    };
    let definition = |name: &str| format!("https://pathling.csiro.au/fhir/OperationDefinition/{name}-{major}");
    let shown = names.iter().filter(|name| shown || !name.starts_with("import"));
    shown.map(|name| json!({"name": name, "definition": definition(name)})).collect()
}

/// Of the newer edition. It has no URL, and names parameters in another way than the server reads them.
pub(super) async fn operation_definition(State(pathling): State<Arc<Pathling>>, Path(id): Path<String>) -> Response {
    if id != "import-1" || !pathling.server.script().import_enabled {
        let text = format!("Resource of type OperationDefinition with ID '{id}' not found");
        return refusal(StatusCode::NOT_FOUND, "processing", text);
    }
    let parameter = |name: &str, min: u32, max: &str, kind: &str| json!({"name": name, "use": "in", "min": min, "max": max, "type": kind});
    let definition = json!({
        "resourceType": "OperationDefinition",
        "id": id,
        "name": "import",
        "title": "Pathling Import Operation",
        "status": "active",
        "kind": "operation",
        "affectsState": true,
        "code": "import",
        "system": true,
        "type": false,
        "instance": false,
        "parameter": [
            parameter("inputSource", 1, "1", "string"),
            {"name": "input", "use": "in", "min": 1, "max": "*",
                "part": [parameter("type", 1, "1", "code"), parameter("url", 1, "1", "url")]},
            parameter("inputFormat", 0, "1", "code"),
            parameter("saveMode", 0, "1", "code"),
        ],
    });
    reply(StatusCode::OK, FHIR_JSON, json::compact(&definition))
}
