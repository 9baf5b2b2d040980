//! Lists with a line for each country: its alpha-2 code, its country code, and marks for what its
//! numbers begin with, three digits each: `MARK:RANGES`, such as `0:100-129,140`.

use std::ops::RangeInclusive;
use std::str::FromStr;

use super::country_code::Country;

/// How many ways there are to begin with three digits.
pub(super) const HEADS: usize = 1000;

/// The line of one country.
pub(super) struct CountryLine {
    pub(super) code: &'static str,
    marks: &'static str,
}

impl CountryLine {
    /// Returns the line of a country, or `None` if the list has none.
    pub(super) fn of(list: &'static str, country: Country) -> Option<Self> {
        let line = list.lines().find_map(|line| line.strip_prefix(country.alpha2())?.strip_prefix(' '))?;
        let (code, marks) = line.split_once(' ')?;
        Some(Self { code, marks })
    }

    /// Returns a value for each head, which begins as `none` and takes each mark that holds for it.
    /// Returns `None` if the line cannot be read.
    pub(super) fn by_head<T: Copy>(&self, none: T, take: impl Fn(T, &'static str) -> Option<T>) -> Option<[T; HEADS]> {
        let mut heads = [none; HEADS];
        for part in self.marks.split(' ') {
            let (mark, list) = part.split_once(':')?;
            for range in ranges::<usize>(list) {
                for head in heads.get_mut(range)? {
                    *head = take(*head, mark)?;
                }
            }
        }
        Some(heads)
    }
}

/// Returns the number that the first three digits are, or `None` if there are fewer.
pub(super) fn head_of(digits: &[u8]) -> Option<usize> {
    let [a, b, c, ..] = *digits else { return None };
    Some(usize::from(a) * 100 + usize::from(b) * 10 + usize::from(c))
}

/// Parses `5-9,11`. A hyphen alone is nothing.
pub(super) fn ranges<T: FromStr>(list: &str) -> impl Iterator<Item = RangeInclusive<T>> {
    list.split(',').filter_map(|range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        Some(first.parse().ok()?..=last.parse().ok()?)
    })
}
