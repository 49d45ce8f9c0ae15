//! Wall-clock time as microseconds since 1970, and how it is written.

use std::time::{SystemTime, UNIX_EPOCH};

/// Microseconds since 1970-01-01 00:00:00 UTC.
pub(crate) fn now_micros() -> i64 {
    let elapsed = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(elapsed.as_micros()).unwrap_or(i64::MAX)
}

/// A moment split into the parts that people read (UTC).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Civil {
    year: i64,
    month: u32,
    day: u32,
    hour: u32,
    minute: u32,
    second: u32,
    milli: u32,
}

impl Civil {
    fn from_micros(micros: i64) -> Self {
        let seconds = micros.div_euclid(1_000_000);
        let milli = u32::try_from(micros.rem_euclid(1_000_000) / 1_000).unwrap_or(0);
        let of_day = u32::try_from(seconds.rem_euclid(86_400)).unwrap_or(0);
        // Days to civil date in the proleptic Gregorian calendar, counted in 400-year eras
        // that start on 1 March, so that the leap day is the last of its year.
        let days = seconds.div_euclid(86_400) + 719_468;
        let era = days.div_euclid(146_097);
        let day_of_era = days.rem_euclid(146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
        let month = if shifted_month < 10 {
            shifted_month + 3
        } else {
            shifted_month - 9
        };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        Civil {
            year,
            month: u32::try_from(month).unwrap_or(1),
            day: u32::try_from(day).unwrap_or(1),
            hour: of_day / 3_600,
            minute: of_day / 60 % 60,
            second: of_day % 60,
            milli,
        }
    }
}

/// `2026-01-31T23:59:58.123Z`, the form of IRCv3 server-time.
pub(crate) fn server_time(micros: i64) -> String {
    let c = Civil::from_micros(micros);
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
        c.year, c.month, c.day, c.hour, c.minute, c.second, c.milli
    )
}

/// `2026-01-31 23:59:58` (UTC), for people.
pub(crate) fn readable(micros: i64) -> String {
    let c = Civil::from_micros(micros);
    format!(
        "{:04}-{:02}-{:02} {:02}:{:02}:{:02}",
        c.year, c.month, c.day, c.hour, c.minute, c.second
    )
}

/// `23:59:58.123` (UTC), for log lines.
pub(crate) fn time_of_day(micros: i64) -> String {
    let c = Civil::from_micros(micros);
    format!(
        "{:02}:{:02}:{:02}.{:03}",
        c.hour, c.minute, c.second, c.milli
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_moments_are_written_as_calendars_write_them() {
        assert_eq!(server_time(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(server_time(951_782_400_000_000), "2000-02-29T00:00:00.000Z");
        assert_eq!(
            server_time(1_767_225_599_999_000),
            "2025-12-31T23:59:59.999Z"
        );
        assert_eq!(readable(1_767_225_600_000_000), "2026-01-01 00:00:00");
    }

    #[test]
    fn moments_before_1970_do_not_panic() {
        assert_eq!(server_time(-1_000), "1969-12-31T23:59:59.999Z");
    }
}
