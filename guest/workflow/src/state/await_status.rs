//! A job was accepted, and its status is asked for. A poll that failed is not a job that failed.

use serde::Serialize;

use super::job_over::failed;
use super::job_request::placed;
use super::{Cx, Finished, Paused, ReadResult, Reply, State, accepted};
use crate::dialect::{JobState, ResultShape};
use crate::excerpt::excerpt;
use crate::exchange::{Answer, Failure, FailureKind};
use crate::instant;
use crate::json::read::{read_object, read_word};
use crate::pace;
use crate::poll::{Meaning, classify, percent};
use crate::result::{self, Offered};
use crate::text::clip;
use crate::transition::{EventKind, PauseReason, Wake, WakeReason};
use crate::url::{MAX_URL, redact};

/// Answers in a row that make no sense before a person is asked.
const SENSELESS: u32 = 5;

/// The server's words about progress that are kept.
const WORDS: usize = 300;

/// A job was accepted, and its status is asked for.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct AwaitStatus {
    /// The status URL, or the server's name for the job; none while it is not told.
    #[serde(skip_serializing_if = "Option::is_none")]
    handle: Option<String>,
    due: Wake,
    /// The wait that the last answer about the job led to: a failed poll is not made again sooner.
    healthy_ms: u64,
    /// Polls of this job that said it runs.
    running: u32,
    /// Requests in a row that failed.
    failures: u32,
    /// Answers in a row that made no sense.
    senseless: u32,
    /// What the last answers said, which more of them must confirm.
    doubt: Option<Doubt>,
    starter: Starter,
}

/// Who started a job. One that we did not start is nobody's to cancel but theirs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Starter {
    /// A kick-off of this import.
    #[default]
    Us,
    /// Perhaps somebody else: the server hands out the same job for the same bytes, or it was found in a list.
    Perhaps,
    /// A person says that this is the job.
    Adopted,
}

/// Whether a job can be of this import.
enum Age {
    Ours,
    Older,
    Unknown,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize)]
struct Doubt {
    means: JobState,
    seen: u32,
    /// What was said before that.
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<JobState>,
}

impl AwaitStatus {
    /// A kick-off was accepted, and another request says where the status is.
    pub fn unnamed(cx: &mut Cx<'_>, starter: Starter) -> State {
        (cx.progress.words, cx.progress.percent) = (None, None);
        let due = pace::soon(cx.now_ms);
        Self::new(None, due, cx.now_ms, starter).waits(cx)
    }

    /// The server knows our key: an earlier kick-off was accepted, and this is the handle of its job, if it has one.
    pub fn known_already(cx: &mut Cx<'_>, handle: Option<&str>) -> State {
        cx.progress.accepted_ms = Some(cx.now_ms);
        let place = handle.map_or(String::new(), |handle| format!("; the status of its job is at {}", redact(handle)));
        cx.tell(EventKind::Accepted, format!("the server has accepted this kick-off before{place}"));
        match handle {
            Some(handle) => Self::soon_at(cx, handle, Starter::Us),
            None => Self::unnamed(cx, Starter::Us),
        }
    }

    /// The job was found in the server's list.
    pub fn found(cx: &mut Cx<'_>, reference: &str) -> State {
        cx.progress.accepted_ms = Some(cx.now_ms);
        let text = format!("the server lists one job since the kick-off; its status is at {}", redact(reference));
        cx.tell(EventKind::Accepted, text);
        Self::soon_at(cx, reference, Starter::Perhaps)
    }

    /// A person says where the job is; where the server says nothing more of it, that it is there.
    pub fn adopt(cx: &mut Cx<'_>, url: &str) -> State {
        if cx.says_nothing_more() {
            return accepted::nothing_more(cx);
        }
        Self::soon_at(cx, url, Starter::Adopted)
    }

    fn soon_at(cx: &mut Cx<'_>, reference: &str, starter: Starter) -> State {
        let soon = pace::soon(cx.now_ms);
        Self::at(cx, reference, soon, starter)
    }

    /// The job is at a status URL, or has a name.
    pub(super) fn at(cx: &mut Cx<'_>, reference: &str, due: Wake, starter: Starter) -> State {
        // What the job before this one said of its progress is over.
        (cx.progress.words, cx.progress.percent) = (None, None);
        let handle = placed(cx, reference);
        Self::new(Some(handle), due, cx.now_ms, starter).waits(cx)
    }

