//! The books of a server: every job that was really started, and what really became of it.

use crate::clock::{millis_between, unix_millis};
use crate::intake::Tally;
use crate::script::Script;
use bytes::Bytes;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

/// A job that was really started, as the server knows it and no client can.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct JobRecord {
    /// Where it is asked for.
    pub status_url: String,
    /// The body of its kick-off.
    pub kick_off: Vec<u8>,
    /// Who started it.
    pub starter: Starter,
    /// When, in milliseconds of the server's clock since 1970.
    pub created_ms: u64,
    /// What became of it.
    pub fate: Fate,
    /// How many resources it really stored, unchanged ones included.
    pub stored: u64,
    /// How many lines it refused one by one. Lines behind the one that made a whole job fail are not counted.
    pub refused: u64,
    /// How many polls were answered with its end, whatever became of those answers on their way.
    pub ends_shown: u32,
    /// How many requests to cancel it reached the server.
    pub deletes: usize,
}

/// Who started a job.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Starter {
    /// A kick-off in the log.
    KickOff,
    /// Somebody else, see [`crate::Sandbox::foreign_job`].
    Somebody,
}

/// What became of a job by now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fate {
    /// A poll would show it running.
    Running,
    /// It ended with a result, be it of refusals only.
    Ended,
    /// It ended in what its server calls a failure.
    Failed,
    /// It was cancelled before its end.
    Cancelled,
    /// The server lost or forgot it before its end.
    Lost,
}

/// How the work of a job came out.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Worked {
    /// So far: more may be asked of the job.
    Open(Tally),
    Done(Tally),
    Failed(Tally),
}

/// One job in the books.
pub(crate) struct Entry {
    pub(crate) status_url: String,
    pub(crate) kick_off: Bytes,
    /// When the kick-off was accepted.
    pub(crate) created: SystemTime,
    starter: Starter,
    shown: Shown,
    facts: Mutex<Facts>,
}

/// When the end of a job is there for others.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Shown {
    /// When polls, or the time that a job takes, have come to it.
    WhenDue,
    /// When the work is over: nobody can poll it.
    WithTheWork,
}

#[derive(Default)]
struct Facts {
    polls: u32,
    ends_shown: u32,
    work: Option<Worked>,
    /// Why it stopped before its end, and when.
    stopped: Option<(Fate, SystemTime)>,
    /// How long it stood still before it was taken up again, in milliseconds.
    stood_ms: u64,
}

impl Entry {
    pub(crate) fn new(starter: Starter, status_url: String, kick_off: Bytes, created: SystemTime) -> Self {
        Self { status_url, kick_off, created, starter, shown: Shown::WhenDue, facts: Mutex::default() }
    }

    /// A job that nobody can ask for: it ends with its work.
    pub(crate) fn unasked(self) -> Self {
        Self { shown: Shown::WithTheWork, ..self }
    }

    /// Whether it takes a place from others.
    pub(crate) fn takes_a_place(&self) -> bool {
        let facts = self.lock();
        match self.shown {
            Shown::WhenDue => facts.ends_shown == 0 && facts.stopped.is_none(),
            Shown::WithTheWork => facts.work.is_none(),
        }
    }

    /// Counts a poll and says which one it was, from 1.
    pub(crate) fn poll(&self) -> u32 {
        let mut facts = self.lock();
        facts.polls += 1;
        facts.polls
    }

    pub(crate) fn polls(&self) -> u32 {
        self.lock().polls
    }

    /// Notes how the work came out.
    pub(crate) fn worked(&self, work: Worked) {
        self.lock().work = Some(work);
    }

    /// Notes that a poll was answered with the end.
    pub(crate) fn show_end(&self) {
        self.lock().ends_shown += 1;
    }

    pub(crate) fn ends_shown(&self) -> u32 {
        self.lock().ends_shown
    }

    /// Notes why there will be no end. One that is over keeps its end.
    pub(crate) fn stop(&self, why: Fate, script: &Script, now: SystemTime) {
        if self.fate(script, now) == Fate::Running {
            self.lock().stopped = Some((why, now));
        }
    }

    /// Takes a job up again that was stopped: what it had to do then is still to be done.
    pub(crate) fn resume(&self, now: SystemTime) {
        let mut facts = self.lock();
        if let Some((_, since)) = facts.stopped.take() {
            facts.stood_ms += millis_between(since, now);
        }
    }

    /// How long it has worked, in milliseconds.
    pub(crate) fn age_ms(&self, now: SystemTime) -> u64 {
        millis_between(self.created, now).saturating_sub(self.lock().stood_ms)
    }

