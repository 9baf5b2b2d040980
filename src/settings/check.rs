//! Settings of `check`.

use super::log::progress_style;
use super::outputs::{self, Rendering};
use super::{SendingSettings, TargetSettings};
use crate::cli::{CheckArgs, ImportArgs, ProgressChoice};
use crate::failure::Failure;
use crate::process::logging::LogSettings;
use crate::reconcile::input::InputSettings;
use crate::reconcile::outputs::Outputs;
use crate::reconcile::plan::Purpose;
use crate::report::Style;

#[derive(Debug)]
pub(crate) struct CheckSettings {
    /// `None` if there is no ledger to compare with.
    pub target: Option<TargetSettings>,
    pub input: InputSettings,
    pub outputs: Outputs,
    pub purpose: Purpose,
    pub progress: Style,
    pub rendering: Rendering,
    pub log: LogSettings,
}

impl CheckSettings {
    pub(crate) fn of(args: &CheckArgs, log: LogSettings) -> Result<Self, Failure> {
        let target = TargetSettings::of(&args.target)?;
        let input = InputSettings::of(&args.input)?;
        let others = outputs::own_files(target.as_ref().map(|target| &target.ledger), None);
        let outputs = outputs::as_named(&args.output, &args.input.input, &others)?;
        let purpose = Purpose {
            per_minute: args.rate.per_minute(),
            retry_rejected: args.retry_rejected,
            sends: false,
            excuses_invalid: false,
            excuses_rejected: false,
        };
        let progress = progress_style(ProgressChoice::Auto, log);
        Ok(Self { target, input, outputs, purpose, progress, rendering: args.output.summary.into(), log })
    }
}

impl From<ImportArgs> for CheckArgs {
    /// Turns `import --dry-run` into `check`.
    fn from(args: ImportArgs) -> Self {
        let ImportArgs { input, target, sending, output, .. } = args;
        Self { input, target, output, rate: sending.rate, retry_rejected: sending.retry_rejected }
    }
}

impl Purpose {
    /// Returns the purpose of a plan that will be carried out.
    pub(super) fn of_sending(sending: &SendingSettings, excuses_known_bad: bool) -> Self {
        let retry_rejected = sending.claims.retry_rejected;
        Self {
            per_minute: sending.rate.per_minute(),
            retry_rejected,
            sends: true,
            excuses_invalid: excuses_known_bad,
            // No other record is rejected again.
            excuses_rejected: excuses_known_bad && retry_rejected && sending.guard.max_failures.is_some(),
        }
    }
}
