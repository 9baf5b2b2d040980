//! A feed on all cores. One thread cuts the input into pieces, several threads read and judge the
//! pieces, and the iterator returns the results in the order of the input.
//!
//! Memory is bounded: a piece is only slightly larger than [`Gather::PIECE`], and a few pieces per
//! core exist at any time.

use std::io;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use crate::domain::{InputRecord, NewCustomer, Position, RawRecord, SkippedRows};
use crate::limits;

use super::error::IntakeError;
use super::judge::examine::{Examined, Examiner};
use super::judge::glance::Seen;
use super::judge::no_record::NoRecord;
use super::judge::repeated_header::RepeatedHeader;
use super::origin::Origin;
use super::read::csv::ReadFault;
use super::read::csv::slice::SliceReader;
use super::read::ndjson::LineReader;
use super::read::pieces::{BoxedInput, Cut, Cutter, Piece};
use super::read::records::{Form, RecordReader, Records, Scanned};

/// Collects the records of one piece.
pub trait Gather {
    /// The approximate size of a piece, in bytes of the input. Several finished pieces wait in
    /// memory at a time, so choose a small size if much of each record is kept.
    const PIECE: usize = 256 * 1024;

    /// Takes the next record. Its row is counted from the start of the piece.
    fn add(&mut self, record: InputRecord<'_>);

    /// Takes a record that has nothing to report besides its customer. Nearly all records are like
    /// this, so override this method if there is a faster way to handle them.
    fn add_plain(&mut self, position: Position, customer: NewCustomer<'_>) {
        self.add(InputRecord::plain(position, customer));
    }

    /// Takes a record without its raw cells, which `raw` returns. Override this method if they are
    /// not always needed, because copying them takes long.
    fn add_judged(&mut self, record: InputRecord<'_>, raw: impl FnOnce() -> Option<RawRecord>) {
        self.add(InputRecord { raw: raw(), ..record });
    }

    /// Learns that the next row is not a record because it is not selected.
    fn pass_over(&mut self) {}

    /// Receives how many rows precede the piece, when it is known, after the last record.
    fn after(&mut self, rows: u64);
}

/// Keeps all records as they are.
impl Gather for Vec<InputRecord<'static>> {
    const PIECE: usize = 16 * 1024;

    fn add(&mut self, record: InputRecord<'_>) {
        self.push(record.into_owned());
    }

    fn after(&mut self, rows: u64) {
        self.iter_mut().for_each(|record| record.position.row += rows);
    }
}

/// An iterator over what was gathered from the records of a feed, one piece at a time. Nothing
/// follows after an error.
pub struct Parallel<T> {
    origin: Origin,
    bench: Arc<PieceWorker<T>>,
    pieces: Receiver<Next<T>>,
    /// Why the current piece ended early, to be returned next.
    fault: Option<ReadFault>,
    /// The records that could not be cut into pieces.
    uncut: Option<Records<BoxedInput>>,
    rows: u64,
    skipped: SkippedRows,
    is_over: bool,
}

impl<T> std::fmt::Debug for Parallel<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parallel").field("rows", &self.rows).finish_non_exhaustive()
    }
}

/// What comes next, in the order of the input.
enum Next<T> {
    /// The piece will arrive here when it is judged.
    Piece(Receiver<JudgedPiece<T>>),
    Uncut(Records<BoxedInput>),
    Failed(io::Error),
    End,
}

/// A piece after reading and judging.
struct JudgedPiece<T> {
    gathered: T,
    rows: u64,
    skipped: SkippedRows,
    fault: Option<ReadFault>,
}

/// A piece, and the channel that takes its result.
type PieceTask<T> = (Form, Piece, SyncSender<JudgedPiece<T>>);

/// What each worker thread does to the records of a piece.
struct PieceWorker<T> {
    examiner: Examiner,
    gather: Box<dyn Fn() -> T + Send + Sync>,
}

impl<T: Gather> PieceWorker<T> {
    fn judge(&self, form: Form, piece: &Piece) -> JudgedPiece<T> {
        match form {
            Form::Csv { delimiter } => self.judge_records(SliceReader::new(&piece.bytes, delimiter, piece.line)),
            Form::Ndjson { line_end } => self.judge_records(LineReader::new(&*piece.bytes, line_end, piece.line)),
        }
    }

