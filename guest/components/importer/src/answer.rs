//! From the decisions' types to the contract's types.

use fhir_import_records::ErrorClass;
use fhir_import_workflow::plan::Document;
use fhir_import_workflow::report::{Detection, Report, TypeCount, Verdict};
use fhir_import_workflow::status::Phase;
use fhir_import_workflow::transition::{DecisionKind, Event, Next, Pause, PauseReason, Transition, Wake, WakeReason};
use fhir_import_workflow::{Error, Outcome, Retry, Started, Status, json};

use crate::bindings::exports::fhir_import::workflow::types;
use crate::bindings::exports::fhir_import::workflow::{catalog, importer as wit};

pub fn error(error: Error) -> wit::Error {
    match error {
        Error::InvalidRequest(text) => wit::Error::PermanentInvalidRequest(text),
        Error::InvalidPlan(text) => wit::Error::PermanentInvalidPlan(text),
        Error::InvalidCheckpoint(text) => wit::Error::PermanentInvalidCheckpoint(text),
        Error::InvalidCall(text) => wit::Error::PermanentInvalidCall(text),
    }
}

pub fn started(started: Started) -> wit::Started {
    let documents = started.documents.into_iter().map(document).collect();
    wit::Started { plan: started.plan, documents, transition: transition(started.transition) }
}

fn document(document: Document) -> types::Document {
    types::Document { name: document.name, media_type: document.media_type, content: document.content }
}

pub fn transition(transition: Transition) -> wit::Transition {
    wit::Transition {
        checkpoint: transition.checkpoint,
        next: next(transition.next),
        events: transition.events.into_iter().map(event).collect(),
    }
}

pub fn status(status: Status) -> wit::Status {
    wit::Status {
        phase: phase(status.phase),
        sentence: status.sentence,
        dialect: status.dialect,
        jobs_done: status.jobs_done,
        jobs: status.jobs,
        job_url: status.job_url,
        progress: status.progress,
        percent: status.percent,
        polls: status.polls,
        accepted_ms: status.accepted_ms,
        deadline_at_ms: status.deadline_at_ms,
        next: next(status.next),
    }
}

fn phase(phase: Phase) -> types::Phase {
    match phase {
        Phase::Detecting => types::Phase::Detecting,
        Phase::ReadyToSubmit => types::Phase::ReadyToSubmit,
        Phase::Submitting => types::Phase::Submitting,
        Phase::Running => types::Phase::Running,
        Phase::ReadingResult => types::Phase::ReadingResult,
        Phase::Verifying => types::Phase::Verifying,
        Phase::Cancelling => types::Phase::Cancelling,
        Phase::Paused => types::Phase::Paused,
        Phase::Done => types::Phase::Done,
    }
}

pub fn dialect(definition: String) -> catalog::Dialect {
    let value = json::parse(definition.as_bytes()).unwrap_or_default();
    let text = |name: &str| value[name].as_str().unwrap_or_default().to_owned();
    catalog::Dialect { name: text("name"), title: text("title"), proven: text("proven"), definition }
}

pub fn next(next: Next) -> types::Next {
    match next {
        Next::Step => types::Next::Step,
        Next::Submit => types::Next::Submit,
        Next::Recover => types::Next::Recover,
        Next::Wait(at) => types::Next::Wait(wake(&at)),
        Next::Paused(at) => types::Next::Paused(pause(at)),
        Next::Done(ended) => types::Next::Done(report(*ended)),
    }
}

fn wake(wake: &Wake) -> types::Wake {
    let reason = match wake.reason {
        WakeReason::Poll => types::WakeReason::Poll,
        WakeReason::BackOff => types::WakeReason::BackOff,
        WakeReason::Settle => types::WakeReason::Settle,
    };
    types::Wake { at_ms: wake.at_ms, reason, server_asked_ms: wake.server_asked_ms }
}

fn pause(pause: Pause) -> types::Pause {
    let reason = match pause.reason {
        PauseReason::SubmitUnknown => types::PauseReason::SubmitUnknown,
        PauseReason::Credentials => types::PauseReason::Credentials,
        PauseReason::Deadline => types::PauseReason::Deadline,
        PauseReason::UntrustedStatusUrl => types::PauseReason::UntrustedStatusUrl,
        PauseReason::JobLost => types::PauseReason::JobLost,
        PauseReason::AnswerNotUnderstood => types::PauseReason::AnswerNotUnderstood,
        PauseReason::NotOurJob => types::PauseReason::NotOurJob,
    };
    let decisions = pause.decisions.into_iter().map(decision_kind).collect();
    types::Pause { reason, message: pause.message, decisions, outcome: outcome(pause.outcome) }
}

