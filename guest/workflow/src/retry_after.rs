//! `Retry-After` in both forms (RFC 9110 §10.2.3).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::exchange::Answer;

/// The longest wait that is taken for meant seriously: ten years. More is as good as nothing said.
const ABSURD_MS: u64 = 10 * 365 * 24 * 3600 * 1000;

/// How long the server asks to wait, in milliseconds from now; a date in the past is 0. With several headers the
/// longest counts; what is neither a number of seconds nor an HTTP-date, or absurd, is as if it were not there.
#[must_use]
pub fn asked_ms(answer: &Answer, now_ms: u64) -> Option<u64> {
    answer.header_values("retry-after").filter_map(|value| parse(value, now_ms)).max()
}

fn parse(value: &str, now_ms: u64) -> Option<u64> {
    let ms = if !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit()) {
        value.parse::<u64>().ok()?.checked_mul(1000)?
    } else {
        until(httpdate::parse_http_date(value).ok()?, now_ms)
    };
    (ms <= ABSURD_MS).then_some(ms)
}

fn until(date: SystemTime, now_ms: u64) -> u64 {
    let at = date.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    u64::try_from(at.as_millis()).unwrap_or(u64::MAX).saturating_sub(now_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_read_and_nonsense_is_nothing() {
        let now = 784_111_777_000; // Sun, 06 Nov 1994 08:49:37 GMT
        let cases: [(&[&str], Option<u64>); 12] = [
            (&["120"], Some(120_000)),
            (&["0"], Some(0)),
            (&["Sun, 06 Nov 1994 08:50:37 GMT"], Some(60_000)),
            (&["Sunday, 06-Nov-94 08:50:37 GMT"], Some(60_000)),
            (&["Sun, 06 Nov 1994 08:00:00 GMT"], Some(0)),
            (&["-1"], None),
            (&["1000000000000"], None),
            (&["99999999999999999999999"], None),
            (&["NaN"], None),
            (&["1.5"], None),
            (&[""], None),
            (&["5", "120"], Some(120_000)),
        ];
        for (values, expected) in cases {
            let headers = values.iter().map(|v| ("Retry-After".to_owned(), (*v).to_owned())).collect();
            let answer = Answer { status: 202, headers, body: Vec::new(), cut: false };
            assert_eq!(asked_ms(&answer, now), expected, "{values:?}");
        }
    }
}
