//! `status`: asks the API for the KYC status of a file's customers.
//!
//! - `run` wires it: the input, the ledger, the inquiry, and how it ends.
//! - `keeper` writes what was learnt into the ledger, which it holds for moments only.
//! - `finding` is what it found out, as text or JSON.
//!
//! It never stands in the way of an import: while another run holds the ledger it asks nothing, and
//! if one begins, it stops, because both would share the API's limit.

mod finding;
mod keeper;
mod run;

pub(super) use run::run;
