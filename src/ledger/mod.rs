//! The memory of what was sent and what came of it: one SQLite file.
//!
//! # What is true at every instant
//! 1. A record is known by its target and its e-mail key. Where it stands in a file means nothing.
//! 2. Before the first byte of a request leaves, its *intent* (key, bytes, time) is committed and synced. So whatever kills the
//!    program, every request that may have reached the server is known to the next run, with the very bytes to send again.
//! 3. An outcome is committed before anybody is told of it. So nothing that was shown or reported can be forgotten.
//! 4. An intent stays until an outcome that ends all doubt is committed, in the same transaction. So an intent that is found by a later run
//!    is exactly a request whose effect is unknown.
//! 5. Outcomes are only ever added. So a report can be made as of any run.
//! 6. After the first error of the file nothing more is written, and, since no intent can be committed, nothing more is sent.
//!
//! # Who may do what
//! One process at a time writes: it holds an exclusive lock on `<ledger>.lock`, and on Linux on the database file too, which the kernel frees
//! on any death. The file is made before it is locked and locked by its real name, so that links to it share the lock; hard links, mount
//! points and network file systems are refused. A run that finds that a name no longer leads to its file permits no further request, writes
//! what is in flight into the file that it holds, and closes it without touching anything by name. In that process one thread ([`Ledger`]
//! talks to it) owns the only writing connection. Readers ([`Reader`]) may come at any time.
//!
//! # What it costs
//! The writer takes all that waits for it in one transaction, in the order in which it came. An intent is committed at once, for a sender waits
//! for it, and takes the outcomes before it along; where none comes, outcomes wait for company for 25 ms.
//!
//! # How that is tried
//! `examples/crash_campaign.rs` kills the program at random times and lets `tests/it/checker.rs` compare input, server, ledger and report: no
//! harm in 5,363 kills, so less than 0.06 % with 95 % confidence. `docs/fault-matrix.md` names the test of every other fault.
//!
//! # What it cannot promise
//! Two ledgers for one account, a ledger that was deleted or restored from an old copy, and a server that honours neither its idempotency
//! key nor its unique e-mail: against these only the server's own refusal of a second customer with the same e-mail helps. A disk that
//! turns one byte of a cell into another is seen only where the database's own structure suffers; SQLite keeps no checksums of cells.

mod claim;
#[cfg(test)]
mod conformance;
mod error;
mod handle;
mod idempotency_key;
#[cfg(test)]
mod memory;
mod model;
mod open;
mod queue;
mod reader;
mod record_state;
mod sqlite;
mod store;

pub use claim::{Claim, ClaimPolicy, ClaimRequest, Ticket};
pub use error::{Holder, LedgerError, LostName, Occupied};
pub use handle::Ledger;
pub use idempotency_key::PayloadHash;
pub use model::{
    Claimed, Creation, InputName, Intent, KnownRecord, OpenRequest, PastOutcome, RunCounters, RunId, RunInfo, RunState,
    SharedId, StoredOutcome, Target,
};
pub use reader::Reader;
pub use record_state::RecordState;
