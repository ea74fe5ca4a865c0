//! Temporal's own server dies, too; and a hospital's night is hundreds of imports at once.

use std::time::Duration;

use fhir_import_sandbox::{Fate, Personality};
use serde_json::json;

use super::kills;
use crate::harness::engine::{Adapter, Place};
use crate::harness::running::until;

/// Imports of a night.
const NIGHT: usize = 200;

suite!(temporal => {
    super::{
        the_server_killed_while_an_import_waits,
        the_server_killed_in_mid_submit,
        two_hundred_imports_at_once_and_a_worker_killed_among_them,
    },
});

fn the_server_killed_while_an_import_waits(adapter: &'static Adapter) {
    let mut place = Place::new(adapter, Personality::Hapi, json!({ "retry_after": "1", "polls_until_done": 2 }));
    let _worker = place.worker();
    let request = place.request();
    place.begin(&request);
    until("the job is asked for", || place.fhir.polls() > 0);
    place.kill_the_engine();
    place.known(&request).succeeds_with_one_kick_off();
}

fn the_server_killed_in_mid_submit(adapter: &'static Adapter) {
    let late = Duration::from_secs(3);
    let (mut place, _worker, request) = kills::in_mid_submit(adapter, Personality::SameBytes, late);
    place.kill_the_engine();
    place.known(&request).ends("succeeded");
    place.has_one_job(2);
}

fn two_hundred_imports_at_once_and_a_worker_killed_among_them(adapter: &'static Adapter) {
    let place = Place::new(adapter, Personality::SameBytes, json!({ "retry_after": "1", "polls_until_done": 1 }));
    let mut first = place.worker();
    let _second = place.worker();
    let requests: Vec<_> = (0..NIGHT).map(|number| place.request_of(&[("Patient", &patient(number))])).collect();
    for request in &requests {
        place.begin(request);
    }
    until("half of them have their job", || place.fhir.jobs() >= NIGHT / 2);
    first.kill();
    for request in &requests {
        place.known(request).ends("succeeded");
    }
    let jobs = place.fhir.job_records();
    assert!(jobs.iter().all(|job| job.fate == Fate::Ended), "{jobs:?}");
    assert_eq!((jobs.len(), place.fhir.stored()), (NIGHT, NIGHT), "one job for each");
}

fn patient(number: usize) -> String {
    json!({ "resourceType": "Patient", "id": format!("p{number}") }).to_string() + "\n"
}
