//! What the tasks of a run send to the run.

use std::time::Duration;

use crate::domain::AttemptResult;
use crate::event::Event;

/// What a task tells the run while it works.
#[derive(Debug)]
pub(crate) enum TaskMessage {
    Event(Event),
    /// What came of a request to create the customer of a row.
    Answer {
        row: u64,
        result: AttemptResult,
    },
    /// A look-up showed that a refusal is one, in these words.
    RejectedAfterAll(String),
    /// A record waits for what the run shows of other records.
    Awaiting,
    /// A look-up was answered.
    Alive,
    /// No connection for a look-up.
    Unreached(String),
    /// A look-up was answered with 429.
    Throttled(Duration),
}
