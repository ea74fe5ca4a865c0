//! The manners of source and guide, played against this server.

use crate::local::{Local, body};
use crate::{Fate, Personality};
use serde_json::{Value, json};

const LINES: &str =
    "{\"resourceType\":\"Patient\",\"id\":\"a\"}\nnonsense\n{\"resourceType\":\"Patient\",\"id\":\"b\"}\n";

fn ibm(script: Value) -> Local {
    let files = [("https://files/p.ndjson", LINES), ("p.ndjson", LINES), ("http://files/p.ndjson", LINES)];
    Local::with_files(Personality::Ibm, script, &files)
}

fn order(urls: &[&str]) -> Value {
    let mut parameters = vec![
        json!({"name": "inputFormat", "valueString": "application/fhir+ndjson"}),
        json!({"name": "inputSource", "valueUri": "https://localhost:9443/source-fhir-server"}),
        json!({"name": "storageDetail", "valueString": "https"}),
    ];
    parameters.extend(urls.iter().map(|url| {
        json!({"name": "input", "part": [{"name": "type", "valueString": "Patient"}, {"name": "url", "valueUrl": url}]})
    }));
    json!({"resourceType": "Parameters", "parameter": parameters})
}

fn post(local: &Local, order: &Value) -> hyper::Response<bytes::Bytes> {
    let url = format!("{}/$import", local.sandbox.base_url());
    local.ask("POST", &url, &[("Content-Type", "application/fhir+json")], &order.to_string())
}

fn start(local: &Local, urls: &[&str]) -> String {
    let accepted = post(local, &order(urls));
    assert_eq!((accepted.status().as_u16(), accepted.body().len()), (202, 0));
    accepted.headers()["content-location"].to_str().unwrap().to_owned()
}

fn text(answer: &hyper::Response<bytes::Bytes>) -> String {
    body(answer)["issue"][0]["details"]["text"].as_str().unwrap().to_owned()
}

#[test]
fn a_job_is_asked_for_by_an_encoded_id_and_names_files_that_cannot_be_fetched() {
    let local = ibm(json!({}));
    let url = start(&local, &["https://files/p.ndjson", "p.ndjson"]);
    assert!(url.starts_with("http://127.0.0.1/fhir-server/api/v4/$bulkdata-status?job="), "{url}");
    assert!(url.ends_with("%3D%3D"), "{url}");
    let running = local.get(&url);
    assert_eq!((running.status().as_u16(), &running.headers()["retry-after"]), (202, &"120".parse().unwrap()));
    assert_eq!(local.poll(&url, 2), [202, 200]);
    let result = body(&local.get(&url));
    assert_eq!((&result["request"], &result["requiresAccessToken"]), (&json!("$import"), &json!(false)));
    let row = |which: &str, count| json!({"type": "OperationOutcome", "url": format!("p.ndjson_oo_{which}.ndjson"), "count": count});
    assert_eq!(result["output"], json!([row("success", 2), row("success", 2)]));
    assert_eq!(result["error"], json!([row("errors", 1), row("errors", 1)]));
    assert_eq!(local.sandbox.stored(), 2);
}

#[test]
fn a_row_about_errors_is_there_without_any() {
    let local = ibm(json!({"polls_until_done": 0}));
    let foreign = local.sandbox.foreign_job();
    assert_eq!(body(&local.get(&foreign))["error"], json!([]));
    let good = Local::with_files(Personality::Ibm, json!({"polls_until_done": 0}), &[("https://f/p", "")]);
    let url = start(&good, &["https://f/p"]);
    assert_eq!(body(&good.get(&url))["error"][0]["count"], 0);
}

#[test]
fn a_poll_takes_a_stopped_job_up_again() {
    let local = ibm(json!({}));
    let url = start(&local, &["p.ndjson"]);
    assert_eq!((local.delete(&url), local.sandbox.job_records()[0].fate), (202, Fate::Cancelled));
    assert_eq!((local.poll(&url, 1), local.sandbox.job_records()[0].fate), (vec![202], Fate::Running));
    assert_eq!(local.poll(&url, 2), [202, 200]);
    assert_eq!((local.delete(&url), local.poll(&url, 1), local.delete(&url)), (200, vec![404], 404));
    assert_eq!(local.sandbox.job_records()[0].deletes, 3);
    assert_eq!(body(&local.get(&url))["issue"][0]["code"], "not-found");
}

#[test]
fn a_job_does_nothing_while_it_is_stopped() {
    let local = ibm(json!({"job_ms": 10_000}));
    let url = start(&local, &["p.ndjson"]);
    local.clock.pass(4_000);
    assert_eq!(local.delete(&url), 202);
    local.clock.pass(60_000);
    assert_eq!(local.poll(&url, 2), [202, 202]);
    local.clock.pass(5_999);
    assert_eq!((local.poll(&url, 1), local.sandbox.job_records()[0].fate), (vec![202], Fate::Running));
    local.clock.pass(1);
    assert_eq!((local.poll(&url, 1), local.sandbox.job_records()[0].fate), (vec![200], Fate::Ended));
}

#[test]
fn a_missing_file_fails_the_job() {
    let local = ibm(json!({"polls_until_done": 0}));
    let url = start(&local, &["none.ndjson", "p.ndjson"]);
    let failed = local.get(&url);
    let words = "A bad source input was used during a call to $import";
    assert_eq!((failed.status().as_u16(), text(&failed).as_str()), (500, words));
    assert_eq!((local.sandbox.stored(), local.sandbox.job_records()[0].fate), (2, Fate::Failed));
}

#[test]
fn kick_offs_are_refused_as_in_the_source() {
    let local = ibm(json!({}));
    let good = order(&["p.ndjson"]).to_string();
    let edit = |from: &str, to: &str| serde_json::from_str::<Value>(&good.replace(from, to)).unwrap();
    let cases = [
        (
            order(&["p"; 6]),
            "$import maximum input per bulkdata import request 'fhirServer/bulkdata/maxInputPerRequest'",
        ),
        (order(&["http://files/p.ndjson"]), "$import does not have a valid base url"),
        (order(&[]), "$import requires 'input' is not found"),
        (edit("valueUrl", "valueUri"), "$import invalid elements in the 'input' field"),
        (edit("\"Patient\"", "\"Nonsense\""), "$import invalid Resource Type 'input'"),
        (edit("fhir+ndjson", "fhir+xml"), "$import requires 'inputFormat' is not found"),
        (edit("inputSource", "source"), "$import requires 'inputSource' is not found"),
        (edit("storageDetail", "storage"), "$import required 'storageDetail' is not found"),
        (edit("\"https\"", "\"ftp\""), "$import invalid type in 'storageDetail'"),
    ];
    for (order, words) in cases {
        let refused = post(&local, &order);
        assert_eq!((refused.status().as_u16(), text(&refused).as_str()), (400, words));
    }
    let allowed = ibm(json!({"stores": {"http://files/": "http://files/"}}));
    start(&allowed, &["http://files/p.ndjson"]);
    assert_eq!((local.sandbox.jobs(), allowed.sandbox.stored()), (0, 2));
}
