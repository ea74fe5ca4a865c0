//! What stands before every endpoint: the log entry, the credentials and the scripted faults.

use crate::json;
use crate::outcome::{Issue, outcome};
use crate::reply::{FHIR_JSON, empty, reply, with};
use crate::script::{Action, Canned, Endpoint, Script};
use crate::seen::Entry;
use crate::server::Server;
use crate::wire::{CutShort, HangUp, Late};
use crate::world::Pace;
use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::MethodRouter;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http_body_util::BodyExt;
use hyper::header::{
    AUTHORIZATION, CONTENT_LENGTH, CONTENT_LOCATION, HeaderMap, HeaderName, HeaderValue, WWW_AUTHENTICATE,
};
use hyper::{StatusCode, Uri};
use std::sync::Arc;
use std::time::Duration;

const PROXY_PAGE: &str = "<!DOCTYPE html>\n<html><head><title>502 Bad Gateway</title></head>\n\
    <body><h1>502 Bad Gateway</h1><p>The practice proxy got no answer.</p></body></html>\n";

const GARBAGE: &str = r#"{"resourceType":"OperationOut"#;

/// Puts the front before the routes of one endpoint.
pub(crate) fn at<S>(server: &Arc<Server>, endpoint: Endpoint, routes: MethodRouter<S>) -> MethodRouter<S>
where
    S: Clone + Send + Sync + 'static,
{
    routes.route_layer(from_fn_with_state((Arc::clone(server), endpoint, Door::Server), pass))
}

/// The same for an endpoint that goes by credentials of its own.
pub(crate) fn at_a_door_of_its_own<S>(
    server: &Arc<Server>,
    endpoint: Endpoint,
    routes: MethodRouter<S>,
) -> MethodRouter<S>
where
    S: Clone + Send + Sync + 'static,
{
    routes.route_layer(from_fn_with_state((Arc::clone(server), endpoint, Door::Own), pass))
}

/// Whose credentials an endpoint asks for.
#[derive(Clone, Copy)]
enum Door {
    /// Those of the server.
    Server,
    /// Others: the endpoint sees to them itself.
    Own,
}

async fn pass(
    State((server, endpoint, door)): State<(Arc<Server>, Endpoint, Door)>,
    Extension(entry): Extension<Entry>,
    request: Request,
    next: Next,
) -> Response {
    server.log.taken_for(entry, endpoint);
    if let (Door::Server, Some(scheme)) = (door, missing_credentials(&server.script(), endpoint, request.headers())) {
        return unauthorized(scheme);
    }
    match server.fault(endpoint) {
        None => next.run(request).await,
        Some(action) => play(action, &server, entry, request, next).await,
    }
}

/// The scheme whose credentials a request should have carried and did not.
fn missing_credentials(script: &Script, endpoint: Endpoint, headers: &HeaderMap) -> Option<&'static str> {
    if endpoint == Endpoint::Metadata {
        return None;
    }
    let sent = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let bearer = script.require_bearer.as_ref().map(|token| ("Bearer", token.clone()));
    let basic = script.require_basic.as_ref().map(|pair| ("Basic", BASE64_STANDARD.encode(pair)));
    let accepted: Vec<_> = bearer.into_iter().chain(basic).collect();
    let right = |(scheme, secret): &(&str, String)| {
        let given = sent.split_once(' ');
        given.is_some_and(|(name, value)| name.eq_ignore_ascii_case(scheme) && value == secret)
    };
    if accepted.iter().any(right) { None } else { accepted.first().map(|(scheme, _)| *scheme) }
}

fn unauthorized(scheme: &str) -> Response {
    let body = json::compact(&outcome(&[Issue::error("login", "This server needs credentials")]));
    let challenge = format!("{scheme} realm=\"practice\"");
    with(reply(StatusCode::UNAUTHORIZED, FHIR_JSON, body), WWW_AUTHENTICATE, &challenge)
}

