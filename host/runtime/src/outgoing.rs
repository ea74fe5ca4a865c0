//! The guest's way out: what it asks for is checked, given its secrets, sent by our own sender, and stripped of secrets
//! on the way back.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Body;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

use crate::net::{AllowList, NetError, NetErrorKind, Origin, Phase, Sender, TimedBody, request_url};
use crate::secrets::Secrets;

/// The longest kick-off.
const MAX_REQUEST: usize = 4 << 20;
/// What is kept of an answer: what the guest keeps of any document, and one byte more so that it sees the cut.
const MAX_ANSWER: usize = (16 << 20) + 1;

/// What an import may reach, and with which secrets.
#[derive(Clone, Debug)]
pub struct Network {
    /// What may be reached.
    pub allow: AllowList,
    /// Secrets and credentials, each for its origins.
    pub secrets: Secrets,
    /// How it is sent.
    pub sender: Sender,
}

/// The way out during one call.
pub(crate) struct Outgoing {
    network: Option<Arc<Network>>,
    failures: Failures,
}

/// What went wrong on the network during a call, in words that the guest does not have.
#[derive(Clone, Debug, Default)]
pub(crate) struct Failures(Arc<Mutex<Vec<NetError>>>);

impl Failures {
    fn add(&self, error: &NetError) {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(error.clone());
    }

    pub(crate) fn take(&self) -> Vec<NetError> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}

impl Outgoing {
    /// No way out at all.
    pub(crate) fn none() -> Self {
        Self { network: None, failures: Failures::default() }
    }

    /// A way out, and where its failures are told.
    pub(crate) fn through(network: Arc<Network>, failures: Failures) -> Self {
        Self { network: Some(network), failures }
    }
}

type Reply = Result<(Response<WasiBody>, Io), Error>;
type Io = Box<dyn Future<Output = Result<(), Error>> + Send>;

impl WasiHttpHooks for Outgoing {
    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        _: Option<RequestOptions>,
        _: Io,
    ) -> Box<dyn Future<Output = Reply> + Send> {
        let Some(network) = self.network.clone() else {
            return Box::new(async { Err(Error::HttpRequestDenied) });
        };
        let failures = self.failures.clone();
        Box::new(async move {
            let response = exchange(&network, request).await.map_err(|error| {
                failures.add(&error);
                code(&error)
            })?;
            let done: Io = Box::new(async { Ok(()) });
            Ok((response.map(|bytes| Full::new(bytes).map_err(|never| match never {}).boxed_unsync()), done))
        })
    }
}

/// Check, fill in, send, read, hide: in this order.
async fn exchange(network: &Network, request: Request<WasiBody>) -> Result<Response<Bytes>, NetError> {
    let url = request_url(request.uri())?;
    let origin = Origin::of(&url)?;
    let permission = network.allow.check(&url)?;
    let refuse = |kind, text: String| NetError::new(Phase::Policy, kind, &url, text);
    let (mut parts, body) = request.into_parts();
    let mut body = read_request(body).await.map_err(|text| refuse(NetErrorKind::RequestBody, text))?;
    network
        .secrets
        .outgoing(&mut parts, Some(&mut body), &origin)
        .map_err(|missing| refuse(NetErrorKind::RequestBody, missing.to_string()))?;
    let response = network.sender.send(Request::from_parts(parts, Full::new(Bytes::from(body))), permission).await?;
    let (mut parts, body) = response.into_parts();
    let mut bytes = read_answer(body).await?;
    network.secrets.hide_headers(&mut parts.headers);
    network.secrets.hide(&mut bytes);
    Ok(Response::from_parts(parts, Bytes::from(bytes)))
}

async fn read_request(mut body: WasiBody) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| error.to_string())?;
        bytes.extend_from_slice(frame.data_ref().map_or(&[][..], |data| data));
        if bytes.len() > MAX_REQUEST {
            return Err(format!("the request is longer than {MAX_REQUEST} bytes"));
        }
    }
    Ok(bytes)
}

/// What is beyond the limit is not read: the guest sees an answer that is longer than it keeps.
async fn read_answer(mut body: TimedBody) -> Result<Vec<u8>, NetError> {
    let hint = usize::try_from(body.size_hint().lower()).unwrap_or(MAX_ANSWER);
    let mut bytes = Vec::with_capacity(hint.min(MAX_ANSWER));
    while let Some(frame) = body.frame().await {
        let frame = frame?;
        bytes.extend_from_slice(frame.data_ref().map_or(&[][..], |data| data));
        if bytes.len() >= MAX_ANSWER {
            bytes.truncate(MAX_ANSWER);
            break;
        }
    }
    Ok(bytes)
}

/// The guest sees codes: provably nothing sent, or not.
fn code(error: &NetError) -> Error {
    match (error.phase, error.kind) {
        (_, NetErrorKind::PrivateAddress) => Error::DestinationIpProhibited,
        (Phase::Policy, _) => Error::HttpRequestDenied,
        (Phase::Dns, NetErrorKind::DnsTimeout) => Error::DnsTimeout,
        (Phase::Dns, _) => Error::DnsError { rcode: None, info_code: None },
        (Phase::Connect, NetErrorKind::Refused) => Error::ConnectionRefused,
        (Phase::Connect, _) | (Phase::Tls, NetErrorKind::TlsTimeout) => Error::ConnectionTimeout,
        (Phase::Tls, NetErrorKind::TlsProtocol) => Error::TlsProtocolError,
        (Phase::Tls, _) => Error::TlsCertificateError,
        (Phase::Send, _) => Error::ConnectionTerminated,
        (Phase::FirstByte | Phase::Body, NetErrorKind::Timeout) => Error::HttpResponseTimeout,
        (Phase::FirstByte | Phase::Body, _) => Error::HttpResponseIncomplete,
    }
}
