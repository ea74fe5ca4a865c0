//! One request and what comes of it, whatever carries them.

use crate::server::Server;
use crate::wire::{CutShort, HangUp, Late};
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::Uri;
use hyper::header::{DATE, HOST, HeaderValue};
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;

/// The routes of a server, ready to be asked.
pub(crate) type Routes = TowerToHyperService<Router>;

/// What a client gets for a request when there is no socket.
#[derive(Debug)]
pub enum Outcome {
    /// The whole answer.
    Answered {
        /// The answer.
        answer: hyper::Response<Bytes>,
        /// How much later it arrives than the request was sent; nobody has waited for it.
        delay_ms: u64,
    },
    /// The whole head, and a body that breaks off before its `Content-Length`.
    Cut {
        /// The head, with what there is of the body.
        answer: hyper::Response<Bytes>,
        /// How much later it arrives than the request was sent; nobody has waited for it.
        delay_ms: u64,
    },
    /// The connection was closed without an answer.
    HungUp,
}

/// Logs a request, lets the routes answer it, and dates and logs the answer.
pub(crate) async fn attend(server: &Server, routes: &Routes, request: hyper::Request<Bytes>) -> Response {
    let (head, body) = request.into_parts();
    let entry = server.log.arrived(&head, &body);
    let mut request = Request::from_parts(head, Body::from(body));
    request.extensions_mut().insert(entry);
    let Ok(mut response) = routes.call(request).await;
    if response.extensions().get::<HangUp>().is_none() {
        let date = HeaderValue::from_str(&httpdate::fmt_http_date(server.now())).expect("a date is plain ASCII");
        response.headers_mut().entry(DATE).or_insert(date);
        server.log.answered(entry, response.status().as_u16());
    }
    response
}

/// A request as a connection to the server would have brought it: path and query, and the host beside them.
pub(crate) fn direct(mut request: hyper::Request<Bytes>) -> hyper::Request<Bytes> {
    let host = request.uri().authority().and_then(|authority| HeaderValue::from_str(authority.as_str()).ok());
    if let Some(host) = host {
        request.headers_mut().entry(HOST).or_insert(host);
    }
    let place = request.uri().path_and_query().cloned();
    *request.uri_mut() = place.map_or_else(|| Uri::from_static("/"), Uri::from);
    request
}

impl Outcome {
    /// What a client gets of this answer.
    pub(crate) async fn of(response: Response) -> Self {
        let marks = response.extensions();
        if marks.get::<HangUp>().is_some() {
            return Self::HungUp;
        }
        let delay_ms = marks.get::<Late>().map_or(0, |late| late.0);
        let cut = marks.get::<CutShort>().is_some();
        let (head, body) = response.into_parts();
        let body = body.collect().await.map_or_else(|_| Bytes::new(), http_body_util::Collected::to_bytes);
        let answer = hyper::Response::from_parts(head, body);
        if cut { Self::Cut { answer, delay_ms } } else { Self::Answered { answer, delay_ms } }
    }
}
