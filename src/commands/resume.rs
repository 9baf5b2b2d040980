//! Builds the commands that messages suggest, so that they work when pasted: the one that resumes a
//! run (the typed one, with a spooled standard input named by its file), the one that imports the
//! rows that were fixed, and the one that settles a doubt by hand.

use std::path::{Path, PathBuf};

use super::typed::TypedCommand;
use crate::delivery::Verdict;
use crate::ledger::LedgerError;
use crate::reconcile::input::InputHandle;
use crate::reconcile::outputs::Outputs;
use crate::report::Correction;
use crate::settings::{TargetSettings, default_report};
use crate::shell::quoted;

/// Returns the command that resumes the run.
pub(super) fn command(input: &InputHandle) -> String {
    again(input).to_string()
}

/// Returns the command that resumes the run that a report is about.
pub(super) fn of_import(input: &InputHandle) -> String {
    let command = again(input).without(&["report", "run"]);
    let is_report = command.command() == Some("report");
    if is_report { command.named("import") } else { command }.to_string()
}

/// Returns the command that imports the input of a command that keeps no copy of standard input.
pub(super) fn import(input: &InputHandle) -> String {
    let command = if input.is_piped() { TypedCommand::of_this_process() } else { again(input) };
    command.named("import").with_options_of(&["import"]).to_string()
}

/// Returns the command that reports on the input of another command.
pub(super) fn report(input: &InputHandle) -> String {
    again(input).named("report").with_options_of(&["report"]).to_string()
}

/// Returns the command that settles a doubt; the user replaces EMAIL and ID.
pub(super) fn settle(settings: &TargetSettings) -> String {
    ledger(&["settle", "EMAIL", "--created", "ID"], settings)
}

/// Returns the command that does something else with the ledger of this target.
pub(super) fn ledger(words: &[&str], settings: &TargetSettings) -> String {
    let program = std::env::args_os().next().unwrap_or_default().to_string_lossy().into_owned();
    let ledger = settings.ledger.option();
    let target = ["--base-url", settings.base.as_str(), "--ledger", &ledger, "--account", &settings.target.account];
    let command = [&program, "ledger"].into_iter().chain(words.iter().copied()).chain(target);
    command.map(quoted).collect::<Vec<_>>().join(" ")
}

/// Returns the command that has to follow a run whose ledger was removed: a new ledger must know
/// the customers of the API before anything is sent again. The log that the removed file left
/// behind is moved away first, because it does not belong to the new one. Returns `None` for other
/// errors.
pub(super) fn after_loss(error: &LedgerError) -> Option<String> {
    let ledger = error.removed()?.to_string_lossy().into_owned();
    let left = ["-wal", "-shm"].map(|ending| ledger.clone() + ending).into_iter();
    let left = left.filter(|file| Path::new(file).symlink_metadata().is_ok());
    let moved = left.map(|file| format!("mv {} {} && ", quoted(&file), quoted(&format!("{file}.lost"))));
    Some(moved.chain([TypedCommand::of_this_process().instead(&["ledger", "pull"]).to_string()]).collect())
}

/// Does the same for how a run ended.
pub(super) fn after_run(verdict: &Verdict) -> Option<String> {
    if let Verdict::LedgerFailed(error) = verdict { after_loss(error) } else { None }
}

/// Returns how the rows to fix get into the API: the typed command with the rejects file as its
/// input, or the typed command with a rejects file, if it has none.
pub(super) fn correction(input: &InputHandle, outputs: &Outputs, is_ndjson: bool) -> Correction {
    let again = again(input);
    let Some(rejects) = &outputs.rejects else {
        let rejects = unused_name(is_ndjson, outputs);
        let command = again.with("rejects", &rejects.to_string_lossy()).to_string();
        return Correction::InInput { input: input.shown(), rejects, command };
    };
    let is_default = outputs.reports == [default_report(input.path())];
    let command =
        of_rejects(again, rejects, !outputs.reports.is_empty() && !is_default, || unused_name(is_ndjson, outputs));
    Correction::InRejects { rejects: rejects.clone(), command: command.to_string() }
}

/// Returns the command that proposes how to read the input of another command, or `None` if that
/// command is not about a file.
pub(super) fn proposal(typed: TypedCommand) -> Option<TypedCommand> {
    let is_about_a_file = typed.input().is_some_and(|input| input != "-");
    let wants_one = matches!(typed.command(), Some("import" | "check"));
    (is_about_a_file && wants_one).then(|| typed.named("init").with_options_of(&["init"]))
}

fn again(input: &InputHandle) -> TypedCommand {
    let typed = TypedCommand::of_this_process();
    let typed = if input.is_spooled() { typed.with_input(&input.path().to_string_lossy()) } else { typed };
    input.remembered().iter().fold(typed, |typed, (option, value)| typed.with(option, value))
}

/// Turns the command into one that imports the rejects. Its own report and rejects go beside them,
/// because those of the input must stay: named options are left out, and options of the
/// configuration or the environment are overridden.
fn of_rejects(
    typed: TypedCommand,
    rejects: &Path,
    names_report: bool,
    more_rejects: impl FnOnce() -> PathBuf,
) -> TypedCommand {
    let (typed_rejects, typed_report) = (typed.has("rejects"), typed.has("report"));
    let mut command = typed.with_input(&rejects.to_string_lossy()).without(&["rejects", "report", "run"]);
    if command.command() == Some("report") {
        command = command.named("import");
    }
    if !typed_rejects {
        command = command.with("rejects", &more_rejects().to_string_lossy());
    }
    if names_report && !typed_report {
        command = command.with("report", &default_report(rejects).to_string_lossy());
    }
    command
}

/// Returns the name of a rejects file that does not exist, because the user may be fixing one that
/// does, and that no report is about to take.
fn unused_name(is_ndjson: bool, outputs: &Outputs) -> PathBuf {
    let ending = if is_ndjson { "ndjson" } else { "csv" };
    let name = |number: u32| match number {
        1 => PathBuf::from(format!("mend.{ending}")),
        number => PathBuf::from(format!("mend{number}.{ending}")),
    };
    (1..)
        .map(name)
        .find(|name| name.symlink_metadata().is_err() && !outputs.reports.contains(name))
        .unwrap_or_else(|| name(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(words: &[&str], names_report: bool) -> String {
        let typed = TypedCommand::of(words.iter().map(|word| (*word).to_owned()));
        of_rejects(typed, Path::new("bad rows.csv"), names_report, || "mend.csv".into()).to_string()
    }

    #[test]
    fn the_rejects_are_imported_with_the_options_of_the_input() {
        let typed = ["x", "--config", "n.toml", "import", "--rejects", "bad rows.csv", "in.csv", "--map=a=B", "--yes"];
        assert_eq!(command(&typed, false), "x --config n.toml import 'bad rows.csv' --map=a=B --yes");
        let typed = ["x", "import", "in.csv", "--report=a.csv", "--report", "b.ndjson", "--rejects=bad rows.csv"];
        assert_eq!(command(&typed, true), "x import 'bad rows.csv'");
        let typed = ["x", "report", "in.csv", "--run", "last", "--rejects", "bad rows.csv", "--base-url", "u"];
        assert_eq!(command(&typed, false), "x import 'bad rows.csv' --base-url u");
    }

    #[test]
    fn outputs_that_a_configuration_names_are_not_overwritten() {
        assert_eq!(
            command(&["x", "import", "in.csv", "--config", "n.toml"], true),
            "x import 'bad rows.csv' --config n.toml --rejects mend.csv --report 'bad rows.report.csv'"
        );
    }
}
