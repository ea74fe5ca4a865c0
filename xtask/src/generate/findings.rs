//! What `check` can say about a line.

use fhir_import_records::FindingKind;

use super::{head, row};

const INTRODUCTION: &str = "\
# Findings

What `fhir-import check` says about a line, before anything is sent. An `error` stops `run`; a `warning` does not.

";

/// The page.
pub fn page() -> String {
    let mut page = INTRODUCTION.to_owned() + &head(["finding", "severity", "what it means"]);
    for kind in FindingKind::ALL {
        page += &row([&format!("`{}`", kind.name()), kind.severity().name(), kind.meaning()]);
    }
    page
}
