//! From a request to its answer (RFC 9110).

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{ACCEPT_RANGES, ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, RANGE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use sha2::{Digest, Sha256};
use tokio::task;

use super::body::ContentBody;
use super::conditions::{self, Condition};
use super::connections::Connection;
use super::log::{Item, Transfer};
use super::range::{self, ByteRange, Wanted};
use crate::files::{Change, Identity, OpenInput};

/// All that is served, by exact path. Fixed once the server runs.
#[derive(Debug)]
pub(super) struct Catalogue {
    entries: HashMap<String, Arc<Entry>>,
}

/// Something that is served.
#[derive(Debug)]
pub(super) struct Entry {
    item: Item,
    media_type: HeaderValue,
    content: Content,
    etag: HeaderValue,
}

/// Where its bytes are.
#[derive(Clone, Debug)]
pub(super) enum Content {
    Document(Bytes),
    File(Arc<OpenInput>),
}

impl Catalogue {
    pub(super) fn new(entries: HashMap<String, Arc<Entry>>) -> Self {
        Self { entries }
    }
}

impl Entry {
    pub(super) fn new(item: Item, media_type: HeaderValue, content: Content) -> Self {
        let etag = match &content {
            Content::Document(text) => entity_tag(&[text]),
            Content::File(input) => file_tag(&input.identity()),
        };
        Self { item, media_type, content, etag }
    }
}

impl Content {
    pub(super) fn size(&self) -> u64 {
        match self {
            Self::Document(text) => text.len() as u64,
            Self::File(input) => input.size(),
        }
    }

    /// Asks the file system, which may be slow (NFS), away from the threads that answer.
    async fn changed(&self) -> Option<Change> {
        match self {
            Self::Document(_) => None,
            Self::File(input) => {
                let input = Arc::clone(input);
                task::spawn_blocking(move || input.changed()).await.unwrap_or(Some(Change::Vanished))
            }
        }
    }
}

/// The media type of FHIR bulk data.
pub(super) fn ndjson() -> HeaderValue {
    HeaderValue::from_static("application/fhir+ndjson")
}

/// Answers one request.
pub(super) async fn answer<B>(
    request: Request<B>,
    catalogue: &Catalogue,
    connection: &Arc<Connection>,
) -> Response<ContentBody> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut response = empty(StatusCode::METHOD_NOT_ALLOWED);
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    let Some(entry) = catalogue.entries.get(request.uri().path()) else { return empty(StatusCode::NOT_FOUND) };
    connection.trust();
    if let Some(change) = entry.content.changed().await {
        connection.begin(entry.item, request.method(), None).changed(change);
        return empty(StatusCode::GONE);
    }
    match conditions::evaluate(request.headers(), &entry.etag) {
        Condition::Failed => described(StatusCode::PRECONDITION_FAILED, entry),
        Condition::NotModified => described(StatusCode::NOT_MODIFIED, entry),
        Condition::Holds => content(&request, entry, connection),
    }
}

fn content<B>(request: &Request<B>, entry: &Entry, connection: &Arc<Connection>) -> Response<ContentBody> {
    let size = entry.content.size();
    match wanted(request, entry) {
        Wanted::Nothing => {
            let mut response = described(StatusCode::RANGE_NOT_SATISFIABLE, entry);
            response.headers_mut().insert(CONTENT_RANGE, header(&format!("bytes */{size}")));
            response
        }
        Wanted::Part(range) => {
            let transfer = connection.begin(entry.item, request.method(), Some(range));
            let mut response =
                with_body(StatusCode::PARTIAL_CONTENT, entry, range.first..range.last + 1, transfer, connection);
            response.headers_mut().insert(CONTENT_RANGE, header(&format!("bytes {range}/{size}")));
            response
        }
        Wanted::Whole => {
            let transfer = connection.begin(entry.item, request.method(), None);
            let sent = if request.method() == Method::HEAD { 0..0 } else { 0..size };
            let mut response = with_body(StatusCode::OK, entry, sent, transfer, connection);
            response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(size));
            response
        }
    }
}

/// Ranges are defined for GET only (§14.2).
fn wanted<B>(request: &Request<B>, entry: &Entry) -> Wanted {
    let headers = request.headers();
    match headers.get(RANGE).and_then(|value| value.to_str().ok()) {
        Some(field) if request.method() == Method::GET && conditions::range_applies(headers, &entry.etag) => {
            range::wanted(field, entry.content.size())
        }
        _ => Wanted::Whole,
    }
}

fn with_body(
    status: StatusCode,
    entry: &Entry,
    bytes: std::ops::Range<u64>,
    transfer: Transfer,
    connection: &Arc<Connection>,
) -> Response<ContentBody> {
    let body = ContentBody::new(entry.content.clone(), bytes, transfer, Arc::clone(connection));
    let mut response = described(status, entry).map(|_| body);
    response.headers_mut().insert(CONTENT_TYPE, entry.media_type.clone());
    response
}

/// The same few bytes for whatever is not served: nothing tells a near miss from a far one.
fn empty(status: StatusCode) -> Response<ContentBody> {
    let mut response = Response::new(ContentBody::empty());
    *response.status_mut() = status;
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn described(status: StatusCode, entry: &Entry) -> Response<ContentBody> {
    let mut response = empty(status);
    response.headers_mut().insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    response.headers_mut().insert(ETAG, entry.etag.clone());
    response
}

/// A strong tag (§8.8.1): content that differs from what was opened is never sent. Hashed, so that no inode is told.
fn file_tag(identity: &Identity) -> HeaderValue {
    let Identity { device, inode, size, modified_s, modified_ns } = identity;
    let numbers = [device.to_be_bytes(), inode.to_be_bytes(), size.to_be_bytes()];
    let times = [modified_s.to_be_bytes(), modified_ns.to_be_bytes()];
    entity_tag(&[numbers.as_flattened(), times.as_flattened()])
}

fn entity_tag(parts: &[&[u8]]) -> HeaderValue {
    let mut hasher = Sha256::new();
    parts.iter().for_each(|part| hasher.update(part));
    let tag = hasher.finalize()[..16].iter().fold(String::from("\""), |mut tag, byte| {
        write!(tag, "{byte:02x}").expect("a String takes every text");
        tag
    });
    header(&(tag + "\""))
}

fn header(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).expect("digits, letters and punctuation are a valid field value")
}

impl Connection {
    fn begin(&self, item: Item, method: &Method, range: Option<ByteRange>) -> Transfer {
        Transfer::begin(self.log(), item, method.clone(), range, self.peer())
    }
}
