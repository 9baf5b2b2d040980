//! How the phone library reads digits as a region dials them, digit by digit. For the tests that
//! generate tables from its rules.

use regex_automata::dfa::Automaton as _;
use regex_automata::util::{primitives::StateID, syntax};
use regex_syntax::hir::{Hir, HirKind};
use rlibphonenumber::{PhoneMetadata, PhoneNumberDesc};

use super::phone_ranges::tests::{Rule, beginning, matches_here, rule, rule_of_one_beginning, without_anchors};

/// What the library knows about reading the numbers of a region.
pub(super) struct Region {
    pub(super) code: String,
    general: Rule,
    lengths: Vec<i32>,
    /// Lengths of numbers without their area code.
    local_lengths: Vec<i32>,
    /// What is dialed before a number to another country.
    international: Option<Rule>,
    /// What is dialed before a number of the country itself.
    trunk: Option<Rule>,
    /// The pattern of `trunk`.
    pub(super) trunk_pattern: Option<String>,
    /// If the library can replace what it strips, the fewest digits that it keeps for that.
    shortest_kept: Option<usize>,
}

/// How a region reads digits so far.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Dialed {
    pub(super) digits: usize,
    international: Option<StateID>,
    pub(super) own: Stripping,
    /// How the digits after the country code are read, if the digits began with it.
    pub(super) after_code: Option<Stripping>,
    /// Whether the digits begin like the country code.
    pub(super) may_have_code: bool,
}

/// What the library strips from the start of digits.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Stripping {
    pub(super) digits: usize,
    trunk: Option<StateID>,
    whole: StateID,
    /// How many digits are stripped, and the state of the others.
    rest: Option<(usize, StateID)>,
}

impl Region {
    #[expect(deprecated, reason = "the library empties these fields for itself; here they are as they were read")]
    pub(super) fn of(known: &PhoneMetadata) -> Self {
        let PhoneNumberDesc { national_number_pattern, possible_length, possible_length_local_only, .. } =
            known.general_desc.clone().unwrap();
        let trunk = known.national_prefix_for_parsing.as_deref();
        let replaces = known.national_prefix_transform_rule.as_deref().is_some_and(|rule| !rule.is_empty());
        let bytes = syntax::Config::new().unicode(false).utf8(false);
        let parsed = |pattern: &str| syntax::parse_with(without_anchors(pattern), &bytes).unwrap();
        Self {
            code: known.country_code().to_string(),
            general: rule(national_number_pattern.as_deref().unwrap()),
            lengths: possible_length,
            local_lengths: possible_length_local_only,
            international: known.international_prefix.as_deref().map(without_anchors).map(rule),
            trunk: trunk.map(rule_of_one_beginning),
            trunk_pattern: trunk.map(str::to_owned),
            shortest_kept: trunk.filter(|_| replaces).and_then(|pattern| shortest_capture(&parsed(pattern))),
        }
    }

    pub(super) fn beginning(&self) -> Dialed {
        Dialed {
            digits: 0,
            international: self.international.as_ref().map(beginning),
            own: self.stripping(),
            after_code: None,
            may_have_code: true,
        }
    }

    /// Returns what is known after one more digit. Returns `None` if the digits so far may be
    /// dialed before a number to another country.
    pub(super) fn follow(&self, dialed: &Dialed, digit: usize) -> Option<Dialed> {
        let byte = b'0' + u8::try_from(digit).unwrap();
        let mut next = dialed.clone();
        if let (Some(rule), Some(state)) = (&self.international, &mut next.international) {
            *state = rule.next_state(*state, byte);
            // The automaton reports a match one digit late, and once more at the end.
            if rule.is_match_state(*state) || matches_here(rule, *state) {
                return None;
            }
        }
        next.own = self.strip(&next.own, byte);
        if next.may_have_code && next.digits == self.code.len() {
            next.after_code = Some(self.stripping());
            next.may_have_code = false;
        }
        next.after_code = next.after_code.map(|after| self.strip(&after, byte));
        next.may_have_code &= self.code.as_bytes().get(next.digits) == Some(&byte);
        next.digits += 1;
        Some(next)
    }

