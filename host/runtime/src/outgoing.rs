//! The guest's way out: what it asks for is checked, given its secrets, sent by our own sender, and stripped of secrets
//! on the way back.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::request::Parts;
use http::{HeaderValue, Request, Response};
use http_body_util::BodyExt;
use hyper::body::{Body, Frame};
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

use crate::clock::{SharedClock, SystemClock};
use crate::net::{AllowList, Carried, NetError, NetErrorKind, Origin, Phase, Wire, request_url};
use crate::secrets::{MissingSecret, Secrets};
use crate::uploads::{Piece, UPLOADED, Uploads};

/// The longest kick-off.
const MAX_REQUEST: usize = 4 << 20;

/// What an import may reach, and with which secrets.
#[derive(Clone)]
pub struct Network {
    /// What may be reached.
    pub allow: AllowList,
    /// Secrets and credentials, each for its origins.
    pub secrets: Secrets,
    /// How it is sent: a [`Sender`](crate::net::Sender), or a simulated network.
    pub wire: Arc<dyn Wire>,
    /// Files that may be sent, for servers that take them in requests.
    pub uploads: Uploads,
    /// What signatures are dated by.
    clock: SharedClock,
}

impl std::fmt::Debug for Network {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { allow, secrets, wire, uploads, .. } = self;
        let mut shown = out.debug_struct("Network");
        shown
            .field("allow", allow)
            .field("secrets", secrets)
            .field("wire", wire)
            .field("uploads", uploads)
            .finish_non_exhaustive()
    }
}

impl Network {
    /// A network by the machine's clock that sends no files.
    #[must_use]
    pub fn new(allow: AllowList, secrets: Secrets, wire: Arc<dyn Wire>) -> Self {
        Self { allow, secrets, wire, uploads: Uploads::default(), clock: Arc::new(SystemClock::new()) }
    }

    /// The same by another clock. An [`Importer`](crate::Importer) sees to it that there is one clock.
    #[must_use]
    pub fn by(self, clock: SharedClock) -> Self {
        Self { clock, ..self }
    }

    /// Check, fill in, sign, send, read, hide: in this order.
    ///
    /// # Errors
    /// [`NetError`]; it says whether the server may have seen the request.
    pub async fn exchange(&self, request: Request<Bytes>) -> Result<Carried, NetError> {
        let url = request_url(request.uri())?;
        let origin = Origin::of(&url)?;
        let permission = self.allow.check(&url)?;
        let denied = |kind, text| NetError::new(Phase::Policy, kind, &url, text);
        let (mut parts, body) = request.into_parts();
        let piece = self.uploads.asked(&body, &origin).await;
        let piece = piece.map_err(|error| denied(NetErrorKind::Upload, error.to_string()))?;
        let body = self.filled(&mut parts, body, &origin, piece.as_ref());
        let body = body.map_err(|missing| denied(NetErrorKind::RequestBody, missing.to_string()))?;
        // What was filled in is part of what is signed.
        let url = request_url(&parts.uri)?;
        self.secrets.sign(&mut parts, &body, &url, self.clock.now_ms());
        let carried = self.wire.carry(Request::from_parts(parts, body), permission).await?;
        Ok(self.hidden(carried, piece.as_ref()))
    }

    /// A request with its secrets. Nothing is looked for in a file: what stands there is not ours to fill in.
    fn filled(
        &self,
        parts: &mut Parts,
        body: Bytes,
        origin: &Origin,
        piece: Option<&Piece>,
    ) -> Result<Bytes, MissingSecret> {
        if let Some(piece) = piece {
            self.secrets.outgoing(parts, None, origin)?;
            parts.headers.remove(CONTENT_LENGTH);
            return Ok(piece.bytes.clone());
        }
        let mut body = Vec::from(body);
        self.secrets.outgoing(parts, Some(&mut body), origin)?;
        Ok(body.into())
    }

    /// An answer without secrets, and with what was sent of a file. No server speaks of that in our name.
    fn hidden(&self, carried: Carried, piece: Option<&Piece>) -> Carried {
        let (mut head, mut body) = (carried.head, Vec::from(carried.body));
        head.headers.remove(UPLOADED);
        self.secrets.hide_headers(&mut head.headers);
        self.secrets.hide(&mut body);
        if let Some(piece) = piece {
            let range = HeaderValue::from_str(&piece.range()).expect("numbers are a valid field value");
            head.headers.insert(UPLOADED, range);
        }
        Carried { head, body: body.into(), ..carried }
    }
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

    fn extend(&self, error: Option<&NetError>) {
        error.into_iter().for_each(|error| self.add(error));
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
            let carried = through(&network, request).await.map_err(|error| {
                failures.add(&error);
                code(&error)
            })?;
            failures.extend(carried.broken.as_ref());
            let broken = carried.broken.as_ref().map(code);
            let body = Arrived { bytes: Some(carried.body), broken };
            let done: Io = Box::new(async { Ok(()) });
            Ok((Response::from_parts(carried.head, body.boxed_unsync()), done))
        })
    }
}

async fn through(network: &Network, request: Request<WasiBody>) -> Result<Carried, NetError> {
    let (parts, body) = request.into_parts();
    let url = request_url(&parts.uri)?;
    let body =
        read_request(body).await.map_err(|text| NetError::new(Phase::Policy, NetErrorKind::RequestBody, &url, text))?;
    network.exchange(Request::from_parts(parts, body.into())).await
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

/// The body of an answer as far as it came: the status and the headers of a kick-off say all, also when it broke off.
struct Arrived {
    bytes: Option<Bytes>,
    broken: Option<Error>,
}

impl Body for Arrived {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let bytes = self.bytes.take().filter(|bytes| !bytes.is_empty());
        Poll::Ready(bytes.map(|bytes| Ok(Frame::data(bytes))).or_else(|| self.broken.take().map(Err)))
    }
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
