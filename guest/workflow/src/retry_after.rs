//! `Retry-After` in both forms (RFC 9110 §10.2.3).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::exchange::Answer;

/// The longest wait that is taken for meant seriously: ten years. More is as good as nothing said.
const ABSURD_MS: u64 = 10 * 365 * 24 * 3600 * 1000;

/// How long the server asks to wait, in milliseconds from now; a date in the past is 0. With several headers the
/// longest counts; what is neither a number of seconds nor an HTTP-date, or absurd, is as if it were not there.
///
/// A date is one of the server's clock, which may be hours off. When the answer says what time it is there (`Date`), the
/// wait is the time between the two; `now_ms` counts when it does not.
#[must_use]
pub fn asked_ms(answer: &Answer, now_ms: u64) -> Option<u64> {
    let there_ms = answer.header("date").and_then(date_ms).unwrap_or(now_ms);
    answer.header_values("retry-after").filter_map(|value| parse(value, there_ms)).max()
}

fn parse(value: &str, now_ms: u64) -> Option<u64> {
    let ms = if !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit()) {
        value.parse::<u64>().ok()?.checked_mul(1000)?
    } else {
        date_ms(value)?.saturating_sub(now_ms)
    };
    (ms <= ABSURD_MS).then_some(ms)
}

/// An HTTP-date in Unix milliseconds; one before 1970 is 1970.
fn date_ms(value: &str) -> Option<u64> {
    let date: SystemTime = httpdate::parse_http_date(value).ok()?;
    let since = date.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    u64::try_from(since.as_millis()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pace::{FLOOR_MS, back_off, poll};

    /// Sun, 06 Nov 1994 08:49:37 GMT
    const NOW_MS: u64 = 784_111_777_000;
    const HOUR_MS: u64 = 3_600_000;

    fn answer(headers: &[(&str, &str)]) -> Answer {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Answer { status: 202, headers, body: Vec::new(), cut: false }
    }

    fn asks(values: &[&str]) -> Option<u64> {
        let headers: Vec<_> = values.iter().map(|value| ("Retry-After", *value)).collect();
        asked_ms(&answer(&headers), NOW_MS)
    }

    #[test]
    fn each_shape_is_read_or_as_if_it_were_not_there() {
        let shapes: [(&str, &[&str], Option<u64>); 24] = [
            ("seconds", &["120"], Some(120_000)),
            ("zero", &["0"], Some(0)),
            ("zeros in front", &["007"], Some(7_000)),
            ("negative", &["-1"], None),
            ("with a plus", &["+5"], None),
            ("absurd, 1e12", &["1000000000000"], None),
            ("absurd, in words of science", &["1e12"], None),
            ("ten years", &["315360000"], Some(ABSURD_MS)),
            ("a second more than ten years", &["315360001"], None),
            ("too large once it is milliseconds", &["18446744073709552"], None),
            ("too large for a number", &["99999999999999999999999"], None),
            ("not a number", &["NaN"], None),
            ("fractional", &["1.5"], None),
            ("empty", &[""], None),
            ("with spaces around", &[" 120\t"], Some(120_000)),
            ("with a space inside", &["1 20"], None),
            ("digits of another script", &["١٢"], None),
            ("two headers", &["5", "120"], Some(120_000)),
            ("two headers, one of them nonsense", &["soon", "5", "-3"], Some(5_000)),
            ("a date in the future", &["Sun, 06 Nov 1994 08:50:37 GMT"], Some(60_000)),
            ("a date in the past", &["Sun, 06 Nov 1994 08:00:00 GMT"], Some(0)),
            ("a date as in RFC 850", &["Sunday, 06-Nov-94 08:50:37 GMT"], Some(60_000)),
            ("a date as of asctime", &["Sun Nov  6 08:50:37 1994"], Some(60_000)),
            ("a date after ten years", &["Sat, 06 Nov 2004 08:50:37 GMT"], None),
        ];
        for (name, values, expected) in shapes {
            assert_eq!(asks(values), expected, "{name}");
        }
    }

    #[test]
    fn a_date_is_one_of_the_servers_clock() {
        let until = ("Retry-After", "Sun, 06 Nov 1994 12:00:30 GMT");
        let cases: [(&str, Option<&str>, u64); 7] = [
            ("three hours ahead of ours", Some("Sun, 06 Nov 1994 12:00:00 GMT"), 30_000),
            ("as RFC 850", Some("Sunday, 06-Nov-94 12:00:00 GMT"), 30_000),
            ("the same second", Some("Sun, 06 Nov 1994 12:00:30 GMT"), 0),
            ("past", Some("Sun, 06 Nov 1994 12:00:31 GMT"), 0),
            ("an hour behind", Some("Sun, 06 Nov 1994 11:00:30 GMT"), HOUR_MS),
            ("not said", None, 11_453_000),
            ("not understood", Some("noon"), 11_453_000),
        ];
        for (name, date, expected) in cases {
            let mut headers = vec![until];
            headers.extend(date.map(|date| ("date", date)));
            assert_eq!(asked_ms(&answer(&headers), NOW_MS), Some(expected), "{name}");
        }
    }

    #[test]
    fn seconds_are_seconds_on_every_clock() {
        let skewed = answer(&[("Date", "Thu, 01 Jan 1970 00:00:00 GMT"), ("Retry-After", "7")]);
        assert_eq!(asked_ms(&skewed, NOW_MS), Some(7_000));
        assert_eq!(asked_ms(&answer(&[]), NOW_MS), None);
    }

    #[test]
    fn whatever_is_said_the_wait_stays_between_floor_and_limit() {
        let seed = 0x5eed_u64;
        let mut random = seed;
        let mut draw = |below: usize| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(random >> 33).unwrap() % below
        };
        let pieces =
            ["0", "9", "-", "1e", ".", " ", "GMT", "Sun, 06 Nov 1994 08:49:38 GMT", "é", ":", ",", "NaN", "99999"];
        for round in 0..100_000 {
            let mut text = || (0..draw(5)).map(|_| pieces[draw(pieces.len())]).collect::<String>();
            let (first, second, date) = (text(), text(), text());
            let answer = answer(&[("Retry-After", &first), ("Date", &date), ("retry-after", &second)]);
            let context = format!("seed {seed:#x}, round {round}: {answer:?}");
            let wait = poll(&answer, 40, NOW_MS, 600_000).at_ms - NOW_MS;
            assert!((FLOOR_MS..=600_000).contains(&wait), "{context}: {wait}");
            let wait = back_off(Some(&answer), 3, NOW_MS, NOW_MS + HOUR_MS, round).at_ms - NOW_MS;
            assert!((FLOOR_MS..=HOUR_MS).contains(&wait), "{context}: {wait}");
        }
    }
}
