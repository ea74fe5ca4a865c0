//! How imports end.

use fhir_import::contract::{DialectChoice, Request};
use fhir_import_sandbox::Personality;
use serde_json::json;

use crate::harness::engine::{Adapter, Place};
use crate::harness::running::until;

pub(super) fn a_good_import_succeeds(adapter: &'static Adapter) {
    let place = Place::new(adapter, Personality::Hapi, json!({ "retry_after": "1", "polls_until_done": 1 }));
    let _worker = place.worker();
    let request = Request { dialect: DialectChoice::Detect, ..place.request() };
    let report = place.begin(&request).ends("succeeded");
    assert_eq!(report["imported"], 2, "{report}");
    place.has_one_job(2);
}

pub(super) fn rejected_resources_are_told(adapter: &'static Adapter) {
    let place = Place::new(adapter, Personality::SmartManifest, json!({ "reject_ids": ["p2"] }));
    let _worker = place.worker();
    let report = place.begin(&place.request()).ends("finishedwitherrors");
    assert_eq!(report["rejected"], 1, "{report}");
    place.has_one_job(1);
}

pub(super) fn the_same_id_is_one_import(adapter: &'static Adapter) {
    let place = Place::new(adapter, Personality::Hapi, json!({}));
    let _workers = [place.worker(), place.worker()];
    let request = place.request();
    place.begin(&request);
    place.begin(&request).ends("succeeded");
    place.begin(&request).ends("succeeded");
    assert_eq!(place.fhir.kick_offs(), 1);
    place.has_one_job(2);
}

pub(super) fn a_cancel_while_it_waits(adapter: &'static Adapter) {
    let place = Place::new(adapter, Personality::SmartManifest, json!({ "job_ms": 3_600_000, "retry_after": "3600" }));
    let _worker = place.worker();
    let import = place.begin(&place.request());
    until("the job is asked for", || place.fhir.polls() > 0);
    import.decide(&json!("Cancel"));
    import.ends("cancelled");
    assert_eq!((place.fhir.jobs(), place.fhir.deletes()), (1, 1));
}

pub(super) fn several_at_once(adapter: &'static Adapter) {
    let place = Place::new(adapter, Personality::SmartManifest, json!({ "retry_after": "1", "polls_until_done": 1 }));
    let _workers = [place.worker(), place.worker()];
    let imports: Vec<_> = (0..10).map(|_| place.begin(&place.request())).collect();
    for import in &imports {
        import.ends("succeeded");
    }
    assert_eq!((place.fhir.jobs(), place.fhir.kick_offs()), (10, 10));
}
