//! How often all imports of a process may retry at one server.
//!
//! Each import backs off by itself, but two hundred of them at a dead server would still be two hundred requests a
//! minute. So a retry costs a token, and only answered requests earn tokens. Without one, retries stand in line for the
//! free one that the server gets each minute. Once it answers again, everybody who stands in line is let go within the
//! next minute. First tries and polls of running jobs are never held up.

mod line;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use url::Url;

use crate::clock::SharedClock;
use crate::contract::{Next, Outcome, Wake, WakeReason};
use line::{Line, Ticket, Turn};

/// The budgets of all servers. Clones share them.
#[derive(Clone)]
pub struct Budgets {
    clock: SharedClock,
    lines: Arc<Mutex<BTreeMap<String, SharedLine>>>,
}

type SharedLine = Arc<Mutex<Line>>;

impl Budgets {
    /// Full budgets. The clock is the process's own, not one that is ahead for the sake of one import.
    #[must_use]
    pub fn new(clock: SharedClock) -> Self {
        Self { clock, lines: Arc::default() }
    }

    /// The budget of the server with this URL: of its scheme, host and port.
    #[must_use]
    pub fn of(&self, server: &Url) -> Budget {
        let origin = server.origin().ascii_serialization();
        let line = locked(&self.lines).entry(origin).or_default().clone();
        Budget { clock: self.clock.clone(), line }
    }
}

/// The budget of one server. Clones share it.
#[derive(Clone)]
pub struct Budget {
    clock: SharedClock,
    line: SharedLine,
}

impl Budget {
    /// Waits, after a wait of the import's own, until the server may be asked: not at all, unless the wait followed a
    /// failure. A wait that is dropped leaves the line.
    pub async fn turn(&self, wake: &Wake) {
        if wake.reason != WakeReason::BackOff {
            return;
        }
        let place = Place::join(self);
        while let Turn::AskAgain(at_ms) = place.ask() {
            self.clock.sleep_until(at_ms).await;
        }
    }

    /// What came of a call, as far as it tells whether the server answers.
    pub fn note(&self, next: &Next) {
        let now_ms = self.clock.now_ms();
        match next {
            Next::Wait(wake) if wake.reason == WakeReason::BackOff => locked(&self.line).failed(now_ms),
            Next::Done(report) if report.outcome == Outcome::Unreachable => locked(&self.line).failed(now_ms),
            Next::Wait(_) | Next::Step | Next::Done(_) => locked(&self.line).answered(now_ms),
            // Nothing need have been sent, or nothing need have come back.
            Next::Submit | Next::Recover | Next::Paused(_) => {}
        }
    }
}

/// A place in the line, given up when dropped.
struct Place<'a> {
    budget: &'a Budget,
    ticket: Ticket,
}

impl<'a> Place<'a> {
    fn join(budget: &'a Budget) -> Self {
        let ticket = locked(&budget.line).join(budget.clock.now_ms());
        Self { budget, ticket }
    }

    fn ask(&self) -> Turn {
        locked(&self.budget.line).ask(self.ticket, self.budget.clock.now_ms())
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        locked(&self.budget.line).leave(self.ticket);
    }
}

/// A holder that panicked left nothing half done: every change is one method of [`Line`].
fn locked<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
