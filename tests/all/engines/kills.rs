//! Workers that die: another one goes on, and one intent stays one job.

use std::time::Duration;

use fhir_import::contract::Request;
use fhir_import_sandbox::{Endpoint, Personality};
use serde_json::{Value, json};

use crate::harness::engine::{Adapter, Place};
use crate::harness::running::{Running, until};

pub(super) fn a_worker_killed_while_it_waits(adapter: &'static Adapter) {
    killed_after_a_poll(adapter, json!({ "retry_after": "1", "polls_until_done": 2 }));
}

pub(super) fn a_worker_killed_in_a_step(adapter: &'static Adapter) {
    let late = json!({ "on": "poll", "nth": 1, "action": { "delay-ms": 60_000 } });
    killed_after_a_poll(adapter, json!({ "retry_after": "1", "faults": [late] }));
}

/// The worker dies when the server has its first poll, answered or not.
fn killed_after_a_poll(adapter: &'static Adapter, script: Value) {
    let place = Place::new(adapter, Personality::Hapi, script);
    let mut first = place.worker();
    let import = place.begin(&place.request());
    until("the job is asked for", || place.fhir.polls() > 0);
    first.kill();
    let _second = place.worker();
    import.succeeds_with_one_kick_off();
}

pub(super) fn a_worker_killed_in_mid_submit(adapter: &'static Adapter) {
    let (place, _second, request) = killed_in_mid_submit(adapter, Personality::SameBytes, |_| {});
    place.known(&request).ends("succeeded");
    place.has_one_job(2);
}

pub(super) fn a_worker_killed_in_mid_submit_where_nobody_can_know(adapter: &'static Adapter) {
    let (place, _second, request) = killed_in_mid_submit(adapter, Personality::Hapi, |_| {});
    place.known(&request).is_adopted();
}

/// A worker dies with its kick-off under way, after what else is to die, and another one is there.
pub(super) fn killed_in_mid_submit(
    adapter: &'static Adapter,
    personality: Personality,
    kill: fn(&mut Place),
) -> (Place, Running, Request) {
    let (mut place, mut first, request) = in_mid_submit(adapter, personality, Duration::from_mins(1));
    kill(&mut place);
    first.kill();
    let second = place.worker();
    (place, second, request)
}

/// An import whose kick-off the server has, and answers so late.
pub(super) fn in_mid_submit(
    adapter: &'static Adapter,
    personality: Personality,
    late: Duration,
) -> (Place, Running, Request) {
    let late = json!({ "on": "kick-off", "nth": 1, "action": { "accept-then-delay-ms": late.as_millis() as u64 } });
    let place = Place::new(adapter, personality, json!({ "retry_after": "1", "faults": [late] }));
    let (worker, request) = (place.worker(), place.request());
    place.begin(&request);
    until("the kick-off is there", || place.fhir.stored() == 2);
    (place, worker, request)
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
