//! `ledger forget`: erases a person, or everything of the target.

use crate::commands::resume;
use crate::domain::{EmailKey, counted, grouped};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::ledger::Reader;
use crate::process::confirm::AskingTerminal;
use crate::process::{runtime, stdout};
use crate::settings::TargetSettings;
use crate::shell;

pub(super) fn forget(email: Option<&str>, target: &TargetSettings, yes: bool) -> Result<Exit, Failure> {
    // Locked from here on, so that exactly what the question names is erased.
    let ledger = target.open_known_ledger()?;
    if let (Some(loss), false) = (loss(email, &target.reader()?)?, yes) {
        consent(&loss, target)?;
    }
    runtime::on_runtime(async {
        let told = match email {
            Some(email) => {
                let key = EmailKey::of(email);
                let known = ledger.forget_email(key.clone()).await?;
                if known {
                    format!("{} is forgotten; an input that holds it will be sent again\n", key.as_str())
                } else {
                    format!("the ledger did not know {}\n", key.as_str())
                }
            }
            None => {
                let records = ledger.forget_target().await?;
                format!("{} forgotten; an input that holds them will be sent again\n", counted(records, "record"))
            }
        };
        stdout::write(told.as_bytes());
        Ok(Exit::Done)
    })
}

/// What would be lost, in words, and how many doubts with it.
struct Loss {
    told: String,
    doubts: usize,
}

/// Returns what the user must confirm: erasing everything, or a request that may have taken effect.
/// `None` if there is nothing to confirm.
fn loss(email: Option<&str>, ledger: &Reader) -> Result<Option<Loss>, Failure> {
    let open = ledger.open_requests()?;
    let Some(email) = email else {
        let records = ledger.tally()?.total();
        let doubts = grouped(open.len() as u64);
        let told = format!("{}, {doubts} of them in doubt, would be forgotten", counted(records, "record"));
        return Ok((records > 0).then_some(Loss { told, doubts: open.len() }));
    };
    let key = EmailKey::of(email);
    let told = format!("{} is in doubt, perhaps created, and that would be forgotten", key.as_str());
    Ok(open.iter().any(|doubt| doubt.email == key).then_some(Loss { told, doubts: 1 }))
}

/// Asks at the terminal. Fails if the answer is no, or if there is no terminal, which requires
/// --yes.
fn consent(loss: &Loss, target: &TargetSettings) -> Result<(), Failure> {
    const AFTER: &str = "an input that holds what is forgotten is sent again";
    let Loss { told: loss, doubts } = loss;
    let Ok(terminal) = AskingTerminal::open() else {
        let confirmed = shell::again(&["--yes".to_owned()]);
        return Err(Failure::new(Exit::Usage, format!("{loss}, and {AFTER}; nothing was forgotten")).hint(
            match doubts {
                0 => format!("to confirm: {confirmed}"),
                _ => format!(
                    "to end doubts first: {}\n  or, to confirm: {confirmed}",
                    resume::ledger(&["resolve"], target)
                ),
            },
        ));
    };
    if terminal.confirmed(&format!("{loss}: {AFTER}. Forget?")) {
        return Ok(());
    }
    Err(Failure::new(Exit::SomeFailed, "nothing was forgotten: you answered no"))
}
