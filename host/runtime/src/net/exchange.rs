//! HTTP/1.1 over one open connection (RFC 9112).

use std::error::Error;

use bytes::Bytes;
use http::{Request, Response};
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, timeout_at};

use super::body::{Connection, Progress, SentBody, TimedBody};
use super::error::{NetError, NetErrorKind, Phase, shown_limit};
use super::failure::{Place, answer_failure};
use super::phase::{Budget, OutOfTime};

/// More headers than this are refused; hyper's own default.
pub(super) const MAX_HEADERS: usize = 100;

/// Longer answer heads are refused, in bytes.
const MAX_HEAD_BYTES: usize = 64 * 1024;

/// The source of a request body may fail for any reason.
pub(super) type BoxError = Box<dyn Error + Send + Sync>;

/// An exchange that has its connection.
pub(super) struct Exchange {
    pub(super) place: Place,
    pub(super) budget: Budget,
}

impl Exchange {
    pub(super) async fn run<S, B>(self, stream: S, request: Request<B>) -> Result<Response<TimedBody>, NetError>
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
