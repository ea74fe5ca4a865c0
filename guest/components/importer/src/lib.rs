//! Room 5, `importer.wasm`: the contract over the decisions. It holds no secret, keeps nothing between calls, and its
//! only way out is one HTTP exchange a call (a look and its cancel are two), which the host may refuse.

#![expect(unsafe_code, reason = "the exports that wit-bindgen generates are raw functions")]

mod answer;
mod ask;
mod bindings;
mod exchange;

use std::time::Duration;

use bindings::exports::fhir_import::workflow::catalog::{Dialect as CatalogDialect, Guest as Catalog};
use bindings::exports::fhir_import::workflow::importer::{
    Decision, Error, Guest as Importer, Request, Started, Status, Transition,
};
use fhir_import_workflow as workflow;
use workflow::{Call, Session, Turn};

struct Component;

impl Importer for Component {
    fn start(request: Request) -> Result<Started, Error> {
        let request = ask::request(request);
        workflow::start(request, &fhir_import_dialects::texts()).map(answer::started).map_err(answer::error)
    }

    fn step(plan: String, checkpoint: String) -> Result<Transition, Error> {
        call(Call::Step, &plan, &checkpoint)
    }

    fn submit(plan: String, checkpoint: String) -> Result<Transition, Error> {
        call(Call::Submit, &plan, &checkpoint)
    }

    fn recover(plan: String, checkpoint: String) -> Result<Transition, Error> {
        call(Call::Recover, &plan, &checkpoint)
    }

    fn resolve(plan: String, checkpoint: String, decision: Decision) -> Result<Transition, Error> {
        let session = Session::open(&plan, &checkpoint).map_err(answer::error)?;
        session.resolve(&ask::decision(decision), now_ms()).map(answer::transition).map_err(answer::error)
    }

    fn inspect(plan: String, checkpoint: String) -> Result<Status, Error> {
        let session = Session::open(&plan, &checkpoint).map_err(answer::error)?;
        Ok(answer::status(workflow::Status::of(&session)))
    }
}

impl Catalog for Component {
    fn dialects() -> Vec<CatalogDialect> {
        fhir_import_dialects::texts().into_iter().map(answer::dialect).collect()
    }
}

fn call(call: Call, plan: &str, checkpoint: &str) -> Result<Transition, Error> {
    let session = Session::open(plan, checkpoint).map_err(answer::error)?;
    let mut turn = session.call(call, now_ms()).map_err(answer::error)?;
    loop {
        match turn {
            Turn::Done(transition) => return Ok(answer::transition(transition)),
            Turn::Send(exchange, waiting) => {
                let reply = exchange::send(&exchange);
                turn = waiting.answered(now_ms(), reply);
            }
        }
    }
}

fn now_ms() -> u64 {
    let now = wasi::clocks::wall_clock::now();
    let since = Duration::new(now.seconds, now.nanoseconds);
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

bindings::export!(Component with_types_in bindings);
