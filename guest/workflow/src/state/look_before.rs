//! The server's list of jobs is read before the first kick-off of a job: for the server's own time, by which a job of
//! this kick-off can later be told from older ones, whatever happens to our clock meanwhile.

use serde::{Deserialize, Serialize};

use super::find_job::read_list;
use super::{Ask, Cx, Ready, Reply, State};
use crate::instant;
use crate::transition::{EventKind, Wake};

/// How often the list is asked for; without it, a lost answer to the kick-off is a person's to look after.
const ATTEMPTS: u32 = 3;

/// The server's list of jobs is read before the first kick-off.
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

    pub(super) fn ask(&self, cx: &mut Cx<'_>) -> Ask {
        match read_list(cx) {
            Some(exchange) => Ask::Send(exchange),
            None => Ask::Become(Ready::now(cx)),
        }
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
            let text =
                "the server's list of jobs could not be read before the kick-off, or does not say when it was made";
            cx.tell(EventKind::RequestFailed, text);
        }
        Ready::now(cx)
    }
}
