//! The workflow: loop, timers and cancellation. It decides nothing about an import.
//!
//! What changes here changes what a running import does when its history is replayed: see "A new version" in README.md.
#![expect(missing_docs, clippy::missing_errors_doc, reason = "the macros of the SDK write what is not documented")]

use std::cell::OnceCell;
use std::collections::VecDeque;
use std::error::Error;
use std::pin::pin;
use std::rc::Rc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fhir_import::Call;
use fhir_import::contract::{Decision, Next, Report, Request};
use fhir_import::embed::Standing;
use futures::FutureExt;
use serde::{Deserialize, Serialize};
use temporalio_common::RetryPolicy;
use temporalio_sdk::{
    ActivityExecutionError, ActivityOptions, ApplicationFailure, ContinueAsNewOptions, SyncWorkflowContext,
    TimerOptions, WaitConditionOptions, WorkflowCancellationToken, WorkflowContext, WorkflowContextView,
    WorkflowResult, WorkflowTermination,
};
use temporalio_workflow::{select, workflow, workflow_methods};

use crate::calls::{Calls, Decided};

/// The longest exchange that the host allows is 15 minutes.
const CALL: Duration = Duration::from_mins(16);
/// A worker that was silent for so long is dead. Six beats, since a loaded machine may be late.
const SILENCE: Duration = Duration::from_secs(12);
/// The longest pause between two tries.
const RETRY: Duration = Duration::from_mins(1);
/// A step that came too early by the worker's clock is not repeated faster than this.
const EARLY: Duration = Duration::from_secs(1);
/// Events of a history, about forty polls, after which it is begun anew.
const LONG: u32 = 500;

/// What a workflow is started with.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Given {
    /// By a run of the same workflow whose history had become long.
    Again(Box<Standing>),
    /// By whoever wants an import.
    Request(Box<Request>),
}

/// What the query `progress` answers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Progress {
    /// Its plan is being made.
    #[default]
    Starting,
    /// It goes on by itself, or is over.
    Driven(Standing),
    /// It waits for a decision.
    Paused(Standing),
    /// A call cannot be made: a decision lets it be tried again.
    Stuck {
        /// Where the import stands.
        at: Standing,
        /// What happened, and whose move it is.
        why: String,
    },
}

/// An import. Its id is the request's, so that it exists once.
#[workflow]
#[derive(Default)]
pub struct Import {
    progress: Progress,
    asked: VecDeque<Asked>,
}

/// A decision that was not taken yet. What came of it is for whoever asked; refused in the words of the component.
struct Asked {
    decision: Decision,
    answer: Rc<OnceCell<Result<(), String>>>,
}

#[workflow_methods]
impl Import {
    /// Drives an import to its end. A cancellation is a decision, taken in its turn.
    #[run(name = "fhir-import")]
    pub async fn run(ctx: &mut WorkflowContext<Self>, given: Given) -> WorkflowResult<Report> {
        let token = ctx.cancellation_token();
        let mut cancelled = pin!(token.cancelled().fuse());
        let mut over = pin!(drive(ctx, given).fuse());
        select! {
            _ = cancelled => {}
            report = over => return report,
        }
        ctx.state_mut(|import| import.asked.push_back(Asked::new(Decision::Cancel)));
        over.await
    }

    /// Takes a decision, in its turn. Who wants to know what came of it uses the update.
    #[signal(name = "resolve")]
    pub fn resolve(&mut self, _: &mut SyncWorkflowContext<Self>, decision: Decision) {
        self.asked.push_back(Asked::new(decision));
    }

    /// Takes a decision, in its turn, and answers when it was taken or refused.
    #[update(name = "resolve")]
    pub async fn decide(
        ctx: &mut WorkflowContext<Self>,
        decision: Decision,
    ) -> Result<(), Box<dyn Error + Send + Sync>> {
        let asked = Asked::new(decision);
        let answer = asked.answer.clone();
        ctx.state_mut(|import| import.asked.push_back(asked));
        until(ctx, |_| answer.get().is_some()).await;
        answer.get().cloned().expect("waited for").map_err(Into::into)
    }

    /// Where it stands.
    #[query(name = "progress")]
    pub fn progress(&self, _: &WorkflowContextView) -> Progress {
        self.progress.clone()
    }
}

type Ctx = WorkflowContext<Import>;

impl Asked {
    fn new(decision: Decision) -> Self {
        Self { decision, answer: Rc::default() }
    }

