//! What a process has once: the runtime for waiting, and the compiled components.

use std::future::Future;
use std::mem;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fhir_import::Engine;
use pyo3::exceptions::PyOSError;
use pyo3::{PyErr, PyResult, Python};
use tokio::runtime::{self, Runtime};
use tokio::time::timeout;

use crate::refusal;

/// How often a call looks for Ctrl-C.
const LOOK: Duration = Duration::from_millis(50);

/// Made at the first call.
pub struct Process {
    id: u32,
    runtime: Runtime,
    /// The compiled components.
    pub engine: Engine,
}

static HERE: Mutex<Option<Arc<Process>>> = Mutex::new(None);

/// What a call came to.
pub struct Answered<T> {
    /// What it answered.
    pub answer: T,
    /// What a signal raised meanwhile: to be raised once the answer is kept.
    pub interrupt: Option<PyErr>,
}

impl Process {
    /// The one of this process. A forked child has its own runtime, since threads do not come along.
    pub fn here(py: Python<'_>) -> PyResult<Arc<Self>> {
        py.detach(|| {
            let mut here = HERE.lock().unwrap_or_else(PoisonError::into_inner);
            match &*here {
                Some(made) if made.id == std::process::id() => Ok(Arc::clone(made)),
                before => {
                    let made = Arc::new(Self::make(before.as_deref())?);
                    // The parent's threads would be waited for if its runtime was dropped here.
                    mem::forget(here.replace(Arc::clone(&made)));
                    Ok(made)
                }
            }
        })
    }

    fn make(parents: Option<&Self>) -> PyResult<Self> {
        let runtime = runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.map_err(|error| PyOSError::new_err(format!("no threads can be started: {error}")))?;
        let engine = match parents {
            Some(parents) => parents.engine.clone(),
            None => Engine::new().map_err(|error| refusal::of_engine(&error))?,
        };
        if parents.is_some() {
            engine.forked();
        }
        Ok(Self { id: std::process::id(), runtime, engine })
    }

    /// Does something to its end while other threads of Python run. A signal whose handler raises ends it after `grace`.
    pub fn wait<T: Send>(
        &self,
        py: Python<'_>,
        grace: Duration,
        work: impl Future<Output = T> + Send,
    ) -> PyResult<Answered<T>> {
        py.detach(|| self.runtime.block_on(until_signal(grace, work)))
    }
}

async fn until_signal<T>(grace: Duration, work: impl Future<Output = T>) -> PyResult<Answered<T>> {
    let mut work = pin!(work);
    let interrupt = loop {
        if let Ok(answer) = timeout(LOOK, &mut work).await {
            return Ok(Answered { answer, interrupt: None });
        }
        if let Err(raised) = signals() {
            break raised;
        }
    };
    match timeout(grace, &mut work).await {
        Ok(answer) => Ok(Answered { answer, interrupt: Some(interrupt) }),
        Err(_) => Err(interrupt),
    }
}

/// What the handler of a signal raised. Only Python's main thread hears of them; in others this is always well.
fn signals() -> PyResult<()> {
    Python::attach(|py: Python<'_>| -> PyResult<()> { py.check_signals() })
}
