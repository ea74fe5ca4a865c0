//! The simulation (`tests/simulation`) as a test: ten thousand imports, each twice; some as a component, too; and clients
//! that are wrong on purpose, which the judge must notice.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use fhir_import::contract::{Decision, Next, Outcome, Request, Started, Transition};
use fhir_import::net::{Carrying, Permission, Wire};
use fhir_import::{Call, CallError, Decisions, Moved, Network, SharedClock};
use fhir_import_sandbox::Personality;
use fhir_import_simulation::{
    Broken, Ended, KINDS, Kind, Make, Native, Scenario, component, judge, native, run, simulate,
};

use crate::harness::rig::engine;

/// Seeds that are simulated in every run of the tests, from 1 on.
const IMPORTS: u64 = 10_000;
/// Of these, seeds that are simulated as a component, too.
const AS_COMPONENT: u64 = 1_000;

#[test]
fn ten_thousand_imports_keep_every_promise_and_are_the_same_when_simulated_again() {
    let same_again = |ended: &Ended| {
        let again = native(ended.scenario.seed).transcript();
        differs("the same seed does the same", &ended.transcript(), &again)
    };
    let summary = run(1, IMPORTS, same_again);
    assert_eq!((summary.imports, summary.failures.len()), (IMPORTS, 0), "{:?}", summary.outcomes);
    assert!(summary.with_deaths > IMPORTS / 5, "the weather is too fine: {} imports died", summary.with_deaths);
}

#[test]
fn the_component_does_what_the_decisions_compiled_in_do() {
    let engine = engine();
    let same = |ended: &Ended| {
        let sandboxed = component(ended.scenario.seed, &engine).transcript();
        differs("the component does the same", &ended.transcript(), &sandboxed)
    };
    let summary = run(1, AS_COMPONENT, same);
    assert_eq!((summary.imports, summary.failures.len()), (AS_COMPONENT, 0), "{:?}", summary.failures.first());
}

fn differs(promise: &'static str, one: &str, other: &str) -> Result<(), Broken> {
    match one.lines().zip(other.lines()).find(|(one, other)| one != other) {
        Some((one, other)) => Err(Broken { promise, how: format!("{one}\nand then\n{other}") }),
        None if one.len() == other.len() => Ok(()),
        None => Err(Broken { promise, how: "one is longer".to_owned() }),
    }
}

/// Ways of being wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wrong {
    /// A kick-off whose answer was lost is sent again.
    SubmitsAgain,
    /// Whatever the end is, it is a success.
    Optimistic,
    /// The end of a wait is never noticed.
    Sleeps,
    /// What servers say of waiting is not heard.
    Deaf,
}

impl Wrong {
    /// Whether it makes a difference at a server.
    fn shows_at(self, kind: &Kind) -> bool {
        match self {
            Self::SubmitsAgain => !kind.is_idempotent(),
            Self::Optimistic | Self::Sleeps => true,
            // These two have no status to be asked for.
            Self::Deaf => !matches!(kind.personality, Personality::Onfhir | Personality::Sazare),
        }
    }
}

/// Decisions that are wrong on purpose.
struct Saboteur {
    inner: Native,
    wrong: Wrong,
    submitted: AtomicBool,
    ready: Mutex<String>,
    calls: AtomicU32,
}

struct Sabotage(Wrong);

impl Make for Sabotage {
    type Made = Saboteur;

    fn make(&self, mut network: Network, clock: SharedClock) -> Saboteur {
        if self.0 == Wrong::Deaf {
            network.wire = Arc::new(Deaf(network.wire));
        }
        let inner = Native::new(network, clock);
        let (submitted, ready, calls) = (AtomicBool::new(false), Mutex::default(), AtomicU32::new(0));
        Saboteur { inner, wrong: self.0, submitted, ready, calls }
    }
}

impl Saboteur {
    fn spoilt(&self, mut moved: Moved) -> Moved {
        if let (Wrong::Optimistic, Next::Done(report)) = (self.wrong, &mut moved.transition.next) {
            report.outcome = Outcome::Succeeded;
        }
        moved
    }
}

impl Decisions for Saboteur {
    fn clock(&self) -> &SharedClock {
        self.inner.clock()
    }

    async fn start(&self, request: &Request) -> Result<Started, CallError> {
        self.inner.start(request).await
    }

    async fn call(&self, call: Call, plan: &str, checkpoint: &str) -> Result<Moved, CallError> {
        match (self.wrong, call) {
            (Wrong::SubmitsAgain, Call::Submit) => {
                checkpoint.clone_into(&mut self.ready.lock().unwrap());
                self.submitted.store(true, Ordering::Relaxed);
            }
            (Wrong::SubmitsAgain, Call::Recover) if self.submitted.load(Ordering::Relaxed) => {
                let ready = self.ready.lock().unwrap().clone();
                return self.inner.call(Call::Submit, plan, &ready).await;
            }
            // Not for ever: a test has to end.
            (Wrong::Sleeps, Call::Step) if self.calls.fetch_add(1, Ordering::Relaxed) < 5 => {
                return Err(CallError::Refused(fhir_import::contract::Error::ExecutionFailed));
            }
            _ => {}
        }
        self.inner.call(call, plan, checkpoint).await.map(|moved| self.spoilt(moved))
    }

    async fn resolve(&self, plan: &str, checkpoint: &str, decision: &Decision) -> Result<Transition, CallError> {
        self.inner.resolve(plan, checkpoint, decision).await
    }
}

/// A network on which no server asks for a wait.
#[derive(Debug)]
struct Deaf(Arc<dyn Wire>);

impl Wire for Deaf {
    fn carry(&self, request: http::Request<Bytes>, permission: Permission) -> Carrying<'_> {
        Box::pin(async move {
            let mut carried = self.0.carry(request, permission).await?;
            carried.head.headers.remove(http::header::RETRY_AFTER);
            Ok(carried)
        })
    }
}

/// The servers of the first seeds at which the judge does not say of a wrong client that it breaks this promise.
async fn unnoticed(wrong: Wrong, promise: &str, seeds: u64) -> BTreeSet<&'static str> {
    let name = |kind: &Kind| kind.personality.name();
    let mut servers: BTreeSet<_> = KINDS.iter().filter(|kind| wrong.shows_at(kind)).map(name).collect();
    for seed in 1..=seeds {
        if servers.contains(name(&Scenario::of(seed).kind)) {
            let ended = simulate(seed, &Sabotage(wrong)).await;
            if judge(&ended).is_err_and(|broken| broken.promise == promise) {
                servers.remove(name(&ended.scenario.kind));
            }
        }
    }
    servers
}

#[tokio::test]
async fn the_judge_notices_a_client_that_submits_again_where_that_is_a_second_job() {
    assert_eq!(unnoticed(Wrong::SubmitsAgain, "I1 one intent is one job", 10_000).await, BTreeSet::new());
}

#[tokio::test]
async fn the_judge_notices_a_client_that_is_optimistic_at_every_server() {
    assert_eq!(unnoticed(Wrong::Optimistic, "I3 the final word is true", 10_000).await, BTreeSet::new());
}

#[tokio::test]
async fn the_judge_notices_a_client_that_does_not_hear_how_long_to_wait_at_every_server_that_says_so() {
    assert_eq!(unnoticed(Wrong::Deaf, "I4 polls keep their distance", 10_000).await, BTreeSet::new());
}

#[tokio::test]
async fn the_judge_notices_a_client_that_never_ends_at_every_server() {
    assert_eq!(unnoticed(Wrong::Sleeps, "I2 every import ends", 10_000).await, BTreeSet::new());
}
