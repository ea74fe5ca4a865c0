//! An ordinary exchange, by waki. The limits of time are the host's.

use fhir_import_workflow::exchange::{Answer, Exchange, Failure, FailureKind, Method};
use waki::{Client, ErrorCode, RequestBuilder, Response};

/// How much is read at a time.
const PIECE: u64 = 64 << 10;

/// Sends and reads, at most as many bytes as are to be kept.
pub fn send(exchange: &Exchange) -> Result<Answer, Failure> {
    let response = request(exchange).send().map_err(|error| failure(&error))?;
    let status = response.status_code();
    let headers = headers(&response);
    let (body, cut) = body(&response, exchange.keep)?;
    Ok(Answer { status, headers, body, cut })
}

fn request(exchange: &Exchange) -> RequestBuilder {
    let client = Client::new();
    let builder = match exchange.method {
        Method::Get => client.get(&exchange.url),
        Method::Post => client.post(&exchange.url),
        Method::Delete => client.delete(&exchange.url),
    };
    let headers = exchange.headers.iter().map(|(name, value)| (*name, value.as_str()));
    let builder = builder.headers(headers.collect::<Vec<_>>());
    match &exchange.body {
        Some(body) => builder.body(body.as_bytes().to_vec()),
        None => builder,
    }
}

fn headers(response: &Response) -> Vec<(String, String)> {
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    response.headers().iter().map(|(name, value)| (name.as_str().to_owned(), text(value.as_bytes()))).collect()
}

fn body(response: &Response, keep: usize) -> Result<(Vec<u8>, bool), Failure> {
    let mut body = Vec::new();
    while let Some(piece) = response.chunk(PIECE).map_err(|error| failure(&error))? {
        body.extend_from_slice(&piece);
        if body.len() > keep {
            body.truncate(keep);
            return Ok((body, true));
        }
    }
    Ok((body, false))
}

fn failure(error: &anyhow::Error) -> Failure {
    let kind = error.downcast_ref::<ErrorCode>().map_or(FailureKind::Broken, kind);
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

/// The kind in words. The host knows more, and says it itself.
pub fn text(kind: FailureKind) -> String {
    match kind {
        FailureKind::Denied => "this address is not allowed",
        FailureKind::Unreachable => "no connection",
        FailureKind::Tls => "no secure connection",
        FailureKind::Broken => "the connection broke",
    }
    .to_owned()
}
