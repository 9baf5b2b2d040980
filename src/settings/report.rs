//! Settings of `report`.

use super::TargetSettings;
use super::log::progress_style;
use super::outputs::{self, Rendering};
use crate::cli::{ProgressChoice, ReportArgs};
use crate::failure::Failure;
use crate::process::logging::LogSettings;
use crate::reconcile::input::InputSettings;
use crate::reconcile::outputs::Outputs;
use crate::report::Style;

#[derive(Debug)]
pub(crate) struct ReportSettings {
    pub target: TargetSettings,
    pub input: InputSettings,
    pub outputs: Outputs,
    /// `last`, or the id of a run.
    pub run: String,
    pub progress: Style,
    pub rendering: Rendering,
}

impl ReportSettings {
    pub(crate) fn of(args: ReportArgs, log: LogSettings) -> Result<Self, Failure> {
        let target = TargetSettings::required(&args.target)?;
        let input = InputSettings::of(&args.input)?;
        let others = outputs::own_files(Some(&target.ledger), None);
        let outputs = outputs::with_default(&args.output, &args.input.input, &others)?;
        let progress = progress_style(ProgressChoice::Auto, log);
        Ok(Self { target, input, outputs, run: args.run, progress, rendering: args.output.summary.into() })
    }
}