    fn judge_records(&self, mut records: impl RecordReader) -> JudgedPiece<T> {
        let (mut gathered, mut rows, mut skipped) = ((self.gather)(), 0, SkippedRows::default());
        let fault = loop {
            match records.next_record() {
                Ok(Some((line, scanned))) => {
                    match self.examine(Position { row: rows + 1, line }, scanned, &mut gathered) {
                        Ok(()) => rows += 1,
                        Err(NoRecord::NotSelected) => {
                            gathered.pass_over();
                            rows += 1;
                            skipped.not_selected += 1;
                        }
                        Err(NoRecord::Header(RepeatedHeader::SameOrder)) => skipped.repeated_headers += 1,
                        Err(NoRecord::Header(RepeatedHeader::OtherOrder)) => {
                            break Some(ReadFault::OtherHeader { line });
                        }
                    }
                }
                Ok(None) => break None,
                Err(fault) => break Some(fault),
            }
        };
        skipped.blank_rows = records.blank_rows();
        JudgedPiece { gathered, rows, skipped, fault }
    }

    #[inline]
    fn examine(&self, position: Position, scanned: Scanned<'_>, gathered: &mut T) -> Result<(), NoRecord> {
        let mut seen = Seen::Nothing;
        if let Some(customer) = self.examiner.at_a_glance(scanned, &mut seen) {
            gathered.add_plain(position, customer);
            return Ok(());
        }
        self.examiner.examine_closely(position, scanned, seen, |examined| match examined {
            Examined::Plain(customer) => gathered.add_plain(position, customer),
            Examined::Record(record, raw) => gathered.add_judged(record, || raw.read()),
        })
    }
}

impl<T: Gather + Send + 'static> Parallel<T> {
    /// `skipped` counts the rows that were already skipped.
    pub(super) fn start(
        origin: Origin,
        cutter: Cutter,
        skipped: SkippedRows,
        examiner: Examiner,
        gather: impl Fn() -> T + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let cores = limits::cores();
        // The cutter fills both channels, and waits while they are full. The workers drain `tasks`;
        // the iterator drains `order`, in the order of the input.
        let (tasks, todo) = sync_channel::<PieceTask<T>>(cores);
        let (order, pieces) = sync_channel(cores);
        // Unbounded, but it never holds more buffers than there are pieces.
        let (spare, spares) = channel();
        let bench = Arc::new(PieceWorker { examiner, gather: Box::new(gather) });
        let todo = Arc::new(Mutex::new(todo));
        for _ in 0..cores {
            let (todo, bench, spare) = (Arc::clone(&todo), Arc::clone(&bench), spare.clone());
            start_thread("judge", move || judge_all(&todo, &bench, &spare))?;
        }
        start_thread("cutter", move || cut_all(cutter, &spares, &tasks, &order))?;
        Ok(Self { origin, bench, pieces, fault: None, uncut: None, rows: 0, skipped, is_over: false })
    }

    /// Reads records that could not be cut into pieces on this thread. The results come in the
    /// order of the input.
    pub(super) fn over_uncut(
        origin: Origin,
        records: Records<BoxedInput>,
        examiner: Examiner,
        gather: impl Fn() -> T + Send + Sync + 'static,
    ) -> Self {
        let bench = Arc::new(PieceWorker { examiner, gather: Box::new(gather) });
        // Never asked, because all records are uncut.
        let (_, pieces) = sync_channel(0);
        let skipped = SkippedRows::default();
        Self { origin, bench, pieces, fault: None, uncut: Some(records), rows: 0, skipped, is_over: false }
    }

    /// Returns the next records of the part that could not be cut, or `None` if all of the input
    /// could be cut so far.
    fn next_uncut(&mut self) -> Option<Result<Option<T>, ReadFault>> {
        let uncut = self.uncut.as_mut()?;
        let (mut gathered, mut rows, mut size) = ((self.bench.gather)(), 0, 0);
        let end = loop {
            if rows > 0 && size >= T::PIECE {
                break None;
            }
            let (line, scanned) = match uncut.next_record() {
                Ok(Some(found)) => found,
                Ok(None) => break Some(None),
                Err(fault) => break Some(Some(fault)),
            };
            size += scanned.size();
            match self.bench.examine(Position { row: rows + 1, line }, scanned, &mut gathered) {
                Ok(()) => rows += 1,
                Err(NoRecord::NotSelected) => {
                    gathered.pass_over();
                    rows += 1;
                    self.skipped.not_selected += 1;
                }
                Err(NoRecord::Header(RepeatedHeader::SameOrder)) => self.skipped.repeated_headers += 1,
                Err(NoRecord::Header(RepeatedHeader::OtherOrder)) => {
                    break Some(Some(ReadFault::OtherHeader { line }));
                }
            }
        };
        if rows > 0 {
            gathered.after(self.rows);
            self.rows += rows;
            // The end is found again, except for a fault, which comes next.
            self.fault = end.flatten();
            return Some(Ok(Some(gathered)));
        }
        Some(match end.flatten() {
            Some(fault) => Err(fault),
            None => {
                self.skipped.blank_rows += uncut.blank_rows();
                self.skipped.hidden_rows += uncut.hidden_rows();
                Ok(None)
            }
        })
    }

    fn take_up(&mut self, judged: JudgedPiece<T>) -> T {
        let JudgedPiece { mut gathered, rows, skipped, fault } = judged;
        gathered.after(self.rows);
        self.rows += rows;
        self.skipped += skipped;
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
    /// Returns how many rows were skipped. The numbers are complete only at the end of the input.
    #[must_use]
    pub fn skipped(&self) -> SkippedRows {
        self.skipped
    }
}

