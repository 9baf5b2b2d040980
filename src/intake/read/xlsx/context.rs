//! What the cells of all sheets of a workbook refer to.

use super::date::DayZero;
use super::shared_strings::SharedStrings;
use super::styles::Styles;

pub(super) struct SheetContext {
    pub(super) strings: SharedStrings,
    pub(super) styles: Styles,
    pub(super) zero: DayZero,
}
