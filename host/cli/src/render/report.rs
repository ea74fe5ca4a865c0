//! The final word, made from the journal alone: making it again gives the same.

use fhir_import::contract::{Detection, ErrorClass, Report, TypeCount, Verdict};
use fhir_import::journal::{ImportId, Journal, StoredEvent, utc};
use fhir_import::net::redact_url;
use fhir_import::run::{Outcome, RunError};
use serde_json::{Value, json};
use url::Url;

use crate::context::Context;
use crate::exit::{Failure, outcome};

/// Network problems that are shown.
const PROBLEMS: usize = 3;
/// Classes of errors that are shown; `errors` lists all.
const CLASSES: usize = 10;

/// A report with what the host knows beside it.
pub struct View {
    job: ImportId,
    server: String,
    report: Report,
    events: Vec<StoredEvent>,
    next_command: Option<String>,
}

impl View {
    /// What the journal has.
    pub fn load(cx: &Context, journal: &dyn Journal, job: ImportId, report: Report) -> Result<Self, Failure> {
        let server = journal.load(&job).map_err(RunError::Journal)?.server;
        let events = journal.events(&job).map_err(RunError::Journal)?;
        let next_command = next_command(cx, job, &server, &report);
        Ok(Self { job, server, report, events, next_command })
    }

    /// Prints it, and answers the outcome.
    pub fn show(&self, as_json: bool) -> Outcome {
        if as_json {
            super::json::print(self.outcome(), self.next_command.clone(), self.json());
        } else {
            super::out(&self.text());
        }
        self.outcome()
    }

    fn outcome(&self) -> Outcome {
        outcome(self.report.outcome)
    }

    fn text(&self) -> String {
        let report = &self.report;
        let mut text = first_line(headline(self.outcome(), report.verdict), &report.sentence);
        if !report.advice.is_empty() {
            text += &format!("{}\n", report.advice);
        }
        text += &format!("\n{}", self.server_text());
        if sent(report) {
            text += &section("By type", &types(&report.types));
        }
        text += &section("Not on the server", &list(&report.missing));
        text += &section("Why", &classes(&report.errors, CLASSES));
        text += &section("Network", &list(&self.network_problems()));
        if sent(report) {
            text += &section("What this proves", &list(&report.limits));
        }
        match &self.next_command {
            Some(command) => text + &format!("\nNext: {command}\n"),
            None => text,
        }
    }

    fn server_text(&self) -> String {
        let detection = &self.report.detection;
        let software = detection.software.as_deref().map_or_else(String::new, |name| format!(" ({name})"));
        let dialect = match &detection.dialect {
            Some(name) => format!("{name}, {}; {}", sure(&detection.confidence), self.report.proven),
            None => "none that is known".to_owned(),
        };
        format!("  import   {}\n  server   {}{software}\n  dialect  {dialect}\n", self.job, self.server)
    }

    fn network_problems(&self) -> Vec<String> {
        let seen = matches!(
            self.outcome(),
            Outcome::Unreachable | Outcome::AnswerNotUnderstood | Outcome::JobLost | Outcome::SubmitUnknown
        );
        let mut problems: Vec<String> = self
            .events
            .iter()
            .filter(|event| seen && event.kind == "network")
            .map(|event| event.text.clone())
            .collect();
        problems.dedup();
        problems.split_off(problems.len().saturating_sub(PROBLEMS))
    }

    fn json(&self) -> Value {
        let report = &self.report;
        let timeline: Vec<Value> = self
            .events
            .iter()
            .map(|event| json!({ "at": utc(event.at_ms), "kind": event.kind, "text": without_queries(&event.text) }))
            .collect();
        json!({
            "job": self.job.to_string(), "server": self.server, "sentence": report.sentence, "advice": report.advice,
            "detection": report.detection, "proven": report.proven, "types": report.types,
            "imported": report.imported, "rejected": report.rejected, "errors": report.errors,
            "verdict": verdict(report.verdict), "limits": report.limits, "missing": report.missing,
            "polls": report.polls, "timeline": timeline, "retry": self.outcome().retry_when_over()
        })
    }
}

/// Whether the server has said or shown anything about the resources.
fn sent(report: &Report) -> bool {
    report.polls > 0 || report.types.iter().any(|t| t.sampled > 0 || t.on_server.is_some())
}

