//! A feed on all cores: one thread reads, several judge, and the records come out in the order of the input.
//!
//! Memory is bounded: a batch holds little more than its share, and no more batches are under way than a few for each core.

use std::num::NonZeroUsize;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::vec;

use crate::domain::InputRecord;

use super::error::IntakeError;
use super::examine::Examiner;
use super::scan::{Batch, Scanner};

/// A batch is full with so many records or bytes.
const MOST_RECORDS: usize = 256;
const MOST_BYTES: usize = 64 * 1024;

/// The records of a feed, each with what was made of it beside the others. After an error nothing follows.
#[derive(Debug)]
pub struct Parallel<T> {
    batches: Receiver<Next<T>>,
    current: vec::IntoIter<T>,
    blank_rows: u64,
    is_over: bool,
}

/// What comes next, in the order of the input.
#[derive(Debug)]
enum Next<T> {
    /// The records of a batch, as soon as they are judged.
    Batch(Receiver<Vec<T>>),
    End(Result<u64, IntakeError>),
}

/// A batch, and where its records are waited for.
type Task<T> = (Batch, SyncSender<Vec<T>>);

impl<T: Send + 'static> Parallel<T> {
    pub(super) fn start<W>(scanner: Scanner, examiner: Examiner, work: W) -> Self
    where
        W: Fn(InputRecord) -> T + Send + Sync + 'static,
    {
        let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let (tasks, todo) = sync_channel::<Task<T>>(cores);
        let (order, batches) = sync_channel(2 * cores);
        let (todo, shared) = (Arc::new(Mutex::new(todo)), Arc::new((examiner, work)));
        for _ in 0..cores {
            let (todo, shared) = (Arc::clone(&todo), Arc::clone(&shared));
            std::thread::spawn(move || examine_all(&todo, &shared.0, &shared.1));
        }
        std::thread::spawn(move || scan_all(scanner, &tasks, &order));
        Self { batches, current: Vec::new().into_iter(), blank_rows: 0, is_over: false }
    }
}

impl<T> Parallel<T> {
    /// How many lines without anything and rows of nothing but delimiters were skipped; known at the end.
    #[must_use]
    pub fn blank_rows(&self) -> u64 {
        self.blank_rows
    }
}

/// Reads until the end, or until nobody wants more.
fn scan_all<T>(mut scanner: Scanner, tasks: &SyncSender<Task<T>>, order: &SyncSender<Next<T>>) {
    loop {
        let mut batch = Batch::default();
        let end = fill(&mut scanner, &mut batch);
        if !batch.is_empty() {
            let (done, judged) = sync_channel(1);
            if order.send(Next::Batch(judged)).is_err() || tasks.send((batch, done)).is_err() {
                return;
            }
        }
        if let Some(end) = end {
            // Whoever left does not want to know.
            drop(order.send(Next::End(end)));
            return;
        }
    }
}

/// Fills a batch. Gives how the input ended, if it did.
fn fill(scanner: &mut Scanner, batch: &mut Batch) -> Option<Result<u64, IntakeError>> {
    loop {
        match scanner.scan(batch) {
            Ok(true) => {}
            Ok(false) => return Some(Ok(scanner.blank_rows())),
            Err(error) => return Some(Err(error)),
        }
        let (records, bytes) = batch.size();
        if records >= MOST_RECORDS || bytes >= MOST_BYTES {
            return None;
        }
    }
}

fn examine_all<T>(todo: &Mutex<Receiver<Task<T>>>, examiner: &Examiner, work: &dyn Fn(InputRecord) -> T) {
    loop {
        // Nothing can panic while it is held.
        let task = todo.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok((batch, done)) = task else { return };
        let judged = batch.records().map(|(position, scanned)| work(examiner.examine(position, scanned))).collect();
        // Whoever left does not want to know.
        drop(done.send(judged));
    }
}

impl<T> Iterator for Parallel<T> {
    type Item = Result<T, IntakeError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(record) = self.current.next() {
                return Some(Ok(record));
            }
            if self.is_over {
                return None;
            }
            let next = match self.batches.recv() {
                Ok(Next::Batch(judged)) => judged.recv().map_err(|_| IntakeError::Abandoned),
                Ok(Next::End(Ok(blank_rows))) => {
                    (self.blank_rows, self.is_over) = (blank_rows, true);
                    return None;
                }
                Ok(Next::End(Err(error))) => Err(error),
                Err(_) => Err(IntakeError::Abandoned),
            };
            match next {
                Ok(judged) => self.current = judged.into_iter(),
                Err(error) => {
                    self.is_over = true;
                    return Some(Err(error));
                }
            }
        }
    }
}

impl<T> std::iter::FusedIterator for Parallel<T> {}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use crate::intake::{Feed, InputOptions};

    use super::*;

    fn file(rows: usize) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        writeln!(file, "customer_name,customer_email,customer_phone,customer_country").unwrap();
        for row in 1..=rows {
            writeln!(file, "Person {row},p{row}@example.com,+4917612345678,DEU\n,").unwrap();
        }
        file
    }

    fn feed(file: &tempfile::NamedTempFile) -> Feed {
        Feed::open(file.path(), &InputOptions::default()).unwrap()
    }

    #[test]
    fn records_come_in_the_order_of_the_input_and_are_those_of_the_plain_feed() {
        let file = file(5000);
        let plain: Vec<_> = feed(&file).map(|record| format!("{:?}", record.unwrap())).collect();
        let mut parallel = feed(&file).in_parallel(|record| format!("{record:?}"));
        let beside: Vec<_> = parallel.by_ref().map(Result::unwrap).collect();
        assert_eq!(beside.len(), 5000);
        assert!(beside == plain);
        assert_eq!(parallel.blank_rows(), 5000);
    }

    #[test]
    fn an_error_comes_after_the_records_before_it_and_ends_the_feed() {
        let mut file = file(1000);
        write!(file, "\"open").unwrap();
        let mut parallel = feed(&file).in_parallel(|record| record.position.row);
        let rows: Vec<_> = parallel.by_ref().take(1000).map(Result::unwrap).collect();
        assert_eq!(rows, (1..=1000).collect::<Vec<_>>());
        assert!(matches!(parallel.next(), Some(Err(IntakeError::OpenQuote { line: 2002, .. }))));
        assert!(parallel.next().is_none());
    }

    #[test]
    fn whoever_stops_early_leaves_nothing_waiting_and_a_panic_is_an_error_and_no_end() {
        let file = file(20_000);
        drop(feed(&file).in_parallel(|record| record).take(3).collect::<Vec<_>>());
        let panics =
            feed(&file).in_parallel(|record| assert!(record.position.row < 700, "this panic is part of a test"));
        let (good, bad): (Vec<_>, Vec<_>) = panics.partition(Result::is_ok);
        assert!(good.len() < 700);
        assert!(matches!(bad.as_slice(), [Err(IntakeError::Abandoned)]));
    }
}
