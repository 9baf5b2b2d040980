//! `import`: reads the input and plans, asks, sends, reports.
//!
//! - `prepare` leads from the settings to the first request: sandbox, ledger, plan, question.
//! - `consent` tries the credentials and asks before anything is sent.
//! - `destination` chooses the API or a sandbox inside this process.
//! - `offers` reads the input and offers its records to delivery; `send` runs reader, delivery and
//!   progress side by side.
//! - `finish` writes the reports, the end of the run and the summary.
//! - `notice` posts the end of the run to `--notify-url-file`.
//! - `metrics_file` keeps `--metrics-file` up to date; `run` has what these steps share.
//!
//! A ledger that exists is locked before the plan, and a new one is created only when nothing can
//! be refused any more. Every way out of a run ends it in the ledger, except a kill and a second
//! signal; then the next run resolves what was in flight.

mod consent;
mod destination;
mod finish;
mod metrics_file;
mod notice;
mod offers;
mod prepare;
mod run;
mod send;

pub(super) use prepare::run;