/// What most people do next.
fn next_command(cx: &Context, job: ImportId, server: &str, report: &Report) -> Option<String> {
    match outcome(report.outcome) {
        Outcome::FinishedWithErrors | Outcome::Failed if !report.errors.is_empty() => Some(cx.command("errors", job)),
        Outcome::VerificationFailed => Some(cx.command("verify", job)),
        Outcome::Unsupported if is_unsure(&report.detection) => Some(cx.named_run(server, &report.detection)),
        Outcome::Unreachable | Outcome::Unsupported => Some(cx.line(&format!("detect {server}"))),
        _ => None,
    }
}

/// Whether there is a dialect that a person may name, and nobody named it.
fn is_unsure(found: &Detection) -> bool {
    found.dialect.is_some() && ["low", "medium"].contains(&found.confidence.as_str())
}

/// A line for others to read: the query of a URL may be a capability. In full it is in the journal, and on the screen of
/// whoever started the import.
fn without_queries(text: &str) -> String {
    let word = |word: &str| match Url::parse(word) {
        Ok(url) if url.query().is_some() => redact_url(&url),
        _ => word.to_owned(),
    };
    text.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

/// The headline and the sentence; the sentence alone when it begins so.
fn first_line(headline: &str, sentence: &str) -> String {
    let says_it = sentence.strip_prefix(headline).is_some_and(|rest| rest.starts_with([' ', ',', '.', ';', ':']));
    if says_it { format!("{sentence}\n") } else { format!("{headline}: {sentence}\n") }
}

fn headline(outcome: Outcome, verdict: Verdict) -> &'static str {
    match (outcome, verdict) {
        (Outcome::Succeeded, Verdict::Verified) => "Succeeded, and verified",
        (Outcome::Succeeded, Verdict::Differs) => "Succeeded, but some differ from what was sent",
        (Outcome::Succeeded, _) => "Succeeded",
        (Outcome::Unsupported, _) => "Not supported",
        (Outcome::Refused, _) => "Refused",
        (Outcome::Failed, _) => "Failed",
        (Outcome::FinishedWithErrors, _) => "Finished with errors",
        (Outcome::VerificationFailed, _) => "Verification failed",
        (Outcome::Cancelled, _) => "Cancelled",
        (Outcome::Unreachable, _) => "Unreachable",
        (Outcome::InputInvalid, _) => "Not sent",
        (Outcome::AnswerNotUnderstood, _) => "Not understood",
        _ => "Ended",
    }
}

fn sure(confidence: &str) -> String {
    match confidence {
        "configured" => "named by the operator".to_owned(),
        other => format!("confidence {other}"),
    }
}

fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::NotVerified => "not-verified",
        Verdict::Verified => "verified",
        Verdict::Differs => "differs",
        Verdict::Missing => "missing",
    }
}

fn types(types: &[TypeCount]) -> String {
    let number = |number: Option<u64>| number.map_or_else(|| "-".to_owned(), |number| number.to_string());
    let row = |t: &TypeCount| {
        vec![
            t.resource_type.clone(),
            number(t.sent),
            number(t.imported),
            number(t.rejected),
            number(t.on_server),
            t.sampled.to_string(),
            t.found.to_string(),
            t.equal.to_string(),
        ]
    };
    let rows: Vec<_> = types.iter().map(row).collect();
    let head = ["type", "sent", "server says", "rejected", "on server", "read back", "found", "equal"];
    if rows.is_empty() { String::new() } else { super::table(&head, &rows) }
}

/// Classes of errors, the most frequent first.
pub fn classes(errors: &[ErrorClass], most: usize) -> String {
    let line = |class: &ErrorClass| {
        let lines: Vec<String> = class.lines.iter().map(ToString::to_string).collect();
        let lines = if lines.is_empty() { String::new() } else { format!(" (lines {})", lines.join(", ")) };
        let code = if class.code.is_empty() { String::new() } else { format!(" {}", class.code) };
        format!("  {} x {}{code}: {}{lines}\n", class.count, class.severity, class.text)
    };
    let mut text: String = errors.iter().take(most).map(line).collect();
    if errors.len() > most {
        text += &format!("  and {} more kinds\n", errors.len() - most);
    }
    text
}

fn list(lines: &[String]) -> String {
    lines.iter().map(|line| format!("  {line}\n")).collect()
}

fn section(title: &str, body: &str) -> String {
    if body.is_empty() { String::new() } else { format!("\n{title}\n{body}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_that_begins_with_the_headline_is_not_said_twice() {
        assert_eq!(first_line("Cancelled", "Cancelled, as asked."), "Cancelled, as asked.\n");
        assert_eq!(first_line("Failed", "The job failed."), "Failed: The job failed.\n");
    }
}
