//! What carries one request to a server and its answer back: the network, or a simulated one.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;
use http::Request;
use http::response::Parts;
use http_body_util::{BodyExt, Full};
use hyper::body::Body;

use super::body::TimedBody;
use super::error::NetError;
use super::policy::Permission;
use super::sender::Sender;

/// What is kept of an answer: what the guest keeps of any document, and one byte more so that it sees the cut.
const MAX_ANSWER: usize = (16 << 20) + 1;

/// Carries requests whose URL was checked.
pub trait Wire: fmt::Debug + Send + Sync {
    /// Sends one request, exactly once, to an address that `permission` allows.
    ///
    /// # Errors
    /// [`NetError`] for everything that is not the head of an answer; it says whether the server may have seen the
    /// request.
    fn carry(&self, request: Request<Bytes>, permission: Permission) -> Carrying<'_>;
}

/// A request on its way.
pub type Carrying<'a> = Pin<Box<dyn Future<Output = Result<Carried, NetError>> + Send + 'a>>;

/// An answer, as far as it came.
#[derive(Debug)]
pub struct Carried {
    /// Status and headers.
    pub head: Parts,
    /// The body; what is beyond 16 MiB is left out, but for one byte.
    pub body: Bytes,
    /// Why the body ended before its end, if it did.
    pub broken: Option<NetError>,
}

impl Wire for Sender {
    fn carry(&self, request: Request<Bytes>, permission: Permission) -> Carrying<'_> {
        Box::pin(async move {
            let (head, body) = self.send(request.map(Full::new), permission).await?.into_parts();
            let (body, broken) = read(body).await;
            Ok(Carried { head, body, broken })
        })
    }
}

/// What is beyond the limit is not read: the guest sees an answer that is longer than it keeps.
async fn read(mut body: TimedBody) -> (Bytes, Option<NetError>) {
    let hint = usize::try_from(body.size_hint().lower()).unwrap_or(MAX_ANSWER);
    let mut bytes = Vec::with_capacity(hint.min(MAX_ANSWER));
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(frame) => bytes.extend_from_slice(frame.data_ref().map_or(&[][..], |data| data)),
            Err(error) => return (bytes.into(), Some(error)),
        }
        if bytes.len() >= MAX_ANSWER {
            bytes.truncate(MAX_ANSWER);
            break;
        }
    }
    (bytes.into(), None)
}
