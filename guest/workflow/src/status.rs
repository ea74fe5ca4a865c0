//! A checkpoint in readable form.

use crate::session::Session;
use crate::state::State;
use crate::transition::{Next, WakeReason};

/// Where an import stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// It is found out what the server is.
    Detecting,
    /// The next kick-off can be sent.
    ReadyToSubmit,
    /// A kick-off may have reached the server, and its answer is not known.
    Submitting,
    /// A job was accepted, and its status is asked for.
    Running,
    /// The error files of a job are read.
    ReadingResult,
    /// Samples and counts are read back.
    Verifying,
    /// A cancel is asked for.
    Cancelling,
    /// A person, or a credential, is needed.
    Paused,
    /// It is over.
    Done,
}

impl std::fmt::Display for Phase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Detecting => "detecting",
            Self::ReadyToSubmit => "ready-to-submit",
            Self::Submitting => "submitting",
            Self::Running => "running",
            Self::ReadingResult => "reading-result",
            Self::Verifying => "verifying",
            Self::Cancelling => "cancelling",
            Self::Paused => "paused",
            Self::Done => "done",
        })
    }
}

/// A checkpoint in readable form. The fields mean what `wit/types.wit` says of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Status {
    /// Where it stands.
    pub phase: Phase,
    /// One sentence.
    pub sentence: String,
    /// The dialect.
    pub dialect: Option<String>,
    /// Jobs that ended.
    pub jobs_done: u32,
    /// Jobs of this import.
    pub jobs: u32,
    /// The status URL of the job in flight.
    pub job_url: Option<String>,
    /// The server's own words about progress.
    pub progress: Option<String>,
    /// Percent.
    pub percent: Option<f32>,
    /// Polls so far.
    pub polls: u32,
    /// When the kick-off was accepted.
    pub accepted_ms: Option<u64>,
    /// When the deadline is.
    pub deadline_at_ms: u64,
    /// What to do next.
    pub next: Next,
}

impl Status {
    /// Where a session stands.
    #[must_use]
    pub fn of(session: &Session) -> Self {
        let (plan, progress) = (session.plan(), session.progress());
        let dialect = progress.dialect(plan);
        Self {
            phase: session.state().phase(),
            sentence: sentence(session),
            dialect: dialect.map(|d| d.name.clone()),
            jobs_done: progress.jobs_done,
            jobs: dialect.map_or(0, |d| plan.batches(d)),
            job_url: session.state().job_url().map(str::to_owned),
            progress: progress.words.clone(),
            percent: progress.percent,
            polls: progress.polls,
            accepted_ms: progress.accepted_ms,
            deadline_at_ms: progress.deadline_at_ms,
            next: session.next(),
        }
    }
}

fn sentence(session: &Session) -> String {
    match (session.state(), session.next()) {
        (State::Finished(finished), _) => finished.sentence().to_owned(),
        (_, Next::Paused(pause)) => pause.message,
        (State::ReadCapabilities(_) | State::ReadDefinition(_), _) => "Finding out what the server is.".to_owned(),
        (State::LookBefore(_), _) => "Asking the server for its time before anything is submitted.".to_owned(),
        (State::Ready(ready), _) if ready.is_clean() && session.progress().nothing_stored() => {
            "Ready to submit; nothing is sent yet.".to_owned()
        }
        (State::Ready(_), _) => "Ready to submit.".to_owned(),
        (State::SubmitLost(_), _) => "The answer to the kick-off was lost.".to_owned(),
        (State::FindJob(_), _) => {
            "The answer to the kick-off was lost; looking for its job in the server's list.".to_owned()
        }
        (State::AwaitStatus(_), Next::Wait(wake)) if wake.reason == WakeReason::BackOff => {
            "The job was accepted; the last status request failed and is made again.".to_owned()
        }
        (State::AwaitStatus(_), _) => "The job was accepted; waiting for it to end.".to_owned(),
        (State::ReadResult(_) | State::ReadErrors(_), _) => "The job ended; reading its error files.".to_owned(),
        (State::ReadBack(_), _) => "The job ended; reading samples and counts back.".to_owned(),
        (State::CancelJob(_), _) => "Cancelling the job.".to_owned(),
        (State::Paused(_), _) => "Paused.".to_owned(),
    }
}
