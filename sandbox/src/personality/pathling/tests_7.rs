//! The recorded answers of Pathling 7.2.0.

use crate::local::{Local, body};
use crate::recorded::assert_recorded;
use crate::{Fate, Personality};
use bytes::Bytes;
use hyper::Response;
use serde_json::{Value, json};

const HOST: (&str, &str) = ("http://127.0.0.1:18082", "http://127.0.0.1");

/// The file with a line that ends after 54 bytes, as the recorded one did.
fn pathling(script: Value) -> Local {
    let cut = format!("{{\"resourceType\":\"Patient\",\"id\":\"m1\"}}\n{{\"{}\":1\n", "k".repeat(50));
    let patients = "{\"resourceType\":\"Patient\",\"id\":\"p1\",\"name\":[{\"family\":\"Probe\",\"given\":[\"One\"]}],\
        \"gender\":\"female\"}\n{\"resourceType\":\"Patient\",\"id\":\"p2\",\"name\":[{\"family\":\"Probe\",\"given\":[\"Two\"]}],\
        \"gender\":\"male\"}\n";
    let reference = "{\"resourceType\":\"Observation\",\"id\":\"r\",\"subject\":{\"reference\":\"Patient/none\"}}\n";
    let files = [
        ("file:///staging/ok-patient.ndjson", patients),
        ("file:///staging/malformed.ndjson", cut.as_str()),
        ("file:///staging/missingref.ndjson", reference),
    ];
    let mut script = script;
    script["stores"] = json!({"file:///staging/": "/staging"});
    Local::with_files(Personality::Pathling7, script, &files)
}

fn order(kind: &str, url: &str) -> String {
    let source = json!([{"name": "resourceType", "valueCode": kind}, {"name": "url", "valueUrl": url},
        {"name": "mode", "valueCode": "merge"}]);
    json!({"resourceType": "Parameters", "parameter": [{"name": "source", "part": source}]}).to_string()
}

fn post(local: &Local, headers: &[(&str, &str)], order: &str) -> Response<Bytes> {
    let all: Vec<_> = [("Content-Type", "application/fhir+json")].iter().chain(headers).copied().collect();
    local.ask("POST", &format!("{}/$import", local.sandbox.base_url()), &all, order)
}

const ASYNC: [(&str, &str); 1] = [("Prefer", "respond-async")];

#[test]
fn without_a_preference_the_import_is_over_with_its_kick_off() {
    let local = pathling(json!({}));
    let done = post(&local, &[], &order("Patient", "file:///staging/ok-patient.ndjson"));
    assert_recorded(&done, include_str!("recorded/sync-ok.txt"), &[]);
    let record = local.sandbox.job_records().remove(0);
    assert_eq!((record.fate, record.stored, record.ends_shown), (Fate::Ended, 2, 1));
    let missing = post(&local, &[], &order("Observation", "file:///staging/missingref.ndjson"));
    assert_recorded(&missing, include_str!("recorded/missingref.txt"), &[]);
    let again = post(&local, &[], &order("Patient", "file:///staging/ok-patient.ndjson"));
    assert_recorded(&again, include_str!("recorded/dupid.txt"), &[]);
}

#[test]
fn with_a_preference_there_is_a_job_without_progress() {
    let local = pathling(json!({"polls_until_done": 1}));
    let accepted = post(&local, &ASYNC, &order("Patient", "file:///staging/ok-patient.ndjson"));
    let url = accepted.headers()["content-location"].to_str().unwrap().to_owned();
    let there = [HOST, ("d12043e2-4d7a-4eda-96c5-c3df08d355e5", url.rsplit('=').next().unwrap())];
    assert_recorded(&accepted, include_str!("recorded/async-kickoff.txt"), &there);
    assert_recorded(&local.get(&url), include_str!("recorded/poll-1.txt"), &[]);
    assert_recorded(&local.get(&url), include_str!("recorded/poll-done.txt"), &[]);
    assert_recorded(&local.ask("DELETE", &url, &[], ""), include_str!("recorded/DELETE-poll.txt"), &[]);
    let unknown = url.replace(there[1].1, "00000000-0000-4000-8000-000000000000");
    // Recorded after another import: the tag of the state was another one.
    let state = ("mwsrsi2l", "mwsrs2zx");
    assert_recorded(&local.get(&unknown), include_str!("recorded/unknown-job.txt"), &[state]);
}

