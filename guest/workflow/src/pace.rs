//! How long to wait: polite by rule, not by luck.
//!
//! Polls double from one second to a minute, without jitter. What the server asks for replaces that, within the floor
//! and the caller's longest wait. Failed requests back off with jitter, which comes from the import's id, so that many
//! imports do not return at once and the same import always decides the same.

use crate::exchange::Answer;
use crate::retry_after::asked_ms;
use crate::transition::{Wake, WakeReason};

/// No two polls of an import are closer than this.
pub const FLOOR_MS: u64 = 1_000;
/// Without a word from the server, polls come at least this often.
const POLL_CAP_MS: u64 = 60_000;
/// The first back-off after a failed request.
const BACK_OFF_MS: u64 = 2_000;
/// The longest back-off.
const BACK_OFF_CAP_MS: u64 = 60_000;

/// The wait before the poll after `polls` polls, when the job runs.
#[must_use]
pub fn poll(answer: &Answer, polls: u32, now_ms: u64, poll_max_ms: u64) -> Wake {
    let asked = asked_ms(answer, now_ms);
    let longest = poll_max_ms.max(FLOOR_MS);
    let delay = match asked {
        Some(ms) => ms.clamp(FLOOR_MS, longest),
        None => doubled(FLOOR_MS, polls).min(POLL_CAP_MS.min(longest)),
    };
    Wake { at_ms: now_ms.saturating_add(delay), reason: WakeReason::Poll, server_asked_ms: asked }
}

/// The wait before a job is asked again without a pause of its own, after a person's decision for example.
#[must_use]
pub fn soon(now_ms: u64) -> Wake {
    Wake { at_ms: now_ms.saturating_add(FLOOR_MS), reason: WakeReason::Poll, server_asked_ms: None }
}

/// The wait before a failed request is made again, after `failures` failures in a row. What a busy server asks for is
/// honoured up to the deadline.
#[must_use]
pub fn back_off(answer: Option<&Answer>, failures: u32, now_ms: u64, deadline_at_ms: u64, seed: u64) -> Wake {
    let asked = answer.and_then(|a| asked_ms(a, now_ms));
    let delay = match asked {
        Some(ms) => ms.max(FLOOR_MS).min(deadline_at_ms.saturating_sub(now_ms).max(FLOOR_MS)),
        None => {
            jittered(doubled(BACK_OFF_MS, failures.saturating_sub(1)).min(BACK_OFF_CAP_MS), seed ^ u64::from(failures))
        }
    };
    Wake { at_ms: now_ms.saturating_add(delay), reason: WakeReason::BackOff, server_asked_ms: asked }
}

fn doubled(first_ms: u64, times: u32) -> u64 {
    first_ms.saturating_mul(1_u64.checked_shl(times.min(32)).unwrap_or(u64::MAX))
}

/// Between half of a delay and all of it.
fn jittered(delay_ms: u64, seed: u64) -> u64 {
    let half = delay_ms / 2;
    half + mix(seed) % (half + 1)
}

/// The finaliser of SplitMix64 (Steele, Lea and Flood, 2014): every bit of the seed moves every bit of the result.
fn mix(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A seed from the import's id.
#[must_use]
pub fn seed(id: &str) -> u64 {
    id.get(..16).and_then(|hex| u64::from_str_radix(hex, 16).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(retry_after: Option<&str>) -> Answer {
        let headers = retry_after.map(|v| ("retry-after".to_owned(), v.to_owned())).into_iter().collect();
        Answer { status: 202, headers, body: Vec::new(), cut: false }
    }

    #[test]
    fn polls_double_from_a_second_to_a_minute() {
        let delays: Vec<u64> = (0..9).map(|n| poll(&answer(None), n, 0, 600_000).at_ms / 1000).collect();
        assert_eq!(delays, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(poll(&answer(None), 40, 0, 5_000).at_ms, 5_000);
    }

    #[test]
    fn what_the_server_asks_is_kept_between_floor_and_longest_wait() {
        for (asked, wait) in [("0", 1_000), ("7", 7_000), ("7200", 600_000)] {
            assert_eq!(poll(&answer(Some(asked)), 0, 0, 600_000).at_ms, wait, "{asked}");
        }
        assert_eq!(poll(&answer(Some("120")), 0, 0, 1).at_ms, FLOOR_MS, "the floor also holds against the caller");
    }

    #[test]
    fn a_busy_server_is_waited_for_until_the_deadline() {
        assert_eq!(back_off(Some(&answer(Some("7200"))), 1, 0, 10_000_000, 1).at_ms, 7_200_000);
        assert_eq!(back_off(Some(&answer(Some("7200"))), 1, 0, 60_000, 1).at_ms, 60_000);
    }

    #[test]
    fn back_off_grows_within_its_jitter_and_repeats() {
        for failures in 1..12 {
            let full = (2_000_u64 << (failures - 1)).min(60_000);
            let wake = back_off(None, failures, 0, u64::MAX, 42);
            assert!((full / 2..=full).contains(&wake.at_ms), "{failures}: {}", wake.at_ms);
            assert_eq!(wake, back_off(None, failures, 0, u64::MAX, 42));
        }
    }
}