    fn is(&self, ctx: &Ctx, answer: Result<(), String>) {
        // A change of the state, since that wakes whoever waits for the answer.
        ctx.state_mut(|_| self.answer.set(answer).expect("it is answered once"));
    }
}

async fn drive(ctx: &Ctx, given: Given) -> WorkflowResult<Report> {
    let mut at = match given {
        Given::Again(at) => *at,
        Given::Request(request) => ctx.execute_activity(Calls::start, *request, repeated()).await?,
    };
    loop {
        is(ctx, Progress::Driven(at.clone()));
        if let Next::Done(report) = at.next {
            finish(ctx).await;
            return Ok(report);
        }
        if is_long(ctx) {
            ctx.continue_as_new(Given::Again(Box::new(at.clone())), ContinueAsNewOptions::default())?;
        }
        at = turn(ctx, at).await?;
    }
}

fn is(ctx: &Ctx, progress: Progress) {
    ctx.state_mut(|import| import.progress = progress);
}

fn is_long(ctx: &Ctx) -> bool {
    let long = ctx.history_length() > LONG || ctx.continue_as_new_suggested();
    let nobody_asks = ctx.state(|import| import.asked.is_empty()) && ctx.all_handlers_finished();
    // A new run would not know of a cancellation.
    long && nobody_asks && !ctx.cancellation_token().is_cancelled()
}

/// What is next: a call, a decision, or a wait. Until a kick-off is known to have arrived or not, nothing is decided.
async fn turn(ctx: &Ctx, at: Standing) -> WorkflowResult<Standing> {
    if at.next == Next::Recover {
        return called(ctx, at, Call::Recover).await;
    }
    if let Some(asked) = ctx.state_mut(|import| import.asked.pop_front()) {
        return resolved(ctx, at, asked).await;
    }
    match &at.next {
        Next::Submit => called(ctx, at, Call::Submit).await,
        Next::Wait(wake) if !from_now(ctx, wake.at_ms).is_zero() => {
            wait(ctx, from_now(ctx, wake.at_ms)).await;
            Ok(at)
        }
        Next::Paused(_) => {
            is(ctx, Progress::Paused(at.clone()));
            // A cancelled workflow gives up where only a person could help.
            let asked = asked(ctx).await.unwrap_or_else(|| Asked::new(Decision::GiveUp));
            is(ctx, Progress::Driven(at.clone()));
            resolved(ctx, at, asked).await
        }
        _ => called(ctx, at, Call::Step).await,
    }
}

async fn called(ctx: &Ctx, at: Standing, call: Call) -> WorkflowResult<Standing> {
    let answer = match call {
        Call::Step => ctx.execute_activity(Calls::step, at.clone(), repeated()).await,
        Call::Recover => ctx.execute_activity(Calls::recover, at.clone(), repeated()).await,
        Call::Submit => match ctx.execute_activity(Calls::submit, at.clone(), once()).await {
            // Nobody knows whether it reached the server.
            Err(_) => Ok(Standing { next: Next::Recover, ..at.clone() }),
            answer => answer,
        },
    };
    match answer {
        // It came too early.
        Ok(same) if same == at => {
            wait(ctx, EARLY).await;
            Ok(same)
        }
        Ok(then) => Ok(then),
        Err(error) => stuck(ctx, at, words(&error)).await,
    }
}

async fn resolved(ctx: &Ctx, at: Standing, asked: Asked) -> WorkflowResult<Standing> {
    let decided = Decided { at: at.clone(), decision: asked.decision.clone() };
    let answer = ctx.execute_activity(Calls::resolve, decided, repeated()).await.map_err(|error| words(&error));
    asked.is(ctx, answer.as_ref().map(|_| ()).map_err(Clone::clone));
    match (answer, &at.next) {
        (Ok(then), _) => Ok(then),
        // Nothing is left to try.
        (Err(why), Next::Paused(_)) if ctx.cancellation_token().is_cancelled() => Err(failed(why)),
        (Err(_), _) => Ok(at),
    }
}

/// A call cannot be made here: the job at the server is not forgotten, but held until somebody mended what is wrong and
/// says to go on, which tries it again. What else is decided is for the component.
async fn stuck(ctx: &Ctx, at: Standing, why: String) -> WorkflowResult<Standing> {
    is(ctx, Progress::Stuck { at: at.clone(), why: why.clone() });
    loop {
        let Some(asked) = asked(ctx).await else { return Err(failed(why)) };
        if asked.decision == Decision::Continue {
            asked.is(ctx, Ok(()));
            return Ok(at);
        }
        if at.next == Next::Recover {
            asked.is(ctx, Err(why.clone()));
            continue;
        }
        let then = resolved(ctx, at.clone(), asked).await?;
        if then != at {
            return Ok(then);
        }
    }
}

