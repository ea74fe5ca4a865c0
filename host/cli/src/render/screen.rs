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
    let wait = seconds(wake.at_ms.saturating_sub(now_ms));
    let asked = match wake.server_asked_ms {
        Some(ms) => format!(" (the server asked for {} s)", seconds(ms)),
        None => String::new(),
    };
    match wake.reason {
        WakeReason::Poll if status.phase == Phase::Cancelling => format!("Asking whether it is cancelled in {wait} s"),
        WakeReason::Poll => {
            let words = status.progress.as_deref().map(|words| words.trim_end_matches(['.', ' ']));
            let progress = words.map_or_else(String::new, |words| format!(": {words}"));
            let polls = match status.polls {
                0 => "first poll".to_owned(),
                polls => format!("{polls} polls, the next"),
            };
            format!("The job runs{progress}; {polls} in {wait} s{asked}")
        }
        WakeReason::BackOff => format!("Trying again in {wait} s{asked}"),
        WakeReason::Settle => format!("Looking again for what is not there yet in {wait} s"),
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