/// Starts a thread, or returns an error if the system cannot start another one. In that case the
/// threads that are already running end when their channels close.
fn start_thread(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    std::thread::Builder::new().name(name.to_owned()).spawn(work).map(drop)
}

/// Cuts until the end of the input, or until the receiver is dropped.
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
                order.send(Next::Piece(judged)).is_ok() && tasks.send((form, piece, done)).is_ok()
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
    // An error means that the receiver was dropped, so the result is not needed.
    drop(order.send(Next::End));
}

fn judge_all<T: Gather>(todo: &Mutex<Receiver<PieceTask<T>>>, bench: &PieceWorker<T>, spare: &Sender<Vec<u8>>) {
    loop {
        // A poisoned lock is safe to use, because nothing panics while the lock is held.
        let task = todo.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok((form, piece, done)) = task else { return };
        // An error means that the receiver was dropped, so the result is not needed.
        drop(done.send(bench.judge(form, &piece)));
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
                    // The piece may have been read before the change, but after any change nothing
                    // more is returned.
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

    /// Returns what a plain feed and a parallel feed return for a file.
    fn both(file: &tempfile::NamedTempFile) -> (Vec<String>, SkippedRows) {
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
        assert_eq!(plain.skipped(), parallel.skipped());
        (many, parallel.skipped())
    }

    #[test]
    fn records_come_in_the_order_of_the_input_and_are_those_of_the_plain_feed() {
        let (records, skipped) = both(&file(&people(20_000)));
        assert_eq!((records.len(), skipped.blank_rows), (20_000, 20_000));
    }

    #[test]
    fn joined_files_are_read_like_one_and_a_header_in_another_order_ends_them() {
        let second = "\u{feff}\"Customer-Name\",customer_email,CUSTOMER_PHONE,customer_country\n";
        let (records, skipped) = both(&file(&[&people(3000), second, &people(3000), HEADER, &people(10)].concat()));
        assert_eq!((records.len(), skipped.repeated_headers), (6010, 2));
        assert!(records.iter().all(|record| record.contains("Valid")), "{:?}", records[3000]);

        let other = "customer_email,customer_name,customer_phone,customer_country\n";
        let (records, _) = both(&file(&[&people(3000), other, &people(3000)].concat()));
        assert_eq!(records.len(), 3001);
        assert!(records[3000].contains("line 6002: the header appears again"), "{}", records[3000]);
    }

    #[test]
    fn a_repeated_header_is_skipped_also_after_a_record_that_no_piece_holds() {
        let endless = format!("{},{}\n", "x".repeat(5 << 20), people(3));
        let (records, skipped) = both(&file(&[&endless, HEADER, &people(3)].concat()));
        assert_eq!((records.len(), skipped.repeated_headers), (6, 1));

        let many = HEADER.repeat(3000);
        let (records, skipped) = both(&file(&[&*endless, &many, &people(3)].concat()));
        assert_eq!((records.len(), skipped.repeated_headers), (6, 3000));
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

    /// Counts records, and panics at the one with a certain content.
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
