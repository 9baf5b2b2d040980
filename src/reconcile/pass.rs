//! A pass over the input with the ledger, which produces lines, counts and files. `check` and the
//! plan of `import` make one before anything is sent, `report` and the end of `import` after it.

use super::chunks::ChunkedVec;
use super::input::InputHandle;
use super::line::{PassCounts, PreparedRecord, Reconciler, ShapedRecord};
use super::outputs::{Files, Outputs};
use crate::domain::ReportLine;
use crate::failure::Failure;

/// Judges every record, passes it and its line to `observe`, and writes the requested files. They
/// appear only when all are complete.
pub(crate) fn pass(
    input: &InputHandle,
    outputs: &Outputs,
    reconciler: &Reconciler,
    mut observe: impl FnMut(&ReportLine, &ShapedRecord<'_>),
) -> Result<PassCounts, Failure> {
    let feed = input.feed(outputs.rejects.is_some())?;
    let (shape, mut counted) = (feed.shape(), PassCounts::default());
    let mut files = Files::create(outputs, &feed)?;
    let mut pieces = feed.in_parallel(ChunkedVec::<PreparedRecord>::default)?;
    for prepared in pieces.by_ref() {
        let prepared = prepared?;
        let mut known = reconciler.known(prepared.iter())?;
        let mut bad = Vec::new();
        let mut row = None;
        for mut prepared in prepared {
            if !input.is_piped() {
                prepared.noted.name_input(input.path());
            }
            row = Some(prepared.noted.position.row);
            let line = reconciler.line(&prepared, &mut known);
            let record = &prepared.noted;
            counted.add(&line);
            bad.extend(reconciler.bad_record(&prepared, &line));
            files.write(&line, record.raw.as_ref())?;
            observe(&line, &ShapedRecord { shape: &shape, record });
        }
        row.into_iter().for_each(|row| input.read_up_to(row));
        reconciler.count_bad(&bad, &mut counted)?;
    }
    counted.tally.set_skipped(pieces.skipped());
    files.note_known_bad(counted.known_bad);
    files.commit()?;
    Ok(counted)
}
