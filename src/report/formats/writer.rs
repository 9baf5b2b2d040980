//! What a format of reports can do.

use std::fmt::Debug;
use std::io::{self, Write};

use crate::domain::{KnownBad, ReportLine};

/// A report that is being written to an output.
pub(super) trait ReportWriter<W: Write>: Debug {
    /// Writes one line.
    fn write(&mut self, line: &ReportLine) -> io::Result<()>;

    /// Takes note of the records that a completed run before had reported as bad. Lines do not say
    /// it, because it is known only when a piece of them is written.
    fn note_known_bad(&mut self, _known_bad: KnownBad) {}

    /// Returns the output, with everything written.
    fn finish(self: Box<Self>) -> io::Result<W>;
}
