//! `_operations/import/{id}`: a status without headers, and cancelling.

use super::work::{Detail, End, Final};
use super::{Microsoft, refusal};
use crate::job::Poll;
use crate::json;
use crate::ledger::Fate;
use crate::reply::{empty, reply, retry_after};
use crate::script::Script;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use hyper::StatusCode;
use std::sync::Arc;

const CANCELLED: &str = "User requested cancellation of operation.";

pub(super) async fn poll(
    State(microsoft): State<Arc<Microsoft>>,
    Path(id): Path<String>,
    Query(parameters): Query<Vec<(String, String)>>,
) -> Response {
    let (server, script) = (&microsoft.server, microsoft.server.script());
    let Some(poll) = microsoft.jobs.poll(&id) else { return unknown(&microsoft, &id) };
    if poll.job.entry.fate(&script, server.now()) == Fate::Cancelled {
        return refusal(server, StatusCode::BAD_REQUEST, "processing", CANCELLED);
    }
    let detailed = parameters.iter().any(|(name, value)| name == "_details" && value.eq_ignore_ascii_case("true"));
    let detail = if detailed { Detail::Units } else { Detail::Files };
    match poll.end(&script).await {
        None => running(&microsoft, &poll, &script).await,
        Some(end) => {
            poll.job.entry.show_end();
            over(&microsoft, &end, detail)
        }
    }
}

/// No header says when to come again. The last polls before the end find a manifest of what is done.
async fn running(microsoft: &Microsoft, poll: &Poll<End>, script: &Script) -> Response {
    let late = poll.percent_of_time(script).map_or(poll.number >= script.polls_until_done, |percent| percent >= 50);
    let end = if late { poll.job.end().await } else { None };
    let response = match end.as_deref().map(|end| &end.state) {
        Some(Final::Completed(report)) => {
            reply(StatusCode::ACCEPTED, "application/json", json::compact(&report.to_json(Detail::FirstUnit)))
        }
        _ => empty(StatusCode::ACCEPTED),
    };
    retry_after(response, &microsoft.server, "")
}

fn over(microsoft: &Microsoft, end: &End, detail: Detail) -> Response {
    match &end.state {
        Final::Completed(report) => reply(StatusCode::OK, "application/json", json::compact(&report.to_json(detail))),
        Final::Failed { status, reason } => {
            let status = StatusCode::from_u16(*status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            let text = format!("import operation failed for reason: {reason}");
            refusal(&microsoft.server, status, "processing", &text)
        }
    }
}

/// A cancelled job can be cancelled again; one that is over cannot.
pub(super) async fn cancel(State(microsoft): State<Arc<Microsoft>>, Path(id): Path<String>) -> Response {
    match microsoft.jobs.cancel(&id) {
        None => unknown(&microsoft, &id),
        Some(Fate::Ended | Fate::Failed) => {
            let text = "Import operation has already completed";
            refusal(&microsoft.server, StatusCode::CONFLICT, "processing", text)
        }
        Some(Fate::Running | Fate::Cancelled | Fate::Lost) => empty(StatusCode::ACCEPTED),
    }
}

fn unknown(microsoft: &Microsoft, id: &str) -> Response {
    let text = format!("The requested import job \"{id}\" was not found.");
    refusal(&microsoft.server, StatusCode::NOT_FOUND, "not-found", &text)
}
