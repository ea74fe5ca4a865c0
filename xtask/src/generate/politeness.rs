//! How often a job is asked for, and how late its end is noticed: this program beside others, simulated.

mod chart;
mod policy;

use fhir_import_workflow::pace::back_off;

use super::{head, row};
use policy::{ALL_JOBS, POLICIES, Policy, Seen, better_than_ours, healthy_wait_ms};

const INTRODUCTION: &str = "\
# Politeness

Who asks a server often notices the end of a job early, and costs the server work. Here both are counted for the rule of
this program and for those that other tools for bulk jobs have in their code or their documentation, at a server that does
not say how often it wants to be asked. If it does (`Retry-After`), this program does what it says; of the others, some do.

![Polls made and delay until the end is noticed, one point for each rule](politeness.svg)

";

const JOBS: &str = "\
1000 jobs of 10 seconds to 6 hours, as many between 10 and 20 seconds as between 1 and 2 hours. An answer takes no time,
except for the rule without a pause: there each takes 20 ms.

";

const BUSY: &str = "
## When everything fails

Requests for the status of a job in one hour at a server that does not say how often it wants to be asked: when it is
healthy, and when every request fails and none says how long to wait (the most of 1000 imports, as each has a jitter of
its own). A server in trouble gets no more requests than a healthy one.

";

/// The page.
pub fn page() -> String {
    let mut page = INTRODUCTION.to_owned() + JOBS;
    page += &head(["rule", "seen in", "polls of a job", "end noticed after", "of the job's length"]);
    for policy in POLICIES {
        let seen = policy.over(ALL_JOBS);
        let cells = [figures(seen.polls), format!("{} s", figures(seen.delay_s)), format!("{} %", figures(seen.share))];
        let [polls, delay, share] = cells.each_ref().map(String::as_str);
        page += &row([&emphasised(policy), policy.seen_in, polls, delay, share]);
    }
    page + "\nAll numbers are means.\n\n" + &rivals() + BUSY + &busy()
}

/// Whether another rule would be better in both numbers, if it were known how long jobs take.
fn rivals() -> String {
    let mut table = head(["jobs of", "fewer polls and an earlier notice"]);
    for (name, jobs_s) in [
        ("10 seconds to 6 hours", ALL_JOBS),
        ("10 seconds to 1 minute", (10.0, 60.0)),
        ("1 to 30 minutes", (60.0, 1_800.0)),
        ("30 minutes to 6 hours", (1_800.0, 21_600.0)),
    ] {
        let better = better_than_ours(jobs_s);
        table += &row([name, &if better.is_empty() { "none of these".to_owned() } else { better.join("; ") }]);
    }
    table
}

/// The figure.
pub fn figure() -> String {
    let points: Vec<(&Policy, Seen)> = POLICIES.iter().map(|policy| (policy, policy.over(ALL_JOBS))).collect();
    chart::scatter(&points)
}

fn emphasised(policy: &Policy) -> String {
    if policy.is_ours() { format!("**{}**", policy.name) } else { policy.name.to_owned() }
}

/// Two figures that count, or all before the point.
fn figures(value: f64) -> String {
    match value {
        v if v >= 9.95 => format!("{v:.0}"),
        v if v >= 0.995 => format!("{v:.1}"),
        v if v >= 0.0995 => format!("{v:.2}"),
        v => format!("{v:.3}"),
    }
}

const HOUR_MS: u64 = 3_600_000;

fn busy() -> String {
    let mut table = head(["the job", "healthy", "all requests fail", "ratio"]);
    for (name, polls) in [("was just accepted", 0), ("was polled 5 times", 5), ("was polled 50 times", 50)] {
        let (healthy, failing) = amplification(polls);
        let ratio = format!("{:.2}", f64::from(failing) / f64::from(healthy));
        table += &row([name, &healthy.to_string(), &failing.to_string(), &ratio]);
    }
    table
}

/// Requests in the hour after so many polls: of a healthy server, and of one where everything fails, at most.
fn amplification(polls: u32) -> (u32, u32) {
    let healthy = requests(|sent, _| healthy_wait_ms(polls + sent));
    // The wait that is running when the trouble begins is a healthy one.
    let failing = (0..1000).map(|seed| {
        requests(|sent, now_ms| match sent {
            0 => healthy_wait_ms(polls),
            failures => back_off(None, failures, now_ms, u64::MAX, seed).at_ms - now_ms,
        })
    });
    (healthy, failing.max().unwrap_or(0))
}

fn requests(wait_ms: impl Fn(u32, u64) -> u64) -> u32 {
    let (mut sent, mut now_ms) = (0, 0);
    loop {
        now_ms += wait_ms(sent, now_ms);
        if now_ms >= HOUR_MS {
            return sent;
        }
        sent += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_other_rule_is_better_in_both_polls_and_delay() {
        assert_eq!(better_than_ours(ALL_JOBS), [""; 0]);
    }

    #[test]
    fn a_server_in_trouble_gets_at_most_a_tenth_more() {
        for polls in 0..100 {
            let (healthy, failing) = amplification(polls);
            assert!(10 * failing <= 11 * healthy, "after {polls} polls: {failing} instead of {healthy}");
        }
    }

    #[test]
    fn two_figures_are_enough() {
        let shown = [0.0123, 0.25, 4.96, 12.4, 140_600.2].map(figures);
        assert_eq!(shown, ["0.012", "0.25", "5.0", "12", "140600"]);
    }
}
