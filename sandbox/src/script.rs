//! What an operator or a test asks the server to do differently from an honest, healthy one.

use serde::Deserialize;
use std::collections::BTreeMap;

/// Deviations from an honest, healthy server. The default has none.
///
/// A job keeps the script it was accepted under; answers follow the newest.
///
/// It reads from JSON; an unknown field is an error, so that a misspelt fault cannot pass a test by doing nothing.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Script {
    /// How many polls are answered with "still running" before the end is shown. The real work must be over as well.
    pub polls_until_done: u32,
    /// How long a job takes at least, in milliseconds of the server's clock since its kick-off. The number of polls
    /// does not matter then.
    pub job_ms: Option<u64>,
    /// How long after its kick-off a job appears in the list of jobs, in milliseconds.
    pub list_lag_ms: u64,
    /// The raw `Retry-After` of 202 and 429. `None`: what the personality sends. Empty: no such header.
    pub retry_after: Option<String>,
    /// Sends the seconds of `Retry-After` as the HTTP-date they amount to, the other form RFC 9110 §10.2.3 allows.
    pub retry_after_date: bool,
    /// `false`: the operation is neither advertised nor answered, as in a HAPI server without bulk import.
    pub import_enabled: bool,
    /// `true`: the operation works but the capability statement does not mention it.
    pub metadata_without_import: bool,
    /// Whether a reference to a resource that is neither stored nor in the job is refused. `None`: as the personality.
    pub referential_integrity: Option<bool>,
    /// Ids of resources that are refused, each with an error in the personality's own form.
    pub reject_ids: Vec<String>,
    /// How many resources of each job, the last ones, are reported as stored and silently are not.
    pub lie_drop: u32,
    /// What is added to the number of stored resources that each job reports for its first input.
    pub lie_count: i64,
    /// Refuses a request without this bearer token with 401. The capability statement stays open, as FHIR advises.
    pub require_bearer: Option<String>,
    /// Refuses a request without these credentials (`user:password`) with 401. The same exception; with a bearer
    /// token beside them, either will do.
    pub require_basic: Option<String>,
    /// Refuses a request that is not signed with this key (AWS Signature Version 4). Only HealthLake looks at it.
    pub require_sigv4: Option<SigningKey>,
    /// Forgets a job after this many polls: the next one finds nothing.
    pub forget_jobs_after_polls: Option<u32>,
    /// Forgets a job once this many polls were answered with its end: its result has expired.
    pub forget_after_end: Option<u32>,
    /// Refuses a kick-off with 429 while this many jobs have not shown their end to anybody.
    pub max_concurrent: Option<u32>,
    /// The bearer token that error files in a store of their own ask for; empty: none. `None`: they are refused to
    /// everybody, as to a client that has nothing but the credentials of the FHIR server.
    pub error_store_bearer: Option<String>,
    /// Where stores are on this machine: the beginning of a name, such as `s3://bucket/`, and the folder or the `http`
    /// address that stands for it. The longest beginning counts. Without a network the names are asked for as they are.
    pub stores: BTreeMap<String, String>,
    /// What goes wrong, and when. The first fault that applies to a request is played.
    pub faults: Vec<Fault>,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            polls_until_done: 2,
            job_ms: None,
            list_lag_ms: 0,
            retry_after: None,
            retry_after_date: false,
            import_enabled: true,
            metadata_without_import: false,
            referential_integrity: None,
            reject_ids: Vec::new(),
            lie_drop: 0,
            lie_count: 0,
            require_bearer: None,
            require_basic: None,
            require_sigv4: None,
            forget_jobs_after_polls: None,
            forget_after_end: None,
            max_concurrent: None,
            error_store_bearer: None,
            stores: BTreeMap::new(),
            faults: Vec::new(),
        }
    }
}

impl Script {
    /// Whether a poll may show the end of a job of this age that had this many polls before.
    pub(crate) fn due(&self, polls: u32, age_ms: u64) -> bool {
        self.job_ms.map_or(polls >= self.polls_until_done, |length| age_ms >= length)
    }
}

/// A key that requests are signed with.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SigningKey {
    /// Its public name.
    pub access_key: String,
    /// Its secret.
    pub secret: String,
}

/// Something that goes wrong at one endpoint. Requests are counted for each endpoint from the moment the script is set.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Where.
    pub on: Endpoint,
    /// The first request it applies to, counted from 1. `None`: the first.
    #[serde(default)]
    pub nth: Option<u32>,
    /// How many requests in a row. `None`: one when `nth` is given, else every one.
    #[serde(default)]
    pub times: Option<u32>,
    /// What happens.
    pub action: Action,
}

