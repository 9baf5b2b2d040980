//! Writes standard error on a thread of its own.
//!
//! A stopped terminal (Ctrl-S), a stalled ssh connection or a full pipe blocks the thread that
//! writes to it. Here it blocks only this thread: all others put their lines into a bounded queue,
//! and a line that finds the queue full is dropped and counted. A line that must not be dropped,
//! such as the reason why a run stopped, is always accepted. [`flush`] waits at the end, but never
//! long if the reader does not read.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// Log target of lines for programs only, because people see their content elsewhere: which run a
/// line belongs to, and how the run ended. Switched off in text format.
pub const MACHINE_TARGET: &str = "for_programs";

/// How many bytes the queue holds.
const ROOM: usize = 1 << 20;

/// How long [`flush`] waits if the reader takes nothing (`STALLED`), and at most (`SLOW`).
const STALLED: Duration = Duration::from_secs(1);
const SLOW: Duration = Duration::from_secs(5);

/// How often [`flush`] looks whether the reader takes anything.
const LOOK: Duration = Duration::from_millis(50);

/// How long the thread waits before it writes again to a descriptor that would block.
const AGAIN: Duration = Duration::from_millis(20);

/// Whether a line may be dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    Ordinary,
    /// Always accepted: the last message of a run, or a question.
    Needed,
}

/// Text that waits to be written.
#[derive(Debug, Default)]
struct OutputQueue {
    waiting: VecDeque<Vec<u8>>,
    bytes: usize,
    /// How many lines were dropped since the last accepted one.
    dropped: u64,
    is_writing: bool,
    /// Counts writes, so that `flush` notices progress.
    written: u64,
}

impl OutputQueue {
    /// Returns whether the text was accepted.
    fn add(&mut self, text: &[u8], weight: Weight) -> bool {
        let is_full = self.bytes > 0 && self.bytes + text.len() > ROOM;
        if is_full && weight == Weight::Ordinary {
            self.dropped += lines(text);
            return false;
        }
        self.append_notice();
        self.append(text.to_vec());
        true
    }

    fn append_notice(&mut self) {
        if self.dropped > 0 {
            let notice = dropped(std::mem::take(&mut self.dropped), is_json());
            self.append(notice.into_bytes());
        }
    }

    fn append(&mut self, text: Vec<u8>) {
        self.bytes += text.len();
        self.waiting.push_back(text);
    }

    /// Takes the next text. Its bytes count as queued until they are written.
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

/// Returns the line that replaces the dropped ones.
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
    /// Notified when the queue has text.
    filled: Condvar,
    /// Notified when text was written.
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

    /// Writes queued text forever.
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

    /// Writes a text. Gives up if the other end is closed or fails.
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

    /// Waits until everything is written. Returns false if the reader takes nothing for `stalled`,
    /// or if `slow` is over. While `is_ready` holds, the reader would take something, and only the
    /// thread is late, because the machine is busy.
    fn flush(&self, stalled: Duration, slow: Duration, is_ready: impl Fn() -> bool) -> bool {
        let begun = Instant::now();
        let mut queue = self.queue();
        queue.append_notice();
        self.filled.notify_one();
        let (mut written, mut moved) = (queue.written, begun);
        while !queue.is_empty() {
            let now = Instant::now();
            let left = (moved + stalled).min(begun + slow).saturating_duration_since(now);
            if left.is_zero() {
                return false;
            }
            queue = self.drained.wait_timeout(queue, left.min(LOOK)).unwrap_or_else(PoisonError::into_inner).0;
            if queue.written != written || is_ready() {
                (written, moved) = (queue.written, Instant::now());
            }
        }
        true
    }
}

/// Returns the queue of this process, or `None` if its thread could not be started; then every
/// caller writes directly.
fn shared() -> Option<&'static Shared> {
    static SHARED: OnceLock<Option<&'static Shared>> = OnceLock::new();
    *SHARED.get_or_init(|| {
        let shared: &'static Shared = Box::leak(Box::default());
        let thread = std::thread::Builder::new().name("output".to_owned());
        thread.spawn(|| shared.work(&mut io::stderr())).ok().map(|_| shared)
    })
}

