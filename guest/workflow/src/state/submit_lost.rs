//! A kick-off may have reached the server, and its answer is not known.

use serde::{Deserialize, Serialize};

use super::{Cx, Paused, Ready, State};
use crate::dialect::RecoveryClass;
use crate::transition::{EventKind, PauseReason};

/// A kick-off may have reached the server, and its answer is not known.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct SubmitLost {}

impl SubmitLost {
    /// The answer was lost.
    pub fn enter(cx: &mut Cx<'_>, why: &str) -> State {
        cx.tell(EventKind::SubmitLost, format!("the answer to the kick-off is not known: {why}"));
        State::SubmitLost(Self {})
    }

    /// What follows depends on what a second kick-off would do on this server.
    pub fn recover(cx: &mut Cx<'_>) -> State {
        match cx.dialect().map(|d| d.recovery.class) {
            Some(RecoveryClass::SameBytes | RecoveryClass::CallerKey) => State::Ready(Ready::default()),
            Some(RecoveryClass::Unknowable) | None => Paused::stop(
                cx,
                PauseReason::SubmitUnknown,
                "The kick-off was sent or may have been sent, and nobody knows whether the server accepted it; on this \
                 server a second one would be a second job. Look at the server: if the job is there, adopt its status \
                 URL; if it is not, resubmit.",
                State::SubmitLost(Self {}),
            ),
        }
    }
}
