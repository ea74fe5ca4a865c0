//! One exchange, by `wasi` directly: the answer is awaited while the body is written, so that an early refusal is seen.
//! The limits of time are the host's; one is kept here for hosts that have none.

use fhir_import_workflow::exchange::{Answer, Exchange, Failure, FailureKind, Method};
use wasi::clocks::monotonic_clock::subscribe_duration;
use wasi::http::outgoing_handler;
use wasi::http::types::{
    self as http, ErrorCode, Fields, FutureIncomingResponse, IncomingBody, IncomingResponse, OutgoingBody,
    OutgoingRequest, Scheme,
};
use wasi::io::poll::poll;
use wasi::io::streams::{InputStream, StreamError};

/// `blocking-write-and-flush` takes at most this much (wasi:io/streams).
const WRITE: usize = 4096;
/// No answer is waited for longer than this, in nanoseconds: twice what the slowest known server takes.
const LONGEST_NS: u64 = 120_000_000_000;
/// How much is read at a time.
const READ: u64 = 64 << 10;

/// Sends and reads, at most as many bytes as are to be kept. A failure before the request was handed to the host sent
/// nothing.
pub fn send(exchange: &Exchange) -> Result<Answer, Failure> {
    let request = request(exchange).ok_or_else(|| failure(FailureKind::Denied))?;
    let body = request.body().map_err(|()| failure(FailureKind::Denied))?;
    let future = outgoing_handler::handle(request, None).map_err(|code| failure(kind(&code)))?;
    write(body, exchange.body.as_deref().unwrap_or_default().as_bytes());
    let response = wait(&future)?;
    read(&response, exchange)
}

fn request(exchange: &Exchange) -> Option<OutgoingRequest> {
    let url = exchange.url.split_once('#').map_or(exchange.url.as_str(), |(url, _fragment)| url);
    let (scheme, rest) = url.split_once("://")?;
    let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let slash = if path.starts_with('/') { "" } else { "/" };
    let fields = Fields::new();
    for (name, value) in &exchange.headers {
        fields.append(name, value.as_bytes()).ok()?;
    }
    let request = OutgoingRequest::new(fields);
    let scheme = if scheme.eq_ignore_ascii_case("https") { Scheme::Https } else { Scheme::Http };
    request.set_method(&method(exchange.method)).ok()?;
    request.set_scheme(Some(&scheme)).ok()?;
    request.set_authority(Some(authority)).ok()?;
    request.set_path_with_query(Some(&format!("{slash}{path}"))).ok()?;
    Some(request)
}

fn method(method: Method) -> http::Method {
    match method {
        Method::Get => http::Method::Get,
        Method::Post => http::Method::Post,
        Method::Delete => http::Method::Delete,
    }
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

/// Hosts other than ours may have no limit of their own.
fn wait(future: &FutureIncomingResponse) -> Result<IncomingResponse, Failure> {
    let (answer, late) = (future.subscribe(), subscribe_duration(LONGEST_NS));
    loop {
        match future.get() {
            Some(Ok(Ok(response))) => return Ok(response),
            Some(Ok(Err(code))) => return Err(failure(kind(&code))),
            Some(Err(())) => return Err(failure(FailureKind::Broken)),
            None if late.ready() => return Err(failure(FailureKind::Broken)),
            None => drop(poll(&[&answer, &late])),
        }
    }
}

fn read(response: &IncomingResponse, exchange: &Exchange) -> Result<Answer, Failure> {
    let status = response.status();
    let text = |value: Vec<u8>| String::from_utf8_lossy(&value).into_owned();
    let headers = response.headers().entries().into_iter().map(|(name, value)| (name, text(value))).collect();
    let body = response.consume().map_err(|()| failure(FailureKind::Broken))?;
    let mut bytes = Vec::new();
    let cut = match read_body(&body, exchange.keep, &mut bytes) {
        Ok(cut) => cut,
        Err(()) if exchange.head_is_enough(status) => true,
        Err(()) => return Err(failure(FailureKind::Broken)),
    };
    Ok(Answer { status, headers, body: bytes, cut })
}

/// Says whether the body is longer than what is kept.
fn read_body(body: &IncomingBody, keep: usize, bytes: &mut Vec<u8>) -> Result<bool, ()> {
    let stream = body.stream()?;
    while let Some(piece) = piece(&stream)? {
        bytes.extend_from_slice(&piece);
        if bytes.len() > keep {
            bytes.truncate(keep);
            return Ok(true);
        }
    }
    Ok(false)
}

fn piece(stream: &InputStream) -> Result<Option<Vec<u8>>, ()> {
    match stream.blocking_read(READ) {
        Ok(piece) => Ok(Some(piece)),
        Err(StreamError::Closed) => Ok(None),
        Err(StreamError::LastOperationFailed(_)) => Err(()),
    }
}

fn failure(kind: FailureKind) -> Failure {
    Failure { kind, text: kind.words().to_owned() }
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
