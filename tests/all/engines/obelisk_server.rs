//! What is different at Obelisk: its own allow-list instead of a worker's rights, no credentials, and how it is stopped.

use std::time::Duration;

use fhir_import_sandbox::Personality;
use serde_json::json;

use super::kills::in_mid_submit;
use crate::harness::engine::{Adapter, CONTENT, Place};
use crate::harness::running::until;

pub(super) fn a_server_that_is_not_allowed_sees_nothing(adapter: &'static Adapter) {
    let place = Place::new(adapter, Personality::Hapi, json!({}));
    place.allow(&json!({ "servers": [{ "url": "http://127.0.0.1:9/fhir" }] }));
    let _worker = place.worker();
    let report = place.begin(&place.request()).ends("unreachable");
    assert!(report["sentence"].as_str().is_some_and(|said| said.contains("not allowed")), "{report}");
    assert_eq!(place.fhir.log().len(), 0, "nothing was sent");
}

pub(super) fn no_resource_is_stored(adapter: &'static Adapter) {
    let script = json!({ "reject_ids": ["p2"], "retry_after": "1", "polls_until_done": 1 });
    let place = Place::new(adapter, Personality::SmartManifest, script);
    let worker = place.worker();
    let report = place.begin(&place.request()).ends("finishedwitherrors");
    assert!(!format!("{}{report}", worker.talk()).contains(CONTENT));
    drop(worker);
    let stored = place.stored();
    assert!(stored.iter().any(|(path, _)| path.ends_with("obelisk.sqlite")), "its database was looked at");
    for (path, bytes) in stored {
        let is_there = bytes.windows(CONTENT.len()).any(|part| part == CONTENT.as_bytes());
        assert!(!is_there, "{CONTENT} is in {}", path.display());
    }
}

pub(super) fn a_decision_that_cannot_be_taken_changes_nothing(adapter: &'static Adapter) {
    let place = Place::new(adapter, Personality::SmartManifest, json!({ "job_ms": 3_600_000, "retry_after": "3600" }));
    let _worker = place.worker();
    let import = place.begin(&place.request());
    until("the job is asked for", || place.fhir.polls() > 0);
    let refused = import.try_to_decide(&json!("Resubmit"));
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.stderr.contains("permanent_invalid_call"), "{refused:?}");
    import.decide(&json!("Cancel"));
    import.ends("cancelled");
    assert_eq!((place.fhir.jobs(), place.fhir.kick_offs(), place.fhir.deletes()), (1, 1, 1));
}

/// Obelisk 0.41 takes a running call back when it is told to stop, and makes it again, whatever `max_retries` says. When this
/// fails, it does so no longer, and the warning in the adapter's README can go.
pub(super) fn a_stop_in_good_order_makes_a_kick_off_again(adapter: &'static Adapter) {
    let (place, mut first, request) = in_mid_submit(adapter, Personality::SameBytes, Duration::from_mins(1));
    first.signal("TERM");
    until("it has left", || first.has_left());
    let _second = place.worker();
    place.known(&request).ends("succeeded");
    place.has_one_job(2);
    assert_eq!(place.fhir.kick_offs(), 2, "a second one, which this server knows again");
}
