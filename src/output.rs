//! Standard error, written by a thread of its own.
//!
//! A terminal that is stopped (Ctrl-S), a stalled ssh or a full pipe blocks the thread that writes
//! to it. Here that is only this thread: all others put their lines into a bounded queue, and lines
//! that find it full are dropped and counted. What must not be dropped, such as the reason why a
//! run stopped, always finds a place. [`flush`] waits at the end, but never long for a reader that
//! does not read.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// The log target of lines that only programs read, because people see it elsewhere: which run a
/// line belongs to, and how that ended. Off in text.
pub const MACHINE_TARGET: &str = "for_programs";

/// How many bytes may wait.
const ROOM: usize = 1 << 20;

/// How long [`flush`] waits for a reader that takes nothing, and for one that takes little at a
/// time.
const STALLED: Duration = Duration::from_secs(1);
const SLOW: Duration = Duration::from_secs(5);

/// How long the thread waits before it tries a descriptor again that would block.
const AGAIN: Duration = Duration::from_millis(20);

/// Whether a line may be dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    Ordinary,
    /// The last message of a run, or a question.
    Needed,
}

/// What waits to be written.
#[derive(Debug, Default)]
struct OutputQueue {
    waiting: VecDeque<Vec<u8>>,
    bytes: usize,
    /// Lines that were dropped since one was last accepted.
    dropped: u64,
    is_writing: bool,
    /// Grows with everything that is written.
    written: u64,
}

impl OutputQueue {
    /// Returns whether there is something to write now.
    fn add(&mut self, text: &[u8], weight: Weight) -> bool {
        let is_full = self.bytes > 0 && self.bytes + text.len() > ROOM;
        if is_full && weight == Weight::Ordinary {
            self.dropped += lines(text);
            return false;
        }
        self.tell_dropped();
        self.append(text.to_vec());
        true
    }

    fn tell_dropped(&mut self) {
        if self.dropped > 0 {
            let notice = dropped(std::mem::take(&mut self.dropped), is_json());
            self.append(notice.into_bytes());
        }
    }

    fn append(&mut self, text: Vec<u8>) {
        self.bytes += text.len();
        self.waiting.push_back(text);
    }

    /// Its bytes take up room until they are written.
    fn next(&mut self) -> Option<Vec<u8>> {
        self.waiting.pop_front()
    }

    fn is_empty(&self) -> bool {
        self.waiting.is_empty() && !self.is_writing
    }
}

fn lines(text: &[u8]) -> u64 {
    (memchr::memchr_iter(b'\n', text).count() as u64).max(1)
}

/// The line that stands in the place of those that were dropped.
fn dropped(count: u64, in_json: bool) -> String {
    let words = if count == 1 { "1 line was not shown".to_owned() } else { format!("{count} lines were not shown") };
    if in_json {
        let now = jiff::Timestamp::now();
        format!("{{\"timestamp\":\"{now:.6}\",\"level\":\"WARN\",\"message\":\"{words}\",\"dropped\":{count}}}\n")
    } else {
        format!("… {words}\n")
    }
}

/// Whether the notice of dropped lines is a line of JSON.
static IN_JSON: AtomicBool = AtomicBool::new(false);

