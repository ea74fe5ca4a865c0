//! Room 8, Python: the calls of the contract as a module for `python/fhir_import`, which puts types and a loop over it.
//!
//! Records cross as JSON text: the contract's own form, which Python reads faster than it would build objects.

mod importer;
mod plans;
mod process;
mod refusal;

#[pyo3::pymodule]
mod _native {
    #[pymodule_export]
    use crate::importer::Importer;
    #[pymodule_export]
    use crate::plans::Plans;
}
