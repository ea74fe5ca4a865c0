//! Decisions of people, beside Obelisk's timers: one is always asked for, and whichever comes first counts.

use crate::bindings::fhir_import::orchestration_obelisk_ext::person::{decide_get, decide_submit};
use crate::bindings::fhir_import::workflow::types::Decision;
use crate::bindings::obelisk::types::execution::{DelayId, ExecutionId, ResponseId};
use crate::bindings::obelisk::types::join_set::JoinSet;
use crate::bindings::obelisk::types::time::ScheduleAt;
use crate::bindings::obelisk::workflow::workflow_support::{
    join_next, join_next_try, join_set_create_named, submit_delay,
};

/// In the names of executions: `E_….n:person_1` is the first decision of an import.
const NAME: &str = "person";

/// Whoever may decide about an import.
pub struct Person {
    /// Holds the decision that is asked for, and timers.
    asked: JoinSet,
}

impl Person {
    pub fn ask() -> Self {
        let asked = join_set_create_named(NAME).expect("it is the only set of that name");
        decide_submit(&asked);
        Self { asked }
    }

    /// What was decided meanwhile.
    pub fn said(&self) -> Option<Decision> {
        while join_next_try(&self.asked).is_ok() {
            if let Some(Said::Decision(decision)) = self.heard() {
                return Some(decision);
            }
        }
        None
    }

    /// Waits for a decision.
    pub fn says(&self) -> Decision {
        loop {
            if let Some(Said::Decision(decision)) = self.next() {
                return decision;
            }
        }
    }

    /// Waits for a decision until a time.
    pub fn says_before(&self, end: ScheduleAt) -> Option<Decision> {
        let end = submit_delay(&self.asked, end);
        loop {
            match self.next() {
                Some(Said::Decision(decision)) => return Some(decision),
                Some(Said::Time(id)) if id.id == end.id => return None,
                // The timer of an earlier wait, which a decision ended.
                _ => {}
            }
        }
    }

    fn next(&self) -> Option<Said> {
        // What was said is read below, with its type.
        let _ = join_next(&self.asked).expect("`heard` asks the next question whenever one is answered");
        self.heard()
    }

    /// The last answer; none when somebody cancelled the question. Whatever became of a question, the next one is asked.
    fn heard(&self) -> Option<Said> {
        match self.asked.last_id().expect("an answer was taken") {
            ResponseId::DelayId(id) => Some(Said::Time(id)),
            ResponseId::ExecutionId(id) => {
                decide_submit(&self.asked);
                decision(&id).map(Said::Decision)
            }
        }
    }
}

enum Said {
    Decision(Decision),
    Time(DelayId),
}

fn decision(id: &ExecutionId) -> Option<Decision> {
    decide_get(id).expect("it was asked for in this set").ok()
}
