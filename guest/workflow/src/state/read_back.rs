//! Samples and counts are read back: what a server calls success is checked.

use fhir_import_records::fingerprint;
use serde::Serialize;
use serde_json::Value;

use super::{Ask, Cx, Finished, Paused, Reply, State};
use crate::dialect::Reads;
use crate::exchange::{Answer, Exchange, Failure, KEEP_DOCUMENT, KEEP_STATUS};
use crate::json::read::{read_object, read_variant};
use crate::outcome::Outcome;
use crate::pace;
use crate::read_back::ReadBack;
use crate::report::{Ending, Verdict};
use crate::request::{Expected, Purpose};
use crate::text::clip;
use crate::transition::{EventKind, PauseReason, Wake, WakeReason};

const ACCEPT: &str = "application/fhir+json";

/// The query that counts a type, on a server of which nothing is known.
const COUNT: &str = "_summary=count";

/// How often a read that was not answered is made: for five to eight minutes. What was imported waits.
const ATTEMPTS: u32 = 10;

/// Bytes of the reason to stop early that are kept.
const WORDS: usize = 300;

/// Samples and counts are read back.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
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
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Reading {
    /// The sample at this place of the plan.
    Sample(u32),
    /// The missing sample at this place of the list, again.
    Missing(u32),
    /// The count of the type at this place of the plan.
    Count(u32),
}

/// A read that no cache may answer: some servers answer the same search from memory for a minute (RFC 9111 §5.2.1.4;
/// HAPI FHIR, "search result caching").
fn fresh(url: String, keep: usize) -> Exchange {
    Exchange::get(url, ACCEPT, keep).with([("cache-control", "no-cache")])
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
        match self.url(cx) {
            Some(url) => Ask::Send(url),
            None => Ask::Become(self.clone().finish(cx)),
        }
    }

    fn url(&self, cx: &Cx<'_>) -> Option<Exchange> {
        let (base, rule) = (cx.plan.base(), cx.dialect().map(|d| &d.verify));
        if let Some(reference) = self.sample(cx).map(|i| &cx.plan.samples[i as usize].reference) {
            let search = reference.replacen('/', "?_id=", 1);
            let path = if rule.is_some_and(|rule| rule.reads == Reads::BySearch) { &search } else { reference };
            return Some(fresh(base.join(path), KEEP_DOCUMENT));
        }
        let (kind, count) = (&self.expected(cx)?.resource_type, rule.map_or(COUNT, |rule| rule.count.as_str()));
        Some(fresh(base.join(&format!("{kind}?{count}")), KEEP_STATUS))
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
            Ok(answer) if matches!(answer.status, 401 | 403) && cx.plan.purpose == Purpose::Verify => {
                let text = format!("The server answers {} to a read: it wants other credentials.", answer.status);
                Paused::stop(cx, PauseReason::Credentials, text, State::ReadBack(self))
            }
            Ok(answer) if matches!(answer.status, 401 | 403) => {
                self.stop(cx, &format!("the server refuses to be read ({})", answer.status))
            }
            Ok(answer) if matches!(answer.status, 429 | 500..) => self.again(cx, Some(&answer), "the server is busy"),
            Ok(answer) => self.read(cx, &answer),
            Err(Failure { text, .. }) => self.again(cx, None, &text),
        }
    }

    fn stop(self, cx: &mut Cx<'_>, why: &str) -> State {
        cx.progress.read_back.stopped = Some(clip(why, WORDS));
        self.finish(cx)
    }

    fn again(self, cx: &mut Cx<'_>, answer: Option<&Answer>, why: &str) -> State {
        let failures = self.failures.saturating_add(1);
        if failures >= ATTEMPTS {
            return self.stop(cx, why);
        }
        let wake = cx.back_off(answer, failures);
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
        match found {
            Found::Equal => {}
            Found::Different => seen.different.push(i),
            Found::Missing => seen.missing.push(i),
            Found::Unreadable => return self.stop(cx, &unreadable(answer)),
        }
        seen.asked = i.saturating_add(1);
        let next = Reading::Sample(seen.asked);
        self.at(next).unless_done(cx)
    }

    fn missing_read(self, cx: &mut Cx<'_>, answer: &Answer, at: u32) -> State {
        let Some(i) = self.sample(cx) else { return self.at(Reading::Count(0)).unless_done(cx) };
        let found = compare(cx, i, answer);
        let seen = &mut cx.progress.read_back;
        match found {
            Found::Equal => {}
            Found::Different => seen.different.push(i),
            Found::Missing => return self.at(Reading::Missing(at.saturating_add(1))).unless_done(cx),
            Found::Unreadable => return self.stop(cx, &unreadable(answer)),
        }
        seen.missing.retain(|missing| *missing != i);
        self.at(Reading::Missing(at)).unless_done(cx)
    }

    fn count_read(self, cx: &mut Cx<'_>, answer: &Answer, i: u32) -> State {
        if let Some((expected, total)) = self.expected(cx).zip(total(answer)) {
            *cx.progress.read_back.totals.entry(&expected.resource_type) = total;
            if let Some(delay) = self.settle(cx).filter(|_| total < least(expected, cx)) {
                let text = format!("of {} there are {total} yet", expected.resource_type);
                return self.later(cx, delay, Reading::Count(i), text);
            }
        }
        self.at(Reading::Count(i.saturating_add(1))).unless_done(cx)
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
        let missing = cx.progress.read_back.missing.len();
        match self.settle(cx).filter(|_| missing > 0) {
            Some(delay) => self.later(cx, delay, Reading::Missing(0), format!("{missing} samples are not there yet")),
            // Counts are searches, and what can be read may be found only later: they have rounds of their own.
            None => Self { rounds: 0, ..self }.at(Reading::Count(0)).unless_done(cx),
        }
    }

    /// How long to wait for what may only not be readable yet; none when the wait is over.
    fn settle(&self, cx: &Cx<'_>) -> Option<u64> {
        let rule = &cx.dialect()?.verify;
        let more = self.ending.outcome != Outcome::Failed && self.rounds < rule.attempts;
        more.then(|| rule.settle_ms.max(pace::FLOOR_MS).saturating_mul(1 << self.rounds.min(16)))
    }

    fn later(self, cx: &mut Cx<'_>, delay: u64, what: Reading, text: String) -> State {
        cx.tell(EventKind::Verified, text);
        let wake = Wake { at_ms: cx.now_ms.saturating_add(delay), reason: WakeReason::Settle, server_asked_ms: None };
        let rounds = self.rounds.saturating_add(1);
        State::ReadBack(Self { what, rounds, failures: 0, due: Some(wake), ..self })
    }

    fn finish(self, cx: &mut Cx<'_>) -> State {
        cx.progress.read_back.short = short_types(cx);
        let seen = &cx.progress.read_back;
        let found = seen.asked as usize - seen.missing.len().min(seen.asked as usize);
        let text = format!("{found} of {} samples are there, {} types counted", seen.asked, seen.totals.len());
        cx.tell(EventKind::Verified, text);
        let ending = judge(self.ending, cx);
        Finished::end(cx, ending)
    }
}