#[derive(Debug, Default)]
struct Shared {
    queue: Mutex<OutputQueue>,
    /// Something is to be written.
    filled: Condvar,
    /// Something was written.
    drained: Condvar,
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, OutputQueue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, text: &[u8], weight: Weight) {
        if self.queue().add(text, weight) {
            self.filled.notify_one();
        }
    }

    /// Writes what is queued, forever.
    fn work(&self, output: &mut dyn Write) {
        loop {
            let text = self.take();
            self.put(&text, output);
            let mut queue = self.queue();
            queue.bytes -= text.len();
            queue.is_writing = false;
            drop(queue);
            self.drained.notify_all();
        }
    }

    fn take(&self) -> Vec<u8> {
        let mut queue = self.queue();
        loop {
            if let Some(text) = queue.next() {
                queue.is_writing = true;
                return text;
            }
            queue = self.filled.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Writes a text, or gives it up if the other end is closed or cannot take it.
    fn put(&self, mut text: &[u8], output: &mut dyn Write) {
        while !text.is_empty() {
            match output.write(text) {
                Ok(0) => return,
                Ok(count) => {
                    text = &text[count..];
                    self.queue().written += 1;
                    self.drained.notify_all();
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => std::thread::sleep(AGAIN),
                Err(_) => return,
            }
        }
    }

    /// Waits until all is written, but not for a reader that does not read. Returns whether all
    /// was.
    fn flush(&self, stalled: Duration, slow: Duration) -> bool {
        let begun = Instant::now();
        let mut queue = self.queue();
        queue.tell_dropped();
        self.filled.notify_one();
        let (mut written, mut moved) = (queue.written, begun);
        while !queue.is_empty() {
            let now = Instant::now();
            let left = (moved + stalled).min(begun + slow).saturating_duration_since(now);
            if left.is_zero() {
                return false;
            }
            queue = self.drained.wait_timeout(queue, left).unwrap_or_else(PoisonError::into_inner).0;
            if queue.written != written {
                (written, moved) = (queue.written, Instant::now());
            }
        }
        true
    }
}

/// The queue of this process. `None` if its thread could not be started; then every caller writes
/// directly.
fn shared() -> Option<&'static Shared> {
    static SHARED: OnceLock<Option<&'static Shared>> = OnceLock::new();
    *SHARED.get_or_init(|| {
        let shared: &'static Shared = Box::leak(Box::default());
        let thread = std::thread::Builder::new().name("output".to_owned());
        thread.spawn(|| shared.work(&mut io::stderr())).ok().map(|_| shared)
    })
}

/// Starts the thread, and sets the format of the notice of dropped lines.
pub fn start(in_json: bool) {
    IN_JSON.store(in_json, Ordering::Relaxed);
    shared();
}

/// Whether all lines are to be JSON.
#[must_use]
pub fn is_json() -> bool {
    IN_JSON.load(Ordering::Relaxed)
}

/// Shows whole lines. Never waits, and a closed standard error is as good as an open one.
pub fn show(text: &[u8], weight: Weight) {
    match shared() {
        Some(shared) => shared.add(text, weight),
        None => drop(io::stderr().write_all(text)),
    }
}

/// Shows one line, unless the queue is full.
pub fn line(line: &str) {
    show(format!("{line}\n").as_bytes(), Weight::Ordinary);
}

/// Waits until everything is shown, at most about a second if the reader does not read.
pub fn flush() {
    if let Some(shared) = shared() {
        shared.flush(STALLED, SLOW);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    /// An output that takes one write for each `()` it gets.
    struct Stubborn {
        may: Receiver<()>,
        took: Sender<Vec<u8>>,
    }

    impl Write for Stubborn {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.may.recv().map_err(|_| io::ErrorKind::BrokenPipe)?;
            self.took.send(bytes.to_vec()).map_err(|_| io::ErrorKind::BrokenPipe)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn started() -> (Arc<Shared>, Sender<()>, Receiver<Vec<u8>>) {
        let (allow, may) = channel();
        let (took, taken) = channel();
        let shared = Arc::new(Shared::default());
        let works = Arc::clone(&shared);
        std::thread::spawn(move || works.work(&mut Stubborn { may, took }));
        (shared, allow, taken)
    }

    #[test]
    fn lines_that_find_no_room_are_dropped_and_counted_and_last_words_are_not() {
        let mut queue = OutputQueue::default();
        assert!(queue.add(&vec![b'x'; ROOM + 1], Weight::Ordinary), "alone even a long text has room");
        assert!(!queue.add(b"a\n", Weight::Ordinary));
        assert!(!queue.add(b"b\nc\n", Weight::Ordinary));
        assert!(queue.add(b"error: why\n", Weight::Needed));
        let texts: Vec<_> = queue.waiting.iter().skip(1).map(|text| String::from_utf8_lossy(text)).collect();
        assert_eq!(texts, ["… 3 lines were not shown\n", "error: why\n"]);
    }

    #[test]
    fn room_is_free_again_once_a_text_is_written_and_not_before() {
        let (shared, allow, taken) = started();
        shared.add(&vec![b'x'; ROOM], Weight::Ordinary);
        // The thread holds the first text now or soon, and it takes up its room all the same.
        shared.add(b"too much\n", Weight::Ordinary);
        allow.send(()).unwrap();
        assert_eq!(taken.recv().unwrap().len(), ROOM);
        allow.send(()).unwrap();
        assert!(shared.flush(Duration::from_secs(60), Duration::from_secs(60)));
        assert_eq!(taken.recv().unwrap(), "… 1 line was not shown\n".as_bytes());
        assert_eq!(shared.queue().bytes, 0);
    }

    #[test]
    fn nobody_waits_long_for_a_reader_that_does_not_read() {
        let (shared, _allow, _taken) = started();
        shared.add(b"a\n", Weight::Ordinary);
        assert!(!shared.flush(Duration::from_millis(5), Duration::from_secs(60)));
        assert!(!shared.flush(Duration::from_secs(60), Duration::from_millis(5)));
    }

    #[test]
    fn a_closed_output_is_no_reason_to_wait() {
        let (shared, allow, _taken) = started();
        drop(allow);
        shared.add(b"a\n", Weight::Ordinary);
        assert!(shared.flush(Duration::from_secs(60), Duration::from_secs(60)));
    }

    #[test]
    fn a_notice_of_dropped_lines_is_json_where_all_lines_are() {
        let notice: serde_json::Value = serde_json::from_str(&dropped(12, true)).unwrap();
        assert_eq!((&notice["level"], &notice["dropped"]), (&"WARN".into(), &12.into()));
        assert_eq!(dropped(12, false), "… 12 lines were not shown\n");
    }
}
