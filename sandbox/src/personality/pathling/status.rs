//! `$job`: status and deleting.

use super::signed::cacheable;
use super::{Edition, Pathling, news, refusal};
use crate::ledger::Fate;
use crate::reply::{retry_after, with};
use axum::extract::{Query, State};
use axum::response::Response;
use hyper::StatusCode;
use hyper::header::HeaderName;
use std::sync::Arc;

type Parameters = Query<Vec<(String, String)>>;

/// A tag for the state of what is stored; the real one changes it with every import.
const STATE: &str = "mwsrs2zx";

fn id(parameters: &Parameters) -> &str {
    parameters.0.iter().find(|(name, _)| name == "id").map_or("", |(_, id)| id)
}

/// The answer is the result, or the failure with its own status. No header says when to come again.
pub(super) async fn poll(State(pathling): State<Arc<Pathling>>, parameters: Parameters) -> Response {
    let script = pathling.server.script();
    let Some(poll) = pathling.jobs.poll(id(&parameters)) else { return cacheable(unknown(), STATE) };
    if let Some(end) = poll.end(&script).await {
        poll.job.entry.show_end();
        return cacheable(end.answer(), STATE);
    }
    let by_polls = || 100 * u64::from(poll.number - 1) / u64::from(script.polls_until_done.max(poll.number));
    let percent = poll.percent_of_time(&script).unwrap_or_else(by_polls);
    let response = cacheable(news(StatusCode::ACCEPTED, "Job currently processing"), "0");
    // There is no progress before there are stages of work, and the old edition was never seen to have some.
    let response = match pathling.edition {
        Edition::Newer if percent > 0 => with(response, HeaderName::from_static("x-progress"), &format!("{percent}%")),
        Edition::Newer | Edition::Seven => response,
    };
    retry_after(response, &pathling.server, "")
}

/// Of the newer edition. A job that is over can be deleted like any other.
pub(super) async fn cancel(State(pathling): State<Arc<Pathling>>, parameters: Parameters) -> Response {
    if pathling.jobs.forget(id(&parameters), Fate::Cancelled) {
        news(StatusCode::ACCEPTED, "The job and its resources will be deleted.")
    } else {
        unknown()
    }
}

fn unknown() -> Response {
    refusal(StatusCode::NOT_FOUND, "processing", "Job ID not found")
}
