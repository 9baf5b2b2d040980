//! Errors grouped by what they say, with their most frequent values.

use std::collections::HashMap;

use super::bounds::{MESSAGE_WIDTH, MOST_GROUPS, ROWS, VALUE_WIDTH, VALUES};
use crate::domain::{ReportLine, Status, shorten};
use crate::report::diagnostics::frequent_values::FrequentValues;

/// The groups of all errors.
#[derive(Debug, Default)]
pub(super) struct ProblemGroups {
    groups: Vec<ProblemGroup>,
    places: HashMap<(Status, String, String), usize>,
    /// Errors beyond [`MOST_GROUPS`].
    pub beyond: u64,
}

/// Errors that say the same.
#[derive(Debug)]
pub(super) struct ProblemGroup {
    pub status: Status,
    pub code: String,
    /// The column of the input, or an empty text.
    pub column: String,
    pub message: String,
    pub count: u64,
    pub rows: Vec<u64>,
    values: FrequentValues,
}

impl ProblemGroups {
    /// Counts what is wrong with a record: each of its problems, or the complaint of the API.
    pub(super) fn add(&mut self, line: &ReportLine) {
        if line.status == Status::Invalid && !line.problems.is_empty() {
            for problem in &line.problems {
                // Hints can name the value, so only the code and the column tell groups apart.
                let group = self.group(line, problem.code.as_str(), &problem.column, &problem.column, &problem.hint);
                if let (Some(group), false) = (group, problem.value.is_empty()) {
                    group.values.add(&problem.value);
                }
            }
        } else if matches!(line.status, Status::Invalid | Status::Rejected | Status::Failed | Status::InDoubt) {
            self.group(line, &line.error_code, &line.error, "", &line.error);
        }
    }

    fn group(
        &mut self,
        line: &ReportLine,
        code: &str,
        key: &str,
        column: &str,
        message: &str,
    ) -> Option<&mut ProblemGroup> {
        let place = (line.status, code.to_owned(), key.to_owned());
        let at = match self.places.get(&place) {
            Some(at) => *at,
            None if self.groups.len() < MOST_GROUPS => {
                self.places.insert(place, self.groups.len());
                self.groups.push(ProblemGroup {
                    status: line.status,
                    code: shorten(code, VALUE_WIDTH),
                    column: shorten(column, VALUE_WIDTH),
                    message: shorten(message, MESSAGE_WIDTH),
                    count: 0,
                    rows: Vec::new(),
                    values: FrequentValues::default(),
                });
                self.groups.len() - 1
            }
            None => {
                self.beyond += 1;
                return None;
            }
        };
        let group = self.groups.get_mut(at)?;
        group.count += 1;
        if group.rows.len() < ROWS {
            group.rows.push(line.position.row);
        }
        Some(group)
    }

    /// Returns the groups, the most frequent first.
    pub(super) fn sorted(&self) -> Vec<&ProblemGroup> {
        let mut groups: Vec<_> = self.groups.iter().collect();
        groups.sort_by_key(|group| std::cmp::Reverse(group.count));
        groups
    }
}

impl ProblemGroup {
    /// Returns the values that occur more than once, and how often; `true` if at least so often.
    pub(super) fn values(&self) -> Vec<(String, u64, bool)> {
        let repeated = self.values.repeated(VALUES);
        repeated.iter().map(|found| (shorten(found.value, VALUE_WIDTH), found.times, found.at_least)).collect()
    }

    /// Returns whether the same command helps, and what else does.
    pub(super) const fn retrying(&self) -> &'static str {
        match self.status {
            Status::Invalid => "No. Correct the rows.",
            Status::Rejected => "No. Correct the rows, or ask the API's operator and add --retry-rejected.",
            Status::Failed => "Yes. These customers were surely not created, and the next run tries again.",
            Status::InDoubt => "Yes. The next run finds out what became of them.",
            _ => "",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Code, Violation};
    use crate::report::formats::html::bounds::tests::line;

    #[test]
    fn problems_of_one_code_and_column_are_one_group_with_its_frequent_values() {
        let mut groups = ProblemGroups::default();
        for (row, value) in [(1, "Deutshland"), (2, "Deutshland"), (3, "x")] {
            let problem = Violation::new(Code::CountryUnknown, "Land", value, format!("{value} is unknown"));
            groups.add(&ReportLine { problems: vec![problem], ..line(row, Status::Invalid, "") });
        }
        let refused = ReportLine { error_code: "api.rejected".to_owned(), ..line(4, Status::Rejected, "no") };
        groups.add(&refused);
        groups.add(&line(5, Status::Created, ""));
        let found = groups.sorted();
        assert_eq!(found.iter().map(|group| group.count).collect::<Vec<_>>(), [3, 1]);
        assert_eq!((found[0].rows.as_slice(), found[0].column.as_str()), (&[1, 2, 3][..], "Land"));
        assert_eq!(found[0].values(), [("Deutshland".to_owned(), 2, false)]);
        assert!(found[0].retrying().starts_with("No") && found[1].message == "no");
    }

    #[test]
    fn messages_that_all_differ_do_not_fill_the_memory() {
        let mut groups = ProblemGroups::default();
        for row in 0..1000 {
            groups.add(&line(row, Status::Failed, &row.to_string()));
        }
        assert_eq!((groups.sorted().len(), groups.beyond), (MOST_GROUPS, 1000 - MOST_GROUPS as u64));
    }
}
