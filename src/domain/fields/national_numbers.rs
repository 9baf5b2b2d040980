//! How a number is read that is written as its own country dials it: which of its first digits are
//! only dialed and are not part of the number.
//!
//! `national_numbers.txt` has a line for each country: its alpha-2 code, its country code, and how
//! many digits to leave out if the first three digits are in these ranges. It has three digits only
//! if the phone library reads every number in use that begins with them in this way, and if they
//! have no other meaning that the library would accept. The test below generates the file from the
//! library's own rules, and fails if it differs from them.

use std::sync::OnceLock;

use super::country_code::Country;
use super::country_lines::{CountryLine, HEADS, head_of};
use super::phone_ranges::RangePlace;

/// The most digits of a number with what is dialed before it.
pub(super) const LONGEST: usize = 18;

/// How the numbers of one country are dialed.
struct DialPlan {
    country_code: u64,
    /// The place after the country code.
    place: RangePlace,
    /// For each three leading digits, a bit for each number of digits to leave out. Of several, at
    /// most one leads to a number in use.
    left_out: [u8; HEADS],
}

/// The line of each country is parsed when its first number is read.
static DIAL_PLANS: [OnceLock<Option<Box<DialPlan>>>; 256] = [const { OnceLock::new() }; 256];

/// Returns the number in E.164 that these digits mean in a country, if it is in use. Returns `None`
/// if only the phone library can decide.
pub(super) fn in_use_at_home(digits: &[u8], country: Country) -> Option<u64> {
    let plan = DIAL_PLANS[usize::from(country.index())].get_or_init(|| DialPlan::of(country)).as_deref()?;
    let left_out = plan.left_out[head_of(digits)?];
    (0..=MOST_LEFT_OUT).filter(|count| left_out & 1 << count != 0).find_map(|count| plan.in_use(&digits[count..]))
}

/// The most digits that are left out.
const MOST_LEFT_OUT: usize = 3;

impl DialPlan {
    fn of(country: Country) -> Option<Box<Self>> {
        let line = CountryLine::of(include_str!("national_numbers.txt"), country)?;
        let country_code: u16 = line.code.parse().ok()?;
        let left_out = line.by_head(0, |known, count| Some(known | 1 << count.parse::<u8>().ok()?))?;
        Some(Box::new(Self {
            country_code: country_code.into(),
            place: RangePlace::after_code(country_code)?,
            left_out,
        }))
    }

