//! Writes standard error on a thread of its own.
//!
//! A stopped terminal (Ctrl-S), a stalled ssh connection or a full pipe blocks the thread that
//! writes to it. Here it blocks only this thread: all others put their lines into a bounded queue,
//! and a line that finds the queue full is dropped and counted. A line that must not be dropped,
//! such as the reason why a run stopped, is always accepted. [`flush`] waits at the end, but never
//! long if the reader does not read.
//!
//! The same thread keeps a [`Footer`] below all lines: the progress of a run on a terminal. Only
//! the newest one is kept, so progress never takes room from lines and never waits.

mod screen;

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use self::screen::Screen;
use crate::terminal::{self, TerminalSize};

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

/// How often the thread looks whether the footer has changed. Its countdowns need no event.
const FRAME: Duration = Duration::from_millis(100);

/// How long the footer can be hidden while lines come without a break.
const HIDDEN: Duration = Duration::from_millis(200);

/// Makes the lines that stay below everything else, from their width and the time.
pub struct Footer(Box<dyn Fn(usize, Instant) -> Vec<String> + Send>);

impl Footer {
    pub fn new(lines: impl Fn(usize, Instant) -> Vec<String> + Send + 'static) -> Self {
        Self(Box::new(lines))
    }
}

impl fmt::Debug for Footer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Footer(..)")
    }
}

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
    footer: Option<Footer>,
    /// The footer is on the screen.
    has_footer: bool,
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

    /// Returns whether nothing has to be written, and no footer has to be erased.
    fn is_empty(&self) -> bool {
        self.waiting.is_empty() && !self.is_writing && (self.footer.is_some() || !self.has_footer)
    }

    fn footer_lines(&self, size: TerminalSize, now: Instant) -> Vec<String> {
        self.footer.as_ref().map(|footer| (footer.0)(size.columns, now)).unwrap_or_default()
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

    fn set_footer(&self, footer: Option<Footer>) {
        let mut queue = self.queue();
        // While a footer is shown, the thread looks for a newer one by itself.
        let must_wake = queue.footer.is_some() != footer.is_some();
        queue.footer = footer;
        drop(queue);
        if must_wake {
            self.filled.notify_one();
        }
    }

    /// Writes queued text forever, and keeps the footer below it. `size` returns the size of the
    /// terminal, or `None` if no footer may be drawn on it.
    fn work(&self, output: &mut dyn Write, size: impl Fn() -> Option<TerminalSize>) {
        let mut frames = Frames::default();
        loop {
            let Frame { bytes, queued } = self.next_frame(&mut frames, &size);
            self.put(&bytes, output);
            let mut queue = self.queue();
            queue.bytes -= queued;
            queue.is_writing = false;
            drop(queue);
            self.drained.notify_all();
        }
    }

    /// Waits until something has to be written.
    fn next_frame(&self, frames: &mut Frames, size: impl Fn() -> Option<TerminalSize>) -> Frame {
        let mut queue = self.queue();
        loop {
            let text = queue.next();
            let now = Instant::now();
            // Some numbers of a footer change with every look, and a slow connection must not carry
            // them all.
            if let (None, Some(_), Some(early)) = (&text, &queue.footer, frames.until_next(now)) {
                queue = self.filled.wait_timeout(queue, early).unwrap_or_else(PoisonError::into_inner).0;
                continue;
            }
            let size = if queue.footer.is_some() { size() } else { None };
            // Between two lines that come together the footer would only flicker.
            let is_hidden = !queue.waiting.is_empty() && frames.is_fresh(now);
            let lines = match size {
                Some(size) if !is_hidden => queue.footer_lines(size, now),
                _ => Vec::new(),
            };
            let queued = text.as_ref().map_or(0, Vec::len);
            let bytes = frames.update(&text.unwrap_or_default(), lines, size, now);
            queue.has_footer = frames.screen.has_lines();
            if !bytes.is_empty() || queued > 0 {
                queue.is_writing = true;
                return Frame { bytes, queued };
            }
            queue = match queue.footer {
                Some(_) => self.filled.wait_timeout(queue, FRAME).unwrap_or_else(PoisonError::into_inner).0,
                None => self.filled.wait(queue).unwrap_or_else(PoisonError::into_inner),
            };
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

/// What is written next, and how many bytes of it were in the queue.
struct Frame {
    bytes: Vec<u8>,
    queued: usize,
}

/// The screen, and when its footer was last drawn.
#[derive(Debug, Default)]
struct Frames {
    screen: Screen,
    drawn_at: Option<Instant>,
}

impl Frames {
    /// Returns how long the footer on the screen stays as it is, or `None` if it may be drawn anew.
    fn until_next(&self, now: Instant) -> Option<Duration> {
        let drawn_at = self.drawn_at.filter(|_| self.screen.has_lines())?;
        Some((drawn_at + FRAME).saturating_duration_since(now)).filter(|left| !left.is_zero())
    }

    fn is_fresh(&self, now: Instant) -> bool {
        self.drawn_at.is_some_and(|at| now.saturating_duration_since(at) < HIDDEN)
    }

    fn update(&mut self, text: &[u8], lines: Vec<String>, size: Option<TerminalSize>, now: Instant) -> Vec<u8> {
        // Without a size there are no lines, so the size does not matter.
        let size = size.unwrap_or(TerminalSize { columns: 0, rows: 0 });
        let bytes = self.screen.update(text, lines, size);
        if self.screen.has_lines() {
            self.drawn_at = Some(now);
        }
        bytes
    }
}

/// Returns the queue of this process, or `None` if its thread could not be started; then every
/// caller writes directly.
fn shared() -> Option<&'static Shared> {
    static SHARED: OnceLock<Option<&'static Shared>> = OnceLock::new();
    *SHARED.get_or_init(|| {
        let shared: &'static Shared = Box::leak(Box::default());
        let thread = std::thread::Builder::new().name("output".to_owned());
        thread.spawn(|| shared.work(&mut io::stderr(), terminal::own_size)).ok().map(|_| shared)
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

/// Keeps these lines below everything that is printed from now on, in place of earlier ones.
/// Without a footer the lines disappear. Call it only if standard error is a terminal.
pub fn set_footer(footer: Option<Footer>) {
    if let Some(shared) = shared() {
        shared.set_footer(footer);
    }
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

    const SIZE: TerminalSize = TerminalSize { columns: 80, rows: 24 };

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
        std::thread::spawn(move || works.work(&mut Stubborn { may, took }, || Some(SIZE)));
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
    fn the_newest_footer_stays_below_all_lines_and_takes_no_room_in_the_queue() {
        let (shared, allow, taken) = started();
        let next = || {
            allow.send(()).unwrap();
            String::from_utf8(taken.recv().unwrap()).unwrap()
        };
        shared.set_footer(Some(Footer::new(|width, _| vec![format!("old {width}")])));
        assert!(next().contains("old 80"));
        for n in 0..100_000 {
            shared.set_footer(Some(Footer::new(move |_, _| vec![format!("new {n}")])));
        }
        assert_eq!(shared.queue().bytes, 0);
        while !next().contains("new 99999") {}
        shared.add(b"a line\n", Weight::Ordinary);
        let drawn = next();
        assert!(drawn.find("a line\n") < drawn.find("new 99999"), "{drawn:?}");
        shared.set_footer(None);
        assert_eq!(next(), "\r\u{1b}[J");
        assert!(shared.flush(Duration::from_secs(60), Duration::from_secs(60), || false));
    }

    #[test]
    fn a_footer_that_changes_with_every_look_is_drawn_once_a_frame() {
        let (shared, allow, taken) = started();
        let looks = std::sync::atomic::AtomicU64::new(0);
        let lines = move |_: usize, _: Instant| vec![looks.fetch_add(1, Ordering::Relaxed).to_string()];
        shared.set_footer(Some(Footer::new(lines)));
        (0..3).for_each(|_| allow.send(()).unwrap());
        taken.recv().unwrap();
        let first = Instant::now();
        taken.recv().unwrap();
        taken.recv().unwrap();
        // The first frame was drawn before it was taken.
        assert!(first.elapsed() > FRAME, "{:?}", first.elapsed());
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
