//! The manners of Aidbox, against the examples of its documentation (`recorded/`, trimmed, YAML written as JSON).

use crate::local::{Local, body};
use crate::{Fate, Personality};
use serde_json::{Value, json};

const PATIENTS: &str = "{\"resourceType\":\"Patient\",\"id\":\"a\"}\n{\"id\":\"b\"}\n";
const HOST: &str = "http://127.0.0.1";

fn aidbox(personality: Personality, script: Value) -> Local {
    let files = [("Patient", PATIENTS), ("Encounter", "{\"resourceType\":\"Encounter\"}\n")];
    Local::new(personality, script, &files)
}

fn order(id: Option<&str>, files: &[&str]) -> String {
    let input = |name: &&str| json!({"resourceType": name, "url": format!("http://files/{name}")});
    let inputs: Vec<_> = files.iter().map(input).collect();
    let mut order = json!({"contentEncoding": "plain", "inputs": inputs});
    if let Some(id) = id {
        order["id"] = id.into();
    }
    order.to_string()
}

/// Kicks off at this path: the status and the place of the job.
fn kick_off(local: &Local, path: &str, order: &str) -> (u16, Option<String>) {
    let answer = local.ask("POST", &format!("{HOST}{path}"), &[("Content-Type", "application/json")], order);
    let place = answer.headers().get("content-location").map(|place| place.to_str().unwrap().to_owned());
    (answer.status().as_u16(), place)
}

