//! `ledger move`: brings a ledger file into a database.

use std::path::Path;

use crate::commands::typed::TypedCommand;
use crate::domain::{counted, shown};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::ledger::{Ledger, LedgerLocation, MovedLedger};
use crate::process::stdout;

pub(super) fn move_file(from: &Path, to: &LedgerLocation) -> Result<Exit, Failure> {
    let LedgerLocation::Database(settings) = to else {
        let typed = TypedCommand::of_this_process().without(&["ledger"]);
        return Err(Failure::new(Exit::Usage, "a ledger file can be moved into a PostgreSQL database only")
            .hint(format!("name the database: {}", typed.with("ledger", "postgres://USER@HOST/DATABASE"))));
    };
    let moved = Ledger::move_to(settings, from).map_err(|error| {
        let failure = Failure::from(error);
        // What helps with a ledger that is in use names --ledger, which is the database here.
        if Ledger::is_one(from) { failure } else { failure.hint("name the ledger file with --from") }
    })?;
    if moved.accounts == 0 {
        return Err(Failure::new(Exit::Usage, format!("{} knows no account, so nothing was moved", shown(from)))
            .hint("begin with the database at once: it needs no file"));
    }
    if moved.was_lost {
        tracing::warn!(
            "the database did not have what was moved before, so it was restored or has failed over; what was imported \
             since is not in it: run `ledger pull` for each account before the next import"
        );
    }
    let (file, ledger) = (shown(from), to.name());
    let done = if moved.was_there { "had moved before" } else { "moved" };
    let MovedLedger { accounts, runs, records, doubts, .. } = moved;
    let text = format!(
        "{file} {done} to {ledger}: {}, {}, {}, {doubts} of them in doubt\n\
         no run uses the file any more; it still holds people's data, so delete it once the database is backed up\n\
         from now on name the database in every command: --ledger {}\n",
        counted(accounts, "account"),
        counted(runs, "run"),
        counted(records, "record"),
        crate::shell::quoted(&to.option()),
    );
    stdout::write(text.as_bytes());
    Ok(Exit::Done)
}
