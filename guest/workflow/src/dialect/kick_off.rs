//! How an import is started.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Path;
use crate::json::read::{Problem, Read, read_object};
use crate::table::{Table, as_object};

/// How an import is started: a POST.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct KickOff {
    /// Where the values come from.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub source: String,
    /// The URL, for example `$import`.
    pub url: String,
    /// `Content-Type` of the body.
    pub content_type: String,
    /// `Accept`.
    pub accept: String,
    /// `Prefer`, exactly; absent when the server wants none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefer: Option<String>,
    /// Further headers.
    #[serde(default, with = "as_object", skip_serializing_if = "Table::is_empty")]
    pub headers: Table<String>,
    /// The body; a text is sent as it is, anything else as JSON.
    pub body: Value,
    /// Statuses that mean accepted.
    pub accepted: Vec<u16>,
    /// A text of a refusal that only means that the server is busy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub busy: Option<String>,
    /// Where the job is.
    pub handle: Handle,
}

/// Where the answer to a kick-off says how to find the job.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Handle {
    /// The `Content-Location` header is the status URL, taken verbatim, relative ones resolved against the base URL.
    ContentLocation,
    /// A member of the body is the status URL, or a name that `poll.url` takes.
    Member(Path),
    /// What the caller chose, a template.
    Caller(String),
    /// The answer to another request, [`StatusRequest`], says so.
    StatusRequest,
    /// There is no job: the answer is the result.
    Answer,
    /// The server never says anything more.
    #[default]
    Nowhere,
}

/// The request for the status URL of a job that was accepted; it may be made again.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct StatusRequest {
    /// The URL.
    pub url: String,
    /// `Content-Type` of the body.
    pub content_type: String,
    /// `Accept`.
    pub accept: String,
    /// `Prefer`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefer: Option<String>,
    /// The body.
    pub body: Value,
}

/// What the host publishes for the server to fetch. Its URL is `${document.url}`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Document {
    /// Where the values come from.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub source: String,
    /// Its name.
    pub name: String,
    /// Its media type.
    pub media_type: String,
    /// The template.
    pub content: Value,
}

read_object!(KickOff { source, url, content_type, accept, prefer, headers, body, accepted, busy, handle });
read_object!(StatusRequest { url, content_type, accept, prefer, body });
read_object!(Document { source, name, media_type, content });

impl Read for Handle {
    fn read(value: &Value, problem: &mut Problem) -> Self {
        match value.as_str() {
            Some("content-location") => Self::ContentLocation,
            Some("status-request") => Self::StatusRequest,
            Some("answer") => Self::Answer,
            Some("nowhere") => Self::Nowhere,
            _ => match value.get("caller") {
                Some(template) => Self::Caller(String::read(template, problem)),
                None => Self::Member(Path::read(&value["member"], problem)),
            },
        }
    }
}
