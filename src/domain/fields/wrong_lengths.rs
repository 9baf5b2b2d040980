//! Which digits no number of a country can have if it is written as the country dials it, because
//! there are too few or too many of them.
//!
//! `wrong_lengths.txt` has a line for each country: its alpha-2 code, its country code, and what
//! the phone library says about all numbers that begin with three digits in these ranges. Before
//! the ranges stands a sign for each count of digits from three on: `s` too short, `a` lacks its
//! area code, `u` shorter and longer numbers exist, `l` too long, `m` more than the library reads.
//! With `-` the count alone does not decide. The test below generates the file from the library's
//! own rules, and fails if it differs from them.

use std::sync::OnceLock;

use super::country_code::Country;
use super::country_lines::{CountryLine, HEADS, head_of};
use super::possible_numbers::Length;

/// The fewest digits that the list judges.
const FEWEST: usize = 3;

/// What the list says about the numbers of one country.
struct WrongLengths {
    code: &'static str,
    /// For each three leading digits, a sign for each count of digits.
    signs: [&'static [u8]; HEADS],
}

/// The line of each country is parsed when its first number is judged.
static WRONG_LENGTHS: [OnceLock<Option<Box<WrongLengths>>>; 256] = [const { OnceLock::new() }; 256];

/// Returns what is wrong with the count of digits that are written as a country dials them.
/// Returns `None` if only the phone library can decide. `lost_plus` is asked whether digits that
/// begin with the country's code may be a number in use that lost its plus.
pub(super) fn wrong_length_at_home(
    digits: &[u8],
    country: Country,
    lost_plus: impl FnOnce(&[u8]) -> bool,
) -> Option<Length> {
    let known = WRONG_LENGTHS[usize::from(country.index())].get_or_init(|| WrongLengths::of(country)).as_deref()?;
    let signs = known.signs[head_of(digits)?];
    let length = meaning(*signs.get(digits.len() - FEWEST)?)?;
    let begins_with_code = known.code.bytes().zip(digits).all(|(code, digit)| code == digit + b'0');
    if begins_with_code && lost_plus(digits) { None } else { Some(length) }
}

const fn meaning(sign: u8) -> Option<Length> {
    Some(match sign {
        b's' => Length::TooShort,
        b'a' => Length::Local,
        b'u' => Length::Unused,
        b'l' => Length::TooLong,
        b'm' => Length::TooManyToRead,
        _ => return None,
    })
}

impl WrongLengths {
    fn of(country: Country) -> Option<Box<Self>> {
        let line = CountryLine::of(include_str!("wrong_lengths.txt"), country)?;
        let signs = line.by_head::<&[u8]>(b"", |_, signs| Some(signs.as_bytes()))?;
        Some(Box::new(Self { code: line.code, signs }))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashMap};
    use std::fmt::Write as _;
    use std::rc::Rc;

    use rlibphonenumber::PhoneMetadata;

    use super::super::data_file;
    use super::super::dialing::{Dialed, Region};
    use super::super::phone_ranges::tests::known_to_the_library;
    use super::super::possible_numbers::MOST;
    use super::super::possible_numbers::tests::length_with_code;
    use super::*;

    /// The most digits that the list judges.
    const LONGEST: usize = 20;

    /// Run with `UPDATE=1` to write the list again.
    #[test]
    fn the_list_of_wrong_lengths_is_what_the_rules_of_the_library_say() {
        let mut lines = Vec::new();
        for known in known_to_the_library().into_values() {
            let main = Region::of(&known[0]);
            for known in known.iter().filter(|known| Country::plain(&known.id).is_some()) {
                lines.push(Reader::of(known, &main).line(&known.id));
            }
        }
        lines.sort();
        let head = "# Countries, their codes, and what counts of digits say about numbers that begin with these.\n";
        data_file::check("wrong_lengths.txt", format!("{head}{}\n", lines.join("\n")).as_bytes());
    }

    #[test]
    fn a_count_of_digits_is_judged_as_the_country_dials_them() {
        let judged = |digits: &str, country, lost_plus| {
            let digits: Vec<u8> = digits.bytes().map(|digit| digit - b'0').collect();
            wrong_length_at_home(&digits, Country::plain(country).unwrap(), |_| lost_plus)
        };
        for (digits, country, expected) in [
            ("41555526711", "US", Some(Length::TooLong)),
            ("415555267", "US", Some(Length::TooShort)),
            ("5552671", "US", Some(Length::Local)),
            ("4155552671", "US", None),
            ("0176123456781234", "DE", None),
            ("01761234567812345", "DE", Some(Length::TooLong)),
            ("0176123456781234567", "DE", Some(Length::TooManyToRead)),
            // It is dialed before a number to another country.
            ("0114155552671", "US", None),
            ("0049301234567890123", "DE", None),
            ("01", "DE", None),
            ("", "DE", None),
            ("0301234567", "AQ", None),
        ] {
            assert_eq!(judged(digits, country, false), expected, "{digits} in {country}");
            assert_eq!(judged(digits, country, true), expected, "{digits} in {country}");
        }
        let with_code = "491761234567812345";
        assert_eq!(judged(with_code, "DE", false), Some(Length::TooLong));
        assert_eq!(judged(with_code, "DE", true), None);
    }

