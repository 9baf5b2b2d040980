//! What was sent and what came of it, kept so that any crash leaves the next run enough to go on.
//!
//! # What is true at every instant
//! 1. A record is known by its target and its e-mail key. Its position in a file means nothing.
//! 2. Before the first byte of a request leaves, its *intent* (key, bytes, times) is durable. So
//!    whatever ends the program, the next run knows every request that may have reached the server,
//!    and has the very bytes to send again.
//! 3. An outcome is durable before it is shown. So nothing that was shown or reported is forgotten.
//! 4. An intent stays until an outcome that ends all doubt is durable, in the same batch. So an
//!    intent that a later run finds is exactly a request whose effect is unknown.
//! 5. Outcomes are only ever added. So a report can be made as of any run.
//! 6. A run that completed and the bad records that it reported are durable together, so no later
//!    run takes a record for known that no completed run reported.
//! 7. After the first error of the store nothing more is written. Because no intent can become
//!    durable then, nothing more is sent.
//!
//! # How it works
//! - [`Ledger`] (`handle`) is how the program writes: each method makes an operation of its
//!   arguments and waits for the answer.
//! - `queue` commits in groups: one thread takes all operations that wait, in their order, and
//!   commits them as one batch. An intent is committed at once, because a sender waits for it, and
//!   takes the outcomes before it along. Without one, outcomes wait up to 25 ms for company.
//! - `store` is the boundary: operations as data, and what a database must promise.
//! - `sqlite` keeps the ledger in one file. `memory` keeps it for tests and can crash between any
//!   two commits. `conformance` runs the same tests, each named after its guarantee, for every
//!   store.
//! - [`Reader`] is how reports, plans and people read: a view as of the moment that it was opened.
//! - `keyed_hasher` makes what the ledger keeps instead of people's data: `field_hashes` names the
//!   fields that changed, and a digest tells a record that was bad before. `minute_codec` packs
//!   what a run did in a minute; `varint` is how both write numbers.
//! - `moving` brings the content of a file into a database, for good and in one piece.
//! - `watch` is what monitoring shows of the ledger.
//! - `claim` and `record_state` are the rules, pure: may a record be sent, and what is its status?
//!
//! # Who may do what
//! One process at a time writes, and it holds the ledger for its whole life. With SQLite it holds
//! an exclusive lock on `<ledger>.lock`, and on Linux on the database file too; the kernel frees
//! both when the process dies. The file is made before it is locked, and locked by its real name,
//! so that links to it share the lock. Hard links, mount points and network file systems are
//! refused. If a name no longer leads to its file, the run permits no further request, writes what
//! is in flight into the file that it holds, and closes it without touching anything by name.
//! Readers may come at any time.
//!
//! # How that is tried
//! `examples/crash_campaign.rs` kills the program at random times, and the `checker` of
//! `crates/testkit` compares input, server, ledger and report: no harm in 5,363 kills, so less than
//! 0.06 % with 95 % confidence. `docs/fault-matrix.md` names the test of every other fault.
//!
//! # What it cannot promise
//! Two ledgers for one account, a ledger that was deleted or restored from an old copy, and a
//! server that honours neither its idempotency key nor its unique e-mail: against these only the
//! server's own refusal of a second customer with the same e-mail helps. If a disk turns one byte
//! of a cell into another, this is noticed if the database's own structure suffers, or if the cell
//! is what the server said of a customer, which has a checksum; SQLite keeps none.

mod claim;
#[cfg(test)]
mod conformance;
mod error;
mod field_hashes;
mod handle;
mod idempotency_key;
mod keyed_hasher;
mod location;
#[cfg(test)]
mod memory;
mod minute_codec;
mod model;
#[cfg(feature = "postgres")]
mod moved;
#[cfg(feature = "postgres")]
mod moving;
mod open;
mod payload;
#[cfg(feature = "postgres")]
mod postgres;
mod queue;
mod reader;
mod record_state;
mod sqlite;
mod store;
mod store_link;
mod varint;
mod watch;

pub use claim::{Claim, ClaimPolicy, ClaimRequest, Ticket};
pub use error::{DatabaseProblem, Holder, LedgerError, LostName, Occupied};
pub use field_hashes::FieldHashes;
pub use handle::{Ledger, LedgerHold};
pub use keyed_hasher::{BadRecordDigest, KeyedHasher};
pub use location::{DatabaseSettings, DatabaseUrl, LedgerLocation, LedgerName, PasswordInUrl, PasswordSource};
pub use model::{
    CheckedStatus, Creation, EndedRun, InputName, Intent, MovedLedger, OpenRequest, PastOutcome, RunCounters, RunId,
    RunInfo, RunStart, RunState, SharedId, StoredOutcome, Target,
};
pub use payload::{PayloadHash, SentPayload};
pub use reader::Reader;
pub use record_state::{Claimed, KnownRecord, RecordState};
pub use store_link::LeaseFigures;
pub use watch::{LedgerFigures, LedgerWatch};
