//! The list of jobs, where the registration has one. Forgotten and cancelled jobs are not in it.

use super::Smart;
use super::kick_off::Order;
use crate::clock::millis_between;
use crate::ledger::{Entry, Fate};
use crate::moment;
use crate::reply::reply;
use axum::extract::State;
use axum::response::Response;
use hyper::StatusCode;
use serde_json::{Value, json};
use std::sync::Arc;

/// Every job, the newest last. One younger than the lag is not there yet.
pub(super) async fn list(State(smart): State<Arc<Smart>>) -> Response {
    let (script, now) = (smart.server.script(), smart.server.now());
    let listed = |entry: &&Arc<Entry>| millis_between(entry.created, now) >= script.list_lag_ms;
    let jobs = smart.jobs.list();
    let jobs = jobs.iter().filter(listed).map(|entry| row(entry, entry.fate(&script, now)));
    let list = json!({"jobs": jobs.collect::<Vec<_>>()});
    reply(StatusCode::OK, "application/json", list.to_string())
}

fn row(entry: &Entry, fate: Fate) -> Value {
    let state = if fate == Fate::Running { "running" } else { "ended" };
    let source = serde_json::from_slice(&entry.kick_off).map(|order: Order| order.input_source).unwrap_or_default();
    json!({"name": entry.status_url, "createTime": moment::instant(entry.created), "source": source, "state": state})
}
