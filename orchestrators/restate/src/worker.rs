//! What a worker does outside of Restate's journal: the calls of the contract, with the rights of this worker.

use std::error::Error;

use fhir_import::contract::{Decision, Request, Status, Transition};
use fhir_import::embed::{PlanError, Plans, Rights};
use fhir_import::{Call, CallError, Engine, Importer};
use restate_sdk::prelude::{HandlerError, HandlerResult, TerminalError};

use crate::imports::Stored;

/// The component, and what it may reach here.
pub struct Worker {
    /// The component.
    pub engine: Engine,
    /// What it may reach.
    pub rights: Rights,
    /// Where plans are; all workers see the same ones.
    pub plans: Plans,
}

impl Worker {
    /// `start`: the plan goes to the other plans, the rest to Restate.
    pub(crate) async fn begin(&self, request: &Request) -> HandlerResult<Stored> {
        let started = self.importer(&request.base_url)?.start(request).await.map_err(call)?;
        // Without a URL for them, documents belong to dialects that detection may still rule out.
        if request.documents_url.is_some() && !started.documents.is_empty() {
            return Err(TerminalError::new(
                "documents-url: this server wants documents, which Restate cannot publish: use the command line",
            )
            .into());
        }
        let plan = self.plans.keep(&started.plan).map_err(plan)?;
        Ok(Stored::new(plan, request.base_url.clone(), started.transition))
    }

    /// `step`, `submit` or `recover`.
    pub(crate) async fn call(&self, which: Call, stored: &Stored) -> HandlerResult<Transition> {
        let plan = self.plan(stored)?;
        let moved = self.importer(&stored.server)?.call(which, &plan, &stored.checkpoint).await.map_err(call)?;
        moved.failures.iter().for_each(|failure| eprintln!("{failure}"));
        Ok(moved.transition)
    }

    /// `resolve`.
    pub(crate) async fn resolve(&self, stored: &Stored, decision: &Decision) -> HandlerResult<Transition> {
        let plan = self.plan(stored)?;
        self.importer(&stored.server)?.resolve(&plan, &stored.checkpoint, decision).await.map_err(call)
    }

    /// `inspect`.
    pub(crate) async fn inspect(&self, stored: &Stored) -> HandlerResult<Status> {
        let plan = self.plan(stored)?;
        self.importer(&stored.server)?.inspect(&plan, &stored.checkpoint).await.map_err(call)
    }

    fn importer(&self, server: &str) -> HandlerResult<Importer> {
        self.rights.importer(&self.engine, server).map_err(|error| refused(&error))
    }

    fn plan(&self, stored: &Stored) -> HandlerResult<String> {
        self.plans.get(&stored.plan).map_err(plan)
    }
}

/// What the contract refuses, it refuses again; a component that died may live the next time.
fn call(error: CallError) -> HandlerError {
    match error {
        CallError::Refused(_) => refused(&error),
        CallError::Died(_) => error.into(),
    }
}

/// A plan that is gone stays away until a person brings it back; a folder may only be slow to appear.
fn plan(error: PlanError) -> HandlerError {
    match error {
        PlanError::Missing { .. } | PlanError::Damaged { .. } => refused(&error),
        PlanError::Folder { .. } => error.into(),
    }
}

/// An error that trying again does not mend, with its causes.
fn refused(error: &dyn Error) -> HandlerError {
    let causes = std::iter::successors(error.source(), |cause| (**cause).source());
    let words = causes.fold(error.to_string(), |words, cause| format!("{words}: {cause}"));
    TerminalError::new(words).into()
}
