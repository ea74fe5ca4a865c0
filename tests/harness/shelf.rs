//! Files and a network without sockets: what the practice server is told to fetch, and the way to it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use fhir_import::net::{Carried, Carrying, NetError, NetErrorKind, Permission, Phase, Wire};
use fhir_import_sandbox::{Files, Outcome, Sandbox};
use http::Request;
use url::Url;

/// Files by their names, which may be URLs of any scheme.
#[derive(Default)]
pub(crate) struct Shelf(Mutex<BTreeMap<String, Bytes>>);

impl Shelf {
    pub(crate) fn put(&self, name: &str, content: impl Into<Bytes>) {
        self.0.lock().unwrap().insert(name.to_owned(), content.into());
    }

    pub(crate) fn remove(&self, name: &str) {
        self.0.lock().unwrap().remove(name).expect("it was put there");
    }
}

impl Files for Shelf {
    fn read(&self, name: &str) -> Option<Bytes> {
        self.0.lock().unwrap().get(name).cloned()
    }

    fn list(&self, prefix: &str) -> Vec<String> {
        self.0.lock().unwrap().keys().filter(|name| name.starts_with(prefix)).cloned().collect()
    }
}

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
