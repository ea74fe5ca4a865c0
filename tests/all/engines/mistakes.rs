//! What cannot be done is said in a sentence, and loses nothing.

use fhir_import_sandbox::Personality;
use serde_json::json;

use crate::harness::engine::{Adapter, Place};
use crate::harness::running::{LONG, Running, until};

// Node and Python have no server of their own.
suite!(restate, temporal => { super::{an_engine_that_cannot_be_reached_is_named} });

fn an_engine_that_cannot_be_reached_is_named(adapter: &'static Adapter) {
    let mut place = Place::new(adapter, Personality::Hapi, json!({}));
    let engine = place.engine.as_mut().unwrap();
    engine.processes.iter_mut().for_each(Running::kill);
    let address = engine.address.clone();
    let request = place.request();
    let commands = [place.command(["worker"]), place.command(["result", &request.id])];
    let started = place.hand(["start"], &serde_json::to_string(&request).unwrap());
    let others = commands.map(|command| Running::start(command).left_within(LONG).unwrap());
    for ran in others.into_iter().chain([started]) {
        assert_eq!(ran.code, 1, "{ran:?}");
        // Restate's is a record of several; the message has the one that was asked.
        let is_named = |part: &str| part.contains("127.0.0.1:") && ran.stderr.contains(part);
        assert!(address.split('"').any(is_named), "{address}: {ran:?}");
    }
}

pub(super) fn a_server_that_is_not_allowed_is_refused(adapter: &'static Adapter) {
    let place = Place::new(adapter, Personality::Hapi, json!({}));
    place.allow(&json!({ "servers": [{ "url": "http://127.0.0.1:9/fhir" }] }));
    let _worker = place.worker();
    let request = place.request();
    let begun = place.hand(["start"], &serde_json::to_string(&request).unwrap());
    // Some engines take the import first, and their worker refuses it then.
    let refused = if begun.code == 0 { place.types(["result", &request.id]) } else { begun };
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.stderr.contains("is not among the servers"), "{refused:?}");
    assert_eq!(place.fhir.log().len(), 0, "nothing was sent");
}

pub(super) fn an_import_that_nobody_began_is_unknown(adapter: &'static Adapter) {
    let place = Place::new(adapter, Personality::Hapi, json!({}));
    let _worker = place.worker();
    let unknown = place.types(["result", "00000000000000000000000000000000"]);
    assert_eq!(unknown.code, 1, "{unknown:?}");
    assert!(unknown.stderr.contains("00000000000000000000000000000000"), "{unknown:?}");
}

pub(super) fn a_plan_that_is_gone_is_named(adapter: &'static Adapter) {
    let place = Place::new(adapter, Personality::Hapi, json!({ "job_ms": 3_600_000, "retry_after": "1" }));
    let worker = place.worker();
    let import = place.begin(&place.request());
    until("the job is asked for", || place.fhir.polls() > 0);
    drop(worker);
    let plans: Vec<_> = place.stored().into_iter().filter(|(path, _)| is_plan(path)).collect();
    assert_eq!(plans.len(), 1, "there is one plan to lose");
    std::fs::remove_file(&plans[0].0).unwrap();
    let _worker = place.worker();
    let result = place.types(["result", import.id()]);
    assert_eq!(result.code, 1, "{result:?}");
    assert!(result.stderr.contains("plan"), "{result:?}");
}

pub(super) fn is_plan(path: &std::path::Path) -> bool {
    path.file_name().is_some_and(|name| name == "plan") || path.extension().is_some_and(|end| end == "plan")
}
