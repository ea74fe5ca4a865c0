//! Samples and counts are read back: what a server calls success is checked.

use fhir_import_records::fingerprint;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Ask, Cx, Finished, Reply, State};
use crate::exchange::{Answer, Exchange, Failure, KEEP_DOCUMENT, KEEP_STATUS};
use crate::outcome::Outcome;
use crate::pace;
use crate::report::{Ending, Verdict};
use crate::request::Expected;
use crate::transition::{EventKind, Wake, WakeReason};

const ACCEPT: &str = "application/fhir+json";

/// How often a read that was not answered is made.
const ATTEMPTS: u32 = 3;

/// Samples and counts are read back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ReadBackState {
    /// What the job itself said.
    ending: Ending,
    what: Reading,
    /// Rounds over the missing ones so far.
    rounds: u32,
    failures: u32,
    due: Option<Wake>,
}

/// What is read next.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Reading {
    /// The sample at this place of the plan.
    Sample(u32),
    /// The missing sample at this place of the list, again.
    Missing(u32),
    /// The count of the type at this place of the plan.
    Count(u32),
}

impl ReadBackState {
    /// Starts with the first sample.
    pub fn enter(cx: &mut Cx<'_>, ending: Ending) -> State {
        Self { ending, what: Reading::Sample(0), rounds: 0, failures: 0, due: None }.unless_done(cx)
    }

    /// When it goes on.
    #[must_use]
    pub fn due(&self) -> Option<&Wake> {
        self.due.as_ref()
    }

    pub(super) fn ask(&self, cx: &mut Cx<'_>) -> Ask {
        if !cx.is_due(self.due.as_ref()) {
            return Ask::Stay;
        }
        match self.url(cx) {
            Some(url) => Ask::Send(url),
            None => Ask::Become(self.clone().finish(cx)),
        }
    }

    fn url(&self, cx: &Cx<'_>) -> Option<Exchange> {
        let base = cx.plan.base();
        if let Some(reference) = self.sample(cx).map(|i| &cx.plan.samples[i as usize].reference) {
            return Some(Exchange::get(base.join(reference), ACCEPT, KEEP_DOCUMENT));
        }
        let kind = &self.expected(cx)?.resource_type;
        Some(Exchange::get(base.join(&format!("{kind}?_summary=count")), ACCEPT, KEEP_STATUS))
    }

    /// The place in the plan of the sample that is read.
    fn sample(&self, cx: &Cx<'_>) -> Option<u32> {
        let place = match self.what {
            Reading::Sample(i) => Some(i),
            Reading::Missing(i) => cx.progress.read_back.missing.get(i as usize).copied(),
            Reading::Count(_) => None,
        };
        place.filter(|i| (*i as usize) < cx.plan.samples.len())
    }

