//! Why a row that can be read is not a record.

use super::repeated_header::RepeatedHeader;

/// Why a row is not a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoRecord {
    Header(RepeatedHeader),
    /// It does not hold what `--where` asks for.
    NotSelected,
}

impl From<RepeatedHeader> for NoRecord {
    fn from(repeated: RepeatedHeader) -> Self {
        Self::Header(repeated)
    }
}

/// Of a row that is not selected. A repeated header comes first, because the rows after it may
/// mean something else.
impl From<Option<RepeatedHeader>> for NoRecord {
    fn from(repeated: Option<RepeatedHeader>) -> Self {
        repeated.map_or(Self::NotSelected, Self::Header)
    }
}
