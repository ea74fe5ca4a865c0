//! The server is asked for its own time before the first kick-off of a job: by it, a job of this kick-off can later be
//! told from older ones, whatever happens to our clock meanwhile.

use serde::{Deserialize, Serialize};

use super::find_job;
use super::{Ask, Cx, Ready, Reply, State};
use crate::exchange::{Exchange, KEEP_NOTHING};
use crate::instant;
use crate::transition::{EventKind, Wake};

/// How often it is asked; without its time, whose job it is that a lost kick-off left is a person's to say.
const ATTEMPTS: u32 = 3;

/// The server is asked for its time before the first kick-off.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct LookBefore {
    failures: u32,
    due: Option<Wake>,
}

impl LookBefore {
    /// When it is asked.
    #[must_use]
    pub fn due(&self) -> Option<&Wake> {
        self.due.as_ref()
    }

    /// Of the list that may be searched later, it is worth knowing that it can be read.
    pub(super) fn ask(cx: &Cx<'_>) -> Ask {
        let (path, accept) =
            find_job::list(cx).map_or(("metadata", "application/fhir+json"), |list| (&list.path, &list.accept));
        Ask::Send(Exchange::get(cx.plan.base().join(path), accept, KEEP_NOTHING))
    }

    pub(super) fn answered(self, cx: &mut Cx<'_>, reply: Reply) -> State {
        let answer = reply.ok();
        let good = answer.as_ref().filter(|answer| answer.status == 200);
        let failures = self.failures.saturating_add(1);
        if good.is_none() && failures < ATTEMPTS {
            return State::LookBefore(Self { failures, due: Some(cx.back_off(answer.as_ref(), failures)) });
        }
        cx.progress.server_ms = good.and_then(instant::of_answer);
        if cx.progress.server_ms.is_none() {
            let text = "the server could not be asked for its time before the kick-off, or does not tell it";
            cx.tell(EventKind::RequestFailed, text);
        }
        State::Ready(Ready::default())
    }
}
