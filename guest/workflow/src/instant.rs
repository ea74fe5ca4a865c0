//! Points in time as servers write them, and when an answer was made by the server's own clock.

use crate::exchange::Answer;

/// Unix milliseconds of a FHIR `instant` or `dateTime` with time (RFC 3339 §5.6): `2026-11-23T04:19:28.472+00:00`.
#[must_use]
pub fn parse(text: &str) -> Option<u64> {
    let (date, time) = text.split_once(['T', 't'])?;
    let (clock, offset_minutes) = split_offset(time)?;
    let mut fields = date.split('-').chain(clock.split(':'));
    let mut next = |low: i64, high: i64| number(fields.next()?).filter(|n| (low..=high).contains(n));
    let (year, month, day) = (next(1, 9999)?, next(1, 12)?, next(1, 31)?);
    let (hour, minute) = (next(0, 23)?, next(0, 59)?);
    let (second, fraction) = split_fraction(fields.next()?)?;
    if fields.next().is_some() || second > 60 {
        return None;
    }
    let minutes = (days(year, month, day) * 24 + hour) * 60 + minute - offset_minutes;
    u64::try_from((minutes * 60 + second) * 1000 + fraction).ok()
}

/// The time of day, and how many minutes it is ahead of UTC.
fn split_offset(time: &str) -> Option<(&str, i64)> {
    if let Some(clock) = time.strip_suffix(['Z', 'z']) {
        return Some((clock, 0));
    }
    let at = time.rfind(['+', '-'])?;
    let (hours, minutes) = time.get(at + 1..)?.split_once(':')?;
    let ahead = number(hours)? * 60 + number(minutes)?;
    Some((time.get(..at)?, if time.get(at..=at)? == "-" { -ahead } else { ahead }))
}

/// Seconds and milliseconds; what is finer is cut off.
fn split_fraction(second: &str) -> Option<(i64, i64)> {
    let (whole, fraction) = second.split_once('.').unwrap_or((second, "0"));
    let mut millis = 0;
    for place in 0..3 {
        let digit = fraction.as_bytes().get(place).copied().unwrap_or(b'0');
        millis = millis * 10 + number(std::str::from_utf8(&[digit]).ok()?)?;
    }
    Some((number(whole)?, millis))
}

fn number(digits: &str) -> Option<i64> {
    let all_digits = (1..=4).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    if all_digits { digits.parse().ok() } else { None }
}

/// Days since 1970-01-01 (Howard Hinnant, `days_from_civil`), for years from 1 on.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year / 400, year % 400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// Unix milliseconds as a FHIR `instant`, to the second.
#[must_use]
pub fn format(ms: u64) -> String {
    let seconds = ms / 1000;
    let (year, month, day) = civil(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// Year, month and day so many days after 1970-01-01 (Howard Hinnant, `civil_from_days`).
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days.saturating_add(719_468);
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march = (5 * day_of_year + 2) / 153;
    let month = if march < 10 { march + 3 } else { march - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day_of_year - (153 * march + 2) / 5 + 1)
}

/// When an answer was made, on the server's clock (`Date`), in Unix milliseconds.
#[must_use]
pub fn of_answer(answer: &Answer) -> Option<u64> {
    let date = httpdate::parse_http_date(answer.header("date")?).ok()?;
    u64::try_from(date.duration_since(std::time::UNIX_EPOCH).ok()?.as_millis()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_read_in_every_form_that_servers_write() {
        for (text, ms) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2026-11-23T04:19:28.472+00:00", 1_795_407_568_472),
            ("2026-11-23T05:19:28.4721234+01:00", 1_795_407_568_472),
            ("2026-11-22T20:49:28.4-07:30", 1_795_407_568_400),
            ("2000-02-29T12:34:56.007Z", 951_827_696_007),
            ("2100-03-01t00:00:00z", 4_107_542_400_000),
            ("2016-12-31T23:59:60Z", 1_483_228_800_000),
        ] {
            assert_eq!(parse(text), Some(ms), "{text}");
        }
    }

    #[test]
    fn what_is_no_instant_is_none() {
        for text in [
            "",
            "2026",
            "2026-11-23",
            "2026-11-23T04:19:28",
            "2026-13-23T04:19:28Z",
            "2026-00-01T00:00:00Z",
            "2026-11-32T04:19:28Z",
            "2026-11-23T24:00:00Z",
            "2026-11-23T04:60:00Z",
            "2026-11-23T04:19:61Z",
            "2026-11-23T04:19Z",
            "2026-11-23T04:19:28:10Z",
            "-026-11-23T04:19:28Z",
            "+026-11-23T04:19:28Z",
            "02026-11-23T04:19:28Z",
            "2026-11-23T04:19:2x.4Z",
            "2026-11-23T04:19:28.x7Z",
            "1969-12-31T23:59:59Z",
            "2026-11-23T04:19:28+0100",
            "é026-11-23T04:19:28Z",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn an_instant_that_was_written_is_read_again() {
        for (ms, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400_000, "2000-02-29T00:00:00Z"),
            (1_795_407_568_000, "2026-11-23T04:19:28Z"),
            (4_107_542_399_000, "2100-02-28T23:59:59Z"),
        ] {
            assert_eq!(format(ms), text);
            assert_eq!(parse(text), Some(ms));
        }
        assert_eq!(format(u64::MAX).len(), "584556019-04-03T14:25:51Z".len());
    }
}
