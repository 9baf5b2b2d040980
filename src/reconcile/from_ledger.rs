//! Makes the reports of a run whose input cannot be read any more, from the rows that the run
//! claimed.

use super::line::{PassCounts, remember};
use super::outputs::{Files, Outputs};
use crate::domain::{Position, ReportLine, Status};
use crate::failure::Failure;
use crate::ledger::{Claimed, Reader};

/// Writes the reports from the rows that a run claimed, in their order. The ledger does not have
/// line numbers, the original spelling of e-mails or kept cells, so these are missing, and there
/// are no rejects.
pub(crate) fn pass(ledger: &Reader, run: i64, outputs: &Outputs, kept: &[String]) -> Result<PassCounts, Failure> {
    let mut counted = PassCounts::default();
    let mut files = Files::of_reports(outputs, kept)?;
    ledger.each_claimed(run, |claimed| {
        let line = line(claimed, run, kept.len());
        counted.add(&line);
        files.write(&line, None)
    })?;
    files.commit()?;
    Ok(counted)
}

fn line(claimed: Claimed, run: i64, kept: usize) -> ReportLine {
    let Claimed { row, email, state: standing, outcome: told } = claimed;
    let status = standing.status_without_data(run);
    let mut line = ReportLine::new(Position { row, line: 0 }, status, email, vec![String::new(); kept]);
    let mut notes = Vec::new();
    remember(&mut line, &standing, told, Some(run), &mut notes);
    if status == Status::AlreadyImported {
        notes.push("it is unknown whether its data changed since then".to_owned());
    }
    line.warning = notes.join("; ");
    line
}
