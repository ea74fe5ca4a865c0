//! How long to wait: polite by rule, not by luck.
//!
//! Polls double from one second to a minute, without jitter. What the server asks for replaces that, within the floor
//! and the caller's longest wait. Failed requests back off at least as far, so that a server in trouble never gets more
//! requests than a healthy one. Their jitter only adds, and comes from the import's id, so that many imports do not
//! return at once and the same import always decides the same.

use crate::exchange::Answer;
use crate::retry_after::asked_ms;
use crate::transition::{Wake, WakeReason};

/// No two polls of an import are closer than this.
pub const FLOOR_MS: u64 = 1_000;
/// Without a word from the server, polls come at least this often.
const POLL_CAP_MS: u64 = 60_000;
/// The first back-off after a failed request.
const BACK_OFF_MS: u64 = 2_000;
/// The longest back-off, before its jitter.
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
/// honoured up to the deadline; asking for less than the back-off does not shorten it.
#[must_use]
pub fn back_off(answer: Option<&Answer>, failures: u32, now_ms: u64, deadline_at_ms: u64, seed: u64) -> Wake {
    let asked = answer.and_then(|a| asked_ms(a, now_ms));
    let own =
        jittered(doubled(BACK_OFF_MS, failures.saturating_sub(1)).min(BACK_OFF_CAP_MS), seed ^ u64::from(failures));
    let left = deadline_at_ms.saturating_sub(now_ms);
    let delay = asked.map_or(own, |ms| ms.min(left).max(own));
    Wake { at_ms: now_ms.saturating_add(delay), reason: WakeReason::BackOff, server_asked_ms: asked }
}

/// The same wait, but not over before a time: for the poll after a failed one, the time at which a healthy job would
/// have been asked again. One server asks for two minutes between polls; that its proxy is broken is no reason to come
/// more often.
#[must_use]
pub fn no_sooner(mut wake: Wake, at_ms: u64) -> Wake {
    wake.at_ms = wake.at_ms.max(at_ms);
    wake
}

/// `first_ms` · 2^`times`, or the largest number there is.
fn doubled(first_ms: u64, times: u32) -> u64 {
    first_ms.saturating_mul(2_u64.saturating_pow(times))
}