    fn new(handle: Option<String>, due: Wake, now_ms: u64, starter: Starter) -> Self {
        let healthy_ms = due.at_ms.saturating_sub(now_ms);
        Self { handle, due, healthy_ms, running: 0, failures: 0, senseless: 0, doubt: None, starter }
    }

    /// The status URL, or the server's name for the job.
    #[must_use]
    pub fn handle(&self) -> Option<&str> {
        self.handle.as_deref()
    }

    /// Takes the status URL from an answer that tells it.
    pub(super) fn learn_handle(&mut self, cx: &mut Cx<'_>, answer: &Answer) {
        let told = answer.header("content-location").filter(|url| (1..=MAX_URL).contains(&url.len()));
        if let Some(reference) = told.filter(|_| self.handle.is_none()) {
            cx.tell(EventKind::Accepted, format!("the status of the job is at {reference}"));
            self.handle = Some(placed(cx, reference));
        }
    }

    /// The same, for people.
    fn shown(&self) -> String {
        self.handle.as_deref().map_or_else(|| "no status URL yet".to_owned(), redact)
    }

    /// Who started it.
    #[must_use]
    pub fn starter(&self) -> Starter {
        self.starter
    }

    /// When it is asked next.
    #[must_use]
    pub fn due(&self) -> &Wake {
        &self.due
    }

    /// The same job, to be asked as soon as is polite.
    #[must_use]
    pub fn soon(self, now_ms: u64) -> Self {
        Self { due: pace::soon(now_ms), ..self }
    }

    /// The same job, to be asked when it was to be asked, but not at once.
    #[must_use]
    pub fn no_sooner(self, now_ms: u64) -> Self {
        let due = pace::no_sooner(self.due, pace::soon(now_ms).at_ms);
        Self { due, ..self }
    }

    pub(super) fn answered(self, cx: &mut Cx<'_>, reply: Reply) -> State {
        cx.progress.polls = cx.progress.polls.saturating_add(1);
        let answer = match reply {
            Ok(answer) => answer,
            Err(failure) => return self.unanswered(cx, &failure),
        };
        let Some(dialect) = cx.dialect() else { return State::AwaitStatus(self) };
        match classify(&dialect.poll, &answer) {
            Meaning::Job(JobState::Running, _) => self.running(cx, &answer),
            Meaning::Job(means, confirm) => self.terminal(cx, &answer, means, confirm),
            Meaning::Busy | Meaning::Broken => {
                let half = if answer.cut { ", and broke off" } else { "" };
                let text = format!("a status request was answered {}{half}: the job is not spoken of", answer.status);
                Self { senseless: 0, ..self }.again(cx, Some(&answer), &text)
            }
            Meaning::Credentials => {
                let text =
                    format!("The server answers {} to a status request: it wants other credentials.", answer.status);
                let back = State::AwaitStatus(self.soon(cx.now_ms));
                Paused::stop(cx, PauseReason::Credentials, text, back)
            }
            Meaning::Elsewhere => self.elsewhere(cx, &answer),
            Meaning::Senseless => self.senseless(cx, &answer),
        }
    }

    /// As often in a row as answers may make no sense: a server that sends in a circle makes none.
    fn elsewhere(self, cx: &mut Cx<'_>, answer: &Answer) -> State {
        let named = cx.dialect().is_some_and(|d| d.poll.url.is_some());
        let place = answer.header("location").filter(|url| (1..=MAX_URL).contains(&url.len()) && !named);
        let Some(reference) = place.filter(|_| self.senseless.saturating_add(1) < SENSELESS) else {
            return self.senseless(cx, answer);
        };
        cx.tell(EventKind::StatusProgress, format!("the server sends on to {}", redact(reference)));
        let handle = Some(placed(cx, reference));
        let senseless = self.senseless.saturating_add(1);
        Self { handle, senseless, ..self }.soon(cx.now_ms).unless_late(cx)
    }

    fn unanswered(self, cx: &mut Cx<'_>, failure: &Failure) -> State {
        if failure.kind == FailureKind::Denied {
            let text = format!(
                "The server names a status URL that is not allowed: {}. If it is right, allow its origin.",
                self.shown()
            );
            let back = State::AwaitStatus(self.soon(cx.now_ms));
            return Paused::stop(cx, PauseReason::UntrustedStatusUrl, text, back);
        }
        self.again(cx, None, &failure.text)
    }

