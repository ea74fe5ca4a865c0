//! `ListFHIRImportJobs`, in pages.

use super::call::{Refused, answer};
use super::job::{properties, running};
use super::start::store;
use super::{HealthLake, id_of};
use crate::clock::{millis_between, unix_millis};
use crate::ledger::{Entry, Fate};
use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;
use serde_json::{Value, json};
use std::sync::Arc;

/// How many jobs a page has when the client does not say, which is not documented.
const PAGE: usize = 10;

pub(super) async fn list(State(lake): State<Arc<HealthLake>>, body: Bytes) -> Response {
    let query: Value = serde_json::from_slice(&body).unwrap_or_default();
    let id = query["DatastoreId"].as_str().unwrap_or_default();
    if let Err(refused) = store(id) {
        return refused.into_response();
    }
    let most = match query["MaxResults"].as_u64() {
        None => PAGE,
        Some(most @ 1..=500) => usize::try_from(most).unwrap_or(PAGE),
        Some(other) => {
            let constraint = "Member must have value between 1 and 500";
            return Refused::invalid("maxResults", &format!("'{other}'"), constraint).into_response();
        }
    };
    let start = query["NextToken"].as_str().and_then(|token| token.parse().ok()).unwrap_or(0);
    answer(&lake, &page(&lake, &query, start, most).await)
}

async fn page(lake: &HealthLake, query: &Value, start: usize, most: usize) -> Value {
    let mut all = Vec::new();
    for entry in wanted(lake, query) {
        let row = row(lake, &entry).await;
        if query["JobStatus"].is_null() || row["JobStatus"] == query["JobStatus"] {
            all.push(row);
        }
    }
    let rows: Vec<_> = all.iter().skip(start).take(most).cloned().collect();
    let mut page = json!({"ImportJobPropertiesList": rows});
    if start + most < all.len() {
        page["NextToken"] = (start + most).to_string().into();
    }
    page
}

/// The jobs that are not too young and that the query means, oldest first.
fn wanted(lake: &HealthLake, query: &Value) -> Vec<Arc<Entry>> {
    let (script, now) = (lake.server.script(), lake.server.now());
    let listed = |entry: &Arc<Entry>| {
        let seconds = unix_millis(entry.created) / 1000;
        let name = &serde_json::from_slice::<Value>(&entry.kick_off).unwrap_or_default()["JobName"];
        millis_between(entry.created, now) >= script.list_lag_ms
            && (query["JobName"].is_null() || *name == query["JobName"])
            && query["SubmittedAfter"].as_u64().is_none_or(|after| seconds >= after)
            && query["SubmittedBefore"].as_u64().is_none_or(|before| seconds <= before)
    };
    lake.jobs.list().into_iter().filter(listed).collect()
}

/// A job as the list shows it, which is no poll of it.
async fn row(lake: &HealthLake, entry: &Entry) -> Value {
    let over = entry.fate(&lake.server.script(), lake.server.now()) != Fate::Running;
    let end = match lake.jobs.find(id_of(entry)).filter(|_| over) {
        Some(job) => job.end().await,
        None => None,
    };
    properties(entry, end.as_deref(), running(lake, entry))
}
