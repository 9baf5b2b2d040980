//! What the first records of a file hold, column by column.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::hash::BuildHasher as _;
use std::sync::Arc;

use foldhash::quality::RandomState;

use super::cell_looks::LookCounts;
use crate::domain::{Code, Email, Field, InputForm, InputRecord, RecordVerdict, trimmed};
use crate::intake::columns::column_names::ColumnNames;
use crate::intake::columns::presets::Preset;
use crate::intake::error::IntakeError;
use crate::intake::feed::Feed;
use crate::intake::open::watched::InputFile;
use crate::intake::options::InputOptions;

/// How many records are read at most.
const RECORDS: u64 = 10_000;
/// How many bytes of cells are read at most, because records can be long.
const BYTES: usize = 64 << 20;
/// How many cells of a column are looked at to see what it holds.
const LOOKED_AT: usize = 1_000;
/// How many different values a column can have to be a list of kinds.
const MOST_VALUES: usize = 30;
/// The longest value of such a list, in bytes.
const LONGEST_VALUE: usize = 200;

/// The first records of a file.
pub struct FileSample {
    pub(super) names: ColumnNames,
    /// In the order of the names.
    pub(super) columns: Vec<ColumnSample>,
    records: u64,
    is_whole: bool,
}

/// Shows nothing of the cells, because personal data must stay out of logs and panics.
impl fmt::Debug for FileSample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileSample").field("records", &self.records).finish_non_exhaustive()
    }
}

/// What the first records have in one column.
#[derive(Default)]
pub(super) struct ColumnSample {
    /// Records in which the cell is not empty.
    pub(super) filled: u64,
    looks: LookCounts,
    /// Hashes of the different cells.
    different: HashSet<u64>,
    /// How often each value occurs, or `None` if they are too many or too long to be kinds.
    values: Option<BTreeMap<String, u64>>,
    hasher: RandomState,
}

impl FileSample {
    /// Reads the first records of a file.
    ///
    /// # Errors
    /// Returns an error if the file cannot hold customers, whatever its columns are.
    pub fn read(file: &Arc<InputFile>, options: &InputOptions) -> Result<Self, IntakeError> {
        Self::of(Feed::of_file(file, &InputOptions { is_unmapped: true, ..options.clone() })?)
    }

    fn of(mut feed: Feed) -> Result<Self, IntakeError> {
        let names = feed.kept_names().to_vec();
        let mut columns: Vec<ColumnSample> = names.iter().map(|_| ColumnSample::new()).collect();
        let (mut records, mut bytes) = (0, 0);
        let mut is_whole = false;
        while records < RECORDS && bytes < BYTES {
            let Some(record) = feed.next().transpose()? else {
                is_whole = true;
                break;
            };
            if record.kept == names {
                continue;
            }
            records += 1;
            if is_in_order(&record) {
                for (column, cell) in columns.iter_mut().zip(&record.kept) {
                    bytes += cell.len();
                    column.add(trimmed(cell));
                }
            }
        }
        let names = match feed.shape().form {
            InputForm::Csv { .. } => ColumnNames::Header(names),
            InputForm::Ndjson => ColumnNames::Keys(names),
        };
        Ok(Self { names, columns, records, is_whole })
    }

    /// Returns how many records were looked at.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.records
    }

    /// Returns whether these are all records of the file.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// Returns the names of all columns, or of all keys that the first records have.
    #[must_use]
    pub fn names(&self) -> &[String] {
        self.names.as_slice()
    }

    /// Returns whether the first line names columns. If it holds a person's data, it does not.
    #[must_use]
    pub fn has_header(&self) -> bool {
        !self.names().iter().any(|name| name.contains('@') && Email::parse(name.as_str()).is_ok())
            && Preset::headless(self.names()).is_none()
    }

    /// Returns what the column of this name holds, or `None` if no column or more than one has it,
    /// because then no option can name it.
    pub(super) fn column(&self, name: &str) -> Option<&ColumnSample> {
        let positions = self.names.positions(|other| other == name);
        if let ([index], false) = (&positions[..], name.trim().is_empty()) { self.columns.get(*index) } else { None }
    }
}

