//! A feed on all cores: one thread cuts the input, several read and judge the pieces, and the
//! records come out in the order of the input.
//!
//! Memory is bounded: a piece holds little more than its share, and no more pieces are under way
//! than a few for each core.

use std::io;
use std::num::NonZeroUsize;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use crate::domain::{InputRecord, NewCustomer, Position};

use super::error::IntakeError;
use super::judge::examine::{Examined, Examiner};
use super::origin::Origin;
use super::read::csv::ReadFault;
use super::read::csv::slice::SliceReader;
use super::read::ndjson::LineReader;
use super::read::pieces::{BoxedInput, Cut, Cutter, Piece};
use super::read::records::{Form, RecordReader, Records, Scanned};

/// What is made of the records of a piece.
pub trait Gather {
    /// About how many bytes of the input are gathered at once. Several such pieces wait in memory
    /// at a time, so those of which much is kept are better small.
    const PIECE: usize = 128 * 1024;

    /// Takes the next record. Its row is counted from the beginning of the piece.
    fn add(&mut self, record: InputRecord<'_>);

    /// The same of a record of which there is no more to know than its customer. Nearly all are
    /// such, so it is worth a way of its own if that is a shorter one.
    fn add_plain(&mut self, position: Position, customer: NewCustomer<'_>) {
        self.add(InputRecord::plain(position, customer));
    }

    /// Tells how many rows came before the piece.
    fn after(&mut self, rows: u64);
}

/// All of them as they are.
impl Gather for Vec<InputRecord<'static>> {
    const PIECE: usize = 16 * 1024;

    fn add(&mut self, record: InputRecord<'_>) {
        self.push(record.into_owned());
    }

    fn after(&mut self, rows: u64) {
        self.iter_mut().for_each(|record| record.position.row += rows);
    }
}

/// What is made of the records of a feed, a piece at a time. After an error nothing follows.
pub struct Parallel<T> {
    origin: Origin,
    bench: Arc<PieceWorker<T>>,
    pieces: Receiver<Next<T>>,
    /// How the piece at hand ended before its end.
    fault: Option<ReadFault>,
    /// What could not be cut.
    uncut: Option<Records<BoxedInput>>,
    rows: u64,
    blank_rows: u64,
    is_over: bool,
}

impl<T> std::fmt::Debug for Parallel<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parallel").field("rows", &self.rows).finish_non_exhaustive()
    }
}

/// What comes next, in the order of the input.
enum Next<T> {
    /// What a piece is made into, as soon as it is.
    Piece(Receiver<JudgedPiece<T>>),
    Uncut(Records<BoxedInput>),
    Failed(io::Error),
    End,
}

/// A piece that was read.
struct JudgedPiece<T> {
    gathered: T,
    rows: u64,
    blank_rows: u64,
    fault: Option<ReadFault>,
}

/// A piece, and where its records are waited for.
type PieceTask<T> = (Piece, SyncSender<JudgedPiece<T>>);

/// What is done to each record.
struct PieceWorker<T> {
    form: Form,
    examiner: Examiner,
    gather: Box<dyn Fn() -> T + Send + Sync>,
}

impl<T: Gather> PieceWorker<T> {
    fn judge(&self, piece: &Piece) -> JudgedPiece<T> {
        match self.form {
            Form::Csv { delimiter } => self.judge_records(SliceReader::new(&piece.bytes, delimiter, piece.line)),
            Form::Ndjson { line_end } => self.judge_records(LineReader::new(&*piece.bytes, line_end, piece.line)),
        }
    }

    fn judge_records(&self, mut records: impl RecordReader) -> JudgedPiece<T> {
        let (mut gathered, mut rows) = ((self.gather)(), 0);
        let fault = loop {
            match records.next_record() {
                Ok(Some((line, scanned))) => {
                    rows += 1;
                    self.examine(Position { row: rows, line }, scanned, &mut gathered);
                }
                Ok(None) => break None,
                Err(fault) => break Some(fault),
            }
        };
        JudgedPiece { gathered, rows, blank_rows: records.blank_rows(), fault }
    }

    #[inline]
    fn examine(&self, position: Position, scanned: Scanned<'_>, gathered: &mut T) {
        self.examiner.examine(position, scanned, |examined| match examined {
            Examined::Plain(customer) => gathered.add_plain(position, customer),
            Examined::Record(record) => gathered.add(record),
        });
    }
}

