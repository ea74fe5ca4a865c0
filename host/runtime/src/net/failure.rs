//! What a failed exchange means.

use std::error::Error;
use std::io;

use url::Url;

use super::error::{NetError, NetErrorKind, Phase};
use super::origin::redact_url;

/// Where an exchange goes, for messages.
#[derive(Clone, Debug)]
pub(super) struct Place(String);

impl Place {
    pub(super) fn of(url: &Url) -> Self {
        Self(redact_url(url))
    }

    pub(super) fn error(&self, phase: Phase, kind: NetErrorKind, detail: String) -> NetError {
        NetError { phase, kind, url: self.0.clone(), detail }
    }
}

/// What hyper's error means. The detail is the cause's own text, which holds nothing that was sent or received.
pub(super) fn answer_failure(cause: &hyper::Error) -> (NetErrorKind, String) {
    if cause.is_user() {
        return (NetErrorKind::RequestBody, String::new());
    }
    let io = cause.source().and_then(|inner| inner.downcast_ref::<io::Error>());
    let tls = io.and_then(io::Error::get_ref).is_some_and(<dyn Error + Send + Sync>::is::<rustls::Error>);
    let kind = match io.map(io::Error::kind) {
        _ if cause.is_parse_too_large() => NetErrorKind::HeadersTooLarge,
        _ if cause.is_parse() => NetErrorKind::Malformed,
        Some(_) if tls => NetErrorKind::TlsProtocol,
        Some(io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput) => NetErrorKind::Malformed,
        _ => NetErrorKind::ConnectionClosed,
    };
    (kind, io.map_or_else(|| cause.to_string(), io::Error::to_string))
}
