//! Which columns hold countries, by their cells. Only for advice: what feeds a field is decided by
//! names.

use std::collections::BTreeMap;

use super::open::sniff;
use super::read::csv::RecordScan;
use super::read::csv::slice::SliceReader;
use super::read::ndjson::{Item, parse_object};
use crate::domain::Country;

/// How many records are looked at.
pub(super) const LOOKED_AT: usize = 100;

/// How many cells of a column are filled, and how many of them are countries.
#[derive(Clone, Copy, Debug, Default)]
struct Filled {
    cells: usize,
    countries: usize,
}

impl Filled {
    /// Counts a cell. Numbers and single letters say nothing, although some are codes of countries.
    fn add(&mut self, cell: &str) {
        let cell = cell.trim();
        if cell.chars().nth(1).is_none() {
            return;
        }
        let is_number = cell.bytes().all(|byte| byte.is_ascii_digit());
        self.cells += 1;
        self.countries += usize::from(!is_number && Country::parse(cell).is_ok());
    }

    /// Whether at least four of five filled cells are countries.
    const fn is_country(self) -> bool {
        self.cells > 0 && self.countries * 5 >= self.cells * 4
    }
}

/// Whether codes in such a column mean something else: `DE` and `IT` are languages too, `CA` and
/// `IN` states.
fn is_of_something_else(name: &str) -> bool {
    let name = name.to_lowercase();
    let words = ["lang", "sprach", "idioma", "lingua", "locale", "taal", "state", "province", "bundesland", "currency"];
    words.iter().any(|word| name.contains(word))
}

/// What the cells of each column are.
pub(super) struct ColumnCells(Vec<(String, Filled)>);

impl ColumnCells {
    pub(super) fn of(names: impl Iterator<Item = String>) -> Self {
        Self(names.map(|name| (name, Filled::default())).collect())
    }

    /// Adds the cells of a record.
    pub(super) fn add<'a>(&mut self, cells: impl Iterator<Item = &'a [u8]>) {
        for ((_, filled), cell) in self.0.iter_mut().zip(cells) {
            filled.add(&String::from_utf8_lossy(cell));
        }
    }

    /// Returns the columns that hold countries.
    pub(super) fn countries(self) -> Vec<String> {
        names(self.0)
    }
}

/// Returns the columns of a CSV file that hold countries. `text` begins with the header.
pub(super) fn of_csv(text: &[u8], delimiter: u8) -> Vec<String> {
    let mut reader = SliceReader::new(text, delimiter, 1);
    let Ok(RecordScan::Record { .. }) = reader.advance() else { return Vec::new() };
    let name = |cell: &[u8]| String::from_utf8_lossy(cell).trim().to_owned();
    let mut columns = ColumnCells::of(reader.record().cells().map(name));
    for _ in 0..LOOKED_AT {
        let Ok(RecordScan::Record { .. }) = reader.advance() else { break };
        columns.add(reader.record().cells());
    }
    columns.countries()
}

/// Returns the keys of NDJSON objects that hold countries.
pub(super) fn of_ndjson(head: &[u8], complete: bool) -> Vec<String> {
    let mut columns = BTreeMap::<String, Filled>::new();
    for (_, line) in sniff::whole_lines(head, complete).take(LOOKED_AT) {
        let Some(object) = std::str::from_utf8(line).ok().and_then(|line| parse_object(line).ok()) else { continue };
        for (key, item) in object.entries() {
            if let Item::Text(text) = item {
                columns.entry(key.to_owned()).or_default().add(text);
            }
        }
    }
    names(columns)
}

fn names(columns: impl IntoIterator<Item = (String, Filled)>) -> Vec<String> {
    let are_countries = |(name, filled): &(String, Filled)| filled.is_country() && !is_of_something_else(name);
    columns.into_iter().filter(are_countries).map(|(name, _)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_of_countries_is_known_by_its_cells() {
        let text = "Name;Ländle;Sprache;Note;Ort;Nr\nAda;DE;DE;A;Wien;276\nBo;Österreich;DE;B;Linz;040\n\
                    Cy;;IT;A;Zürich;756\nDi;CH;FR;D;Bern;\nEd;Atlantis;FR;;Berlin;\nFi;Schweiz;IT;;Ulm;\nGu;AT;DE;;Graz;\n";
        assert_eq!(of_csv(text.as_bytes(), b';'), ["Ländle"]);
        let text = "{\"name\":\"Jordan\",\"home\":\"France\"}\n{\"name\":\"Ada\",\"home\":\"IT\",\"age\":3}\n";
        assert_eq!(of_ndjson(text.as_bytes(), true), ["home"]);
        assert!(of_csv(b"", b',').is_empty() && of_csv(b"a,b\n", b',').is_empty());
    }
}