fn decision_kind(kind: DecisionKind) -> types::DecisionKind {
    match kind {
        DecisionKind::Adopt => types::DecisionKind::Adopt,
        DecisionKind::Resubmit => types::DecisionKind::Resubmit,
        DecisionKind::Extend => types::DecisionKind::Extend,
        DecisionKind::Cancel => types::DecisionKind::Cancel,
        DecisionKind::ForceCancel => types::DecisionKind::ForceCancel,
        DecisionKind::GiveUp => types::DecisionKind::GiveUp,
        DecisionKind::Continue => types::DecisionKind::Continue,
    }
}

fn outcome(outcome: Outcome) -> types::Outcome {
    match outcome {
        Outcome::Succeeded => types::Outcome::Succeeded,
        Outcome::InternalError => types::Outcome::InternalError,
        Outcome::Usage => types::Outcome::Usage,
        Outcome::InputInvalid => types::Outcome::InputInvalid,
        Outcome::Unsupported => types::Outcome::Unsupported,
        Outcome::Refused => types::Outcome::Refused,
        Outcome::Failed => types::Outcome::Failed,
        Outcome::FinishedWithErrors => types::Outcome::FinishedWithErrors,
        Outcome::VerificationFailed => types::Outcome::VerificationFailed,
        Outcome::StillRunning => types::Outcome::StillRunning,
        Outcome::Cancelled => types::Outcome::Cancelled,
        Outcome::SubmitUnknown => types::Outcome::SubmitUnknown,
        Outcome::StateNotSaved => types::Outcome::StateNotSaved,
        Outcome::Unreachable => types::Outcome::Unreachable,
        Outcome::InputChanged => types::Outcome::InputChanged,
        Outcome::JobLost => types::Outcome::JobLost,
        Outcome::AnswerNotUnderstood => types::Outcome::AnswerNotUnderstood,
        Outcome::PausedForCredentials => types::Outcome::PausedForCredentials,
    }
}

fn event(event: Event) -> types::Event {
    types::Event { at_ms: event.at_ms, kind: event.kind.name().to_owned(), text: event.text }
}

fn report(report: Report) -> types::Report {
    let retry = match report.outcome.retry_when_over() {
        Retry::Resume => types::Retry::Resume,
        Retry::NewRun => types::Retry::NewRun,
        Retry::Never => types::Retry::Never,
    };
    types::Report {
        outcome: outcome(report.outcome),
        sentence: report.sentence,
        advice: report.advice,
        retry,
        detection: detection(report.detection),
        proven: report.proven,
        types: report.types.into_iter().map(type_count).collect(),
        imported: report.imported,
        rejected: report.rejected,
        errors: report.errors.into_iter().map(error_class).collect(),
        verdict: verdict(report.verdict),
        limits: report.limits,
        missing: report.missing,
        polls: report.polls,
    }
}

fn detection(detection: Detection) -> types::Detection {
    types::Detection {
        dialect: detection.dialect,
        confidence: detection.confidence.name().to_owned(),
        evidence: detection.evidence,
        software: detection.software,
        candidates: detection.candidates,
    }
}

fn type_count(count: TypeCount) -> types::TypeCount {
    types::TypeCount {
        resource_type: count.resource_type,
        sent: count.sent,
        imported: count.imported,
        rejected: count.rejected,
        on_server: count.on_server,
        sampled: count.sampled,
        found: count.found,
        equal: count.equal,
    }
}

fn error_class(class: ErrorClass) -> types::ErrorClass {
    types::ErrorClass {
        severity: class.severity.to_string(),
        code: class.code,
        text: class.text,
        count: class.count,
        lines: class.lines,
    }
}

fn verdict(verdict: Verdict) -> types::Verdict {
    match verdict {
        Verdict::NotVerified => types::Verdict::NotVerified,
        Verdict::Verified => types::Verdict::Verified,
        Verdict::Differs => types::Verdict::Differs,
        Verdict::Missing => types::Verdict::Missing,
    }
}
