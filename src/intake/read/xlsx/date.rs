//! Dates and times, which a workbook stores as the number of days since a day.

use jiff::civil::{Date, DateTime};
use jiff::{SignedDuration, ToSpan as _};

/// The day from which a workbook counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum DayZero {
    /// The end of 1899, with a 29 February 1900 that did not exist.
    #[default]
    Of1900,
    Of1904,
}

/// The parts of a date that a number format shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct DateParts {
    pub(super) year: bool,
    pub(super) month: bool,
    pub(super) day: bool,
    pub(super) time: bool,
}

/// Returns a date, a time, or both, in ISO 8601. Whatever the format hides is said if it is not
/// zero. Returns `None` if the format shows only a part of a date, as `d-mmm` does, because then a
/// spreadsheet has probably made a date of something else; and if the number is not a certain day.
pub(super) fn iso(days: f64, parts: DateParts, zero: DayZero) -> Option<String> {
    let moment = moment(days, zero)?;
    let shows_date = parts.year || parts.month || parts.day;
    let date = moment.date();
    let time = moment.time();
    let has_time = time != jiff::civil::Time::midnight();
    match (shows_date, days < 1.0) {
        (false, true) => Some(time.to_string()),
        (true, false) if parts.year && parts.month && parts.day => {
            Some(if parts.time || has_time { moment.to_string() } else { date.to_string() })
        }
        _ => None,
    }
}

fn moment(days: f64, zero: DayZero) -> Option<DateTime> {
    const LAST_UNCERTAIN_OF_1900: f64 = 61.0;
    const END: f64 = 2_958_466.0;
    const MILLIS: f64 = 86_400_000.0;
    if !(0.0..END).contains(&days) {
        return None;
    }
    let is_date = days >= 1.0;
    let first = match zero {
        // Programs differ about the days before 1 March 1900.
        DayZero::Of1900 if is_date && days < LAST_UNCERTAIN_OF_1900 => return None,
        DayZero::Of1900 => Date::constant(1899, 12, 30),
        DayZero::Of1904 => Date::constant(1904, 1, 1),
    };
    let whole = days.trunc();
    #[expect(clippy::cast_possible_truncation, reason = "between 0 and 3 million, and 0 and 86.4 million")]
    let (whole, millis) = (whole as i64, ((days - whole) * MILLIS).round() as i64);
    let moment = first.to_datetime(jiff::civil::Time::midnight());
    moment.checked_add(whole.days()).ok()?.checked_add(SignedDuration::from_millis(millis)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATE: DateParts = DateParts { year: true, month: true, day: true, time: false };
    const BOTH: DateParts = DateParts { time: true, ..DATE };
    const TIME: DateParts = DateParts { year: false, month: false, day: false, time: true };

    #[test]
    fn dates_and_times_are_iso_and_nothing_of_them_is_hidden() {
        for (days, parts, zero, iso) in [
            (46_355.0, DATE, DayZero::Of1900, "2026-11-29"),
            (46_355.5, DATE, DayZero::Of1900, "2026-11-29T12:00:00"),
            (46_355.0, BOTH, DayZero::Of1900, "2026-11-29T00:00:00"),
            (44_893.0, DATE, DayZero::Of1904, "2026-11-29"),
            (61.0, DATE, DayZero::Of1900, "1900-03-01"),
            (0.75, TIME, DayZero::Of1900, "18:00:00"),
            (46_355.000_011_574, BOTH, DayZero::Of1900, "2026-11-29T00:00:01"),
        ] {
            assert_eq!(super::iso(days, parts, zero).as_deref(), Some(iso), "{days}");
        }
    }

    #[test]
    fn parts_of_dates_and_uncertain_days_are_none() {
        let day_month = DateParts { year: false, ..DATE };
        for (days, parts) in [
            (46_355.0, day_month),
            (60.0, DATE),
            (1.0, DATE),
            (-1.0, DATE),
            (3e6, DATE),
            (0.5, DATE),
            (1.5, TIME),
            (f64::NAN, DATE),
        ] {
            assert_eq!(iso(days, parts, DayZero::Of1900), None, "{days}");
        }
    }
}
