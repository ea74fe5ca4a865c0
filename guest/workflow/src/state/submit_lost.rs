//! A kick-off may have reached the server, and its answer is not known.

use serde::Serialize;

use super::{Cx, FindJob, Paused, Ready, State};
use crate::dialect::RecoveryClass;
use crate::json::read::read_object;
use crate::transition::{EventKind, PauseReason};

/// A kick-off may have reached the server, and its answer is not known.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct SubmitLost {
    /// How often in a row.
    times: u32,
}

impl SubmitLost {
    /// The answer was lost.
    pub fn enter(cx: &mut Cx<'_>, times: u32, why: &str) -> State {
        cx.tell(EventKind::SubmitLost, format!("the answer to the kick-off is not known: {why}"));
        State::SubmitLost(Self { times })
    }

    /// What follows depends on what a second kick-off would do on this server.
    pub fn recover(self, cx: &mut Cx<'_>) -> State {
        let class = cx.dialect().map_or(RecoveryClass::Unknowable, |d| d.recovery.class);
        match class {
            RecoveryClass::SameIds if !cx.plan.every_resource_has_an_id() => Self::ask_a_person(
                cx,
                "The kick-off was sent or may have been sent, and nobody knows whether the server carried it out; on this \
                 server a second one stores the resources without an id once more, and not every resource is known to \
                 have one. Look at the server: if nothing of it is there, resubmit.",
            ),
            RecoveryClass::SameBytes | RecoveryClass::SameIds | RecoveryClass::CallerKey if !cx.is_late() => {
                State::Ready(Ready::once_more(cx, self.times))
            }
            RecoveryClass::SameBytes | RecoveryClass::SameIds | RecoveryClass::CallerKey => Self::ask_a_person(
                cx,
                "The kick-off was sent or may have been sent, and until the deadline the server did not say whether it \
                 accepted it. On this server a second one is no second job: resubmit, or adopt the job's status URL.",
            ),
            RecoveryClass::List => FindJob::enter(cx, self.times),
            RecoveryClass::Unknowable => Self::ask_a_person(
                cx,
                "The kick-off was sent or may have been sent, and nobody knows whether the server accepted it; on this \
                 server a second one would be a second job. Look at the server: if the job is there, adopt its status \
                 URL; if it is not, resubmit.",
            ),
        }
    }

    /// Only a look at the server can tell whether there is a job.
    pub fn ask_a_person(cx: &mut Cx<'_>, text: &str) -> State {
        Paused::stop(cx, PauseReason::SubmitUnknown, text, State::SubmitLost(Self::default()))
    }
}

read_object!(SubmitLost { times = 0 });
