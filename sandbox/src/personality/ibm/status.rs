//! `$bulkdata-status`: status and stopping.

use super::work::Final;
use super::{Ibm, RETRY_AFTER, refusal};
use crate::ledger::Fate;
use crate::reply::{empty, reply, retry_after};
use axum::extract::{Query, State};
use axum::response::Response;
use hyper::StatusCode;
use std::sync::Arc;

type Parameters = Query<Vec<(String, String)>>;

fn id(parameters: &Parameters) -> &str {
    parameters.0.iter().find(|(name, _)| name == "job").map_or("", |(_, id)| id)
}

/// Asking for a stopped job takes it up again.
pub(super) async fn poll(State(ibm): State<Arc<Ibm>>, parameters: Parameters) -> Response {
    let script = ibm.server.script();
    let Some(poll) = ibm.jobs.poll(id(&parameters)) else { return unknown() };
    if poll.job.entry.fate(&script, ibm.server.now()) == Fate::Cancelled {
        poll.job.entry.resume(ibm.server.now());
        return retry_after(empty(StatusCode::ACCEPTED), &ibm.server, RETRY_AFTER);
    }
    let Some(end) = poll.end(&script).await else {
        return retry_after(empty(StatusCode::ACCEPTED), &ibm.server, RETRY_AFTER);
    };
    poll.job.entry.show_end();
    match &end.state {
        Final::Completed(result) => reply(StatusCode::OK, "application/json", result.to_string()),
        Final::Failed => {
            let text = "A bad source input was used during a call to $import";
            refusal(StatusCode::INTERNAL_SERVER_ERROR, "exception", text)
        }
    }
}

/// Stops a job that runs; one that does not is deleted. What it stored stays.
pub(super) async fn cancel(State(ibm): State<Arc<Ibm>>, parameters: Parameters) -> Response {
    let (id, script, now) = (id(&parameters), ibm.server.script(), ibm.server.now());
    let Some(job) = ibm.jobs.find(id) else { return unknown() };
    if job.entry.fate(&script, now) == Fate::Running {
        job.entry.stop(Fate::Cancelled, &script, now);
        return empty(StatusCode::ACCEPTED);
    }
    ibm.jobs.forget(id, Fate::Cancelled);
    empty(StatusCode::OK)
}

/// That the issue says `not-found` is known, the text is not.
fn unknown() -> Response {
    refusal(StatusCode::NOT_FOUND, "not-found", "The job is not found")
}
