//! A checkpoint that a newer version wrote, as after a downgrade: every engine says so, and nothing is sent.

use std::process::Command;

use fhir_import::contract::Request;
use fhir_import_sandbox::Personality;
use serde_json::{Value, json};

use super::mistakes::is_plan;
use crate::harness::engine::{Adapter, Place};
use crate::harness::http;
use crate::harness::running::{Running, until};
use crate::harness::temporal::temporal_command;

suite!(node, python => { super::{a_newer_checkpoint_in_a_folder_is_refused} });
suite!(temporal => { super::{a_newer_checkpoint_in_a_history_is_refused} });
suite!(restate => { super::{a_newer_checkpoint_in_the_state_is_refused} });

fn a_newer_checkpoint_in_a_folder_is_refused(adapter: &'static Adapter) {
    let (place, worker, request) = waiting(adapter, "1");
    drop(worker);
    for (path, bytes) in place.stored() {
        let text = String::from_utf8_lossy(&bytes);
        if !is_plan(&path) && newer(&text) != text {
            std::fs::write(&path, newer(&text)).unwrap();
        }
    }
    let _worker = place.worker();
    is_refused(&place, &request.id);
}

/// What a run that goes on in a new history is started with is like any input of a workflow.
fn a_newer_checkpoint_in_a_history_is_refused(adapter: &'static Adapter) {
    let (place, _worker, request) = waiting(adapter, "3600");
    let address = &place.engine.as_ref().unwrap().address;
    let temporal = |words: &[&str], id: &str| {
        let mut command: Command = temporal_command();
        command.arg("workflow").args(words).args(["--address", address, "--workflow-id", &format!("fhir-import-{id}")]);
        let ran = command.output().unwrap();
        assert!(ran.status.success(), "{ran:?}");
        String::from_utf8(ran.stdout).unwrap()
    };
    let progress: Value =
        serde_json::from_str(&temporal(&["query", "--type", "progress", "--output", "json"], &request.id)).unwrap();
    let mut at = progress["queryResult"][0]["driven"].clone();
    at["next"] = json!("Step");
    let other = "0123456789abcdef0123456789abcdef";
    let start = ["start", "--type", "fhir-import", "--task-queue", "fhir-import", "--input", &newer(&at.to_string())];
    temporal(&start, other);
    is_refused(&place, other);
}

fn a_newer_checkpoint_in_the_state_is_refused(adapter: &'static Adapter) {
    let (place, _worker, request) = waiting(adapter, "3600");
    let server: Value = serde_json::from_str(&place.engine.as_ref().unwrap().address).unwrap();
    let [ingress, admin] = ["ingress", "admin"].map(|name| server[name].as_str().unwrap());
    let look = || http::post(&format!("{ingress}/FhirImport/{}/look", request.id), "").body;
    let mut state: Value = serde_json::from_str(&look()).unwrap();
    state["next"] = json!("Step");
    let state = newer(&state.to_string());
    let change = json!({ "object_key": request.id, "new_state": { "import": state.as_bytes() } });
    assert_eq!(http::post(&format!("{admin}/services/FhirImport/state"), &change.to_string()).status, 202);
    until("the state is newer", || look().contains(":99,"));
    place.begin(&request);
    is_refused(&place, &request.id);
}

/// An import that waits for its job: every engine has its checkpoint.
fn waiting(adapter: &'static Adapter, retry_after: &str) -> (Place, Running, Request) {
    let script = json!({ "job_ms": 3_600_000, "retry_after": retry_after });
    let place = Place::new(adapter, Personality::Hapi, script);
    let (worker, mut request) = (place.worker(), place.request());
    // As long as the server asks for, so that nothing else is sent meanwhile.
    request.policy.poll_max_ms = 3_600_000;
    place.begin(&request);
    until("the job is asked for", || place.fhir.polls() > 0);
    let waits = || place.types(["status", &request.id]).json()["next"].to_string().to_lowercase().contains("wait");
    until("it waits", waits);
    (place, worker, request)
}

/// The same, with a checkpoint of a later version in it.
fn newer(stored: &str) -> String {
    stored.replace("\"version\":1,", "\"version\":99,").replace("\\\"version\\\":1,", "\\\"version\\\":99,")
}

#[track_caller]
fn is_refused(place: &Place, id: &str) {
    let asked = place.fhir.log().len();
    let result = place.types(["result", id]);
    assert_eq!(result.code, 1, "{result:?}");
    assert!(result.stderr.contains("form 99"), "{result:?}");
    assert_eq!(place.fhir.log().len(), asked, "nothing was sent");
}
