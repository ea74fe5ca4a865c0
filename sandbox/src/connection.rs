//! Connections: hyper with a way to close one without an answer, which a router cannot do.

use crate::cut;
use crate::exchange::{Routes, attend};
use crate::server::Server;
use crate::wire::{CutShort, HangUp};
use axum::response::Response;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
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

/// Accepts connections for ever. A restart closes those there are; dropping the future closes them all.
pub(crate) async fn serve(listener: TcpListener, server: Arc<Server>, routes: Routes) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Ok((stream, _)) = listener.accept() => {
                connections.spawn(converse(stream, Arc::clone(&server), routes.clone()));
            }
            Some(_) = connections.join_next() => {}
            () = server.restarted.notified() => connections.abort_all(),
        }
    }
}

/// Answers the requests of one connection until either side ends it, with the headers spelt as Java servers do.
async fn converse(stream: TcpStream, server: Arc<Server>, routes: Routes) {
    let service = service_fn(move |request| answer(request, Arc::clone(&server), routes.clone()));
    // How a connection ends is for the client to notice; the log has every request.
    let _ended = http1::Builder::new().title_case_headers(true).serve_connection(TokioIo::new(stream), service).await;
}

/// Reads a whole request, has it answered, and spoils the answer where it is marked.
async fn answer(request: hyper::Request<Incoming>, server: Arc<Server>, routes: Routes) -> Result<Response, Closed> {
    let (head, body) = request.into_parts();
    let body = Limited::new(body, MAX_BODY).collect().await.map_err(|_| Closed)?.to_bytes();
    let response = attend(&server, &routes, hyper::Request::from_parts(head, body)).await;
    let marks = response.extensions();
    if marks.get::<HangUp>().is_some() {
        return Err(Closed);
    }
    let cut = marks.get::<CutShort>().is_some();
    Ok(if cut { response.map(cut::then_break) } else { response })
}