impl Fault {
    /// Whether this fault applies to the request with this number, counted from 1, at this endpoint.
    pub(crate) fn applies(&self, endpoint: Endpoint, number: u32) -> bool {
        let first = self.nth.unwrap_or(1);
        let times = self.times.unwrap_or(if self.nth.is_some() { 1 } else { u32::MAX });
        self.on == endpoint && number >= first && number - first < times
    }
}

/// The kinds of request a fault can be put on.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd)]
#[serde(rename_all = "kebab-case")]
pub enum Endpoint {
    /// Cancelling a job at its status URL.
    Delete,
    /// An NDJSON file of rejected resources.
    ErrorFile,
    /// The request that starts an import.
    KickOff,
    /// The list of jobs, where there is one.
    List,
    /// The capability statement.
    Metadata,
    /// A definition the capability statement points to.
    OperationDefinition,
    /// A request for the status of a job.
    Poll,
    /// One resource by its id.
    Read,
    /// The result of a job, where it is apart from its status.
    Result,
    /// A search, counts included.
    Search,
    /// The request for the place of a status, where that is a step of its own.
    StatusKickOff,
}

/// What a fault does. Actions with a real answer let the server do its work first.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Does the work, then waits this many milliseconds before it answers.
    AcceptThenDelayMs(u64),
    /// Does the work, then closes the connection without an answer: the client cannot know that it was heard.
    AcceptThenDrop,
    /// Answers this instead of doing the work.
    Answer(Canned),
    /// Waits this many milliseconds, then behaves. Without a socket nobody waits: the work is done on arrival, and
    /// the outcome tells the delay.
    DelayMs(u64),
    /// Closes the connection without an answer and does no work.
    Drop,
    /// The network delivers the request twice: does the work twice, and sends the first answer. The log has both
    /// deliveries; faults count them as one.
    Duplicate,
    /// Sends the real status and headers with a body that only begins like JSON.
    GarbageJson,
    /// Answers 502 with the HTML page of a proxy and does no work.
    HtmlPage,
    /// Sends the real answer without its `Content-Location`.
    NoContentLocation,
    /// Sends the real answer with a `Content-Location` of path and query only, as Aidbox does.
    RelativeContentLocation,
    /// Sends the real head and this many bytes of the real body, then closes the connection.
    TruncateBody(usize),
    /// Sends the real answer with this authority (`host:port`) in `Content-Location`, as a server behind an ingress.
    WrongHostContentLocation(String),
}

/// An answer written out in a script.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Canned {
    /// The status.
    pub status: u16,
    /// The body, none by default.
    #[serde(default)]
    pub body: String,
    /// The `Content-Type`. `None`: `application/fhir+json` for a body, none without one.
    #[serde(default)]
    pub content_type: Option<String>,
    /// Further headers.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Script, serde_json::Error> {
        serde_json::from_str(json)
    }

    #[test]
    fn an_empty_script_is_an_honest_server() {
        let script = read("{}").unwrap();
        assert_eq!(script.polls_until_done, 2);
        assert!(script.import_enabled && script.faults.is_empty());
    }

    #[test]
    fn a_misspelt_field_is_refused() {
        assert!(read(r#"{"poll_until_done": 1}"#).is_err());
        assert!(read(r#"{"faults": [{"on": "poll", "nht": 1, "action": "drop"}]}"#).is_err());
    }

    #[test]
    fn every_action_can_be_written_in_json() {
        let actions = r#"["accept-then-drop", {"answer": {"status": 503, "headers": {"Retry-After": "1"}}},
            {"delay-ms": 5}, "drop", {"accept-then-delay-ms": 5}, "duplicate", "garbage-json", "html-page", "no-content-location",
            "relative-content-location", {"truncate-body": 7}, {"wrong-host-content-location": "10.0.0.1:80"}]"#;
        assert_eq!(serde_json::from_str::<Vec<Action>>(actions).unwrap().len(), 12);
    }

    #[test]
    fn a_fault_with_a_number_applies_once_and_one_without_always() {
        let fault = |nth, times| Fault { on: Endpoint::Poll, nth, times, action: Action::Drop };
        let hits = |fault: Fault| (1..=4).filter(|number| fault.applies(Endpoint::Poll, *number)).collect::<Vec<_>>();
        assert_eq!(hits(fault(None, None)), [1, 2, 3, 4]);
        assert_eq!(hits(fault(Some(2), None)), [2]);
        assert_eq!(hits(fault(Some(2), Some(2))), [2, 3]);
        assert_eq!(hits(fault(None, Some(1))), [1]);
        assert!(!fault(None, None).applies(Endpoint::Read, 1));
    }
}
