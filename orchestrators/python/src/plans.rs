//! Plans by their digest.

use std::path::PathBuf;

use fhir_import::embed;
use pyo3::exceptions::PyValueError;
use pyo3::{PyResult, Python, pyclass, pymethods};

use crate::refusal;

/// A folder of plans by their digest, for as many processes as like.
#[pyclass(frozen, module = "fhir_import")]
pub struct Plans {
    plans: embed::Plans,
}

#[pymethods]
impl Plans {
    /// Opens a folder, and makes it if it is not there.
    #[new]
    #[expect(clippy::needless_pass_by_value, reason = "Python's path objects are made into one")]
    fn new(folder: PathBuf) -> PyResult<Self> {
        let plans = embed::Plans::in_folder(&folder).map_err(|error| refusal::of_plan(&error))?;
        Ok(Self { plans })
    }

    /// Keeps a plan, durably, and answers its digest.
    fn keep(&self, py: Python<'_>, plan: &str) -> PyResult<String> {
        let digest = py.detach(|| self.plans.keep(plan)).map_err(|error| refusal::of_plan(&error))?;
        Ok(digest.to_string())
    }

    /// The plan with this digest.
    fn get(&self, py: Python<'_>, digest: &str) -> PyResult<String> {
        let digest = serde_json::from_value(serde_json::Value::from(digest));
        let digest = digest.map_err(|error| PyValueError::new_err(format!("not the digest of a plan: {error}")))?;
        py.detach(|| self.plans.get(&digest)).map_err(|error| refusal::of_plan(&error))
    }
}
