//! Connections: hyper with a way to close one without an answer, which a router cannot do.

use crate::front::HangUp;
use crate::server::Server;
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use std::fmt;
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// The longest request body that is read: far above any kick-off.
const MAX_BODY: usize = 64 << 20;

/// Why a connection ends without an answer.
#[derive(Debug)]
struct Closed;

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("closed without an answer")
    }
}

impl std::error::Error for Closed {}

/// Accepts connections for ever. Dropping the future closes them all.
pub(crate) async fn serve(listener: TcpListener, server: Arc<Server>, router: Router) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Ok((stream, _)) = listener.accept() => {
                connections.spawn(converse(stream, Arc::clone(&server), router.clone()));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Answers the requests of one connection until either side ends it, with the headers spelt as Java servers do.
async fn converse(stream: TcpStream, server: Arc<Server>, router: Router) {
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |request| answer(request, Arc::clone(&server), router.clone()));
    // How a connection ends is for the client to notice; the log has every request.
    let _ended = http1::Builder::new().title_case_headers(true).serve_connection(TokioIo::new(stream), service).await;
}

/// Logs a request, lets the router answer it, and logs the answer.
async fn answer(
    request: hyper::Request<Incoming>,
    server: Arc<Server>,
    router: TowerToHyperService<Router>,
) -> Result<Response, Closed> {
    let (head, body) = request.into_parts();
    let body = Limited::new(body, MAX_BODY).collect().await.map_err(|_| Closed)?.to_bytes();
    let entry = server.log.arrived(&head, &body);
    let mut request = Request::from_parts(head, Body::from(body));
    request.extensions_mut().insert(entry);
    let Ok(response) = router.call(request).await;
    if response.extensions().get::<HangUp>().is_some() {
        return Err(Closed);
    }
    server.log.answered(entry, response.status().as_u16());
    Ok(response)
}
