//! A network without sockets: the way to a practice server in this process.

use std::sync::Arc;

use bytes::Bytes;
use fhir_import::net::{Carried, Carrying, NetError, NetErrorKind, Permission, Phase, Wire};
use fhir_import_sandbox::{Outcome, Sandbox};
use http::Request;
use url::Url;

/// The way to a practice server in this process. Nobody else is there.
pub(crate) struct ShortWire(pub(crate) Arc<Sandbox>);

impl std::fmt::Debug for ShortWire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ShortWire")
    }
}

impl ShortWire {
    async fn convey(&self, request: Request<Bytes>) -> Result<Carried, NetError> {
        let url: Url = request.uri().to_string().parse().unwrap();
        let server: Url = self.0.base_url().parse().unwrap();
        if url.origin() != server.origin() {
            return Err(NetError::new(Phase::Connect, NetErrorKind::Refused, &url, "nobody is there"));
        }
        let closed = |phase| NetError::new(phase, NetErrorKind::ConnectionClosed, &url, "closed");
        let (answer, broken) = match self.0.exchange(request).await {
            Outcome::HungUp => return Err(closed(Phase::FirstByte)),
            Outcome::Answered { answer, .. } => (answer, None),
            Outcome::Cut { answer, .. } => (answer, Some(closed(Phase::Body))),
        };
        let (head, body) = answer.into_parts();
        Ok(Carried { head, body, broken })
    }
}

impl Wire for ShortWire {
    fn carry(&self, request: Request<Bytes>, _: Permission) -> Carrying<'_> {
        Box::pin(self.convey(request))
    }
}
