//! Where the error of a CSV record goes.

use super::writer::is_error;

/// Which cell the error goes into.
#[derive(Clone, Copy, Debug)]
pub(super) struct ErrorCell {
    /// The input's own column `error`, from an earlier round of corrections.
    own: Option<usize>,
    columns: usize,
}

impl ErrorCell {
    pub(super) fn in_header(header: &[Vec<u8>]) -> Self {
        Self { own: header.iter().position(|name| is_error(name)), columns: header.len() }
    }

    /// Returns how many cells the header has with the column `error`.
    pub(super) const fn width(self) -> usize {
        if self.own.is_some() { self.columns } else { self.columns + 1 }
    }

    /// Returns the cells with the error among them. A record with too few or too many cells keeps a
    /// wrong number of cells. If it were filled up, it would pass as valid when it is imported
    /// again uncorrected, with its data in the wrong columns. A spare cell that puts the error
    /// under its name would do the same, because spreadsheets drop empty cells at the end when they
    /// save. So the error of a short record comes right after its last cell, in a column in which
    /// it is not a valid value.
    pub(super) fn put(self, cells: &[Vec<u8>], error: &str) -> Vec<Vec<u8>> {
        let mut cells = cells.to_vec();
        match self.own {
            Some(own) if cells.len() == self.columns => cells[own] = error.as_bytes().to_vec(),
            // The record is one cell short, and the header has its own `error`: the error alone
            // would make the number of cells right.
            Some(_) if cells.len() + 1 == self.columns => cells.extend([error.as_bytes().to_vec(), Vec::new()]),
            _ => cells.push(error.as_bytes().to_vec()),
        }
        cells
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ragged_record_never_gets_the_right_number_of_cells() {
        for header in [&["a", "b", "c"][..], &["a", "b", "error"], &["error", "b", "c"]] {
            let expected = if header.contains(&"error") { 3 } else { 4 };
            for cells in 0..7 {
                if cells == 3 {
                    continue;
                }
                let shape: Vec<_> = header.iter().map(|name| name.as_bytes().to_vec()).collect();
                let record = vec![b"x".to_vec(); cells];
                assert_ne!(
                    ErrorCell::in_header(&shape).put(&record, "bad").len(),
                    expected,
                    "{header:?}, {cells} cells"
                );
            }
        }
    }
}
