//! A server within the process for the tests, with a clock that stands until it is moved.

use crate::{Clock, Config, Files, Outcome, Personality, Sandbox, Script, World};
use bytes::Bytes;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// When every test begins: 2026-01-01T00:00:00Z.
pub(crate) const START_MS: u64 = 1_767_225_600_000;

/// The headers of a kick-off that every personality takes, with the content type of the SMART draft.
pub(crate) const KICK_OFF: [(&str, &str); 3] =
    [("Content-Type", "application/json"), ("Accept", "application/fhir+json"), ("Prefer", "respond-async")];

/// A clock that is moved by hand.
pub(crate) struct Hand(AtomicU64);

impl Clock for Hand {
    fn now(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(self.0.load(Ordering::Relaxed))
    }
}

impl Hand {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(AtomicU64::new(START_MS)))
    }

    pub(crate) fn pass(&self, millis: u64) {
        self.0.fetch_add(millis, Ordering::Relaxed);
    }
}

/// Files by their URLs.
pub(crate) struct Shelf(HashMap<String, Bytes>);

impl Shelf {
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        Self(files.iter().map(|(url, text)| ((*url).to_owned(), Bytes::copy_from_slice(text.as_bytes()))).collect())
    }
}

impl Files for Shelf {
    fn read(&self, url: &str) -> Option<Bytes> {
        self.0.get(url).cloned()
    }

    fn list(&self, prefix: &str) -> Vec<String> {
        self.0.keys().filter(|url| url.starts_with(prefix)).cloned().collect()
    }
}

/// The server and its clock.
pub(crate) struct Local {
    pub(crate) sandbox: Sandbox,
    pub(crate) clock: Arc<Hand>,
}

/// The result of a future that must not wait for anything.
pub(crate) fn at_once<F: Future>(future: F) -> F::Output {
    let mut future = std::pin::pin!(future);
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("the server waited for something"),
    }
}

impl Local {
    /// A server that finds these files below `http://files/`.
    pub(crate) fn new(personality: Personality, script: Value, files: &[(&str, &str)]) -> Self {
        let urls: Vec<_> = files.iter().map(|(path, _)| format!("http://files/{path}")).collect();
        let files: Vec<_> = urls.iter().zip(files).map(|(url, (_, text))| (url.as_str(), *text)).collect();
        Self::with_files(personality, script, &files)
    }

    /// A server that finds these files by these URLs.
    pub(crate) fn with_files(personality: Personality, script: Value, files: &[(&str, &str)]) -> Self {
        let clock = Hand::new();
        let world = World { clock: clock.clone(), files: Arc::new(Shelf::of(files)), seed: Some(1) };
        let script: Script = serde_json::from_value(script).unwrap();
        Self { sandbox: Sandbox::in_process(Config { personality, port: 0, script }, world), clock }
    }

    pub(crate) fn exchange(&self, method: &str, url: &str, headers: &[(&str, &str)], body: &str) -> Outcome {
        let request = hyper::Request::builder().method(method).uri(url);
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        at_once(self.sandbox.exchange(request.body(Bytes::copy_from_slice(body.as_bytes())).unwrap()))
    }

    /// A whole answer that came without delay.
    pub(crate) fn ask(&self, method: &str, url: &str, headers: &[(&str, &str)], body: &str) -> hyper::Response<Bytes> {
        match self.exchange(method, url, headers, body) {
            Outcome::Answered { answer, delay_ms: 0 } => answer,
            other => panic!("no plain answer: {other:?}"),
        }
    }

    pub(crate) fn get(&self, url: &str) -> hyper::Response<Bytes> {
        self.ask("GET", url, &[], "")
    }

    pub(crate) fn delete(&self, url: &str) -> u16 {
        self.ask("DELETE", url, &[], "").status().as_u16()
    }

    pub(crate) fn post(&self, body: &str) -> hyper::Response<Bytes> {
        self.ask("POST", &format!("{}/$import", self.sandbox.base_url()), &KICK_OFF, body)
    }

    /// Starts a job with this body. Its status URL.
    pub(crate) fn start(&self, body: &str) -> String {
        let accepted = self.post(body);
        assert_eq!(accepted.status(), 202);
        accepted.headers()["content-location"].to_str().unwrap().to_owned()
    }

    /// The statuses of this many polls.
    pub(crate) fn poll(&self, url: &str, times: usize) -> Vec<u16> {
        (0..times).map(|_| self.get(url).status().as_u16()).collect()
    }
}

/// The JSON of an answer.
pub(crate) fn body(answer: &hyper::Response<Bytes>) -> Value {
    serde_json::from_slice(answer.body()).unwrap()
}

/// A SMART order for one file of patients, with these further fields.
pub(crate) fn order(path: &str, extra: Value) -> String {
    let mut order = json!({"inputFormat": "application/fhir+ndjson", "inputSource": "http://source.example",
        "input": [{"type": "Patient", "url": format!("http://files/{path}")}]});
    let Value::Object(extra) = extra else { panic!("{extra} has no fields") };
    order.as_object_mut().unwrap().extend(extra);
    order.to_string()
}
