//! What a dialect does, in few words: the cells of the comparison, and the facts of a page.

use fhir_import_workflow::Dialect;
use fhir_import_workflow::dialect::{
    BodyKind, CancelShape, Caution, Delivery, ErrorFiles, Handle, JobState, Order, Permission, PollRule, RecoveryClass,
    ResultShape, Rule, Where,
};
use serde_json::Value;

/// A name between backticks.
pub fn code(text: impl AsRef<str>) -> String {
    format!("`{}`", text.as_ref())
}

/// A list, with commas.
pub fn listed<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    items.into_iter().map(|item| item.to_string()).collect::<Vec<_>>().join(", ")
}

/// A URL in full: one that begins with no variable is below the base URL.
pub fn url(template: &str) -> String {
    if template.starts_with("${") { template.to_owned() } else { format!("${{base}}/{template}") }
}

pub fn kick_off(dialect: &Dialect) -> String {
    code(format!("POST {}", dialect.kick_off.url))
}

pub fn body(dialect: &Dialect) -> &'static str {
    match &dialect.kick_off.body {
        Value::String(_) => "the file itself",
        Value::Object(members) if members.get("resourceType").is_some_and(|kind| kind == "Parameters") => "Parameters",
        _ => "JSON of its own",
    }
}

pub fn prefer(dialect: &Dialect) -> String {
    dialect.kick_off.prefer.as_ref().map_or_else(|| "none".to_owned(), code)
}

pub fn handle(dialect: &Dialect) -> String {
    match &dialect.kick_off.handle {
        Handle::ContentLocation => "`Content-Location`".to_owned(),
        Handle::Member(path) => format!("{} of the body", code(&path.0)),
        Handle::Caller(_) => "chosen by the caller".to_owned(),
        Handle::StatusRequest => "asked for in a second request".to_owned(),
        Handle::Answer => "none: the answer is the result".to_owned(),
        Handle::Nowhere => "none".to_owned(),
    }
}

pub fn poll(dialect: &Dialect) -> String {
    let poll = &dialect.poll;
    let method = if poll.body.is_some() { "POST" } else { "GET" };
    match &poll.url {
        _ if poll.rules.is_empty() => "never".to_owned(),
        Some(url) => code(format!("{method} {url}")),
        None => format!("{method} of the handle"),
    }
}

/// The answers that end a job, by their statuses; with a star, what the answer says is looked at, too.
pub fn last_answers(dialect: &Dialect) -> String {
    let states = [JobState::Ended, JobState::Failed, JobState::Cancelled];
    let of = |state: JobState| {
        let rules = dialect.poll.rules.iter().filter(|rule| rule.means == state);
        let mut statuses: Vec<String> = rules.map(status).collect();
        statuses.dedup();
        (!statuses.is_empty()).then(|| format!("{} {}", job(state), statuses.join(", ")))
    };
    let all: Vec<String> = states.into_iter().filter_map(of).collect();
    if all.is_empty() { "none".to_owned() } else { all.join("; ") }
}

fn status(rule: &PollRule) -> String {
    let looks = rule.text.is_some() || rule.progress.is_some() || !rule.holds.is_empty();
    if looks { format!("{}*", rule.status) } else { rule.status.to_string() }
}

/// The word for a state.
pub fn job(state: JobState) -> &'static str {
    match state {
        JobState::Running => "running",
        JobState::Ended => "ended",
        JobState::Failed => "failed",
        JobState::Cancelled => "cancelled",
        JobState::Unknown => "unknown",
        JobState::Busy => "nothing: the server is busy",
        JobState::Credentials => "nothing: other credentials are wanted",
    }
}

/// An answer that a rule is about.
pub fn answer(rule: &PollRule) -> String {
    let mut parts = vec![rule.status.to_string()];
    parts.extend(match rule.body {
        BodyKind::Any => None,
        BodyKind::Json => Some("JSON that is no resource".to_owned()),
        BodyKind::OperationOutcome => Some("an OperationOutcome".to_owned()),
        BodyKind::Parameters => Some("a Parameters".to_owned()),
    });
    parts.extend(rule.text.iter().map(|text| format!("which says {}", code(text))));
    parts.extend(rule.progress.iter().map(|text| format!("`X-Progress` says {}", code(text))));
    parts.extend(rule.holds.iter().map(holds));
    parts.join(", ")
}

/// A condition.
pub fn holds(condition: &Where) -> String {
    match &condition.is[..] {
        [] => format!("{} is there", code(&condition.at.0)),
        texts => format!("{} is {}", code(&condition.at.0), texts.iter().map(code).collect::<Vec<_>>().join(" or ")),
    }
}

pub fn result(dialect: &Dialect) -> &'static str {
    match dialect.result.shape {
        ResultShape::Manifest => "manifest, `output` and `error` by file",
        ResultShape::OutcomeFiles => "manifest of files of OperationOutcomes",
        ResultShape::ReportText => "text of an OperationOutcome",
        ResultShape::Members => "counts in JSON",
        ResultShape::Nothing => "nothing but that it ended",
    }
}

