//! The recorded answers of sazare 0.6.6, compared byte by byte.

use crate::local::{Local, body};
use crate::recorded::assert_recorded_bytes;
use crate::{Fate, Personality};
use bytes::Bytes;
use hyper::Response;
use serde_json::{Value, json};

const RECORDED_BASE: (&str, &str) = ("http://127.0.0.1:18501", "http://127.0.0.1");

fn sazare(script: Value) -> Local {
    Local::new(Personality::Sazare, script, &[])
}

fn import(local: &Local, lines: &str) -> Response<Bytes> {
    let url = format!("{}/$import", local.sandbox.base_url());
    local.ask("POST", &url, &[("Content-Type", "application/fhir+ndjson")], lines)
}

fn patient(id: &str) -> String {
    format!("{{\"resourceType\":\"Patient\",\"id\":\"{id}\"}}\n")
}

/// A line of this length that breaks off before a value, as the recorded ones did.
fn cut(length: usize) -> String {
    format!("{{\"{}\": \n", "k".repeat(length - 5))
}

#[test]
fn the_answer_to_a_kick_off_is_the_result() {
    let local = sazare(json!({}));
    let lines: String = (1..=12).map(|n| patient(&format!("p{n}"))).collect();
    assert_recorded_bytes(&import(&local, &lines), include_str!("recorded/all-stored.txt"), &[]);
    let record = local.sandbox.job_records().remove(0);
    assert_eq!((record.fate, record.stored, record.ends_shown), (Fate::Ended, 12, 1));
    assert!(record.status_url.starts_with("http://127.0.0.1/$import#"));
    assert_recorded_bytes(&import(&local, ""), include_str!("recorded/empty.txt"), &[]);
}

#[test]
fn bad_lines_are_told_by_number_and_blank_ones_count() {
    let local = sazare(json!({}));
    let lines = format!("{}{}{}", patient("a"), cut(48), patient("c"));
    assert_recorded_bytes(&import(&local, &lines), include_str!("recorded/malformed.txt"), &[]);
    let lines = format!("{}\n\n{}{}", patient("a"), cut(26), patient("c"));
    assert_recorded_bytes(&import(&local, &lines), include_str!("recorded/blank-lines.txt"), &[]);
    let invalid = "{\"resourceType\":\"Patient\",\"id\":\"i\",\"gender\":\"purplish\"}\n{\"resourceType\":\"Patient\",\"id\":\"f\",\
        \"frobnicate\":1}\n{\"resourceType\":\"NotAType\",\"id\":\"n\"}\n{\"id\":\"t\"}\n";
    assert_recorded_bytes(&import(&local, invalid), include_str!("recorded/invalid.txt"), &[]);
}

#[test]
fn a_body_of_bad_lines_only_is_refused_with_the_same_outcome() {
    let local = sazare(json!({}));
    let bom = import(&local, &format!("\u{feff}{}", patient("a")));
    assert_recorded_bytes(&bom, include_str!("recorded/none-stored.txt"), &[]);
    assert_eq!((local.sandbox.job_records()[0].fate, local.sandbox.stored()), (Fate::Failed, 0));
}

#[test]
fn a_body_of_more_than_two_megabytes_is_too_long_and_no_job() {
    let local = sazare(json!({}));
    let long = patient("a").repeat(100_000);
    assert_recorded_bytes(&import(&local, &long), include_str!("recorded/too-long.txt"), &[]);
    assert_eq!((local.sandbox.jobs(), local.sandbox.stored(), local.sandbox.kick_offs()), (0, 0, 1));
}

#[test]
fn nothing_but_post_is_an_import_and_nothing_is_a_status() {
    let local = sazare(json!({}));
    let at = |path: &str| format!("{}/{path}", local.sandbox.base_url());
    assert_recorded_bytes(&local.get(&at("$import")), include_str!("recorded/get.txt"), &[]);
    assert_eq!(local.delete(&at("$import")), 405);
    assert_recorded_bytes(&local.get(&at("OperationDefinition/import")), include_str!("recorded/definition.txt"), &[]);
    let invented = local.get(&at("$export-poll-status?_jobId=nope"));
    assert_recorded_bytes(&invented, include_str!("recorded/invented-status.txt"), &[RECORDED_BASE]);
}

#[test]
fn a_duplicate_is_the_second_version_and_counts_twice() {
    let local = sazare(json!({}));
    let second = "{\"birthDate\":\"1990-01-01\",\"gender\":\"female\",\"id\":\"dup-1\",\"name\":[{\"family\":\"Second\",\
        \"given\":[\"Test\"]}],\"resourceType\":\"Patient\"}";
    let answer = import(&local, &format!("{}{second}\n", patient("dup-1")));
    assert!(body(&answer)["issue"][0]["diagnostics"].as_str().unwrap().starts_with("2 resources imported"));
    let times = [
        ("2026-11-23T05:23:38.006013370+00:00", "2026-01-01T00:00:00.000000000+00:00"),
        ("Mon, 23 Nov 2026 05:23:38 GMT", "Thu, 01 Jan 2026 00:00:00 GMT"),
    ];
    let read = local.get(&format!("{}/Patient/dup-1", local.sandbox.base_url()));
    assert_recorded_bytes(&read, include_str!("recorded/read.txt"), &times);
    let count = local.get(&format!("{}/Patient?_summary=count", local.sandbox.base_url()));
    assert_recorded_bytes(&count, include_str!("recorded/count.txt"), &[("22", "1")]);
}

#[test]
fn the_operation_is_advertised_at_the_root_of_the_host() {
    let local = sazare(json!({"reject_ids": ["r"], "lie_count": 5}));
    let statement = body(&local.get("http://127.0.0.1/metadata"));
    assert_eq!(statement["software"], json!({"name": "sazare", "version": "0.6.6"}));
    let import_there = json!({"definition": "http://sazare.dev/OperationDefinition/import", "name": "import"});
    assert_eq!(statement["rest"][0]["operation"][1], import_there);
    let answer = body(&import(&local, &format!("{}{}", patient("r"), patient("s"))));
    assert_eq!(answer["extension"][0]["extension"][0]["valueInteger"], 6);
    assert_eq!((local.sandbox.job_records()[0].stored, local.sandbox.job_records()[0].refused), (1, 1));
}
