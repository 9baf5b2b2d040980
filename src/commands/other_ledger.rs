//! What to say if the ledger is missing and another one knows the target: the same command with
//! that ledger. Any other advice could lead to a new ledger, and everything would be sent again.

use std::path::{Path, PathBuf};

use super::typed::TypedCommand;
use crate::cli::{Command, LedgerCommand, TargetArgs};
use crate::domain::shown;
use crate::failure::Failure;
use crate::ledger::LedgerError;
use crate::settings::TargetSettings;
use crate::shell;

/// What a command says of its target, kept until the command fails.
pub(super) struct LedgerSearch {
    target: TargetArgs,
    input: Option<PathBuf>,
}

impl LedgerSearch {
    /// Returns `None` for a command that uses no ledger.
    pub(super) fn of(command: &Command) -> Option<Self> {
        let (target, input) = match command {
            Command::Import(args) => (&args.target, Some(&args.input.input)),
            Command::Check(args) => (&args.target, Some(&args.input.input)),
            Command::Report(args) => (&args.target, Some(&args.input.input)),
            Command::Status(args) => (&args.target, Some(&args.input.input)),
            Command::Ledger(command) => match &**command {
                LedgerCommand::Show { target, .. }
                | LedgerCommand::Resolve { target, .. }
                | LedgerCommand::Settle { target, .. }
                | LedgerCommand::Pull { target, .. }
                | LedgerCommand::Forget { target, .. }
                | LedgerCommand::Migrate { target }
                | LedgerCommand::Move { target, .. } => (target, None),
            },
            _ => return None,
        };
        Some(Self { target: target.clone(), input: input.cloned() })
    }

    /// Returns the hint for a missing ledger, or `None` if no other one knows the target.
    pub(super) fn hint(&self) -> Option<String> {
        let target = TargetSettings::of(&self.target).ok().flatten()?;
        hint(&target, self.input.as_deref())
    }
}

/// Returns the hint for a ledger that has moved, or `None` for any other error.
pub(super) fn after_move(error: &LedgerError) -> Option<String> {
    let LedgerError::Moved { to, is_complete: true, .. } = error else { return None };
    Some(format!("go on there: {}", with_ledger(Path::new(&to.to_string()))))
}

/// Returns which other ledger knows the target, and the command that uses it. `None` if none is
/// found.
pub(super) fn hint(target: &TargetSettings, input: Option<&Path>) -> Option<String> {
    let other = target.other_ledger(input)?;
    Some(format!("another ledger knows customers of this target, {}: {}", shown(&other), instead(target, &other)))
}

/// Returns the command that goes on with what another ledger knows: one with that ledger, or one
/// that moves it to where the target's is.
fn instead(target: &TargetSettings, other: &Path) -> String {
    if target.ledger.file().is_some() {
        return with_ledger(other).to_string();
    }
    let [from, to] = [&*other.to_string_lossy(), &target.ledger.option()].map(shell::quoted);
    format!("customer-import ledger move --from {from} --ledger {to}")
}

/// Returns whether the ledger knows nothing of the target yet. A database that has a ledger has it
/// for other accounts, too.
pub(super) fn is_new_to(target: &TargetSettings, has_ledger: bool) -> Result<bool, Failure> {
    Ok(!has_ledger || target.ledger.file().is_none() && !target.reader()?.knows_any()?)
}

/// Warns before a ledger is used that knows nothing of the target although another one does.
pub(super) fn warn_of_new(target: &TargetSettings, input: &Path) {
    if let Some(other) = target.other_ledger(Some(input)) {
        tracing::warn!(
            "the ledger {} does not know this target, but another one knows customers of it, {}; \
             to send nothing twice, stop and run: {}",
            target.ledger.name(),
            shown(&other),
            instead(target, &other)
        );
    }
}

fn with_ledger(ledger: &Path) -> TypedCommand {
    TypedCommand::of_this_process().without(&["ledger"]).with("ledger", &ledger.to_string_lossy())
}
