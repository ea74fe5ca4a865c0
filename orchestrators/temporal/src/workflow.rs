//! The workflow: loop, timers and cancellation. It decides nothing about an import.
#![expect(missing_docs, clippy::missing_errors_doc, reason = "the macros of the SDK write what is not documented")]

use std::cell::OnceCell;
use std::collections::VecDeque;
use std::error::Error;
use std::pin::pin;
use std::rc::Rc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fhir_import::Call;
use fhir_import::contract::{Decision, Next, Report};
use temporalio_common::RetryPolicy;
use temporalio_sdk::{
    ActivityExecutionError, ActivityOptions, ApplicationFailure, ContinueAsNewOptions, SyncWorkflowContext,
    TimerOptions, WaitConditionOptions, WorkflowCancellationToken, WorkflowContext, WorkflowContextView,
    WorkflowResult,
};
use temporalio_workflow::{select, workflow, workflow_methods};

use crate::calls::Calls;
use crate::standing::{Decided, Given, Progress, Standing};

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

/// An import. Its id is the request's, so that it exists once.
#[workflow]
#[derive(Default)]
pub struct Import {
    progress: Progress,
    asked: VecDeque<Asked>,
}

/// A decision that was not taken yet.
struct Asked {
    decision: Decision,
    answer: Answer,
}

/// What came of it, for whoever asked; refused in the words of the component.
type Answer = Rc<OnceCell<Result<(), String>>>;

/// Whether the component knows about the cancellation of the workflow.
enum Cancellation {
    NotTold,
    Told,
}

enum Turn {
    Call(Call),
    Resolve(Asked),
}

#[workflow_methods]
impl Import {
    /// Drives an import to its end.
    #[run(name = "fhir-import")]
    pub async fn run(ctx: &mut WorkflowContext<Self>, given: Given) -> WorkflowResult<Report> {
        let mut at = match given {
            Given::Again(at) => *at,
            Given::Request(request) => ctx.execute_activity(Calls::start, *request, repeated()).await?,
        };
        let mut cancellation = Cancellation::NotTold;
        loop {
            ctx.state_mut(|import| import.progress = Progress::Driven(at.clone()));
            if let Next::Done(report) = at.next {
                finish(ctx).await;
                return Ok(report);
            }
            if is_long(ctx) {
                ctx.continue_as_new(Given::Again(Box::new(at.clone())), ContinueAsNewOptions::default())?;
            }
            at = match turn(ctx, &at, &mut cancellation).await {
                Turn::Call(call) => called(ctx, at, call).await?,
                Turn::Resolve(asked) => resolved(ctx, at, asked).await?,
            };
        }
    }

    /// Takes a decision, in its turn. Who wants to know what came of it uses the update.
    #[signal(name = "resolve")]
    pub fn resolve(&mut self, _: &mut SyncWorkflowContext<Self>, decision: Decision) {
        self.asked.push_back(Asked { decision, answer: Answer::default() });
    }

