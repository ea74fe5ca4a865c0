//! A person, or a credential, is needed. Nothing is lost: the state to go back to is kept.

use serde::Serialize;

use super::{AwaitStatus, Cx, Starter, State};
use crate::json::read::{read_object, read_word};
use crate::text::clip;
use crate::transition::{DecisionKind, EventKind, Pause, PauseReason};

/// Bytes of the message that are kept.
const WORDS: usize = 1200;

/// A person, or a credential, is needed.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Paused {
    reason: PauseReason,
    message: String,
    /// How the job in flight could be cancelled.
    cancel: CanCancel,
    back: Box<State>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum CanCancel {
    #[default]
    No,
    Yes,
    /// This import may not have started it.
    Forced,
}

impl CanCancel {
    fn of(cx: &Cx<'_>, back: &State) -> Self {
        match back.job().filter(|_| AwaitStatus::can_be_cancelled(cx)).map(AwaitStatus::starter) {
            None => Self::No,
            Some(Starter::Us) => Self::Yes,
            Some(Starter::Perhaps | Starter::Adopted) => Self::Forced,
        }
    }
}

impl Paused {
    /// Stops, and remembers where.
    pub fn stop(cx: &mut Cx<'_>, reason: PauseReason, message: impl AsRef<str>, back: State) -> State {
        let message = clip(message.as_ref(), WORDS);
        cx.tell(EventKind::Paused, message.clone());
        let cancel = CanCancel::of(cx, &back);
        State::Paused(Self { reason, message, cancel, back: Box::new(back) })
    }

    /// Why.
    #[must_use]
    pub fn reason(&self) -> PauseReason {
        self.reason
    }

    /// Where it goes on.
    #[must_use]
    pub fn back(&self) -> &State {
        &self.back
    }

    /// Where it goes on.
    #[must_use]
    pub fn into_back(self) -> State {
        *self.back
    }

    /// The pause, for the owner of the loop.
    #[must_use]
    pub fn pause(&self) -> Pause {
        Pause {
            reason: self.reason,
            message: self.message.clone(),
            decisions: self.decisions(),
            outcome: self.reason.outcome(),
        }
    }

    /// What a person can decide.
    #[must_use]
    pub fn decisions(&self) -> Vec<DecisionKind> {
        let mut kinds = match self.reason {
            PauseReason::SubmitUnknown => vec![DecisionKind::Adopt, DecisionKind::Resubmit],
            PauseReason::Deadline => vec![DecisionKind::Extend],
            PauseReason::JobLost => vec![DecisionKind::Continue, DecisionKind::Adopt, DecisionKind::Resubmit],
            PauseReason::UntrustedStatusUrl => vec![DecisionKind::Continue, DecisionKind::Adopt],
            PauseReason::Credentials | PauseReason::AnswerNotUnderstood => vec![DecisionKind::Continue],
            PauseReason::NotOurJob => vec![DecisionKind::Adopt],
        };
        if self.reason == PauseReason::Credentials && self.back.is_in_doubt() {
            kinds.push(DecisionKind::Adopt);
        }
        kinds.extend(match self.cancel {
            CanCancel::No => None,
            CanCancel::Yes => Some(DecisionKind::Cancel),
            CanCancel::Forced => Some(DecisionKind::ForceCancel),
        });
        kinds.push(DecisionKind::GiveUp);
        kinds
    }
}

read_object!(Paused { reason, message, cancel, back });
read_word!(CanCancel { No = "no", Yes = "yes", Forced = "forced" });
