//! Who decides: the component in its sandbox, or the same decisions compiled in.

use std::future::Future;

use crate::clock::SharedClock;
use crate::contract::{Decision, Request, Started, Transition};
use crate::importer::{Call, CallError, Importer, Moved};

/// The calls of the contract that a loop makes. [`Importer`] is the component; a simulation brings the same decisions
/// without a sandbox.
pub trait Decisions: Send + Sync {
    /// The clock that the decisions see.
    fn clock(&self) -> &SharedClock;

    /// `importer.start`.
    ///
    /// # Errors
    /// [`CallError::Refused`] names the field of the request that cannot be used.
    fn start(&self, request: &Request) -> impl Future<Output = Result<Started, CallError>> + Send;

    /// `importer.step`, `submit` or `recover`.
    ///
    /// # Errors
    /// [`CallError::Refused`] when plan or checkpoint cannot be used, or the call makes no sense.
    fn call(&self, call: Call, plan: &str, checkpoint: &str) -> impl Future<Output = Result<Moved, CallError>> + Send;

    /// `importer.resolve`.
    ///
    /// # Errors
    /// [`CallError::Refused`] when this cannot be decided now.
    fn resolve(
        &self,
        plan: &str,
        checkpoint: &str,
        decision: &Decision,
    ) -> impl Future<Output = Result<Transition, CallError>> + Send;
}

impl Decisions for Importer {
    fn clock(&self) -> &SharedClock {
        self.clock()
    }

    fn start(&self, request: &Request) -> impl Future<Output = Result<Started, CallError>> + Send {
        self.start(request)
    }

    fn call(&self, call: Call, plan: &str, checkpoint: &str) -> impl Future<Output = Result<Moved, CallError>> + Send {
        self.call(call, plan, checkpoint)
    }

    fn resolve(
        &self,
        plan: &str,
        checkpoint: &str,
        decision: &Decision,
    ) -> impl Future<Output = Result<Transition, CallError>> + Send {
        self.resolve(plan, checkpoint, decision)
    }
}
