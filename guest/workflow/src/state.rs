//! Where an import stands: one type per state, each with what it asks and what it makes of the answer.
//!
//! This file only dispatches. What to do next follows from the state alone, so a checkpoint says all there is to know.

mod accepted;
mod await_status;
mod cancel_job;
mod detecting;
mod find_job;
mod finished;
mod job_over;
mod job_request;
mod look_before;
mod paused;
mod read_back;
mod read_errors;
mod read_result;
mod ready;
mod submit_lost;

pub use await_status::{AwaitStatus, Starter};
pub use cancel_job::CancelJob;
pub use detecting::{ReadCapabilities, ReadDefinition, by_host};
pub use find_job::FindJob;
pub use finished::Finished;
pub use look_before::LookBefore;
pub use paused::Paused;
pub use read_back::ReadBackState;
pub use read_errors::ReadErrors;
pub use read_result::ReadResult;
pub use ready::Ready;
pub use submit_lost::SubmitLost;

use serde::Serialize;

use crate::dialect::{Dialect, Handle};
use crate::exchange::{Answer, Exchange, Failure};
use crate::json::read::read_variant;
use crate::pace;
use crate::plan::Plan;
use crate::progress::Progress;
use crate::status::Phase;
use crate::template::Job;
use crate::transition::{Event, EventKind, Next, Wake};

/// Where an import stands.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// The CapabilityStatement is read.
    ReadCapabilities(ReadCapabilities),
    /// The server's own OperationDefinition is read.
    ReadDefinition(ReadDefinition),
    /// The server's list of jobs is read before the kick-off.
    LookBefore(LookBefore),
    /// The next kick-off can be sent.
    Ready(Ready),
    /// A kick-off may have reached the server, and its answer is not known.
    SubmitLost(SubmitLost),
    /// The server's list of jobs is searched for one of a kick-off whose answer was lost.
    FindJob(FindJob),
    /// A job was accepted, and its status is asked for.
    AwaitStatus(AwaitStatus),
    /// The result of a job is read.
    ReadResult(ReadResult),
    /// The error files of a job are read.
    ReadErrors(ReadErrors),
    /// Samples and counts are read back.
    ReadBack(ReadBackState),
    /// A cancel is asked for.
    CancelJob(CancelJob),
    /// A person, or a credential, is needed.
    Paused(Paused),
    /// It is over.
    Finished(Finished),
}

/// What a handler sees beside its own state.
pub struct Cx<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// Now, in Unix milliseconds.
    pub now_ms: u64,
    /// What is known so far.
    pub progress: &'a mut Progress,
    /// What happened in this call.
    pub events: &'a mut Vec<Event>,
}

impl Ask {
    /// The request, for people.
    fn shown(&self) -> Option<String> {
        match self {
            Self::Send(exchange) => Some(exchange.shown()),
            Self::Stay | Self::Become(_) => None,
        }
    }
}

/// What came of an exchange.
pub type Reply = Result<Answer, Failure>;

/// What a state wants.
pub enum Ask {
    /// An exchange; its reply goes to `answered`.
    Send(Exchange),
    /// Nothing: the call came early, or is not for this state. The same transition is the answer.
    Stay,
    /// To be another state, without an exchange.
    Become(State),
}

impl<'a> Cx<'a> {
    /// The chosen dialect.
    #[must_use]
    pub fn dialect(&self) -> Option<&'a Dialect> {
        self.progress.dialect(self.plan)
    }

    /// The name of the chosen dialect, for people.
    #[must_use]
    pub fn dialect_name(&self) -> &'a str {
        self.dialect().map_or("this dialect", |d| d.name.as_str())
    }

    /// Whether the server never says how a job ended.
    #[must_use]
    pub fn says_nothing_more(&self) -> bool {
        self.dialect().is_some_and(|d| d.kick_off.handle == Handle::Nowhere)
    }

    /// Jobs of this import that did not end yet.
    #[must_use]
    pub fn jobs_left(&self) -> u32 {
        self.dialect().map_or(0, |d| self.plan.batches(d)).saturating_sub(self.progress.jobs_done)
    }

    /// How many jobs ended, for people.
    #[must_use]
    pub fn jobs_of_all(&self) -> String {
        let done = self.progress.jobs_done;
        format!("{done} of {}", done.saturating_add(self.jobs_left()))
    }

    /// The job that is sent or in flight.
    #[must_use]
    pub fn job(&self) -> Option<Job<'_>> {
        let job = self.plan.job(self.dialect()?, self.progress.jobs_done);
        Some(Job { anew: self.progress.anew, uploaded: self.progress.uploaded, ..job })
    }

    /// The wait after so many failures in a row; the answer is that of the last one.
    #[must_use]
    pub fn back_off(&self, answer: Option<&Answer>, failures: u32) -> Wake {
        pace::back_off(answer, failures, self.now_ms, self.progress.deadline_at_ms, pace::seed(&self.plan.id))
    }

    /// Whether the deadline has passed.
    #[must_use]
    pub fn is_late(&self) -> bool {
        self.now_ms >= self.progress.deadline_at_ms
    }

    /// Says what happened.
    pub fn tell(&mut self, kind: EventKind, text: impl Into<String>) {
        self.events.push(Event { at_ms: self.now_ms, kind, text: text.into() });
    }

    /// Whether a wait is over.
    #[must_use]
    pub fn is_due(&self, due: Option<&Wake>) -> bool {
        due.is_none_or(|wake| self.now_ms >= wake.at_ms)
    }
}

