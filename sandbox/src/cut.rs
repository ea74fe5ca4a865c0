//! Bodies that end before their announced length, on a socket.

use axum::body::Body;
use bytes::Bytes;
use hyper::body::Frame;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::Sleep;

/// What the kernel is given to send the part before the connection breaks: hyper writes nothing more after an error.
const FLUSH: Duration = Duration::from_millis(20);

/// A body that sends all of this one and then breaks the connection.
pub(crate) fn then_break(part: Body) -> Body {
    Body::new(CutBody { part: Some(part), then: Box::pin(tokio::time::sleep(FLUSH)) })
}

struct CutBody {
    part: Option<Body>,
    then: Pin<Box<Sleep>>,
}

impl hyper::body::Body for CutBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        if let Some(part) = &mut self.part {
            if let Some(frame) = ready!(Pin::new(part).poll_frame(cx)) {
                return Poll::Ready(Some(frame));
            }
            self.part = None;
        }
        let broken = || axum::Error::new(io::Error::from(io::ErrorKind::ConnectionAborted));
        self.then.as_mut().poll(cx).map(|()| Some(Err(broken())))
    }
}
