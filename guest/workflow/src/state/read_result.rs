//! The job ended, and its result, or a further page of it, is asked for.

use serde::Serialize;

use super::job_over::job_over;
use super::{Ask, AwaitStatus, Cx, Paused, ReadErrors, Reply, State, read_errors};
use crate::excerpt::excerpt;
use crate::exchange::{Answer, Exchange, KEEP_DOCUMENT};
use crate::json::read::read_object;
use crate::result::{self, ErrorFile, Offered};
use crate::transition::{EventKind, PauseReason, Wake};
use crate::url::{MAX_URL, Place, redact};

/// Pages that are read; a server that links to itself has no end.
const MAX_PAGES: u32 = 1_000;

/// The result of a job is read.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ReadResult {
    job: AwaitStatus,
    url: String,
    pages: u32,
    /// Error files of the pages so far.
    files: Vec<ErrorFile>,
    failures: u32,
    due: Option<Wake>,
}

impl ReadResult {
    /// The result, or its next page, is at a URL.
    pub fn enter(cx: &mut Cx<'_>, job: AwaitStatus, reference: &str) -> State {
        Self { job, ..Self::default() }.at(cx, reference)
    }

    /// A first page was read.
    pub fn read_first(cx: &mut Cx<'_>, job: AwaitStatus, offered: Offered) -> State {
        Self { job, ..Self::default() }.goes_on(cx, offered)
    }

    /// The job.
    #[must_use]
    pub fn job(&self) -> &AwaitStatus {
        &self.job
    }

    /// When it goes on.
    #[must_use]
    pub fn due(&self) -> Option<&Wake> {
        self.due.as_ref()
    }

    pub(super) fn ask(&self, cx: &Cx<'_>) -> Ask {
        let accept = cx.dialect().map_or("application/json", |d| d.poll.accept.as_str());
        Ask::Send(Exchange::get(self.url.clone(), accept, KEEP_DOCUMENT))
    }

    pub(super) fn answered(self, cx: &mut Cx<'_>, reply: Reply) -> State {
        let answer = match reply {
            Ok(answer) => answer,
            Err(failure) => return self.again(cx, None, &failure.text),
        };
        match answer.status {
            200 => self.read(cx, &answer),
            401 | 403 => {
                let text = format!("The server answers {} to a request for the result.", answer.status);
                Paused::stop(cx, PauseReason::Credentials, text, State::ReadResult(self.rested()))
            }
            404 | 410 => {
                let text = "The job ended, and the server does not have its result any more.";
                Paused::stop(cx, PauseReason::JobLost, text, State::ReadResult(self.rested()))
            }
            status @ (408 | 425 | 429 | 500..) => {
                self.again(cx, Some(&answer), &format!("the request for the result was answered {status}"))
            }
            _ => self.senseless(cx, &answer),
        }
    }

    fn senseless(self, cx: &mut Cx<'_>, answer: &Answer) -> State {
        let asked = redact(&self.url);
        let text = format!(
            "The job ended, but what the server gives as its result (GET {asked}) is none: {}.",
            excerpt(answer)
        );
        Paused::stop(cx, PauseReason::AnswerNotUnderstood, text, State::ReadResult(self.rested()))
    }

    fn read(self, cx: &mut Cx<'_>, answer: &Answer) -> State {
        let Some(dialect) = cx.dialect() else { return State::ReadResult(self) };
        let mut tally = cx.progress.tally.clone();
        match result::read(&dialect.result, answer, cx.plan, &mut tally) {
            Some(offered) => {
                cx.progress.tally = tally;
                self.goes_on(cx, offered)
            }
            None => self.senseless(cx, answer),
        }
    }

    fn goes_on(mut self, cx: &mut Cx<'_>, offered: Offered) -> State {
        self.files.extend(offered.files);
        self.files = read_errors::keep(cx, self.files);
        match offered.next {
            Some(next) if self.pages < MAX_PAGES => self.at(cx, &next),
            Some(_) => {
                let text = format!("The result has more than {MAX_PAGES} pages.");
                Paused::stop(cx, PauseReason::AnswerNotUnderstood, text, State::ReadResult(self.rested()))
            }
            None if self.files.is_empty() => job_over(cx),
            None => ReadErrors::enter(cx, self.files),
        }
    }

    fn at(self, cx: &mut Cx<'_>, reference: &str) -> State {
        if reference.len() > MAX_URL {
            let text = "The server's URL of the result is too long to be kept.";
            return Paused::stop(cx, PauseReason::AnswerNotUnderstood, text, State::ReadResult(self.rested()));
        }
        let url = match cx.plan.base().place(reference) {
            Place::SameOrigin(url) | Place::Foreign(url) | Place::Rebased(url) => url,
        };
        State::ReadResult(Self { url, pages: self.pages.saturating_add(1), failures: 0, due: None, ..self })
    }

    fn again(self, cx: &mut Cx<'_>, answer: Option<&Answer>, text: &str) -> State {
        cx.tell(EventKind::RequestFailed, text);
        if cx.is_late() {
            let text = "The deadline has passed; the job ended, and its result could not be read.";
            return Paused::stop(cx, PauseReason::Deadline, text, State::ReadResult(self.rested()));
        }
        let failures = self.failures.saturating_add(1);
        let due = Some(cx.back_off(answer, failures));
        State::ReadResult(Self { failures, due, ..self })
    }

    /// To be asked at once when it goes on.
    fn rested(self) -> Self {
        Self { failures: 0, due: None, ..self }
    }
}

read_object!(ReadResult { job, url, pages, files, failures, due });
