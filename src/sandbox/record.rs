//! The request log, from which an independent checker learns what truly happened. Append-only, one
//! JSON object per line.

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

/// The most lines that are kept in memory: enough for any test, without a leak in a long rehearsal.
/// The file has all lines.
const KEPT: usize = 100_000;

/// One line of the log.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Record {
    /// Time, in milliseconds since the Unix epoch.
    pub t: f64,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The server reset a connection before it read anything from it.
    Refused,
    /// The server read a request whole.
    Received {
        /// Number of the request, from 1.
        n: u64,
        /// HTTP method.
        method: String,
        /// Path below the base URL.
        path: String,
        /// The `Idempotency-Key`.
        key: Option<String>,
        /// The e-mail in the body or in the query, as sent.
        email: Option<String>,
        /// SHA-256 of the body. `None` if the body was too large or broke off.
        body_sha256: Option<String>,
        /// What the server found the token to be.
        auth: AuthSeen,
    },
    /// The server saved a customer.
    Created {
        /// Number of the request that created it.
        n: u64,
        /// The e-mail, as sent.
        email: String,
        /// The new customer's id.
        customer_id: String,
        /// Whether an e-mail was sent to the customer.
        mail: bool,
    },
    /// The server finished a request.
    Answered {
        /// Number of the request.
        n: u64,
        /// The status that was sent, whole or in part. `None` if nothing was sent.
        status: Option<u16>,
        /// Whether the application worked on the request. False if it refused it or answered from
        /// the store.
        executed: bool,
        /// Whether the response came from the store.
        replayed: bool,
        /// The customer that the work created or the response names.
        customer_id: Option<String>,
        /// Whether an e-mail was sent to the customer.
        mail: bool,
        /// The fault that hit the request.
        fault: Option<String>,
        /// Who wrote the response.
        author: Author,
        /// Whether the application still works on the request. A `done` line says when it finished.
        working: bool,
    },
    /// The application finished work on a request that a gateway had answered before.
    Done {
        /// Number of the request.
        n: u64,
        /// Whether the application worked on the request. False if it refused it or answered from
        /// the store.
        executed: bool,
        /// The customer that the work created or the response would have named.
        customer_id: Option<String>,
    },
    /// The client left before its request was answered.
    Left {
        /// Number of the request.
        n: u64,
    },
}

/// Who wrote a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Author {
    /// The API itself.
    Application,
    /// Something in front of the API, which does not know about the work.
    Gateway,
    /// The response was not sent whole.
    Nobody,
}

/// What the server found a token to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AuthSeen {
    /// Valid.
    Ok,
    /// Unknown, expired or malformed.
    Bad,
    /// Missing.
    None,
}

/// The request log.
#[derive(Debug)]
pub(super) struct Log(Mutex<Tape>);

#[derive(Debug, Default)]
struct Tape {
    file: Option<File>,
    recent: VecDeque<Record>,
}

impl Log {
    /// Opens the file for appending, if there is a path.
    ///
    /// # Errors
    /// If the file cannot be opened.
    pub(super) fn open(path: Option<&Path>) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.append(true).create(true);
        // The log names people, so only its owner may read it.
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = path.map(|path| options.open(path)).transpose()?;
        Ok(Self(Mutex::new(Tape { file, recent: VecDeque::new() })))
    }

    /// Writes one line. The time is taken under the lock, so that lines are in the order of their
    /// times.
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

    /// Returns the latest lines.
    pub(super) fn recent(&self) -> Vec<Record> {
        lock_ignoring_poison(&self.0).recent.iter().cloned().collect()
    }
}

/// Appends one line in one write, so that readers never see half a line and a kill never leaves
/// one.
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
