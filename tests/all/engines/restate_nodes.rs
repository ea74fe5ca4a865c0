//! Restate's own nodes die, too: each in turn, with a worker, at the moments that matter.

use std::collections::BTreeSet;
use std::thread::sleep;
use std::time::Duration;

use fhir_import::contract::Request;
use fhir_import_sandbox::{Endpoint, Personality};
use serde_json::{Value, json};

use super::adapters::{restate, restate_cluster};
use super::on_a_thread;
use crate::harness::engine::{Adapter, Began, Place};
use crate::harness::person::seed;
use crate::harness::restate::again;
use crate::harness::running::{Running, until};

#[tokio::test(flavor = "multi_thread")]
async fn each_of_three_nodes_and_a_worker_killed_while_imports_wait() {
    on_a_thread(while_they_wait, &restate_cluster).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_of_three_nodes_and_a_worker_killed_in_mid_submit() {
    on_a_thread(in_mid_submit, &restate_cluster).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_of_three_nodes_and_a_worker_killed_in_mid_submit_where_nobody_can_know() {
    on_a_thread(in_mid_submit_where_nobody_can_know, &restate_cluster).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_only_node_killed_in_mid_submit() {
    on_a_thread(in_mid_submit_where_nobody_can_know, &restate).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_and_the_node_killed_at_random_moments_send_no_kick_off_twice() {
    on_a_thread(at_random_moments, &restate).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_restate_stores_can_be_searched() {
    on_a_thread(the_id_is_found, &restate).await;
}

/// Each node is killed while the others and what is between them go on, and comes back with what it had stored.
fn kill_in_turn(place: &Place, nodes: &mut [Running]) {
    for (number, node) in nodes.iter_mut().enumerate() {
        node.kill();
        *node = again(&place.path("engine"), number);
    }
}

/// The place, and the nodes of its engine.
fn place(adapter: &'static Adapter, personality: Personality, script: Value) -> (Place, Vec<Running>) {
    let mut place = Place::new(adapter, personality, script);
    let nodes = std::mem::take(&mut place.engine.as_mut().unwrap().processes);
    (place, nodes)
}

fn while_they_wait(adapter: &'static Adapter) {
    let (place, mut nodes) =
        place(adapter, Personality::SmartManifest, json!({ "retry_after": "1", "polls_until_done": 8 }));
    let [mut first, _second] = [place.worker(), place.worker()];
    let imports: Vec<Began<'_>> = (0..6).map(|_| place.begin(&place.request())).collect();
    until("all jobs are asked for", || place.fhir.jobs() == 6 && place.fhir.polls() >= 6);
    first.kill();
    kill_in_turn(&place, &mut nodes);
    for import in &imports {
        import.ends("succeeded");
    }
    assert_eq!((place.fhir.jobs(), place.fhir.kick_offs(), place.fhir.deletes()), (6, 6, 0));
}

/// The server has the kick-off, its answer is outstanding, and everything dies once.
fn killed_in_mid_submit(adapter: &'static Adapter, personality: Personality) -> (Place, Vec<Running>, Request) {
    let late = json!({ "on": "kick-off", "nth": 1, "action": { "accept-then-delay-ms": 60_000 } });
    let (place, mut nodes) = place(adapter, personality, json!({ "retry_after": "1", "faults": [late] }));
    let mut first = place.worker();
    let request = place.request();
    place.begin(&request);
    until("the kick-off is there", || place.fhir.stored() == 2);
    kill_in_turn(&place, &mut nodes);
    first.kill();
    nodes.push(place.worker());
    (place, nodes, request)
}

fn in_mid_submit(adapter: &'static Adapter) {
    let (place, _nodes, request) = killed_in_mid_submit(adapter, Personality::SameBytes);
    place.begin(&request).ends("succeeded");
    place.has_one_job(2);
}

fn in_mid_submit_where_nobody_can_know(adapter: &'static Adapter) {
    let (place, _nodes, request) = killed_in_mid_submit(adapter, Personality::Hapi);
    let import = place.begin(&request);
    import.pauses("submitunknown");
    import.decide(&json!({ "Adopt": place.fhir.job_urls()[0] }));
    import.ends("succeeded");
    place.has_one_job(2);
    assert_eq!(place.fhir.kick_offs(), 1);
}

fn at_random_moments(adapter: &'static Adapter) {
    let late = |nth: u32| json!({ "on": "kick-off", "nth": nth, "action": { "accept-then-delay-ms": 300 } });
    let script = json!({ "retry_after": "1", "faults": (1..=12).map(late).collect::<Vec<_>>() });
    let (place, mut nodes) = place(adapter, Personality::Hapi, script);
    let mut chance = fastrand::Rng::with_seed(seed("restate"));
    let mut worker = place.worker();
    let mut imports = Vec::new();
    for _ in 0..12 {
        imports.push(place.begin(&place.request()));
        sleep(Duration::from_millis(chance.u64(..400)));
        if chance.u8(..3) == 0 {
            kill_in_turn(&place, &mut nodes);
        } else {
            worker.kill();
            worker = place.worker();
        }
    }
    let ends: Vec<Value> = imports.iter().map(Began::result).collect();
    let log = place.fhir.log();
    let sent = log.iter().filter(|seen| seen.endpoint == Some(Endpoint::KickOff)).map(|seen| &seen.body);
    let different: BTreeSet<_> = sent.clone().collect();
    assert_eq!(sent.count(), different.len(), "a kick-off was sent twice: {ends:?}");
    let known = |end: &Value| end["done"]["outcome"] == "Succeeded" || end["paused"]["reason"] == "SubmitUnknown";
    assert!(ends.iter().all(known), "{ends:?}");
    assert!(ends.iter().any(|end| end["done"]["outcome"] == "Succeeded"), "{ends:?}");
}

/// The search for secrets in what is stored would find them: it finds what must be there.
fn the_id_is_found(adapter: &'static Adapter) {
    let place = Place::new(adapter, Personality::SmartManifest, json!({}));
    let _worker = place.worker();
    let import = place.begin(&place.request());
    import.ends("succeeded");
    let id = import.id().as_bytes();
    let found = place.stored().iter().any(|(_, bytes)| bytes.windows(id.len()).any(|part| part == id));
    assert!(found, "the id of an import is not found in what Restate stores");
}
