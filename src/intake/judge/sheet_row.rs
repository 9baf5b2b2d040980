//! Judges a row of a sheet: what its cells show, and which of them are damaged.

use super::examine::{CellRow, Examiner, JudgedCells, keep};
use super::validate::judge;
use crate::domain::{Code, RecordVerdict, Violation};
use crate::intake::columns::template::Row as _;
use crate::intake::read::csv::Record;
use crate::intake::read::xlsx::sheet::{DamagedCell, column_letters};

impl Examiner {
    /// Judges a row of a sheet. A damaged cell is a problem only if the record needs it.
    pub(super) fn judge_sheet_row<'a>(&'a self, row: &CellRow<'a>, damaged: &[DamagedCell]) -> JudgedCells<'a> {
        let record = row.record;
        let mut broken: Vec<_> = self.needed(damaged).map(|cell| self.damaged_cell(record, cell)).collect();
        let is_damaged = |column: &str| broken.iter().any(|problem| problem.column == column);
        let mut others = match judge(&self.mapping, row, self.region, Vec::new(), &self.held) {
            RecordVerdict::Valid { customer, warnings } if broken.is_empty() && record.len() == self.header.len() => {
                let verdict = RecordVerdict::Valid { customer, warnings };
                return JudgedCells { verdict, kept: keep(&self.mapping, row) };
            }
            RecordVerdict::Valid { warnings: violations, .. } | RecordVerdict::Invalid { problems: violations, .. } => {
                violations.into_vec()
            }
        };
        // What the rules say about a damaged cell is a consequence of its damage.
        others.retain(|violation| !is_damaged(&violation.column));
        broken.append(&mut others);
        broken.extend(self.cells_without_a_column(record));
        JudgedCells { verdict: self.given_up(row, broken), kept: keep(&self.mapping, row) }
    }

    /// Whether a row of a sheet does not hold what a record must hold. As with text, a row stays a
    /// record if its cells may be in the wrong place or the compared one is damaged.
    pub(super) fn is_sheet_row_left_out(&self, row: &CellRow<'_>, damaged: &[DamagedCell]) -> bool {
        let conditions = &self.mapping.conditions;
        let is_damaged = |cell: &DamagedCell| conditions.iter().any(|condition| condition.column.is_at(cell.index));
        row.record.len() == self.header.len()
            && !damaged.iter().any(is_damaged)
            && conditions.iter().any(|condition| !condition.holds(row.cell(&condition.column.place)))
    }

    /// Returns the damaged cells that feed a field.
    pub(super) fn needed<'b>(&'b self, damaged: &'b [DamagedCell]) -> impl Iterator<Item = DamagedCell> + 'b {
        damaged.iter().copied().filter(|cell| self.mapping.sent_columns().any(|column| column.is_at(cell.index)))
    }

    fn damaged_cell<'a>(&'a self, record: Record<'a>, cell: DamagedCell) -> Violation<'a> {
        let value = String::from_utf8_lossy(record.get(cell.index).unwrap_or_default());
        Violation::new(Code::CellSpreadsheetDamage, self.name(cell.index), value, cell.damage.hint())
    }

    /// Returns a complaint about values to the right of the header. They may belong to another
    /// column.
    fn cells_without_a_column<'a>(&self, record: Record<'a>) -> Option<Violation<'a>> {
        let index =
            (self.header.len()..record.len()).find(|index| record.get(*index).is_some_and(|cell| !cell.is_empty()))?;
        let value = String::from_utf8_lossy(record.get(index).unwrap_or_default());
        let column = column_letters(index);
        let hint =
            format!("column {column} has a value here but no name in the header: name the column, or delete the value");
        Some(Violation::new(Code::RowColumnCount, "", value, hint))
    }
}
