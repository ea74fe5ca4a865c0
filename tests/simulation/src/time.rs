//! One virtual time, seen by a client and a server whose clocks are not right.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fhir_import::{Clock, Sleep, VirtualClock};

/// The true time. Nobody in the simulation waits for it: it is as late as somebody waited for.
#[derive(Debug, Clone)]
pub struct Time(Arc<VirtualClock>);

impl Time {
    /// A time to begin at.
    #[must_use]
    pub fn at(now_ms: u64) -> Self {
        Self(Arc::new(VirtualClock::at(now_ms)))
    }

    /// The true time in Unix milliseconds.
    #[must_use]
    pub fn now_ms(&self) -> u64 {
        self.0.now_ms()
    }

    /// Lets time pass.
    pub fn pass(&self, ms: u64) {
        drop(self.0.sleep_until(self.now_ms().saturating_add(ms)));
    }
}

/// The client's clock: right, but for an offset that changes when its machine is set or started anew.
#[derive(Debug)]
pub struct ClientClock {
    time: Time,
    offset_ms: AtomicI64,
    sets: AtomicU32,
}

impl ClientClock {
    /// A clock that is right.
    #[must_use]
    pub fn new(time: Time) -> Self {
        Self { time, offset_ms: AtomicI64::new(0), sets: AtomicU32::new(0) }
    }

    /// Sets it so much before or after the true time.
    pub fn set(&self, offset_ms: i64) {
        self.offset_ms.store(offset_ms, Ordering::Relaxed);
        self.sets.fetch_add(1, Ordering::Relaxed);
    }

    /// How often it was set.
    #[must_use]
    pub fn sets(&self) -> u32 {
        self.sets.load(Ordering::Relaxed)
    }

    fn offset_ms(&self) -> i64 {
        self.offset_ms.load(Ordering::Relaxed)
    }
}

impl Clock for ClientClock {
    fn now_ms(&self) -> u64 {
        self.time.now_ms().saturating_add_signed(self.offset_ms())
    }

    fn sleep_until(&self, at_ms: u64) -> Sleep<'_> {
        self.time.0.sleep_until(at_ms.saturating_add_signed(-self.offset_ms()))
    }
}

/// The server's clock.
#[derive(Debug)]
pub struct ServerClock {
    /// The true time.
    pub time: Time,
    /// How far it is before or after the true time.
    pub offset_ms: i64,
}

impl fhir_import_sandbox::Clock for ServerClock {
    fn now(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(self.time.now_ms().saturating_add_signed(self.offset_ms))
    }
}
