//! The manners of the source, played against this server.

use crate::local::{Local, body};
use crate::{Fate, Personality};
use serde_json::{Value, json};

const LINES: &str =
    "{\"resourceType\":\"Patient\",\"id\":\"a\"}\nnonsense\n{\"resourceType\":\"Patient\",\"id\":\"b\"}\n";

fn onfhir(script: Value) -> Local {
    let files =
        [("file:///data/p.ndjson", LINES), ("file:///data/q.ndjson", "{\"resourceType\":\"Patient\",\"id\":\"q\"}\n")];
    Local::with_files(Personality::Onfhir, script, &files)
}

fn order(files: &[&str]) -> Value {
    let mut parameters = vec![
        json!({"name": "inputFormat", "valueString": "application/fhir+ndjson"}),
        json!({"name": "inputSource", "valueUri": "file:///data/"}),
        json!({"name": "storageDetail", "part": [{"name": "type", "valueCode": "file"}]}),
    ];
    parameters.extend(files.iter().map(|url| {
        json!({"name": "input", "part": [{"name": "type", "valueCode": "Patient"}, {"name": "url", "valueUri": url}]})
    }));
    json!({"resourceType": "Parameters", "parameter": parameters})
}

fn post(local: &Local, order: &str) -> hyper::Response<bytes::Bytes> {
    let url = format!("{}/$import", local.sandbox.base_url());
    local.ask("POST", &url, &[("Content-Type", "application/fhir+json")], order)
}

#[test]
fn a_job_is_taken_and_only_counting_tells_what_became_of_it() {
    let local = onfhir(json!({}));
    let accepted = post(&local, &order(&["p.ndjson", "file:///data/q.ndjson", "none.ndjson"]).to_string());
    assert_eq!((accepted.status().as_u16(), accepted.body().len()), (202, 0));
    assert!(!accepted.headers().contains_key("content-location"));
    let count = local.get(&format!("{}/Patient?_summary=count", local.sandbox.base_url()));
    assert_eq!(body(&count)["total"], 2, "the rest of a file with a bad line is left out");
    let record = local.sandbox.job_records().remove(0);
    assert_eq!((record.fate, record.stored, record.refused), (Fate::Ended, 2, 1));
    assert!(record.status_url.starts_with("http://127.0.0.1/fhir/$import#"));
}

#[test]
fn every_kick_off_is_a_job_of_its_own() {
    let local = onfhir(json!({}));
    let order = order(&["q.ndjson"]).to_string();
    assert_eq!((post(&local, &order).status().as_u16(), post(&local, &order).status().as_u16()), (202, 202));
    assert_eq!((local.sandbox.jobs(), local.sandbox.stored()), (2, 1));
}

#[test]
fn kick_offs_are_refused_as_in_the_source() {
    let local = onfhir(json!({}));
    let good = order(&["q.ndjson"]).to_string();
    let turned = good.replace("\"name\":\"url\"", "\"name\":\"link\"");
    let cases = [
        (
            good.replace("fhir+ndjson", "fhir+xml"),
            400,
            "The parameter inputFormat should exist and be 'application/fhir+ndjson'!",
        ),
        (good.replace("inputSource", "source"), 400, "The parameter inputSource should exist!"),
        (turned, 400, "One of the parameter input is invalid!"),
        (good.replace("storageDetail", "storage"), 400, "The parameter storageDetail should exist!"),
        (good.replace("\"file\"", "\"https\""), 500, "An unexpected error occurred"),
    ];
    for (order, status, words) in cases {
        let refused = post(&local, &order);
        assert_eq!(
            (refused.status().as_u16(), body(&refused)["issue"][0]["diagnostics"].as_str()),
            (status, Some(words))
        );
    }
    assert_eq!(local.sandbox.jobs(), 0);
}

#[test]
fn the_operation_is_advertised() {
    let local = onfhir(json!({}));
    let statement = body(&local.get(&format!("{}/metadata", local.sandbox.base_url())));
    let definition = &statement["rest"][0]["operation"][0]["definition"];
    assert_eq!(definition, "http://onfhir.io/fhir/OperationDefinition/import");
}
