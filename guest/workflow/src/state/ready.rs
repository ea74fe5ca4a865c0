//! The next kick-off can be sent: the one dangerous write.

use serde::Serialize;

use super::{Ask, AwaitStatus, Cx, Finished, LookBefore, Paused, Reply, State, SubmitLost, accepted};
use crate::dialect::{Dialect, Duplicate};
use crate::exchange::{Answer, Exchange, Failure, FailureKind, Head, KEEP_STATUS};
use crate::inputs;
use crate::json::read::{read_object, read_word};
use crate::outcome::Outcome;
use crate::progress::CLASSES;
use crate::report::Ending;
use crate::request::Purpose;
use crate::result;
use crate::settings;
use crate::state::ReadBackState;
use crate::transition::{EventKind, PauseReason, Wake};

/// How often a kick-off that provably was not accepted is tried before the server counts as unreachable.
const ATTEMPTS: u32 = 3;

/// The next kick-off can be sent.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Ready {
    failures: u32,
    due: Option<Wake>,
    earlier: Earlier,
}

/// What is known of the kick-offs of this job that were sent before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Earlier {
    /// None was accepted.
    #[default]
    NotAccepted,
    /// One may have been accepted.
    Unknown,
}

impl Ready {
    /// To be sent again, after as many answers were lost in a row.
    #[must_use]
    pub fn once_more(cx: &Cx<'_>, lost: u32) -> Self {
        Self { failures: lost, due: (lost > 0).then(|| cx.back_off(None, lost)), earlier: Earlier::Unknown }
    }

    /// To be sent for the first time; where jobs are told apart by their age, the server is asked for its time first.
    #[must_use]
    pub fn fresh(cx: &Cx<'_>) -> State {
        if cx.dialect().is_some_and(Dialect::tells_jobs_by_age) {
            return State::LookBefore(LookBefore::default());
        }
        State::Ready(Self::default())
    }

