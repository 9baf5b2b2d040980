//! Settings of `status`.

use std::time::Duration;

use super::{AnswerFormat, ServerSettings, TargetSettings};
use crate::cli::StatusArgs;
use crate::delivery::Rate;
use crate::failure::Failure;
use crate::reconcile::input::InputSettings;

#[derive(Debug)]
pub(crate) struct StatusSettings {
    pub server: ServerSettings,
    pub input: InputSettings,
    pub rate: Rate,
    pub timeout: Duration,
    pub connect_timeout: Duration,
    pub give_up_after: Duration,
    pub format: AnswerFormat,
}

impl StatusSettings {
    /// Decides everything. Reads the file of an app secret, so it may block.
    pub(crate) fn of(args: &StatusArgs) -> Result<Self, Failure> {
        Ok(Self {
            server: ServerSettings::at(TargetSettings::required(&args.target)?, &args.credentials)?,
            input: InputSettings::of(&args.input)?,
            rate: args.pace.rate,
            timeout: args.pace.timeout,
            connect_timeout: args.pace.connect_timeout,
            give_up_after: args.give_up_after,
            format: AnswerFormat::json_if(args.json),
        })
    }
}
