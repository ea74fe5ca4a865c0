//! Restate's own nodes die, too: each in turn, with a worker, at the moments that matter.

use std::collections::BTreeSet;
use std::thread::sleep;
use std::time::Duration;

use fhir_import_sandbox::{Endpoint, Personality};
use serde_json::{Value, json};

use super::kills::killed_in_mid_submit;
use crate::harness::engine::{Adapter, Place};
use crate::harness::person::seed;
use crate::harness::running::until;

suite!(restate_cluster => {
    super::{
        nodes_and_a_worker_killed_while_imports_wait,
        nodes_and_a_worker_killed_in_mid_submit,
        nodes_and_a_worker_killed_in_mid_submit_where_nobody_can_know,
    },
});

suite!(restate => {
    super::{
        nodes_and_a_worker_killed_in_mid_submit_where_nobody_can_know,
        workers_and_the_node_killed_at_random_moments_send_no_kick_off_twice,
        what_restate_stores_can_be_searched,
    },
});

fn nodes_and_a_worker_killed_while_imports_wait(adapter: &'static Adapter) {
    let script = json!({ "retry_after": "1", "polls_until_done": 8 });
    let mut place = Place::new(adapter, Personality::SmartManifest, script);
    let [mut first, _second] = [place.worker(), place.worker()];
    let requests: Vec<_> = (0..6).map(|_| place.request()).collect();
    requests.iter().for_each(|request| drop(place.begin(request)));
    until("all jobs are asked for", || place.fhir.jobs() == 6 && place.fhir.polls() >= 6);
    first.kill();
    place.kill_the_engine();
    for request in &requests {
        place.known(request).ends("succeeded");
    }
    assert_eq!((place.fhir.jobs(), place.fhir.kick_offs(), place.fhir.deletes()), (6, 6, 0));
}

fn nodes_and_a_worker_killed_in_mid_submit(adapter: &'static Adapter) {
    let (place, _worker, request) = killed_in_mid_submit(adapter, Personality::SameBytes, Place::kill_the_engine);
    place.known(&request).ends("succeeded");
    place.has_one_job(2);
}

fn nodes_and_a_worker_killed_in_mid_submit_where_nobody_can_know(adapter: &'static Adapter) {
    let (place, _worker, request) = killed_in_mid_submit(adapter, Personality::Hapi, Place::kill_the_engine);
    place.known(&request).is_adopted();
}

fn workers_and_the_node_killed_at_random_moments_send_no_kick_off_twice(adapter: &'static Adapter) {
    let late = |nth: u32| json!({ "on": "kick-off", "nth": nth, "action": { "accept-then-delay-ms": 300 } });
    let script = json!({ "retry_after": "1", "faults": (1..=12).map(late).collect::<Vec<_>>() });
    let mut place = Place::new(adapter, Personality::Hapi, script);
    let mut chance = fastrand::Rng::with_seed(seed("restate"));
    let mut worker = place.worker();
    let requests: Vec<_> = (0..12).map(|_| place.request()).collect();
    for request in &requests {
        place.begin(request);
        sleep(Duration::from_millis(chance.u64(..400)));
        if chance.u8(..3) == 0 {
            place.kill_the_engine();
        } else {
            worker.kill();
            worker = place.worker();
        }
    }
    let ends: Vec<Value> = requests.iter().map(|request| place.known(request).result()).collect();
    let log = place.fhir.log();
    let sent = log.iter().filter(|seen| seen.endpoint == Some(Endpoint::KickOff)).map(|seen| &seen.body);
    let different: BTreeSet<_> = sent.clone().collect();
    assert_eq!(sent.count(), different.len(), "a kick-off was sent twice: {ends:?}");
    let known = |end: &Value| end["done"]["outcome"] == "Succeeded" || end["paused"]["reason"] == "SubmitUnknown";
    assert!(ends.iter().all(known), "{ends:?}");
    assert!(ends.iter().any(|end| end["done"]["outcome"] == "Succeeded"), "{ends:?}");
}

/// The search for secrets in what is stored would find them: it finds what must be there.
fn what_restate_stores_can_be_searched(adapter: &'static Adapter) {
    let place = Place::new(adapter, Personality::SmartManifest, json!({}));
    let _worker = place.worker();
    let import = place.begin(&place.request());
    import.ends("succeeded");
    let id = import.id().as_bytes();
    let found = place.stored().iter().any(|(_, bytes)| bytes.windows(id.len()).any(|part| part == id));
    assert!(found, "the id of an import is not found in what Restate stores");
}