/// The server's word, and what was seen. What the server says it rejected may be missing.
fn judge(said: Ending, cx: &Cx<'_>) -> Ending {
    let seen = &cx.progress.read_back;
    let explained = seen.short.is_empty() && seen.missing.len() as u64 <= rejected(cx);
    match seen.verdict() {
        _ if said.outcome == Outcome::Failed => said,
        Verdict::Missing if !explained => {
            let advice = "Do not rely on this import. Look at the server's log, then run again.";
            Ending::new(Outcome::VerificationFailed, contradiction(seen, cx), advice)
        }
        Verdict::NotVerified if cx.plan.purpose == Purpose::Verify => {
            let why = seen.stopped.as_deref().unwrap_or("the server does not tell");
            Ending::new(Outcome::AnswerNotUnderstood, format!("Nothing could be read back: {why}."), "Try again later.")
        }
        Verdict::NotVerified if cx.says_nothing_more() && said.outcome == Outcome::Succeeded => {
            let sentence = "This server never says how an import ended, and nothing of it could be read back.";
            let advice = "Look at the server's log. With files that are checked first, resources are read back.";
            Ending::new(Outcome::VerificationFailed, sentence, advice)
        }
        _ => said,
    }
}

fn contradiction(seen: &ReadBack, cx: &Cx<'_>) -> String {
    let mut parts = Vec::new();
    if !seen.missing.is_empty() {
        parts.push(format!("{} of {} samples are not there", seen.missing.len(), seen.asked));
    }
    if !seen.short.is_empty() {
        parts.push(format!("of {} types the server has fewer resources than were sent", seen.short.len()));
    }
    let found = parts.join(", and ");
    match cx.plan.purpose {
        Purpose::Verify => format!("Read back: {found}."),
        Purpose::Import if cx.says_nothing_more() => format!("The server took the kick-off, but {found}."),
        Purpose::Import | Purpose::Detect => format!("The server says that the job ended, but {found}."),
    }
}

/// Types of which the server has fewer than were sent.
fn short_types(cx: &Cx<'_>) -> Vec<u32> {
    let totals = &cx.progress.read_back.totals;
    let short = |e: &Expected| totals.get(&e.resource_type).is_some_and(|total| *total < least(e, cx));
    (0..).zip(&cx.plan.expected).filter(|(_, e)| short(e)).map(|(i, _)| i).collect()
}

/// The fewest that the server must have of a type when nothing got lost.
fn least(expected: &Expected, cx: &Cx<'_>) -> u64 {
    expected.distinct_ids.unwrap_or(0).saturating_sub(rejected(cx))
}

fn rejected(cx: &Cx<'_>) -> u64 {
    cx.progress.tally.rejected.unwrap_or(0)
}

#[derive(Clone, Copy, PartialEq)]
enum Found {
    Equal,
    Different,
    Missing,
    /// The answer tells nothing about the resource.
    Unreadable,
}

fn compare(cx: &Cx<'_>, i: u32, answer: &Answer) -> Found {
    let Some(sample) = cx.plan.samples.get(i as usize) else { return Found::Missing };
    if matches!(answer.status, 404 | 410) {
        return Found::Missing;
    }
    match answer.json().filter(|body| answer.status == 200 && body["resourceType"].is_string()).map(found_by_search) {
        Some(resource) if names(&resource, &sample.reference) => {
            let equal = sample.fingerprint.is_empty() || fingerprint(&resource) == sample.fingerprint;
            if equal { Found::Equal } else { Found::Different }
        }
        Some(_) => Found::Missing,
        None => Found::Unreadable,
    }
}

/// A resource as it came, or the one that a search found.
fn found_by_search(body: Value) -> Value {
    match body["entry"].as_array().and_then(|entries| entries.first()) {
        Some(entry) if body["type"] == "searchset" => entry["resource"].clone(),
        _ => body,
    }
}

fn unreadable(answer: &Answer) -> String {
    match answer.status {
        200 if answer.cut => "a resource is longer than what is read here".to_owned(),
        200 => "the server answers something that is no resource".to_owned(),
        status => format!("the server answers {status} to a read"),
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

impl Default for Reading {
    fn default() -> Self {
        Self::Sample(0)
    }
}

read_object!(ReadBackState { ending, what, rounds, failures, due });
read_variant!(Reading { Sample = "sample", Missing = "missing", Count = "count" });
