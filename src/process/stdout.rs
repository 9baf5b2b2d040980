//! Standard output carries data, so nothing is dropped: writing waits for a slow reader. If the
//! reader closed it, that is not an error. If it is a file that takes no more, [`failure`] says so.

use std::io::{self, Write as _};
use std::sync::OnceLock;

use super::signals::{self, Caught};
use crate::output::{self, Weight};

/// Writes the bytes after everything that is queued for standard error, because both may be the
/// same terminal.
pub(crate) fn write(bytes: &[u8]) {
    output::flush();
    let mut stdout = io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => drop(FAILURE.set(error)),
        _ => {}
    }
}

static FAILURE: OnceLock<io::Error> = OnceLock::new();

/// Returns why some of the output is lost, or `None` if none is, or only because its reader left.
pub(crate) fn failure() -> Option<&'static io::Error> {
    FAILURE.get()
}

/// Does the same in a command that listens to signals: if the reader does not read, the next signal
/// ends the wait.
pub(crate) async fn write_unless_signalled(text: String, caught: &Caught) {
    let bytes = text.into_bytes();
    let copy = bytes.clone();
    let writing = signals::on_thread(move || {
        write(&copy);
        Ok(())
    });
    match writing {
        Ok(written) => tokio::select! {
            biased;
            _ = written => {}
            () = caught.next() => output::show(UNREAD.as_bytes(), Weight::Needed),
        },
        // Without a thread, writing must block this one.
        Err(_) => write(&bytes),
    }
}

const UNREAD: &str = "standard output is not being read, so the output is incomplete; the ledger has everything\n";
