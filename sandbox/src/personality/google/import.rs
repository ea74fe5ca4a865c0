//! `POST …/fhirStores/f:import`: one name with wildcards in a bucket.

use super::glob;
use super::{Google, error, name};
use crate::fetch::Source;
use crate::job::{Ending, Unstarted};
use crate::ledger::{Entry, Starter, Worked};
use crate::loading::{Input, Loaded, Manner, load};
use crate::reply::{reply, retry_after};
use crate::script::Script;
use crate::server::Server;
use crate::stores;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::Response;
use hyper::StatusCode;
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;
use std::time::SystemTime;

/// The canonical code of an argument that is wrong (google.rpc.Code).
const INVALID_ARGUMENT: u32 = 3;

/// The body.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Order {
    #[serde(default)]
    content_structure: Structure,
    gcs_source: GcsSource,
}

#[derive(Deserialize)]
struct GcsSource {
    uri: String,
}

/// What the lines of the files are.
#[derive(Clone, Copy, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum Structure {
    /// The same as bundles.
    #[default]
    ContentStructureUnspecified,
    Bundle,
    Resource,
    BundlePretty,
    ResourcePretty,
}

/// How an operation ended.
pub(super) struct End {
    pub(super) loaded: Loaded,
    pub(super) ended: SystemTime,
    /// Why it has no response.
    pub(super) error: Option<(u32, String)>,
}

impl Ending for End {
    fn worked(&self) -> Worked {
        match self.error {
            Some(_) => Worked::Failed(self.loaded.tally),
            None => Worked::Done(self.loaded.tally),
        }
    }
}

impl End {
    pub(super) fn of_nothing(ended: SystemTime) -> Self {
        Self { loaded: Loaded::default(), ended, error: None }
    }
}

pub(super) async fn import(State(google): State<Arc<Google>>, Path(store): Path<String>, body: Bytes) -> Response {
    let script = google.server.script();
    if !script.import_enabled {
        return error(StatusCode::FORBIDDEN, "PERMISSION_DENIED", "Permission healthcare.fhirStores.import denied");
    }
    match store.split_once(':') {
        Some(("f", "import")) => {}
        Some((_, "import")) => return error(StatusCode::NOT_FOUND, "NOT_FOUND", "FHIR store not found"),
        _ => return error(StatusCode::NOT_FOUND, "NOT_FOUND", "Method not found."),
    }
    match Order::read(&body) {
        Ok(order) => start(&google, script, order, body).await,
        Err(problem) => error(StatusCode::BAD_REQUEST, "INVALID_ARGUMENT", &problem),
    }
}

async fn start(google: &Google, script: Arc<Script>, order: Order, body: Bytes) -> Response {
    let id = google.new_id();
    let entry = Entry::new(Starter::KickOff, google.status_url(&id), body, google.server.now());
    let work = run(Arc::clone(&google.server), script, order);
    match google.jobs.start(id.clone(), entry, |_, _| false, work).await {
        Ok(()) => reply(StatusCode::OK, "application/json; charset=UTF-8", json!({"name": name(&id)}).to_string()),
        Err(Unstarted::Known(_) | Unstarted::Full) => {
            let busy = error(StatusCode::TOO_MANY_REQUESTS, "RESOURCE_EXHAUSTED", "Quota exceeded");
            retry_after(busy, &google.server, "")
        }
    }
}

/// Loads every object that fits. With bundles in mind, a line that is no bundle is a failure.
async fn run(server: Arc<Server>, script: Arc<Script>, order: Order) -> End {
    let uri = &order.gcs_source.uri;
    let mut names = stores::list(&server.reader, &script.stores, glob::prefix(uri));
    names.retain(|name| glob::matches(uri, name));
    let kind = order.content_structure.is_of_bundles().then(|| "Bundle".to_owned());
    let input = |url: String| Input { kind: kind.clone(), source: Source { url, basic: None } };
    let found = names.len();
    let loaded = load(&server, &script, Manner::USUAL, names.into_iter().map(input).collect()).await;
    let error = match (found, loaded.stored(), loaded.refused()) {
        (0, ..) => Some((INVALID_ARGUMENT, format!("no matching files found for {uri}"))),
        (_, 0, 1..) => Some((INVALID_ARGUMENT, format!("{} resources failed to import", loaded.refused()))),
        _ => None,
    };
    End { loaded, ended: server.now(), error }
}

impl Structure {
    fn is_of_bundles(self) -> bool {
        matches!(self, Self::ContentStructureUnspecified | Self::Bundle | Self::BundlePretty)
    }
}

impl Order {
    fn read(body: &[u8]) -> Result<Self, String> {
        let order: Self =
            serde_json::from_slice(body).map_err(|error| format!("Invalid JSON payload received. {error}"))?;
        let bucket = order.gcs_source.uri.strip_prefix("gs://").and_then(|rest| rest.split_once('/'));
        match bucket {
            Some((bucket, object)) if !bucket.is_empty() && !object.is_empty() => Ok(order),
            _ => Err(format!("invalid Cloud Storage URI: {}", order.gcs_source.uri)),
        }
    }
}
