//! Credentials go to their origin, and neither they nor resources are stored by an engine.

use fhir_import_sandbox::Personality;
use serde_json::json;

use crate::harness::engine::{Adapter, CONTENT, Place, TOKEN};

pub(super) fn a_token_goes_to_its_server_and_is_stored_nowhere(adapter: &'static Adapter) {
    let script = json!({ "require_bearer": TOKEN, "reject_ids": ["p2"], "retry_after": "1", "polls_until_done": 1 });
    let place = Place::new(adapter, Personality::SmartManifest, script);
    place.with_token(TOKEN);
    let worker = place.worker();
    let import = place.begin(&place.request());
    let report = import.ends("finishedwitherrors");
    let asked = place.fhir.log();
    let bearer = format!("Bearer {TOKEN}");
    assert!(asked.iter().all(|seen| seen.header("authorization") == Some(bearer.as_str())), "{asked:?}");
    let said = format!("{}{report}", worker.talk());
    drop(worker);
    for canary in [TOKEN, CONTENT] {
        assert!(!said.contains(canary), "{canary} is said: {said}");
        for (path, bytes) in place.stored() {
            let is_there = bytes.windows(canary.len()).any(|part| part == canary.as_bytes());
            assert!(!is_there, "{canary} is in {}", path.display());
        }
    }
}

pub(super) fn a_wrong_token_pauses_until_it_is_mended(adapter: &'static Adapter) {
    let place = Place::new(adapter, Personality::SmartManifest, json!({ "require_bearer": TOKEN }));
    place.with_token("wrong");
    let first = place.worker();
    let import = place.begin(&place.request());
    import.pauses("credentials");
    // A worker reads its credentials when it starts.
    drop(first);
    place.with_token(TOKEN);
    let _second = place.worker();
    import.decide(&json!("Continue"));
    import.ends("succeeded");
    place.has_one_job(2);
}
