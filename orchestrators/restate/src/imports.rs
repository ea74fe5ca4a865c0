//! An import as a virtual object: short invocations, each of which makes one call of the contract, stores what follows,
//! and sends itself the next one. Restate runs one of them at a time, which is the contract's third rule.

use std::time::Duration;

use fhir_import::contract::{Decision, Next, Request, Status};
use fhir_import::embed::{Answer, Standing, WorkError, Worker};
use fhir_import::{Call, Clock, SystemClock};
use restate_sdk::prelude::*;
use serde::{Deserialize, Serialize};

/// Where the state of an import is.
const IMPORT: &str = "import";

/// What Restate keeps of an import.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Stored {
    /// Where it stands. The plan is kept beside Restate.
    #[serde(flatten)]
    pub at: Standing,
    /// The tick that is waited for. Those that were sent before a decision, or a second start, are void.
    pub turn: u64,
    /// Why it does not go on, if it does not.
    pub mistake: Option<String>,
}

/// The imports of a worker.
pub struct Imports(Worker);

impl Imports {
    /// Imports with the rights of a worker.
    #[must_use]
    pub fn new(worker: Worker) -> Self {
        Self(worker)
    }

    /// One call of the contract, which is made again when this worker dies, but for a kick-off: that is recovered.
    async fn go_on(&self, ctx: &ObjectContext<'_>, stored: &Stored) -> Result<Standing, TerminalError> {
        let call = match stored.at.next {
            Next::Submit => claim(ctx, stored).await?,
            Next::Recover => Call::Recover,
            Next::Step | Next::Wait(_) | Next::Paused(_) | Next::Done(_) => Call::Step,
        };
        let done = ctx.run(async || made(ctx.key(), self.0.call(call, &stored.at).await));
        done.name("call").retry_policy(a_few_times()).await.map(Json::into_inner)
    }
}

/// What came of a call: said in the worker's log, stored by Restate. An error that trying again does not mend is terminal.
fn made(id: &str, answer: Result<Answer, WorkError>) -> HandlerResult<Json<Standing>> {
    match answer {
        Ok(Answer { at, log }) => {
            log.iter().for_each(|line| eprintln!("{id} {line}"));
            Ok(Json(at))
        }
        Err(error) if error.may_pass() => Err(error.into()),
        Err(error) => Err(TerminalError::new(error.to_string()).into()),
    }
}

// No exchange takes longer than 15 minutes, the limit of the host. A worker that is away is waited for: the import has
// its own deadline.
#[object(
    name = "FhirImport",
    inactivity_timeout = "16m",
    abort_timeout = "1m",
    invocation_retry_policy(
        initial_interval = "100ms",
        factor = 2.0,
        max_interval = "10s",
        max_attempts = 1_000_000,
        on_max_attempts = "pause"
    )
)]
impl Imports {
    /// Begins an import. Begun again, it goes on where it is, also after a mistake was mended.
    #[handler]
    async fn begin(&self, ctx: ObjectContext<'_>, request: Json<Request>) -> HandlerResult<()> {
        let Json(request) = request;
        if request.id != ctx.key() {
            return Err(TerminalError::new("id: must be the key of the object").into());
        }
        let stored = match load(&ctx).await? {
            Some(stored) => stored,
            None => {
                let begun = ctx.run(async || made(ctx.key(), self.0.start(&request).await));
                let at = begun.name("start").retry_policy(a_few_times()).await?.into_inner();
                Stored { at, turn: 0, mistake: None }
            }
        };
        schedule(&ctx, stored).await
    }

    /// Goes on. Sent by the import to itself.
    #[handler(ingress_private)]
    async fn tick(&self, ctx: ObjectContext<'_>, turn: u64) -> HandlerResult<()> {
        let Some(stored) = load(&ctx).await?.filter(|stored| stored.turn == turn) else { return Ok(()) };
        match self.go_on(&ctx, &stored).await {
            Ok(at) => schedule(&ctx, Stored { at, ..stored }).await,
            Err(error) => {
                let mistake = Some(error.message().to_owned());
                ctx.set(IMPORT, Json(Stored { at: after_mistake(stored.at), mistake, ..stored }));
                Err(error.into())
            }
        }
    }

