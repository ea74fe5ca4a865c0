//! What an answer to a status request means.

use serde_json::Value;

use crate::dialect::{BodyKind, JobState, Poll, PollRule};
use crate::exchange::{Answer, KEEP_DOCUMENT};
use crate::json::{self, read::read_whole};

/// What an answer to a status request means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// It speaks of the job, and so many more polls must say the same.
    Job(JobState, u32),
    /// The server is busy, or says itself that only this request failed.
    Busy,
    /// The server wants other credentials.
    Credentials,
    /// The answer is at another place.
    Elsewhere,
    /// Something broke on the way (a proxy, a crash): the job is not spoken of.
    Broken,
    /// It makes no sense.
    Senseless,
}

/// Issue types that say that only this request failed (HL7 FHIR-26367; FHIR R4 issue-type).
const TRANSIENT: [&str; 5] = ["transient", "throttled", "timeout", "lock-error", "no-store"];

/// What an answer means: the body's own word first, then the dialect's rules, then HTTP.
#[must_use]
pub fn classify(poll: &Poll, answer: &Answer) -> Meaning {
    let (status, body) = (status(poll, answer), answer.json());
    if status >= 400 && body.as_ref().is_some_and(is_transient) {
        return Meaning::Busy;
    }
    let rule = poll.rules.iter().find(|rule| rule.status == status && fits(rule, answer, body.as_ref()));
    // The head says that a job runs, and for how long not to ask; a word that ends it needs its body.
    if broke_off(answer) && rule.is_none_or(|rule| rule.means != JobState::Running) {
        return Meaning::Broken;
    }
    match rule {
        Some(PollRule { means: JobState::Busy, .. }) => Meaning::Busy,
        Some(PollRule { means: JobState::Credentials, .. }) => Meaning::Credentials,
        Some(rule) => Meaning::Job(rule.means, rule.confirm),
        None => by_status(status),
    }
}

/// A success whose body broke off; one that is longer than what is kept makes no sense, however often it comes.
fn broke_off(answer: &Answer) -> bool {
    answer.cut && answer.body.len() < KEEP_DOCUMENT && matches!(answer.status, 200 | 206)
}

fn by_status(status: u16) -> Meaning {
    match status {
        303 => Meaning::Elsewhere,
        401 | 403 => Meaning::Credentials,
        408 | 425 | 429 | 503 => Meaning::Busy,
        500.. => Meaning::Broken,
        _ => Meaning::Senseless,
    }
}

/// The status of the job, where the server keeps it apart from that of the answer.
fn status(poll: &Poll, answer: &Answer) -> u16 {
    let apart = poll.status_header.as_ref().and_then(|name| answer.header(name)?.trim().parse().ok());
    apart.filter(|_| answer.status == 200).unwrap_or(answer.status)
}

fn fits(rule: &PollRule, answer: &Answer, body: Option<&Value>) -> bool {
    let progress = |text: &String| answer.header("x-progress").is_some_and(|words| words.contains(text.as_str()));
    is_kind(rule.body, body)
        && rule.text.as_ref().is_none_or(|text| answer.says(text))
        && rule.progress.as_ref().is_none_or(progress)
        && rule.holds.iter().all(|condition| body.is_some_and(|body| condition.fits(body)))
}

fn is_kind(kind: BodyKind, body: Option<&Value>) -> bool {
    match kind {
        BodyKind::Any => true,
        BodyKind::Json => body.is_some_and(|b| b.is_object() && b.get("resourceType").is_none()),
        BodyKind::OperationOutcome => body.is_some_and(is_outcome),
        BodyKind::Parameters => body.is_some_and(|b| b["resourceType"] == "Parameters"),
    }
}

/// An OperationOutcome, or an array of them.
fn is_outcome(body: &Value) -> bool {
    let is_one = |value: &Value| value["resourceType"] == "OperationOutcome";
    is_one(body) || body.as_array().is_some_and(|items| !items.is_empty() && items.iter().all(is_one))
}