pub fn errors(dialect: &Dialect) -> &'static str {
    let result = &dialect.result;
    match (result.shape, result.error_files, &result.members) {
        (ResultShape::Manifest | ResultShape::OutcomeFiles, ErrorFiles::Fetched, _) => "in files, which are read",
        (ResultShape::Manifest | ResultShape::OutcomeFiles, ErrorFiles::Named, _) => {
            "in files of the server's own store"
        }
        (ResultShape::ReportText, ..) => "in the text, for each file",
        (ResultShape::Members, _, Some(members)) if members.rows.is_some() => "for each file",
        (ResultShape::Members, _, Some(members)) if members.rejected.is_empty() => "in the answer",
        (ResultShape::Members, ..) => "counted; why, if the answer says it",
        (ResultShape::Nothing, ..) => "none, unless the job fails",
    }
}

pub fn cancel(dialect: &Dialect) -> String {
    match (dialect.cancel.shape, &dialect.cancel.url) {
        (CancelShape::Delete, _) => "`DELETE` of the status URL".to_owned(),
        (CancelShape::DeleteUntilGone, _) => {
            "`DELETE` of the status URL, until the server says that it is gone".to_owned()
        }
        (CancelShape::Post, url) => code(format!("POST {}", url.as_deref().unwrap_or_default())),
        (CancelShape::None, _) => "no way".to_owned(),
    }
}

/// The class of recovery as it is spelled.
pub fn class(class: RecoveryClass) -> &'static str {
    match class {
        RecoveryClass::SameBytes => "same-bytes",
        RecoveryClass::SameIds => "same-ids",
        RecoveryClass::CallerKey => "caller-key",
        RecoveryClass::List => "list",
        RecoveryClass::Unknowable => "unknowable",
    }
}

/// What follows from a class.
pub fn meaning(class: RecoveryClass) -> &'static str {
    match class {
        RecoveryClass::SameBytes => "the same bytes are the same job, or have no other effect: they are sent again",
        RecoveryClass::SameIds => {
            "the same bytes again replace the resources that have an id: they are sent again where all have one"
        }
        RecoveryClass::CallerKey => "the kick-off carries a key of the caller's: it is sent again",
        RecoveryClass::List => "the server lists its jobs: the job is looked for there first",
        RecoveryClass::Unknowable => "a second kick-off would be a second job: a person decides",
    }
}

/// All classes, for a legend.
pub const CLASSES: [RecoveryClass; 5] = [
    RecoveryClass::SameBytes,
    RecoveryClass::SameIds,
    RecoveryClass::CallerKey,
    RecoveryClass::List,
    RecoveryClass::Unknowable,
];

pub fn schemes(dialect: &Dialect) -> String {
    if matches!(dialect.inputs.delivery, Delivery::Upload(_)) {
        return "nothing".to_owned();
    }
    let name = |scheme: &String| match scheme.as_str() {
        "" => "names of its own".to_owned(),
        scheme => code(scheme),
    };
    listed(dialect.inputs.schemes.iter().map(name))
}

pub fn delivery(dialect: &Dialect) -> String {
    match dialect.inputs.delivery {
        Delivery::List if dialect.document.is_some() => "listed in a document that the server fetches".to_owned(),
        Delivery::List => "listed in the kick-off".to_owned(),
        Delivery::Folder => "one folder is named, which holds them and nothing else".to_owned(),
        Delivery::Upload(bytes) => format!("uploaded, {bytes} bytes at a time at most, cut at lines"),
    }
}

pub fn count(dialect: &Dialect) -> String {
    let inputs = &dialect.inputs;
    match (inputs.delivery, inputs.per_job, inputs.most) {
        (Delivery::Upload(_), ..) => "one piece a request".to_owned(),
        (_, Some(most), _) => format!("{most} a job"),
        (_, None, Some(most)) => format!("{most} an import"),
        (_, None, None) => "any".to_owned(),
    }
}

/// Nothing, where there is nothing to say.
pub fn rule(rule: Rule) -> Option<&'static str> {
    match rule {
        Rule::Allowed => None,
        Rule::Told => Some("allowed, with a warning"),
        Rule::Refused => Some("refused"),
    }
}

pub fn permission(permission: Permission) -> Option<&'static str> {
    (permission == Permission::Refused).then_some("refused")
}

pub fn caution(caution: Caution) -> Option<&'static str> {
    (caution == Caution::Told).then_some("not resolved, which is told")
}

pub fn order(dialect: &Dialect) -> &'static str {
    match dialect.inputs.order {
        Order::Given => "as given",
        Order::TargetsFirst => "targets of references first",
    }
}

pub fn times(count: u32) -> String {
    match count {
        0 => "never".to_owned(),
        1 => "once".to_owned(),
        count => format!("{count} times"),
    }
}
