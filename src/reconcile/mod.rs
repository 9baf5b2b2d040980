//! Brings the input and the ledger together: who is a duplicate of whom, what is known, and what
//! each record says.
//!
//! `check`, `import` and `report` read the input through the same [`Reconciler`](line::Reconciler),
//! so what the plan promised, what the import did and what the report says cannot differ in who is
//! a duplicate of whom.

pub(crate) mod chunks;
pub(crate) mod duplicates;
pub(crate) mod from_ledger;
pub(crate) mod input;
pub(crate) mod known;
pub(crate) mod line;
pub(crate) mod mapping_hint;
pub(crate) mod outputs;
pub(crate) mod pass;
pub(crate) mod plan;
pub(crate) mod survey;
