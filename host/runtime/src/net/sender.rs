//! One exchange over one fresh connection.

use std::error::Error;
use std::fmt;
use std::io;
use std::net::SocketAddr;

use bytes::Bytes;
use http::{Request, Response};
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use url::Url;

use super::body::{Connection, Progress, SentBody, TimedBody};
use super::error::{NetError, NetErrorKind, Phase, shown_limit};
use super::origin::redact_url;
use super::phase::{Budget, OutOfTime, PhaseLimits};
use super::policy::Permission;
use super::request::{into_wire_form, request_url};
use super::resolve::resolve;
use super::tls::{Tls, TlsRoots, TlsRootsError};

/// More headers than this are refused; hyper's own default.
const MAX_HEADERS: usize = 100;

/// Longer answer heads are refused, in bytes.
const MAX_HEAD_BYTES: usize = 64 * 1024;

/// The source of a request body may fail for any reason.
type BoxError = Box<dyn Error + Send + Sync>;

/// Sends requests. Cheap to clone.
#[derive(Clone)]
pub struct Sender {
    tls: Tls,
    limits: PhaseLimits,
}

impl fmt::Debug for Sender {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Sender").field("limits", &self.limits).finish_non_exhaustive()
    }
}

impl Sender {
    /// A sender that trusts `roots` beside the system's authorities.
    ///
    /// # Errors
    ///
    /// When the extra certificates cannot be used. A system without any authority is no error here: only `https` then
    /// fails, and says so.
    pub fn new(roots: &TlsRoots, limits: PhaseLimits) -> Result<Self, TlsRootsError> {
        Ok(Self { tls: Tls::new(roots)?, limits })
    }

    /// The same sender with other limits.
    #[must_use]
    pub fn with_limits(&self, limits: PhaseLimits) -> Self {
        Self { tls: self.tls.clone(), limits }
    }

    /// The limits of each exchange.
    #[must_use]
    pub fn limits(&self) -> PhaseLimits {
        self.limits
    }

    /// Sends one request, exactly once, and returns the head of whatever answer comes: a redirect, too, is an answer.
    ///
    /// The caller has checked the URL with [`super::AllowList::check`]; `permission` is what that returned. Dropping
    /// the future, or the body of the answer, ends the connection.
    ///
    /// # Errors
    ///
    /// [`NetError`] for everything that is not an answer; [`NetError::may_have_been_sent`] says whether the server may
    /// have seen the request.
    pub async fn send<B>(&self, request: Request<B>, permission: Permission) -> Result<Response<TimedBody>, NetError>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let budget = Budget::start(self.limits);
        let (mut parts, body) = request.into_parts();
        let url = request_url(&parts.uri).map_err(|error| NetError {
            phase: Phase::Policy,
            kind: NetErrorKind::Denied,
            url: String::new(),
            detail: error.to_string(),
        })?;
        into_wire_form(&mut parts, &url)?;
        let addresses = resolve(&url, permission, &budget).await?;
        let stream = connect(&url, &addresses, &budget).await?;
        let exchange = Exchange { place: Place::of(&url), budget };
        let request = Request::from_parts(parts, body);
        if url.scheme() == "https" {
            let stream = self.tls.secure(&url, stream, &budget).await?;
            exchange.run(stream, request).await
        } else {
            exchange.run(stream, request).await
        }
    }
}

/// Dials the addresses in order until one accepts.
async fn connect(url: &Url, addresses: &[SocketAddr], budget: &Budget) -> Result<TcpStream, NetError> {
    let mut kind = NetErrorKind::Unreachable;
    let mut tried = Vec::with_capacity(addresses.len());
    for address in addresses {
        match budget.within(budget.limits.connect, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                // Only latency is lost when the system refuses.
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Ok(Err(cause)) => {
                kind = connect_kind(&cause);
                tried.push(address.to_string());
            }
            Err(OutOfTime(limit)) => {
                kind = NetErrorKind::ConnectTimeout;
                tried.push(format!("{address}, {}", shown_limit(limit)));
            }
        }
    }
    Err(NetError::new(Phase::Connect, kind, url, tried.join("; ")))
}

fn connect_kind(cause: &io::Error) -> NetErrorKind {
    match cause.kind() {
        io::ErrorKind::ConnectionRefused => NetErrorKind::Refused,
        io::ErrorKind::TimedOut => NetErrorKind::ConnectTimeout,
        _ => NetErrorKind::Unreachable,
    }
}

/// Where an exchange goes, for messages.
#[derive(Clone, Debug)]
pub(super) struct Place(String);

impl Place {
    fn of(url: &Url) -> Self {
        Self(redact_url(url))
    }

    pub(super) fn error(&self, phase: Phase, kind: NetErrorKind, detail: String) -> NetError {
        NetError { phase, kind, url: self.0.clone(), detail }
    }
}

/// An exchange that has its connection.
struct Exchange {
    place: Place,
    budget: Budget,
}

impl Exchange {
    async fn run<S, B>(self, stream: S, request: Request<B>) -> Result<Response<TimedBody>, NetError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let (mut sender, connection) = self.open(stream).await?;
        let progress = Progress::start();
        let request = request.map(|body| SentBody::new(body, progress.clone()));
        let answer = self.answer(&mut sender, request, &progress).await?;
        let Self { place, budget } = self;
        Ok(answer.map(|body| TimedBody::new(body, connection, budget, place)))
    }

    async fn open<S, B>(&self, stream: S) -> Result<(SendRequest<SentBody<B>>, Connection), NetError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let mut http = Builder::new();
        http.max_headers(MAX_HEADERS).max_buf_size(MAX_HEAD_BYTES);
        let (sender, connection) = http.handshake(TokioIo::new(stream)).await.map_err(|cause| {
            let (kind, detail) = answer_failure(&cause);
            self.place.error(Phase::Connect, kind, detail)
        })?;
        // What ends the connection reaches the request or the body, too.
        let task = tokio::spawn(async move { drop(connection.await) });
        Ok((sender, Connection(task)))
    }

    /// Waits for the head of the answer as long as the request makes progress, then for the limit of the first byte.
    async fn answer<B>(
        &self,
        sender: &mut SendRequest<SentBody<B>>,
        request: Request<SentBody<B>>,
        progress: &Progress,
    ) -> Result<Response<Incoming>, NetError>
    where
        B: Body<Data = Bytes> + Send + 'static,
    {
        let mut answer = std::pin::pin!(sender.try_send_request(request));
        let limit = self.budget.limits.first_byte;
        loop {
            let until = self.budget.until(progress.last(), limit);
            match timeout_at(until, &mut answer).await {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(cause)) => {
                    // hyper hands the request back when it never began to write it.
                    let phase = if cause.message().is_some() { Phase::Connect } else { progress.phase() };
                    let (kind, detail) = answer_failure(cause.error());
                    return Err(self.place.error(phase, kind, detail));
                }
                Err(_) if self.budget.until(progress.last(), limit) > Instant::now() => {}
                Err(_) => {
                    let OutOfTime(limit) = self.budget.reached(until, limit);
                    return Err(self.place.error(progress.phase(), NetErrorKind::Timeout, shown_limit(limit)));
                }
            }
        }
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

#[cfg(test)]
mod tests;
