//! Time does not run backwards for an import, whatever the machine's clock was set to between two processes.

use std::sync::Arc;

use super::{Clock, SharedClock, Sleep};

/// A clock that shows at least `at_ms` now, and runs on from there at the pace of another. A clock that is late enough is
/// given back as it is.
///
/// For an import that is gone on with: what is decided next must not be earlier than what was stored last.
#[must_use]
pub fn not_before(clock: &SharedClock, at_ms: u64) -> SharedClock {
    match at_ms.saturating_sub(clock.now_ms()) {
        0 => Arc::clone(clock),
        ahead_ms => Arc::new(Ahead { clock: Arc::clone(clock), ahead_ms }),
    }
}

/// A clock that is ahead of another.
struct Ahead {
    clock: SharedClock,
    ahead_ms: u64,
}

impl Clock for Ahead {
    fn now_ms(&self) -> u64 {
        self.clock.now_ms().saturating_add(self.ahead_ms)
    }

    fn sleep_until(&self, at_ms: u64) -> Sleep<'_> {
        self.clock.sleep_until(at_ms.saturating_sub(self.ahead_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::VirtualClock;

    const NOW_MS: u64 = 1_795_000_000_000;
    const HOUR_MS: u64 = 3_600_000;

    fn clock() -> SharedClock {
        Arc::new(VirtualClock::at(NOW_MS))
    }

    #[test]
    fn a_clock_that_was_set_back_goes_on_where_it_was() {
        let (machine, stored_ms) = (clock(), NOW_MS + HOUR_MS);
        let import = not_before(&machine, stored_ms);
        assert_eq!(import.now_ms(), stored_ms);
        drop(machine.sleep_until(NOW_MS + 10));
        assert_eq!(import.now_ms(), stored_ms + 10, "it runs on");
    }

    #[tokio::test]
    async fn a_wait_is_as_long_as_it_was_meant() {
        let machine = clock();
        let import = not_before(&machine, NOW_MS + HOUR_MS);
        import.sleep_until(NOW_MS + HOUR_MS + 2_000).await;
        assert_eq!((import.now_ms(), machine.now_ms()), (NOW_MS + HOUR_MS + 2_000, NOW_MS + 2_000));
        import.sleep_until(0).await;
        assert_eq!(machine.now_ms(), NOW_MS + 2_000);
    }

    #[test]
    fn a_clock_that_is_late_enough_is_left_alone() {
        let machine = clock();
        for stored_ms in [0, NOW_MS - HOUR_MS, NOW_MS] {
            assert!(Arc::ptr_eq(&not_before(&machine, stored_ms), &machine), "{stored_ms}");
        }
        assert!(!Arc::ptr_eq(&not_before(&machine, NOW_MS + 1), &machine));
    }

    #[test]
    fn several_restarts_never_go_back() {
        let mut stored_ms = NOW_MS + 10 * HOUR_MS;
        for machine_ms in [NOW_MS, 0, NOW_MS + 20 * HOUR_MS, NOW_MS] {
            let import = not_before(&(Arc::new(VirtualClock::at(machine_ms)) as SharedClock), stored_ms);
            assert!(import.now_ms() >= stored_ms, "{machine_ms}");
            stored_ms = import.now_ms() + 1_000;
        }
    }
}