/// The next decision; `None` when nobody asks and the workflow is cancelled.
async fn asked(ctx: &Ctx) -> Option<Asked> {
    // The one error is the cancellation.
    let _cancelled = ctx.wait_condition(|import| !import.asked.is_empty()).await;
    ctx.state_mut(|import| import.asked.pop_front())
}

/// Waits for so long, unless somebody decides.
async fn wait(ctx: &Ctx, time: Duration) {
    let token = WorkflowCancellationToken::new();
    let mut timer = pin!(ctx.timer(TimerOptions::builder(time).cancellation_token(token.clone()).build()));
    let mut asked = pin!(until(ctx, |import| !import.asked.is_empty()).fuse());
    select! {
        _ = timer => {}
        () = asked => token.cancel(),
    }
}

/// Waits, cancelled or not.
async fn until(ctx: &Ctx, condition: impl FnMut(&Import) -> bool) {
    let options = WaitConditionOptions::builder().cancellation_token(WorkflowCancellationToken::new()).build();
    let _never_cancelled = ctx.wait_condition_with_options(condition, options).await;
}

/// Nobody who asked is left without an answer.
async fn finish(ctx: &Ctx) {
    while let Some(asked) = ctx.state_mut(|import| import.asked.pop_front()) {
        asked.is(ctx, Err("the import is over".to_owned()));
    }
    let handlers = ctx.clone();
    until(ctx, move |_| handlers.all_handlers_finished()).await;
}

fn from_now(ctx: &Ctx, at_ms: u64) -> Duration {
    let now = ctx.workflow_time().unwrap_or(UNIX_EPOCH);
    let at: SystemTime = UNIX_EPOCH + Duration::from_millis(at_ms);
    at.duration_since(now).unwrap_or_default()
}

/// No call is cancelled by Temporal: it is short, and its answer is wanted.
fn uncancelled(tries: RetryPolicy) -> ActivityOptions {
    ActivityOptions::with_start_to_close_timeout(CALL)
        .heartbeat_timeout(SILENCE)
        .cancellation_token(WorkflowCancellationToken::new())
        .retry_policy(tries)
        .build()
}

fn repeated() -> ActivityOptions {
    uncancelled(RetryPolicy::builder().maximum_interval(RETRY).build())
}

fn once() -> ActivityOptions {
    uncancelled(RetryPolicy::builder().maximum_attempts(1).build())
}

fn failed(why: String) -> WorkflowTermination {
    ApplicationFailure::non_retryable(why).into()
}

/// What the worker said, without what Temporal says around it.
fn words(error: &ActivityExecutionError) -> String {
    error.cause().map_or_else(|| error.to_string(), |cause| cause.failure().message.clone())
}

#[cfg(test)]
mod tests {
    use fhir_import::contract::{Wake, WakeReason};
    use serde_json::json;

    use super::*;

    fn standing() -> Standing {
        let next = Next::Wait(Wake { at_ms: 7, reason: WakeReason::Poll, server_asked_ms: None });
        let plan = serde_json::from_value("0".repeat(64).into()).unwrap();
        Standing { server: "https://fhir.example.org/fhir".to_owned(), plan, checkpoint: "{}".to_owned(), next }
    }

    #[test]
    fn a_run_that_goes_on_is_not_taken_for_a_request() {
        let stored = serde_json::to_string(&Given::Again(Box::new(standing()))).unwrap();
        let Ok(Given::Again(at)) = serde_json::from_str(&stored) else { panic!("{stored}") };
        assert_eq!(*at, standing());
    }

    #[test]
    fn a_request_of_the_contract_is_one() {
        let request = json!({
            "id": "0123456789abcdef0123456789abcdef", "time_ms": 1, "purpose": "Import",
            "base_url": "https://fhir.example.org/fhir", "dialect": "Detect",
            "inputs": [{
                "url": "https://files.example.org/p.ndjson", "resource_type": "Patient", "resources": null, "etag": null,
            }],
            "samples": [], "expected": [], "settings": [["a", "b"]], "documents_url": null,
            "policy": { "poll_max_ms": 1, "deadline_ms": 1, "max_errors": 0 },
        });
        assert!(matches!(serde_json::from_value(request), Ok(Given::Request(_))));
    }
}
