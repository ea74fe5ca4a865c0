//! The server's list of jobs is searched for one of a kick-off whose answer was lost.
//!
//! A list may be late, so it is asked twice, each time after the wait that the dialect names, before a job counts as
//! not there. A job that was created, on the server's clock, before the list was first read is somebody else's.

use serde::Serialize;
use serde_json::Value;

use super::{Ask, AwaitStatus, Cx, Paused, Ready, Reply, State, SubmitLost};
use crate::dialect::{JobList, WithoutJobs};
use crate::exchange::{Answer, Exchange, KEEP_DOCUMENT};
use crate::instant;
use crate::json::read::read_object;
use crate::transition::{EventKind, PauseReason, Wake, WakeReason};
use crate::url::{MAX_URL, is_name};

/// How often a list without the job is believed only then.
const LOOKS: u32 = 2;
/// Candidates that are named.
const NAMED: usize = 3;

const NO_LIST: &str = "The kick-off was sent or may have been sent, and nobody knows whether the server accepted it; its list of \
                       jobs could not be read before, to tell new jobs from old ones. Look at the server: if the job is there, \
                       adopt its status URL; if it is not, resubmit.";

/// The server's list of jobs is searched.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct FindJob {
    /// Kick-offs in a row whose answer was lost.
    lost: u32,
    /// Lists without the job so far.
    looks: u32,
    failures: u32,
    due: Wake,
}

impl FindJob {
    /// Begins with a wait: the job may not be listed yet.
    pub fn enter(cx: &mut Cx<'_>, lost: u32) -> State {
        match list(cx).filter(|_| cx.progress.server_ms.is_some()) {
            Some(list) => State::FindJob(Self { lost, looks: 0, failures: 0, due: settled(cx, list.settle_ms) }),
            None => SubmitLost::ask_a_person(cx, NO_LIST),
        }
    }

    /// When it is asked next.
    #[must_use]
    pub fn due(&self) -> &Wake {
        &self.due
    }

    pub(super) fn ask(&self, cx: &mut Cx<'_>) -> Ask {
        match read_list(cx, KEEP_DOCUMENT) {
            Some(exchange) => Ask::Send(exchange),
            None => Ask::Become(SubmitLost::ask_a_person(cx, NO_LIST)),
        }
    }

    pub(super) fn answered(self, cx: &mut Cx<'_>, reply: Reply) -> State {
        let answer = match reply {
            Ok(answer) => answer,
            Err(failure) => return self.again(cx, None, &failure.text),
        };
        match (answer.status, candidates(cx, &answer)) {
            (200, Some(found)) => self.found(cx, &found),
            (401 | 403, _) => {
                let text =
                    format!("The server answers {} to its list of jobs: it wants other credentials.", answer.status);
                Paused::stop(cx, PauseReason::Credentials, text, State::FindJob(self))
            }
            (status, _) => self.again(cx, Some(&answer), &format!("the list of jobs was answered {status}")),
        }
    }

    fn found(self, cx: &mut Cx<'_>, candidates: &Candidates) -> State {
        match &candidates.urls[..] {
            [] if self.looks + 1 < LOOKS => {
                let wait = list(cx).map_or(0, |list| list.settle_ms);
                State::FindJob(Self { looks: self.looks + 1, failures: 0, due: settled(cx, wait), ..self })
            }
            [] if cx.is_late() => SubmitLost::ask_a_person(
                cx,
                "The answer to the kick-off was lost, the server's list has no job of this import, and the deadline has \
                 passed. Resubmit, or adopt the job's status URL if it is there after all.",
            ),
            [] => {
                cx.tell(
                    EventKind::NotAccepted,
                    "the server's list has no job of this import: the kick-off is sent again",
                );
                State::Ready(Ready::once_more(cx, self.lost))
            }
            [url] if candidates.undated == 0 => AwaitStatus::found(cx, url),
            several => {
                let named: Vec<&str> = several.iter().take(NAMED).map(String::as_str).collect();
                let text = format!(
                    "The answer to the kick-off was lost, and the server lists {} jobs that can be this one's: {}. Look \
                     which it is, and adopt its status URL.",
                    several.len(),
                    named.join(", ")
                );
                SubmitLost::ask_a_person(cx, &text)
            }
        }
    }

    fn again(self, cx: &mut Cx<'_>, answer: Option<&Answer>, text: &str) -> State {
        cx.tell(EventKind::RequestFailed, text);
        if cx.is_late() {
            return SubmitLost::ask_a_person(
                cx,
                "The answer to the kick-off was lost, and until the deadline the server's list of jobs could not be read. \
                 Look at the server: if the job is there, adopt its status URL; if it is not, resubmit.",
            );
        }
        let failures = self.failures.saturating_add(1);
        State::FindJob(Self { failures, due: cx.back_off(answer, failures), ..self })
    }
}

/// The request for the server's list of jobs.
pub(super) fn read_list(cx: &Cx<'_>, keep: usize) -> Option<Exchange> {
    let list = list(cx)?;
    Some(Exchange::get(cx.job()?.url(&list.url).ok()?, &list.accept, keep))
}

fn list<'a>(cx: &'a Cx<'_>) -> Option<&'a JobList> {
    cx.dialect()?.recovery.list.as_ref()
}

fn settled(cx: &Cx<'_>, wait_ms: u64) -> Wake {
    let at_ms = cx.now_ms.saturating_add(wait_ms.max(crate::pace::FLOOR_MS));
    Wake { at_ms, reason: WakeReason::Settle, server_asked_ms: None }
}

/// What a list says of the jobs that can be ours.
struct Candidates {
    urls: Vec<String>,
    /// Some of them do not say when they were created.
    undated: usize,
}

/// The jobs that can be ours; none when the answer is no list.
fn candidates(cx: &Cx<'_>, answer: &Answer) -> Option<Candidates> {
    let list = list(cx)?;
    let since_ms = cx.progress.server_ms?;
    let source = list.import_source.as_ref().and_then(|path| Some((path, cx.job()?.source())));
    let body = answer.json()?;
    let created = |job: &Value| list.created.text(job).as_deref().and_then(instant::parse);
    let ours = |job: &&Value| {
        created(job).is_none_or(|at| at >= since_ms)
            && list.holds.as_ref().is_none_or(|condition| condition.fits(job))
            && source.as_ref().is_none_or(|(path, source)| path.text(job).as_ref() == Some(source))
    };
    let is_url = cx.dialect()?.poll.url.is_none();
    let is_handle = |text: &String| (1..=MAX_URL).contains(&text.len()) && (is_url || is_name(text));
    let handle = |job: &Value| list.handle.text(job).filter(is_handle);
    if list.more.as_ref().and_then(|path| path.text(&body)).is_some_and(|more| !more.is_empty()) {
        return None;
    }
    let listed = match list.jobs.find(&body) {
        None if list.without == WithoutJobs::NoJobs && body.is_object() => &[][..],
        jobs => jobs?.as_array()?,
    };
    let jobs: Vec<&Value> = listed.iter().filter(ours).collect();
    let undated = jobs.iter().filter(|job| created(job).is_none()).count();
    Some(Candidates { urls: jobs.into_iter().map(handle).collect::<Option<_>>()?, undated })
}

read_object!(FindJob { lost, looks, failures, due });
