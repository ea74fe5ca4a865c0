//! The calls of the contract, each with the rights of whoever runs this.

use std::time::Duration;

use fhir_import::contract::{Decision, Request};
use fhir_import::embed::Rights;
use fhir_import::{Call, LAST_WORDS};
use pyo3::exceptions::PyRuntimeError;
use pyo3::{PyErr, PyResult, Python, pyclass, pymethods};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::process::{Answered, Process};
use crate::refusal::{self, InvalidCall, InvalidRequest};

/// Imports to one server, with the rights to it.
#[pyclass(frozen, module = "fhir_import._native")]
pub struct Importer {
    rights: Rights,
    base_url: String,
}

#[pymethods]
impl Importer {
    /// Refuses rights that cannot be used, and a server that is not among them.
    #[new]
    fn new(py: Python<'_>, rights: &str, base_url: String) -> PyResult<Self> {
        let rights = Rights::from_json(rights).map_err(|error| refusal::of_rights(&error))?;
        let importer = Self { rights, base_url };
        importer.open(&*Process::here(py)?)?;
        Ok(importer)
    }

    /// `importer.start`: a `started` as JSON.
    fn start(&self, py: Python<'_>, request: &str) -> PyResult<String> {
        let request: Request = read(request, InvalidRequest::new_err)?;
        let process = Process::here(py)?;
        let importer = self.open(&process)?;
        let started = process.wait(py, Duration::ZERO, importer.start(&request))?;
        let started = uninterrupted(started)?.map_err(|error| refusal::of_call(&error))?;
        written(&started)
    }

    /// `importer.step`: a `transition` as JSON.
    fn step(&self, py: Python<'_>, plan: &str, checkpoint: &str) -> PyResult<String> {
        uninterrupted(self.call(py, Call::Step, Duration::ZERO, plan, checkpoint)?)
    }

    /// `importer.recover`: a `transition` as JSON.
    fn recover(&self, py: Python<'_>, plan: &str, checkpoint: &str) -> PyResult<String> {
        uninterrupted(self.call(py, Call::Recover, Duration::ZERO, plan, checkpoint)?)
    }

    /// `importer.submit`: a `transition` as JSON, and what a signal raised while the answer was outstanding.
    fn submit(&self, py: Python<'_>, plan: &str, checkpoint: &str) -> PyResult<(String, Option<PyErr>)> {
        let answered = self.call(py, Call::Submit, LAST_WORDS, plan, checkpoint)?;
        Ok((answered.answer, answered.interrupt))
    }

    /// `importer.resolve`: a `transition` as JSON.
    fn resolve(&self, py: Python<'_>, plan: &str, checkpoint: &str, decision: &str) -> PyResult<String> {
        let decision: Decision = read(decision, InvalidCall::new_err)?;
        let process = Process::here(py)?;
        let importer = self.open(&process)?;
        let answered = process.wait(py, Duration::ZERO, importer.resolve(plan, checkpoint, &decision))?;
        let transition = uninterrupted(answered)?.map_err(|error| refusal::of_call(&error))?;
        written(&with_failures(&transition, &[])?)
    }

    /// `importer.inspect`: a `status` as JSON.
    fn inspect(&self, py: Python<'_>, plan: &str, checkpoint: &str) -> PyResult<String> {
        let process = Process::here(py)?;
        let importer = self.open(&process)?;
        let status = process.wait(py, Duration::ZERO, importer.inspect(plan, checkpoint))?;
        written(&uninterrupted(status)?.map_err(|error| refusal::of_call(&error))?)
    }
}

impl Importer {
    /// Anew for each call, so that a credential that was changed is read.
    fn open(&self, process: &Process) -> PyResult<fhir_import::Importer> {
        self.rights.importer(&process.engine, &self.base_url).map_err(|error| refusal::of_rights(&error))
    }

    fn call(
        &self,
        py: Python<'_>,
        call: Call,
        grace: Duration,
        plan: &str,
        checkpoint: &str,
    ) -> PyResult<Answered<String>> {
        let process = Process::here(py)?;
        let importer = self.open(&process)?;
        let Answered { answer, interrupt } = process.wait(py, grace, importer.call(call, plan, checkpoint))?;
        let moved = answer.map_err(|error| refusal::of_call(&error))?;
        let failures: Vec<String> = moved.failures.iter().map(ToString::to_string).collect();
        Ok(Answered { answer: written(&with_failures(&moved.transition, &failures)?)?, interrupt })
    }
}

/// A call that can be made again, whose answer is dropped when a signal came.
fn uninterrupted<T>(answered: Answered<T>) -> PyResult<T> {
    answered.interrupt.map_or(Ok(answered.answer), Err)
}

/// The contract's transition, and what the network knows about failed exchanges.
fn with_failures(transition: &impl Serialize, failures: &[String]) -> PyResult<Value> {
    let mut value = serde_json::to_value(transition).map_err(|error| unwritable(&error))?;
    value["failures"] = json!(failures);
    Ok(value)
}

fn read<T: DeserializeOwned>(text: &str, refused: impl Fn(String) -> PyErr) -> PyResult<T> {
    serde_json::from_str(text).map_err(|error| refused(error.to_string()))
}

fn written(value: &impl Serialize) -> PyResult<String> {
    serde_json::to_string(value).map_err(|error| unwritable(&error))
}

fn unwritable(error: &serde_json::Error) -> PyErr {
    PyRuntimeError::new_err(format!("an answer is no JSON: {error}"))
}
