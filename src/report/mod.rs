//! What people and programs read about a run: report files, summary, plan, diagnostics, progress.
//!
//! - [`ReportFile`] (`formats`) writes one line a record: `csv` for people and spreadsheets,
//!   `ndjson` for programs.
//! - [`Rejects`] writes records back in the form in which they were read.
//! - [`Summary`] and [`Plan`] are what stdout shows at the end and before the start.
//! - [`Diagnostics`] (`diagnostics`) lists what is wrong with the input, and points at the cell.
//! - [`Progress`] (`progress`) follows the events of a run: a bar on a terminal, a line now and
//!   then elsewhere. [`Metrics`] writes the same for a monitoring system.
//!
//! This module does not know how records are sent. Nothing here shows a token or, outside the
//! report files, a link.

mod diagnostics;
mod event_log;
mod formats;
mod human;
mod metrics;
mod plan;
mod progress;
mod rejects;
mod summary;

pub use diagnostics::listing::{Diagnostics, DiagnosticsStyle};
pub use event_log::{log_end, log_event};
pub use formats::file::{ReportFile, ReportFormat};
pub use human::about;
pub use metrics::Metrics;
pub use plan::Plan;
pub use progress::counts::Scope;
pub use progress::display::{Progress, Style};
pub use rejects::Rejects;
pub use summary::{ErrorGroups, Summary, Unended};
