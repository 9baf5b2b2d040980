//! `ledger pull`: adds the customers that the account already has.

use std::sync::Arc;

use serde_json::json;

use crate::commands::job::Sender;
use crate::delivery::{self, Pull, PullStop, Pulled, Repeated};
use crate::domain::{counted, grouped, plural};
use crate::exit::{Exit, Signal};
use crate::failure::Failure;
use crate::ledger::{EndedRun, RunCounters, RunStart};
use crate::process::signals::Signals;
use crate::process::stdout;
use crate::settings::{AnswerFormat, ResolveSettings};

pub(super) async fn pull(
    decide: impl FnOnce() -> Result<ResolveSettings, Failure> + Send + 'static,
    format: AnswerFormat,
) -> Result<Exit, Failure> {
    let signals = Signals::listen()?;
    let ResolveSettings { server, sending, .. } = signals.beside(decide).await?;
    let (sender, api) = Sender::new(server, sending, &signals).await?;
    let ledger = sender.open_ledger(&signals).await?;
    let Signals { shutdown, caught } = signals;
    let run = ledger.begin_run(RunStart::without_input("ledger pull")).await?;
    let pulled = delivery::pull(Pull {
        server: api,
        ledger: Arc::clone(&ledger),
        run: run.clone(),
        rate: sender.sending.rate,
        give_up_after: sender.sending.guard.give_up_after,
        shutdown,
    })
    .await;
    let incomplete = incomplete(&pulled);
    let failure = pulled.end.err().map(|stop| match stop {
        PullStop::Interrupted => {
            let signal = caught.get().unwrap_or(Signal::Interrupt);
            Failure::new(Exit::Interrupted(signal), format!("stopped by {signal}"))
        }
        PullStop::Ledger(error) => error.into(),
        PullStop::Stop(reason) => Failure::of_stop(&reason),
    });
    if let Some(Repeated { page, .. }) = pulled.repeated {
        tracing::warn!("the pull ended at page {page} because the API repeats earlier customers there");
    }
    let failure = failure.or(incomplete);
    let exit = failure.as_ref().map_or(Exit::Done, |failure| failure.exit);
    let counters = RunCounters { requests: pulled.requests, ..Default::default() };
    ledger.end_run(&run, EndedRun { counters, exit_code: exit.code(), ..EndedRun::default() }).await?;
    let said = if format == AnswerFormat::Json {
        let said =
            json!({"version": 1, "customers": pulled.customers, "learnt": pulled.learnt, "exit_code": exit.code()});
        format!("{said}\n")
    } else {
        let seen = counted(pulled.customers, "customer");
        format!("{seen} seen, {} of them new to the ledger\n", grouped(pulled.learnt))
    };
    stdout::write_unless_signalled(said, &caught).await;
    match failure {
        Some(failure) => {
            let hint = failure.next_step().map(|hint| format!("{hint}; ")).unwrap_or_default();
            Err(failure.hint(format!("{hint}the customers learned so far are kept; run the same command again")))
        }
        None => Ok(exit),
    }
}

/// Returns a failure if the API lists fewer customers or pages than it reports.
fn incomplete(pulled: &Pulled) -> Option<Failure> {
    let promised = pulled.repeated.and_then(|Repeated { page, promised }| promised.filter(|promised| *promised > page));
    let why = match (pulled.missing, promised) {
        (0, None) => return None,
        (0, Some(pages)) => format!(
            "the API reports {} but repeats earlier customers before the last one",
            counted(pages.into(), "page")
        ),
        (missing, _) => {
            format!("the API reports {} more {} than it lists", grouped(missing), plural(missing, "customer"))
        }
    };
    Some(Failure::new(Exit::Unavailable, format!("not all customers were learned: {why}")))
}