impl<T: Gather + Send + 'static> Parallel<T> {
    /// `blank_rows` are those that were skipped already.
    pub(super) fn start(
        origin: Origin,
        cutter: Cutter,
        blank_rows: u64,
        examiner: Examiner,
        gather: impl Fn() -> T + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        // Filled by the one who cuts, who waits where the others are behind; drained by the
        // benches, and in order by the iterator.
        let (tasks, todo) = sync_channel::<PieceTask<T>>(cores);
        let (order, pieces) = sync_channel(cores);
        // No longer than there are pieces under way.
        let (spare, spares) = channel();
        let bench = Arc::new(PieceWorker { form: cutter.form(), examiner, gather: Box::new(gather) });
        let todo = Arc::new(Mutex::new(todo));
        for _ in 0..cores {
            let (todo, bench, spare) = (Arc::clone(&todo), Arc::clone(&bench), spare.clone());
            start_thread("judge", move || judge_all(&todo, &bench, &spare))?;
        }
        start_thread("cutter", move || cut_all(cutter, &spares, &tasks, &order))?;
        Ok(Self { origin, bench, pieces, fault: None, uncut: None, rows: 0, blank_rows, is_over: false })
    }

    /// The next record of what could not be cut.
    fn next_uncut(&mut self) -> Option<Result<Option<T>, ReadFault>> {
        let uncut = self.uncut.as_mut()?;
        let next = match uncut.next_record() {
            Ok(Some((line, scanned))) => {
                self.rows += 1;
                let mut gathered = (self.bench.gather)();
                let position = Position { row: 1, line };
                self.bench.examine(position, scanned, &mut gathered);
                gathered.after(self.rows - 1);
                Ok(Some(gathered))
            }
            Ok(None) => Ok(None),
            Err(fault) => Err(fault),
        };
        if matches!(next, Ok(None)) {
            self.blank_rows += uncut.blank_rows();
        }
        Some(next)
    }

    fn take_up(&mut self, judged: JudgedPiece<T>) -> T {
        let JudgedPiece { mut gathered, rows, blank_rows, fault } = judged;
        gathered.after(self.rows);
        self.rows += rows;
        self.blank_rows += blank_rows;
        self.fault = fault;
        gathered
    }

    fn end(&mut self, end: Result<(), IntakeError>) -> Option<Result<T, IntakeError>> {
        self.is_over = true;
        end.err().map(Err)
    }

    fn end_of_input(&mut self) -> Option<Result<T, IntakeError>> {
        let unchanged = self.origin.check_unchanged();
        self.end(unchanged)
    }

    fn broken(&mut self, fault: ReadFault) -> Option<Result<T, IntakeError>> {
        let error = self.origin.explain(fault, &self.bench.examiner.header);
        self.end(Err(error))
    }
}

impl<T> Parallel<T> {
    /// How many lines without anything and rows of nothing but delimiters were skipped; known at
    /// the end.
    #[must_use]
    pub fn blank_rows(&self) -> u64 {
        self.blank_rows
    }
}

/// An error if the system has no thread to give. Those that were started before end by themselves
/// when their channels do.
fn start_thread(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    std::thread::Builder::new().name(name.to_owned()).spawn(work).map(drop)
}

/// Cuts until the end, or until the receiver is gone.
fn cut_all<T>(
    cutter: Cutter,
    spares: &Receiver<Vec<u8>>,
    tasks: &SyncSender<PieceTask<T>>,
    order: &SyncSender<Next<T>>,
) {
    let form = cutter.form();
    let mut cutter = Some(cutter);
    while let Some(next) = cutter.take() {
        let sent = match next.cut(spares.try_recv().unwrap_or_default()) {
            Ok((Cut::Piece(piece), rest)) => {
                cutter = rest;
                let (done, judged) = sync_channel(1);
                order.send(Next::Piece(judged)).is_ok() && tasks.send((piece, done)).is_ok()
            }
            Ok((Cut::Uncut { input, line }, _)) => {
                return drop(order.send(Next::Uncut(Records::new(form, input, line))));
            }
            Ok((Cut::End, _)) => true,
            Err(error) => return drop(order.send(Next::Failed(error))),
        };
        if !sent {
            return;
        }
    }
    // The receiver is gone, so the piece is not needed.
    drop(order.send(Next::End));
}

fn judge_all<T: Gather>(todo: &Mutex<Receiver<PieceTask<T>>>, bench: &PieceWorker<T>, spare: &Sender<Vec<u8>>) {
    loop {
        // Nothing can panic while it is held.
        let task = todo.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok((piece, done)) = task else { return };
        // The receiver is gone, so the piece is not needed.
        drop(done.send(bench.judge(&piece)));
        drop(spare.send(piece.into_spare()));
    }
}

impl<T: Gather + Send + 'static> Iterator for Parallel<T> {
    type Item = Result<T, IntakeError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if self.is_over {
                return None;
            }
            if let Some(fault) = self.fault.take() {
                return self.broken(fault);
            }
            match self.next_uncut() {
                None => {}
                Some(Ok(Some(gathered))) => return Some(Ok(gathered)),
                Some(Ok(None)) => return self.end_of_input(),
                Some(Err(fault)) => return self.broken(fault),
            }
            match self.pieces.recv() {
                Ok(Next::Piece(judged)) => match judged.recv() {
                    // It was read before a change that shows by now, and yet nothing more is handed
                    // on.
                    Ok(judged) => {
                        return match self.origin.check_unchanged() {
                            Ok(()) => Some(Ok(self.take_up(judged))),
                            changed => self.end(changed),
                        };
                    }
                    Err(_) => return self.end(Err(IntakeError::Abandoned)),
                },
                Ok(Next::Uncut(records)) => self.uncut = Some(records),
                Ok(Next::Failed(error)) => return self.broken(error.into()),
                Ok(Next::End) => return self.end_of_input(),
                Err(_) => return self.end(Err(IntakeError::Abandoned)),
            }
        }
    }
}