    /// Returns how many digits the library leaves out of a number that it reads without its country
    /// code. Returns `None` if that is not certain.
    pub(super) fn own_left_out(&self, dialed: &Dialed) -> Option<usize> {
        let own = self.stripped(&dialed.own)?;
        // The library does not strip what leaves too few digits.
        Some(if own > 0 && !self.is_long_enough(dialed.digits - own) { 0 } else { own })
    }

    /// Whether the library sees that digits which begin with the country code have lost their plus.
    pub(super) fn has_code(&self, dialed: &Dialed, after_code: &Stripping) -> bool {
        let is_whole = |stripping: &Stripping| matches_here(&self.general, stripping.whole);
        !is_whole(&dialed.own) && is_whole(after_code) || self.is_too_long(dialed.digits)
    }

    fn is_long_enough(&self, digits: usize) -> bool {
        let digits = i32::try_from(digits).unwrap();
        let is_known = self.lengths.contains(&digits) || self.lengths.iter().all(|length| *length < digits);
        is_known && !self.local_lengths.contains(&digits)
    }

    fn is_too_long(&self, digits: usize) -> bool {
        let digits = i32::try_from(digits).unwrap();
        self.lengths.iter().all(|length| *length < digits) && !self.local_lengths.contains(&digits)
    }

    fn stripping(&self) -> Stripping {
        Stripping { digits: 0, trunk: self.trunk.as_ref().map(beginning), whole: beginning(&self.general), rest: None }
    }

    fn strip(&self, stripping: &Stripping, digit: u8) -> Stripping {
        let Stripping { digits, mut trunk, whole, mut rest } = stripping.clone();
        if let (Some(rule), Some(state)) = (&self.trunk, &mut trunk) {
            *state = rule.next_state(*state, digit);
            if rule.is_match_state(*state) {
                rest = Some((digits, beginning(&self.general)));
            }
        }
        let rest = rest.map(|(stripped, state)| (stripped, self.general.next_state(state, digit)));
        Stripping { digits: digits + 1, trunk, whole: self.general.next_state(whole, digit), rest }
    }

    /// Whether the library finds something to strip, even if it then keeps it.
    pub(super) fn strips_something(&self, stripping: &Stripping) -> bool {
        let strips_all = |(rule, state)| matches_here(rule, state);
        stripping.rest.is_some() || self.trunk.as_ref().zip(stripping.trunk).is_some_and(strips_all)
    }

    /// Returns how many digits the library strips. Returns `None` if it strips all, or if it
    /// may replace them.
    pub(super) fn stripped(&self, stripping: &Stripping) -> Option<usize> {
        let (Some(rule), Some(state)) = (&self.trunk, stripping.trunk) else { return Some(0) };
        if matches_here(rule, state) {
            return None;
        }
        let Some((stripped, rest)) = stripping.rest else { return Some(0) };
        if self.shortest_kept.is_some_and(|shortest| stripped >= shortest) {
            return None;
        }
        let is_spoiled = matches_here(&self.general, stripping.whole) && !matches_here(&self.general, rest);
        Some(if is_spoiled { 0 } else { stripped })
    }
}

/// Returns the fewest digits in a group of a pattern that the library keeps. `None` if it has
/// no such group.
fn shortest_capture(pattern: &Hir) -> Option<usize> {
    match pattern.kind() {
        HirKind::Capture(capture) => {
            let own = capture.sub.properties().minimum_len().unwrap_or_default();
            Some(shortest_capture(&capture.sub).map_or(own, |inner| inner.min(own)))
        }
        HirKind::Repetition(repetition) => shortest_capture(&repetition.sub),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => parts.iter().filter_map(shortest_capture).min(),
        _ => None,
    }
}
