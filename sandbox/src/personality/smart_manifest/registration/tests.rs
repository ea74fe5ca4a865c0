//! Each way from kick-offs to jobs, played within the process.

use super::is_key;
use crate::local::{Local, body, order};
use crate::probe::{sandbox, send};
use crate::{Fate, Personality, Restart, Script};
use serde_json::{Value, json};

const LINE: &str = r#"{"resourceType":"Patient","id":"a"}"#;

fn local(personality: Personality, script: Value) -> Local {
    Local::new(personality, script, &[("p", LINE)])
}

fn listed(local: &Local) -> Vec<Value> {
    let list = body(&local.get(&format!("{}/import-jobs", local.sandbox.base_url())));
    list["jobs"].as_array().unwrap().clone()
}

#[test]
fn a_key_has_letters_digits_and_hyphens_and_an_end() {
    assert!(is_key("a") && is_key("0-Z") && is_key(&"k".repeat(64)));
    assert!(!is_key("") && !is_key("a_b") && !is_key("ä") && !is_key("a/b") && !is_key(&"k".repeat(65)));
}

#[test]
fn the_same_bytes_are_the_same_job_running_or_ended() {
    let server = local(Personality::SameBytes, json!({"job_ms": 1000, "max_concurrent": 1}));
    let same = order("p", json!({}));
    let url = server.start(&same);
    server.clock.pass(999);
    assert_eq!(server.start(&same), url);
    server.clock.pass(1);
    assert_eq!((server.poll(&url, 1), server.start(&same)), (vec![200], url.clone()));
    assert_eq!(body(&server.get(&url))["transactionTime"], "2026-01-01T00:00:00.000+00:00");
    assert_eq!((server.sandbox.kick_offs(), server.sandbox.jobs()), (3, 1));
    let other = server.start(&format!("{same} "));
    assert_ne!(other, url);
    assert_eq!(server.sandbox.jobs(), 2);
}

#[test]
fn the_same_bytes_are_a_new_job_once_the_old_one_is_unknown() {
    let server = local(Personality::SameBytes, json!({}));
    let same = order("p", json!({}));
    let first = server.start(&same);
    assert_eq!(server.delete(&first), 202);
    let second = server.start(&same);
    server.sandbox.restart(Restart::LosesJobs);
    let third = server.start(&same);
    assert!(first != second && second != third);
}

#[test]
fn the_same_bytes_delivered_twice_are_one_job() {
    let fault = json!([{"on": "kick-off", "action": "duplicate"}]);
    let server = local(Personality::SameBytes, json!({"faults": fault}));
    server.start(&order("p", json!({})));
    assert_eq!((server.sandbox.kick_offs(), server.sandbox.jobs()), (2, 1));
}

/// Over a socket requests come at the same time; which is first must be decided once.
#[tokio::test]
async fn the_same_bytes_at_the_same_time_are_one_job() {
    let server = sandbox(Personality::SameBytes, Script::default()).await;
    let url = format!("{}/$import", server.base_url());
    let same = order("p", json!({}));
    let post = || send("POST", &url, &crate::local::KICK_OFF, &same);
    let (a, b, c) = tokio::join!(post(), post(), post());
    let places = [a, b, c].map(|answer| answer.unwrap().header("content-location").unwrap().to_owned());
    assert_eq!((places[0] == places[1], places[1] == places[2], server.jobs()), (true, true, 1));
}

#[test]
fn the_caller_names_the_job_once() {
    let server = local(Personality::CallerKey, json!({}));
    let named = order("p", json!({"id": "my-key-1"}));
    let url = server.start(&named);
    assert_eq!(url, format!("{}/import-jobs/my-key-1", server.sandbox.base_url()));
    let again = server.post(&order("other", json!({"id": "my-key-1"})));
    assert_eq!((again.status().as_u16(), again.headers().get("content-location")), (409, None));
    assert_eq!(body(&again)["issue"][0]["code"], "duplicate");
    assert_eq!((server.sandbox.jobs(), server.poll(&url, 3)), (1, vec![202, 202, 200]));
    assert_eq!(server.post(&named).status(), 409);
}

#[test]
fn a_job_without_a_proper_name_is_refused() {
    let server = local(Personality::CallerKey, json!({}));
    for id in [json!({}), json!({"id": ""}), json!({"id": "a_b"}), json!({"id": 5}), json!({"id": "k".repeat(65)})] {
        let refused = server.post(&order("p", id));
        assert_eq!((refused.status().as_u16(), &body(&refused)["issue"][0]["code"]), (400, &json!("invalid")));
    }
    assert_eq!(server.sandbox.jobs(), 0);
    let draft = local(Personality::SmartManifest, json!({}));
    draft.start(&order("p", json!({"id": 5})));
}

#[test]
fn a_list_has_every_job_with_the_newest_last() {
    let server = local(Personality::Listed, json!({"job_ms": 1000}));
    let first = server.start(&order("p", json!({})));
    server.clock.pass(500);
    let second = server.start(&order("p", json!({})));
    let foreign = server.sandbox.foreign_job();
    server.clock.pass(500);
    let row = |name: &String, time: &str, source: &str, state: &str| {
        json!({"name": name, "createTime": format!("2026-01-01T00:00:00.{time}+00:00"), "source": source,
            "state": state})
    };
    let rows = [
        row(&first, "000", "http://source.example", "ended"),
        row(&second, "500", "http://source.example", "running"),
        row(&foreign, "500", "http://somebody-else.example", "running"),
    ];
    assert_eq!(listed(&server), rows);
    assert_eq!(server.delete(&first), 202);
    assert_eq!(listed(&server).len(), 2);
    assert_eq!(server.sandbox.job_records()[0].fate, Fate::Ended);
}

#[test]
fn a_job_can_be_late_in_the_list() {
    let server = local(Personality::Listed, json!({"list_lag_ms": 30_000}));
    let url = server.start(&order("p", json!({})));
    server.clock.pass(29_999);
    assert_eq!((listed(&server), server.poll(&url, 1)), (vec![], vec![202]));
    server.clock.pass(1);
    assert_eq!(listed(&server).len(), 1);
}

#[test]
fn the_list_can_fail_like_any_endpoint_and_only_one_registration_has_it() {
    let fault = json!([{"on": "list", "nth": 1, "action": {"answer": {"status": 503}}}]);
    let server = local(Personality::Listed, json!({"faults": fault}));
    let url = format!("{}/import-jobs", server.sandbox.base_url());
    assert_eq!((server.get(&url).status().as_u16(), server.get(&url).status().as_u16()), (503, 200));
    for personality in [Personality::SmartManifest, Personality::SameBytes, Personality::CallerKey] {
        assert_eq!(local(personality, json!({})).get(&url).status(), 404);
    }
}

#[test]
fn a_foreign_job_can_come_from_the_same_source() {
    let server = local(Personality::Listed, json!({}));
    server.start(&order("p", json!({})));
    server.sandbox.foreign_job_from("http://source.example");
    let rows = listed(&server);
    assert_eq!(rows[0]["source"], rows[1]["source"]);
    assert_eq!(server.sandbox.jobs(), 1);
}