impl ColumnSample {
    fn new() -> Self {
        Self { values: Some(BTreeMap::new()), ..Self::default() }
    }

    fn add(&mut self, cell: &str) {
        if cell.is_empty() {
            return;
        }
        self.filled += 1;
        self.different.insert(self.hasher.hash_one(cell));
        if self.looks.cells < LOOKED_AT {
            self.looks.add(cell);
        }
        if let Some(values) = &mut self.values {
            *values.entry(cell.to_owned()).or_default() += 1;
            if values.len() > MOST_VALUES || cell.len() > LONGEST_VALUE {
                self.values = None;
            }
        }
    }

    /// Returns the percentage of filled cells that look like values of the field.
    pub(super) fn percent(&self, field: Field) -> usize {
        self.looks.percent(field)
    }

    /// Returns whether hardly any value occurs twice, as with the data of persons.
    pub(super) fn is_mostly_different(&self) -> bool {
        self.different.len() as u64 * 10 >= self.filled * 9
    }

    /// Returns how often each value occurs, or `None` if they are too many to be kinds.
    pub(super) fn values(&self) -> Option<&BTreeMap<String, u64>> {
        self.values.as_ref()
    }
}

/// Whether the cells are in the columns that the header says.
fn is_in_order(record: &InputRecord<'_>) -> bool {
    let breaks = |code: Code| {
        matches!(
            code,
            Code::RowColumnCount
                | Code::RowTooLarge
                | Code::RowEncoding
                | Code::RowEscapedQuotes
                | Code::JsonSyntax
                | Code::JsonNotAnObject
                | Code::JsonDuplicateKey
        )
    };
    match &record.verdict {
        RecordVerdict::Valid { .. } => true,
        RecordVerdict::Invalid { problems, .. } => !problems.iter().any(|found| breaks(found.code)),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::Cursor;
    use std::path::Path;

    use super::*;

    pub(in crate::intake::proposal) fn sample(text: &str) -> FileSample {
        let options = InputOptions { is_unmapped: true, ..InputOptions::default() };
        let feed = Feed::of(Path::new("in.csv"), Cursor::new(text.as_bytes().to_vec()), &options).unwrap();
        FileSample::of(feed).unwrap()
    }

    #[test]
    fn every_column_is_counted_whether_or_not_it_means_anything() {
        let sample = sample("a,b,c\n1,x,ada@example.com\n2,,bo@example.com\na,b,c\n3\n4,x,carl@example.com\n");
        assert_eq!(sample.names(), ["a", "b", "c"]);
        // A repeated header is not a record, and of a row that lacks cells no cell is believed.
        assert_eq!(sample.records(), 4);
        assert!(sample.is_whole());
        let filled: Vec<_> = sample.columns.iter().map(|column| column.filled).collect();
        assert_eq!(filled, [3, 2, 3]);
        assert_eq!(sample.column("b").unwrap().values().unwrap()["x"], 2);
        assert_eq!(sample.column("c").unwrap().percent(Field::Email), 100);
        assert!(sample.column("c").unwrap().is_mostly_different());
        assert!(!sample.column("b").unwrap().is_mostly_different());
    }

    #[test]
    fn keys_within_objects_are_columns_too() {
        let sample = sample("{\"id\":1,\"contact\":{\"mail\":\"ada@example.com\"}}\n{\"id\":2,\"contact\":{}}\n");
        assert_eq!(sample.names(), ["id", "contact.mail", "contact"]);
        assert_eq!(sample.column("contact.mail").unwrap().filled, 1);
    }

    #[test]
    fn the_sample_ends_although_the_file_goes_on() {
        let rows: String = (0..=RECORDS).map(|row| format!("{row},x\n")).collect();
        let sample = sample(&format!("a,b\n{rows}"));
        assert_eq!((sample.records(), sample.is_whole()), (RECORDS, false));
        assert!(sample.column("a").unwrap().values().is_none());
    }

    #[test]
    fn a_name_that_two_columns_have_names_none() {
        let sample = sample("a,a,\n1,2,3\n");
        assert!(sample.column("a").is_none() && sample.column("").is_none());
    }
}
