//! The person who is asked when an import stands still.

use fhir_import::contract::{Decision, DecisionKind, Pause, PauseReason};
use fhir_import_sandbox::{Fate, JobRecord, Sandbox, Script, Starter};

use crate::scenario::Operator;

/// Questions that a person answers before giving up.
const PATIENCE: u32 = 12;

/// How long a person takes to look, in milliseconds.
pub const LOOKS_AFTER_MS: u64 = 3_600_000;

/// What a person did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Acts {
    /// Questions answered.
    pub asked: u32,
    /// Kick-offs that were sent again, knowing that there may be two jobs.
    pub resubmits: u32,
    /// Cancels.
    pub cancels: u32,
    /// Times given up.
    pub gave_up: u32,
}

/// The jobs of this import that the server has or had.
#[must_use]
pub fn ours(sandbox: &Sandbox) -> Vec<JobRecord> {
    sandbox.job_records().into_iter().filter(|job| job.starter == Starter::KickOff).collect()
}

impl Acts {
    /// Decides, and counts what was decided. The person sees the server, not our journal.
    pub fn decide(&mut self, who: Operator, pause: &Pause, sandbox: &Sandbox, script: &Script) -> Decision {
        self.asked += 1;
        let limit = if who == Operator::Impatient { 1 } else { PATIENCE };
        let wanted = if self.asked > limit { Decision::GiveUp } else { careful(pause, sandbox, script) };
        let decision = if offered(pause, &wanted) { wanted } else { Decision::GiveUp };
        match decision {
            Decision::Resubmit => self.resubmits += 1,
            Decision::GiveUp => self.gave_up += 1,
            _ => {}
        }
        decision
    }
}

fn careful(pause: &Pause, sandbox: &Sandbox, script: &Script) -> Decision {
    let jobs = ours(sandbox);
    // A job whose end was shown is one that the import knows; a person is asked about the other one.
    let unknown = |job: &&JobRecord| job.fate != Fate::Lost && job.ends_shown == 0;
    let there = jobs.iter().rev().find(unknown);
    match pause.reason {
        PauseReason::SubmitUnknown | PauseReason::UntrustedStatusUrl => match there {
            Some(job) => Decision::Adopt(handle(job)),
            None => Decision::Resubmit,
        },
        PauseReason::Credentials => {
            sandbox.set_script(Script { require_bearer: None, ..script.clone() });
            Decision::Continue
        }
        PauseReason::Deadline => Decision::Extend(24 * LOOKS_AFTER_MS),
        PauseReason::JobLost => match jobs.last().map(|job| job.fate) {
            Some(Fate::Lost) => Decision::Resubmit,
            Some(Fate::Running) => Decision::Continue,
            _ => Decision::GiveUp,
        },
        PauseReason::AnswerNotUnderstood => Decision::Continue,
        // The person remembers when the command was typed, and knows that job.
        PauseReason::NotOurJob => match jobs.iter().rev().find(|job| job.fate != Fate::Lost) {
            Some(job) => Decision::Adopt(handle(job)),
            None => Decision::GiveUp,
        },
    }
}

/// The status URL, or the id where a job has no URL of its own.
fn handle(job: &JobRecord) -> String {
    job.status_url.split_once("/?JobId=").map_or(&*job.status_url, |(_, id)| id).to_owned()
}

fn offered(pause: &Pause, decision: &Decision) -> bool {
    let kind = match decision {
        Decision::Adopt(_) => DecisionKind::Adopt,
        Decision::Resubmit => DecisionKind::Resubmit,
        Decision::Extend(_) => DecisionKind::Extend,
        Decision::Cancel => DecisionKind::Cancel,
        Decision::ForceCancel => DecisionKind::ForceCancel,
        Decision::GiveUp => DecisionKind::GiveUp,
        Decision::Continue => DecisionKind::Continue,
    };
    pause.decisions.contains(&kind)
}
