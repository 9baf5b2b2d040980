//! `ledger settle`: ends a doubt with what the user found out.

use crate::commands::resume;
use crate::domain::{Complaint, ComplaintCode, EmailKey, Ending, Receipt};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::ledger::{EndedRun, RunStart};
use crate::process::{runtime, stdout};
use crate::settings::TargetSettings;

pub(super) fn settle(email: &EmailKey, created: Option<String>, target: &TargetSettings) -> Result<Exit, Failure> {
    let ledger = target.open_known_ledger()?;
    let ending = match created {
        Some(id) => Ending::Created(Receipt { customer_id: Some(id), ..Receipt::default() }),
        None => {
            let message = "settled by hand: there is no such customer".to_owned();
            Ending::Failed(Complaint { code: ComplaintCode::GaveUp, message })
        }
    };
    let word = ending.status();
    runtime::on_runtime(async {
        let run = ledger.begin_run(RunStart::without_input("ledger settle")).await?;
        let settled = ledger.settle_by_hand(&run, email.clone(), ending).await?;
        let exit = if settled { Exit::Done } else { Exit::Usage };
        ledger.end_run(&run, EndedRun { exit_code: exit.code(), ..EndedRun::default() }).await?;
        if !settled {
            return Err(Failure::new(Exit::Usage, format!("{} is not in doubt", email.as_str()))
                .hint(format!("list the records in doubt: {}", resume::ledger(&["show"], target))));
        }
        stdout::write(format!("{} is settled: {word}\n", email.as_str()).as_bytes());
        Ok(exit)
    })
}
