//! The activities: each makes one call of the contract. They decide nothing.
#![expect(
    missing_docs,
    clippy::missing_errors_doc,
    reason = "the SDK's macros write undocumented constants; every call fails as `made` says"
)]

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use fhir_import::Call;
use fhir_import::contract::{Decision, Request};
use fhir_import::embed::{Answer, Standing, WorkError, Worker};
use serde::{Deserialize, Serialize};
use temporalio_sdk::ApplicationFailure;
use temporalio_sdk::activities::{ActivityContext, ActivityError, activities};

/// How often a call says that it is alive.
pub(crate) const BEAT: Duration = Duration::from_secs(2);

/// How often a component that dies, or a folder that cannot be read, is tried.
const TRIES: u32 = 5;

/// A decision, and what it is about.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Decided {
    /// Where the import stands.
    pub at: Standing,
    /// What was decided.
    pub decision: Decision,
}

/// What a worker does for imports.
pub struct Calls(Worker);

impl Calls {
    /// Calls with the rights of this worker.
    #[must_use]
    pub fn new(worker: Worker) -> Self {
        Self(worker)
    }
}

#[activities]
impl Calls {
    /// Makes a plan and keeps it. Sends nothing.
    #[activity(name = "start")]
    pub async fn start(self: Arc<Self>, ctx: ActivityContext, request: Request) -> Result<Standing, ActivityError> {
        made(&ctx, self.0.start(&request)).await
    }

    /// `importer.step`.
    #[activity(name = "step")]
    pub async fn step(self: Arc<Self>, ctx: ActivityContext, at: Standing) -> Result<Standing, ActivityError> {
        made(&ctx, self.0.call(Call::Step, &at)).await
    }

    /// `importer.submit`: the one that is never repeated.
    #[activity(name = "submit")]
    pub async fn submit(self: Arc<Self>, ctx: ActivityContext, at: Standing) -> Result<Standing, ActivityError> {
        made(&ctx, self.0.call(Call::Submit, &at)).await
    }

    /// `importer.recover`.
    #[activity(name = "recover")]
    pub async fn recover(self: Arc<Self>, ctx: ActivityContext, at: Standing) -> Result<Standing, ActivityError> {
        made(&ctx, self.0.call(Call::Recover, &at)).await
    }

    /// `importer.resolve`. Sends nothing.
    #[activity(name = "resolve")]
    pub async fn resolve(self: Arc<Self>, ctx: ActivityContext, decided: Decided) -> Result<Standing, ActivityError> {
        made(&ctx, self.0.resolve(&decided.at, &decided.decision)).await
    }
}

/// Makes a call, and tells the worker's log what came of it. A failure is tried again only where that can help.
async fn made(
    ctx: &ActivityContext,
    call: impl Future<Output = Result<Answer, WorkError>>,
) -> Result<Standing, ActivityError> {
    let id = ctx.info().workflow_id.as_deref().unwrap_or("import");
    match beating(ctx, call).await {
        Ok(Answer { at, log }) => {
            log.iter().for_each(|line| eprintln!("{id} {line}"));
            Ok(at)
        }
        Err(error) => {
            eprintln!("{id} fault: {error}");
            let again = error.may_pass() && ctx.info().attempt < TRIES;
            let failure = if again { ApplicationFailure::new } else { ApplicationFailure::non_retryable };
            Err(ActivityError::application(failure(error.to_string())))
        }
    }
}

/// A call that says that it is alive, so that its worker's death is noticed.
async fn beating<T>(ctx: &ActivityContext, call: impl Future<Output = T>) -> T {
    let mut call = pin!(call);
    loop {
        if let Ok(answer) = tokio::time::timeout(BEAT, &mut call).await {
            return answer;
        }
        // A beat carries nothing, so nothing about it can fail.
        let _sent = ctx.record_heartbeat(()).await;
    }
}
