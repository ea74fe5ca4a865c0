//! It is over.

use serde::Serialize;

use super::{Cx, State};
use crate::exchange::Failure;
use crate::json::read::read_object;
use crate::outcome::Outcome;
use crate::plan::Plan;
use crate::progress::Progress;
use crate::report::{Ending, Report};
use crate::transition::EventKind;

/// It is over.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Finished {
    ending: Ending,
}

impl Finished {
    /// Ends an import.
    pub fn end(cx: &mut Cx<'_>, ending: Ending) -> State {
        cx.tell(EventKind::Done, ending.sentence.clone());
        State::Finished(Self { ending })
    }

    /// Ends an import whose job was cancelled.
    pub fn cancelled(cx: &mut Cx<'_>, sentence: &str) -> State {
        let advice = "What was stored before is not taken back by most servers.";
        Self::end(cx, Ending::new(Outcome::Cancelled, sentence, advice))
    }

    /// The ending of an import that never reached the server.
    #[must_use]
    pub fn unreachable(failure: &Failure) -> Ending {
        let sent = if failure.kind.nothing_sent() { ", nothing was sent" } else { "" };
        Ending::new(
            Outcome::Unreachable,
            format!("The server could not be reached: {}.", failure.text),
            format!(
                "No import was started{sent}. Check the URL, the network and, for https, the certificate (--ca FILE); \
                 then run again."
            ),
        )
    }

    /// The report.
    #[must_use]
    pub fn report(&self, plan: &Plan, progress: &Progress) -> Report {
        Report::new(plan, progress, &self.ending)
    }

    /// One sentence.
    #[must_use]
    pub fn sentence(&self) -> &str {
        &self.ending.sentence
    }
}

read_object!(Finished { ending });