    /// No job can have come of a kick-off that was sent before.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.earlier == Earlier::NotAccepted
    }

    /// The dialect is known: is there anything to send, and would this server take it?
    pub fn enter(cx: &mut Cx<'_>) -> State {
        if cx.plan.purpose == Purpose::Verify {
            return ReadBackState::enter(cx, Ending::new(Outcome::Succeeded, "Read back.", ""));
        }
        let Some(dialect) = cx.dialect() else { return Self::fresh(cx) };
        match Self::problem(cx, dialect) {
            Some(ending) => Finished::end(cx, ending),
            None => {
                inputs::told(cx.plan, dialect).into_iter().for_each(|line| cx.tell(EventKind::InputsTold, line));
                Self::fresh(cx)
            }
        }
    }

    fn problem(cx: &Cx<'_>, dialect: &Dialect) -> Option<Ending> {
        let problem = settings::beside(inputs::problem(cx.plan, dialect), settings::problem(cx.plan, dialect));
        problem.or_else(|| {
            let lacking = cx.job()?.lacks()?;
            Some(settings::missing(dialect, &lacking))
        })
    }

    /// When it may be sent.
    #[must_use]
    pub fn due(&self) -> Option<&Wake> {
        self.due.as_ref()
    }

    /// `step` before a submit only ends a wait.
    pub(super) fn ask(&self) -> Ask {
        match &self.due {
            Some(_) => Ask::Become(State::Ready(Self { due: None, ..self.clone() })),
            None => Ask::Stay,
        }
    }

    /// The kick-off itself.
    pub fn kick_off(cx: &Cx<'_>) -> Option<Exchange> {
        let dialect = cx.dialect()?;
        let (rule, job) = (&dialect.kick_off, cx.job()?);
        let (url, body) = (job.url(&rule.url).ok()?, job.body(&rule.body).ok()?);
        let exchange = Exchange::post(url, &rule.content_type, &rule.accept, body);
        let exchange = exchange.with(rule.prefer.as_deref().map(|prefer| ("prefer", prefer)));
        let exchange = exchange.with(rule.headers.rows().map(|(name, value)| (name, value.as_str())));
        Some(Exchange { keep: KEEP_STATUS, head: Head::SaysAll, ..exchange })
    }

    /// What came of the kick-off.
    pub fn submitted(self, cx: &mut Cx<'_>, reply: Reply) -> State {
        match reply {
            Ok(answer) if self.is_clean() && may_say_duplicate(cx, &answer) && !cx.is_late() => {
                self.again(cx, Some(&answer), &format!("the server answered {}, and broke off", answer.status))
            }
            Ok(answer) if is_half_said(cx, &answer) => {
                let text = format!("the server answered {}, and broke off before it said why", answer.status);
                SubmitLost::enter(cx, self.failures.saturating_add(1), &text)
            }
            Ok(answer) => self.accepted_or_not(cx, &answer),
            Err(failure) if failure.kind.nothing_sent() => self.not_sent(cx, &failure),
            Err(failure) => SubmitLost::enter(cx, self.failures.saturating_add(1), &failure.text),
        }
    }

    /// Whether a server that cannot be reached is given up: once something is imported, not before the deadline.
    pub(super) fn is_given_up(cx: &Cx<'_>, failures: u32) -> bool {
        if cx.progress.nothing_stored() { failures >= ATTEMPTS } else { cx.is_late() }
    }

    fn not_sent(self, cx: &mut Cx<'_>, failure: &Failure) -> State {
        let is_given_up = match self.earlier {
            Earlier::NotAccepted => Self::is_given_up(cx, self.failures.saturating_add(1)),
            Earlier::Unknown => cx.is_late(),
        };
        if failure.kind != FailureKind::Unreachable || is_given_up {
            return self.over(cx, Finished::unreachable(failure));
        }
        self.again(cx, None, &failure.text)
    }

    fn again(self, cx: &mut Cx<'_>, answer: Option<&Answer>, text: &str) -> State {
        let failures = self.failures.saturating_add(1);
        cx.tell(EventKind::NotAccepted, text);
        let wake = cx.back_off(answer, failures);
        State::Ready(Self { failures, due: Some(wake), ..self })
    }

    fn accepted_or_not(self, cx: &mut Cx<'_>, answer: &Answer) -> State {
        if let Some(rule) = duplicate(cx, answer) {
            return self.known_already(cx, rule);
        }
        match answer.status {
            _ if is_accepted(cx, answer) => accepted::enter(cx, answer, self.failures.saturating_add(1)),
            status if is_busy(cx, answer) && cx.is_late() => {
                let text = format!("The server was busy until the deadline: it answers {status} to the kick-off.");
                self.over(cx, Ending::new(Outcome::Refused, text, "No import was started. Run again later."))
            }
            status if is_busy(cx, answer) => {
                self.again(cx, Some(answer), &format!("the server is busy: it answered {status}"))
            }
            401 | 403 => {
                let text = format!("The server answers {} to the kick-off: it wants other credentials.", answer.status);
                Paused::stop(cx, PauseReason::Credentials, text, State::Ready(Self { due: None, ..self }))
            }
            301 | 307 | 308 => {
                let text = format!("The server answers {} to the kick-off: it is to be sent elsewhere.", answer.status);
                let advice = "No import was started. Give the URL to which the server redirects.";
                self.over(cx, Ending::new(Outcome::Refused, text, advice))
            }
            400..=499 | 501 => {
                let ending = refused(cx, answer);
                self.over(cx, ending)
            }
            status => {
                let text = format!("the server answered {status}, which says neither yes nor no");
                SubmitLost::enter(cx, self.failures.saturating_add(1), &text)
            }
        }
    }

    /// The server has a job with this key: ours, where an earlier kick-off may have been accepted and the key is ours.
    fn known_already(self, cx: &mut Cx<'_>, rule: &Duplicate) -> State {
        match (self.earlier, carries_our_key(cx)) {
            (Earlier::NotAccepted, _) => {
                let text = "The server answered the first kick-off that it has a job with this key already: it is not of \
                            this import, and nothing was imported for this one. If that job is as good, adopt it; to have \
                            the files imported once more, give up and run again with another key.";
                Paused::stop(cx, PauseReason::NotOurJob, text, State::Ready(Self { due: None, ..self }))
            }
            (Earlier::Unknown, true) => {
                let handle = rule.handle.as_ref().and_then(|handle| cx.job()?.url(handle).ok());
                AwaitStatus::known_already(cx, handle.as_deref())
            }
            (Earlier::Unknown, false) => SubmitLost::ask_a_person(
                cx,
                "The answer to the kick-off was lost, and the server has a job with its key. The key was set by hand, so \
                 that the job can be of an earlier import. Look at the server: if the job is of this one, adopt its \
                 status URL; if it is not, give up and run again with another key.",
            ),
        }
    }

    /// No job comes of this kick-off: the end, unless there are jobs of earlier ones, or may be.
    pub(super) fn over(self, cx: &mut Cx<'_>, ending: Ending) -> State {
        if self.earlier == Earlier::Unknown {
            let text = format!(
                "{} But a kick-off that was sent before may have been accepted. Look at the server: if the job is there, \
                 adopt its status URL; if it is not, resubmit.",
                ending.sentence
            );
            return SubmitLost::ask_a_person(cx, &text);
        }
        if cx.progress.nothing_stored() {
            return Finished::end(cx, ending);
        }
        let next =
            if cx.progress.uploaded == 0 { "the next one could not be started" } else { "the next one stopped midway" };
        let sentence = format!("{} jobs ended, and {next}. {}", cx.jobs_of_all(), ending.sentence);
        let advice = "A part of the files is imported. Mend the cause, then run again: resources with an id are replaced, \
                      not doubled.";
        ReadBackState::enter(cx, Ending::new(Outcome::Failed, sentence, advice))
    }
}

