//! Points in time in the forms FHIR servers write them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A FHIR `instant` in UTC, as HAPI writes it: `2026-11-23T04:19:28.472+00:00`.
pub(crate) fn instant(at: SystemTime) -> String {
    let utc = Utc::of(at);
    format!("{}T{}.{:03}+00:00", utc.date(), utc.time(), utc.millis)
}

/// A FHIR `instant` in UTC with this many digits behind the second.
pub(crate) fn instant_to(at: SystemTime, digits: usize) -> String {
    let (utc, since) = (Utc::of(at), at.duration_since(UNIX_EPOCH).unwrap_or_default());
    let fraction = format!("{:09}", since.subsec_nanos());
    format!("{}T{}.{}+00:00", utc.date(), utc.time(), &fraction[..digits])
}

/// The form of HAPI's report, with the zeros at the end of the fraction left out: `2026-11-23 04:24:30.53`.
pub(crate) fn timestamp(at: SystemTime) -> String {
    let utc = Utc::of(at);
    let fraction = format!("{:03}", utc.millis);
    let fraction = fraction.trim_end_matches('0');
    format!("{} {}.{}", utc.date(), utc.time(), if fraction.is_empty() { "0" } else { fraction })
}

/// A span in the form of HAPI's report: milliseconds below ten seconds, else hours, minutes and seconds.
pub(crate) fn span(span: Duration) -> String {
    match span.as_secs() {
        0..10 => format!("{}ms", span.as_millis()),
        s => format!("{:02}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60),
    }
}

/// `Retry-After` with these seconds, as they are or as the HTTP-date they lead to from now.
pub(crate) fn retry_after(value: &str, as_date: bool, now: SystemTime) -> String {
    match value.parse() {
        Ok(seconds) if as_date => httpdate::fmt_http_date(now + Duration::from_secs(seconds)),
        _ => value.to_owned(),
    }
}

/// The point in time of `20150830T123600Z`, the basic form of ISO 8601 in UTC.
pub(crate) fn from_basic(text: &str) -> Option<SystemTime> {
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<u64>().ok();
    if text.len() != 16 || text.get(8..9) != Some("T") || !text.ends_with('Z') {
        return None;
    }
    let days = days(number(0, 4)?, number(4, 6)?, number(6, 8)?)?;
    let seconds = number(9, 11)? * 3600 + number(11, 13)? * 60 + number(13, 15)?;
    Some(UNIX_EPOCH + Duration::from_secs(days * 86_400 + seconds))
}

/// Days since 1970 (Howard Hinnant, `days_from_civil`). `None`: before that, or no month.
fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    let (year, march_month) = match month {
        1 | 2 => (year.checked_sub(1)?, month + 9),
        3..=12 => (year, month - 3),
        _ => return None,
    };
    let (cycle, year_of_cycle) = (year / 400, year % 400);
    let day_of_year = (153 * march_month + 2) / 5 + day.checked_sub(1)?;
    let day_of_cycle = year_of_cycle * 365 + year_of_cycle / 4 - year_of_cycle / 100 + day_of_year;
    (cycle * 146_097 + day_of_cycle).checked_sub(719_468)
}

struct Utc {
    year: u64,
    month: u64,
    day: u64,
    second_of_day: u64,
    millis: u32,
}

impl Utc {
    /// The civil calendar by the 400-year cycle that begins on 1 March (Howard Hinnant, `civil_from_days`).
    fn of(at: SystemTime) -> Self {
        let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
        let days = since.as_secs() / 86_400 + 719_468;
        let (cycle, day_of_cycle) = (days / 146_097, days % 146_097);
        let year_of_cycle =
            (day_of_cycle - day_of_cycle / 1_460 + day_of_cycle / 36_524 - day_of_cycle / 146_096) / 365;
        let day_of_year = day_of_cycle - (365 * year_of_cycle + year_of_cycle / 4 - year_of_cycle / 100);
        let march_month = (5 * day_of_year + 2) / 153;
        let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
        Self {
            year: year_of_cycle + cycle * 400 + u64::from(month <= 2),
            month,
            day: day_of_year - (153 * march_month + 2) / 5 + 1,
            second_of_day: since.as_secs() % 86_400,
            millis: since.subsec_millis(),
        }
    }

    fn date(&self) -> String {
        format!("{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }

    fn time(&self) -> String {
        let s = self.second_of_day;
        format!("{:02}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64, millis: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(seconds * 1000 + millis)
    }

    #[test]
    fn instants_follow_the_calendar() {
        assert_eq!(instant(at(0, 0)), "1970-01-01T00:00:00.000+00:00");
        assert_eq!(instant(at(951_827_696, 7)), "2000-02-29T12:34:56.007+00:00");
        assert_eq!(instant(at(1_795_407_568, 472)), "2026-11-23T04:19:28.472+00:00");
    }

    #[test]
    fn the_basic_form_is_read_back() {
        assert_eq!(from_basic("19700101T000000Z"), Some(at(0, 0)));
        assert_eq!(from_basic("20000229T123456Z"), Some(at(951_827_696, 0)));
        assert_eq!(from_basic("20150830T123600Z").map(instant).as_deref(), Some("2015-08-30T12:36:00.000+00:00"));
        for bad in ["", "20150830", "2015-08-30T12:36Z", "20151330T123600Z", "20150800T123600Z"] {
            assert_eq!(from_basic(bad), None, "{bad}");
        }
    }

    #[test]
    fn instants_have_the_digits_that_were_asked_for() {
        assert_eq!(instant_to(at(0, 38), 7), "1970-01-01T00:00:00.0380000+00:00");
    }

    #[test]
    fn timestamps_drop_zeros_at_the_end() {
        assert_eq!(timestamp(at(1_795_407_870, 530)), "2026-11-23 04:24:30.53");
        assert_eq!(timestamp(at(1_795_407_870, 0)), "2026-11-23 04:24:30.0");
    }

    #[test]
    fn spans_change_their_form_at_ten_seconds() {
        assert_eq!(span(Duration::from_millis(3_066)), "3066ms");
        assert_eq!(span(Duration::from_secs(120)), "00:02:00");
    }

    #[test]
    fn seconds_become_a_date_and_anything_else_stays() {
        let now = at(0, 0);
        assert_eq!(retry_after("60", true, now), "Thu, 01 Jan 1970 00:01:00 GMT");
        assert_eq!(retry_after("60", false, now), "60");
        assert_eq!(retry_after("soon", true, now), "soon");
    }
}
