//! What is seen while an import is driven.

use fhir_import::Watch;
use fhir_import::contract::{Event, Next, Phase, Status, Wake, WakeReason};
use fhir_import::journal::ImportId;
use fhir_import::net::NetError;
use fhir_import::run::Setup;

use super::Talk;

/// Events that are told otherwise: by the wait that follows, or by the report.
const UNTOLD: [&str; 5] = ["done", "paused", "started", "status-progress", "wait-limited"];

/// What is seen while an import is driven.
pub struct Screen {
    talk: Talk,
    setup: Setup,
    job: ImportId,
}

impl Screen {
    /// For one import.
    pub fn new(talk: &Talk, setup: &Setup, job: ImportId) -> Self {
        Self { talk: talk.clone(), setup: setup.clone(), job }
    }
}

impl Watch for Screen {
    fn happened(&mut self, event: &Event) {
        if !UNTOLD.contains(&event.kind.as_str()) {
            self.talk.line(&format!("{} {}", clock(event.at_ms), event.text));
        }
    }

    fn failed(&mut self, error: &NetError) {
        self.talk.line(&format!("{} {error}", clock(self.setup.clock.now_ms())));
    }

    /// Polls and percent are read from the journal, which is worth a task of its own, not a delay.
    fn next(&mut self, next: &Next) {
        let Next::Wait(wake) = next.clone() else { return };
        let (talk, setup, job) = (self.talk.clone(), self.setup.clone(), self.job);
        tokio::spawn(async move {
            if let Ok((_, status)) = setup.status(job).await {
                talk.now(&waiting(&wake, &status, setup.clock.now_ms()), status.percent);
            }
        });
    }
}

/// Why there is a wait, and how long.
fn waiting(wake: &Wake, status: &Status, now_ms: u64) -> String {
    let wait = soon(wake.at_ms.saturating_sub(now_ms));
    let asked = match wake.server_asked_ms {
        Some(ms) => format!(" (the server asked for {} s)", seconds(ms)),
        None => String::new(),
    };
    match wake.reason {
        WakeReason::Poll if status.phase == Phase::Cancelling => format!("Asking whether it is cancelled {wait}"),
        WakeReason::Poll => {
            // A line is cut to the screen at its end: the server's words, which can be long, are the last ones.
            let words = status.progress.as_deref().map(|words| words.trim_end_matches(['.', ' ']));
            let progress = words.map_or_else(String::new, |words| format!(": {words}"));
            let polls = match status.polls {
                0 => "first poll".to_owned(),
                1 => "1 poll, next".to_owned(),
                polls => format!("{polls} polls, next"),
            };
            format!("The job runs; {polls} {wait}{asked}{progress}")
        }
        WakeReason::BackOff => format!("Trying again {wait}{asked}"),
        WakeReason::Settle => format!("Looking again for what is not there yet {wait}"),
    }
}

fn soon(ms: u64) -> String {
    match seconds(ms) {
        0 => "now".to_owned(),
        seconds => format!("in {seconds} s"),
    }
}

fn seconds(ms: u64) -> u64 {
    ms.div_ceil(1000)
}

/// The time of day, in UTC.
fn clock(unix_ms: u64) -> String {
    let seconds = unix_ms / 1000;
    format!("{:02}:{:02}:{:02}Z", seconds / 3600 % 24, seconds / 60 % 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(polls: u64, in_ms: u64, words: &str) -> String {
        let wake = Wake { at_ms: 1_000 + in_ms, reason: WakeReason::Poll, server_asked_ms: Some(120_000) };
        let status = Status {
            phase: Phase::Running,
            sentence: String::new(),
            next: Next::Wait(wake),
            dialect: None,
            job_url: None,
            accepted_ms: None,
            progress: Some(words.to_owned()),
            percent: None,
            polls: polls.try_into().unwrap(),
            jobs: 1,
            jobs_done: 0,
            deadline_at_ms: 0,
        };
        waiting(&wake, &status, 1_000)
    }

    #[test]
    fn polls_and_the_next_one_stand_before_what_the_server_says() {
        let words = "Job was created at 2026-11-23T17:30:15.752+00:00 and is in QUEUED state.";
        let line = said(2, 2_000, words);
        assert!(line.starts_with("The job runs; 2 polls, next in 2 s (the server asked for 120 s): Job was"), "{line}");
        assert!(said(1, 0, words).starts_with("The job runs; 1 poll, next now"));
    }
}
