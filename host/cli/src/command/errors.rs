//! `errors`: why resources were rejected.

use fhir_import::contract::Next;
use fhir_import::journal::{ImportId, Journal};
use fhir_import::run::{HostNotes, InputNote, Outcome, RunError};
use serde_json::json;

use super::report::stored_next;
use crate::args::Job;
use crate::context::Context;
use crate::exit::{Failure, outcome};
use crate::render;

pub fn errors(cx: &Context, args: &Job) -> Result<Outcome, Failure> {
    let journal = cx.journal()?;
    let id = cx.find(&journal, &args.job)?;
    let Next::Done(report) = stored_next(&journal, id)? else {
        let text = format!("import {} is not over, so its errors are not known yet", id.short());
        return Err(Failure::new(Outcome::StillRunning, text).next(cx.command("wait", id)));
    };
    let outcome = outcome(report.outcome);
    let files = files(&journal, id)?;
    if cx.json {
        let data = json!({ "job": id.to_string(), "rejected": report.rejected, "errors": report.errors,
            "files": files, "retry": outcome.retry_when_over() });
        render::json::print(outcome, None, data);
    } else if report.errors.is_empty() {
        render::out("no errors\n");
    } else {
        render::out(&render::report::classes(&report.errors, usize::MAX));
        if report.errors.iter().any(|class| !class.lines.is_empty()) {
            render::out(&format!("\n{}\n", whose_lines(&files)));
        }
    }
    Ok(outcome)
}

/// What was sent, as it was named.
fn files(journal: &dyn Journal, id: ImportId) -> Result<Vec<String>, Failure> {
    let import = journal.load(&id).map_err(RunError::Journal)?;
    let name = |input: &InputNote| match input {
        InputNote::Local(file) => file.path.display().to_string(),
        InputNote::Remote(url) => url.clone(),
    };
    Ok(HostNotes::decode(&import.host)?.inputs.iter().map(name).collect())
}

/// Line numbers are kept without the file they are of.
fn whose_lines(files: &[String]) -> String {
    match files {
        [file] => format!("Lines are those of {file}."),
        _ => format!(
            "Each line is of one of these files; which one is not kept here. To know, import them one by one:\n  {}",
            files.join("\n  ")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_said_to_be_of_the_file_where_only_one_was_sent() {
        assert_eq!(whose_lines(&["/d/Patient.ndjson".to_owned()]), "Lines are those of /d/Patient.ndjson.");
        assert!(whose_lines(&["a".to_owned(), "b".to_owned()]).ends_with("one by one:\n  a\n  b"));
    }
}
