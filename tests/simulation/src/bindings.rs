//! The contract's types where `guest/components/importer` expects them, so that its conversions serve here too.

pub(crate) mod exports {
    pub(crate) mod fhir_import {
        pub(crate) mod workflow {
            pub(crate) mod types {
                pub(crate) use fhir_import::contract::*;
            }
            pub(crate) mod catalog {
                pub(crate) use fhir_import::contract::Dialect;
            }
            pub(crate) mod importer {
                pub(crate) use fhir_import::contract::{Decision, Error, Request, Started, Status, Transition};
            }
        }
    }
}
