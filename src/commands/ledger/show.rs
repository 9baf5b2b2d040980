//! `ledger`: looking at the memory of what was sent, and what people do to it.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Instant;

use serde_json::{Map, Value, json};
use tokio::sync::mpsc;

use crate::cli::LedgerCommand;
use crate::commands::import;
use crate::commands::job::Sender;
use crate::delivery::{self, Offer, Payload, Pull, PullStop, Pulled, Repeated};
use crate::domain::{Complaint, ComplaintCode, EmailKey, Ending, Position, Receipt, Status, Tally};
use crate::event::Event;
use crate::exit::{Exit, Signal};
use crate::failure::Failure;
use crate::ledger::{InputName, OpenRequest, Reader};
use crate::process::logging::LogSettings;
use crate::process::signals::Signals;
use crate::process::{confirm, runtime, stdout};
use crate::report::{Progress, Scope};
use crate::settings::{Rendering, ResolveSettings, TargetSettings};

pub(in crate::commands) fn run(command: LedgerCommand, log: LogSettings) -> Result<Exit, Failure> {
    let of = |target| TargetSettings::required(&target);
    match command {
        LedgerCommand::Show { email: Some(email), target, json } => {
            show_one(&EmailKey::of(&email), &of(target)?, Rendering::json_if(json))
        }
        LedgerCommand::Show { email: None, target, json } => show(&of(target)?, Rendering::json_if(json)),
        LedgerCommand::Settle { email, created, target, .. } => settle(&EmailKey::of(&email), created, &of(target)?),
        LedgerCommand::Forget { email, target, yes, .. } => forget(email.as_deref(), &of(target)?, yes),
        LedgerCommand::Resolve { target, credentials, sending, json } => {
            let decide = move || ResolveSettings::of(&target, &credentials, &sending, log);
            runtime::on_runtime(resolve(decide, Rendering::json_if(json)))
        }
        LedgerCommand::Pull { target, credentials, sending, json } => {
            let decide = move || ResolveSettings::of(&target, &credentials, &sending, log);
            runtime::on_runtime(pull(decide, Rendering::json_if(json)))
        }
    }
}

fn show(target: &TargetSettings, rendering: Rendering) -> Result<Exit, Failure> {
    let ledger = target.reader()?;
    let (states, runs, open) = (ledger.states()?, ledger.runs()?, ledger.open_requests()?);
    if rendering == Rendering::Json {
        let doubts: Vec<_> = open
            .iter()
            .map(|doubt| json!({"email": doubt.email.as_str(), "row": doubt.row, "sent_at": doubt.sent_at.to_string()}))
            .collect();
        say(&json!({"version": 1, "runs": runs, "records": outcomes(&states), "doubts": doubts}));
        return Ok(Exit::Done);
    }
    let mut text = format!("{runs} runs, {} records\n", states.total());
    for status in Status::IMPORT.into_iter().filter(|status| states.get(*status) > 0) {
        // Writing into a string cannot fail.
        let _ = writeln!(text, "  {:>9}  {status}", states.get(status));
    }
    for OpenRequest { email, row, sent_at, .. } in &open {
        let _ = writeln!(text, "in doubt: {} (row {row}, sent {sent_at})", email.as_str());
    }
    if !open.is_empty() {
        text.push_str("resolve them with `customer-import ledger resolve`, or by importing their file again\n");
    }
    stdout::write(text.as_bytes());
    Ok(Exit::Done)
}