    /// What the next poll would show.
    pub(crate) fn fate(&self, script: &Script, now: SystemTime) -> Fate {
        let age_ms = self.age_ms(now);
        let facts = self.lock();
        let due = self.shown == Shown::WithTheWork || script.due(facts.polls, age_ms);
        match (facts.stopped, facts.work) {
            (Some((why, _)), _) => why,
            (None, Some(Worked::Done(_))) if due => Fate::Ended,
            (None, Some(Worked::Failed(_))) if due => Fate::Failed,
            (None, _) => Fate::Running,
        }
    }

    fn record(&self, script: &Script, now: SystemTime, deletes: usize) -> JobRecord {
        let fate = self.fate(script, now);
        let facts = self.lock();
        let Tally { stored, refused } = facts.work.map(Worked::tally).unwrap_or_default();
        JobRecord {
            status_url: self.status_url.clone(),
            kick_off: self.kick_off.to_vec(),
            starter: self.starter,
            created_ms: unix_millis(self.created),
            fate,
            stored,
            refused,
            ends_shown: facts.ends_shown,
            deletes,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Facts> {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Worked {
    fn tally(self) -> Tally {
        match self {
            Self::Open(tally) | Self::Done(tally) | Self::Failed(tally) => tally,
        }
    }
}

/// Every job, in the order they were started.
#[derive(Default)]
pub(crate) struct Ledger {
    entries: Mutex<Vec<Arc<Entry>>>,
}

impl Ledger {
    pub(crate) fn add(&self, entry: Arc<Entry>) {
        self.lock().push(entry);
    }

    /// The status URLs of the jobs that the log's kick-offs started.
    pub(crate) fn status_urls(&self) -> Vec<String> {
        let entries = self.lock();
        let ours = entries.iter().filter(|entry| entry.starter == Starter::KickOff);
        ours.map(|entry| entry.status_url.clone()).collect()
    }

    /// What is known now, with the number of requests to cancel each.
    pub(crate) fn records(&self, script: &Script, now: SystemTime, deletes: impl Fn(&str) -> usize) -> Vec<JobRecord> {
        self.lock().iter().map(|entry| entry.record(script, now, deletes(&entry.status_url))).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Entry>>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local::{Local, START_MS, body, order};
    use crate::{Personality, Restart};
    use serde_json::{Value, json};

    const LINES: &str = "{\"resourceType\":\"Patient\",\"id\":\"a\"}\n{\"resourceType\":\"Patient\",\"id\":\"b\"}\n\
        {\"resourceType\":\"Patient\",\"id\":\"c\"}\nnonsense\n";

    fn smart(script: Value) -> Local {
        Local::new(Personality::SmartManifest, script, &[("p", LINES)])
    }

    fn fates(local: &Local) -> Vec<Fate> {
        local.sandbox.job_records().iter().map(|record| record.fate).collect()
    }

    #[test]
    fn the_books_say_what_a_job_really_did_and_not_what_it_claims() {
        let local = smart(json!({"reject_ids": ["a"], "lie_drop": 1, "lie_count": 40}));
        local.clock.pass(5);
        let order = order("p", json!({}));
        let url = local.start(&order);
        let record = JobRecord {
            status_url: url.clone(),
            kick_off: order.into_bytes(),
            starter: Starter::KickOff,
            created_ms: START_MS + 5,
            fate: Fate::Running,
            stored: 1,
            refused: 2,
            ends_shown: 0,
            deletes: 0,
        };
        assert_eq!(local.sandbox.job_records(), std::slice::from_ref(&record));
        assert_eq!((local.poll(&url, 4), local.sandbox.stored()), (vec![202, 202, 200, 200], 1));
        let record = JobRecord { fate: Fate::Ended, ends_shown: 2, ..record };
        assert_eq!(local.sandbox.job_records(), [record]);
    }

    #[test]
    fn a_job_can_take_time_whatever_the_number_of_polls() {
        for personality in [Personality::SmartManifest, Personality::Hapi] {
            let local = Local::new(personality, json!({"job_ms": 60_000, "polls_until_done": 1}), &[]);
            let url = if personality == Personality::Hapi {
                let part = json!([{"name": "type", "valueCode": "Patient"}, {"name": "url", "valueUri": "http://f/p"}]);
                let parameters = json!([{"name": "inputFormat", "valueCode": "application/fhir+ndjson"},
                    {"name": "input", "part": part}]);
                local.start(&json!({"resourceType": "Parameters", "parameter": parameters}).to_string())
            } else {
                local.start(&order("p", json!({})))
            };
            local.clock.pass(59_999);
            assert_eq!((local.poll(&url, 9), fates(&local)), (vec![202; 9], vec![Fate::Running]));
            local.clock.pass(1);
            let end = if personality == Personality::Hapi { (500, Fate::Failed) } else { (200, Fate::Ended) };
            // The end is there before anybody has seen it.
            assert_eq!(fates(&local), [end.1]);
            assert_eq!(local.poll(&url, 1), [end.0]);
        }
    }

    #[test]
    fn progress_follows_the_time_a_job_takes() {
        let local = smart(json!({"job_ms": 1000}));
        let url = local.start(&order("p", json!({})));
        local.clock.pass(420);
        assert_eq!(local.get(&url).headers()["x-progress"], "42%");
    }

    #[test]
    fn a_result_expires_once_it_was_shown_often_enough() {
        let local = smart(json!({"polls_until_done": 0, "forget_after_end": 2}));
        let url = local.start(&order("p", json!({})));
        assert_eq!(local.poll(&url, 4), [200, 200, 404, 404]);
        assert_eq!(fates(&local), [Fate::Ended]);
    }

    #[test]
    fn a_job_that_is_forgotten_before_its_end_is_lost() {
        let local = smart(json!({"polls_until_done": 2, "forget_jobs_after_polls": 1}));
        let url = local.start(&order("p", json!({})));
        assert_eq!((local.poll(&url, 3), fates(&local)), (vec![202, 404, 404], vec![Fate::Lost]));
    }

    #[test]
    fn a_job_is_cancelled_only_before_its_end() {
        let local = smart(json!({"job_ms": 1000}));
        let (early, late) = (local.start(&order("p", json!({}))), local.start(&order("p", json!({}))));
        assert_eq!((local.delete(&early), local.delete(&early)), (202, 404));
        local.clock.pass(1000);
        assert_eq!(local.delete(&late), 202);
        assert_eq!(fates(&local), [Fate::Cancelled, Fate::Ended]);
        let deletes: Vec<_> = local.sandbox.job_records().iter().map(|record| record.deletes).collect();
        assert_eq!(deletes, [2, 1]);
    }

    #[test]
    fn a_restart_keeps_or_loses_the_jobs_and_keeps_the_rest() {
        let local = smart(json!({"job_ms": 1000}));
        let ended = local.start(&order("p", json!({})));
        local.clock.pass(1000);
        let running = local.start(&order("p", json!({})));
        local.sandbox.restart(Restart::KeepsJobs);
        assert_eq!((local.poll(&ended, 1), local.poll(&running, 1)), (vec![200], vec![202]));
        local.sandbox.restart(Restart::LosesJobs);
        assert_eq!((local.poll(&ended, 1), local.poll(&running, 1)), (vec![404], vec![404]));
        assert_eq!(fates(&local), [Fate::Ended, Fate::Lost]);
        assert_eq!((local.sandbox.jobs(), local.sandbox.kick_offs(), local.sandbox.stored()), (2, 2, 3));
        let after = local.start(&order("p", json!({})));
        assert_eq!(local.poll(&after, 1), [202]);
    }

    #[test]
    fn a_foreign_job_is_no_job_of_ours_and_can_be_cancelled() {
        let local = smart(json!({"polls_until_done": 1}));
        let foreign = local.sandbox.foreign_job();
        assert_eq!(local.poll(&foreign, 2), [202, 200]);
        assert_eq!(body(&local.get(&foreign))["output"], json!([]));
        assert_eq!((local.sandbox.jobs(), local.sandbox.kick_offs()), (0, 0));
        assert_eq!(local.delete(&foreign), 202);
        let record = local.sandbox.job_records().remove(0);
        assert_eq!((record.starter, record.fate, record.deletes), (Starter::Somebody, Fate::Ended, 1));
        let hapi = Local::new(Personality::Hapi, json!({}), &[]);
        assert_eq!(hapi.poll(&hapi.sandbox.foreign_job(), 3), [202, 202, 200]);
    }

    #[test]
    fn what_a_broken_answer_showed_counts_as_shown() {
        let fault = json!([{"on": "poll", "action": "accept-then-drop"}]);
        let local = smart(json!({"polls_until_done": 0, "faults": fault}));
        let url = local.start(&order("p", json!({})));
        local.exchange("GET", &url, &[], "");
        assert_eq!(local.sandbox.job_records()[0].ends_shown, 1);
    }
}
