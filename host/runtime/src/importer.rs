//! Calls into `importer.wasm`: each in a fresh store, so that nothing is left over.

use std::sync::Arc;

use crate::clock::SharedClock;
use crate::contract::importer_world::ImporterComponent;
use crate::contract::{self, Decision, Dialect, Request, Started, Status, Transition};
use crate::engine::Engine;
use crate::net::NetError;
use crate::outgoing::{Failures, Network, Outgoing};
use crate::store::ImporterState;

/// Why a call gave no answer.
#[derive(Debug)]
pub enum CallError {
    /// A wrong call, in the component's words.
    Refused(contract::Error),
    /// The component broke a limit or died: a bug, or a hostile component.
    Died(wasmtime::Error),
}

impl std::fmt::Display for CallError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Refused(error) => write!(f, "{}", words(error)),
            Self::Died(_) => write!(f, "the component died"),
        }
    }
}

impl std::error::Error for CallError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Refused(_) => None,
            Self::Died(error) => Some(error.as_ref()),
        }
    }
}

fn words(error: &contract::Error) -> &str {
    match error {
        contract::Error::PermanentInvalidRequest(text)
        | contract::Error::PermanentInvalidPlan(text)
        | contract::Error::PermanentInvalidCheckpoint(text)
        | contract::Error::PermanentInvalidCall(text) => text,
        contract::Error::ExecutionFailed => "the call died",
    }
}

/// A transition, and what the network knows about failed exchanges.
#[derive(Debug)]
pub struct Moved {
    /// The transition.
    pub transition: Transition,
    /// What went wrong on the network, if anything.
    pub failures: Vec<NetError>,
}

/// The calls of the contract that go on with an import.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// `importer.step`.
    Step,
    /// `importer.submit`.
    Submit,
    /// `importer.recover`.
    Recover,
}

/// `importer.wasm` with a network and a clock.
#[derive(Clone)]
pub struct Importer {
    engine: Engine,
    clock: SharedClock,
    network: Arc<Network>,
}

impl Importer {
    /// Decisions that may reach a network; both go by the same clock.
    #[must_use]
    pub fn new(engine: Engine, clock: SharedClock, network: Network) -> Self {
        let network = Arc::new(network.by(clock.clone()));
        Self { engine, clock, network }
    }

    /// The clock.
    #[must_use]
    pub fn clock(&self) -> &SharedClock {
        &self.clock
    }

    /// `importer.start`.
    ///
    /// # Errors
    /// [`CallError::Refused`] names the field of the request that cannot be used.
    pub async fn start(&self, request: &Request) -> Result<Started, CallError> {
        let (mut store, world) = self.open(Outgoing::none()).await?;
        let answer = world.fhir_import_workflow_importer().call_start(&mut store, request).await;
        flatten(answer)
    }

    /// `importer.step`, `submit` or `recover`.
    ///
    /// # Errors
    /// [`CallError::Refused`] when plan or checkpoint cannot be used, or the call makes no sense.
    pub async fn call(&self, call: Call, plan: &str, checkpoint: &str) -> Result<Moved, CallError> {
        let failures = Failures::default();
        let (mut store, world) = self.open(Outgoing::through(self.network.clone(), failures.clone())).await?;
        let importer = world.fhir_import_workflow_importer();
        let answer = match call {
            Call::Step => importer.call_step(&mut store, plan, checkpoint).await,
            Call::Submit => importer.call_submit(&mut store, plan, checkpoint).await,
            Call::Recover => importer.call_recover(&mut store, plan, checkpoint).await,
        };
        Ok(Moved { transition: flatten(answer)?, failures: failures.take() })
    }

    /// `importer.resolve`.
    ///
    /// # Errors
    /// [`CallError::Refused`] when this cannot be decided now.
    pub async fn resolve(&self, plan: &str, checkpoint: &str, decision: &Decision) -> Result<Transition, CallError> {
        let (mut store, world) = self.open(Outgoing::none()).await?;
        flatten(world.fhir_import_workflow_importer().call_resolve(&mut store, plan, checkpoint, decision).await)
    }

    /// `importer.inspect`.
    ///
    /// # Errors
    /// [`CallError::Refused`] when plan or checkpoint cannot be used.
    pub async fn inspect(&self, plan: &str, checkpoint: &str) -> Result<Status, CallError> {
        inspect(&self.engine, &self.clock, plan, checkpoint).await
    }

    async fn open(&self, outgoing: Outgoing) -> Result<Opened, CallError> {
        open(&self.engine, &self.clock, outgoing).await
    }
}

/// `importer.inspect`, without a network.
///
/// # Errors
/// [`CallError::Refused`] when plan or checkpoint cannot be used.
pub async fn inspect(engine: &Engine, clock: &SharedClock, plan: &str, checkpoint: &str) -> Result<Status, CallError> {
    let (mut store, world) = open(engine, clock, Outgoing::none()).await?;
    flatten(world.fhir_import_workflow_importer().call_inspect(&mut store, plan, checkpoint).await)
}

/// `catalog.dialects`.
///
/// # Errors
/// [`CallError::Died`] when the component does.
pub async fn dialects(engine: &Engine, clock: &SharedClock) -> Result<Vec<Dialect>, CallError> {
    let (mut store, world) = open(engine, clock, Outgoing::none()).await?;
    world.fhir_import_workflow_catalog().call_dialects(&mut store).await.map_err(CallError::Died)
}

type Opened = (wasmtime::Store<ImporterState>, ImporterComponent);

async fn open(engine: &Engine, clock: &SharedClock, outgoing: Outgoing) -> Result<Opened, CallError> {
    let mut store = engine.importer_store(ImporterState::new(clock, outgoing));
    let world = engine.importer().instantiate_async(&mut store).await.map_err(CallError::Died)?;
    Ok((store, world))
}

fn flatten<T>(answer: wasmtime::Result<Result<T, contract::Error>>) -> Result<T, CallError> {
    answer.map_err(CallError::Died)?.map_err(CallError::Refused)
}
