//! A cancel is asked for, and believed when the status says so. Before each DELETE, in the same call, the status is asked
//! for: a job that is over has nothing to cancel, and some servers delete its result.

use serde::Serialize;
use serde_json::Value;

use super::{Ask, AwaitStatus, Cx, Finished, Paused, Reply, State};
use crate::dialect::{CancelShape, JobState};
use crate::exchange::Answer;
use crate::json::read::{Problem, Read, read_object};
use crate::pace;
use crate::poll::{Meaning, classify};
use crate::transition::{EventKind, PauseReason, Wake};

/// How often the DELETE is sent when it is not answered; it may be repeated.
const ATTEMPTS: u32 = 3;
/// How often the status is asked for after an accepted DELETE.
const CONFIRMS: u32 = 5;

/// A cancel is asked for.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct CancelJob {
    job: AwaitStatus,
    stage: Stage,
    tries: u32,
    due: Option<Wake>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Stage {
    #[default]
    Look,
    /// The job ran when it was looked at in this call. Never stored: a process that died may come back much later.
    Looked,
    /// A DELETE may have arrived, where looking would undo it.
    Delete,
    Confirm,
}

impl CancelJob {
    /// Cancels a job; its status may have been asked for a moment ago.
    #[must_use]
    pub fn new(job: AwaitStatus, now_ms: u64) -> Self {
        Self { job, stage: Stage::Look, tries: 0, due: Some(pace::soon(now_ms)) }
    }

    /// The job that is cancelled.
    #[must_use]
    pub fn job(&self) -> &AwaitStatus {
        &self.job
    }

    /// When it goes on.
    #[must_use]
    pub fn due(&self) -> Option<&Wake> {
        self.due.as_ref()
    }

    /// Whether the job ran a moment ago, so that it may be cancelled.
    pub(super) fn has_just_looked(&self) -> bool {
        self.stage == Stage::Looked
    }

    pub(super) fn ask(&self, cx: &mut Cx<'_>) -> Ask {
        match self.stage {
            // The process may have died behind a DELETE that was carried out.
            Stage::Delete | Stage::Confirm if is_until_gone(cx) => self.job.cancel(cx).map_or(Ask::Stay, Ask::Send),
            Stage::Looked => self.job.cancel(cx).map_or(Ask::Stay, Ask::Send),
            Stage::Look | Stage::Delete | Stage::Confirm => self.job.ask(cx),
        }
    }

    pub(super) fn answered(self, cx: &mut Cx<'_>, reply: Reply) -> State {
        match (self.stage, reply) {
            (Stage::Delete | Stage::Confirm, reply) if is_until_gone(cx) => self.gone_or_not(cx, reply),
            (Stage::Look | Stage::Delete, Ok(answer)) => self.looked(cx, &answer),
            (Stage::Look | Stage::Delete, Err(failure)) => self.again(cx, ATTEMPTS, None, &failure.text),
            (Stage::Looked, Ok(answer)) => self.deleted(cx, &answer),
            (Stage::Confirm, Ok(answer)) => self.confirmed(cx, &answer),
            (Stage::Looked, Err(failure)) => {
                let text = format!("the cancel was not answered: {}", failure.text);
                self.again(cx, ATTEMPTS, None, &text)
            }
            (Stage::Confirm, Err(failure)) => self.again(cx, CONFIRMS, None, &failure.text),
        }
    }

    /// A status that does not speak of the job is asked for again: the job may be over.
    fn looked(mut self, cx: &mut Cx<'_>, answer: &Answer) -> State {
        let Some(dialect) = cx.dialect() else { return self.back(cx, "") };
        match classify(&dialect.poll, answer) {
            Meaning::Job(JobState::Ended | JobState::Failed, _) | Meaning::Elsewhere => {
                self.too_late(cx, "the job is over")
            }
            Meaning::Job(JobState::Cancelled, _) => {
                Finished::cancelled(cx, "The server says that the job was cancelled already.")
            }
            Meaning::Busy
            | Meaning::Broken
            | Meaning::Senseless
            | Meaning::Job(JobState::Busy | JobState::Credentials, _) => {
                self.again(cx, ATTEMPTS, Some(answer), &format!("the status request was answered {}", answer.status))
            }
            Meaning::Credentials => self.credentials(cx, answer),
            // Forgotten; or a DELETE whose answer was lost was carried out, which nobody can tell.
            Meaning::Job(JobState::Unknown, _) => self.back(cx, "the server does not know the job"),
            Meaning::Job(JobState::Running, _) => {
                let told_where = self.job.handle().is_none();
                self.job.learn_handle(cx, answer);
                match self.job.cancel(cx) {
                    // That says where the status is, and not that the job runs.
                    Some(_) if told_where => {
                        State::CancelJob(Self { stage: Stage::Look, due: Some(pace::soon(cx.now_ms)), ..self })
                    }
                    Some(_) => {
                        let stage = if is_until_gone(cx) { Stage::Delete } else { Stage::Looked };
                        State::CancelJob(Self { stage, due: None, ..self })
                    }
                    None => self.back(cx, "the server did not say where the job is"),
                }
            }
        }
    }

    fn credentials(self, cx: &mut Cx<'_>, answer: &Answer) -> State {
        let text = format!("The server answers {} to the cancel: it wants other credentials.", answer.status);
        let stage = if self.stage == Stage::Looked { Stage::Look } else { self.stage };
        Paused::stop(cx, PauseReason::Credentials, text, State::CancelJob(Self { stage, ..self }))
    }

