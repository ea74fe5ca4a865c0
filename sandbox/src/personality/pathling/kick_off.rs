//! `POST $import`: at once or by a job.

use super::order::{Order, Problem};
use super::{Edition, Pathling, news, nowhere, refusal, work};
use crate::job::Unstarted;
use crate::ledger::{Entry, Starter};
use crate::reply::{retry_after, with};
use crate::script::Script;
use axum::body::Bytes;
use axum::extract::{OriginalUri, State};
use axum::response::Response;
use hyper::header::{CONTENT_LOCATION, ETAG, HeaderMap};
use hyper::{Method, StatusCode};
use std::sync::Arc;

const ACCEPTED: &str =
    "Job accepted for processing, see the Content-Location header for the URL at which status can be queried";

pub(super) async fn kick_off(
    State(pathling): State<Arc<Pathling>>,
    uri: OriginalUri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let script = pathling.server.script();
    if !script.import_enabled {
        return nowhere(Method::POST, uri).await;
    }
    let asynchronous = prefers_async(&headers);
    if pathling.edition == Edition::Newer && !asynchronous {
        return refusal(StatusCode::BAD_REQUEST, "processing", "Missing 'Prefer: respond-async' header value.");
    }
    match Order::read(pathling.edition, &body) {
        Ok(order) if asynchronous => start(&pathling, script, order, body).await,
        Ok(order) => within(&pathling, &script, order, body).await,
        Err(Problem::Invalid(text)) => refusal(StatusCode::BAD_REQUEST, "processing", text),
        Err(Problem::Unexpected) => {
            refusal(StatusCode::INTERNAL_SERVER_ERROR, "processing", "Unexpected error occurred")
        }
    }
}

fn prefers_async(headers: &HeaderMap) -> bool {
    let values = headers.get_all("prefer").into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split([',', ';'])).any(|preference| preference.trim() == "respond-async")
}

/// The import is over with its kick-off.
async fn within(pathling: &Pathling, script: &Script, order: Order, body: Bytes) -> Response {
    let url = format!("{}/$import#{}", pathling.server.base, pathling.server.ids.uuid());
    let entry = Arc::new(Entry::new(Starter::KickOff, url, body, pathling.server.now()).unasked());
    pathling.server.ledger.add(Arc::clone(&entry));
    let end = work::run(&pathling.server, script, order, pathling.edition).await;
    entry.worked(crate::job::Ending::worked(&end));
    entry.show_end();
    end.answer()
}

async fn start(pathling: &Pathling, script: Arc<Script>, order: Order, body: Bytes) -> Response {
    let (id, created, edition) = (pathling.server.ids.uuid(), pathling.server.now(), pathling.edition);
    let status_url = pathling.status_url(&id);
    let entry = Entry::new(Starter::KickOff, status_url.clone(), body, created);
    let same = |known: &Entry, wanted: &Entry| edition == Edition::Newer && same_request(known, wanted);
    let server = Arc::clone(&pathling.server);
    let work = async move { work::run(&server, &script, order, edition).await };
    match pathling.jobs.start(id, entry, same, work).await {
        Ok(()) => accepted(pathling, &status_url),
        Err(Unstarted::Known(job)) => accepted(pathling, &job.entry.status_url),
        Err(Unstarted::Full) => {
            let busy = refusal(StatusCode::TOO_MANY_REQUESTS, "throttled", "Too many imports are running");
            retry_after(busy, &pathling.server, "")
        }
    }
}

/// The tag of a request is made of what it asks for. A deleted job has none any more.
fn same_request(known: &Entry, wanted: &Entry) -> bool {
    let read = |entry: &Entry| Order::read(Edition::Newer, &entry.kick_off).ok();
    read(known).is_some_and(|order| Some(order) == read(wanted))
}

fn accepted(pathling: &Pathling, status_url: &str) -> Response {
    let response = with(news(StatusCode::ACCEPTED, ACCEPTED), CONTENT_LOCATION, status_url);
    match pathling.edition {
        Edition::Seven => response,
        Edition::Newer => with(response, ETAG, &format!("W/\"~{}\"", &pathling.server.ids.uuid()[..8])),
    }
}
