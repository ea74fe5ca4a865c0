//! Imports, a line each, and one in detail.

use fhir_import::contract::{Next, Status};
use fhir_import::journal::{ImportSummary, NextKind, StoredImport, utc};
use fhir_import::net::redact_url;
use fhir_import::run::Outcome;
use serde_json::{Value, json};
use url::Url;

/// The word for where an import stands.
fn state(import: &ImportSummary) -> &'static str {
    let outcome = import.outcome.and_then(Outcome::from_code).map_or("", Outcome::name);
    match import.next_kind {
        NextKind::Done => outcome,
        NextKind::Paused => "paused",
        NextKind::Wait => "running",
        NextKind::Step | NextKind::Submit | NextKind::Recover => "unfinished",
    }
}

/// Fewer columns than these do not tell servers apart.
const LEAST_SERVER: usize = 16;
/// Where the server stands in a row.
const SERVER: usize = 2;

/// A line each, within so many columns: what is cut off is the end of the server's URL, which `status` shows.
pub fn text(imports: &[ImportSummary], width: usize) -> String {
    let row = |import: &ImportSummary| {
        let key = import.key.clone().unwrap_or_default();
        vec![import.id.short(), utc(import.created_ms), import.server.clone(), state(import).to_owned(), key]
    };
    let rows: Vec<_> = imports.iter().map(row).collect();
    if rows.is_empty() {
        return "no imports\n".to_owned();
    }
    let head = ["job", "begun", "server", "state", "key"];
    let whole = super::table(&head, &rows);
    let over = whole.lines().map(|line| line.chars().count()).max().unwrap_or_default().saturating_sub(width);
    let widest = rows.iter().map(|row| row[SERVER].chars().count()).max().unwrap_or_default();
    let most = widest.saturating_sub(over).max(LEAST_SERVER);
    super::table(&head, &rows.into_iter().map(|row| with_server_cut(row, most)).collect::<Vec<_>>())
}

fn with_server_cut(mut row: Vec<String>, most: usize) -> Vec<String> {
    if row[SERVER].chars().count() > most {
        row[SERVER] = row[SERVER].chars().take(most - 1).chain(['…']).collect();
    }
    row
}

/// The same for programs.
pub fn json(imports: &[ImportSummary]) -> Value {
    let row = |import: &ImportSummary| {
        json!({
            "job": import.id.to_string(), "created": utc(import.created_ms), "server": import.server,
            "state": state(import), "key": import.key,
            "outcome": import.outcome.and_then(Outcome::from_code).map(Outcome::name)
        })
    };
    json!({ "jobs": imports.iter().map(row).collect::<Vec<_>>() })
}

/// One import in detail.
pub fn status_text(import: &StoredImport, status: &Status) -> String {
    let mut lines = vec![
        ("import", import.id.to_string()),
        ("server", import.server.clone()),
        ("state", format!("{}: {}", status.phase.name(), status.sentence)),
        ("dialect", status.dialect.clone().unwrap_or_else(|| "not known yet".to_owned())),
        ("begun", utc(import.created_ms)),
    ];
    lines.extend(status.accepted_ms.map(|at| ("accepted", utc(at))));
    lines.extend(job_url(status).map(|url| ("job", url)));
    lines.extend(status.progress.clone().map(|words| ("progress", words)));
    lines.push(("polls", status.polls.to_string()));
    lines.push(("deadline", utc(status.deadline_at_ms)));
    if let Next::Wait(wake) = &status.next {
        lines.push(("next look", utc(wake.at_ms)));
    }
    lines.into_iter().map(|(name, value)| format!("  {name:<10} {value}\n")).collect()
}

/// The same for programs.
pub fn status_json(import: &StoredImport, status: &Status) -> Value {
    json!({
        "job": import.id.to_string(), "server": import.server, "phase": status.phase.name(), "sentence": status.sentence,
        "dialect": status.dialect, "created": utc(import.created_ms), "accepted": status.accepted_ms.map(utc),
        "job_url": job_url(status), "progress": status.progress, "percent": status.percent, "polls": status.polls,
        "jobs": status.jobs, "jobs_done": status.jobs_done, "deadline": utc(status.deadline_at_ms)
    })
}

/// Without its query, which may be a capability.
fn job_url(status: &Status) -> Option<String> {
    status.job_url.as_deref().map(|url| Url::parse(url).map_or_else(|_| "…".to_owned(), |url| redact_url(&url)))
}
