//! Builds the commands that messages suggest, so that they work when pasted: the one that resumes a
//! run (the typed one, with a spooled standard input named by its file), and the one that settles a
//! doubt by hand.

use crate::reconcile::input::InputHandle;
use crate::settings::TargetSettings;
use crate::shell::{command_line, quoted};

/// Returns the command that resumes the run.
pub(super) fn command(input: &InputHandle) -> String {
    let spooled = input.is_spooled().then(|| input.path().display().to_string());
    let typed = std::env::args_os().map(|word| word.to_string_lossy().into_owned());
    command_line(typed, spooled.as_deref())
}

/// Returns the command that settles a doubt; the user replaces EMAIL and ID.
pub(super) fn settle(settings: &TargetSettings) -> String {
    ledger(&["settle", "EMAIL", "--created", "ID"], settings)
}

/// Returns the command that does something else with the ledger of this target.
pub(super) fn ledger(words: &[&str], settings: &TargetSettings) -> String {
    let program = std::env::args_os().next().unwrap_or_default().to_string_lossy().into_owned();
    let ledger = settings.ledger.display().to_string();
    let target = ["--base-url", settings.base.as_str(), "--ledger", &ledger, "--account", &settings.target.account];
    let command = [&program, "ledger"].into_iter().chain(words.iter().copied()).chain(target);
    command.map(quoted).collect::<Vec<_>>().join(" ")
}
