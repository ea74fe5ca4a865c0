//! The server is asked for its own time before the first kick-off of a job: by it, a job of this kick-off can later be
//! told from older ones, whatever happens to our clock meanwhile.

use serde::Serialize;

use super::find_job::read_list;
use super::{Ask, Cx, Paused, Ready, Reply, State};
use crate::exchange::{Answer, Exchange, KEEP_NOTHING};
use crate::instant;
use crate::json::read::read_object;
use crate::outcome::Outcome;
use crate::report::Ending;
use crate::transition::{EventKind, PauseReason, Wake};

/// The server is asked for its time before the first kick-off.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
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
        let metadata = || Exchange::get(cx.plan.base().join("metadata"), "application/fhir+json", KEEP_NOTHING);
        Ask::Send(read_list(cx, KEEP_NOTHING).unwrap_or_else(metadata))
    }

    pub(super) fn answered(self, cx: &mut Cx<'_>, reply: Reply) -> State {
        match reply {
            Ok(answer) if matches!(answer.status, 401 | 403) => {
                let text = format!(
                    "The server answers {} when it is asked for its time before the kick-off: it wants other credentials.",
                    answer.status
                );
                Paused::stop(cx, PauseReason::Credentials, text, State::LookBefore(Self::default()))
            }
            Ok(answer) if matches!(answer.status, 408 | 429 | 500..) => {
                let text = format!("the request for the server's time was answered {}", answer.status);
                self.again(cx, Some(&answer), &text)
            }
            Ok(answer) => told(cx, &answer),
            Err(failure) => self.again(cx, None, &failure.text),
        }
    }

    /// A server that cannot even be asked for its time is not sent a kick-off.
    fn again(self, cx: &mut Cx<'_>, answer: Option<&Answer>, text: &str) -> State {
        let failures = self.failures.saturating_add(1);
        if Ready::is_given_up(cx, failures) {
            let sentence = format!("The server could not be asked for its time before the kick-off: {text}.");
            let advice = "No import was started for this. Run again later.";
            return Ready::default().over(cx, Ending::new(Outcome::Unreachable, sentence, advice));
        }
        cx.tell(EventKind::RequestFailed, text);
        State::LookBefore(Self { failures, due: Some(cx.back_off(answer, failures)) })
    }
}

/// Without the server's time, whose job it is that a kick-off leads to is a person's to say.
fn told(cx: &mut Cx<'_>, answer: &Answer) -> State {
    cx.progress.server_ms = instant::of_answer(answer).filter(|_| answer.status == 200);
    if cx.progress.server_ms.is_none() {
        let text =
            "the server does not tell its time: should an answer get lost, it cannot tell our job from older ones";
        cx.tell(EventKind::RequestFailed, text);
    }
    State::Ready(Ready::default())
}

read_object!(LookBefore { failures, due });
