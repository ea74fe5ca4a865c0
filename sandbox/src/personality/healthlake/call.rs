//! `POST /`: which action is meant says a header.

use super::job;
use super::{HealthLake, list, sigv4, start};
use crate::front::at_a_door_of_its_own;
use crate::reply::{reply, with};
use crate::script::Endpoint;
use crate::server::Server;
use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::from_fn_with_state;
use axum::response::Response;
use axum::routing::{MethodRouter, post};
use hyper::StatusCode;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderName};
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use serde_json::{Value, json};
use std::sync::Arc;

const AWS_JSON: &str = "application/x-amz-json-1.0";

/// Why a call is refused.
pub(super) struct Refused {
    status: StatusCode,
    kind: &'static str,
    message: String,
}

/// The actions, each with its place in the log.
struct Actions {
    start: TowerToHyperService<Router>,
    describe: TowerToHyperService<Router>,
    list: TowerToHyperService<Router>,
}

pub(super) fn routes(server: &Arc<Server>, lake: &Arc<HealthLake>) -> Router {
    let action = |endpoint, action: MethodRouter<Arc<HealthLake>>| {
        let router = Router::new().route("/", at_a_door_of_its_own(server, endpoint, action));
        TowerToHyperService::new(router.with_state(Arc::clone(lake)))
    };
    let actions = Arc::new(Actions {
        start: action(Endpoint::KickOff, post(start::start)),
        describe: action(Endpoint::Poll, post(job::describe)),
        list: action(Endpoint::List, post(list::list)),
    });
    Router::new()
        .route("/", post(dispatch))
        .with_state(actions)
        .route_layer(from_fn_with_state(Arc::clone(server), sigv4::of_actions))
}

async fn dispatch(State(actions): State<Arc<Actions>>, request: Request) -> Response {
    let action = match name(request.headers()) {
        Ok("StartFHIRImportJob") => &actions.start,
        Ok("DescribeFHIRImportJob") => &actions.describe,
        Ok("ListFHIRImportJobs") => &actions.list,
        Ok(_) => return Refused::new("UnknownOperationException", "").into_response(),
        Err(refused) => return refused.into_response(),
    };
    let Ok(answer) = action.call(request).await;
    answer
}

/// The action, without the name of the service before it.
fn name(headers: &HeaderMap) -> Result<&str, Refused> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if text(CONTENT_TYPE.as_str()) != AWS_JSON {
        return Err(Refused::new("SerializationException", ""));
    }
    let action = text("x-amz-target").strip_prefix("HealthLake.");
    action.ok_or_else(|| Refused::new("UnknownOperationException", ""))
}

/// The answer to a call that went well.
pub(super) fn answer(lake: &HealthLake, body: &Value) -> Response {
    let response = reply(StatusCode::OK, AWS_JSON, body.to_string());
    with(response, HeaderName::from_static("x-amzn-requestid"), &lake.server.ids.uuid())
}

impl Refused {
    /// What the client did wrong is 400, with its name in the body.
    pub(super) fn new(kind: &'static str, message: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, kind, message: message.into() }
    }

    /// What its credentials do not allow is 403.
    pub(super) fn forbidden(kind: &'static str, message: impl Into<String>) -> Self {
        Self { status: StatusCode::FORBIDDEN, kind, message: message.into() }
    }

    /// A member that is missing or wrong, in the words that AWS services share.
    pub(super) fn invalid(member: &str, value: &str, constraint: &str) -> Self {
        let text = format!(
            "1 validation error detected: Value {value} at '{member}' failed to satisfy constraint: {constraint}"
        );
        Self::new("ValidationException", text)
    }

    pub(super) fn into_response(self) -> Response {
        reply(self.status, AWS_JSON, json!({"__type": self.kind, "message": self.message}).to_string())
    }
}