fn show_one(email: &EmailKey, target: &TargetSettings, rendering: Rendering) -> Result<Exit, Failure> {
    let (standing, told) = target.reader()?.told(email, None)?.unzip();
    let told = told.flatten();
    let latest = standing.as_ref().and_then(|standing| standing.latest());
    let open = standing.as_ref().is_some_and(|standing| standing.is_open());
    let status = match (open, latest) {
        (true, _) => Some(Status::InDoubt),
        (false, Some(latest)) => Some(latest.status),
        (false, None) => standing.as_ref().map(|_| Status::NotAttempted),
    };
    let receipt = told.as_ref().map(|told| told.receipt.clone()).unwrap_or_default();
    let shown = json!({
        "email": email.as_str(),
        "status": status.map(Status::as_str),
        "id": receipt.id,
        "customer_id": receipt.customer_id,
        "created_at": receipt.created_at,
        "error_code": told.as_ref().map(|told| &told.error_code),
        "error": told.as_ref().map(|told| &told.error),
        "warning": told.as_ref().map(|told| &told.warning),
    });
    if rendering == Rendering::Json {
        say(&shown);
        return Ok(Exit::Done);
    }
    let Some(status) = status else {
        stdout::write(format!("the ledger does not know {}\n", email.as_str()).as_bytes());
        return Ok(Exit::Done);
    };
    let mut text = format!("{}: {status}\n", email.as_str());
    for (name, value) in
        shown.as_object().into_iter().flatten().filter(|(name, _)| !["email", "status"].contains(&name.as_str()))
    {
        if let Some(value) = value.as_str().filter(|value| !value.is_empty()) {
            let _ = writeln!(text, "  {name}: {}", value.escape_debug());
        }
    }
    stdout::write(text.as_bytes());
    Ok(Exit::Done)
}

fn settle(email: &EmailKey, created: Option<String>, target: &TargetSettings) -> Result<Exit, Failure> {
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
        let run = ledger.begin_run(InputName("ledger settle".to_owned())).await?;
        let settled = ledger.settle_by_hand(&run, email.clone(), ending).await?;
        let exit = if settled { Exit::Done } else { Exit::Usage };
        ledger.end_run(&run, Default::default(), exit.code(), None).await?;
        if !settled {
            return Err(Failure::new(Exit::Usage, format!("{} is in no doubt", email.as_str()))
                .hint("`customer-import ledger show` lists what is"));
        }
        stdout::write(format!("{} is settled: {word}\n", email.as_str()).as_bytes());
        Ok(exit)
    })
}

fn forget(email: Option<&str>, target: &TargetSettings, yes: bool) -> Result<Exit, Failure> {
    // Held from here on, so that what is asked about is what is forgotten.
    let ledger = target.open_known_ledger()?;
    if let (Some(loss), false) = (loss(email, &target.reader()?)?, yes) {
        consent(&loss)?;
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
                format!("{records} records are forgotten; an input that holds them will be sent again\n")
            }
        };
        stdout::write(told.as_bytes());
        Ok(Exit::Done)
    })
}

/// What is worth a question before it is forgotten: everything, and a request that may have taken effect.
fn loss(email: Option<&str>, ledger: &Reader) -> Result<Option<String>, Failure> {
    let open = ledger.open_requests()?;
    let Some(email) = email else {
        let records = ledger.states()?.total();
        let told = format!("{records} records, {} of them in doubt, would be forgotten", open.len());
        return Ok((records > 0).then_some(told));
    };
    let key = EmailKey::of(email);
    let told = format!("{} is in doubt, perhaps created, and that would be forgotten", key.as_str());
    Ok(open.iter().any(|doubt| doubt.email == key).then_some(told))
}

/// A yes of somebody at a terminal; where nobody can be asked it has to be typed beforehand.
fn consent(loss: &str) -> Result<(), Failure> {
    const AFTER: &str = "an input that holds what is forgotten is sent again";
    if !confirm::is_possible() {
        return Err(Failure::new(Exit::Usage, format!("{loss}, and {AFTER}; nothing was forgotten"))
            .hint("give --yes if that is what you want; `customer-import ledger resolve` ends doubts"));
    }
    if confirm::confirmed(&format!("{loss}: {AFTER}. Forget?")) {
        return Ok(());
    }
    Err(Failure::new(Exit::SomeFailed, "nothing was forgotten, as you wished"))
}