/// Starts the thread and sets the format of the notice about dropped lines.
pub fn start(in_json: bool) {
    IN_JSON.store(in_json, Ordering::Relaxed);
    shared();
}

/// Returns whether all lines must be JSON.
#[must_use]
pub fn is_json() -> bool {
    IN_JSON.load(Ordering::Relaxed)
}

/// Prints whole lines. Never waits and never fails, even if standard error is closed.
pub fn show(text: &[u8], weight: Weight) {
    match shared() {
        Some(shared) => shared.add(text, weight),
        None => drop(io::stderr().write_all(text)),
    }
}

/// Prints one line, unless the queue is full.
pub fn line(line: &str) {
    show(format!("{line}\n").as_bytes(), Weight::Ordinary);
}

/// Waits until everything is written, at most about a second if the reader does not read.
pub fn flush() {
    if let Some(shared) = shared() {
        shared.flush(STALLED, SLOW, takes_more);
    }
}

/// Returns whether standard error would accept a write now. Where that cannot be asked, the answer
/// is no.
#[cfg(unix)]
fn takes_more() -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let stderr = io::stderr();
    let mut asked = [PollFd::new(&stderr, PollFlags::OUT)];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut asked, Some(&now)).is_ok_and(|ready| ready > 0) && asked[0].revents().contains(PollFlags::OUT)
}

#[cfg(not(unix))]
fn takes_more() -> bool {
    false
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    /// An output that accepts one write for each `()` that it receives.
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
        // The thread takes the first text now or soon, and its bytes count either way.
        shared.add(b"too much\n", Weight::Ordinary);
        allow.send(()).unwrap();
        assert_eq!(taken.recv().unwrap().len(), ROOM);
        allow.send(()).unwrap();
        assert!(shared.flush(Duration::from_secs(60), Duration::from_secs(60), || false));
        assert_eq!(taken.recv().unwrap(), "… 1 line was not shown\n".as_bytes());
        assert_eq!(shared.queue().bytes, 0);
    }

    #[test]
    fn nobody_waits_long_for_a_reader_that_does_not_read() {
        let (shared, _allow, _taken) = started();
        shared.add(b"a\n", Weight::Ordinary);
        assert!(!shared.flush(Duration::from_millis(5), Duration::from_secs(60), || false));
        assert!(!shared.flush(Duration::from_secs(60), Duration::from_millis(5), || false));
    }

    #[test]
    fn last_words_are_written_by_a_thread_that_is_late() {
        let (shared, allow, taken) = started();
        shared.add(b"error: why\n", Weight::Needed);
        let late = std::thread::spawn(move || {
            std::thread::sleep(3 * LOOK);
            allow.send(()).unwrap();
            taken.recv().unwrap()
        });
        // The reader is ready, and the thread writes only after more than the time for one that
        // is not.
        assert!(shared.flush(2 * LOOK, Duration::from_secs(60), || true));
        assert_eq!(late.join().unwrap(), b"error: why\n");
    }

    #[test]
    fn a_closed_output_is_no_reason_to_wait() {
        let (shared, allow, _taken) = started();
        drop(allow);
        shared.add(b"a\n", Weight::Ordinary);
        assert!(shared.flush(Duration::from_secs(60), Duration::from_secs(60), || false));
    }

    #[test]
    fn a_notice_of_dropped_lines_is_json_where_all_lines_are() {
        let notice: serde_json::Value = serde_json::from_str(&dropped(12, true)).unwrap();
        assert_eq!((&notice["level"], &notice["dropped"]), (&"WARN".into(), &12.into()));
        assert_eq!(dropped(12, false), "… 12 lines were not shown\n");
    }
}
