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
    facts: Mutex<Facts>,
}

#[derive(Default)]
struct Facts {
    polls: u32,
    ends_shown: u32,
    work: Option<Worked>,
    /// Why it stopped before its end.
    stopped: Option<Fate>,
}

impl Entry {
    pub(crate) fn new(starter: Starter, status_url: String, kick_off: Bytes, created: SystemTime) -> Self {
        Self { status_url, kick_off, created, starter, facts: Mutex::default() }
    }

    /// Counts a poll and says which one it was, from 1.
    pub(crate) fn poll(&self) -> u32 {
        let mut facts = self.lock();
        facts.polls += 1;
        facts.polls
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
            self.lock().stopped = Some(why);
        }
    }

    /// What the next poll would show.
    pub(crate) fn fate(&self, script: &Script, now: SystemTime) -> Fate {
        let facts = self.lock();
        let due = script.due(facts.polls, millis_between(self.created, now));
        match (facts.stopped, facts.work) {
            (Some(why), _) => why,
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
            Self::Done(tally) | Self::Failed(tally) => tally,
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
