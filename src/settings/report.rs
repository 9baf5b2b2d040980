//! Settings of `report`.

use super::TargetSettings;
use super::outputs::{self, Rendering};
use crate::cli::ReportArgs;
use crate::failure::Failure;
use crate::reconcile::input::InputSettings;
use crate::reconcile::outputs::Outputs;

#[derive(Debug)]
pub(crate) struct ReportSettings {
    pub target: TargetSettings,
    pub input: InputSettings,
    pub outputs: Outputs,
    /// `last`, or the id of a run.
    pub run: String,
    pub rendering: Rendering,
}

impl ReportSettings {
    pub(crate) fn of(args: ReportArgs) -> Result<Self, Failure> {
        let target = TargetSettings::required(&args.target)?;
        let input = InputSettings::of(&args.input)?;
        let others = outputs::own_files(Some(&target.ledger), None);
        let outputs = outputs::with_default(&args.output, &args.input.input, &others)?;
        Ok(Self { target, input, outputs, run: args.run, rendering: args.output.summary.into() })
    }
}
