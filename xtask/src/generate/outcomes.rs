//! How an import ends: the exit codes.

use fhir_import_workflow::{Outcome, Retry};

use super::{head, row};

const INTRODUCTION: &str = "\
# Outcomes

Each is an exit code of its own, and none is ever used again for something else. A JSON result says `outcome`, `retry`
and, where there is one, `next_command`.

- `resume`: go on with the same import (`fhir-import wait JOB`, or `resolve JOB` when it is paused).
- `new-run`: mend what the report names, then `fhir-import run` again.
- `never`: there is nothing to do.

";

/// The page.
pub fn page() -> String {
    let mut page = INTRODUCTION.to_owned() + &head(["code", "outcome", "what it means", "retry"]);
    for outcome in Outcome::ALL {
        let (code, name) = (outcome.code().to_string(), format!("`{}`", outcome.name()));
        page += &row([&code, &name, outcome.meaning(), retry(outcome.retry())]);
    }
    page
}

fn retry(retry: Retry) -> &'static str {
    match retry {
        Retry::Resume => "`resume`",
        Retry::NewRun => "`new-run`",
        Retry::Never => "`never`",
    }
}
