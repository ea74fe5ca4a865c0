//! The loop of an import on Obelisk. It decides nothing about an import; every call and every wait is one of Obelisk's,
//! so that it goes on where it was whatever died.

#![expect(unsafe_code, reason = "the exports that wit-bindgen generates are raw functions")]

mod bindings;
mod person;

use bindings::exports::fhir_import::orchestration::imports::Guest;
use bindings::fhir_import::workflow::importer::{self, Error, Request, Transition};
use bindings::fhir_import::workflow::types::{Decision, Next, Report};
use bindings::obelisk::types::time::{Datetime, Duration, ScheduleAt};
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
        let (mut at, mut held) = (started.transition, Held::Not);
        loop {
            if let Next::Done(report) = at.next {
                return Ok(report);
            }
            match import.turn(&at, &held) {
                Ok(next) => (at, held) = (next, Held::Not),
                Err(error) => held = held.by(&error),
            }
        }
    }
}

/// Whether the last call is to be made again, and when.
enum Held {
    Not,
    /// It died: after so many seconds.
    Died(u64),
    /// It was refused, for example because the checkpoint is of a newer version: when a person says so.
    Refused,
}

impl Held {
    fn by(&self, error: &Error) -> Self {
        match (self, error) {
            (Self::Died(pause), Error::ExecutionFailed) => Self::Died((pause * 2).clamp(1, LONGEST_PAUSE)),
            (_, Error::ExecutionFailed) => Self::Died(0),
            _ => Self::Refused,
        }
    }
}

/// What stays the same while an import runs.
struct Import {
    plan: String,
    person: Person,
}

impl Import {
    /// One call, when it is time for it.
    fn turn(&self, at: &Transition, held: &Held) -> Result<Transition, Error> {
        match (self.said(&at.next, held), &at.next) {
            // Until a kick-off is known to have arrived or not, nothing is decided.
            (_, Next::Recover) => importer::recover(&self.plan, &at.checkpoint),
            (Some(decision), _) => self.resolve(at, &decision),
            (None, Next::Submit) => self.submit(at),
            (None, _) => importer::step(&self.plan, &at.checkpoint),
        }
    }

    /// Waits until it is time, or a person decides.
    fn said(&self, next: &Next, held: &Held) -> Option<Decision> {
        match (held, next) {
            // "Go on" is the same call again.
            (Held::Refused, _) => Some(self.person.says()).filter(|said| !matches!(said, Decision::Continue)),
            (Held::Died(1..), Next::Recover) => rest(held),
            (_, Next::Recover) => None,
            (Held::Died(pause @ 1..), _) => self.person.says_before(ScheduleAt::In(Duration::Seconds(*pause))),
            (_, Next::Wait(wake)) => self.person.says_before(at(wake.at_ms)),
            (_, Next::Paused(_)) => Some(self.person.says()),
            _ => self.person.said(),
        }
    }

    /// A call that died may have sent the kick-off, so it is never made a second time from here. (Obelisk itself takes a
    /// running call back when it is stopped in good order, and makes it again: see README.md.)
    fn submit(&self, at: &Transition) -> Result<Transition, Error> {
        match importer::submit(&self.plan, &at.checkpoint) {
            Err(Error::ExecutionFailed) => Ok(Transition { next: Next::Recover, events: Vec::new(), ..at.clone() }),
            answered => answered,
        }
    }

    /// A decision that cannot be taken changes nothing; the answer of `resolve` says why, for whoever decided.
    fn resolve(&self, at: &Transition, decision: &Decision) -> Result<Transition, Error> {
        match repeated(|| importer::resolve(&self.plan, &at.checkpoint, decision)) {
            Err(Error::PermanentInvalidCall(_)) => Ok(at.clone()),
            answered => answered,
        }
    }
}

/// For calls that send nothing: one that died is made again, at first at once, then ever later.
fn repeated<T>(call: impl Fn() -> Result<T, Error>) -> Result<T, Error> {
    let mut held = Held::Not;
    loop {
        match call() {
            Err(Error::ExecutionFailed) => held = held.by(&Error::ExecutionFailed),
            answered => return answered,
        }
        rest(&held);
    }
}

/// A pause in which nobody is asked.
fn rest(held: &Held) -> Option<Decision> {
    if let Held::Died(pause @ 1..) = held {
        // An operator who cancels the pause wants the call now.
        let _ = sleep(ScheduleAt::In(Duration::Seconds(*pause)), Some("a-call-died"));
    }
    None
}

fn at(ms: u64) -> ScheduleAt {
    ScheduleAt::At(Datetime { seconds: ms / 1000, nanoseconds: (ms % 1000) as u32 * 1_000_000 })
}

bindings::export!(Component with_types_in bindings);
