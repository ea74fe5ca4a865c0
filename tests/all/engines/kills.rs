//! Workers that die: another one goes on, and one intent stays one job.

use fhir_import_sandbox::{Endpoint, Personality};
use serde_json::json;

use crate::harness::engine::{Adapter, Place};
use crate::harness::running::until;

pub(super) fn a_worker_killed_while_it_waits(adapter: &'static Adapter) {
    let place = Place::new(adapter, Personality::Hapi, json!({ "retry_after": "1", "polls_until_done": 2 }));
    let mut first = place.worker();
    let import = place.begin(&place.request());
    until("the job is asked for", || place.fhir.polls() > 0);
    first.kill();
    let _second = place.worker();
    import.ends("succeeded");
    place.has_one_job(2);
    assert_eq!(place.fhir.kick_offs(), 1);
}

pub(super) fn a_worker_killed_in_a_step(adapter: &'static Adapter) {
    let late = json!({ "on": "poll", "nth": 1, "action": { "delay-ms": 60_000 } });
    let place = Place::new(adapter, Personality::Hapi, json!({ "retry_after": "1", "faults": [late] }));
    let mut first = place.worker();
    let import = place.begin(&place.request());
    until("a poll is under way", || place.fhir.polls() > 0);
    first.kill();
    let _second = place.worker();
    import.ends("succeeded");
    place.has_one_job(2);
    assert_eq!(place.fhir.kick_offs(), 1);
}

/// The server has the kick-off, and its answer is outstanding.
fn killed_in_mid_submit(adapter: &'static Adapter, personality: Personality) -> Place {
    let late = json!({ "on": "kick-off", "nth": 1, "action": { "accept-then-delay-ms": 60_000 } });
    Place::new(adapter, personality, json!({ "retry_after": "1", "faults": [late] }))
}

pub(super) fn a_worker_killed_in_mid_submit(adapter: &'static Adapter) {
    let place = killed_in_mid_submit(adapter, Personality::SameBytes);
    let mut first = place.worker();
    let import = place.begin(&place.request());
    until("the kick-off is there", || place.fhir.stored() == 2);
    first.kill();
    let _second = place.worker();
    import.ends("succeeded");
    place.has_one_job(2);
}

pub(super) fn a_worker_killed_in_mid_submit_where_nobody_can_know(adapter: &'static Adapter) {
    let place = killed_in_mid_submit(adapter, Personality::Hapi);
    let mut first = place.worker();
    let import = place.begin(&place.request());
    until("the kick-off is there", || place.fhir.stored() == 2);
    first.kill();
    let _second = place.worker();
    import.pauses("submitunknown");
    assert_eq!(place.fhir.kick_offs(), 1, "nobody sends it again unasked");
    import.decide(&json!({ "Adopt": place.fhir.job_urls()[0] }));
    import.ends("succeeded");
    place.has_one_job(2);
    assert_eq!(place.fhir.kick_offs(), 1);
}

pub(super) fn a_cancel_while_the_kick_off_is_under_way(adapter: &'static Adapter) {
    let late = json!({ "on": "kick-off", "nth": 1, "action": { "accept-then-delay-ms": 2_000 } });
    let script = json!({ "job_ms": 3_600_000, "retry_after": "1", "faults": [late] });
    let place = Place::new(adapter, Personality::SmartManifest, script);
    let _worker = place.worker();
    let import = place.begin(&place.request());
    until("the kick-off is under way", || place.fhir.kick_offs() > 0);
    import.decide(&json!("Cancel"));
    import.ends("cancelled");
    let deletes = place.fhir.log().iter().filter(|seen| seen.endpoint == Some(Endpoint::Delete)).count();
    assert_eq!((place.fhir.jobs(), deletes), (1, 1), "the job is known before it is cancelled");
}