fn recorded(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// The names of the members of an object, at every depth.
fn shape(value: &Value) -> Value {
    match value {
        Value::Object(members) => members.iter().map(|(name, value)| (name.clone(), shape(value))).collect(),
        Value::Array(items) => items.iter().map(shape).collect(),
        _ => Value::Null,
    }
}

#[test]
fn the_first_edition_has_no_status_until_the_end() {
    let local = aidbox(Personality::Aidbox, json!({"polls_until_done": 1}));
    let (status, place) = kick_off(&local, "/fhir/$import", &order(Some("synthea"), &["Patient"]));
    assert_eq!((status, place.as_deref()), (200, Some("/BulkImportStatus/synthea")));
    let url = format!("{HOST}/BulkImportStatus/synthea");
    let running = local.get(&url);
    assert_eq!((running.status(), body(&running).get("status")), (hyper::StatusCode::OK, None));
    assert_eq!(shape(&body(&running)), shape(&recorded(include_str!("recorded/v1-running.json"))));
    let done = body(&local.get(&url));
    assert_eq!(shape(&done), shape(&recorded(include_str!("recorded/v1-finished.json"))));
    assert_eq!((&done["status"], &done["inputs"][0]["total"]), (&json!("finished"), &json!(2)));
    assert_eq!(local.sandbox.job_urls(), [url]);
}

#[test]
fn a_failed_input_is_finished_all_the_same_in_the_first_edition() {
    let local = aidbox(Personality::Aidbox, json!({"polls_until_done": 0}));
    kick_off(&local, "/fhir/$import", &order(Some("x"), &["Encounter"]));
    let done = body(&local.get(&format!("{HOST}/BulkImportStatus/x")));
    assert_eq!(shape(&done), shape(&recorded(include_str!("recorded/v1-failed.json"))));
    assert_eq!((&done["status"], &done["inputs"][0]["status"]), (&json!("finished"), &json!("failed")));
    assert_eq!((&done["inputs"][0]["error"], local.sandbox.stored()), (&json!("line 1: no id"), 0));
    assert_eq!(local.sandbox.job_records()[0].fate, Fate::Ended);
}

#[test]
fn the_first_edition_begins_again_under_a_known_id() {
    let local = aidbox(Personality::Aidbox, json!({"polls_until_done": 1}));
    for _ in 0..2 {
        kick_off(&local, "/fhir/$import", &order(Some("x"), &["Patient"]));
        assert_eq!(body(&local.get(&format!("{HOST}/BulkImportStatus/x"))).get("status"), None);
    }
    assert_eq!(local.sandbox.jobs(), 2);
}

#[test]
fn without_an_id_the_location_has_one() {
    let local = aidbox(Personality::Aidbox, json!({}));
    let (_, place) = kick_off(&local, "/fhir/$import", &order(None, &["Patient"]));
    let url = format!("{HOST}{}", place.unwrap());
    assert_eq!((local.get(&url).status().as_u16(), local.sandbox.job_urls()), (200, vec![url]));
}

#[test]
fn the_second_edition_says_in_progress_and_then_done() {
    let local = aidbox(Personality::AidboxV2, json!({"polls_until_done": 1}));
    let (status, place) = kick_off(&local, "/v2/fhir/$import", &order(Some("synthea"), &["Patient"]));
    assert_eq!((status, place.as_deref()), (200, Some("/v2/$import/synthea")));
    let url = format!("{HOST}/v2/$import/synthea");
    let running = body(&local.get(&url));
    assert_eq!(shape(&running), shape(&recorded(include_str!("recorded/v2-running.json"))));
    assert_eq!((&running["status"], &running["inputs"][0]["status"]), (&json!("in-progress"), &json!("in-progress")));
    let done = body(&local.get(&url));
    assert_eq!(shape(&done), shape(&recorded(include_str!("recorded/v2-succeeded.json"))));
    assert_eq!(done["result"]["message"], "All input files imported, 2 new resources loaded");
    assert_eq!(done["result"]["total-imported-resources"], 2);
}

#[test]
fn the_second_edition_counts_new_resources_only() {
    let local = aidbox(Personality::AidboxV2, json!({"polls_until_done": 0}));
    for (id, count) in [("one", 2), ("two", 0)] {
        kick_off(&local, "/v2/fhir/$import", &order(Some(id), &["Patient"]));
        let done = body(&local.get(&format!("{HOST}/v2/$import/{id}")));
        assert_eq!(done["inputs"][0]["result"]["imported-resources"], count);
    }
}

#[test]
fn the_second_edition_fails_as_a_whole_with_one_input() {
    let local = aidbox(Personality::AidboxV2, json!({"polls_until_done": 0}));
    kick_off(&local, "/v2/fhir/$import", &order(Some("x"), &["Patient", "Encounter", "Group"]));
    let done = body(&local.get(&format!("{HOST}/v2/$import/x")));
    assert_eq!(shape(&done), shape(&recorded(include_str!("recorded/v2-failed.json"))));
    let message = "Import for some files failed with an error: task 'Encounter http://files/Encounter failed";
    assert_eq!((&done["outcome"], &done["error"]["message"]), (&json!("failed"), &json!(message)));
    assert_eq!((local.sandbox.job_records()[0].fate, local.sandbox.stored()), (Fate::Failed, 2));
}

#[test]
fn the_second_edition_refuses_a_known_id() {
    let local = aidbox(Personality::AidboxV2, json!({}));
    kick_off(&local, "/v2/fhir/$import", &order(Some("x"), &["Patient"]));
    let (status, place) = kick_off(&local, "/v2/fhir/$import", &order(Some("x"), &["Encounter"]));
    assert_eq!((status, place, local.sandbox.jobs()), (409, None, 1));
}

#[test]
fn what_is_no_order_is_refused_and_nothing_is_advertised() {
    let local = aidbox(Personality::Aidbox, json!({}));
    for bad in ["", "{}", &order(None, &[]), &order(None, &["Patient"]).replace("plain", "zip")] {
        assert_eq!(kick_off(&local, "/fhir/$import", bad).0, 422, "{bad}");
    }
    assert_eq!(local.get(&format!("{HOST}/BulkImportStatus/none")).status(), 404);
    let statement = body(&local.get(&format!("{HOST}/fhir/metadata")));
    assert_eq!(statement["software"]["name"], "Aidbox");
    assert!(statement["rest"][0].get("operation").is_none());
    assert_eq!(local.sandbox.jobs(), 0);
}
