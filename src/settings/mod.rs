//! Checked values, decided once from what the user typed.
//!
//! Everything that can be refused before the first record is read is refused here. What `cli`
//! parsed ends here, too: no folder below knows the command line. A folder that needs values from
//! the user defines their type, and this folder creates them.

mod check;
mod credentials;
mod doctor;
mod import;
mod init;
mod input;
mod log;
mod notify;
mod other_ledger;
mod outputs;
mod report;
mod sending;
mod server;
mod status;
mod target;

pub(crate) use check::CheckSettings;
pub(crate) use doctor::DoctorSettings;
pub(crate) use import::{Destination, ImportSettings, MetricsSettings, SandboxSettings};
pub(crate) use init::InitSettings;
pub(crate) use notify::NotifySettings;
pub(crate) use outputs::{AnswerFormat, Rendering, default_report};
pub(crate) use report::ReportSettings;
pub(crate) use sending::{ResolveSettings, SendingSettings};
pub(crate) use server::ServerSettings;
pub(crate) use status::StatusSettings;
pub(crate) use target::TargetSettings;
