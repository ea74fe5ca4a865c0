//! Temporal's own server dies, too; and a hospital's night is hundreds of imports at once.

use fhir_import_sandbox::{Fate, Personality};
use serde_json::json;

use super::adapters::temporal;
use super::on_a_thread;
use crate::harness::engine::{Adapter, Place};
use crate::harness::running::until;
use crate::harness::temporal::again;

/// Imports of a night.
const NIGHT: usize = 200;

#[tokio::test(flavor = "multi_thread")]
async fn the_server_killed_while_an_import_waits() {
    on_a_thread(while_it_waits, &temporal).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_killed_in_mid_submit() {
    on_a_thread(in_mid_submit, &temporal).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_imports_at_once_and_a_worker_killed_among_them() {
    on_a_thread(a_night, &temporal).await;
}

/// Kills the engine's server, and starts it again where it was.
fn kill_and_restart(place: &mut Place) {
    let home = place.path("engine");
    let engine = place.engine.as_mut().unwrap();
    engine.processes[0].kill();
    engine.processes = vec![again(&home, &engine.address)];
}

fn while_it_waits(adapter: &'static Adapter) {
    let mut place = Place::new(adapter, Personality::Hapi, json!({ "retry_after": "1", "polls_until_done": 2 }));
    let _worker = place.worker();
    let request = place.request();
    place.begin(&request);
    until("the job is asked for", || place.fhir.polls() > 0);
    kill_and_restart(&mut place);
    place.known(&request).ends("succeeded");
    place.has_one_job(2);
    assert_eq!(place.fhir.kick_offs(), 1);
}

fn in_mid_submit(adapter: &'static Adapter) {
    let late = json!({ "on": "kick-off", "nth": 1, "action": { "accept-then-delay-ms": 3_000 } });
    let mut place = Place::new(adapter, Personality::SameBytes, json!({ "retry_after": "1", "faults": [late] }));
    let _worker = place.worker();
    let request = place.request();
    place.begin(&request);
    until("the kick-off is there", || place.fhir.stored() == 2);
    kill_and_restart(&mut place);
    place.known(&request).ends("succeeded");
    place.has_one_job(2);
}

fn a_night(adapter: &'static Adapter) {
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
