//! The content of an answer, one chunk at a time.

use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::{error, fmt, io};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::task::{JoinHandle, spawn_blocking};

use super::answer::Content;
use super::connections::Connection;
use super::log::Transfer;
use crate::files::{CHUNK_BYTES, Change, OpenInput};

/// Reads when the connection asks for more, so at most one chunk of a file is in memory.
#[derive(Debug)]
pub(super) struct ContentBody {
    left: Range<u64>,
    source: Option<Source>,
    reading: Option<JoinHandle<Result<Bytes, BodyError>>>,
}

#[derive(Debug)]
struct Source {
    content: Content,
    transfer: Transfer,
    connection: Arc<Connection>,
}

/// Why an answer was cut by us.
#[derive(Debug)]
pub(super) enum BodyError {
    Changed(Change),
    Unreadable(io::Error),
}

impl ContentBody {
    pub(super) fn empty() -> Self {
        Self { left: 0..0, source: None, reading: None }
    }

    /// The bytes `left` of `content`; an empty range is handed over at once.
    pub(super) fn new(content: Content, left: Range<u64>, transfer: Transfer, connection: Arc<Connection>) -> Self {
        if left.is_empty() {
            connection.handed_over(transfer);
            return Self::empty();
        }
        Self { left, source: Some(Source { content, transfer, connection }), reading: None }
    }

    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        let (Some(source), false) = (&self.source, self.left.is_empty()) else { return Poll::Ready(None) };
        let input = match &source.content {
            Content::Document(text) => {
                // Its length is a usize, so both ends are.
                return Poll::Ready(Some(Ok(text.slice(self.left.start as usize..self.left.end as usize))));
            }
            Content::File(input) => input,
        };
        let reading = self.reading.get_or_insert_with(|| {
            let (input, left) = (Arc::clone(input), self.left.clone());
            spawn_blocking(move || read_chunk(&input, left))
        });
        let chunk = ready!(Pin::new(reading).poll(cx));
        self.reading = None;
        Poll::Ready(Some(chunk.unwrap_or_else(|stopped| Err(BodyError::Unreadable(stopped.into())))))
    }

    fn hand_over(&mut self, chunk: &Bytes) {
        self.left.start += chunk.len() as u64;
        let Some(mut source) = self.source.take() else { return };
        source.transfer.sent(chunk.len() as u64);
        if self.left.is_empty() {
            source.connection.handed_over(source.transfer);
        } else {
            self.source = Some(source);
        }
    }

    fn give_up(&mut self, error: &BodyError) {
        match (self.source.take(), error) {
            (Some(source), BodyError::Changed(change)) => source.transfer.changed(*change),
            // Dropped, which logs it as cut.
            (_, BodyError::Unreadable(_)) | (None, _) => {}
        }
    }
}

impl Body for ContentBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let chunk = ready!(self.poll_chunk(cx));
        match &chunk {
            Some(Ok(chunk)) => self.hand_over(chunk),
            Some(Err(error)) => self.give_up(error),
            None => {}
        }
        Poll::Ready(chunk.map(|chunk| chunk.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left.end - self.left.start)
    }
}

/// Looks for a change after reading: what was read before the look is what was opened.
fn read_chunk(input: &OpenInput, left: Range<u64>) -> Result<Bytes, BodyError> {
    let length = (left.end - left.start).min(CHUNK_BYTES as u64) as usize;
    let mut chunk = vec![0; length];
    let count = input.read_at(&mut chunk, left.start).map_err(BodyError::Unreadable)?;
    match input.changed() {
        Some(change) => Err(BodyError::Changed(change)),
        None if count < length => Err(BodyError::Unreadable(io::ErrorKind::UnexpectedEof.into())),
        None => Ok(chunk.into()),
    }
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changed(change) => write!(f, "the file {change} while it was served"),
            Self::Unreadable(_) => f.write_str("the file cannot be read"),
        }
    }
}

impl error::Error for BodyError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Changed(_) => None,
            Self::Unreadable(error) => Some(error),
        }
    }
}
