//! What reading back showed, and what that proves.

use serde::Serialize;

use crate::json::read::read_object;
use crate::plan::Plan;
use crate::report::Verdict;
use crate::table::{Table, as_object};

/// What reading back showed so far.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ReadBack {
    /// How many of the plan's samples were asked for, from the first on.
    pub asked: u32,
    /// Which of them are not there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<u32>,
    /// Which of them differ from what was sent.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub different: Vec<u32>,
    /// How many resources of a type the server has.
    #[serde(with = "as_object")]
    pub totals: Table<u64>,
    /// Which of the plan's types the server has fewer of than were sent.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub short: Vec<u32>,
    /// Why reading stopped early.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stopped: Option<String>,
}

/// What became of a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SampleSeen<'a> {
    /// Its type.
    pub resource_type: &'a str,
    /// It is there.
    pub found: bool,
    /// It is there and equal.
    pub equal: bool,
}

impl ReadBack {
    /// The verdict.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        if !self.missing.is_empty() || !self.short.is_empty() {
            Verdict::Missing
        } else if !self.different.is_empty() {
            Verdict::Differs
        } else if self.stopped.is_some() || (self.asked == 0 && self.totals.is_empty()) {
            Verdict::NotVerified
        } else {
            Verdict::Verified
        }
    }

    /// The references of the samples that are not there.
    pub fn missing_references<'a>(&'a self, plan: &'a Plan) -> impl Iterator<Item = String> + 'a {
        self.missing.iter().filter_map(|i| plan.samples.get(*i as usize)).map(|s| s.reference.clone())
    }

    /// What became of each sample that was asked for.
    pub fn samples<'a>(&'a self, plan: &'a Plan) -> impl Iterator<Item = SampleSeen<'a>> {
        (0..self.asked).zip(&plan.samples).map(|(i, sample)| {
            let found = !self.missing.contains(&i);
            let equal = found && !self.different.contains(&i);
            SampleSeen { resource_type: resource_type(&sample.reference), found, equal }
        })
    }

    /// What this proves, and what not.
    #[must_use]
    pub fn limits(&self, plan: &Plan) -> Vec<String> {
        let mut lines = Vec::new();
        if self.asked > 0 {
            lines.push(self.sample_limit(plan));
        }
        if !self.totals.is_empty() {
            lines.push(format!(
                "The server was asked how many resources it has of each type, and told it of {}: that shows a loss only \
                 where it had none of the type before.",
                self.totals.len()
            ));
        }
        if let Some(reason) = &self.stopped {
            lines.push(format!("Reading back stopped early: {reason}."));
        }
        if lines.is_empty() {
            lines.push("Nothing was read back: the outcome rests on the server's word alone.".to_owned());
        }
        lines
    }

    fn sample_limit(&self, plan: &Plan) -> String {
        let sent: u64 = plan.expected.iter().fold(0, |sum, e| sum.saturating_add(e.resources));
        let asked = self.asked;
        let compared = plan.samples.iter().all(|sample| !sample.fingerprint.is_empty());
        if sent == 0 || !compared {
            let how = if compared { "compared without meta and text" } else { "not all of them were compared" };
            return format!("{asked} resources were asked for by id; {how}.");
        }
        if u64::from(asked) >= sent {
            return format!("All resources ({asked}) were asked for by id and compared without meta and text.");
        }
        let (whole, tenths) = percent_in_tenths(visible_loss(asked));
        format!(
            "{asked} of {sent} resources, chosen by a hash of their ids, were asked for by id and compared without meta \
             and text: a random loss of {whole}.{tenths} % or more would have been seen with 95 % probability, a smaller \
             one may not.",
        )
    }
}

/// The smallest share that, lost at random, leaves at most a 5 % chance that `n` samples are all there.
fn visible_loss(n: u32) -> f64 {
    1.0 - 0.05_f64.powf(1.0 / f64::from(n))
}

/// A share between 0 and 1 as percent and tenths of a percent: formatting a float would be 16 kB of the component.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share times 1000 is at most 1000")]
fn percent_in_tenths(share: f64) -> (u32, u32) {
    let tenths = (share * 1000.0).round() as u32;
    (tenths / 10, tenths % 10)
}

/// The type of a reference `Type/id`.
#[must_use]
pub fn resource_type(reference: &str) -> &str {
    reference.split_once('/').map_or(reference, |(kind, _)| kind)
}

read_object!(ReadBack { asked, missing, different, totals, short, stopped });

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loss_that_samples_show_follows_from_their_number() {
        assert!((visible_loss(50) - 0.058).abs() < 0.001);
        assert!((visible_loss(1) - 0.95).abs() < 0.001);
    }

    #[test]
    fn a_share_is_shown_in_tenths_of_a_percent() {
        for (share, shown) in [(0.0, (0, 0)), (0.058_2, (5, 8)), (0.949_96, (95, 0)), (1.0, (100, 0))] {
            assert_eq!(percent_in_tenths(share), shown, "{share}");
        }
    }

    #[test]
    fn missing_weighs_more_than_different() {
        let mut seen = ReadBack::default();
        assert_eq!(seen.verdict(), Verdict::NotVerified);
        seen.asked = 2;
        assert_eq!(seen.verdict(), Verdict::Verified);
        seen.different.push(0);
        assert_eq!(seen.verdict(), Verdict::Differs);
        seen.missing.push(1);
        assert_eq!(seen.verdict(), Verdict::Missing);
    }
}
