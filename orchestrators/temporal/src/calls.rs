//! The activities: each makes one call of the contract. They decide nothing.
#![expect(
    missing_docs,
    clippy::missing_errors_doc,
    reason = "the SDK's macros write undocumented constants; every call fails as `told` says"
)]

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use fhir_import::contract::{Next, Request, Transition};
use fhir_import::embed::{PlanError, Plans, Rights};
use fhir_import::{Call, CallError, Engine};
use temporalio_sdk::ApplicationFailure;
use temporalio_sdk::activities::{ActivityContext, ActivityError, activities};

use crate::standing::{Decided, Standing};

/// How often a call says that it is alive.
pub(crate) const BEAT: Duration = Duration::from_secs(2);

/// How often a component that dies, or a folder that cannot be read, is tried.
const TRIES: u32 = 5;

/// What a worker does for imports, with the rights of this worker.
pub struct Calls {
    engine: Engine,
    rights: Rights,
    plans: Plans,
}

impl Calls {
    /// Calls with these rights. All workers see the same plans.
    #[must_use]
    pub fn new(engine: Engine, rights: Rights, plans: Plans) -> Self {
        Self { engine, rights, plans }
    }
}

#[activities]
impl Calls {
    /// Makes a plan and keeps it. Sends nothing.
    #[activity(name = "start")]
    pub async fn start(self: Arc<Self>, ctx: ActivityContext, request: Request) -> Result<Standing, ActivityError> {
        self.planned(&ctx, request).await.map_err(|error| told(&ctx, &error))
    }

    /// `importer.step`.
    #[activity(name = "step")]
    pub async fn step(self: Arc<Self>, ctx: ActivityContext, at: Standing) -> Result<Standing, ActivityError> {
        self.called(&ctx, Call::Step, at).await.map_err(|error| told(&ctx, &error))
    }

    /// `importer.submit`: the one that is never repeated.
    #[activity(name = "submit")]
    pub async fn submit(self: Arc<Self>, ctx: ActivityContext, at: Standing) -> Result<Standing, ActivityError> {
        self.called(&ctx, Call::Submit, at).await.map_err(|error| told(&ctx, &error))
    }

    /// `importer.recover`.
    #[activity(name = "recover")]
    pub async fn recover(self: Arc<Self>, ctx: ActivityContext, at: Standing) -> Result<Standing, ActivityError> {
        self.called(&ctx, Call::Recover, at).await.map_err(|error| told(&ctx, &error))
    }

    /// `importer.resolve`. Sends nothing.
    #[activity(name = "resolve")]
    pub async fn resolve(self: Arc<Self>, ctx: ActivityContext, decided: Decided) -> Result<Standing, ActivityError> {
        self.resolved(&ctx, decided).await.map_err(|error| told(&ctx, &error))
    }
}

impl Calls {
    async fn planned(&self, ctx: &ActivityContext, request: Request) -> anyhow::Result<Standing> {
        let started = self.rights.importer(&self.engine, &request.base_url)?.start(&request).await?;
        if request.documents_url.is_some() && !started.documents.is_empty() {
            bail!(
                "documents-url: nobody publishes the documents of this plan: leave it out, and serve the files yourself"
            );
        }
        let plan = self.plans.keep(&started.plan)?;
        let at = Standing { server: request.base_url, plan, checkpoint: String::new(), next: Next::Step };
        Ok(happened(ctx, at, started.transition))
    }

    async fn called(&self, ctx: &ActivityContext, call: Call, at: Standing) -> anyhow::Result<Standing> {
        // Made anew for each call, so that a credential that was mended is the one that is used.
        let importer = self.rights.importer(&self.engine, &at.server)?;
        let plan = self.plans.get(&at.plan)?;
        let moved = beating(ctx, importer.call(call, &plan, &at.checkpoint)).await?;
        moved.failures.iter().for_each(|failure| tell(ctx, "network", &failure.to_string()));
        Ok(happened(ctx, at, moved.transition))
    }

    async fn resolved(&self, ctx: &ActivityContext, Decided { at, decision }: Decided) -> anyhow::Result<Standing> {
        let importer = self.rights.importer(&self.engine, &at.server)?;
        let plan = self.plans.get(&at.plan)?;
        let transition = importer.resolve(&plan, &at.checkpoint, &decision).await?;
        Ok(happened(ctx, at, transition))
    }
}

fn happened(ctx: &ActivityContext, at: Standing, transition: Transition) -> Standing {
    transition.events.iter().for_each(|event| tell(ctx, &event.kind, &event.text));
    at.after(transition)
}

/// The worker's log. Events hold no secrets and no resources.
fn tell(ctx: &ActivityContext, kind: &str, text: &str) {
    eprintln!("{} {kind}: {text}", ctx.info().workflow_id.as_deref().unwrap_or("import"));
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

/// A failure that Temporal tries again only where that can help.
fn told(ctx: &ActivityContext, error: &anyhow::Error) -> ActivityError {
    let words = format!("{error:#}");
    tell(ctx, "fault", &words);
    ActivityError::application(if may_pass(error) && ctx.info().attempt < TRIES {
        ApplicationFailure::new(words)
    } else {
        ApplicationFailure::non_retryable(words)
    })
}

fn may_pass(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(CallError::Died(_)))
        || matches!(error.downcast_ref(), Some(PlanError::Folder { .. }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_that_is_gone_does_not_come_back_by_itself() {
        let folder = tempfile::tempdir().unwrap();
        let digest = serde_json::from_value("0".repeat(64).into()).unwrap();
        let missing = Plans::in_folder(folder.path()).unwrap().get(&digest).unwrap_err();
        assert!(!may_pass(&missing.into()));
    }

    #[test]
    fn a_folder_that_cannot_be_used_may_be_mended_meanwhile() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let no_folder = Plans::in_folder(&file.path().join("plans")).unwrap_err();
        assert!(may_pass(&no_folder.into()));
    }
}
