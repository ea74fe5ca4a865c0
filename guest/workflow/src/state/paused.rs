//! A person, or a credential, is needed. Nothing is lost: the state to go back to is kept.

use serde::{Deserialize, Serialize};

use super::{Cx, State};
use crate::dialect::CancelShape;
use crate::text::clip;
use crate::transition::{DecisionKind, EventKind, Pause, PauseReason};

/// Bytes of the message that are kept.
const WORDS: usize = 1200;

/// A person, or a credential, is needed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Paused {
    reason: PauseReason,
    message: String,
    can_cancel: bool,
    back: Box<State>,
}

impl Paused {
    /// Stops, and remembers where.
    pub fn stop(cx: &mut Cx<'_>, reason: PauseReason, message: impl AsRef<str>, back: State) -> State {
        let message = clip(message.as_ref(), WORDS);
        cx.tell(EventKind::Paused, message.clone());
        let deletes = cx.dialect().is_some_and(|d| d.cancel.shape == CancelShape::Delete);
        let can_cancel = deletes && back.job_url().is_some();
        State::Paused(Self { reason, message, can_cancel, back: Box::new(back) })
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
        };
        if self.can_cancel {
            kinds.push(DecisionKind::Cancel);
        }
        kinds.push(DecisionKind::GiveUp);
        kinds
    }
}