    /// Takes a decision at once if the import waits, and after the call that is under way otherwise.
    #[handler]
    async fn decide(&self, ctx: ObjectContext<'_>, decision: Json<Decision>) -> HandlerResult<()> {
        let mut stored = load(&ctx).await?.ok_or_else(|| unknown(ctx.key()))?;
        if stored.at.next == Next::Recover {
            stored.at = self.go_on(&ctx, &stored).await?;
        }
        let taken = ctx.run(async || made(ctx.key(), self.0.resolve(&stored.at, &decision.0).await));
        let at = taken.name("resolve").retry_policy(a_few_times()).await?.into_inner();
        schedule(&ctx, Stored { at, ..stored }).await
    }

    /// What is stored. Asked for often, so Restate keeps no record of it.
    #[handler(journal_retention = "0s")]
    async fn look(&self, ctx: SharedObjectContext<'_>) -> HandlerResult<Json<Stored>> {
        let stored = ctx.get::<Json<Stored>>(IMPORT).await?;
        Ok(stored.ok_or_else(|| unknown(ctx.key()))?)
    }

    /// Where the import stands, for people.
    #[handler(journal_retention = "0s")]
    async fn status(&self, ctx: SharedObjectContext<'_>) -> HandlerResult<Json<Status>> {
        let stored = ctx.get::<Json<Stored>>(IMPORT).await?.ok_or_else(|| unknown(ctx.key()))?;
        let status = self.0.inspect(&stored.0.at).await;
        Ok(Json(status.map_err(|error| TerminalError::new(error.to_string()))?))
    }
}

/// Who may submit: the one attempt that wrote its name into the journal. That a submit may have happened is in the state
/// before the name is, so that whoever ends this invocation by hand does not bring about a second one.
async fn claim(ctx: &ObjectContext<'_>, stored: &Stored) -> Result<Call, TerminalError> {
    ctx.set(IMPORT, Json(Stored { at: recovered(stored.at.clone()), ..stored.clone() }));
    let name = fastrand::u64(..);
    // Restate's retry limits are not at-most-once: an attempt that died is followed by another one, which finds the name
    // of the first.
    let first: u64 = ctx.run(async || Ok(name)).name("claim").await?;
    Ok(if first == name { Call::Submit } else { Call::Recover })
}

/// Nobody knows whether a kick-off that failed was sent.
fn after_mistake(at: Standing) -> Standing {
    if at.next == Next::Submit { recovered(at) } else { at }
}

fn recovered(at: Standing) -> Standing {
    Standing { next: Next::Recover, ..at }
}

async fn load(ctx: &ObjectContext<'_>) -> Result<Option<Stored>, TerminalError> {
    Ok(ctx.get::<Json<Stored>>(IMPORT).await?.map(Json::into_inner))
}

/// Stores where the import is, and sends the next tick.
async fn schedule(ctx: &ObjectContext<'_>, stored: Stored) -> HandlerResult<()> {
    let stored = Stored { turn: stored.turn + 1, mistake: None, ..stored };
    ctx.set(IMPORT, Json(stored.clone()));
    let delay = match stored.at.next {
        Next::Done(_) | Next::Paused(_) => return Ok(()),
        Next::Wait(wake) => until(ctx, wake.at_ms).await?,
        Next::Step | Next::Submit | Next::Recover => Duration::ZERO,
    };
    ctx.object_client::<ImportsClient>(ctx.key()).tick(stored.turn).send_after(delay);
    Ok(())
}

/// How long it is until then, by a clock that is read once.
async fn until(ctx: &ObjectContext<'_>, at_ms: u64) -> Result<Duration, TerminalError> {
    let now_ms: u64 = ctx.run(async || Ok(SystemClock::new().now_ms())).name("now").await?;
    Ok(Duration::from_millis(at_ms.saturating_sub(now_ms)))
}

fn unknown(id: &str) -> TerminalError {
    TerminalError::new_with_code(
        404,
        format!("no import {id} was begun here: check the id, and which Restate is asked"),
    )
}

fn a_few_times() -> RunRetryPolicy {
    RunRetryPolicy::default().initial_delay(Duration::from_millis(200)).max_attempts(5)
}
