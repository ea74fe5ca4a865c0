//! `POST $import`: the lines are the body, whatever its content type says.

use super::{Sazare, answer};
use crate::intake::{References, Refusal};
use crate::ledger::{Starter, Worked};
use crate::load::{self, BadLine, Blank, Load, Manners, Problem, Reach, Repeated};
use crate::reply::empty;
use crate::resource::{Malformed, Resource};
use crate::script::Script;
use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use hyper::StatusCode;
use serde_json::{Value, json};
use std::sync::Arc;

/// A body of more than two megabytes, or of no UTF-8, is refused by the framework, here as there.
pub(super) async fn import(State(sazare): State<Arc<Sazare>>, body: String) -> Response {
    let script = sazare.server.script();
    if !script.import_enabled {
        return empty(StatusCode::NOT_FOUND);
    }
    let body = Bytes::from(body);
    let entry = sazare.entry(Starter::KickOff, body.clone());
    let load = load::run_body(&sazare.server, &script, &body, &manners()).await;
    let (created, errors) = (load.files[0].claimed(0, &script), load.files[0].bad.len());
    let status = if created == 0 && errors > 0 { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    entry.worked(if status == StatusCode::OK { Worked::Done(load.tally) } else { Worked::Failed(load.tally) });
    entry.show_end();
    answer(status, "application/json", &result(&load, &script))
}

fn manners() -> Manners {
    Manners {
        references: References::Unchecked,
        blank: Blank::Nothing,
        repeated: Repeated::Newer,
        bad_line: Reach::Itself,
        unread: load::itself,
        check: unknown_gender,
    }
}

/// The check of a required code that was recorded.
fn unknown_gender(resource: &Resource) -> Option<String> {
    let code = resource.content.get("gender")?.as_str()?;
    let known = ["male", "female", "other", "unknown"];
    let text = || format!("Invalid gender code: '{code}'. Must be one of: {}", known.join(", "));
    (!known.contains(&code)).then(text)
}

/// The numbers stand in an extension and in the first issue; each bad line has an issue with JSON inside of its text.
fn result(load: &Load, script: &Script) -> Value {
    let file = &load.files[0];
    let (created, errors) = (file.claimed(0, script), file.bad.len());
    let severity = if errors == 0 { "information" } else { "warning" };
    let text = format!("{created} resources imported, {errors} errors");
    let mut issues = vec![json!({"code": "informational", "diagnostics": text, "severity": severity})];
    issues.extend(
        file.bad
            .iter()
            .map(|bad| json!({"code": "processing", "diagnostics": explain(bad).to_string(), "severity": "error"})),
    );
    let numbers =
        [json!({"url": "created", "valueInteger": created}), json!({"url": "errors", "valueInteger": errors})];
    let extension = json!({"extension": numbers, "url": "http://sazare.dev/StructureDefinition/import-result"});
    json!({"resourceType": "OperationOutcome", "extension": [extension], "issue": issues})
}

/// The type is told of a resource that was read and then refused.
fn explain(bad: &BadLine) -> Value {
    let line = bad.place.line;
    match &bad.problem {
        Problem::Malformed(Malformed::Json { message, .. }) => {
            json!({"error": format!("Invalid JSON: {message}"), "line": line})
        }
        Problem::Malformed(Malformed::Untyped) => json!({"error": "Missing resourceType", "line": line}),
        Problem::Invalid(text) => json!({"error": text, "line": line, "resourceType": bad.kind}),
        Problem::Refused(Refusal::Dangling { target, .. }) => {
            json!({"error": format!("{target} does not exist"), "line": line, "resourceType": bad.kind})
        }
        Problem::Refused(Refusal::Scripted) | Problem::OtherKind | Problem::Repeated => {
            json!({"error": "Rejected by the script", "line": line, "resourceType": bad.kind})
        }
    }
}