/// Every error of an OperationOutcome says that only this request failed.
fn is_transient(body: &Value) -> bool {
    let issues = body["issue"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut errors = issues.iter().filter(|i| i["severity"] == "error" || i["severity"] == "fatal").peekable();
    errors.peek().is_some() && errors.all(|i| i["code"].as_str().is_some_and(|code| TRANSIENT.contains(&code)))
}

/// The percentage in a server's words: the first number that a percent sign follows.
#[must_use]
pub fn percent(words: &str) -> Option<f32> {
    let (head, _) = words.split_once('%')?;
    let digits = head.trim_end();
    let start = digits.rfind(|c: char| !c.is_ascii_digit() && c != '.').map_or(0, |i| i + 1);
    // A JSON number: Rust's own parser of floats would be 16 kB of the component for this one text.
    let number = json::parse(digits.get(start..)?.as_bytes()).ok()?;
    read_whole::<f32>(&number).ok().filter(|p| (0.0..=100.0).contains(p))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentage_is_found_in_prose() {
        let cases = [
            ("Current completion: 42.0% and ETA is 12.3s", Some(42.0)),
            ("33 %", Some(33.0)),
            ("100%", Some(100.0)),
            ("at:42%", Some(42.0)),
            ("(0.5% done)", Some(0.5)),
            ("-1%", Some(1.0)),
            ("NaN%", None),
            ("Job was created at 2026-11-23T04:19:28.472+00:00 and is in QUEUED state.", None),
            ("500% faster", None),
            ("é%", None),
        ];
        for (words, expected) in cases {
            assert_eq!(percent(words), expected, "{words}");
        }
    }

    fn rule(status: u16, body: BodyKind, text: Option<&str>) -> PollRule {
        PollRule {
            status,
            body,
            text: text.map(str::to_owned),
            progress: None,
            holds: Vec::new(),
            means: JobState::Failed,
            confirm: 7,
        }
    }

    fn meaning(rules: Vec<PollRule>, status: u16, body: &str) -> Meaning {
        let mut poll: Poll = toml::from_str("accept = \"\"\nrules = []").unwrap();
        poll.rules = rules;
        classify(&poll, &Answer { status, headers: Vec::new(), body: body.as_bytes().to_vec(), cut: false })
    }

    #[test]
    fn a_rule_fits_by_status_kind_of_body_and_text() {
        const OUTCOME: &str = r#"{"resourceType":"OperationOutcome"}"#;
        let fits = Meaning::Job(JobState::Failed, 7);
        let cases = [
            (rule(200, BodyKind::Any, None), "", true),
            (rule(201, BodyKind::Any, None), "", false),
            (rule(200, BodyKind::Json, None), "{}", true),
            (rule(200, BodyKind::Json, None), "[]", false),
            (rule(200, BodyKind::Json, None), OUTCOME, false),
            (rule(200, BodyKind::Json, None), "<html>", false),
            (rule(200, BodyKind::OperationOutcome, None), OUTCOME, true),
            (rule(200, BodyKind::OperationOutcome, None), "{}", false),
            (rule(200, BodyKind::Any, Some("FAILED")), "it FAILED here", true),
            (rule(200, BodyKind::Any, Some("FAILED")), "it failed", false),
        ];
        for (rule, body, expected) in cases {
            let said = meaning(vec![rule.clone()], 200, body);
            assert_eq!(said, if expected { fits } else { Meaning::Senseless }, "{rule:?} {body}");
        }
    }

    #[test]
    fn without_a_rule_the_status_speaks() {
        let cases = [
            (&[303][..], Meaning::Elsewhere),
            (&[401, 403], Meaning::Credentials),
            (&[408, 425, 429, 503], Meaning::Busy),
            (&[500, 501, 502, 504, 599], Meaning::Broken),
            (&[100, 200, 202, 204, 302, 400, 402, 404, 410, 422, 499], Meaning::Senseless),
        ];
        for (statuses, expected) in cases {
            for status in statuses {
                assert_eq!(meaning(Vec::new(), *status, ""), expected, "{status}");
            }
        }
    }

    #[test]
    fn errors_that_pass_are_the_requests_and_come_before_every_rule() {
        let body = |codes: &[(&str, &str)]| {
            let issue: Vec<Value> = codes
                .iter()
                .map(|(severity, code)| serde_json::json!({ "severity": severity, "code": code }))
                .collect();
            serde_json::json!({ "resourceType": "OperationOutcome", "issue": issue }).to_string()
        };
        let failed = Meaning::Job(JobState::Failed, 7);
        let said =
            |status, codes: &[(&str, &str)]| meaning(vec![rule(status, BodyKind::Any, None)], status, &body(codes));
        for code in TRANSIENT {
            assert_eq!(said(400, &[("error", code)]), Meaning::Busy, "{code}");
            assert_eq!(said(500, &[("fatal", code), ("information", "processing")]), Meaning::Busy, "{code}");
        }
        assert_eq!(said(399, &[("error", "transient")]), failed, "no error of the request");
        assert_eq!(said(500, &[("error", "transient"), ("error", "processing")]), failed);
        assert_eq!(said(500, &[("error", "transient"), ("fatal", "exception")]), failed);
        assert_eq!(said(500, &[("warning", "transient")]), failed, "nothing says that the request failed");
        assert_eq!(said(500, &[]), failed);
    }
}
