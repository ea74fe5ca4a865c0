//! The manners of the operations, against the discovery document.

use crate::local::{Local, body};
use crate::{Fate, Personality};
use bytes::Bytes;
use hyper::Response;
use serde_json::{Value, json};

const DATASET: &str = "http://127.0.0.1/v1/projects/p/locations/us-central1/datasets/d";
const LINES: &str = "{\"resourceType\":\"Patient\",\"id\":\"a\"}\n{\"resourceType\":\"Patient\"}\n";

fn local(script: Value) -> Local {
    let files = [
        ("gs://b/in/p.ndjson", LINES),
        ("gs://b/in/deep/g.ndjson", "{\"resourceType\":\"Group\",\"id\":\"g\"}\n"),
        ("gs://b/bad.ndjson", "nonsense\n"),
    ];
    Local::with_files(Personality::Google, script, &files)
}

fn import(local: &Local, order: &Value) -> Response<Bytes> {
    local.ask("POST", &format!("{DATASET}/fhirStores/f:import"), &[], &order.to_string())
}

fn order(uri: &str) -> Value {
    json!({"contentStructure": "RESOURCE", "gcsSource": {"uri": uri}})
}

/// Starts an operation: its URL.
fn start(local: &Local, uri: &str) -> String {
    let started = import(local, &order(uri));
    assert_eq!(started.status(), 200);
    format!("http://127.0.0.1/v1/{}", body(&started)["name"].as_str().unwrap())
}

#[test]
fn an_operation_says_done_only_at_its_end() {
    let local = local(json!({"polls_until_done": 1}));
    let url = start(&local, "gs://b/in/**.ndjson");
    let running = body(&local.get(&url));
    assert_eq!((running.get("done"), &running["metadata"]["counter"]), (None, &json!({})));
    local.clock.pass(1000);
    let done = body(&local.get(&url));
    let example: Value = serde_json::from_str(include_str!("recorded/operation.json")).unwrap();
    for name in example["metadata"].as_object().unwrap().keys() {
        assert!(done["metadata"].get(name).is_some(), "{name}");
    }
    assert_eq!((&done["done"], &done["response"]["@type"]), (&json!(true), &example["response"]["@type"]));
    assert_eq!(done["metadata"]["counter"], json!({"success": "2", "failure": "1"}));
    assert_eq!(done["metadata"]["createTime"], "2026-01-01T00:00:00.000Z");
    assert_eq!((local.sandbox.stored(), local.sandbox.job_urls()), (2, vec![url]));
}

#[test]
fn one_star_stays_in_its_folder() {
    let local = local(json!({"polls_until_done": 0}));
    start(&local, "gs://b/in/*.ndjson");
    assert_eq!((local.sandbox.stored_of("Patient"), local.sandbox.stored_of("Group")), (1, 0));
}

#[test]
fn what_fails_as_a_whole_is_done_with_an_error() {
    let local = local(json!({"polls_until_done": 0}));
    for uri in ["gs://b/none/*", "gs://b/bad.ndjson"] {
        let done = body(&local.get(&start(&local, uri)));
        assert_eq!((&done["done"], &done["error"]["code"], done.get("response")), (&json!(true), &json!(3), None));
    }
    assert_eq!(local.sandbox.job_records()[0].fate, Fate::Failed);
    let bundles = import(&local, &json!({"gcsSource": {"uri": "gs://b/in/*"}}));
    let url = format!("http://127.0.0.1/v1/{}", body(&bundles)["name"].as_str().unwrap());
    assert_eq!((&body(&local.get(&url))["error"]["code"], local.sandbox.stored()), (&json!(3), 0));
}

#[test]
fn an_operation_can_be_cancelled_and_stays_known() {
    let local = local(json!({}));
    let url = start(&local, "gs://b/in/*");
    let cancelled = local.ask("POST", &format!("{url}:cancel"), &[], "{}");
    assert_eq!((cancelled.status().as_u16(), body(&cancelled)), (200, json!({})));
    let done = body(&local.get(&url));
    assert_eq!((&done["done"], &done["error"]["code"]), (&json!(true), &json!(1)));
    let record = local.sandbox.job_records().remove(0);
    assert_eq!((record.fate, record.deletes, record.ends_shown), (Fate::Cancelled, 1, 0));
    assert_eq!(local.ask("POST", &format!("{DATASET}/operations/0:cancel"), &[], "{}").status(), 404);
}

#[test]
fn the_list_has_the_newest_first_and_pages() {
    let local = local(json!({"list_lag_ms": 1000, "polls_until_done": 1}));
    let list = |query: &str| body(&local.get(&format!("{DATASET}/operations{query}")));
    let urls: Vec<_> = (0..3).map(|_| start(&local, "gs://b/in/*")).collect();
    assert_eq!(list(""), json!({}));
    local.clock.pass(1000);
    local.get(&urls[2]);
    let first = list("?pageSize=2");
    assert_eq!((first["operations"].as_array().unwrap().len(), &first["nextPageToken"]), (2, &json!("2")));
    assert!(urls[2].ends_with(first["operations"][0]["name"].as_str().unwrap()));
    assert_eq!((&first["operations"][0]["done"], first["operations"][1].get("done")), (&json!(true), None));
    let second = list("?pageSize=2&pageToken=2");
    assert_eq!((second["operations"].as_array().unwrap().len(), second.get("nextPageToken")), (1, None));
    let foreign = local.sandbox.foreign_job();
    assert_eq!(body(&local.get(&foreign)).get("done"), None);
}

#[test]
fn what_is_no_import_is_refused_in_the_form_of_the_api() {
    let local = local(json!({"max_concurrent": 1}));
    for bad in [
        json!({}),
        order("s3://b/in/*"),
        order("gs://b"),
        json!({"contentStructure": "X", "gcsSource": {"uri": "gs://b/i"}}),
    ] {
        let refused = import(&local, &bad);
        assert_eq!((refused.status().as_u16(), &body(&refused)["error"]["status"]), (400, &json!("INVALID_ARGUMENT")));
    }
    let other = local.ask("POST", &format!("{DATASET}/fhirStores/g:import"), &[], "{}");
    assert_eq!((other.status().as_u16(), &body(&other)["error"]["code"]), (404, &json!(404)));
    assert_eq!(local.get(&format!("{DATASET}/operations/7")).status(), 404);
    start(&local, "gs://b/in/*");
    assert_eq!(import(&local, &order("gs://b/in/*")).status(), 429);
    let base = local.sandbox.base_url();
    assert_eq!(body(&local.get(&format!("{base}/Patient?_summary=count")))["total"], 1);
    assert!(body(&local.get(&format!("{base}/metadata")))["rest"][0].get("operation").is_none());
}
