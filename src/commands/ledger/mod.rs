//! `ledger`: looking at the memory of what was sent, and what people do to it.

mod show;

pub(super) use show::run;