/// Every open request is offered as if its row stood in an input again: the life of a record does the rest.
async fn resolve(
    decide: impl FnOnce() -> Result<ResolveSettings, Failure> + Send + 'static,
    rendering: Rendering,
) -> Result<Exit, Failure> {
    let signals = Signals::listen()?;
    let ResolveSettings { server, sending, progress } = signals.beside(decide).await?;
    let (sender, api) = Sender::new(server, sending, &signals).await?;
    let ledger = sender.open_ledger(&signals).await?;
    let Signals { shutdown, caught } = signals;
    let open = sender.server.target.reader()?.open_requests()?;
    let run = ledger.begin_run(InputName("ledger resolve".to_owned())).await?;
    let (offers, offered) = mpsc::channel(open.len().max(1));
    let doubts = open.len() as u64;
    for doubt in open {
        let payload = Payload::stored(doubt.body, doubt.email.as_str());
        // There is room for all of them.
        let _ = offers.try_send(Offer::Valid {
            position: Position { row: doubt.row, line: 0 },
            email: doubt.email,
            payload,
        });
    }
    drop(offers);
    let job = sender.job(api, &ledger, &run, offered, doubts, &shutdown);
    let scope = Scope { records: doubts, to_send: doubts, limit: None, known: Tally::default() };
    let mut progress = Progress::start(progress, scope);
    let mut tally = Tally::default();
    let end = delivery::run(job, |event| {
        import::log(&event);
        progress.on(&event, Instant::now());
        if let Event::Settled { status, .. } = event {
            tally.add(status);
        }
    })
    .await;
    progress.finish();
    let exit = Exit::of_run(&end.verdict, caught.get(), &tally);
    let stopped = import::words(&end.verdict, caught.get());
    ledger.end_run(&run, end.counters, exit.code(), stopped.clone()).await?;
    let said = if rendering == Rendering::Json {
        let outcomes = outcomes(&tally);
        let code = exit.code();
        let said = json!({"version": 1, "doubts": doubts, "outcomes": outcomes, "exit_code": code, "stopped": stopped});
        format!("{said}\n")
    } else {
        let told: Vec<_> = Status::IMPORT
            .into_iter()
            .filter(|status| tally.get(*status) > 0)
            .map(|status| format!(", {} {status}", tally.get(status)))
            .collect();
        let stopped = stopped.map(|why| format!("\nstopped: {}", why.escape_debug())).unwrap_or_default();
        format!("{doubts} in doubt{}{stopped}\n", told.concat())
    };
    stdout::write_unless_signalled(said, &caught).await;
    Ok(exit)
}

async fn pull(
    decide: impl FnOnce() -> Result<ResolveSettings, Failure> + Send + 'static,
    rendering: Rendering,
) -> Result<Exit, Failure> {
    let signals = Signals::listen()?;
    let ResolveSettings { server, sending, .. } = signals.beside(decide).await?;
    let (sender, api) = Sender::new(server, sending, &signals).await?;
    let ledger = sender.open_ledger(&signals).await?;
    let Signals { shutdown, caught } = signals;
    let run = ledger.begin_run(InputName("ledger pull".to_owned())).await?;
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
        PullStop::Stop(reason) => Failure::new(Exit::from(&reason), reason),
    });
    if let Some(Repeated { page, .. }) = pulled.repeated {
        tracing::warn!("the pull ended at page {page}, because the API lists the same customers there again");
    }
    let failure = failure.or(incomplete);
    let exit = failure.as_ref().map_or(Exit::Done, |failure| failure.exit);
    let counters = crate::ledger::RunCounters { requests: pulled.requests, ..Default::default() };
    ledger.end_run(&run, counters, exit.code(), None).await?;
    let said = if rendering == Rendering::Json {
        let said =
            json!({"version": 1, "customers": pulled.customers, "learnt": pulled.learnt, "exit_code": exit.code()});
        format!("{said}\n")
    } else {
        format!("{} customers seen, {} of them new to the ledger\n", pulled.customers, pulled.learnt)
    };
    stdout::write_unless_signalled(said, &caught).await;
    match failure {
        Some(failure) => Err(failure.hint("what was learnt stays learnt; run the same command again")),
        None => Ok(exit),
    }
}

/// A list that is shorter than the API says is not all that it has.
fn incomplete(pulled: &Pulled) -> Option<Failure> {
    let promised = pulled.repeated.and_then(|Repeated { page, promised }| promised.filter(|promised| *promised > page));
    let why = match (pulled.missing, promised) {
        (0, None) => return None,
        (0, Some(pages)) => format!("the API counts {pages} pages and lists other customers on none of the last ones"),
        (missing, _) => format!("the API counts {missing} more customers than it lists"),
    };
    Some(Failure::new(Exit::Unavailable, format!("not all customers were learnt: {why}")))
}

fn outcomes(tally: &Tally) -> Map<String, Value> {
    Status::IMPORT.into_iter().map(|status| (status.as_str().to_owned(), tally.get(status).into())).collect()
}

fn say(value: &Value) {
    stdout::write(format!("{value}\n").as_bytes());
}
