//! Recorded answers to compare with: what is of one moment is left out, what is of one place is replaced.

use bytes::Bytes;
use hyper::Response;
use serde_json::Value;

/// Headers that belong to a moment or to the connection.
const MOMENTARY: [&str; 5] = ["date", "x-request-id", "content-length", "transfer-encoding", "connection"];

/// An answer as it was recorded: a status line, headers, an empty line, a body.
struct Recorded {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

impl Recorded {
    fn read(text: &str, replaced: &[(&str, &str)]) -> Self {
        let text = replaced.iter().fold(text.to_owned(), |text, (old, new)| text.replace(old, new));
        let (head, body) = text.split_once("\n\n").unwrap_or((text.trim_end(), ""));
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers = lines.map(|line| line.split_once(": ").unwrap());
        let headers = headers.map(|(name, value)| (name.to_lowercase(), value.to_owned()));
        Self { status, headers: lasting(headers), body: body.trim_end_matches('\n').to_owned() }
    }
}

fn lasting(headers: impl Iterator<Item = (String, String)>) -> Vec<(String, String)> {
    let mut headers: Vec<_> = headers.filter(|(name, _)| !MOMENTARY.contains(&name.as_str())).collect();
    headers.sort();
    headers
}

fn assert_head(answer: &Response<Bytes>, recorded: &Recorded) {
    let headers = answer.headers().iter();
    let headers = headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()));
    assert_eq!((answer.status().as_u16(), lasting(headers)), (recorded.status, recorded.headers.clone()));
}

/// The answer has the status, the headers and the content that were recorded.
pub(crate) fn assert_recorded(answer: &Response<Bytes>, text: &str, replaced: &[(&str, &str)]) {
    let recorded = Recorded::read(text, replaced);
    assert_head(answer, &recorded);
    let json = |text: &[u8]| serde_json::from_slice::<Value>(text).unwrap_or_default();
    assert_eq!(json(answer.body()), json(recorded.body.as_bytes()));
}

/// The same, with every byte of the body.
pub(crate) fn assert_recorded_bytes(answer: &Response<Bytes>, text: &str, replaced: &[(&str, &str)]) {
    let recorded = Recorded::read(text, replaced);
    assert_head(answer, &recorded);
    assert_eq!(String::from_utf8_lossy(answer.body()), recorded.body);
}