    fn running(mut self, cx: &mut Cx<'_>, answer: &Answer) -> State {
        self.note_progress(cx, answer);
        self.learn_handle(cx, answer);
        let due = pace::poll(answer, self.running, cx.now_ms, cx.plan.policy.poll_max_ms);
        let running = self.running.saturating_add(1);
        let healthy_ms = due.at_ms.saturating_sub(cx.now_ms);
        Self { due, healthy_ms, running, failures: 0, senseless: 0, doubt: None, ..self }.unless_late(cx)
    }

    fn note_progress(&self, cx: &mut Cx<'_>, answer: &Answer) {
        let words: Option<String> = answer.header("x-progress").map(|words| clip(words, WORDS));
        cx.progress.percent = words.as_deref().and_then(percent).or(cx.progress.percent);
        if let Some(words) = words {
            cx.tell(EventKind::StatusProgress, words.clone());
            cx.progress.words = Some(words);
        }
    }

    fn again(self, cx: &mut Cx<'_>, answer: Option<&Answer>, text: &str) -> State {
        cx.tell(EventKind::RequestFailed, text);
        let failures = self.failures.saturating_add(1);
        let due = self.back_off(cx, answer, failures);
        Self { due, failures, ..self }.unless_late(cx)
    }

    /// The wait before it is asked again: never shorter than that of a job that runs.
    fn back_off(&self, cx: &Cx<'_>, answer: Option<&Answer>, times: u32) -> Wake {
        pace::no_sooner(cx.back_off(answer, times), cx.now_ms.saturating_add(self.healthy_ms))
    }

    fn senseless(self, cx: &mut Cx<'_>, answer: &Answer) -> State {
        let senseless = self.senseless.saturating_add(1);
        let text = format!("a status request was answered {} with something that makes no sense", answer.status);
        if senseless < SENSELESS {
            return Self { senseless, ..self }.again(cx, Some(answer), &text);
        }
        let asked = self.ask(cx).shown().unwrap_or_else(|| self.shown());
        let text = format!(
            "The server answered {SENSELESS} status requests in a row with something that makes no sense; the last one, \
             {asked}, with {}. The job may still be running.",
            excerpt(answer)
        );
        let back = State::AwaitStatus(Self { senseless: 0, ..self }.soon(cx.now_ms));
        Paused::stop(cx, PauseReason::AnswerNotUnderstood, text, back)
    }

    /// The last poll is made at the deadline, not before it.
    fn unless_late(self, cx: &mut Cx<'_>) -> State {
        if !cx.is_late() {
            return self.waits(cx);
        }
        let back = State::AwaitStatus(self.soon(cx.now_ms));
        let text =
            "The deadline has passed, and the job has not ended: gave up waiting, which does not mean that it failed.";
        Paused::stop(cx, PauseReason::Deadline, text, back)
    }

    fn waits(self, cx: &mut Cx<'_>) -> State {
        let last = cx.progress.deadline_at_ms.max(cx.now_ms.saturating_add(pace::FLOOR_MS));
        let due = Wake { at_ms: self.due.at_ms.min(last), ..self.due };
        tell_limited(cx, &due);
        State::AwaitStatus(Self { due, ..self })
    }

    fn terminal(self, cx: &mut Cx<'_>, answer: &Answer, means: JobState, confirm: u32) -> State {
        let same = self.doubt.as_ref().filter(|d| d.means == means);
        let seen = same.map_or(0, |d| d.seen).saturating_add(1);
        let before = same.map_or_else(|| self.doubt.as_ref().map(|d| d.means), |d| d.before);
        if seen <= confirm {
            cx.tell(EventKind::RequestFailed, format!("status {}: asked again to be sure", answer.status));
            let due = Wake { reason: WakeReason::Poll, ..self.back_off(cx, None, seen) };
            let doubt = Some(Doubt { means, seen, before });
            let asked_again = Self { due, doubt, failures: 0, senseless: 0, ..self };
            // A server that says now this and now that is not waited for beyond the deadline.
            let wavers = seen == 1 && before.is_some();
            return if wavers { asked_again.unless_late(cx) } else { State::AwaitStatus(asked_again) };
        }
        match means {
            JobState::Running | JobState::Busy | JobState::Credentials => State::AwaitStatus(self),
            JobState::Ended => self.ended(cx, answer),
            JobState::Failed => match self.age(cx, answer) {
                Age::Older => self.not_ours(cx),
                Age::Ours | Age::Unknown => failed(cx, answer, self.starter),
            },
            JobState::Cancelled => match self.age(cx, answer) {
                Age::Older => self.not_ours(cx),
                Age::Unknown => self.of_unknown_age(cx),
                Age::Ours => Finished::cancelled(cx, "The server says that the job was cancelled."),
            },
            JobState::Unknown => {
                let text = match before {
                    Some(JobState::Ended | JobState::Failed) => {
                        "The server said that the job is over, and forgot it before that could be confirmed: its result is \
                         lost."
                    }
                    _ => "The server does not know the job any more, and it was not seen to end.",
                };
                let back = State::AwaitStatus(self.soon(cx.now_ms));
                Paused::stop(cx, PauseReason::JobLost, text, back)
            }
        }
    }

