//! One HTTP exchange as data: what is asked, and what came of it.

use serde_json::Value;

use crate::json;
use crate::url::redact;

/// A method that imports use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Read.
    Get,
    /// Kick off.
    Post,
    /// Cancel.
    Delete,
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    /// The method.
    pub method: Method,
    /// The absolute URL.
    pub url: String,
    /// Headers, in order.
    pub headers: Vec<(String, String)>,
    /// The body of a POST.
    pub body: Option<String>,
    /// How many bytes of the answer's body are kept.
    pub keep: usize,
    /// What an answer is worth whose body broke off.
    pub head: Head,
}

/// What an answer is worth whose body broke off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Head {
    /// Status and headers say all, or more must not be lost than the body: a kick-off was accepted, or not; a status
    /// request is to be made again after a wait.
    SaysAll,
    /// With a status that means success, nothing.
    NeedsBody,
}

/// Kept where status and headers say all.
pub const KEEP_NOTHING: usize = 0;
/// Kept of a status or an OperationOutcome.
pub const KEEP_STATUS: usize = 1 << 20;
/// Kept of a CapabilityStatement, a manifest or a resource.
pub const KEEP_DOCUMENT: usize = 16 << 20;

impl Exchange {
    /// A GET of JSON.
    #[must_use]
    pub fn get(url: String, accept: &str, keep: usize) -> Self {
        let head = if keep == KEEP_NOTHING { Head::SaysAll } else { Head::NeedsBody };
        Self {
            method: Method::Get,
            url,
            headers: vec![("accept".to_owned(), accept.to_owned())],
            body: None,
            keep,
            head,
        }
    }

    /// A POST that may be repeated.
    #[must_use]
    pub fn post(url: String, content_type: &str, accept: &str, body: String) -> Self {
        let headers =
            vec![("content-type".to_owned(), content_type.to_owned()), ("accept".to_owned(), accept.to_owned())];
        let (keep, head) = (KEEP_DOCUMENT, Head::NeedsBody);
        Self { method: Method::Post, url, headers, body: Some(body), keep, head }
    }

    /// The same with further headers.
    #[must_use]
    pub fn with<'a>(mut self, headers: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        self.headers.extend(headers.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())));
        self
    }

    /// Whether an answer with this status is one although its body broke off.
    #[must_use]
    pub fn head_is_enough(&self, status: u16) -> bool {
        self.head == Head::SaysAll || !matches!(status, 200 | 206)
    }

    /// Method and URL, for people.
    #[must_use]
    pub fn shown(&self) -> String {
        let method = match self.method {
            Method::Get => "GET",
            Method::Post => "POST",
            Method::Delete => "DELETE",
        };
        format!("{method} {}", redact(&self.url))
    }

    /// A DELETE.
    #[must_use]
    pub fn delete(url: String) -> Self {
        let get = Self::get(url, "application/fhir+json", KEEP_STATUS);
        Self { method: Method::Delete, ..get }
    }
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// Headers as they came; names in any case.
    pub headers: Vec<(String, String)>,
    /// The body, at most as many bytes as were to be kept.
    pub body: Vec<u8>,
    /// The body was longer, or broke off.
    pub cut: bool,
}

impl Answer {
    /// The values of a header.
    pub fn header_values<'a, 'n>(&'a self, name: &'n str) -> impl Iterator<Item = &'a str> + use<'a, 'n> {
        self.headers.iter().filter(move |(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.trim())
    }

    /// The first value of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.header_values(name).next()
    }

    /// The body as JSON; none when it is not, or was cut. JSON is UTF-8 (RFC 8259 §8.1), but HAPI FHIR 8.8.0 writes the
    /// status of a job as ISO-8859-1, and says so.
    #[must_use]
    pub fn json(&self) -> Option<Value> {
        if self.cut {
            return None;
        }
        let body = self.body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&self.body);
        if std::str::from_utf8(body).is_ok() || !self.is_latin1() {
            return json::parse(body).ok();
        }
        // The first 256 characters of Unicode are those of ISO-8859-1.
        let text: String = body.iter().map(|byte| char::from(*byte)).collect();
        json::parse(text.as_bytes()).ok()
    }

    fn is_latin1(&self) -> bool {
        self.header("content-type").is_some_and(|kind| kind.to_ascii_lowercase().contains("charset=iso-8859-1"))
    }

    /// Whether the body has these words; one that was cut may have had them.
    #[must_use]
    pub fn says(&self, words: &str) -> bool {
        String::from_utf8_lossy(&self.body).contains(words)
    }

    /// The body as a resource of a type.
    #[must_use]
    pub fn resource(&self, resource_type: &str) -> Option<Value> {
        self.json().filter(|v| v["resourceType"] == resource_type)
    }
}

/// Why nothing came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What kind.
    pub kind: FailureKind,
    /// One line for people.
    pub text: String,
}

/// Kinds of failure, by what follows from them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// The host does not allow this URL; nothing was sent.
    Denied,
    /// The server could not be reached, which may pass; nothing was sent.
    Unreachable,
    /// The server's certificate or TLS is not acceptable, which does not pass by itself; nothing was sent.
    Tls,
    /// It broke after a byte may have left.
    Broken,
}

impl FailureKind {
    /// In words; the host knows more, and says it itself.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Denied => "this address is not allowed",
            Self::Unreachable => "no connection",
            Self::Tls => "no secure connection",
            Self::Broken => "the connection broke",
        }
    }

    /// Provably no byte of the request left.
    #[must_use]
    pub fn nothing_sent(self) -> bool {
        !matches!(self, Self::Broken)
    }
}