    /// What the library says about the lengths of numbers that continue in a certain way, with a
    /// sign for each number of further digits.
    type Signs = Rc<Vec<u8>>;

    /// Says what the library says about the digits that a region dials.
    struct Reader {
        region: Region,
        /// Whether the library strips the same from numbers with and without their country code.
        strips_alike: bool,
        done: HashMap<Dialed, Signs>,
    }

    impl Reader {
        fn of(known: &PhoneMetadata, main: &Region) -> Self {
            let region = Region::of(known);
            let strips_alike = region.trunk_pattern == main.trunk_pattern;
            Self { region, strips_alike, done: HashMap::new() }
        }

        /// Returns the line of the list.
        fn line(&mut self, alpha2: &str) -> String {
            let mut heads = BTreeMap::<Signs, Vec<usize>>::new();
            // Two zeros may stand for a plus.
            for head in 10..1000 {
                heads.entry(self.about(head)).or_default().push(head);
            }
            let mut line = format!("{alpha2} {}", self.region.code);
            for (signs, heads) in heads.into_iter().filter(|(signs, _)| signs.iter().any(|sign| *sign != b'-')) {
                let signs = String::from_utf8(signs.to_vec()).unwrap();
                write!(line, " {signs}:{}", ranges(&heads)).unwrap();
            }
            line
        }

        fn about(&mut self, head: usize) -> Signs {
            let mut dialed = Some(self.region.beginning());
            for digit in [head / 100, head / 10 % 10, head % 10] {
                dialed = dialed.and_then(|dialed| self.region.follow(&dialed, digit));
            }
            self.signs(dialed, FEWEST)
        }

        fn signs(&mut self, dialed: Option<Dialed>, digits: usize) -> Signs {
            let Some(dialed) = dialed else { return Rc::new(vec![b'-'; LONGEST + 1 - digits]) };
            if let Some(done) = self.done.get(&dialed) {
                return Rc::clone(done);
            }
            let mut signs = vec![self.sign(&dialed)];
            if digits < LONGEST {
                let next = (0..10).map(|digit| self.signs(self.region.follow(&dialed, digit), digits + 1));
                signs.extend_from_slice(&next.reduce(common).unwrap());
            }
            let signs = Rc::new(signs);
            self.done.insert(dialed, Rc::clone(&signs));
            signs
        }

        fn sign(&self, dialed: &Dialed) -> u8 {
            let code = self.region.code.parse().unwrap();
            match self.left(dialed) {
                None | Some(..2) => b'-',
                Some(left) if left > MOST => b'm',
                Some(left) => match length_with_code(code, left) {
                    Length::TooShort => b's',
                    Length::Local => b'a',
                    Length::Unused => b'u',
                    Length::TooLong => b'l',
                    Length::Possible | Length::TooManyToRead => b'-',
                },
            }
        }

        /// Returns how many digits are left of a number after its country code. Returns `None` if
        /// that is not certain.
        fn left(&self, dialed: &Dialed) -> Option<usize> {
            if dialed.may_have_code {
                return None;
            }
            if let Some(after_code) = &dialed.after_code {
                if self.region.strips_something(after_code) {
                    return None;
                }
                if self.region.has_code(dialed, after_code) {
                    return self.strips_alike.then_some(dialed.digits - self.region.code.len());
                }
            }
            Some(dialed.digits - self.region.own_left_out(dialed)?)
        }
    }

    fn common(one: Signs, other: Signs) -> Signs {
        if one == other {
            return one;
        }
        Rc::new(one.iter().zip(&*other).map(|(one, other)| if one == other { *one } else { b'-' }).collect())
    }

    fn ranges(heads: &[usize]) -> String {
        let ranges = heads.chunk_by(|one, other| one + 1 == *other).map(|range| match range {
            [only] => format!("{only:03}"),
            range => format!("{:03}-{:03}", range[0], range[range.len() - 1]),
        });
        ranges.collect::<Vec<_>>().join(",")
    }
}