/// A delay and up to half of it more.
fn jittered(delay_ms: u64, seed: u64) -> u64 {
    delay_ms + mix(seed) % (delay_ms / 2 + 1)
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

    const HOUR_MS: u64 = 3_600_000;

    fn answer(retry_after: Option<&str>) -> Answer {
        let headers = retry_after.map(|v| ("retry-after".to_owned(), v.to_owned())).into_iter().collect();
        Answer { status: 202, headers, body: Vec::new(), cut: false }
    }

    fn asking(seconds: &str) -> Answer {
        answer(Some(seconds))
    }

    #[test]
    fn polls_double_from_a_second_to_a_minute() {
        let delays: Vec<u64> = (0..9).map(|n| poll(&answer(None), n, 7, 600_000).at_ms - 7).collect();
        assert_eq!(delays, [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000]);
        for polls in [54, 55, 63, 64, u32::MAX] {
            assert_eq!(poll(&answer(None), polls, 0, 600_000).at_ms, 60_000, "{polls}");
        }
    }

    #[test]
    fn the_callers_longest_wait_holds_but_never_below_the_floor() {
        for (longest, wait) in [
            (0, 1_000),
            (1, 1_000),
            (1_000, 1_000),
            (1_001, 1_001),
            (59_999, 59_999),
            (60_001, 60_000),
            (u64::MAX, 60_000),
        ] {
            assert_eq!(poll(&answer(None), 40, 0, longest).at_ms, wait, "{longest}");
        }
        assert_eq!(poll(&asking("120"), 0, 0, 1).at_ms, FLOOR_MS);
    }

    #[test]
    fn what_the_server_asks_is_kept_between_floor_and_longest_wait() {
        for (asked, wait) in
            [("0", 1_000), ("1", 1_000), ("2", 2_000), ("120", 120_000), ("600", 600_000), ("601", 600_000)]
        {
            let wake = poll(&asking(asked), 30, 5, 600_000);
            assert_eq!(wake.at_ms, 5 + wait, "{asked}");
            assert_eq!(wake.server_asked_ms, Some(asked.parse::<u64>().unwrap() * 1_000));
            assert_eq!(wake.reason, WakeReason::Poll);
        }
    }

    #[test]
    fn a_poll_without_a_pause_of_its_own_comes_after_the_floor() {
        assert_eq!(soon(5), Wake { at_ms: 1_005, reason: WakeReason::Poll, server_asked_ms: None });
    }

    #[test]
    fn a_back_off_doubles_to_a_minute_and_its_jitter_repeats() {
        let delays: Vec<u64> = (0..9).map(|failures| back_off(None, failures, 9, u64::MAX, 42).at_ms - 9).collect();
        assert_eq!(delays, [2_152, 2_029, 4_172, 11_762, 19_615, 47_931, 89_123, 88_524, 88_916]);
        assert_eq!(back_off(None, u32::MAX, 0, 0, 42).at_ms, 71_682, "the deadline shortens only what is asked");
        assert_eq!(back_off(None, 1, 0, 0, 42).reason, WakeReason::BackOff);
    }

    #[test]
    fn jitter_adds_nothing_to_a_half_and_everything_between() {
        let reached =
            |delay_ms| (0..500).map(move |seed| jittered(delay_ms, seed)).collect::<std::collections::BTreeSet<_>>();
        assert_eq!(reached(0), [0].into());
        assert_eq!(reached(1), [1].into());
        assert_eq!(reached(10), (10..=15).collect());
    }

    #[test]
    fn the_mixer_is_the_published_one() {
        assert_eq!([0, 1, u64::MAX].map(mix), [0xe220a8397b1dcdaf, 0x910a2dec89025cc1, 0xe4d971771b652c20]);
    }

    #[test]
    fn a_busy_server_is_waited_for_until_the_deadline() {
        let wait = |asked, deadline| back_off(Some(&asking(asked)), 1, 1_000, deadline, 1).at_ms - 1_000;
        assert_eq!(wait("7200", 10_000_000), 7_200_000);
        assert_eq!(wait("7200", 7_201_000), 7_200_000);
        assert_eq!(wait("7200", 7_200_999), 7_199_999);
        assert_eq!(wait("7200", 61_000), 60_000);
        assert_eq!(back_off(Some(&asking("7200")), 1, 0, 1, 1).server_asked_ms, Some(7_200_000));
    }

    #[test]
    fn a_busy_server_that_asks_for_less_gets_the_back_off() {
        for failures in 0..9 {
            let own = back_off(None, failures, 1_000, u64::MAX, 1).at_ms;
            for deadline in [0, 1_000, u64::MAX] {
                assert_eq!(back_off(Some(&asking("0")), failures, 1_000, deadline, 1).at_ms, own);
                assert_eq!(back_off(Some(&asking("1")), failures, 1_000, deadline, 1).at_ms, own);
            }
        }
    }

    #[test]
    fn the_later_of_two_times_is_kept() {
        let wake = Wake { at_ms: 10, reason: WakeReason::BackOff, server_asked_ms: Some(3) };
        for (at_ms, kept) in [(9, 10), (10, 10), (11, 11)] {
            assert_eq!(no_sooner(wake.clone(), at_ms), Wake { at_ms: kept, ..wake.clone() });
        }
    }

    #[test]
    fn the_end_of_time_is_not_passed() {
        assert_eq!(poll(&answer(None), 0, u64::MAX, 1).at_ms, u64::MAX);
        assert_eq!(soon(u64::MAX - 1).at_ms, u64::MAX);
        assert_eq!(back_off(Some(&asking("99")), u32::MAX, u64::MAX - 1, u64::MAX, 1).at_ms, u64::MAX);
    }

    #[test]
    fn the_seed_is_the_first_half_of_the_id() {
        assert_eq!(seed("00112233445566778899aabbccddeeff"), 0x0011_2233_4455_6677);
        assert_eq!(seed("8899aabbccddeeff"), 0x8899_aabb_ccdd_eeff);
        for id in ["", "00112233", "001122334455667", "é011223344556677", "x0112233445566778899aabbccddeeff"] {
            assert_eq!(seed(id), 0, "{id}");
        }
    }

    /// Requests in an hour when every one is followed by a wait.
    fn requests(mut wait: impl FnMut(u32, u64) -> Wake) -> usize {
        let mut now_ms = 0;
        (0..)
            .take_while(|sent| {
                now_ms = wait(*sent, now_ms).at_ms;
                now_ms < HOUR_MS
            })
            .count()
    }

    #[test]
    fn a_server_where_everything_fails_gets_no_more_requests_than_a_healthy_one() {
        for seed in 0..1_000 {
            for (asked, running) in
                [(None, 0), (None, 3), (None, 40), (Some("1"), 0), (Some("30"), 9), (Some("120"), 9)]
            {
                let said = answer(asked);
                let healthy = requests(|sent, now| poll(&said, running + sent, now, 600_000));
                let every_ms = poll(&said, running, 0, 600_000).at_ms;
                for busy in [None, Some(asking("0")), Some(asking("1"))] {
                    let failing = requests(|sent, now| {
                        no_sooner(back_off(busy.as_ref(), sent + 1, now, HOUR_MS, seed), now + every_ms)
                    });
                    assert!(failing <= healthy, "seed {seed}, {asked:?}, {running}: {failing} > {healthy}");
                }
            }
        }
    }
}