impl State {
    /// What `step` does here; nothing, while there is a wait.
    pub fn ask(&self, cx: &mut Cx<'_>) -> Ask {
        if !cx.is_due(self.due()) {
            return Ask::Stay;
        }
        match self {
            Self::ReadCapabilities(state) => state.ask(cx),
            Self::ReadDefinition(state) => state.ask(cx),
            Self::LookBefore(_) => LookBefore::ask(cx),
            Self::FindJob(state) => state.ask(cx),
            Self::AwaitStatus(state) => state.ask(cx),
            Self::ReadResult(state) => state.ask(cx),
            Self::ReadErrors(state) => state.ask(cx),
            Self::ReadBack(state) => state.ask(cx),
            Self::CancelJob(state) => state.ask(cx),
            Self::Ready(state) => state.ask(),
            Self::SubmitLost(_) | Self::Paused(_) | Self::Finished(_) => Ask::Stay,
        }
    }

    /// What a state makes of the reply to its exchange.
    pub fn answered(self, cx: &mut Cx<'_>, reply: Reply) -> Self {
        match self {
            Self::ReadCapabilities(state) => state.answered(cx, reply),
            Self::ReadDefinition(state) => state.answered(cx, reply),
            Self::LookBefore(state) => state.answered(cx, reply),
            Self::FindJob(state) => state.answered(cx, reply),
            Self::AwaitStatus(state) => state.answered(cx, reply),
            Self::ReadResult(state) => state.answered(cx, reply),
            Self::ReadErrors(state) => state.answered(cx, reply),
            Self::ReadBack(state) => state.answered(cx, reply),
            Self::CancelJob(state) => state.answered(cx, reply),
            same @ (Self::Ready(_) | Self::SubmitLost(_) | Self::Paused(_) | Self::Finished(_)) => same,
        }
    }

    /// What the owner of the loop does next.
    #[must_use]
    pub fn next(&self, plan: &Plan, progress: &Progress) -> Next {
        match self {
            Self::SubmitLost(_) => Next::Recover,
            Self::Paused(state) => Next::Paused(state.pause()),
            Self::Finished(state) => Next::Done(Box::new(state.report(plan, progress))),
            Self::Ready(state) => state.due().map_or(Next::Submit, |wake| Next::Wait(wake.clone())),
            other => other.due().map_or(Next::Step, |wake| Next::Wait(wake.clone())),
        }
    }

    /// Whether what was learned is good for the call that learned it, and for no other one.
    #[must_use]
    pub fn goes_on_in_its_call(&self) -> bool {
        matches!(self, Self::CancelJob(cancel) if cancel.has_just_looked())
    }

    fn due(&self) -> Option<&Wake> {
        match self {
            Self::ReadCapabilities(state) => state.due(),
            Self::LookBefore(state) => state.due(),
            Self::FindJob(state) => Some(state.due()),
            Self::AwaitStatus(state) => Some(state.due()),
            Self::ReadResult(state) => state.due(),
            Self::ReadErrors(state) => state.due(),
            Self::ReadBack(state) => state.due(),
            Self::CancelJob(state) => state.due(),
            Self::Ready(state) => state.due(),
            Self::ReadDefinition(_) | Self::SubmitLost(_) | Self::Paused(_) | Self::Finished(_) => None,
        }
    }

    /// Where it stands.
    #[must_use]
    pub fn phase(&self) -> Phase {
        match self {
            Self::ReadCapabilities(_) | Self::ReadDefinition(_) => Phase::Detecting,
            Self::Ready(ready) if !ready.is_clean() => Phase::Submitting,
            Self::LookBefore(_) | Self::Ready(_) => Phase::ReadyToSubmit,
            Self::SubmitLost(_) | Self::FindJob(_) => Phase::Submitting,
            Self::AwaitStatus(_) => Phase::Running,
            Self::ReadResult(_) | Self::ReadErrors(_) => Phase::ReadingResult,
            Self::ReadBack(_) => Phase::Verifying,
            Self::CancelJob(_) => Phase::Cancelling,
            Self::Paused(_) => Phase::Paused,
            Self::Finished(_) => Phase::Done,
        }
    }

    /// The status URL of the job in flight.
    #[must_use]
    pub fn job_url(&self) -> Option<&str> {
        self.job().and_then(AwaitStatus::handle)
    }

    /// A kick-off may have been accepted, and nobody is asked about it yet.
    #[must_use]
    pub fn is_in_doubt(&self) -> bool {
        match self {
            Self::Ready(ready) => !ready.is_clean(),
            Self::FindJob(_) | Self::SubmitLost(_) => true,
            _ => false,
        }
    }

    /// The job in flight, wherever it is kept.
    #[must_use]
    pub fn job(&self) -> Option<&AwaitStatus> {
        match self {
            Self::AwaitStatus(job) => Some(job),
            Self::CancelJob(state) => Some(state.job()),
            Self::ReadResult(state) => Some(state.job()),
            Self::Paused(state) => state.back().job(),
            _ => None,
        }
    }
}

impl Default for State {
    fn default() -> Self {
        Self::ReadCapabilities(ReadCapabilities::default())
    }
}

read_variant!(State {
    ReadCapabilities = "read-capabilities",
    ReadDefinition = "read-definition",
    LookBefore = "look-before",
    Ready = "ready",
    SubmitLost = "submit-lost",
    FindJob = "find-job",
    AwaitStatus = "await-status",
    ReadResult = "read-result",
    ReadErrors = "read-errors",
    ReadBack = "read-back",
    CancelJob = "cancel-job",
    Paused = "paused",
    Finished = "finished",
});
