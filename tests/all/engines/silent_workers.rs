//! A worker that is silent for so long that its engine takes it for dead, and wakes up again: what it was doing is done
//! twice at once.
//!
//! Temporal only. Restate waits for a worker that keeps its connection for longer than an exchange can take, and in the
//! stores of Node and Python a worker that lives keeps its import.

use std::time::Duration;

use fhir_import_sandbox::Personality;
use serde_json::json;

use super::kills::in_mid_submit;
use crate::harness::engine::{Adapter, Place};
use crate::harness::running::until;

suite!(temporal => { super::{a_step_done_twice_at_once, a_kick_off_whose_worker_wakes_up_after_it_was_recovered} });

fn a_step_done_twice_at_once(adapter: &'static Adapter) {
    let late = |nth| json!({ "on": "poll", "nth": nth, "action": { "delay-ms": 5_000 } });
    let script = json!({ "retry_after": "1", "polls_until_done": 3, "faults": [late(1), late(2)] });
    let place = Place::new(adapter, Personality::Hapi, script);
    let first = place.worker();
    let import = place.begin(&place.request());
    until("a poll is under way", || place.fhir.polls() > 0);
    first.signal("STOP");
    let _second = place.worker();
    until("the other worker polls, too", || place.fhir.polls() > 1);
    first.signal("CONT");
    import.succeeds_with_one_kick_off();
}

fn a_kick_off_whose_worker_wakes_up_after_it_was_recovered(adapter: &'static Adapter) {
    let (place, first, request) = in_mid_submit(adapter, Personality::Hapi, Duration::from_secs(3));
    first.signal("STOP");
    let _second = place.worker();
    let import = place.known(&request);
    import.pauses("submitunknown");
    first.signal("CONT");
    until("its answer came too late", || first.talk().contains("kick-off"));
    import.is_adopted();
}
