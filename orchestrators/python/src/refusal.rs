//! Refusals as the exceptions of `fhir_import.errors`: what happened, and what to try.

use std::error::Error;

use fhir_import::contract;
use fhir_import::embed::{PlanError, RightsError};
use fhir_import::{CallError, EngineError};
use pyo3::{PyErr, import_exception};

import_exception!(fhir_import.errors, Died);
import_exception!(fhir_import.errors, InvalidCall);
import_exception!(fhir_import.errors, InvalidCheckpoint);
import_exception!(fhir_import.errors, InvalidPlan);
import_exception!(fhir_import.errors, InvalidRequest);
import_exception!(fhir_import.errors, InvalidRights);
import_exception!(fhir_import.errors, NotAllowed);
import_exception!(fhir_import.errors, PlanMissing);

/// Why a call gave no answer.
pub fn of_call(error: &CallError) -> PyErr {
    match error {
        CallError::Refused(refused) => of_contract(refused),
        CallError::Died(_) => Died::new_err(format!(
            "{}. The same call can be made again; after a submit, call recover. If it happens again, report it",
            chain(error)
        )),
    }
}

fn of_contract(error: &contract::Error) -> PyErr {
    match error {
        contract::Error::PermanentInvalidRequest(text) => {
            InvalidRequest::new_err(format!("{text}. Nothing was sent: mend the request, and start again"))
        }
        contract::Error::PermanentInvalidPlan(text) => InvalidPlan::new_err(format!(
            "the plan cannot be used: {text}. Take the text that start gave, and a package that is not older"
        )),
        contract::Error::PermanentInvalidCheckpoint(text) => InvalidCheckpoint::new_err(format!(
            "the checkpoint cannot be used: {text}. Take the last one of this plan, and a package that is not older"
        )),
        contract::Error::PermanentInvalidCall(text) => {
            InvalidCall::new_err(format!("{text}. Do what the last transition's `next` says"))
        }
        contract::Error::ExecutionFailed => Died::new_err("the call died. The same call can be made again"),
    }
}

/// Why there is no importer.
pub fn of_rights(error: &RightsError) -> PyErr {
    match error {
        RightsError::Server { .. } => NotAllowed::new_err(error.to_string()),
        RightsError::Unreadable(_) | RightsError::Credential { .. } | RightsError::Access(_) => {
            InvalidRights::new_err(format!("{}: who runs this can mend it", chain(error)))
        }
    }
}

/// Why a plan cannot be had.
pub fn of_plan(error: &PlanError) -> PyErr {
    match error {
        PlanError::Missing { .. } => PlanMissing::new_err(error.to_string()),
        PlanError::Damaged { .. } => InvalidPlan::new_err(error.to_string()),
        PlanError::Folder { .. } => {
            PlanMissing::new_err(format!("{}: look at the disk and at who may write there", chain(error)))
        }
    }
}

/// Why the components cannot be run here.
pub fn of_engine(error: &EngineError) -> PyErr {
    Died::new_err(chain(error))
}

/// An error with its causes.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
