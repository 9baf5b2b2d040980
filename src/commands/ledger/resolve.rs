//! `ledger resolve`: finishes the records that earlier runs left in doubt.

use std::time::Instant;

use serde_json::json;
use tokio::sync::mpsc;

use super::outcomes;
use crate::commands::job::{self, Sender};
use crate::commands::resume;
use crate::delivery::{self, Offer, Payload};
use crate::domain::{Position, Status, StopWords, Tally, grouped};
use crate::event::Event;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::ledger::{EndedRun, RunStart};
use crate::process::signals::Signals;
use crate::process::stdout;
use crate::report::{Progress, Scope, log_event};
use crate::settings::{AnswerFormat, ResolveSettings};

/// Offers every open request to delivery as if an input had its row; the lifecycle of a record does
/// the rest.
pub(super) async fn resolve(
    decide: impl FnOnce() -> Result<ResolveSettings, Failure> + Send + 'static,
    format: AnswerFormat,
) -> Result<Exit, Failure> {
    let signals = Signals::listen()?;
    let ResolveSettings { server, sending, progress } = signals.beside(decide).await?;
    let (sender, api) = Sender::new(server, sending, &signals).await?;
    let ledger = sender.open_ledger(&signals).await?;
    let Signals { shutdown, caught } = signals;
    let open = sender.server.target.reader()?.open_requests()?;
    let run = ledger.begin_run(RunStart::without_input("ledger resolve")).await?;
    let (offers, offered) = mpsc::channel(open.len().max(1));
    let doubts = open.len() as u64;
    for doubt in open {
        let payload = Payload::stored(doubt.body, doubt.email.as_str());
        // Cannot fail, because the channel has room for all of them.
        let _ = offers.try_send(Offer::Valid {
            position: Position { row: doubt.row, line: 0 },
            email: doubt.email,
            payload,
        });
    }
    drop(offers);
    let job = sender.job(api, &ledger, &run, offered, doubts, &shutdown);
    let per_minute = sender.sending.rate.per_minute();
    let scope = Scope { records: doubts, to_send: doubts, per_minute, ..Scope::default() };
    let mut progress = Progress::start(progress, scope);
    let mut tally = Tally::default();
    let end = delivery::run(job, |event| {
        log_event(&event);
        progress.on(&event, Instant::now());
        if let Event::Settled { status, .. } = event {
            tally.add(status);
        }
    })
    .await;
    progress.finish();
    let exit = Exit::of_run(&end.verdict, caught.get(), &tally);
    let stopped = job::stop_message(&end.verdict, caught.get());
    let (counters, exit_code, stopped_by) = (end.counters, exit.code(), stopped.clone());
    ledger.end_run(&run, EndedRun { counters, exit_code, stopped: stopped_by, ..EndedRun::default() }).await?;
    let said = if format == AnswerFormat::Json {
        let outcomes = outcomes(&tally);
        let (why, advice) = stopped.map(|StopWords { why, advice }| (why, advice)).unzip();
        let code = exit.code();
        let said = json!({"version": 1, "doubts": doubts, "outcomes": outcomes, "exit_code": code, "stopped": why, "hint": advice});
        format!("{said}\n")
    } else {
        let told: Vec<_> = Status::IMPORT
            .into_iter()
            .filter(|status| tally.get(*status) > 0)
            .map(|status| format!(", {} {status}", grouped(tally.get(status))))
            .collect();
        let hint = stopped.as_ref().and_then(|words| words.advice.as_ref());
        let hint = hint.map(|hint| format!("\nhint: {hint}")).unwrap_or_default();
        let stopped = stopped.map(|words| format!("\nstopped: {}{hint}", words.why.escape_debug())).unwrap_or_default();
        let next = resume::after_run(&end.verdict).map(|command| format!("\nnext: {command}")).unwrap_or_default();
        format!("{} in doubt{}{stopped}{next}\n", grouped(doubts), told.concat())
    };
    stdout::write_unless_signalled(said, &caught).await;
    Ok(exit)
}
