//! Whether a number in E.164 that is not in use has a length that its country code has. It may be
//! newer than our tables.
//!
//! `possible_numbers.txt` has a line for each country code: the lengths of its numbers, the lengths
//! of numbers that lack their area code, and the first three digits after the code with which the
//! phone library takes a number as it is written. The test below generates the file from the
//! library's own rules, and fails if it differs from them.

use std::ops::RangeInclusive;
use std::sync::LazyLock;

use super::country_lines::ranges;

/// What the length of a number says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Length {
    Possible,
    /// The number lacks its area code.
    Local,
    TooShort,
    TooLong,
    /// Shorter and longer numbers exist.
    Unused,
    /// More than the phone library reads.
    TooManyToRead,
}

/// The lengths of the numbers with one country code.
struct Lengths {
    /// A bit for each possible length.
    possible: u32,
    local: u32,
    /// The first three digits of numbers that are taken as they are written.
    heads: Vec<RangeInclusive<u16>>,
}

/// Indexed by country code.
static LENGTHS: LazyLock<Vec<Option<Lengths>>> = LazyLock::new(|| {
    let mut table: Vec<_> = (0..1000).map(|_| None).collect();
    for line in include_str!("possible_numbers.txt").lines() {
        if let Some((code, lengths)) = Lengths::of(line) {
            table[code] = Some(lengths);
        }
    }
    table
});

/// The most digits after a country code that the phone library reads.
pub(super) const MOST: usize = 17;

/// Returns how many digits the country code has, and what the length of the number says. Returns
/// `None` if only the phone library can decide.
pub(super) fn length_of(digits: &[u8]) -> Option<(usize, Length)> {
    let mut code = 0;
    for (place, digit) in digits.iter().take(3).enumerate() {
        code = code * 10 + usize::from(*digit);
        if let Some(lengths) = LENGTHS.get(code).and_then(Option::as_ref) {
            return Some((place + 1, lengths.judge(&digits[place + 1..])?));
        }
    }
    None
}

impl Lengths {
    fn of(line: &str) -> Option<(usize, Self)> {
        let [code, possible, local, heads] = line.split(' ').collect::<Vec<_>>().try_into().ok()?;
        let bits = |lengths| ranges::<u32>(lengths).flatten().fold(0, |bits, length| bits | 1 << length);
        let lengths = Self { possible: bits(possible), local: bits(local), heads: ranges(heads).collect() };
        Some((code.parse().ok()?, lengths))
    }

    fn judge(&self, national: &[u8]) -> Option<Length> {
        let [a, b, c, ..] = *national else { return None };
        let head = u16::from(a) * 100 + u16::from(b) * 10 + u16::from(c);
        let is_as_written = self.heads.iter().any(|heads| heads.contains(&head));
        if !is_as_written || national.len() > MOST {
            return None;
        }
        Some(self.of_digits(national.len()))
    }

    /// Returns what a number of so many digits after the country code is, at most [`MOST`].
    const fn of_digits(&self, count: usize) -> Length {
        let length = 1 << count;
        if self.local & length != 0 {
            Length::Local
        } else if self.possible & length != 0 {
            Length::Possible
        } else if length < self.possible & self.possible.wrapping_neg() {
            Length::TooShort
        } else if length > self.possible {
            Length::TooLong
        } else {
            Length::Unused
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use regex_automata::dfa::Automaton as _;

    use super::super::data_file;
    use super::super::phone_ranges::tests::{Rule, beginning, known_to_the_library, matches_here, rule_of_beginnings};
    use super::*;

    /// Run with `UPDATE=1` to write the list again.
    #[test]
    #[expect(deprecated, reason = "the library empties these fields for itself; here they are as they were read")]
    fn the_list_of_possible_numbers_is_what_the_rules_of_the_library_say() {
        let mut list = "# Country codes, lengths, lengths without area code, first digits after the code.\n".to_owned();
        for (code, known) in known_to_the_library() {
            let main = known[0].general_desc.as_ref().unwrap();
            let [possible, local] = [&main.possible_length, &main.possible_length_local_only]
                .map(|lengths| written(lengths.iter().map(|length| u16::try_from(*length).unwrap())));
            let trunk = known[0].national_prefix_for_parsing.as_deref().map(rule_of_beginnings);
            let is_taken = |head: &u16| trunk.as_ref().is_none_or(|trunk| strips_nothing(trunk, *head));
            let heads = written((0..1000).filter(is_taken));
            list.push_str(&format!("{code} {possible} {local} {heads}\n"));
        }
        data_file::check("possible_numbers.txt", list.as_bytes());
    }

    #[test]
    fn a_length_is_judged_by_the_country_code() {
        let judged = |digits: &str| length_of(&digits.bytes().map(|digit| digit - b'0').collect::<Vec<_>>());
        for (digits, expected) in [
            ("14155552671", Some((1, Length::Possible))),
            ("1415555267", Some((1, Length::TooShort))),
            ("141555526712", Some((1, Length::TooLong))),
            ("15552671", Some((1, Length::Local))),
            // One of these could be dialed before the number.
            ("114155552671", None),
            ("490176", None),
            ("14", None),
            ("999123456", None),
            ("", None),
        ] {
            assert_eq!(judged(digits), expected, "{digits}");
        }
    }

    /// Returns what a number of so many digits after this country code is.
    pub(in crate::domain::fields) fn length_with_code(code: usize, count: usize) -> Length {
        LENGTHS[code].as_ref().unwrap().of_digits(count)
    }

    /// Whether the library strips nothing of any number that begins with these three digits.
    fn strips_nothing(trunk: &Rule, head: u16) -> bool {
        let mut state = beginning(trunk);
        for (before, digit) in format!("{head:03}").bytes().enumerate() {
            state = trunk.next_state(state, digit);
            // The automaton reports a match one digit late. Stripping nothing changes nothing.
            if before > 0 && trunk.is_match_state(state) {
                return false;
            }
        }
        trunk.is_dead_state(state) && !matches_here(trunk, state)
    }

    fn written(numbers: impl Iterator<Item = u16>) -> String {
        let mut ranges = Vec::<(u16, u16)>::new();
        for number in numbers {
            match ranges.last_mut() {
                Some((_, last)) if *last + 1 == number => *last = number,
                _ => ranges.push((number, number)),
            }
        }
        let written = |(first, last)| if first == last { format!("{first}") } else { format!("{first}-{last}") };
        let written = ranges.into_iter().map(written).collect::<Vec<_>>().join(",");
        if written.is_empty() { "-".to_owned() } else { written }
    }
}
