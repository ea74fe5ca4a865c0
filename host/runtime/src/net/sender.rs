//! One exchange over one fresh connection.

use std::fmt;

use bytes::Bytes;
use http::{Request, Response};
use hyper::body::Body;

use super::body::TimedBody;
use super::dial::dial;
use super::error::NetError;
use super::exchange::{BoxError, Exchange};
use super::failure::Place;
use super::phase::{Budget, PhaseLimits};
use super::policy::Permission;
use super::request::{into_wire_form, request_url};
use super::resolve::resolve;
use super::tls::{Tls, TlsRoots, TlsRootsError};

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
        let url = request_url(&parts.uri)?;
        into_wire_form(&mut parts, &url)?;
        let addresses = resolve(&url, permission, &budget).await?;
        let stream = dial(&url, &addresses, &budget).await?;
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

#[cfg(test)]
mod tests;
