//! The request log: what an independent checker reads to learn what truly happened. Append-only,
//! one JSON object a line.

use std::{
    collections::VecDeque,
    fs::{File, OpenOptions},
    io::{self, Write},
    path::Path,
    sync::Mutex,
    time::{SystemTime, UNIX_EPOCH},
};

use serde::Serialize;

use super::sync::lock_ignoring_poison;

/// Lines kept in memory: enough for any test, and no leak in a long rehearsal. The file has them
/// all.
const KEPT: usize = 100_000;

/// One line of the log.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Record {
    /// When, in milliseconds since the Unix epoch.
    pub t: f64,
    /// What.
    #[serde(flatten)]
    pub event: Event,
}

/// What the log tells of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A connection was reset before anything was read from it.
    Refused,
    /// A request was read whole.
    Received {
        /// Number of the request, from 1.
        n: u64,
        /// HTTP method.
        method: String,
        /// Path below the base URL.
        path: String,
        /// The `Idempotency-Key`.
        key: Option<String>,
        /// The e-mail in the body, or the one looked up, as sent.
        email: Option<String>,
        /// Hash of the body's bytes; none if the body was too large or broke off.
        body_sha256: Option<String>,
        /// What was thought of the token.
        auth: AuthSeen,
    },
    /// A customer was saved.
    Created {
        /// Number of the request that did it.
        n: u64,
        /// The e-mail, as sent.
        email: String,
        /// The new customer's id.
        customer_id: String,
        /// Whether a mail went out.
        mail: bool,
    },
    /// A request was done with.
    Answered {
        /// Number of the request.
        n: u64,
        /// Status sent, or begun to be sent; none if nothing was.
        status: Option<u16>,
        /// Whether the request was worked on, rather than turned away or answered from the store.
        executed: bool,
        /// Whether the answer came from the store.
        replayed: bool,
        /// The customer the work made or the answer speaks of.
        customer_id: Option<String>,
        /// Whether a mail went out.
        mail: bool,
        /// The fault that struck.
        fault: Option<String>,
        /// Who wrote the answer.
        author: Author,
        /// Whether the application goes on with the request all the same; a `done` tells when it
        /// stopped.
        working: bool,
    },
    /// The application has stopped work on a request that a gateway answered before.
    Done {
        /// Number of the request.
        n: u64,
        /// Whether the request was worked on, rather than turned away or answered from the store.
        executed: bool,
        /// The customer the work made or the answer would have spoken of.
        customer_id: Option<String>,
    },
    /// The client left before its request was answered.
    Left {
        /// Number of the request.
        n: u64,
    },
}

/// Who wrote an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Author {
    /// The API itself.
    Application,
    /// Something in front of it, which knows nothing of the work.
    Gateway,
    /// No whole answer left.
    Nobody,
}

/// What a request's token was found to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AuthSeen {
    /// Valid.
    Ok,
    /// Unknown, expired or malformed.
    Bad,
    /// There was none.
    None,
}

/// The log itself.
#[derive(Debug)]
pub(super) struct Log(Mutex<Tape>);

#[derive(Debug, Default)]
struct Tape {
    file: Option<File>,
    recent: VecDeque<Record>,
}

impl Log {
    /// Opens the file for appending, if there is to be one.
    pub(super) fn open(path: Option<&Path>) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.append(true).create(true);
        // It names people.
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = path.map(|path| options.open(path)).transpose()?;
        Ok(Self(Mutex::new(Tape { file, recent: VecDeque::new() })))
    }

    /// Writes one line. The time is taken under the lock, so that lines never run backwards.
    pub(super) fn write(&self, event: Event) {
        let mut tape = lock_ignoring_poison(&self.0);
        let record = Record { t: unix_millis(), event };
        if let Some(file) = &mut tape.file
            && let Err(error) = append(file, &record)
        {
            tracing::error!(%error, "the sandbox failed to write its request log");
        }
        if tape.recent.len() == KEPT {
            tape.recent.pop_front();
        }
        tape.recent.push_back(record);
    }

    /// The latest lines.
    pub(super) fn recent(&self) -> Vec<Record> {
        lock_ignoring_poison(&self.0).recent.iter().cloned().collect()
    }
}

/// One line, one write: a reader never sees half of it, and a kill never leaves half of it.
fn append(file: &mut File, record: &Record) -> io::Result<()> {
    let mut line = serde_json::to_vec(record)?;
    line.push(b'\n');
    file.write_all(&line)
}

fn unix_millis() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64() * 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_appended_as_flat_json() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.ndjson");
        std::fs::write(&path, "{\"old\":true}\n").unwrap();
        let log = Log::open(Some(&path)).unwrap();
        let (email, customer_id) = ("a@example.com".to_owned(), "c-1".to_owned());
        log.write(Event::Created { n: 7, email, customer_id, mail: true });
        log.write(Event::Refused);
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 3);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let new = folder.path().join("new.ndjson");
            Log::open(Some(&new)).unwrap();
            assert_eq!(std::fs::metadata(new).unwrap().permissions().mode() & 0o077, 0, "it names people");
        }
        assert_eq!(lines[1]["event"], "created");
        assert_eq!(lines[1]["n"], 7);
        assert_eq!(lines[1]["mail"], true);
        assert!(lines[1]["t"].as_f64().unwrap() > 1.6e12);
        assert_eq!(lines[2]["event"], "refused");
        assert_eq!(log.recent().len(), 2);
    }
}