    fn expected<'a>(&self, cx: &Cx<'a>) -> Option<&'a Expected> {
        match self.what {
            Reading::Count(i) => cx.plan.expected.get(i as usize),
            Reading::Sample(_) | Reading::Missing(_) => None,
        }
    }

    pub(super) fn answered(self, cx: &mut Cx<'_>, reply: Reply) -> State {
        match reply {
            Ok(answer) if matches!(answer.status, 401 | 403) => {
                self.stop(cx, format!("the server refuses to be read ({})", answer.status))
            }
            Ok(answer) if matches!(answer.status, 429 | 500..) => self.again(cx, Some(&answer), "the server is busy"),
            Ok(answer) => self.read(cx, &answer),
            Err(Failure { text, .. }) => self.again(cx, None, &text),
        }
    }

    fn stop(self, cx: &mut Cx<'_>, why: String) -> State {
        cx.progress.read_back.stopped = Some(why);
        self.finish(cx)
    }

    fn again(self, cx: &mut Cx<'_>, answer: Option<&Answer>, why: &str) -> State {
        let failures = self.failures + 1;
        if failures >= ATTEMPTS {
            return self.stop(cx, why.to_owned());
        }
        let wake = pace::back_off(answer, failures, cx.now_ms, cx.progress.deadline_at_ms, pace::seed(&cx.plan.id));
        State::ReadBack(Self { failures, due: Some(wake), ..self })
    }

    fn read(self, cx: &mut Cx<'_>, answer: &Answer) -> State {
        match self.what {
            Reading::Sample(i) => self.sample_read(cx, answer, i),
            Reading::Missing(at) => self.missing_read(cx, answer, at),
            Reading::Count(i) => self.count_read(cx, answer, i),
        }
    }

    fn sample_read(self, cx: &mut Cx<'_>, answer: &Answer, i: u32) -> State {
        let found = compare(cx, i, answer);
        let seen = &mut cx.progress.read_back;
        seen.asked = i + 1;
        match found {
            Found::Equal => {}
            Found::Different => seen.different.push(i),
            Found::Missing => seen.missing.push(i),
        }
        self.at(Reading::Sample(i + 1)).unless_done(cx)
    }

    fn missing_read(self, cx: &mut Cx<'_>, answer: &Answer, at: u32) -> State {
        let Some(i) = self.sample(cx) else { return self.at(Reading::Count(0)).unless_done(cx) };
        let found = compare(cx, i, answer);
        let seen = &mut cx.progress.read_back;
        if found == Found::Missing {
            return self.at(Reading::Missing(at + 1)).unless_done(cx);
        }
        seen.missing.retain(|missing| *missing != i);
        if found == Found::Different {
            seen.different.push(i);
        }
        self.at(Reading::Missing(at)).unless_done(cx)
    }

    fn count_read(self, cx: &mut Cx<'_>, answer: &Answer, i: u32) -> State {
        if let Some((expected, total)) = self.expected(cx).zip(total(answer)) {
            cx.progress.read_back.totals.insert(expected.resource_type.clone(), total);
        }
        self.at(Reading::Count(i + 1)).unless_done(cx)
    }

    fn at(self, what: Reading) -> Self {
        Self { what, failures: 0, due: None, ..self }
    }

    /// Goes on to the next kind of reading when one is done.
    fn unless_done(self, cx: &mut Cx<'_>) -> State {
        match self.what {
            Reading::Sample(_) | Reading::Missing(_) if self.sample(cx).is_some() => State::ReadBack(self),
            Reading::Sample(_) | Reading::Missing(_) => self.round_done(cx),
            Reading::Count(_) if self.expected(cx).is_some() => State::ReadBack(self),
            Reading::Count(_) => self.finish(cx),
        }
    }

    /// What is missing may only not be readable yet: it is asked for again, later.
    fn round_done(self, cx: &mut Cx<'_>) -> State {
        let Some(rule) = cx.dialect().map(|d| d.verify.clone()) else { return self.finish(cx) };
        let more = self.ending.outcome != Outcome::Failed && self.rounds < rule.attempts;
        if cx.progress.read_back.missing.is_empty() || !more {
            return self.at(Reading::Count(0)).unless_done(cx);
        }
        let delay = rule.settle_ms.saturating_mul(1 << self.rounds.min(16));
        let wake = Wake { at_ms: cx.now_ms.saturating_add(delay), reason: WakeReason::Settle, server_asked_ms: None };
        let text = format!("{} samples are not there yet", cx.progress.read_back.missing.len());
        cx.tell(EventKind::Verified, text);
        let rounds = self.rounds + 1;
        State::ReadBack(Self { what: Reading::Missing(0), rounds, failures: 0, due: Some(wake), ..self })
    }

    fn finish(self, cx: &mut Cx<'_>) -> State {
        let rejected = cx.progress.tally.rejected.unwrap_or(0);
        cx.progress.read_back.short = short_types(cx, rejected);
        let seen = &cx.progress.read_back;
        let found = seen.asked as usize - seen.missing.len().min(seen.asked as usize);
        let text = format!("{found} of {} samples are there, {} types counted", seen.asked, seen.totals.len());
        cx.tell(EventKind::Verified, text);
        let ending = judge(self.ending, cx);
        Finished::end(cx, ending)
    }
}

/// The server's word, and what was seen.
fn judge(said: Ending, cx: &Cx<'_>) -> Ending {
    let seen = &cx.progress.read_back;
    if said.outcome == Outcome::Failed || seen.verdict() != Verdict::Missing {
        return said;
    }
    if said.outcome == Outcome::FinishedWithErrors && seen.short.is_empty() {
        return said;
    }
    let sentence = format!(
        "The server says that it imported the resources, but {} of {} samples are not there, and of {} types there are \
         fewer than were sent.",
        seen.missing.len(),
        seen.asked,
        seen.short.len()
    );
    let advice = "Do not rely on this import. Look at the server's log, then run again.";
    Ending::new(Outcome::VerificationFailed, sentence, advice)
}

/// Types of which the server has fewer than were sent, rejected ones aside.
fn short_types(cx: &Cx<'_>, rejected: u64) -> Vec<String> {
    let totals = &cx.progress.read_back.totals;
    let missing = |e: &&Expected| {
        let wanted = e.distinct_ids.unwrap_or(0).saturating_sub(rejected);
        totals.get(&e.resource_type).is_some_and(|total| *total < wanted)
    };
    cx.plan.expected.iter().filter(missing).map(|e| e.resource_type.clone()).collect()
}

#[derive(Clone, Copy, PartialEq)]
enum Found {
    Equal,
    Different,
    Missing,
}

fn compare(cx: &Cx<'_>, i: u32, answer: &Answer) -> Found {
    let Some(sample) = cx.plan.samples.get(i as usize) else { return Found::Missing };
    if answer.status != 200 {
        return Found::Missing;
    }
    match answer.json() {
        Some(resource) if names(&resource, &sample.reference) => {
            let equal = sample.fingerprint.is_empty() || fingerprint(&resource) == sample.fingerprint;
            if equal { Found::Equal } else { Found::Different }
        }
        _ => Found::Missing,
    }
}

fn names(resource: &Value, reference: &str) -> bool {
    let (kind, id) = reference.split_once('/').unwrap_or_default();
    resource["resourceType"] == kind && resource["id"] == id
}

fn total(answer: &Answer) -> Option<u64> {
    if answer.status != 200 {
        return None;
    }
    answer.resource("Bundle")?["total"].as_u64()
}
