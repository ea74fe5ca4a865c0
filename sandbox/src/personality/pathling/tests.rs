//! The manners of the newer edition, from its source.

use crate::local::{Local, body};
use crate::{Fate, Personality};
use bytes::Bytes;
use hyper::Response;
use serde_json::{Value, json};

fn pathling(script: Value) -> Local {
    let files = [
        ("file:///usr/share/staging/p.ndjson", "{\"resourceType\":\"Patient\",\"id\":\"a\"}\n"),
        ("file:///usr/share/staging/q.ndjson", "{\"resourceType\":\"Patient\",\"id\":\"b\"}\n"),
        ("file:///usr/share/staging/bad.ndjson", "{\"resourceType\":\"Patient\",\"id\":\"c\"}\nnonsense\n"),
    ];
    Local::with_files(Personality::Pathling, script, &files)
}

fn manifest(files: &[&str], mode: &str) -> Value {
    let input = |file: &&str| json!({"type": "Patient", "url": format!("file:///usr/share/staging/{file}")});
    json!({"inputFormat": "application/fhir+ndjson", "input": files.iter().map(input).collect::<Vec<_>>(), "saveMode": mode})
}

fn parameters(file: &str) -> Value {
    json!({"resourceType": "Parameters", "parameter": [
        {"name": "inputFormat", "valueCode": "application/fhir+ndjson"}, {"name": "saveMode", "valueCode": "merge"},
        {"name": "input", "part": [{"name": "resourceType", "valueCode": "Patient"},
            {"name": "url", "valueUrl": format!("file:///usr/share/staging/{file}")}]}]})
}

fn post(local: &Local, headers: &[(&str, &str)], order: &Value) -> Response<Bytes> {
    local.ask("POST", &format!("{}/$import", local.sandbox.base_url()), headers, &order.to_string())
}

const ASYNC: [(&str, &str); 2] = [("Content-Type", "application/json"), ("Prefer", "respond-async")];

fn start(local: &Local, order: &Value) -> String {
    let accepted = post(local, &ASYNC, order);
    assert_eq!(accepted.status(), 202);
    accepted.headers()["content-location"].to_str().unwrap().to_owned()
}

#[test]
fn a_job_has_progress_and_a_result_without_counts() {
    let local = pathling(json!({}));
    let url = start(&local, &manifest(&["p.ndjson"], "merge"));
    assert!(url.starts_with(&format!("{}/$job?id=", local.sandbox.base_url())));
    let first = local.get(&url);
    assert_eq!(
        (first.status().as_u16(), first.headers().get("x-progress"), first.headers().get("retry-after")),
        (202, None, None)
    );
    assert_eq!(local.get(&url).headers()["x-progress"], "50%");
    let result = body(&local.get(&url));
    assert_eq!(
        result,
        json!({"resourceType": "Parameters", "parameter": [
        {"name": "transactionTime", "valueString": "2026-01-01T00:00:00.000Z"},
        {"name": "request", "valueString": "http://127.0.0.1/fhir/$import"},
        {"name": "output", "part": [{"name": "inputUrl", "valueUrl": "file:///usr/share/staging/p.ndjson"}]}]})
    );
}

#[test]
fn the_same_request_is_the_same_job_until_it_is_deleted() {
    let local = pathling(json!({}));
    let first = start(&local, &parameters("p.ndjson"));
    assert_eq!((start(&local, &parameters("p.ndjson")), local.sandbox.jobs()), (first.clone(), 1));
    assert_ne!(start(&local, &parameters("q.ndjson")), first);
    let deleted = local.ask("DELETE", &first, &[], "");
    assert_eq!(deleted.status(), 202);
    assert_eq!(body(&deleted)["issue"][0]["diagnostics"], "The job and its resources will be deleted.");
    assert_eq!((local.poll(&first, 1), local.delete(&first)), (vec![404], 404));
    assert_eq!(local.sandbox.job_records()[0].fate, Fate::Cancelled);
    start(&local, &parameters("p.ndjson"));
    assert_eq!(local.sandbox.jobs(), 3);
}

#[test]
fn a_failure_is_the_status_of_the_poll() {
    let local = pathling(json!({"polls_until_done": 0}));
    let malformed = local.get(&start(&local, &manifest(&["p.ndjson", "bad.ndjson", "q.ndjson"], "merge")));
    assert_eq!(malformed.status(), 400);
    assert_eq!(local.sandbox.stored(), 1, "what came before the bad file");
    let not_allowed =
        json!({"inputFormat": "application/fhir+ndjson", "input": [{"type": "Patient", "url": "http://files/p"}]});
    let forbidden = local.get(&start(&local, &not_allowed));
    let words = "URL: 'http://files/p' is not an allowed source for import.";
    assert_eq!((forbidden.status().as_u16(), &body(&forbidden)["issue"][0]["diagnostics"]), (403, &json!(words)));
    let fates: Vec<_> = local.sandbox.job_records().iter().map(|record| record.fate).collect();
    assert_eq!(fates, [Fate::Failed, Fate::Failed]);
}

#[test]
fn to_overwrite_is_to_replace_the_whole_type() {
    let local = pathling(json!({}));
    start(&local, &manifest(&["p.ndjson"], "merge"));
    start(&local, &manifest(&["q.ndjson"], "merge"));
    assert_eq!(local.sandbox.stored(), 2);
    start(&local, &manifest(&["q.ndjson"], "overwrite"));
    assert_eq!(local.sandbox.stored(), 1);
    start(&local, &manifest(&["p.ndjson"], "ignore"));
    assert_eq!(local.sandbox.stored(), 1);
}

#[test]
fn kick_offs_are_refused_as_in_the_source() {
    let local = pathling(json!({}));
    let edit =
        |from: &str, to: &str| serde_json::from_str(&parameters("p.ndjson").to_string().replace(from, to)).unwrap();
    let cases: [(Value, &str); 6] = [
        (edit("resourceType\",\"valueCode", "type\",\"valueCode"), "Missing resourceType part in input parameter."),
        (edit("valueUrl", "valueUri"), "Missing url part in input parameter."),
        (edit("\"merge\"", "\"melt\""), "Unknown saveMode."),
        (json!({"input": []}), "Missing required field: inputFormat"),
        (manifest(&[], "merge"), "The input may not be empty."),
        (edit("\"Patient\"", "\"Nonsense\""), "Unknown resource type."),
    ];
    for (order, words) in cases {
        let refused = post(&local, &ASYNC, &order);
        assert_eq!((refused.status().as_u16(), body(&refused)["issue"][0]["diagnostics"].as_str()), (400, Some(words)));
    }
    let plain = post(&local, &[("Content-Type", "application/json")], &manifest(&["p.ndjson"], "merge"));
    assert_eq!(body(&plain)["issue"][0]["diagnostics"], "Missing 'Prefer: respond-async' header value.");
    assert_eq!(local.sandbox.jobs(), 0);
}

#[test]
fn the_operation_is_advertised_and_its_definition_says_something_else() {
    let local = pathling(json!({}));
    let statement = body(&local.get(&format!("{}/metadata", local.sandbox.base_url())));
    let there = &statement["rest"][0]["operation"][0]["definition"];
    assert_eq!(there, "https://pathling.csiro.au/fhir/OperationDefinition/import-1");
    let definition = body(&local.get(&format!("{}/OperationDefinition/import-1", local.sandbox.base_url())));
    assert_eq!(definition["parameter"][1]["part"][0]["name"], "type");
    assert!(definition.get("url").is_none());
}
