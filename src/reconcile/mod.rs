//! Compares the input with the ledger: which records are duplicates, which are already known, and
//! what the report says of each.
//!
//! - `input` opens the input, and spools standard input to a file, so that it can be read several
//!   times.
//! - `survey` is the first reading, without the ledger: counts, diagnostics and, by `duplicates`,
//!   equal e-mails.
//! - `pass` is a reading with the ledger. It makes one report line per record (`line`) and writes
//!   the files (`outputs`).
//! - `plan` combines both into what an import would do; `known` has the rows that need no claim.
//! - `inquiry` has the customers that `status` asks for.
//! - `page_facts` has what an HTML report says of a run beside its lines.
//! - `run_input` is how a run read its input, which a later report reads alike; `all_runs` adds up
//!   the runs of an input.
//! - `from_ledger` makes the reports if the input is gone; `mapping_hint` suggests a mapping after
//!   a stop; `chunks` is a list that frees its memory piece by piece.
//!
//! Rules:
//!
//! - `check`, `import` and `report` use the same [`Reconciler`](line::Reconciler), so the plan, the
//!   import and the report agree on which record is a duplicate of which.
//! - An input that changed since it was opened is an error in every reading (I11).
//! - Files appear only when all of them are complete. Each replaces its predecessor by a rename, so
//!   after a crash every file is whole, the old one or the new one.
//! - Memory grows by 13 bytes per valid record for duplicates, one byte per record for known rows
//!   and 16 bytes per bad record, and not with the size of the records (I8).

pub(crate) mod all_runs;
pub(crate) mod chunks;
pub(crate) mod duplicates;
pub(crate) mod from_ledger;
pub(crate) mod input;
pub(crate) mod inquiry;
pub(crate) mod known;
pub(crate) mod line;
pub(crate) mod mapping_hint;
pub(crate) mod outputs;
pub(crate) mod page_facts;
pub(crate) mod pass;
pub(crate) mod plan;
pub(crate) mod run_input;
pub(crate) mod survey;
