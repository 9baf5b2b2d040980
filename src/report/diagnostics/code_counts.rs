//! How often each code occurs, with its most frequent values.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::excerpt::masked_cell;
use super::frequent_values::{FrequentValue, FrequentValues};
use crate::domain::{Code, Country, Severity, Violation};

/// How many frequent values are shown of each code.
const VALUES: usize = 5;

/// The counts of all codes that occur.
#[derive(Debug, Default)]
pub(super) struct CodeCounts {
    counts: BTreeMap<Code, CodeCount>,
    /// Violations that only follow from another one of their record.
    consequences: BTreeMap<Code, u64>,
}

#[derive(Debug)]
pub(super) struct CodeCount {
    pub severity: Severity,
    pub times: u64,
    pub first_row: u64,
    /// The hint of the first violation with this code.
    pub hint: Cow<'static, str>,
    values: FrequentValues,
}

impl CodeCount {
    /// Returns the values that occur more than once, the most frequent first.
    pub(super) fn values(&self) -> Vec<FrequentValue<'_>> {
        self.values.repeated(VALUES)
    }
}

impl CodeCounts {
    pub(super) fn add(&mut self, row: u64, violation: &Violation<'_>) {
        let Violation { code, severity, value, hint, is_consequence, .. } = violation;
        if *is_consequence {
            *self.consequences.entry(*code).or_default() += 1;
            return;
        }
        let first = || CodeCount {
            severity: *severity,
            times: 0,
            first_row: row,
            hint: hint.clone(),
            values: FrequentValues::default(),
        };
        let count = self.counts.entry(*code).or_insert_with(first);
        count.times += 1;
        if !value.is_empty() {
            count.values.add(value);
        }
    }

    /// Adds the counts of the next piece of the input, before which there are so many rows.
    pub(super) fn append(&mut self, piece: Self, rows: u64) {
        for (code, CodeCount { severity, times, first_row, hint, values }) in piece.counts {
            let first = || CodeCount {
                severity,
                times: 0,
                first_row: first_row + rows,
                hint,
                values: FrequentValues::default(),
            };
            let count = self.counts.entry(code).or_insert_with(first);
            count.times += times;
            count.values.append(values);
        }
        for (code, times) in piece.consequences {
            *self.consequences.entry(code).or_default() += times;
        }
    }

    /// Returns how often a code occurs.
    pub(super) fn times(&self, code: Code) -> u64 {
        self.counts.get(&code).map_or(0, |count| count.times)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// Returns the codes by weight: problems before warnings, and the most frequent first.
    pub(super) fn by_weight(&self) -> Vec<(Code, &CodeCount)> {
        let mut sorted: Vec<_> = self.counts.iter().map(|(code, count)| (*code, count)).collect();
        sorted.sort_by_key(|(_, count)| (count.severity, Reverse(count.times)));
        sorted
    }

    /// Returns how many violations of each code are not counted because they follow from others.
    pub(super) fn consequences(&self) -> impl Iterator<Item = (Code, u64)> {
        self.consequences.iter().map(|(code, times)| (*code, *times))
    }

    /// Returns the counts as JSON, in the order of [`Self::by_weight`].
    pub(super) fn to_json(&self, masked: bool) -> Value {
        let value = |found: &FrequentValue<'_>| {
            let value = if masked { masked_cell(found.value) } else { found.value.to_owned() };
            json!({ "value": value, "count": found.times, "at_least": found.at_least })
        };
        let code = |(code, count): (Code, &CodeCount)| {
            json!({
                "code": code.as_str(),
                "severity": kind(count.severity),
                "count": count.times,
                "example_row": count.first_row,
                "values": count.values().iter().map(value).collect::<Vec<_>>(),
            })
        };
        self.by_weight().into_iter().map(code).collect()
    }
}

/// Returns the word for a severity.
pub(super) const fn kind(severity: Severity) -> &'static str {
    match severity {
        Severity::Problem => "problem",
        Severity::Warning => "warning",
    }
}

/// Returns the advice for a value that is nearly the name of a country, or `None`. It is computed
/// only for values that are shown, because it compares with every known name.
pub(super) fn advice(code: Code, value: &str) -> Option<String> {
    if code == Code::CountryUnknown { Country::advice(value) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems_come_before_warnings_and_the_most_frequent_first() {
        let mut counts = CodeCounts::default();
        let codes = [Code::EmailReservedDomain; 9].into_iter().chain([Code::NameMissing]).chain([Code::TypeUnknown; 2]);
        for (row, code) in (1..).zip(codes) {
            counts.add(row, &Violation::new(code, "c", "x", "h"));
        }
        let found: Vec<_> =
            counts.by_weight().iter().map(|(code, count)| (*code, count.times, count.first_row)).collect();
        assert_eq!(found, [(Code::TypeUnknown, 2, 11), (Code::NameMissing, 1, 10), (Code::EmailReservedDomain, 9, 1)]);
        let json = counts.to_json(true);
        assert_eq!(json[0]["values"], json!([{ "value": "*", "count": 2, "at_least": false }]));
        assert_eq!((&json[2]["code"], &json[2]["severity"]), (&json!("email.reserved_domain"), &json!("warning")));
    }

    #[test]
    fn a_consequence_has_no_count_of_its_own() {
        let mut counts = CodeCounts::default();
        counts.add(1, &Violation::new(Code::PhoneNoCountryCode, "c", "030", "h").as_consequence());
        assert!(counts.is_empty());
        assert_eq!(counts.consequences().collect::<Vec<_>>(), [(Code::PhoneNoCountryCode, 1)]);
    }
}