    /// The end of a job that was there before this import is not the end of this import.
    fn age(&self, cx: &Cx<'_>, answer: &Answer) -> Age {
        let member = cx.dialect().and_then(|d| d.result.created.as_ref()).filter(|_| self.starter != Starter::Adopted);
        let Some(member) = member else { return Age::Ours };
        let created = answer.json().and_then(|body| instant::parse(&member.text(&body)?));
        match created.zip(cx.progress.server_ms) {
            Some((created, since)) if created < since => Age::Older,
            Some(_) => Age::Ours,
            None => Age::Unknown,
        }
    }

    fn of_unknown_age(self, cx: &mut Cx<'_>) -> State {
        let text = format!(
            "The kick-off led to a job that has ended ({}), and nobody can tell whether it is of this import or of before: \
             the server did not say when it was created, or what its time was. If it is of this import, or as good, adopt it.",
            self.shown()
        );
        Paused::stop(cx, PauseReason::SubmitUnknown, text, State::AwaitStatus(self.soon(cx.now_ms)))
    }

    fn not_ours(self, cx: &mut Cx<'_>) -> State {
        let text = format!(
            "The server answered the kick-off with a job that is older than this import ({}): nothing was imported for this one. If that job is as good, adopt it; to have the files imported once \
             more, give up and change what is sent, for example with --set input-source=TEXT.",
            self.shown()
        );
        Paused::stop(cx, PauseReason::NotOurJob, text, State::AwaitStatus(self.soon(cx.now_ms)))
    }

    fn ended(self, cx: &mut Cx<'_>, answer: &Answer) -> State {
        let Some(dialect) = cx.dialect() else { return State::AwaitStatus(self) };
        if let Some(url) = dialect.result.url.as_ref().and_then(|url| self.job(cx)?.url(url).ok()) {
            cx.tell(EventKind::StatusComplete, "the server says that the job ended");
            return ReadResult::enter(cx, self, &url);
        }
        let mut tally = cx.progress.tally.clone();
        let mut offered = result::read(&dialect.result, answer, cx.plan, &mut tally);
        if offered.is_none() && dialect.result.shape == ResultShape::Members {
            // The rule looked into the body to say that it ended: one that counts nothing is the result all the same.
            tally.add_silence();
            offered = Some(Offered::default());
        }
        let Some(offered) = offered else { return self.senseless(cx, answer) };
        match self.age(cx, answer) {
            Age::Ours => {}
            Age::Older => return self.not_ours(cx),
            Age::Unknown => return self.of_unknown_age(cx),
        }
        cx.tell(EventKind::StatusComplete, "the server says that the job ended");
        cx.progress.tally = tally;
        cx.progress.percent = Some(100.0);
        ReadResult::read_first(cx, self, offered)
    }
}

fn tell_limited(cx: &mut Cx<'_>, due: &Wake) {
    let wait = due.at_ms.saturating_sub(cx.now_ms);
    if let Some(asked) = due.server_asked_ms.filter(|asked| *asked != wait) {
        let text = format!("the server asks to wait {} s; waiting {} s", asked / 1000, wait / 1000);
        cx.tell(EventKind::WaitLimited, text);
    }
}

read_object!(AwaitStatus {
    handle, due, healthy_ms = 0, running, failures, senseless, doubt, starter = Starter::Us
});
read_word!(Starter { Us = "us", Perhaps = "perhaps", Adopted = "adopted" });
read_object!(Doubt { means, seen, before });