    fn deleted(self, cx: &mut Cx<'_>, answer: &Answer) -> State {
        match answer.status {
            200 | 202 | 204 => {
                cx.tell(EventKind::Cancel, "the server accepted the cancel");
                self.confirm(cx)
            }
            401 | 403 => self.credentials(cx, answer),
            429 | 500.. => {
                self.again(cx, ATTEMPTS, Some(answer), &format!("the cancel was answered {}", answer.status))
            }
            409 => self.too_late(cx, "the server says that the job has already ended"),
            status => self.back(cx, &format!("the server does not cancel: it answers {status}")),
        }
    }

    /// Of a server that is asked to cancel until it has, each answer is one to a DELETE. Once one may have arrived, the
    /// status is not asked for any more.
    fn gone_or_not(self, cx: &mut Cx<'_>, reply: Reply) -> State {
        let answer = match reply {
            Ok(answer) => answer,
            Err(failure) => return self.once_more(cx, None, &format!("it was not answered: {}", failure.text)),
        };
        match (answer.status, self.stage) {
            (200 | 204, _) => Finished::cancelled(cx, "Cancelled, as asked; the server says so."),
            (404 | 410, _) => {
                Finished::cancelled(cx, "Cancelled, as asked; the server does not know the job any more.")
            }
            (401 | 403, _) => self.credentials(cx, &answer),
            // The first one was understood, and refused.
            (202 | 400..=407 | 409..=428, Stage::Delete) => self.deleted(cx, &answer),
            (status, _) => self.once_more(cx, Some(&answer), &format!("it was answered {status}")),
        }
    }

    fn once_more(self, cx: &mut Cx<'_>, answer: Option<&Answer>, text: &str) -> State {
        let tries = self.tries.saturating_add(1);
        if tries < CONFIRMS {
            let due = Some(cx.back_off(answer, tries));
            return State::CancelJob(Self { stage: Stage::Confirm, tries, due, ..self });
        }
        let text = format!(
            "A cancel was sent, and the server does not say that it is carried out: {text}. To ask for the status of a job \
             that was stopped starts it again on this server, so that nothing but the cancel is sent when this goes on.",
        );
        let back = Self { stage: Stage::Confirm, tries: 0, due: Some(pace::soon(cx.now_ms)), ..self };
        Paused::stop(cx, PauseReason::AnswerNotUnderstood, text, State::CancelJob(back))
    }

    fn confirm(self, cx: &Cx<'_>) -> State {
        let due = Some(pace::soon(cx.now_ms));
        State::CancelJob(Self { stage: Stage::Confirm, tries: 0, due, ..self })
    }

    fn confirmed(self, cx: &mut Cx<'_>, answer: &Answer) -> State {
        let Some(dialect) = cx.dialect() else { return self.back(cx, "") };
        match classify(&dialect.poll, answer) {
            Meaning::Job(JobState::Cancelled, _) => Finished::cancelled(cx, "Cancelled, as asked; the server says so."),
            // "404 Not Found", says FHIR Bulk Data Access of a job that was deleted; 410 is as good.
            _ if matches!(answer.status, 404 | 410) => {
                Finished::cancelled(cx, "Cancelled, as asked; the server does not know the job any more.")
            }
            Meaning::Job(JobState::Ended | JobState::Failed, _) => {
                self.too_late(cx, "the job ended before it was cancelled")
            }
            Meaning::Job(JobState::Running, _) => self.again(cx, CONFIRMS, None, "the job still runs"),
            _ => self.again(cx, CONFIRMS, Some(answer), &format!("the status request was answered {}", answer.status)),
        }
    }

    fn again(self, cx: &mut Cx<'_>, most: u32, answer: Option<&Answer>, text: &str) -> State {
        let tries = self.tries.saturating_add(1);
        if tries >= most {
            return self.back(cx, &format!("gave up cancelling: {text}"));
        }
        let wake = cx.back_off(answer, tries);
        let stage = if self.stage == Stage::Confirm { Stage::Confirm } else { Stage::Look };
        State::CancelJob(Self { stage, tries, due: Some(wake), ..self })
    }

    /// Not cancelled: the job is waited for as before.
    fn back(self, cx: &mut Cx<'_>, why: &str) -> State {
        cx.tell(EventKind::Cancel, format!("not cancelled: {why}"));
        State::AwaitStatus(self.job.no_sooner(cx.now_ms))
    }

    /// Not cancelled: the job's end is there to be read.
    fn too_late(self, cx: &mut Cx<'_>, why: &str) -> State {
        cx.tell(EventKind::Cancel, format!("not cancelled: {why}"));
        State::AwaitStatus(self.job.soon(cx.now_ms))
    }
}

/// The server is asked to cancel until it says that it has: asking for the status would start the job again.
fn is_until_gone(cx: &Cx<'_>) -> bool {
    cx.dialect().is_some_and(|dialect| dialect.cancel.shape == CancelShape::DeleteUntilGone)
}

read_object!(CancelJob { job, stage, tries, due });

impl Read for Stage {
    fn read(value: &Value, problem: &mut Problem) -> Self {
        match value.as_str() {
            Some("look") => Self::Look,
            Some("delete") => Self::Delete,
            Some("confirm") => Self::Confirm,
            // What was stored before looks were good for one call only.
            None if value["delete"].is_u64() => Self::Delete,
            _ => {
                problem.wants("a stage of a cancel");
                Self::default()
            }
        }
    }
}
