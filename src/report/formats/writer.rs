//! What a format of reports can do.

use std::fmt::Debug;
use std::io::{self, Write};

use crate::domain::ReportLine;

/// A report that is being written to an output.
pub(super) trait ReportWriter<W: Write>: Debug {
    /// Writes one line.
    fn write(&mut self, line: &ReportLine) -> io::Result<()>;

    /// Returns the output, with everything written.
    fn finish(self: Box<Self>) -> io::Result<W>;
}
