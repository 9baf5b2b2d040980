//! What people and programs read about a run: report files, summary, plan, diagnostics, progress.
//!
//! - [`ReportFile`] (`formats`) writes one line for each record: `csv` for people and programs,
//!   `xlsx` for spreadsheets, `ndjson` for programs. `html` is a page about the whole run, for
//!   which [`PageFacts`] has what the lines do not say.
//! - [`Rejects`] (`rejects`) writes the rejects in the form in which they were read, or as `.xlsx`,
//!   to correct and import. `workbook` writes tables of text as `.xlsx` for both.
//! - [`Plan`] says what an import would do, [`Summary`] what a run did; both as text,
//!   Markdown or JSON.
//!   [`Correction`] says how to get the rows that must be fixed into the API.
//!   [`ChangedCounts`] says in which fields changed records differ.
//! - [`KycCounts`] says how many customers have which KYC status.
//! - [`Diagnostics`] (`diagnostics`) lists what is wrong with the input and marks the cell.
//! - [`Progress`] (`progress`) follows the events of a run: a bar on a terminal, a line at each
//!   heartbeat elsewhere. [`Activity`] shows what is done before and after. [`Metrics`] writes the
//!   same counts for a monitoring system, and [`Notification`] tells a third party how a run ended.
//!
//! # Rules
//!
//! - This module does not know how records are sent. It gets a run as
//!   [`Event`](crate::event::Event)s while the run is under way, and as the ledger's outcomes when
//!   it has ended.
//! - Outcomes come from the ledger, so a report can be made again at any time, even after a crash.
//! - Report files and rejects are written to a temporary file and renamed when they are whole. A
//!   crash leaves the earlier file or the new one, never half of one.
//! - Nothing here prints a token. Only report files hold links.
//! - Data goes to stdout; progress and diagnostics go to stderr.

mod changed;
mod correction;
mod diagnostics;
mod event_log;
mod formats;
mod human;
mod kyc;
mod mails;
mod markdown;
mod metrics;
mod notification;
mod plan;
mod progress;
mod rejects;
mod summary;
mod workbook;

pub use changed::ChangedCounts;
pub use correction::Correction;
pub use diagnostics::listing::{Diagnostics, DiagnosticsStyle, PieceDiagnostics};
pub use event_log::{log_end, log_event};
pub use formats::file::{ReportFile, ReportOptions};
pub use formats::format::ReportFormat;
pub use formats::html::facts::{PageFacts, PastRun, RunFacts};
pub use human::about;
pub use kyc::KycCounts;
pub use mails::MailCounts;
pub use metrics::{LeaseGauges, LedgerGauges, Metrics};
pub use notification::Notification;
pub use plan::Plan;
pub use progress::Activity;
pub use progress::counts::Scope;
pub use progress::display::{Progress, Style};
pub use rejects::file::Rejects;
pub use summary::{AllRuns, ErrorGroups, Summary, Unended};
