//! Bodies that end before their announced length.

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use hyper::body::Frame;
use hyper::header::{CONTENT_LENGTH, HeaderValue};
use hyper::http::response::Parts;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::Sleep;

/// What the kernel is given to send the part before the connection breaks: hyper writes nothing more after an error.
const FLUSH: Duration = Duration::from_millis(20);

/// An answer that announces the whole body, sends this much of it and breaks the connection.
pub(crate) fn cut_short(head: Parts, whole: &Bytes, length: usize) -> Response {
    let part = whole.slice(..length.min(whole.len()));
    let body = CutBody { part: Some(part), then: Box::pin(tokio::time::sleep(FLUSH)) };
    let mut response = Response::from_parts(head, Body::new(body));
    response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(whole.len()));
    response
}

struct CutBody {
    part: Option<Bytes>,
    then: Pin<Box<Sleep>>,
}

impl hyper::body::Body for CutBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        if let Some(part) = self.part.take().filter(|part| !part.is_empty()) {
            return Poll::Ready(Some(Ok(Frame::data(part))));
        }
        self.then.as_mut().poll(cx).map(|()| Some(Err(io::ErrorKind::ConnectionAborted.into())))
    }
}