/// Plays a fault. Where the answer is spoilt rather than replaced, the work behind it is done first.
async fn play(action: Action, server: &Server, entry: Entry, request: Request, next: Next) -> Response {
    match action {
        Action::AcceptThenDelayMs(millis) => {
            let response = next.run(request).await;
            wait(server, millis).await;
            late(response, millis)
        }
        Action::AcceptThenDrop => hang_up(next.run(request).await),
        Action::Answer(canned) => answer(canned),
        Action::DelayMs(millis) => {
            wait(server, millis).await;
            late(next.run(request).await, millis)
        }
        Action::Drop => hang_up(empty(StatusCode::OK)),
        Action::Duplicate => twice(server, entry, request, next).await,
        Action::GarbageJson => next.run(request).await.map(|_| Body::from(GARBAGE)),
        Action::HtmlPage => reply(StatusCode::BAD_GATEWAY, "text/html; charset=utf-8", PROXY_PAGE),
        Action::NoContentLocation => relocate(next.run(request).await, |_| None),
        Action::RelativeContentLocation => {
            relocate(next.run(request).await, |uri| Some(path_and_query(uri).to_owned()))
        }
        Action::TruncateBody(length) => truncate(next.run(request).await, length).await,
        Action::WrongHostContentLocation(host) => {
            relocate(next.run(request).await, |uri| Some(format!("http://{host}{}", path_and_query(uri))))
        }
    }
}

/// Waits where waiting is the server's business.
async fn wait(server: &Server, millis: u64) {
    if server.pace == Pace::Waits {
        tokio::time::sleep(Duration::from_millis(millis)).await;
    }
}

fn late(mut response: Response, millis: u64) -> Response {
    response.extensions_mut().insert(Late(millis));
    response
}

/// The second delivery has its own place in the log. It is not counted where faults are, and its answer is lost.
async fn twice(server: &Server, entry: Entry, request: Request, next: Next) -> Response {
    let (head, body) = request.into_parts();
    let body = whole(body).await;
    let copy = || Request::from_parts(head.clone(), Body::from(body.clone()));
    let first = next.clone().run(copy()).await;
    let again = server.log.arrived_again(entry);
    let second = next.run(copy()).await;
    server.log.answered(again, second.status().as_u16());
    first
}

fn hang_up(mut response: Response) -> Response {
    response.extensions_mut().insert(HangUp);
    response
}

fn answer(canned: Canned) -> Response {
    let status = StatusCode::from_u16(canned.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = match (canned.content_type, canned.body.is_empty()) {
        (None, true) => empty(status),
        (content_type, _) => reply(status, content_type.as_deref().unwrap_or("application/fhir+json"), canned.body),
    };
    for (name, value) in canned.headers {
        if let Ok(name) = HeaderName::try_from(name) {
            response = with(response, name, &value);
        }
    }
    response
}

/// Sends the client elsewhere for the status, or nowhere.
fn relocate(mut response: Response, to: impl FnOnce(&Uri) -> Option<String>) -> Response {
    let old = response.headers_mut().remove(CONTENT_LOCATION);
    let old: Option<Uri> = old.and_then(|value| value.to_str().ok()?.parse().ok());
    match old.and_then(|uri| to(&uri)) {
        Some(new) => with(response, CONTENT_LOCATION, &new),
        None => response,
    }
}

fn path_and_query(uri: &Uri) -> &str {
    uri.path_and_query().map_or("/", |path| path.as_str())
}

/// Announces the whole body and keeps only its beginning.
async fn truncate(response: Response, length: usize) -> Response {
    let (head, body) = response.into_parts();
    let whole = whole(body).await;
    let part = whole.slice(..length.min(whole.len()));
    let mut response = Response::from_parts(head, Body::from(part));
    response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(whole.len()));
    response.extensions_mut().insert(CutShort);
    response
}

async fn whole(body: Body) -> Bytes {
    body.collect().await.map_or_else(|_| Bytes::new(), http_body_util::Collected::to_bytes)
}

#[cfg(test)]
mod tests {
    use crate::probe::{Answer, get, sandbox, send};
    use crate::{Endpoint, Personality, Sandbox, Script};
    use serde_json::{Value, json};
    use std::time::{Duration, Instant};

