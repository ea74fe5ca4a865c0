//! The time a server goes by.

use std::time::{SystemTime, UNIX_EPOCH};

/// Tells the time. A server reads no other clock, so whoever gives it one owns its time.
pub trait Clock: Send + Sync {
    /// The time now.
    fn now(&self) -> SystemTime;
}

/// The clock of this machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct MachineClock;

impl Clock for MachineClock {
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }
}

/// Milliseconds from one point in time to a later one; 0 when it is not later.
pub(crate) fn millis_between(from: SystemTime, to: SystemTime) -> u64 {
    to.duration_since(from).map_or(0, |span| u64::try_from(span.as_millis()).unwrap_or(u64::MAX))
}

/// Milliseconds since 1970.
pub(crate) fn unix_millis(at: SystemTime) -> u64 {
    millis_between(UNIX_EPOCH, at)
}
