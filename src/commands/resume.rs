//! Builds the commands that messages suggest, so that they work when pasted: the one that resumes a
//! run (the typed one, with a spooled standard input named by its file), and the one that settles a
//! doubt by hand.

use crate::reconcile::input::InputHandle;
use crate::settings::TargetSettings;
use crate::shell::{self, quoted};

/// Returns the command that resumes the run.
pub(super) fn command(input: &InputHandle) -> String {
    let spooled = input.is_spooled().then(|| input.path().display().to_string());
    quoted_args(shell::typed(), spooled.as_deref())
}

/// Returns the command that settles a doubt; the user replaces EMAIL and ID.
pub(super) fn settle(settings: &TargetSettings) -> String {
    let program = std::env::args_os().next().unwrap_or_default();
    let ledger = settings.ledger.display().to_string();
    let named = [settings.base.as_str(), "--ledger", &ledger, "--account", &settings.target.account];
    let command = [&program.to_string_lossy(), "ledger", "settle", "EMAIL", "--created", "ID", "--base-url"];
    let words = command.into_iter().chain(named).map(quoted);
    words.collect::<Vec<_>>().join(" ")
}

fn quoted_args(typed: impl Iterator<Item = String>, spooled: Option<&str>) -> String {
    shell::command(typed, |word| spooled.filter(|_| word == "-").map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(words: &[&str]) -> impl Iterator<Item = String> {
        words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>().into_iter()
    }

    #[test]
    fn what_a_shell_would_split_or_expand_is_quoted() {
        let command =
            quoted_args(typed(&["customer-import", "import", "a b.csv", "--map", "customer_name={It's}"]), None);
        assert_eq!(command, r"customer-import import 'a b.csv' --map 'customer_name={It'\''s}'");
    }

    #[test]
    fn an_account_id_is_not_repeated() {
        for id in [&["--account-id", "YWRh"][..], &["--account-id=YWRh"]] {
            let command = quoted_args(typed(&[&["x", "import"], id, &["a.csv"]].concat()), None);
            assert!(command.contains("ACCOUNT_ID a.csv") && !command.contains("YWRh"), "{command}");
        }
    }

    #[test]
    fn a_spooled_standard_input_is_named_by_its_file() {
        let command = quoted_args(typed(&["customer-import", "import", "-", "--yes"]), Some("/state/spool/stdin-x"));
        assert_eq!(command, "customer-import import /state/spool/stdin-x --yes");
    }
}
