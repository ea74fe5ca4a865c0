//! An import as a virtual object: short invocations, each of which makes one call of the contract, stores what follows,
//! and sends itself the next one. Restate runs one of them at a time, which is the contract's third rule.

use std::time::Duration;

use fhir_import::contract::{Decision, Next, Request, Status, Transition};
use fhir_import::files::ContentDigest;
use fhir_import::{Call, Clock, SystemClock};
use restate_sdk::prelude::*;
use serde::{Deserialize, Serialize};

use crate::worker::Worker;

/// Where the state of an import is.
const IMPORT: &str = "import";

/// What Restate keeps of an import.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Stored {
    /// Which plan; it is kept beside Restate.
    pub plan: ContentDigest,
    /// The FHIR server.
    pub server: String,
    /// The contract's checkpoint.
    pub checkpoint: String,
    /// What is next.
    pub next: Next,
    /// The tick that is waited for. Those that were sent before a decision, or a second start, are void.
    pub turn: u64,
    /// Why it does not go on, if it does not.
    pub mistake: Option<String>,
}

impl Stored {
    pub(crate) fn new(plan: ContentDigest, server: String, first: Transition) -> Self {
        Self { plan, server, checkpoint: first.checkpoint, next: first.next, turn: 0, mistake: None }
    }

    fn moved(self, to: Transition) -> Self {
        Self { checkpoint: to.checkpoint, next: to.next, ..self }
    }
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
    async fn go_on(&self, ctx: &ObjectContext<'_>, stored: &Stored) -> Result<Transition, TerminalError> {
        let call = match stored.next {
            Next::Submit => claim(ctx, stored).await?,
            Next::Recover => Call::Recover,
            Next::Step | Next::Wait(_) | Next::Paused(_) | Next::Done(_) => Call::Step,
        };
        let done = ctx.run(async || self.0.call(call, stored).await.map(Json));
        done.name("call").retry_policy(a_few_times()).await.map(Json::into_inner)
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
                let begun = ctx.run(async || self.0.begin(&request).await.map(Json));
                begun.name("start").retry_policy(a_few_times()).await?.into_inner()
            }
        };
        schedule(&ctx, stored).await
    }

    /// Goes on. Sent by the import to itself.
    #[handler(ingress_private)]
    async fn tick(&self, ctx: ObjectContext<'_>, turn: u64) -> HandlerResult<()> {
        let Some(stored) = load(&ctx).await?.filter(|stored| stored.turn == turn) else { return Ok(()) };
        match self.go_on(&ctx, &stored).await {
            Ok(transition) => schedule(&ctx, stored.moved(transition)).await,
            Err(error) => {
                let next = after_mistake(stored.next.clone());
                ctx.set(IMPORT, Json(Stored { next, mistake: Some(error.message().to_owned()), ..stored }));
                Err(error.into())
            }
        }
    }

    /// Takes a decision at once if the import waits, and after the call that is under way otherwise.
    #[handler]
    async fn decide(&self, ctx: ObjectContext<'_>, decision: Json<Decision>) -> HandlerResult<()> {
        let mut stored = load(&ctx).await?.ok_or_else(|| unknown(ctx.key()))?;
        if stored.next == Next::Recover {
            stored = stored.clone().moved(self.go_on(&ctx, &stored).await?);
        }
        let taken = ctx.run(async || self.0.resolve(&stored, &decision.0).await.map(Json));
        let transition = taken.name("resolve").retry_policy(a_few_times()).await?.into_inner();
        schedule(&ctx, stored.moved(transition)).await
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
        self.0.inspect(&stored.0).await.map(Json)
    }
}

/// Who may submit: the one attempt that wrote its name into the journal. That a submit may have happened is in the state
/// before the name is, so that whoever ends this invocation by hand does not bring about a second one.
async fn claim(ctx: &ObjectContext<'_>, stored: &Stored) -> Result<Call, TerminalError> {
    ctx.set(IMPORT, Json(Stored { next: Next::Recover, ..stored.clone() }));
    let name = fastrand::u64(..);
    // Restate's retry limits are not at-most-once: an attempt that died is followed by another one, which finds the name
    // of the first.
    let first: u64 = ctx.run(async || Ok(name)).name("claim").await?;
    Ok(if first == name { Call::Submit } else { Call::Recover })
}

/// Nobody knows whether a kick-off that failed was sent.
fn after_mistake(next: Next) -> Next {
    if next == Next::Submit { Next::Recover } else { next }
}

async fn load(ctx: &ObjectContext<'_>) -> Result<Option<Stored>, TerminalError> {
    Ok(ctx.get::<Json<Stored>>(IMPORT).await?.map(Json::into_inner))
}

/// Stores where the import is, and sends the next tick.
async fn schedule(ctx: &ObjectContext<'_>, stored: Stored) -> HandlerResult<()> {
    let stored = Stored { turn: stored.turn + 1, mistake: None, ..stored };
    ctx.set(IMPORT, Json(stored.clone()));
    let delay = match stored.next {
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