    /// Takes a decision, in its turn, and answers when it was taken or refused.
    #[update(name = "resolve")]
    pub async fn decide(
        ctx: &mut WorkflowContext<Self>,
        decision: Decision,
    ) -> Result<(), Box<dyn Error + Send + Sync>> {
        let answer = Answer::default();
        let asked = Asked { decision, answer: answer.clone() };
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

impl Asked {
    fn is(&self, ctx: &Ctx, answer: Result<(), String>) {
        // A change of the state, since that wakes whoever waits for the answer.
        ctx.state_mut(|_| self.answer.set(answer).expect("it is answered once"));
    }
}

type Ctx = WorkflowContext<Import>;

/// What comes next, when it is time for it. Until a kick-off is known to have arrived or not, nothing is decided.
async fn turn(ctx: &Ctx, at: &Standing, cancellation: &mut Cancellation) -> Turn {
    loop {
        if at.next == Next::Recover {
            return Turn::Call(Call::Recover);
        }
        if let Some(decision) = by_cancellation(ctx, at, cancellation) {
            return Turn::Resolve(Asked { decision, answer: Answer::default() });
        }
        if let Some(asked) = ctx.state_mut(|import| import.asked.pop_front()) {
            return Turn::Resolve(asked);
        }
        match &at.next {
            Next::Submit => return Turn::Call(Call::Submit),
            Next::Wait(wake) if !from_now(ctx, wake.at_ms).is_zero() => {
                wait(ctx, from_now(ctx, wake.at_ms), cancellation).await;
            }
            Next::Paused(_) => {
                ctx.state_mut(|import| import.progress = Progress::Paused(at.clone()));
                asked_or_cancelled(ctx).await;
                ctx.state_mut(|import| import.progress = Progress::Driven(at.clone()));
            }
            _ => return Turn::Call(Call::Step),
        }
    }
}

/// A cancelled workflow asks for a cancel once, and gives up where only a person could help.
fn by_cancellation(ctx: &Ctx, at: &Standing, cancellation: &mut Cancellation) -> Option<Decision> {
    if !ctx.cancellation_token().is_cancelled() {
        return None;
    }
    match (&at.next, std::mem::replace(cancellation, Cancellation::Told)) {
        (_, Cancellation::NotTold) => Some(Decision::Cancel),
        (Next::Paused(_), Cancellation::Told) => Some(Decision::GiveUp),
        (_, Cancellation::Told) => None,
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
            ctx.timer(TimerOptions::builder(EARLY).cancellation_token(WorkflowCancellationToken::new()).build()).await;
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
    ctx.state_mut(|import| import.progress = Progress::Stuck { at: at.clone(), why: why.clone() });
    loop {
        asked_or_cancelled(ctx).await;
        let Some(asked) = ctx.state_mut(|import| import.asked.pop_front()) else { return Err(failed(why)) };
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

/// Nobody who asked is left without an answer.
async fn finish(ctx: &Ctx) {
    while let Some(asked) = ctx.state_mut(|import| import.asked.pop_front()) {
        asked.is(ctx, Err("the import is over".to_owned()));
    }
    let handlers = ctx.clone();
    until(ctx, move |_| handlers.all_handlers_finished()).await;
}

fn is_long(ctx: &Ctx) -> bool {
    let long = ctx.history_length() > LONG || ctx.continue_as_new_suggested();
    let nobody_asks = ctx.state(|import| import.asked.is_empty()) && ctx.all_handlers_finished();
    // A new run would not know of a cancellation.
    long && nobody_asks && !ctx.cancellation_token().is_cancelled()
}

/// Waits for so long, unless somebody decides, or cancels what was not cancelled before.
async fn wait(ctx: &Ctx, time: Duration, cancellation: &Cancellation) {
    let token = match cancellation {
        Cancellation::NotTold => ctx.cancellation_token().child_token(),
        Cancellation::Told => WorkflowCancellationToken::new(),
    };
    let mut timer = pin!(ctx.timer(TimerOptions::builder(time).cancellation_token(token.clone()).build()));
    let options = WaitConditionOptions::builder().cancellation_token(token.clone()).build();
    let mut asked = pin!(ctx.wait_condition_with_options(|import| !import.asked.is_empty(), options));
    select! {
        _ = timer => {}
        _ = asked => {}
    }
    token.cancel();
}

async fn asked_or_cancelled(ctx: &Ctx) {
    // The one error is the cancellation.
    let _cancelled = ctx.wait_condition(|import| !import.asked.is_empty()).await;
}

/// Waits, cancelled or not.
async fn until(ctx: &Ctx, condition: impl FnMut(&Import) -> bool) {
    let options = WaitConditionOptions::builder().cancellation_token(WorkflowCancellationToken::new()).build();
    let _never_cancelled = ctx.wait_condition_with_options(condition, options).await;
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

fn failed(why: String) -> temporalio_sdk::WorkflowTermination {
    ApplicationFailure::non_retryable(why).into()
}

/// What the worker said, without what Temporal says around it.
fn words(error: &ActivityExecutionError) -> String {
    error.cause().map_or_else(|| error.to_string(), |cause| cause.failure().message.clone())
}
