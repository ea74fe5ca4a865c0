//! What a worker does for the imports of an engine: the calls of the contract, with the rights of this worker.

use std::sync::Arc;
use std::{error, fmt};

use serde::{Deserialize, Serialize};
use url::Url;

use super::{PlanError, Plans, Rights, RightsError, words};
use crate::clock::{SharedClock, SystemClock};
use crate::contract::{Decision, Next, Request, Status, Transition};
use crate::engine::Engine;
use crate::files::ContentDigest;
use crate::importer::{Call, CallError, Importer, inspect};
use crate::net::redact_url;

/// Where an import stands: all that an engine has to store of it. Its plan is kept beside the engine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Standing {
    /// The FHIR server's base URL, which decides about a worker's rights.
    pub server: String,
    /// The plan's digest.
    pub plan: ContentDigest,
    /// The component's own text.
    pub checkpoint: String,
    /// What to do next.
    pub next: Next,
}

/// Where an import stands after a call, and what is to be said about it.
#[derive(Debug)]
pub struct Answer {
    /// Where it stands.
    pub at: Standing,
    /// Lines for the worker's log: they hold no secret and no resource.
    pub log: Vec<String>,
}

/// Why a call was not made, or gave no answer. It is said with its causes, since engines store text.
#[derive(Debug)]
pub enum WorkError {
    /// This worker may not, or cannot, reach the server.
    Rights(RightsError),
    /// The plan cannot be had.
    Plan(PlanError),
    /// The component refused the call, or died.
    Call(CallError),
    /// The plan wants documents published, which no worker does.
    Documents,
}

impl WorkError {
    /// Whether the same call may succeed a little later. What was refused is refused again, and a plan that is gone
    /// stays away until a person brings it back; a folder may only be slow to appear.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Call(CallError::Died(_)) | Self::Plan(PlanError::Folder { .. }))
    }
}

impl fmt::Display for WorkError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rights(error) => out.write_str(&words(error)),
            Self::Plan(error) => out.write_str(&words(error)),
            Self::Call(error) => out.write_str(&words(error)),
            Self::Documents => out.write_str(
                "documents-url: nobody publishes the documents of this plan: leave it out and serve the files yourself, \
                 or use the command line",
            ),
        }
    }
}

impl error::Error for WorkError {}

/// A worker: the component, what it may reach here, and the plans that all workers see.
pub struct Worker {
    engine: Engine,
    rights: Rights,
    plans: Plans,
}

impl Worker {
    /// A worker with these rights.
    #[must_use]
    pub fn new(engine: Engine, rights: Rights, plans: Plans) -> Self {
        Self { engine, rights, plans }
    }

    /// `importer.start`; the plan goes to the other plans. Sends nothing.
    ///
    /// # Errors
    /// [`WorkError`].
    pub async fn start(&self, request: &Request) -> Result<Answer, WorkError> {
        let started = self.importer(&request.base_url)?.start(request).await.map_err(WorkError::Call)?;
        // Without a URL for them, documents belong to dialects that detection may still rule out.
        if request.documents_url.is_some() && !started.documents.is_empty() {
            return Err(WorkError::Documents);
        }
        let plan = self.plans.keep(&started.plan).map_err(WorkError::Plan)?;
        Ok(Answer::new(&request.base_url, plan, started.transition, Vec::new()))
    }

    /// `importer.step`, `submit` or `recover`.
    ///
    /// # Errors
    /// [`WorkError`]. After a `submit` that failed, nobody knows whether it was sent: `recover` follows.
    pub async fn call(&self, call: Call, at: &Standing) -> Result<Answer, WorkError> {
        let plan = self.plan(at)?;
        let moved = self.importer(&at.server)?.call(call, &plan, &at.checkpoint).await.map_err(WorkError::Call)?;
        let failures = moved.failures.iter().map(|failure| format!("network: {failure}")).collect();
        Ok(Answer::new(&at.server, at.plan, moved.transition, failures))
    }

    /// `importer.resolve`. Sends nothing.
    ///
    /// # Errors
    /// [`WorkError`].
    pub async fn resolve(&self, at: &Standing, decision: &Decision) -> Result<Answer, WorkError> {
        let plan = self.plan(at)?;
        let importer = self.importer(&at.server)?;
        let transition = importer.resolve(&plan, &at.checkpoint, decision).await.map_err(WorkError::Call)?;
        Ok(Answer::new(&at.server, at.plan, transition, Vec::new()))
    }

    /// Where an import stands, for people.
    ///
    /// # Errors
    /// [`WorkError`].
    pub async fn inspect(&self, at: &Standing) -> Result<Status, WorkError> {
        self.plans.inspect(&self.engine, at).await
    }

    /// Made anew for each call, so that a credential that was mended is the one that is used.
    fn importer(&self, server: &str) -> Result<Importer, WorkError> {
        self.rights.importer(&self.engine, server).map_err(WorkError::Rights)
    }

    fn plan(&self, at: &Standing) -> Result<String, WorkError> {
        self.plans.get(&at.plan).map_err(WorkError::Plan)
    }
}

impl Plans {
    /// Where an import stands, for people who see the plans. No rights are needed: `importer.inspect` sends nothing.
    ///
    /// # Errors
    /// [`WorkError::Plan`], [`WorkError::Call`].
    pub async fn inspect(&self, engine: &Engine, at: &Standing) -> Result<Status, WorkError> {
        let clock: SharedClock = Arc::new(SystemClock::new());
        let plan = self.get(&at.plan).map_err(WorkError::Plan)?;
        let status = inspect(engine, &clock, &plan, &at.checkpoint).await.map_err(WorkError::Call)?;
        // It may hold a secret query.
        let job_url =
            status.job_url.map(|url| Url::parse(&url).map_or_else(|_| "…".to_owned(), |url| redact_url(&url)));
        Ok(Status { job_url, ..status })
    }
}

impl Answer {
    fn new(server: &str, plan: ContentDigest, to: Transition, mut log: Vec<String>) -> Self {
        log.extend(to.events.iter().map(|event| format!("{}: {}", event.kind, event.text)));
        Self { at: Standing { server: server.to_owned(), plan, checkpoint: to.checkpoint, next: to.next }, log }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_that_is_gone_does_not_come_back_by_itself() {
        let folder = tempfile::tempdir().unwrap();
        let digest = serde_json::from_value("0".repeat(64).into()).unwrap();
        let missing = Plans::in_folder(folder.path()).unwrap().get(&digest).unwrap_err();
        assert!(!WorkError::Plan(missing).may_pass());
    }

    #[test]
    fn a_folder_that_cannot_be_used_may_be_mended_meanwhile() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let no_folder = WorkError::Plan(Plans::in_folder(&file.path().join("plans")).unwrap_err());
        assert!(no_folder.may_pass());
        assert!(no_folder.to_string().contains("plans cannot be kept in"), "{no_folder}");
        assert!(no_folder.to_string().contains("directory"), "its cause: {no_folder}");
    }
}
