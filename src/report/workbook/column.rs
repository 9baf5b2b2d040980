//! A column of a workbook.

/// A column of all sheets of a workbook.
#[derive(Clone, Debug)]
pub(in crate::report) struct SheetColumn {
    pub name: String,
    pub look: ColumnLook,
}

/// What a column looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::report) enum ColumnLook {
    /// For short numbers.
    Narrow,
    Plain,
    /// For sentences and links.
    Wide,
    /// Wide and colored: what is wrong with the row.
    Error,
}

impl SheetColumn {
    /// Returns the width in characters.
    pub(super) const fn width(&self) -> usize {
        match self.look {
            ColumnLook::Narrow => 9,
            ColumnLook::Plain => 20,
            ColumnLook::Wide | ColumnLook::Error => 60,
        }
    }
}
