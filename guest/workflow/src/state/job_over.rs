//! A job is over: the next one, or the last word about all of them.

use super::{Cx, ReadBackState, Ready, Starter, State};
use crate::exchange::Answer;
use crate::outcome::Outcome;
use crate::plan::Plan;
use crate::report::Ending;
use crate::result;
use crate::transition::EventKind;

/// A job ended and its errors are read: the next one, or the end.
pub(super) fn job_over(cx: &mut Cx<'_>) -> State {
    cx.progress.jobs_done = cx.progress.jobs_done.saturating_add(1);
    if cx.dialect().is_some_and(|d| cx.progress.jobs_done < cx.plan.batches(d)) {
        (cx.progress.anew, cx.progress.uploaded) = (0, 0);
        return Ready::fresh(cx);
    }
    let ending = all_over(cx);
    ReadBackState::enter(cx, ending)
}

/// What the server says of all jobs, taken together.
fn all_over(cx: &Cx<'_>) -> Ending {
    let (rejected, allowed) = (cx.progress.tally.rejected.unwrap_or(0), cx.plan.policy.max_errors);
    if cx.progress.tally.unread > 0 {
        return partly_unread(cx, rejected);
    }
    if rejected > allowed {
        let sentence = format!("The job ended, and the server says that it rejected {rejected} of the resources.");
        return Ending::new(Outcome::FinishedWithErrors, sentence, "Mend what was rejected, and import that again.");
    }
    let wanted = wanted(cx.plan);
    match cx.progress.tally.imported() {
        Some(imported) if imported.saturating_add(rejected) < wanted => {
            let sentence =
                format!("The job ended, but of {wanted} resources the server imported {imported}, as it says.");
            let advice = "Do not rely on this import. Look at the server's log, then run again.";
            Ending::new(Outcome::VerificationFailed, sentence, advice)
        }
        _ if rejected > 0 => {
            let sentence =
                format!("The job ended; the server rejected {rejected} resources, and {allowed} are allowed.");
            Ending::new(Outcome::Succeeded, sentence, "")
        }
        Some(imported) => {
            let sentence = format!("The server says that it imported {imported} resources and rejected none.");
            Ending::new(Outcome::Succeeded, sentence, "")
        }
        None if cx.says_nothing_more() => {
            let sentence =
                "The server took the kick-off and says nothing more: only what was read back shows what it did.";
            Ending::new(Outcome::Succeeded, sentence, "")
        }
        None => Ending::new(Outcome::Succeeded, "The server says that the job ended, and names no error.", ""),
    }
}

/// What was rejected is known only in part.
fn partly_unread(cx: &Cx<'_>, rejected: u64) -> Ending {
    let unread = cx.progress.tally.unread;
    let known =
        if rejected > 0 { format!("; the others tell of {rejected} rejected resources") } else { String::new() };
    let sentence = format!(
        "The job ended, and {unread} of the files in which the server says what it rejected could not be read to the end{known}."
    );
    let advice = "See in the events why, and read them on the server; mend what was rejected, and import that again.";
    Ending::new(Outcome::FinishedWithErrors, sentence, advice)
}

/// The fewest resources that a server can say it imported, when it left nothing out: those of one id may count as one.
fn wanted(plan: &Plan) -> u64 {
    plan.expected.iter().map(|e| e.distinct_ids.unwrap_or(e.resources.min(1))).fold(0, u64::saturating_add)
}

const SAME_JOB: &str = " It may be a job of before: this server can give the same job for the same files. If another run leads to \
                        it again, change what is sent, for example with --set input-source=TEXT.";

/// The server says that a job failed.
pub(super) fn failed(cx: &mut Cx<'_>, answer: &Answer, starter: Starter) -> State {
    let mut tally = cx.progress.tally.clone();
    result::read_failure(answer, cx.plan, &mut tally);
    cx.progress.tally = tally;
    cx.tell(EventKind::StatusFailed, format!("the server says that the job failed (status {})", answer.status));
    let (done, all) = (cx.progress.jobs_done, cx.dialect().map_or(1, |d| cx.plan.batches(d)));
    let sentence = match all {
        0 | 1 => "The server says that the job failed; a part of the resources may be stored.".to_owned(),
        _ => format!(
            "The server says that job {} of {all} failed; a part of the resources may be stored, and the jobs after it \
             were not started.",
            done.saturating_add(1)
        ),
    };
    let mut advice = "See below what was read back and why resources were rejected; mend the files, then run again: \
                      resources with an id are replaced, not doubled."
        .to_owned();
    if starter == Starter::Perhaps {
        advice.push_str(SAME_JOB);
    }
    ReadBackState::enter(cx, Ending::new(Outcome::Failed, sentence, advice))
}