    /// Returns the number with these digits after the country code.
    fn in_use(&self, digits: &[u8]) -> Option<u64> {
        let (mut place, mut number) = (self.place, self.country_code);
        for digit in digits {
            // All paths through the table are short, so the number cannot overflow.
            place = place.after(usize::from(*digit))?;
            number = number * 10 + u64::from(*digit);
        }
        place.is_in_use().then_some(number)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::fmt::Write as _;

    use super::super::data_file;
    use super::super::dialing::{Dialed, Region};
    use super::super::phone_ranges::tests::known_to_the_library;
    use super::*;

    /// Run with `UPDATE=1` to write the list again.
    #[test]
    fn the_list_of_national_numbers_is_what_the_rules_of_the_library_say() {
        let mut lines = Vec::new();
        for known in known_to_the_library().into_values().flatten() {
            if let Some(line) = Country::plain(&known.id).and_then(|_| Region::of(&known).line(&known.id)) {
                lines.push(line);
            }
        }
        lines.sort();
        let head = "# Countries, their codes, and how many digits to leave out of a number that begins with these.\n";
        let list = format!("{head}{}\n", lines.join("\n"));
        data_file::check("national_numbers.txt", list.as_bytes());
    }

    #[test]
    fn what_is_not_surely_a_number_in_use_is_left_to_the_library() {
        let read = |digits: &str, country| {
            let digits: Vec<u8> = digits.bytes().map(|digit| digit - b'0').collect();
            in_use_at_home(&digits, Country::plain(country).unwrap())
        };
        for (digits, country, expected) in [
            ("01761234567", "DE", Some(491_761_234_567)),
            ("1761234567", "DE", Some(491_761_234_567)),
            ("4155552671", "US", Some(14_155_552_671)),
            ("14155552671", "CA", Some(14_155_552_671)),
            ("0669812345", "IT", Some(390_669_812_345)),
            ("89123456789", "RU", Some(79_123_456_789)),
            ("06201234567", "HU", Some(36_201_234_567)),
            ("0620123456", "HU", None),
            // With its country code it is a mobile number, without it a number in Leer.
            ("4915123456789", "DE", None),
            ("004930123456", "DE", None),
            ("0176", "DE", None),
            ("01", "DE", None),
            ("", "DE", None),
            ("0301234567", "AQ", None),
        ] {
            assert_eq!(read(digits, country), expected, "{digits} in {country}");
        }
    }

    /// Whether the library reads all numbers that continue in a certain way as the table does.
    #[derive(Clone, Copy, PartialEq, Eq)]
    enum Agreement {
        /// No number in use continues in this way.
        NoNumber,
        Yes,
        No,
    }

    impl Region {
        /// Returns the line of the list. `None` if the library must read all numbers.
        fn line(&self, alpha2: &str) -> Option<String> {
            let mut line = format!("{alpha2} {}", self.code);
            for left_out in 0..=MOST_LEFT_OUT {
                let mut done = HashMap::new();
                let heads: Vec<_> = (0..1000).map(|head| self.agreement_about(head, left_out, &mut done)).collect();
                let ranges = ranges(&heads);
                if !ranges.is_empty() {
                    write!(line, " {left_out}:{}", ranges.join(",")).unwrap();
                }
            }
            line.contains(':').then_some(line)
        }

        fn agreement_about(
            &self,
            head: usize,
            left_out: usize,
            done: &mut HashMap<(RangePlace, Dialed), Agreement>,
        ) -> Agreement {
            // Two zeros may stand for a plus.
            if head < 10 {
                return Agreement::No;
            }
            let mut place = RangePlace::after_code(self.code.parse().unwrap());
            let mut dialed = Some(self.beginning());
            for (index, digit) in [head / 100, head / 10 % 10, head % 10].into_iter().enumerate() {
                if index >= left_out {
                    place = place.and_then(|place| place.after(digit));
                }
                dialed = dialed.and_then(|dialed| self.follow(&dialed, digit));
            }
            match (place, dialed) {
                (None, _) => Agreement::NoNumber,
                (Some(_), None) => Agreement::No,
                (Some(place), Some(dialed)) => self.agreement(place, dialed, left_out, done),
            }
        }

        /// Follows all numbers in use from here on.
        fn agreement(
            &self,
            place: RangePlace,
            dialed: Dialed,
            left_out: usize,
            done: &mut HashMap<(RangePlace, Dialed), Agreement>,
        ) -> Agreement {
            let key = (place, dialed);
            if let Some(found) = done.get(&key) {
                return *found;
            }
            let (_, dialed) = &key;
            let mut found = Agreement::NoNumber;
            if place.is_in_use() {
                found = if self.left_out(dialed) == Some(left_out) { Agreement::Yes } else { Agreement::No };
            }
            for digit in 0..10 {
                let Some(place) = place.after(digit).filter(|_| found != Agreement::No) else { continue };
                let next = match self.follow(dialed, digit) {
                    Some(dialed) => self.agreement(place, dialed, left_out, done),
                    None => Agreement::No,
                };
                found = if next == Agreement::NoNumber { found } else { next };
            }
            done.insert(key, found);
            found
        }

        /// Returns how many digits the library leaves out of a number that is in use without them.
        /// Returns `None` if that is not certain, or if the library may find two meanings.
        fn left_out(&self, dialed: &Dialed) -> Option<usize> {
            let own = self.own_left_out(dialed)?;
            let Some(after_code) = &dialed.after_code else {
                return if dialed.may_have_code { None } else { Some(own) };
            };
            // The digits may have lost their plus, and the library may see that.
            let code = self.code.len();
            let is_code_left_out = self.has_code(dialed, after_code) || own == code;
            (self.stripped(after_code)? == 0 && is_code_left_out).then_some(code)
        }
    }

    /// Returns the ranges of heads with agreement, across those without a number.
    fn ranges(heads: &[Agreement]) -> Vec<String> {
        let mut ranges = Vec::<(usize, usize)>::new();
        let mut is_open = false;
        for (head, agreement) in heads.iter().enumerate() {
            match (agreement, ranges.last_mut()) {
                (Agreement::Yes, Some((_, last))) if is_open => *last = head,
                (Agreement::Yes, _) => {
                    ranges.push((head, head));
                    is_open = true;
                }
                (Agreement::No, _) => is_open = false,
                (Agreement::NoNumber, _) => {}
            }
        }
        let written = |(first, last): (usize, usize)| {
            if first == last { format!("{first:03}") } else { format!("{first:03}-{last:03}") }
        };
        ranges.into_iter().map(written).collect()
    }
}
