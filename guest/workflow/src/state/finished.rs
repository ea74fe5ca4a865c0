//! It is over.

use serde::{Deserialize, Serialize};

use super::{Cx, State};
use crate::outcome::Outcome;
use crate::plan::Plan;
use crate::progress::Progress;
use crate::report::{Ending, Report};
use crate::transition::EventKind;

/// It is over.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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

    /// Ends an import that never reached the server.
    pub fn unreachable(cx: &mut Cx<'_>, text: &str) -> State {
        let advice = "Check the URL, the network and, for https, the certificate (--ca FILE); then run again.";
        Self::end(
            cx,
            Ending::new(
                Outcome::Unreachable,
                format!("The server could not be reached, nothing was sent: {text}"),
                advice,
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
