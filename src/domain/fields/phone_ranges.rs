//! Which E.164 numbers are in a range that is in use, as an automaton over their digits.
//!
//! The phone library answers the same question with about twenty regular expressions per number,
//! which takes hundreds of times as long. `phone_ranges.bin` holds its answers for all numbers. The
//! test below generates that file from the library's own rules, and fails if the file differs from
//! them.
//!
//! The file is a list of 16-bit little-endian numbers. The first is the offset of the last
//! accepting state. After it, each state has ten numbers: the offsets of the states that follow
//! each digit. A state's offset is that of its first number. Offset 0 refuses everything that
//! follows. The accepting states come first, and the start state is last.

const BYTES: &[u8] = include_bytes!("phone_ranges.bin");

static TABLE: [u16; BYTES.len() / 2] = {
    let mut table = [0; BYTES.len() / 2];
    let mut place = 0;
    while place < table.len() {
        table[place] = u16::from_le_bytes([BYTES[2 * place], BYTES[2 * place + 1]]);
        place += 1;
    }
    table
};

#[expect(clippy::cast_possible_truncation, reason = "places are numbers of 16 bits")]
const BEGINNING: u16 = (BYTES.len() / 2 - 10) as u16;

const fn follow(place: u16, digit: usize) -> u16 {
    if place == 0 { 0 } else { TABLE[place as usize + digit] }
}

/// The offsets after each possible group of three leading digits, which saves three dependent table
/// reads per number.
static HEADS: [u16; 1000] = {
    let mut places = [0; 1000];
    let mut head = 0;
    while head < places.len() {
        places[head] = follow(follow(follow(BEGINNING, head / 100), head / 10 % 10), head % 10);
        head += 1;
    }
    places
};

/// The digits so far, as far as it matters which digits may follow them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct RangePlace(u16);

impl RangePlace {
    /// Returns the place after a country code. `None` if no number in use has it.
    pub(super) fn after_code(code: u16) -> Option<Self> {
        let mut place = Self(BEGINNING);
        for digit in code.to_string().bytes() {
            place = place.after(usize::from(digit - b'0'))?;
        }
        Some(place)
    }

    /// Returns the place after one more digit. `None` if no number in use continues like this.
    #[inline]
    pub(super) fn after(self, digit: usize) -> Option<Self> {
        let Self(place) = self;
        Some(Self(TABLE[usize::from(place) + digit])).filter(|next| next.0 != 0)
    }

    /// Whether the digits so far are a number in use.
    #[inline]
    pub(super) fn is_in_use(self) -> bool {
        self.0 <= TABLE[0]
    }
}

