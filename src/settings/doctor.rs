//! Settings of `doctor`.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::credentials::credentials;
use super::server::route;
use super::{AnswerFormat, TargetSettings};
use crate::api::{Credentials, Route};
use crate::cli::DoctorArgs;
use crate::delivery::Rate;
use crate::failure::Failure;

#[derive(Debug)]
pub(crate) struct DoctorSettings {
    pub target: TargetSettings,
    /// What is wrong with it is a finding, and does not hide the others.
    pub route: Result<Route, Failure>,
    /// The same.
    pub credentials: Result<Arc<Credentials>, Failure>,
    pub ca_file: Option<PathBuf>,
    pub rate: Rate,
    pub timeout: Duration,
    pub connect_timeout: Duration,
    pub format: AnswerFormat,
}

impl DoctorSettings {
    /// Fails if no target was named. Reads the file of an app secret, so it may block.
    pub(crate) fn of(args: &DoctorArgs) -> Result<Self, Failure> {
        let target = TargetSettings::required(&args.target)?;
        Ok(Self {
            route: route(&target.base),
            credentials: credentials(&args.credentials).map(Arc::new),
            ca_file: args.credentials.ca_file.clone(),
            target,
            rate: args.pace.rate,
            timeout: args.pace.timeout,
            connect_timeout: args.pace.connect_timeout,
            format: AnswerFormat::json_if(args.json),
        })
    }
}
