//! A kick-off was accepted: where is the job?

use super::job_over::job_over;
use super::{AwaitStatus, Cx, Paused, Ready, Starter, State, SubmitLost};
use crate::dialect::{Handle, RecoveryClass};
use crate::excerpt::excerpt;
use crate::exchange::Answer;
use crate::pace;
use crate::result;
use crate::transition::{EventKind, PauseReason};
use crate::url::{MAX_URL, is_name};

/// Where the host says how much of a file it uploaded: `bytes START-END/TOTAL`, the end not included.
const UPLOADED: &str = "fhir-import-uploaded";

/// Kick-offs in a row without a result before a person is asked.
const SENSELESS: u32 = 5;

/// A kick-off was accepted, after so many lost ones.
pub fn enter(cx: &mut Cx<'_>, answer: &Answer, lost: u32) -> State {
    cx.progress.accepted_ms = Some(cx.now_ms);
    let Some(handle) = cx.dialect().map(|d| &d.kick_off.handle) else { return SubmitLost::enter(cx, lost, "") };
    let reference = match handle {
        Handle::Answer => return answered_at_once(cx, answer, lost),
        Handle::Nowhere => return nothing_more(cx),
        Handle::StatusRequest => {
            cx.tell(EventKind::Accepted, "the server accepted the kick-off; it is asked where the status is");
            return AwaitStatus::unnamed(cx, starter(cx));
        }
        Handle::ContentLocation => content_location(answer),
        Handle::Member(path) => answer.json().and_then(|body| path.text(&body)),
        Handle::Caller(template) => cx.job().and_then(|job| job.text(template).ok()),
    };
    match reference.filter(|reference| !reference.is_empty()) {
        Some(reference) => found(cx, answer, &reference),
        None => nowhere(cx, answer, handle, lost),
    }
}

fn starter(cx: &Cx<'_>) -> Starter {
    let same_bytes = cx.dialect().is_some_and(|d| d.recovery.class == RecoveryClass::SameBytes);
    if same_bytes { Starter::Perhaps } else { Starter::Us }
}

/// The one Content-Location.
fn content_location(answer: &Answer) -> Option<String> {
    let mut values = answer.header_values("content-location").filter(|v| !v.is_empty());
    match (values.next(), values.next()) {
        (Some(one), None) => Some(one.to_owned()),
        _ => None,
    }
}

fn found(cx: &mut Cx<'_>, answer: &Answer, reference: &str) -> State {
    let is_url = cx.dialect().is_some_and(|d| d.poll.url.is_none());
    if reference.len() > MAX_URL || !(is_url || is_name(reference)) {
        cx.tell(EventKind::SubmitLost, "the kick-off was accepted with a status URL that cannot be kept");
        let text = format!(
            "The server accepted the kick-off, but what it calls the job cannot be kept ({} bytes; at most {MAX_URL}, and \
             a name has no odd characters). Find the job on the server and adopt it.",
            reference.len()
        );
        return SubmitLost::ask_a_person(cx, &text);
    }
    let first = pace::poll(answer, 0, cx.now_ms, cx.plan.policy.poll_max_ms);
    // In full: whoever must adopt the job later, because nothing could be stored, has only this line.
    cx.tell(EventKind::Accepted, format!("the server accepted the kick-off; its status is at {reference}"));
    AwaitStatus::at(cx, reference, first, starter(cx))
}

/// Half of an answer may have said it; where a second kick-off is safe, it is said again.
fn nowhere(cx: &mut Cx<'_>, answer: &Answer, handle: &Handle, lost: u32) -> State {
    let unknowable = cx.dialect().is_none_or(|d| d.recovery.class == RecoveryClass::Unknowable);
    if answer.cut && !unknowable {
        return SubmitLost::enter(cx, lost, "it broke off before it said where the job is");
    }
    let (what, told) = match handle {
        Handle::ContentLocation => ("no Content-Location, or several", "without one Content-Location"),
        _ => ("its body does not name it", "without a name of the job"),
    };
    cx.tell(EventKind::SubmitLost, format!("the kick-off was accepted {told}"));
    let text = format!(
        "The server accepted the kick-off, but did not say where the job is ({what}). Find the job on the server and adopt \
         its status URL; if this is not how {} answers, name the right dialect in another run.",
        cx.dialect_name()
    );
    SubmitLost::ask_a_person(cx, &text)
}

/// The server says nothing of the job any more: only what can be read back shows what it did.
pub fn nothing_more(cx: &mut Cx<'_>) -> State {
    cx.progress.accepted_ms = Some(cx.now_ms);
    cx.tell(EventKind::Accepted, "the server accepted the kick-off, and says nothing more of it");
    cx.progress.tally.add_silence();
    job_over(cx)
}

/// The answer to the kick-off is the result, of a part of a file perhaps.
fn answered_at_once(cx: &mut Cx<'_>, answer: &Answer, lost: u32) -> State {
    let Some(dialect) = cx.dialect() else { return SubmitLost::enter(cx, lost, "") };
    let mut tally = cx.progress.tally.clone();
    if result::read(&dialect.result, answer, cx.plan, &mut tally).is_none() {
        return no_result(cx, answer, lost);
    }
    cx.progress.tally = tally;
    cx.tell(EventKind::StatusComplete, "the server answered with the result");
    if dialect.inputs.upload_bytes() > 0 { goes_on_behind(cx, answer) } else { job_over(cx) }
}

/// It may be a proxy's word, which passes; but not for ever.
fn no_result(cx: &mut Cx<'_>, answer: &Answer, lost: u32) -> State {
    if lost < SENSELESS {
        return SubmitLost::enter(cx, lost, "its answer is no result");
    }
    let text = format!(
        "The answer to the kick-off is no result, after {lost} tries: {}. Look at the server: what was sent may be stored \
         there. If this is not how {} answers, name the right dialect in another run.",
        excerpt(answer),
        cx.dialect_name()
    );
    SubmitLost::ask_a_person(cx, &text)
}

/// A part of a file was uploaded: on to the next one.
fn goes_on_behind(cx: &mut Cx<'_>, answer: &Answer) -> State {
    match uploaded(answer) {
        Some((end, total)) if end < total => {
            cx.progress.uploaded = end;
            Ready::fresh(cx)
        }
        Some(_) => job_over(cx),
        None => {
            let text = "The host did not say how much of the file it uploaded: it is of another version.";
            Paused::stop(cx, PauseReason::AnswerNotUnderstood, text, State::SubmitLost(SubmitLost::default()))
        }
    }
}

fn uploaded(answer: &Answer) -> Option<(u64, u64)> {
    let (range, total) = answer.header(UPLOADED)?.strip_prefix("bytes ")?.split_once('/')?;
    Some((range.split_once('-')?.1.parse().ok()?, total.parse().ok()?))
}
