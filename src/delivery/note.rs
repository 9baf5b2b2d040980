//! The messages from the tasks of a run to the run.

use std::time::Duration;

use crate::domain::AttemptResult;
use crate::event::Event;

/// What a task reports to the run while it works.
#[derive(Debug)]
pub(crate) enum TaskMessage {
    Event(Event),
    /// The result of a request to create the customer of a row.
    Answer {
        row: u64,
        result: AttemptResult,
        /// How long the request took.
        took: Duration,
    },
    /// A look-up confirmed a rejection, with this message.
    RejectedAfterAll(String),
    /// A record waits for evidence from other records.
    Awaiting,
    /// A look-up got a response.
    Alive,
    /// A look-up got no connection.
    Unreached(String),
    /// A look-up got 429.
    Throttled(Duration),
}
