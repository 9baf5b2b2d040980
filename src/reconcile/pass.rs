//! A pass over the input with the ledger, which produces lines, counts and files. `check` and the
//! plan of `import` make one before anything is sent, `report` and the end of `import` after it.
//!
//! One thread asks the ledger and makes the lines, and the caller's counts and writes them, because
//! each of the two takes about as long as the other.

use std::panic::resume_unwind;
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::thread;

use super::input::InputHandle;
use super::line::{PassCounts, PreparedPiece, Reconciler, ReviewedRecord, ShapedRecord};
use super::outputs::{Files, Outputs};
use crate::domain::{ReportLine, SkippedRows};
use crate::failure::Failure;
use crate::intake::Parallel;

/// How many lines are handed on at once, and how often before they are taken. Few, because each
/// holds all that the server said of a customer.
const BATCH: usize = 64;
const BATCHES: usize = 1;

/// How many short lists of records the ledger is asked about at once: few, because an answer is
/// much larger than its record, and enough for a ledger on another machine.
const ASKED: usize = 4;

/// Lines in the order of the input, each with its record.
type LineBatch = Vec<(ReportLine, ReviewedRecord)>;

/// Judges every record, passes it and its line to `observe`, and writes the requested files. They
/// appear only when all are complete.
pub(crate) fn pass(
    input: &InputHandle,
    outputs: &Outputs,
    reconciler: Reconciler,
    mut observe: impl FnMut(&ReportLine, &ShapedRecord<'_>),
) -> Result<PassCounts, Failure> {
    let feed = input.feed(outputs.rejects.is_some())?;
    let (shape, mut counted) = (feed.shape(), PassCounts::default());
    let mut files = Files::create(outputs, &feed)?;
    let pieces = feed.in_parallel(reconciler.begin_piece())?;
    // The maker fills the first one and waits while it is full. The second one leads back, and the
    // maker empties it before each batch, so it never has more than a few.
    let (lines, batches) = sync_channel(BATCHES);
    let (used, spent) = channel();
    let named = (!input.is_piped()).then(|| input.path());
    let (skipped, bad) = thread::scope(|scope| {
        let maker = thread::Builder::new().name("lines".to_owned());
        let maker = maker.spawn_scoped(scope, move || make_lines(pieces, &reconciler, named, &lines, &spent));
        let maker = maker.map_err(|error| Failure::no_thread(&error))?;
        for batch in batches {
            for (line, record) in &batch {
                counted.add(line);
                files.write(line, record.raw.as_ref())?;
                observe(line, &ShapedRecord { shape: &shape, record });
            }
            batch.last().into_iter().for_each(|(line, _)| input.read_up_to(line.position.row));
            // Freed by the thread that allocated it, or else both would wait for each other at the
            // allocator. Here, if that thread has ended.
            drop(used.send(batch));
        }
        maker.join().unwrap_or_else(|panic| resume_unwind(panic))
    })?;
    let PassCounts { known_bad, known_rejected, bad_records, .. } = bad;
    let mut counted = PassCounts { known_bad, known_rejected, bad_records, ..counted };
    counted.tally.set_skipped(skipped);
    files.note_known_bad(counted.known_bad);
    files.commit()?;
    Ok(counted)
}

/// Makes the lines of all records, until the receiver is dropped, and frees those that come back.
/// Commands in them name the input if it has a name. Returns the rows that were skipped, and the
/// counts of the bad records alone.
fn make_lines(
    mut pieces: Parallel<PreparedPiece>,
    reconciler: &Reconciler,
    named: Option<&Path>,
    lines: &SyncSender<LineBatch>,
    spent: &Receiver<LineBatch>,
) -> Result<(SkippedRows, PassCounts), Failure> {
    let mut counted = PassCounts::default();
    for piece in pieces.by_ref() {
        let mut bad = Vec::new();
        for asked in piece?.records.in_groups(ASKED) {
            let mut known = reconciler.known(asked.iter())?;
            let mut batch = Vec::with_capacity(BATCH);
            for mut prepared in asked {
                if let Some(path) = named {
                    prepared.noted.name_input(path);
                }
                let line = reconciler.line(&prepared, &mut known);
                bad.extend(reconciler.bad_record(&prepared, &line));
                batch.push((line, prepared.noted));
                if batch.len() == BATCH {
                    if lines.send(std::mem::replace(&mut batch, Vec::with_capacity(BATCH))).is_err() {
                        return Ok((pieces.skipped(), counted));
                    }
                    spent.try_iter().for_each(drop);
                }
            }
            if lines.send(batch).is_err() {
                return Ok((pieces.skipped(), counted));
            }
        }
        reconciler.count_bad(&bad, &mut counted)?;
    }
    Ok((pieces.skipped(), counted))
}
