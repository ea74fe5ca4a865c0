//! The loop of an import on Obelisk. It decides nothing about an import; every call and every wait is one of Obelisk's,
//! so that it goes on where it was whatever died.

#![expect(unsafe_code, reason = "the exports that wit-bindgen generates are raw functions")]

mod bindings;
mod person;

use bindings::exports::fhir_import::orchestration::imports::Guest;
use bindings::fhir_import::workflow::importer::{self, Error, Request, Transition};
use bindings::fhir_import::workflow::types::{Decision, Next, Report};
use bindings::obelisk::types::time::{Duration, ScheduleAt};
use bindings::obelisk::workflow::workflow_support::sleep;
use person::Person;

/// The longest pause after a call that died, in seconds.
const LONGEST_PAUSE: u64 = 60;

struct Component;

impl Guest for Component {
    fn run(request: Request) -> Result<Report, Error> {
        if request.documents_url.is_some() {
            return Err(Error::PermanentInvalidRequest(
                "documents-url: nothing is published here; leave it out".into(),
            ));
        }
        let started = repeated(|| importer::start(&request))?;
        let import = Import { plan: started.plan, person: Person::ask() };
        let mut at = started.transition;
        loop {
            if let Next::Done(report) = at.next {
                return Ok(report);
            }
            at = import.turn(at)?;
        }
    }
}

/// What stays the same while an import runs.
struct Import {
    plan: String,
    person: Person,
}

impl Import {
    /// One call, when it is time for it. Until a kick-off is known to have arrived or not, nothing is decided.
    fn turn(&self, at: Transition) -> Result<Transition, Error> {
        if matches!(at.next, Next::Recover) {
            return self.recover(&at.checkpoint);
        }
        if let Some(decision) = self.person.said() {
            return self.resolve(at, &decision);
        }
        let said = match &at.next {
            Next::Wait(wake) => self.person.says_before(wake.at_ms),
            Next::Paused(_) => Some(self.person.says()),
            _ => None,
        };
        match (said, &at.next) {
            (Some(decision), _) => self.resolve(at, &decision),
            (None, Next::Submit) => self.submit(&at.checkpoint),
            (None, _) => repeated(|| importer::step(&self.plan, &at.checkpoint)),
        }
    }

    /// Obelisk calls it once (`max_retries = 0`); a call that died may have sent the kick-off.
    fn submit(&self, checkpoint: &str) -> Result<Transition, Error> {
        match importer::submit(&self.plan, checkpoint) {
            Err(Error::ExecutionFailed) => self.recover(checkpoint),
            answered => answered,
        }
    }

    fn recover(&self, checkpoint: &str) -> Result<Transition, Error> {
        repeated(|| importer::recover(&self.plan, checkpoint))
    }

    /// A decision that cannot be taken changes nothing; the answer of `resolve` says why, for whoever decided.
    fn resolve(&self, at: Transition, decision: &Decision) -> Result<Transition, Error> {
        match repeated(|| importer::resolve(&self.plan, &at.checkpoint, decision)) {
            Err(Error::PermanentInvalidCall(_)) => Ok(at),
            answered => answered,
        }
    }
}

/// Whatever may be called twice. A call that died (the server stopped, the component trapped) is called again, at first at
/// once, then ever later.
fn repeated<T>(call: impl Fn() -> Result<T, Error>) -> Result<T, Error> {
    let mut pause = 0;
    loop {
        match call() {
            Err(Error::ExecutionFailed) => rest(&mut pause),
            answered => return answered,
        }
    }
}

fn rest(pause: &mut u64) {
    if *pause > 0 {
        // An operator who cancels the pause wants the call now.
        let _ = sleep(ScheduleAt::In(Duration::Seconds(*pause)), Some("a-call-died"));
    }
    *pause = (*pause * 2).clamp(1, LONGEST_PAUSE);
}

bindings::export!(Component with_types_in bindings);
