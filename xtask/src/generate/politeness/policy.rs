//! Rules of waiting between polls, and what they cost over jobs of all lengths.

use fhir_import_workflow::exchange::Answer;
use fhir_import_workflow::pace;

/// A rule, and who has it.
pub struct Policy {
    pub name: &'static str,
    pub seen_in: &'static str,
    /// Where its label stands in the figure.
    pub label: Side,
    waits: Waits,
}

/// A side of a point.
#[derive(Clone, Copy)]
pub enum Side {
    Left,
    Right,
}

enum Waits {
    /// The real `pace::poll`.
    Ours,
    Every(u64),
    /// From the first number of milliseconds, doubled until it is the second.
    Doubling(u64, u64),
}

use Side::{Left, Right};
use Waits::{Doubling, Every, Ours};

const fn policy(name: &'static str, seen_in: &'static str, waits: Waits, label: Side) -> Policy {
    Policy { name, seen_in, label, waits }
}

pub const POLICIES: &[Policy] = &[
    policy("this program", "`guest/workflow/src/pace.rs`", Ours, Right),
    policy("no pause", "HAPI FHIR CLI `bulk-import`", Every(20), Right),
    policy("every 200 ms", "bulk-data-client, without `Retry-After`", Every(200), Right),
    policy("every 500 ms", "octofhir `test-import.ts`", Every(500), Right),
    policy("every 2 s", "(for comparison)", Every(2_000), Right),
    policy("every 5 s", "bulk-submit-provider; bulk_fhir_tools, without `Retry-After`", Every(5_000), Right),
    policy("0.1 s doubling to 12.8 s", "blazectl", Doubling(100, 12_800), Left),
    policy("1 s doubling to 10 s", "(for comparison)", Doubling(1_000, 10_000), Right),
    policy("every 30 s", "bulk_fhir_tools (store import), Microsoft RegisterAndMonitorImport", Every(30_000), Right),
    policy("every 60 s", "smart-fetch, without `Retry-After`", Every(60_000), Left),
    policy("every 100 s", "fwoa-tools `migrationImport`", Every(100_000), Right),
    policy("every 120 s", "AWS HealthLake waiter, Kestra", Every(120_000), Left),
    policy(
        "1 s doubling to 600 s",
        "Inferno bulk-data-test-kit, without `Retry-After`",
        Doubling(1_000, 600_000),
        Right,
    ),
];

/// What a rule costs, in the mean of some jobs.
#[derive(Debug, Clone, Copy)]
pub struct Seen {
    pub polls: f64,
    /// From the end of the job until it is noticed, in seconds.
    pub delay_s: f64,
    /// The same in percent of the job's length.
    pub share: f64,
}

impl Seen {
    /// Fewer polls and an earlier notice, or as many and as early.
    pub fn beats(&self, other: &Self) -> bool {
        self.polls <= other.polls && self.delay_s <= other.delay_s
    }
}

/// From the shortest to the longest job, in seconds.
pub const ALL_JOBS: (f64, f64) = (10.0, 21_600.0);

const JOBS: u32 = 1_000;

/// Log-uniform, and no multiple of anybody's interval.
fn jobs_ms((shortest_s, longest_s): (f64, f64)) -> impl Iterator<Item = u64> {
    (0..JOBS).map(move |job| {
        let length_s = shortest_s * (longest_s / shortest_s).powf((f64::from(job) + 0.5) / f64::from(JOBS));
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 10^4 and 10^8")]
        let length_ms = (length_s * 1000.0).round() as u64;
        length_ms
    })
}

/// The rules that beat this program's over jobs between two lengths in seconds.
pub fn better_than_ours(jobs_s: (f64, f64)) -> Vec<&'static str> {
    let ours: Vec<Seen> = POLICIES.iter().filter(|policy| policy.is_ours()).map(|policy| policy.over(jobs_s)).collect();
    let others = POLICIES.iter().filter(|policy| !policy.is_ours());
    others.filter(|policy| ours.iter().any(|ours| policy.over(jobs_s).beats(ours))).map(|policy| policy.name).collect()
}

impl Policy {
    pub fn is_ours(&self) -> bool {
        matches!(self.waits, Ours)
    }

    /// What it costs over jobs between two lengths in seconds.
    pub fn over(&self, jobs_s: (f64, f64)) -> Seen {
        let mut sum = Seen { polls: 0.0, delay_s: 0.0, share: 0.0 };
        for job_ms in jobs_ms(jobs_s) {
            let (polls, noticed_ms) = self.follow(job_ms);
            let (delay_ms, job_ms) = ((noticed_ms - job_ms) as f64, job_ms as f64);
            sum.polls += polls as f64;
            sum.delay_s += delay_ms / 1000.0;
            sum.share += 100.0 * delay_ms / job_ms;
        }
        let jobs = f64::from(JOBS);
        Seen { polls: sum.polls / jobs, delay_s: sum.delay_s / jobs, share: sum.share / jobs }
    }

    /// Polls until the end of a job of this length is noticed, and when that is.
    fn follow(&self, job_ms: u64) -> (u64, u64) {
        if let Every(every_ms) = self.waits {
            let polls = job_ms.div_ceil(every_ms);
            return (polls, polls * every_ms);
        }
        let (mut polls, mut now_ms) = (0, 0);
        while now_ms < job_ms {
            now_ms += self.wait_ms(polls);
            polls += 1;
        }
        (u64::from(polls), now_ms)
    }

    fn wait_ms(&self, polls: u32) -> u64 {
        match self.waits {
            Ours => healthy_wait_ms(polls),
            Every(every_ms) => every_ms,
            Doubling(first_ms, last_ms) => first_ms.saturating_mul(2_u64.saturating_pow(polls)).min(last_ms),
        }
    }
}

/// What this program waits after so many polls. The first poll is not counted: the answer to the kick-off leads to it.
pub fn healthy_wait_ms(polls: u32) -> u64 {
    let running = Answer { status: 202, headers: Vec::new(), body: Vec::new(), cut: false };
    pace::poll(&running, polls.saturating_sub(1), 0, 600_000).at_ms
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str) -> &'static Policy {
        POLICIES.iter().find(|policy| policy.name == name).unwrap()
    }

    #[test]
    fn a_job_is_followed_to_the_poll_that_notices_its_end() {
        assert_eq!(named("every 30 s").follow(30_000), (1, 30_000));
        assert_eq!(named("every 30 s").follow(30_001), (2, 60_000));
        assert_eq!(named("1 s doubling to 10 s").follow(16_000), (5, 25_000));
        assert_eq!(named("this program").follow(16_001), (6, 32_000));
        assert_eq!(named("this program").follow(300_000), (11, 304_000));
    }

    #[test]
    fn jobs_are_as_long_as_it_says() {
        let jobs: Vec<u64> = jobs_ms(ALL_JOBS).collect();
        let short = jobs.iter().filter(|job| (10_000..20_000).contains(*job)).count();
        let long = jobs.iter().filter(|job| (3_600_000..7_200_000).contains(*job)).count();
        assert!(jobs[0] >= 10_000 && jobs[999] <= 21_600_000 && short.abs_diff(long) <= 1, "{short} {long}");
    }
}
