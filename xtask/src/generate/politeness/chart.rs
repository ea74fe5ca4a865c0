//! A scatter on two logarithmic axes, as SVG that is readable on light and dark screens.

use std::fmt::Write;

use super::figures;
use super::policy::{Policy, Seen, Side};

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 520.0;
const LEFT: f64 = 76.0;
const RIGHT: f64 = 44.0;
const TOP: f64 = 24.0;
const BOTTOM: f64 = 60.0;

/// A logarithmic axis: powers of ten, and the pixels of the first and the last.
struct Axis {
    powers: (i32, i32),
    pixels: (f64, f64),
}

/// Polls of a job.
const X: Axis = Axis { powers: (0, 6), pixels: (LEFT, WIDTH - RIGHT) };
/// Seconds until its end is noticed; upwards is later.
const Y: Axis = Axis { powers: (-3, 3), pixels: (HEIGHT - BOTTOM, TOP) };

impl Axis {
    fn at(&self, value: f64) -> f64 {
        let (low, high) = (f64::from(self.powers.0), f64::from(self.powers.1));
        let (from, to) = self.pixels;
        from + (value.log10() - low) / (high - low) * (to - from)
    }

    fn ticks(&self) -> impl Iterator<Item = (f64, String)> {
        (self.powers.0..=self.powers.1).map(|power| {
            let value = 10_f64.powi(power);
            (self.at(value), tick(power))
        })
    }
}

fn tick(power: i32) -> String {
    match usize::try_from(power) {
        Ok(zeros) => format!("{}{}", 10_u32.pow((zeros % 3) as u32), " 000".repeat(zeros / 3)),
        Err(_) => format!("{:.1$}", 10_f64.powi(power), power.unsigned_abs() as usize),
    }
}

const STYLE: &str = "\
<style>
  .back { fill: #ffffff } .grid { stroke: #d8dee4 } text { fill: #1f2328; font: 13px sans-serif }
  .dot { fill: #57606a } .ours .dot { fill: #0550ae } .ours text { fill: #0550ae; font-weight: bold }
  @media (prefers-color-scheme: dark) {
    .back { fill: #0d1117 } .grid { stroke: #30363d } text { fill: #e6edf3 }
    .dot { fill: #9198a1 } .ours .dot { fill: #79c0ff } .ours text { fill: #79c0ff }
  }
</style>
";

/// The figure.
pub fn scatter(points: &[(&Policy, Seen)]) -> String {
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" \
         aria-labelledby=\"title\">\n<title id=\"title\">Polls made and delay until the end of a job is noticed, in the \
         mean of 1000 jobs of 10 seconds to 6 hours</title>\n{STYLE}<rect class=\"back\" width=\"100%\" height=\"100%\"/>\n"
    );
    svg += &axes();
    svg.extend(points.iter().map(|(policy, seen)| point(policy, *seen)));
    svg + "</svg>\n"
}

fn axes() -> String {
    let ((left, right), (bottom, top)) = (X.pixels, Y.pixels);
    let mut svg = String::new();
    for (x, value) in X.ticks() {
        line(&mut svg, (x, bottom), (x, top));
        text(&mut svg, (x, bottom + 20.0), "middle", &value);
    }
    for (y, value) in Y.ticks() {
        line(&mut svg, (left, y), (right, y));
        text(&mut svg, (left - 8.0, y + 4.0), "end", &format!("{value} s"));
    }
    let middle = f64::midpoint(left, right);
    text(&mut svg, (middle, HEIGHT - 12.0), "middle", "polls of a job (mean) — to the left: less work for the server");
    text(&mut svg, (left + 8.0, top + 18.0), "start", "end noticed after (mean) — below: earlier");
    svg
}

fn line(svg: &mut String, from: (f64, f64), to: (f64, f64)) {
    let ((x1, y1), (x2, y2)) = (from, to);
    // Writing to a String does not fail.
    let _ = writeln!(svg, "<line class=\"grid\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>");
}

fn text(svg: &mut String, at: (f64, f64), anchor: &str, words: &str) {
    let (x, y) = at;
    let _ = writeln!(svg, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{words}</text>");
}

fn point(policy: &Policy, seen: Seen) -> String {
    let (x, y) = (X.at(seen.polls), Y.at(seen.delay_s));
    let (class, radius) = if policy.is_ours() { (" class=\"ours\"", 7) } else { ("", 5) };
    let hover = format!("{}: {} polls, {} s", policy.name, figures(seen.polls), figures(seen.delay_s));
    let mut svg =
        format!("<g{class}><title>{hover}</title><circle class=\"dot\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{radius}\"/>\n");
    match policy.label {
        Side::Left => text(&mut svg, (x - 10.0, y + 4.0), "end", policy.name),
        Side::Right => text(&mut svg, (x + 10.0, y + 4.0), "start", policy.name),
    }
    svg + "</g>\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::politeness::policy::{ALL_JOBS, POLICIES};

    #[test]
    fn every_point_and_every_tick_lies_within_the_axes() {
        let ((left, right), (bottom, top)) = (X.pixels, Y.pixels);
        for policy in POLICIES {
            let seen = policy.over(ALL_JOBS);
            assert!((left..=right).contains(&X.at(seen.polls)), "{}: {seen:?}", policy.name);
            assert!((top..=bottom).contains(&Y.at(seen.delay_s)), "{}: {seen:?}", policy.name);
        }
        assert_eq!((X.at(1.0), X.at(1e6), Y.at(0.001), Y.at(1000.0)), (left, right, bottom, top));
    }

    #[test]
    fn ticks_are_numbers_that_people_write() {
        assert_eq!([-2, -1, 0, 3, 4, 6].map(tick), ["0.01", "0.1", "1", "1 000", "10 000", "1 000 000"]);
    }
}