/// Returns the number with these digits, which follow the plus, and its first three digits. Returns
/// `None` if it is not in use, or if the library would write it differently.
pub(crate) fn in_use(digits: impl Iterator<Item = u8>) -> Option<(u64, u16)> {
    let mut digits = digits.map(|digit| usize::from(digit.wrapping_sub(b'0')));
    let head = [digits.next()?, digits.next()?, digits.next()?];
    if head.iter().any(|digit| *digit > 9) {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "three digits")]
    let head = (head[0] * 100 + head[1] * 10 + head[2]) as u16;
    let (mut place, mut number) = (usize::from(HEADS[usize::from(head)]), u64::from(head));
    for digit in digits {
        // All paths through the table are short, so the number cannot overflow.
        if place == 0 || digit > 9 {
            return None;
        }
        place = usize::from(TABLE[place + digit]);
        number = number * 10 + digit as u64;
    }
    (1..=usize::from(TABLE[0])).contains(&place).then_some((number, head))
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::{BTreeMap, HashMap};
    use std::fs;
    use std::path::Path;
    use std::process::Command;

    use proptest::prelude::*;
    use prost::Message as _;
    use regex_automata::dfa::{Automaton as _, dense};
    use regex_automata::util::{primitives::StateID, syntax};
    use regex_automata::{Anchored, Input, MatchKind};
    use rlibphonenumber::{
        NumberLengthType, PHONE_NUMBER_UTIL, PhoneMetadata, PhoneMetadataCollection, PhoneNumberDesc, PhoneNumberFormat,
    };

    use super::super::data_file;
    use super::*;

    fn is_in_use(digits: &[u8]) -> bool {
        in_use(digits.iter().copied()).is_some()
    }

    /// The most digits of a number, including its country code.
    const LONGEST: usize = 15;

    /// Run with `UPDATE=1` to write the table again.
    #[test]
    fn the_table_is_what_the_rules_of_the_library_say() {
        data_file::check("phone_ranges.bin", &Table::of_the_library().to_bytes());
    }

    /// Returns the library's own answer.
    fn by_the_library(digits: &str) -> bool {
        let text = format!("+{digits}");
        PHONE_NUMBER_UTIL.parse(&text, None).is_ok_and(|number| {
            PHONE_NUMBER_UTIL.is_valid_number(&number)
                && matches!(PHONE_NUMBER_UTIL.is_possible_number_with_reason(&number), Ok(NumberLengthType::IsPossible))
                && PHONE_NUMBER_UTIL.format(&number, PhoneNumberFormat::E164) == text
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

        /// Walks through the table, so that nearly all numbers are in use.
        #[test]
        fn what_the_table_takes_the_library_takes(choices in prop::collection::vec(any::<u16>(), LONGEST)) {
            let (mut place, mut digits) = (usize::from(BEGINNING), String::new());
            for choice in choices {
                let ways: Vec<usize> = (0..10).filter(|digit| TABLE[place + digit] != 0).collect();
                if ways.is_empty() || (place <= usize::from(TABLE[0]) && choice % 4 == 0) {
                    break;
                }
                let digit = ways[usize::from(choice) % ways.len()];
                digits.push(char::from(b'0' + u8::try_from(digit).unwrap()));
                place = usize::from(TABLE[place + digit]);
            }
            if is_in_use(digits.as_bytes()) {
                prop_assert!(by_the_library(&digits), "{digits}");
            }
        }

        /// The library decides only about numbers that begin like a national number.
        #[test]
        fn what_the_table_refuses_the_library_refuses(digits in "(49|1|44|33|234|86|91|61)[1-9][0-9]{6,11}|55[1-8][0-9]{7,11}") {
            prop_assert!(is_in_use(digits.as_bytes()) || !by_the_library(&digits), "{digits}");
        }
    }

    #[test]
    fn what_is_no_number_is_in_no_range() {
        for text in ["", "4", "49", "999123456789", "49151234567890123456", "4915x23456789", "\u{661}"] {
            assert!(!is_in_use(text.as_bytes()), "{text}");
        }
        assert_eq!(in_use("4915123456789".bytes()), Some((4_915_123_456_789, 491)));
    }

    /// A regular expression of the library, evaluated digit by digit.
    pub(in crate::domain::fields) type Rule = dense::DFA<Vec<u32>>;

    pub(in crate::domain::fields) fn rule(pattern: &str) -> Rule {
        rule_of_kind(pattern, MatchKind::All)
    }

    /// With [`MatchKind::LeftmostFirst`], the last match on the way is the one that the library
    /// finds.
    fn rule_of_kind(pattern: &str, kind: MatchKind) -> Rule {
        dense::Builder::new()
            .configure(dense::Config::new().match_kind(kind))
            .syntax(syntax::Config::new().unicode(false).utf8(false))
            .thompson(regex_automata::nfa::thompson::Config::new().utf8(false))
            .build(pattern)
            .unwrap()
    }

    /// Returns the rule for a beginning of numbers. The library stores all patterns as patterns of
    /// whole numbers, and removes the anchors from these.
    pub(in crate::domain::fields) fn rule_of_beginnings(pattern: &str) -> Rule {
        rule(without_anchors(pattern))
    }

    /// Does the same, and finds what the library finds if it can be of several lengths.
    pub(in crate::domain::fields) fn rule_of_one_beginning(pattern: &str) -> Rule {
        rule_of_kind(without_anchors(pattern), MatchKind::LeftmostFirst)
    }

    pub(in crate::domain::fields) fn without_anchors(pattern: &str) -> &str {
        let inner = pattern.strip_prefix("^(?:").and_then(|pattern| pattern.strip_suffix(")$"));
        inner.unwrap_or(pattern)
    }

    pub(in crate::domain::fields) fn beginning(rule: &Rule) -> StateID {
        rule.start_state_forward(&Input::new("").anchored(Anchored::Yes)).unwrap()
    }

    pub(in crate::domain::fields) fn matches_here(rule: &Rule, state: StateID) -> bool {
        rule.is_match_state(rule.next_eoi_state(state))
    }

    /// A kind of number: its possible lengths (an empty list allows all), and its form.
    struct Kind {
        lengths: Vec<i32>,
        form: Rule,
    }

    impl Kind {
        fn has_length(&self, length: usize) -> bool {
            self.lengths.is_empty() || self.lengths.contains(&i32::try_from(length).unwrap())
        }

        fn has(&self, state: StateID, length: usize) -> bool {
            self.has_length(length) && matches_here(&self.form, state)
        }
    }

    /// What the library knows about a region.
    struct Region {
        /// The leading digits that distinguish the region from others with the same country code.
        leading: Option<Rule>,
        /// The general form comes first. A valid number matches it and one of the others.
        kinds: Vec<Kind>,
    }

    impl Region {
        #[expect(deprecated, reason = "the library empties these fields for itself; here they are as they were read")]
        fn of(known: &PhoneMetadata) -> Self {
            let kinds = [
                &known.general_desc,
                &known.premium_rate,
                &known.toll_free,
                &known.shared_cost,
                &known.voip,
                &known.personal_number,
                &known.pager,
                &known.uan,
                &known.voicemail,
                &known.fixed_line,
                &known.mobile,
            ];
            let kind = |desc: &PhoneNumberDesc| {
                let form = rule(desc.national_number_pattern.as_deref()?);
                Some(Kind { lengths: desc.possible_length.clone(), form })
            };
            Self {
                leading: known.leading_digits.as_deref().map(rule_of_beginnings),
                kinds: kinds.into_iter().flatten().filter_map(kind).collect(),
            }
        }
    }

    /// Returns the data from which the library is built, by country code.
    pub(in crate::domain::fields) fn known_to_the_library() -> BTreeMap<i32, Vec<PhoneMetadata>> {
        let told = Command::new("rustc").arg("-vV").output().unwrap().stdout;
        let told = String::from_utf8(told).unwrap();
        let platform = told.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
        // Packages of other platforms may not be present.
        let output = Command::new(env!("CARGO"))
            .args(["metadata", "--format-version=1", "--offline", "--locked", "--filter-platform", platform])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .unwrap();
        let tree: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let packages = tree["packages"].as_array().unwrap();
        let library = packages.iter().find(|package| package["name"] == "rlibphonenumber").unwrap();
        let manifest = Path::new(library["manifest_path"].as_str().unwrap());
        let bytes = fs::read(manifest.with_file_name("src/generated/metadata/metadata.bin")).unwrap();
        let mut known = BTreeMap::<i32, Vec<PhoneMetadata>>::new();
        for region in PhoneMetadataCollection::decode(&*bytes).unwrap().metadata {
            let regions = known.entry(region.country_code()).or_default();
            let place = if region.main_country_for_code() { 0 } else { regions.len() };
            regions.insert(place, region);
        }
        known
    }

    /// A country code: its regions, the main one first, and what the library strips from the start
    /// of a national number.
    struct CountryCode {
        regions: Vec<Region>,
        stripped: Option<Rule>,
        /// Whether the library inserts something else in place of what it strips.
        replaces: bool,
    }

    impl CountryCode {
        /// `known` are its regions, the main one first.
        #[expect(deprecated, reason = "the library empties these fields for itself; here they are as they were read")]
        fn of(known: &[PhoneMetadata]) -> Self {
            Self {
                regions: known.iter().map(Region::of).collect(),
                stripped: known[0].national_prefix_for_parsing.as_deref().map(rule_of_beginnings),
                replaces: known[0].national_prefix_transform_rule.is_some(),
            }
        }

        /// Returns the form that the rest must have after stripping. If it does not, nothing is
        /// stripped.
        fn general(&self) -> &Rule {
            &self.regions[0].kinds[0].form
        }

        fn rules(&self) -> impl Iterator<Item = &Rule> {
            self.regions.iter().flat_map(|region| &region.kinds).map(|kind| &kind.form)
        }

        fn beginning(&self) -> Progress {
            Progress {
                forms: self.rules().map(beginning).collect(),
                leading: self.regions.iter().map(|region| region.leading.as_ref().map(beginning)).collect(),
                led: vec![false; self.regions.len()],
                stripped: self.stripped.as_ref().map(beginning),
                remaining: Vec::new(),
                length: 0,
            }
        }

        /// Returns the progress after one more digit. Returns `None` if no number that continues
        /// this way is in use, or if the library would replace its beginning.
        fn follow(&self, progress: &Progress, digit: u8) -> Option<Progress> {
            let mut next = progress.clone();
            next.length += 1;
            for (rule, state) in self.rules().zip(&mut next.forms) {
                *state = rule.next_state(*state, digit);
            }
            for ((region, state), led) in self.regions.iter().zip(&mut next.leading).zip(&mut next.led) {
                if let (Some(rule), Some(state)) = (&region.leading, state) {
                    // The automaton reports a match one digit late.
                    *state = rule.next_state(*state, digit);
                    *led |= rule.is_match_state(*state);
                }
            }
            if let (Some(rule), Some(state)) = (&self.stripped, &mut next.stripped) {
                *state = rule.next_state(*state, digit);
                // Stripping an empty beginning changes nothing.
                let ended = rule.is_match_state(*state) && next.length > 1;
                if ended && self.replaces {
                    return None;
                }
                let general = self.general();
                next.remaining.extend(ended.then(|| beginning(general)));
                next.remaining.iter_mut().for_each(|state| *state = general.next_state(*state, digit));
                next.remaining.retain(|state| !general.is_dead_state(*state));
            }
            let alive = self.rules().zip(&next.forms).any(|(rule, state)| !rule.is_dead_state(*state));
            alive.then_some(next)
        }

        fn accepts(&self, progress: &Progress) -> bool {
            // The main region decides which lengths are possible. Shorter numbers of other regions
            // may not be reachable from abroad.
            if !self.regions[0].kinds[0].has_length(progress.length) {
                return false;
            }
            // The library would strip the beginning of this number.
            if progress.remaining.iter().any(|state| matches_here(self.general(), *state)) {
                return false;
            }
            let mut forms = progress.forms.iter();
            let mut regions = self.regions.iter().enumerate().map(|(index, region)| {
                let has: Vec<bool> = region
                    .kinds
                    .iter()
                    .zip(&mut forms)
                    .map(|(kind, state)| kind.has(*state, progress.length))
                    .collect();
                let is_valid = has[0] && has[1..].contains(&true);
                let led = progress.led[index]
                    || region
                        .leading
                        .as_ref()
                        .zip(progress.leading[index])
                        .is_some_and(|(rule, state)| matches_here(rule, state));
                (is_valid, led)
            });
            // The first region that claims the number decides.
            regions.find(|(is_valid, led)| *is_valid || *led).is_some_and(|(is_valid, _)| is_valid)
        }
    }

    /// The states of all rules of a country code after some digits.
    #[derive(Clone, PartialEq, Eq, Hash)]
    struct Progress {
        forms: Vec<StateID>,
        leading: Vec<Option<StateID>>,
        led: Vec<bool>,
        stripped: Option<StateID>,
        /// The states of the rest, one for each beginning that could be stripped.
        remaining: Vec<StateID>,
        length: usize,
    }

    type State = (bool, [usize; 10]);

    /// States, numbered from 1. Equal states are stored once.
    #[derive(Default)]
    struct Table {
        states: Vec<State>,
        known: HashMap<State, usize>,
    }

    impl Table {
        fn of_the_library() -> Self {
            let mut table = Self::default();
            let codes: HashMap<String, usize> = known_to_the_library()
                .into_iter()
                .map(|(number, known)| {
                    let (number, code) = (number.to_string(), CountryCode::of(&known));
                    let national = table.national(&code, code.beginning(), LONGEST - number.len(), &mut HashMap::new());
                    (number, national)
                })
                .collect();
            table.country_codes(&codes, "");
            table
        }

        /// Returns the state at which the national numbers start.
        fn national(
            &mut self,
            code: &CountryCode,
            progress: Progress,
            most: usize,
            done: &mut HashMap<Progress, usize>,
        ) -> usize {
            if let Some(&state) = done.get(&progress) {
                return state;
            }
            let mut next = [0; 10];
            if progress.length < most {
                for (digit, next) in (b'0'..=b'9').zip(&mut next) {
                    if let Some(progress) = code.follow(&progress, digit) {
                        *next = self.national(code, progress, most, done);
                    }
                }
            }
            let state = self.state(code.accepts(&progress), next);
            done.insert(progress, state);
            state
        }

        fn country_codes(&mut self, codes: &HashMap<String, usize>, prefix: &str) -> usize {
            if let Some(&state) = codes.get(prefix) {
                return state;
            }
            if !codes.keys().any(|code| code.starts_with(prefix)) {
                return 0;
            }
            let next = std::array::from_fn(|digit| self.country_codes(codes, &format!("{prefix}{digit}")));
            self.state(false, next)
        }

        fn state(&mut self, accepts: bool, next: [usize; 10]) -> usize {
            if !accepts && next == [0; 10] {
                return 0;
            }
            let states = &mut self.states;
            *self.known.entry((accepts, next)).or_insert_with(|| {
                states.push((accepts, next));
                states.len()
            })
        }

        /// Writes the accepting states first. The start state is created last, so it stays last.
        fn to_bytes(&self) -> Vec<u8> {
            let mut order: Vec<usize> = (1..=self.states.len()).collect();
            order.sort_by_key(|state| !self.states[state - 1].0);
            let mut places = vec![0; self.states.len() + 1];
            for (index, state) in order.iter().enumerate() {
                places[*state] = 1 + 10 * index;
            }
            let accepting = self.states.iter().filter(|(accepts, _)| *accepts).count();
            let next = order.iter().flat_map(|state| self.states[state - 1].1).map(|state| places[state]);
            let numbers = std::iter::once(1 + 10 * (accepting - 1)).chain(next);
            numbers.flat_map(|number| u16::try_from(number).unwrap().to_le_bytes()).collect()
        }
    }
}