/// A refusal whose body is a result is one: of files whose every line was refused.
fn is_accepted(cx: &Cx<'_>, answer: &Answer) -> bool {
    let Some(dialect) = cx.dialect().filter(|d| d.kick_off.accepted.contains(&answer.status)) else { return false };
    answer.status < 400 || result::read(&dialect.result, answer, cx.plan, &mut cx.progress.tally.clone()).is_some()
}

/// A 503 of the server's own, or one that says when to come again, is a refusal. Of another one nobody knows: a proxy
/// says it too when it lost the server behind it after the kick-off had been passed on.
fn is_busy(cx: &Cx<'_>, answer: &Answer) -> bool {
    let text = cx.dialect().and_then(|d| d.kick_off.busy.as_ref()).filter(|_| answer.status >= 400);
    let is_meant = || answer.header("retry-after").is_some() || answer.resource("OperationOutcome").is_some();
    answer.status == 429 || (answer.status == 503 && is_meant()) || text.is_some_and(|text| answer.says(text))
}

/// How the server says that it has a job with the key of this kick-off already.
fn duplicate<'a>(cx: &Cx<'a>, answer: &Answer) -> Option<&'a Duplicate> {
    let rule = cx.dialect()?.recovery.duplicate.as_ref()?;
    let said = rule.texts.is_empty() || rule.texts.iter().any(|text| answer.says(text));
    (said && rule.statuses.contains(&answer.status)).then_some(rule)
}

/// A setting can stand where the dialect has our key.
fn carries_our_key(cx: &Cx<'_>) -> bool {
    let sent = Ready::kick_off(cx).zip(cx.job().map(|job| job.id()));
    sent.is_some_and(|(sent, key)| sent.url.contains(&key) || sent.body.is_some_and(|body| body.contains(&key)))
}

/// It may be how the server says that it knows the key, and the part that says so did not arrive. A first kick-off was
/// not accepted then, whichever it is.
fn may_say_duplicate(cx: &Cx<'_>, answer: &Answer) -> bool {
    let rule = cx.dialect().and_then(|dialect| dialect.recovery.duplicate.as_ref()).filter(|_| answer.cut);
    rule.is_some_and(|rule| rule.statuses.contains(&answer.status)) && duplicate(cx, answer).is_none()
}

/// Or how it says that every line was refused.
fn is_half_said(cx: &Cx<'_>, answer: &Answer) -> bool {
    let may_be_result = |dialect: &Dialect| answer.status >= 400 && dialect.kick_off.accepted.contains(&answer.status);
    may_say_duplicate(cx, answer) || answer.cut && cx.dialect().is_some_and(may_be_result)
}

fn refused(cx: &Cx<'_>, answer: &Answer) -> Ending {
    let said = words(answer);
    let switched_off = cx.dialect().and_then(|d| d.detect.switched_off.as_ref());
    match switched_off.filter(|rule| answer.says(&rule.refusal)) {
        Some(rule) => {
            Ending::new(Outcome::Unsupported, "Bulk import is switched off on this server.", rule.advice.as_str())
        }
        None if matches!(answer.status, 404 | 405 | 501) => Ending::new(
            Outcome::Unsupported,
            format!("The server answers {} to the kick-off: it has no such operation. {said}", answer.status),
            "Check the base URL, and whether the dialect is the right one (`fhir-import detect URL`).",
        ),
        None => Ending::new(
            Outcome::Refused,
            format!("The server refused the kick-off with {}. {said}", answer.status),
            "No import was started. Mend what the server names, then run again.",
        ),
    }
}

/// What the server said, classes of messages only.
fn words(answer: &Answer) -> String {
    let Some(outcome) = answer.resource("OperationOutcome") else { return String::new() };
    let classes = fhir_import_records::classify(&outcome, CLASSES);
    let texts: Vec<&str> = classes.iter().map(|c| c.text.as_str()).filter(|t| !t.is_empty()).collect();
    if texts.is_empty() { String::new() } else { format!("It says: {}", texts.join("; ")) }
}

read_object!(Ready { failures, due, earlier = Earlier::NotAccepted });
read_word!(Earlier { NotAccepted = "not-accepted", Unknown = "unknown" });
