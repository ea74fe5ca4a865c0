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
use crate::url::{self, MAX_URL, is_name};

/// How often a list without the job is believed only then.
const LOOKS: u32 = 2;
/// Candidates that are named; of more, it is only known that there are more.
const NAMED: usize = 2;
/// Pages of one list that are read.
const PAGES: u32 = 100;
/// The longest name of a page.
const PAGE_NAME: usize = 1024;

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
    /// The page of the list that is read next, by its name; the first one has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    page: Option<String>,
    /// Pages of this list that were read.
    pages: u32,
    /// What they say.
    found: Candidates,
}

/// The jobs of a list that can be ours.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
struct Candidates {
    /// Their status URLs or names: of the first ones.
    names: Vec<String>,
    /// Some of them do not say when they were created.
    undated: u32,
}

impl FindJob {
    /// Begins with a wait: the job may not be listed yet.
    pub fn enter(cx: &mut Cx<'_>, lost: u32) -> State {
        match list(cx).filter(|_| cx.progress.server_ms.is_some()) {
            Some(list) => State::FindJob(Self { lost, due: settled(cx, list.settle_ms), ..Self::default() }),
            None => SubmitLost::ask_a_person(cx, NO_LIST),
        }
    }

    /// When it is asked next.
    #[must_use]
    pub fn due(&self) -> &Wake {
        &self.due
    }

    pub(super) fn ask(&self, cx: &mut Cx<'_>) -> Ask {
        match read_page(cx, self.page.as_deref(), KEEP_DOCUMENT) {
            Some(exchange) => Ask::Send(exchange),
            None => Ask::Become(SubmitLost::ask_a_person(cx, NO_LIST)),
        }
    }

    pub(super) fn answered(self, cx: &mut Cx<'_>, reply: Reply) -> State {
        let answer = match reply {
            Ok(answer) => answer,
            Err(failure) => return self.again(cx, None, &failure.text),
        };
        match (answer.status, Page::read(cx, &answer)) {
            (200, Some(page)) => self.turned(cx, page),
            (401 | 403, _) => {
                let text =
                    format!("The server answers {} to its list of jobs: it wants other credentials.", answer.status);
                Paused::stop(cx, PauseReason::Credentials, text, State::FindJob(self))
            }
            (status, _) => self.again(cx, Some(&answer), &format!("the list of jobs was answered {status}")),
        }
    }

    /// What the list says is known when its last page is read.
    fn turned(mut self, cx: &mut Cx<'_>, page: Page) -> State {
        self.found.undated = self.found.undated.saturating_add(page.found.undated);
        self.found.names.extend(page.found.names);
        self.found.names.truncate(NAMED + 1);
        let pages = self.pages.saturating_add(1);
        let can_go_on = pages < PAGES && list(cx).is_some_and(|list| list.page.is_some());
        match page.more {
            None => self.all_read(cx),
            Some(more) if can_go_on && more.len() <= PAGE_NAME => {
                State::FindJob(Self { page: Some(more), pages, failures: 0, due: settled(cx, 0), ..self })
            }
            Some(_) => SubmitLost::ask_a_person(
                cx,
                "The answer to the kick-off was lost, and the server's list of jobs is longer than can be read. Look at the \
                 server: if the job is there, adopt its status URL; if it is not, resubmit.",
            ),
        }
    }

    fn all_read(self, cx: &mut Cx<'_>) -> State {
        match &self.found.names[..] {
            [] if self.looks + 1 < LOOKS => {
                let due = settled(cx, list(cx).map_or(0, |list| list.settle_ms));
                State::FindJob(Self { lost: self.lost, looks: self.looks + 1, due, ..Self::default() })
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
            [name] if self.found.undated == 0 => AwaitStatus::found(cx, name),
            several => {
                let (named, more) = several.split_at(several.len().min(NAMED));
                let (how_many, and_so_on) = if more.is_empty() { ("", "") } else { ("more than ", ", …") };
                let text = format!(
                    "The answer to the kick-off was lost, and the server lists {how_many}{} jobs that can be this one's: \
                     {}{and_so_on}. Look which it is, and adopt its status URL.",
                    named.len(),
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
    read_page(cx, None, keep)
}

fn read_page(cx: &Cx<'_>, page: Option<&str>, keep: usize) -> Option<Exchange> {
    let list = list(cx)?;
    let mut url = cx.job()?.url(&list.url).ok()?;
    if let Some((parameter, page)) = list.page.as_ref().zip(page) {
        url.push(if url.contains('?') { '&' } else { '?' });
        url.push_str(parameter);
        url.push('=');
        url::push_encoded(&mut url, page);
    }
    Some(Exchange::get(url, &list.accept, keep))
}

fn list<'a>(cx: &'a Cx<'_>) -> Option<&'a JobList> {
    cx.dialect()?.recovery.list.as_ref()
}

fn settled(cx: &Cx<'_>, wait_ms: u64) -> Wake {
    let at_ms = cx.now_ms.saturating_add(wait_ms.max(crate::pace::FLOOR_MS));
    Wake { at_ms, reason: WakeReason::Settle, server_asked_ms: None }
}

/// One page of a list of jobs.
struct Page {
    found: Candidates,
    /// The name of the next page.
    more: Option<String>,
}

impl Page {
    /// None, when the answer is no list.
    fn read(cx: &Cx<'_>, answer: &Answer) -> Option<Self> {
        let (list, body) = (list(cx)?, answer.json()?);
        let listed = match list.jobs.find(&body) {
            None if list.without == WithoutJobs::NoJobs && body.is_object() => &[][..],
            jobs => jobs?.as_array()?,
        };
        let more = list.more.as_ref().and_then(|path| path.text(&body)).filter(|more| !more.is_empty());
        Some(Self { found: Candidates::among(cx, list, listed)?, more })
    }
}

impl Candidates {
    /// None, when one of them has no name that can be kept.
    fn among(cx: &Cx<'_>, list: &JobList, listed: &[Value]) -> Option<Self> {
        let since_ms = cx.progress.server_ms?;
        let source = list.import_source.as_ref().and_then(|path| Some((path, cx.job()?.source())));
        let created = |job: &Value| list.created.text(job).as_deref().and_then(instant::parse);
        let is_ours = |job: &&Value| {
            created(job).is_none_or(|at| at >= since_ms)
                && list.holds.as_ref().is_none_or(|condition| condition.fits(job))
                && source.as_ref().is_none_or(|(path, source)| path.text(job).as_ref() == Some(source))
        };
        let is_url = cx.dialect()?.poll.url.is_none();
        let is_plain = |text: &String| text.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'"' | b'\\'));
        let can_be_kept = |text: &String| is_plain(text) && (is_url || is_name(text));
        let is_handle = |text: &String| (1..=MAX_URL).contains(&text.len()) && can_be_kept(text);
        let mut found = Self::default();
        for job in listed.iter().filter(is_ours) {
            found.undated = found.undated.saturating_add(u32::from(created(job).is_none()));
            found.names.push(list.handle.text(job).filter(is_handle)?);
        }
        Some(found)
    }
}

read_object!(FindJob { lost, looks, failures, due, page, pages = 0, found = Candidates::default() });
read_object!(Candidates { names, undated });