#[test]
fn a_malformed_line_is_the_status_of_the_kick_off_or_of_the_poll() {
    let local = pathling(json!({"polls_until_done": 0}));
    let order = order("Patient", "file:///staging/malformed.ndjson");
    assert_recorded(&post(&local, &[], &order), include_str!("recorded/malformed-sync.txt"), &[]);
    let accepted = post(&local, &ASYNC, &order);
    let url = accepted.headers()["content-location"].to_str().unwrap();
    assert_recorded(&local.get(url), include_str!("recorded/malformed-async-poll.txt"), &[]);
    assert_eq!((local.sandbox.stored(), local.sandbox.job_records()[1].fate), (0, Fate::Failed));
}

#[test]
fn kick_offs_are_refused_in_the_recorded_words() {
    let local = pathling(json!({}));
    let good = order("Patient", "file:///staging/ok-patient.ndjson");
    let cases = [
        (order("Patient", "http://127.0.0.1:18090/ok-patient.ndjson"), include_str!("recorded/http-url.txt")),
        (order("Patient", "file:///etc/passwd"), include_str!("recorded/not-allowed-url.txt")),
        ("{\"resourceType\":\"Parameters\"}".to_owned(), include_str!("recorded/no-source.txt")),
        (good.replace("valueUrl", "valueUri"), include_str!("recorded/uri-not-url.txt")),
    ];
    for (order, recorded) in cases {
        assert_recorded(&post(&local, &[], &order), recorded, &[]);
    }
    assert_eq!(local.sandbox.stored(), 0);
}

#[test]
fn what_is_stored_is_found_by_a_search_only() {
    let local = pathling(json!({}));
    post(&local, &[], &order("Patient", "file:///staging/ok-patient.ndjson"));
    assert_recorded(
        &local.get(&format!("{}/Patient/p1", local.sandbox.base_url())),
        include_str!("recorded/read.txt"),
        &[],
    );
    let found = local.get(&format!("{}/Patient", local.sandbox.base_url()));
    let id = body(&found)["id"].as_str().unwrap().to_owned();
    let there = [
        HOST,
        ("bf6c409b-70a9-4afe-b9af-8bc0aa3b5c71", id.as_str()),
        ("2026-11-23T04:32:46.380+00:00", "2026-01-01T00:00:00.000+00:00"),
        ("Mon, 23 Nov 2026 04:32:46 GMT", "Thu, 01 Jan 2026 00:00:00 GMT"),
    ];
    assert_recorded(&found, include_str!("recorded/search.txt"), &there);
}

#[test]
fn the_statement_is_the_recorded_one_but_for_its_types() {
    let local = pathling(json!({}));
    let statement = local.get(&format!("{}/metadata", local.sandbox.base_url()));
    let (head, recorded) = include_str!("recorded/metadata.txt").split_once("\n\n").unwrap();
    assert!(head.contains("ETag: W/\"7.2.0+c6b0be2\"") && statement.headers()["etag"] == "W/\"7.2.0+c6b0be2\"");
    let mut recorded: Value = serde_json::from_str(&recorded.replace(HOST.0, HOST.1)).unwrap();
    let mut said = body(&statement);
    for statement in [&mut recorded, &mut said] {
        statement["rest"][0]["resource"] = Value::Null;
        statement.as_object_mut().unwrap().remove("date");
    }
    assert_eq!(said, recorded);
}
