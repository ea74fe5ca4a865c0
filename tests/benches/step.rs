//! What the sandbox costs: the same call into the decisions natively, and through `importer.wasm` in a fresh store.
//!
//! Run it with `cargo bench --package fhir-import-tests --bench step`.

use std::hint::black_box;
use std::sync::Arc;

use criterion::Criterion;
use fhir_import::net::{AllowList, PhaseLimits, Sender, TlsRoots};
use fhir_import::secrets::Secrets;
use fhir_import::{Engine, Importer, Network, VirtualClock};
use fhir_import_workflow::exchange::Answer;
use fhir_import_workflow::request::{DialectChoice, Input, Policy, Purpose, Request};
use fhir_import_workflow::{Call, Session, Status, Turn, start};

const NOW_MS: u64 = 1_767_225_600_000;
const BASE: &str = "http://127.0.0.1:9/fhir";

/// An import of twenty files whose job runs; the server asked to be left alone for two minutes.
struct Waiting {
    plan: String,
    checkpoint: String,
}

fn main() {
    let waiting = waiting();
    let mut criterion = Criterion::default().configure_from_args();
    native(&mut criterion, &waiting);
    sandboxed(&mut criterion, &waiting);
    criterion.final_summary();
}

fn native(criterion: &mut Criterion, at: &Waiting) {
    let open = || Session::open(black_box(&at.plan), black_box(&at.checkpoint)).expect("the texts were just made");
    criterion.bench_function("step that came early, native", |bencher| {
        bencher.iter(|| match open().call(Call::Step, NOW_MS) {
            Ok(Turn::Done(transition)) => transition,
            _ => panic!("a step that came early needs no exchange"),
        });
    });
    criterion.bench_function("inspect, native", |bencher| bencher.iter(|| Status::of(&open())));
}

fn sandboxed(criterion: &mut Criterion, at: &Waiting) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime can be made");
    let importer = importer();
    criterion.bench_function("step that came early, sandboxed", |bencher| {
        bencher.iter(|| {
            let moved = importer.call(fhir_import::Call::Step, black_box(&at.plan), black_box(&at.checkpoint));
            runtime.block_on(moved).expect("the texts were just made")
        });
    });
    criterion.bench_function("inspect, sandboxed", |bencher| {
        bencher.iter(|| {
            let status = importer.inspect(black_box(&at.plan), black_box(&at.checkpoint));
            runtime.block_on(status).expect("the texts were just made")
        });
    });
}

fn waiting() -> Waiting {
    let started = start(request(), &fhir_import_dialects::texts()).expect("the request is complete");
    let ready = Session::open(&started.plan, &started.transition.checkpoint).expect("the texts were just made");
    let Ok(Turn::Send(_, call)) = ready.call(Call::Submit, NOW_MS) else {
        panic!("an import with a named dialect is ready to be submitted")
    };
    let header = |name: &str, value: String| (name.to_owned(), value);
    let headers = vec![
        header("Content-Location", format!("{BASE}/$import-poll-status?_jobId=5b6ad1e5-2aad-4f34-8d2b-3a7d1d9a5b06")),
        header("Retry-After", "120".to_owned()),
    ];
    let answer = Answer { status: 202, headers, body: Vec::new(), cut: false };
    let Turn::Done(transition) = call.answered(NOW_MS, Ok(answer)) else { panic!("a kick-off is one exchange") };
    Waiting { plan: started.plan, checkpoint: transition.checkpoint }
}

fn request() -> Request {
    let input = |number: u32| Input {
        url: format!("http://127.0.0.1:8/0123456789abcdef/{number}/Observation.ndjson"),
        resource_type: "Observation".to_owned(),
        resources: Some(1_000),
        etag: None,
    };
    Request {
        id: "0123456789abcdef0123456789abcdef".to_owned(),
        time_ms: NOW_MS,
        purpose: Purpose::Import,
        base_url: BASE.to_owned(),
        dialect: DialectChoice::Named("hapi".to_owned()),
        inputs: (0..20).map(input).collect(),
        samples: Vec::new(),
        expected: Vec::new(),
        settings: Vec::new(),
        documents_url: None,
        policy: Policy { poll_max_ms: 600_000, deadline_ms: 86_400_000, max_errors: 0 },
    }
}

fn importer() -> Importer {
    let base = BASE.parse().expect("the base is a URL");
    let network = Network::new(
        AllowList::new(&base).expect("the base has an origin"),
        Secrets::default(),
        Arc::new(Sender::new(&TlsRoots::default(), PhaseLimits::default()).expect("no extra roots are given")),
    );
    let engine = Engine::new().expect("the components run on this machine");
    Importer::new(engine, Arc::new(VirtualClock::at(NOW_MS)), network)
}
