//! Bodies under a clock: the request's, which reports progress, and the answer's, which must make some.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::task::JoinHandle;
use tokio::time::{Instant, Sleep, sleep_until};

use super::error::{NetError, NetErrorKind, Phase, shown_limit};
use super::failure::{Place, answer_failure};
use super::phase::{Budget, OutOfTime};

/// The task that drives a connection; ends with its owner.
#[derive(Debug)]
pub(super) struct Connection(pub(super) JoinHandle<()>);

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// An answer's body, with a limit between two pieces and for the whole exchange. Dropping it ends the connection.
///
/// Once it has failed, it is at its end.
#[derive(Debug)]
pub struct TimedBody {
    inner: Option<Incoming>,
    connection: Connection,
    /// Runs while the reader waits. A reader that takes its time is not the peer's fault: hyper only reads on demand.
    wait: Option<Pin<Box<Sleep>>>,
    budget: Budget,
    place: Place,
    room: u64,
}

impl TimedBody {
    pub(super) fn new(inner: Incoming, connection: Connection, budget: Budget, place: Place) -> Self {
        Self { inner: Some(inner), connection, wait: None, budget, place, room: u64::MAX }
    }

    /// Fails with [`NetErrorKind::BodyTooLarge`] as soon as more than `bytes` bytes have come.
    #[must_use]
    pub fn limited(mut self, bytes: u64) -> Self {
        self.room = bytes;
        self
    }

    fn error(&self, kind: NetErrorKind, detail: String) -> NetError {
        self.place.error(Phase::Body, kind, detail)
    }

    fn fail<T>(&mut self, error: NetError) -> Poll<Option<Result<T, NetError>>> {
        self.inner = None;
        self.connection.0.abort();
        Poll::Ready(Some(Err(error)))
    }

    fn take(&mut self, frame: Frame<Bytes>) -> Poll<Option<Result<Frame<Bytes>, NetError>>> {
        self.wait = None;
        if let Some(OutOfTime(limit)) = self.budget.over() {
            return self.fail(self.error(NetErrorKind::Timeout, shown_limit(limit)));
        }
        let came = frame.data_ref().map_or(0, |data| data.len() as u64);
        match self.room.checked_sub(came) {
            Some(room) => {
                self.room = room;
                Poll::Ready(Some(Ok(frame)))
            }
            None => self.fail(self.error(NetErrorKind::BodyTooLarge, String::new())),
        }
    }

    fn poll_limit(&mut self, cx: &mut Context<'_>) -> Poll<OutOfTime> {
        let (budget, limit) = (self.budget, self.budget.limits.between_bytes);
        let begin = || Box::pin(sleep_until(budget.until(Instant::now(), limit)));
        let wait = self.wait.get_or_insert_with(begin);
        ready!(wait.as_mut().poll(cx));
        Poll::Ready(budget.reached(wait.deadline(), limit))
    }
}

impl Body for TimedBody {
    type Data = Bytes;
    type Error = NetError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, NetError>>> {
        let this = self.get_mut();
        let Some(inner) = &mut this.inner else { return Poll::Ready(None) };
        match Pin::new(inner).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => this.take(frame),
            Poll::Ready(Some(Err(cause))) => {
                let (kind, detail) = answer_failure(&cause);
                this.fail(this.error(kind, detail))
            }
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending => {
                let OutOfTime(limit) = ready!(this.poll_limit(cx));
                this.fail(this.error(NetErrorKind::Timeout, shown_limit(limit)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map_or(SizeHint::with_exact(0), Body::size_hint)
    }
}

/// How far the sending of a request body has come.
#[derive(Clone, Debug)]
pub(super) struct Progress(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    last: Mutex<Instant>,
    complete: AtomicBool,
}

impl Progress {
    pub(super) fn start() -> Self {
        Self(Arc::new(Shared { last: Mutex::new(Instant::now()), complete: AtomicBool::new(false) }))
    }

    /// When a piece of the body was last taken for sending.
    pub(super) fn last(&self) -> Instant {
        *self.0.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where an exchange is that has no answer yet.
    pub(super) fn phase(&self) -> Phase {
        if self.0.complete.load(Ordering::Relaxed) { Phase::FirstByte } else { Phase::Send }
    }

    fn made(&self) {
        *self.0.last.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    fn completed(&self) {
        self.0.complete.store(true, Ordering::Relaxed);
    }
}

/// A request body that reports its progress.
pub(super) struct SentBody<B> {
    inner: Pin<Box<B>>,
    progress: Progress,
}

impl<B: Body> SentBody<B> {
    pub(super) fn new(inner: B, progress: Progress) -> Self {
        if inner.is_end_stream() {
            progress.completed();
        }
        Self { inner: Box::pin(inner), progress }
    }
}

impl<B: Body> Body for SentBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let frame = ready!(self.inner.as_mut().poll_frame(cx));
        self.progress.made();
        if frame.is_none() || self.inner.is_end_stream() {
            self.progress.completed();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
