//! Writes a report as one HTML page that needs no network.
//!
//! - `writer` takes the lines and keeps what the page shows of them: `rows` that need a person, and
//!   `problems`, both bounded.
//! - `facts` is what the page says of the run beside its lines; `page` joins both.
//! - `bounds` is what a page shows at most.
//! - `timeline` merges the minutes of the run into the columns of its plots; `plot` draws one.
//!
//! The page is drawn here and not in the browser, so it reads without scripts and prints. The
//! script only searches, sorts and filters rows that are already there. Style and script are named
//! by their hashes in the page's own policy, which forbids everything else.
//!
//! Every text of the input and the server goes through the template, which escapes it.

mod bounds;
pub(in crate::report) mod facts;
mod page;
mod plot;
mod problems;
pub(super) mod rows;
mod timeline;
pub(super) mod writer;
