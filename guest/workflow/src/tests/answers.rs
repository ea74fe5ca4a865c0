//! What servers answer.

use serde_json::{Value, json};

use super::BASE;
use crate::exchange::{Answer, Failure, FailureKind};
use crate::state::Reply;

/// An answer as it was recorded: status line, headers, an empty line, the body.
pub fn read(text: &str) -> Reply {
    let (head, body) = text.split_once("\n\n").unwrap();
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers = lines.map(|line| line.split_once(": ").unwrap()).map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
    Ok(Answer { status, headers, body: body.as_bytes().to_vec(), cut: false })
}

/// The recorded answer of a name.
macro_rules! recorded {
    ($name:literal) => {
        crate::tests::answers::read(include_str!(concat!("recorded/", $name, ".http")))
    };
}
pub(crate) use recorded;

pub fn answer(status: u16, headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> Reply {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Ok(Answer { status, headers, body: body.into(), cut: false })
}

pub fn empty(status: u16) -> Reply {
    answer(status, &[], "")
}

pub fn page(status: u16) -> Reply {
    answer(status, &[("Content-Type", "text/html")], "<html><body>Sorry</body></html>")
}

pub fn json_answer(status: u16, body: &Value) -> Reply {
    answer(status, &[("content-type", "application/fhir+json")], body.to_string())
}

pub fn outcome(status: u16, diagnostics: &str) -> Reply {
    let issue = json!([{ "severity": "error", "code": "processing", "diagnostics": diagnostics }]);
    json_answer(status, &json!({ "resourceType": "OperationOutcome", "issue": issue }))
}

/// An accepted kick-off; a path is below the base URL.
pub fn accepted(job: &str) -> Reply {
    let url = if job.starts_with('/') { format!("{BASE}{job}") } else { job.to_owned() };
    answer(202, &[("Content-Location", &url)], "")
}

pub fn running() -> Reply {
    empty(202)
}

pub fn manifest(output: &Value, error: &Value) -> Reply {
    let request = format!("{BASE}/$import");
    let body =
        json!({ "transactionTime": "2026-01-01T00:00:00Z", "request": request, "output": output, "error": error });
    json_answer(200, &body)
}

pub fn count(total: u64) -> Reply {
    json_answer(200, &json!({ "resourceType": "Bundle", "type": "searchset", "total": total }))
}

fn failed(kind: FailureKind, text: &str) -> Reply {
    Err(Failure { kind, text: text.to_owned() })
}

pub fn denied() -> Reply {
    failed(FailureKind::Denied, "this address is not allowed")
}

pub fn unreachable() -> Reply {
    failed(FailureKind::Unreachable, "no connection")
}

pub fn bad_certificate() -> Reply {
    failed(FailureKind::Tls, "no secure connection")
}

pub fn broken() -> Reply {
    failed(FailureKind::Broken, "the connection broke")
}

/// The value of `Date` for a time.
pub fn http_date(ms: u64) -> String {
    httpdate::fmt_http_date(std::time::UNIX_EPOCH + std::time::Duration::from_millis(ms))
}

/// A FHIR instant of the day of [`super::START_MS`], 2026-11-18.
pub fn instant(ms: u64) -> String {
    const DAY_MS: u64 = 86_400_000;
    assert_eq!(ms / DAY_MS, super::START_MS / DAY_MS, "only that day is written here");
    let (of_day, milli) = (ms % DAY_MS / 1000, ms % 1000);
    format!("2026-11-18T{:02}:{:02}:{:02}.{milli:03}Z", of_day / 3600, of_day / 60 % 60, of_day % 60)
}

/// The same answer, made at a time of the server's clock.
pub fn dated(ms: u64, reply: Reply) -> Reply {
    reply.map(|mut answer| {
        answer.headers.push(("Date".to_owned(), http_date(ms)));
        answer
    })
}
