//! The machine's clock, as steady as a process can have it.
//!
//! The wall clock is read once, when the process begins; from then on the time that has passed counts. A wall clock that
//! is set, by a person or by NTP, is not noticed before the next process. What has passed is told by a clock that goes
//! on while the machine is suspended, which the runtime's timers and `Instant` do not on Linux.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{Clock, Sleep};

/// A wait is cut into pieces of at most this, after each of which the clock is read: the timer does not count the time
/// that the machine was suspended, the clock does.
const SLICE: Duration = Duration::from_secs(30);

/// What a machine has to tell the time by.
trait Dials: Send + Sync {
    /// The time of day, in Unix milliseconds; it jumps when it is set.
    fn wall_ms(&self) -> u64;

    /// Milliseconds since some beginning, suspended ones too; it never jumps.
    fn passed_ms(&self) -> u64;
}

/// The real ones.
struct Machine;

/// Where the system has no clock of this name, its monotonic one is the nearest to it.
#[cfg(any(target_os = "linux", target_os = "android"))]
const PASSED: rustix::time::ClockId = rustix::time::ClockId::Boottime;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const PASSED: rustix::time::ClockId = rustix::time::ClockId::Monotonic;

impl Dials for Machine {
    fn wall_ms(&self) -> u64 {
        milliseconds(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
    }

    fn passed_ms(&self) -> u64 {
        milliseconds(Duration::try_from(rustix::time::clock_gettime(PASSED)).unwrap_or_default())
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The machine's clock: the time of day when it was made, and what has passed since, suspended or not.
pub struct SystemClock {
    dials: Box<dyn Dials>,
    began_wall_ms: u64,
    began_passed_ms: u64,
    slice: Duration,
}

impl SystemClock {
    /// A clock that shows the time of day.
    #[must_use]
    pub fn new() -> Self {
        Self::by(Box::new(Machine), SLICE)
    }

    fn by(dials: Box<dyn Dials>, slice: Duration) -> Self {
        let (began_wall_ms, began_passed_ms) = (dials.wall_ms(), dials.passed_ms());
        Self { dials, began_wall_ms, began_passed_ms, slice }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for SystemClock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SystemClock").field("now_ms", &self.now_ms()).finish()
    }
}

impl Clock for SystemClock {
    fn now_ms(&self) -> u64 {
        let passed = self.dials.passed_ms().saturating_sub(self.began_passed_ms);
        self.began_wall_ms.saturating_add(passed)
    }

    fn sleep_until(&self, at_ms: u64) -> Sleep<'_> {
        Box::pin(async move {
            loop {
                let left = Duration::from_millis(at_ms.saturating_sub(self.now_ms()));
                if left.is_zero() {
                    return;
                }
                tokio::time::sleep(left.min(self.slice)).await;
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use tokio::time::timeout;

    use super::*;

    const NOW_MS: u64 = 1_795_000_000_000;
    const HOUR_MS: u64 = 3_600_000;
    const TEN_YEARS_MS: u64 = 87_660 * HOUR_MS;

    /// Dials that a test turns.
    #[derive(Clone)]
    struct Turned(Arc<(AtomicU64, AtomicU64)>);

    impl Turned {
        fn new() -> Self {
            Self(Arc::new((AtomicU64::new(NOW_MS), AtomicU64::new(500))))
        }

        fn clock(&self) -> SystemClock {
            SystemClock::by(Box::new(self.clone()), Duration::from_millis(1))
        }

        fn set_wall(&self, at_ms: u64) {
            self.0.0.store(at_ms, Ordering::SeqCst);
        }

        fn pass(&self, ms: u64) {
            self.0.1.fetch_add(ms, Ordering::SeqCst);
        }
    }

    impl Dials for Turned {
        fn wall_ms(&self) -> u64 {
            self.0.0.load(Ordering::SeqCst)
        }

        fn passed_ms(&self) -> u64 {
            self.0.1.load(Ordering::SeqCst)
        }
    }

    #[test]
    fn it_shows_the_time_of_day_and_goes_on() {
        let dials = Turned::new();
        let clock = dials.clock();
        assert_eq!(clock.now_ms(), NOW_MS);
        dials.pass(7);
        assert_eq!(clock.now_ms(), NOW_MS + 7);
    }

    #[test]
    fn a_time_of_day_that_jumps_is_not_noticed() {
        let dials = Turned::new();
        let clock = dials.clock();
        for jumped in [NOW_MS + HOUR_MS, NOW_MS - HOUR_MS, NOW_MS + TEN_YEARS_MS, 0] {
            dials.set_wall(jumped);
            assert_eq!(clock.now_ms(), NOW_MS);
        }
        assert_eq!(dials.clock().now_ms(), 0, "the next process believes it");
    }

    #[tokio::test]
    async fn a_wait_is_over_soon_after_a_suspend() {
        let dials = Turned::new();
        let clock = dials.clock();
        let wait = clock.sleep_until(NOW_MS + 8 * HOUR_MS);
        let suspend = async { dials.pass(8 * HOUR_MS) };
        let waited = timeout(Duration::from_secs(60), async { tokio::join!(wait, suspend) }).await;
        assert!(waited.is_ok(), "the clock is read again after a slice");
    }

    #[tokio::test]
    async fn a_jump_ends_no_wait() {
        for jumped in [NOW_MS + HOUR_MS, NOW_MS - HOUR_MS, NOW_MS + TEN_YEARS_MS] {
            let dials = Turned::new();
            let clock = dials.clock();
            let mut wait = clock.sleep_until(NOW_MS + HOUR_MS);
            dials.set_wall(jumped);
            assert!(timeout(Duration::from_millis(20), &mut wait).await.is_err(), "{jumped}: many slices long");
            dials.pass(HOUR_MS - 1);
            assert!(timeout(Duration::from_millis(20), &mut wait).await.is_err(), "{jumped}: not a moment early");
            dials.pass(1);
            assert!(timeout(Duration::from_secs(60), wait).await.is_ok(), "{jumped}");
        }
    }

    #[tokio::test]
    async fn the_real_one_shows_the_time_of_day_and_waits() {
        let wall = Machine.wall_ms();
        let clock = SystemClock::new();
        let began = clock.now_ms();
        assert!((wall..wall + 60_000).contains(&began), "{wall} {began}");
        clock.sleep_until(began + 5).await;
        assert!(clock.now_ms() >= began + 5);
        clock.sleep_until(0).await;
    }
}