impl<T: Gather + Send + 'static> std::iter::FusedIterator for Parallel<T> {}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use crate::intake::feed::Feed;
    use crate::intake::options::InputOptions;

    use super::*;

    const HEADER: &str = "customer_name,customer_email,customer_phone,customer_country\n";

    fn file(text: &str) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        write!(file, "{HEADER}{text}").unwrap();
        file
    }

    fn people(rows: usize) -> String {
        (1..=rows).map(|row| format!("Person {row},p{row}@example.com,+4917612345678,DEU\n,\n")).collect()
    }

    fn feed(file: &tempfile::NamedTempFile) -> Feed {
        Feed::open(file.path(), &InputOptions::default()).unwrap()
    }

    fn shown(record: &InputRecord<'_>) -> String {
        format!("{record:?} {:?}", record.verdict.email())
    }

    /// What a plain feed and a parallel one make of a file.
    fn both(file: &tempfile::NamedTempFile) -> (Vec<String>, u64) {
        let mut plain = feed(file);
        let one: Vec<_> = plain.by_ref().map(|record| record.map_or_else(|e| e.to_string(), |r| shown(&r))).collect();
        let mut parallel = feed(file).in_parallel(Vec::new).unwrap();
        let mut many = Vec::new();
        for piece in parallel.by_ref() {
            match piece {
                Ok(records) => many.extend(records.iter().map(shown)),
                Err(error) => many.push(error.to_string()),
            }
        }
        assert!(one == many, "{} records and {}", one.len(), many.len());
        assert_eq!(plain.blank_rows(), parallel.blank_rows());
        (many, parallel.blank_rows())
    }

    #[test]
    fn records_come_in_the_order_of_the_input_and_are_those_of_the_plain_feed() {
        let (records, blank_rows) = both(&file(&people(20_000)));
        assert_eq!((records.len(), blank_rows), (20_000, 20_000));
    }

    #[test]
    fn rows_and_lines_go_on_over_quoted_line_breaks_and_returns() {
        let mixed = "\"A \r\n \"\"B\"\"\",a@example.com,+4917612345678,DEU\r\n\r\nC,c@example.com,\"030\n1\",DEU\r";
        let (records, _) = both(&file(&mixed.repeat(20_000)));
        assert_eq!(records.len(), 40_000);
    }

    #[test]
    fn what_is_too_large_for_a_piece_is_skipped_and_what_follows_is_read() {
        let endless = format!("{},{}\n", "x".repeat(5 << 20), people(3));
        let (records, _) = both(&file(&[people(10_000), endless, people(2000)].concat()));
        assert_eq!(records.len(), 12_003);
    }

    #[test]
    fn an_error_comes_after_the_records_before_it_and_ends_the_feed() {
        for unread in ["\"open".to_owned(), format!("\"{}", "open".repeat(2 << 20))] {
            let file = file(&(people(1000) + &unread));
            let mut parallel = feed(&file).in_parallel(Vec::new).unwrap();
            let mut rows = Vec::new();
            let error = loop {
                match parallel.next().unwrap() {
                    Ok(records) => rows.extend(records.iter().map(|record: &InputRecord<'_>| record.position.row)),
                    Err(error) => break error,
                }
            };
            assert_eq!(rows, (1..=1000).collect::<Vec<_>>());
            assert!(matches!(error, IntakeError::OpenQuote { line: 2002, .. }));
            assert!(parallel.next().is_none());
        }
    }

    #[test]
    fn whoever_stops_early_leaves_nothing_waiting_and_a_panic_is_an_error_and_no_end() {
        let file = file(&people(40_000));
        drop(feed(&file).in_parallel(Vec::<InputRecord<'_>>::new).unwrap().take(3).collect::<Vec<_>>());
        let panics = feed(&file).in_parallel(Panicking::default).unwrap();
        let (good, bad): (Vec<_>, Vec<_>) = panics.partition(Result::is_ok);
        let good: u64 = good.into_iter().map(|piece| piece.unwrap().0).sum();
        assert!(good < 30_000);
        assert!(matches!(bad.as_slice(), [Err(IntakeError::Abandoned)]));
    }

    /// Counts records until it meets the one that it cannot stand.
    #[derive(Debug, Default)]
    struct Panicking(u64);

    impl Gather for Panicking {
        fn add(&mut self, record: InputRecord<'_>) {
            assert!(!record.verdict.email().is_some_and(|email| email.starts_with("p30000@")), "part of a test");
            self.0 += 1;
        }

        fn after(&mut self, _: u64) {}
    }
}