    const ORDER: &str = r#"{"inputFormat":"application/fhir+ndjson","inputSource":"http://a",
        "input":[{"type":"Patient","url":"http://127.0.0.1:9/x"}]}"#;

    async fn scripted(script: Value) -> Sandbox {
        let script: Script = serde_json::from_value(script).unwrap();
        sandbox(Personality::SmartManifest, script).await
    }

    async fn with_fault(on: &str, action: Value) -> Sandbox {
        scripted(json!({"faults": [{"on": on, "nth": 1, "action": action}]})).await
    }

    async fn kick_off(sandbox: &Sandbox) -> Option<Answer> {
        let headers =
            [("Content-Type", "application/json"), ("Accept", "application/fhir+json"), ("Prefer", "respond-async")];
        send("POST", &format!("{}/$import", sandbox.base_url()), &headers, ORDER).await
    }

    #[tokio::test]
    async fn a_kick_off_can_be_lost_before_or_after_it_is_accepted() {
        let before = with_fault("kick-off", json!("drop")).await;
        assert!(kick_off(&before).await.is_none());
        assert_eq!((before.kick_offs(), before.jobs(), before.log()[0].status), (1, 0, None));
        let after = with_fault("kick-off", json!("accept-then-drop")).await;
        assert!(kick_off(&after).await.is_none());
        assert_eq!((after.kick_offs(), after.jobs(), after.log()[0].status), (1, 1, None));
        assert_eq!(kick_off(&after).await.unwrap().status, 202);
        assert_eq!(after.jobs(), 2);
    }

    #[tokio::test]
    async fn answers_can_be_replaced_or_garbled() {
        let canned = json!({"answer": {"status": 503, "body": "{}", "headers": {"Retry-After": "9"}}});
        let sandbox = with_fault("kick-off", canned).await;
        let answer = kick_off(&sandbox).await.unwrap();
        assert_eq!((answer.status, answer.header("retry-after"), answer.body.as_slice()), (503, Some("9"), &b"{}"[..]));
        assert_eq!((answer.header("content-type"), sandbox.jobs()), (Some("application/fhir+json"), 0));

        let page = with_fault("metadata", json!("html-page")).await;
        let page = get(&format!("{}/metadata", page.base_url())).await;
        assert_eq!((page.status, page.header("content-type")), (502, Some("text/html; charset=utf-8")));

        let garbage = with_fault("metadata", json!("garbage-json")).await;
        let garbage = get(&format!("{}/metadata", garbage.base_url())).await;
        assert_eq!((garbage.status, garbage.body.as_slice()), (200, &br#"{"resourceType":"OperationOut"#[..]));
    }

    #[tokio::test]
    async fn a_body_can_end_too_early() {
        let sandbox = with_fault("metadata", json!({"truncate-body": 10})).await;
        let url = format!("{}/metadata", sandbox.base_url());
        let cut = get(&url).await;
        let announced: usize = cut.header("content-length").unwrap().parse().unwrap();
        assert_eq!((cut.status, cut.body.as_slice()), (200, &br#"{"resource"#[..]));
        assert_eq!(get(&url).await.body.len(), announced);
    }

    #[tokio::test]
    async fn the_status_url_can_be_missing_relative_or_elsewhere() {
        let place = async |action: Value| {
            let sandbox = with_fault("kick-off", action).await;
            kick_off(&sandbox).await.unwrap().header("content-location").map(str::to_owned)
        };
        assert_eq!(place(json!("no-content-location")).await, None);
        assert!(place(json!("relative-content-location")).await.unwrap().starts_with("/fhir/import-jobs/"));
        let elsewhere = place(json!({"wrong-host-content-location": "10.0.0.1:81"})).await.unwrap();
        assert!(elsewhere.starts_with("http://10.0.0.1:81/fhir/import-jobs/"));
    }

    #[tokio::test]
    async fn an_answer_can_be_late() {
        let sandbox = with_fault("search", json!({"delay-ms": 30})).await;
        let started = Instant::now();
        get(&format!("{}/Patient", sandbox.base_url())).await;
        assert!(started.elapsed() >= Duration::from_millis(30));
        assert_eq!(sandbox.log()[0].endpoint, Some(Endpoint::Search));
    }

    #[tokio::test]
    async fn an_answer_can_be_late_after_the_work() {
        let sandbox = with_fault("kick-off", json!({"accept-then-delay-ms": 30})).await;
        let started = Instant::now();
        assert_eq!(kick_off(&sandbox).await.unwrap().status, 202);
        assert!(started.elapsed() >= Duration::from_millis(30));
        assert_eq!(sandbox.jobs(), 1);
    }

    #[tokio::test]
    async fn credentials_are_needed_where_the_script_says_so() {
        let sandbox = scripted(json!({"require_bearer": "t", "require_basic": "u:p"})).await;
        let url = format!("{}/Patient", sandbox.base_url());
        let refused = get(&url).await;
        assert_eq!((refused.status, refused.header("www-authenticate")), (401, Some("Bearer realm=\"practice\"")));
        for right in ["Bearer t", "bearer t", "Basic dTpw"] {
            assert_eq!(send("GET", &url, &[("Authorization", right)], "").await.unwrap().status, 200);
        }
        for wrong in ["Bearer u", "Basic t", "t"] {
            assert_eq!(send("GET", &url, &[("Authorization", wrong)], "").await.unwrap().status, 401);
        }
        assert_eq!(get(&format!("{}/metadata", sandbox.base_url())).await.status, 200);
    }
}
