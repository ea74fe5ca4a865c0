//! The kick-off, by `wasi` directly: the answer is awaited while the body is written, so that an early refusal is seen.

use fhir_import_workflow::exchange::{Answer, Exchange, Failure, FailureKind};
use wasi::http::outgoing_handler;
use wasi::http::types::{
    ErrorCode, Fields, FutureIncomingResponse, IncomingBody, IncomingResponse, Method, OutgoingBody, OutgoingRequest,
    Scheme,
};
use wasi::io::streams::{InputStream, StreamError};

use crate::exchange::text;

/// `blocking-write-and-flush` takes at most this much (wasi:io/streams).
const WRITE: usize = 4096;
/// How much is read at a time.
const READ: u64 = 64 << 10;

/// Sends the kick-off. A failure before the request was handed to the host sent nothing.
pub fn send(exchange: &Exchange) -> Result<Answer, Failure> {
    let request = request(exchange).ok_or_else(|| failure(FailureKind::Denied))?;
    let body = request.body().map_err(|()| failure(FailureKind::Denied))?;
    let future = outgoing_handler::handle(request, None).map_err(|code| failure(kind(&code)))?;
    write(body, exchange.body.as_deref().unwrap_or_default().as_bytes());
    let response = wait(&future)?;
    read(&response, exchange.keep)
}

fn request(exchange: &Exchange) -> Option<OutgoingRequest> {
    let (scheme, rest) = exchange.url.split_once("://")?;
    let split = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(split);
    let fields = Fields::new();
    for (name, value) in &exchange.headers {
        fields.append(name, value.as_bytes()).ok()?;
    }
    let request = OutgoingRequest::new(fields);
    let scheme = if scheme.eq_ignore_ascii_case("https") { Scheme::Https } else { Scheme::Http };
    request.set_method(&Method::Post).ok()?;
    request.set_scheme(Some(&scheme)).ok()?;
    request.set_authority(Some(authority)).ok()?;
    request.set_path_with_query(Some(path)).ok()?;
    Some(request)
}

/// A server may answer before it has read everything: a write that fails is no verdict, the answer is.
fn write(body: OutgoingBody, bytes: &[u8]) {
    if let Ok(stream) = body.write() {
        for piece in bytes.chunks(WRITE) {
            if stream.blocking_write_and_flush(piece).is_err() {
                return;
            }
        }
        drop(stream);
        // An error here means that the exchange is over already; its answer says how.
        let _ = OutgoingBody::finish(body, None);
    }
}

fn wait(future: &FutureIncomingResponse) -> Result<IncomingResponse, Failure> {
    loop {
        match future.get() {
            Some(Ok(Ok(response))) => return Ok(response),
            Some(Ok(Err(code))) => return Err(failure(kind(&code))),
            Some(Err(())) => return Err(failure(FailureKind::Broken)),
            None => future.subscribe().block(),
        }
    }
}

fn read(response: &IncomingResponse, keep: usize) -> Result<Answer, Failure> {
    let status = response.status();
    let text = |value: Vec<u8>| String::from_utf8_lossy(&value).into_owned();
    let headers = response.headers().entries().into_iter().map(|(name, value)| (name, text(value))).collect();
    let body = response.consume().map_err(|()| failure(FailureKind::Broken))?;
    let (body, cut) = read_body(&body, keep);
    Ok(Answer { status, headers, body, cut })
}

/// The status and the headers say whether the kick-off was accepted: a body that breaks off takes nothing away.
fn read_body(body: &IncomingBody, keep: usize) -> (Vec<u8>, bool) {
    let Ok(stream) = body.stream() else { return (Vec::new(), true) };
    let mut bytes = Vec::new();
    loop {
        match piece(&stream) {
            Ok(Some(piece)) => bytes.extend_from_slice(&piece),
            Ok(None) => return (bytes, false),
            Err(()) => return (bytes, true),
        }
        if bytes.len() > keep {
            bytes.truncate(keep);
            return (bytes, true);
        }
    }
}

fn piece(stream: &InputStream) -> Result<Option<Vec<u8>>, ()> {
    match stream.blocking_read(READ) {
        Ok(piece) => Ok(Some(piece)),
        Err(StreamError::Closed) => Ok(None),
        Err(StreamError::LastOperationFailed(_)) => Err(()),
    }
}

fn failure(kind: FailureKind) -> Failure {
    Failure { kind, text: text(kind) }
}

fn kind(code: &ErrorCode) -> FailureKind {
    match code {
        ErrorCode::HttpRequestDenied | ErrorCode::DestinationIpProhibited => FailureKind::Denied,
        ErrorCode::TlsProtocolError | ErrorCode::TlsCertificateError | ErrorCode::TlsAlertReceived(_) => {
            FailureKind::Tls
        }
        ErrorCode::DnsTimeout
        | ErrorCode::DnsError(_)
        | ErrorCode::DestinationNotFound
        | ErrorCode::DestinationUnavailable
        | ErrorCode::DestinationIpUnroutable
        | ErrorCode::ConnectionRefused
        | ErrorCode::ConnectionTimeout
        | ErrorCode::ConnectionLimitReached => FailureKind::Unreachable,
        _ => FailureKind::Broken,
    }
}
