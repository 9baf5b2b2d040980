//! Asks for the statuses, from the settings to the exit code.

use std::sync::Arc;

use jiff::Timestamp;

use super::finding::StatusFinding;
use super::keeper::StatusKeeper;
use crate::commands::{job, resume};
use crate::delivery::{self, Api, AskedCustomer, Inquired, Inquiry, InquiryStop};
use crate::domain::counted;
use crate::exit::{Exit, Signal};
use crate::failure::Failure;
use crate::ledger::{EndedRun, LedgerError, RunCounters, RunId};
use crate::process::signals::Signals;
use crate::process::stdout;
use crate::reconcile::input::{InputHandle, InputSettings};
use crate::reconcile::inquiry::{self, InquiryScope, KnownCustomer};
use crate::settings::{AnswerFormat, StatusSettings, TargetSettings};

pub(in crate::commands) async fn run(
    decide: impl FnOnce() -> Result<StatusSettings, Failure> + Send + 'static,
) -> Result<Exit, Failure> {
    let signals = Signals::listen()?;
    let settings = signals.beside(decide).await?;
    let StatusSettings { server, input, timeout, connect_timeout, .. } = &settings;
    let patience = job::Patience { timeout: *timeout, connect_timeout: *connect_timeout };
    let (owner, api) = job::client(server, patience, 1, &signals).await?;
    let (target, input) = (server.target.clone(), input.clone());
    let (input, scope) = signals.beside(move || scope(&target, owner.as_deref(), input)).await?;
    if scope.customers == 0 {
        let nobody = nobody(&scope, &input, &settings);
        forget_pipe(&input);
        return Err(nobody);
    }
    let run = begin(&settings, &input, &signals).await?;
    job::log_proxy(server);
    let ended = ask(&settings, api, scope, &run, &input, &signals).await;
    // A failure names the command that goes on, and that needs the file of standard input.
    if ended.is_ok() {
        forget_pipe(&input);
    }
    ended.map_err(|failure| failure.of_run(&run.name))
}

/// Reads the input. Fails if the ledger belongs to another account, or if a run holds it, because
/// an inquiry would use up the pace of that run.
fn scope(
    target: &TargetSettings,
    owner: Option<&str>,
    input: InputSettings,
) -> Result<(Arc<InputHandle>, InquiryScope), Failure> {
    let ledger = target.reader()?;
    if let Some(occupied) = ledger.holder().filter(|occupied| occupied.by.as_ref().is_none_or(|by| by.stays)) {
        return Err(LedgerError::Locked(occupied).into());
    }
    if let Some(owner) = owner
        && ledger.belongs_to_another(owner)?
    {
        let (base_url, account) = (target.target.base_url.clone(), target.target.account.clone());
        return Err(LedgerError::OtherAccount { base_url, account }.into());
    }
    let input = InputHandle::open(input)?;
    let scope = inquiry::scope(&input, ledger, Timestamp::now()).inspect_err(|_| forget_pipe(&input))?;
    Ok((Arc::new(input), scope))
}

/// Removes the copy of standard input, because no printed command names it.
fn forget_pipe(input: &InputHandle) {
    if input.is_piped() {
        input.forget();
    }
}

/// Returns the failure if the input has no customer.
fn nobody(scope: &InquiryScope, input: &InputHandle, settings: &StatusSettings) -> Failure {
    let finding = StatusFinding {
        records: scope.records,
        exit_code: Exit::SomeFailed.code(),
        next_command: Some(resume::import(input)),
        ..StatusFinding::default()
    };
    stdout::write(rendered(&finding, settings.format).as_bytes());
    let words = format!("{} has no record whose customer the ledger knows; nothing was asked", input.shown());
    let again = if input.is_piped() { ", by the same pipe" } else { "" };
    Failure::new(Exit::SomeFailed, words).hint(format!("import it first{again}: {}", resume::import(input)))
}

async fn begin(settings: &StatusSettings, input: &InputHandle, signals: &Signals) -> Result<RunId, Failure> {
    let target = settings.server.target.clone();
    let ledger = signals.beside(move || target.open_for_a_moment()).await?;
    Ok(ledger.begin_run(inquiry::run_start(&input.name())).await?)
}

async fn ask(
    settings: &StatusSettings,
    api: Api,
    scope: InquiryScope,
    run: &RunId,
    input: &InputHandle,
    signals: &Signals,
) -> Result<Exit, Failure> {
    let InquiryScope { records, customers, to_ask, answered, continues } = scope;
    if answered.total() > 0 {
        tracing::info!(
            "continuing: {} customers have their status since the inquiry that was stopped",
            answered.total()
        );
    }
    let target = &settings.server.target;
    let mut keeper = StatusKeeper::new(target.clone(), settings.rate, answered);
    let inquiry = Inquiry {
        server: api,
        customers: to_ask.into_iter().map(asked).collect(),
        continues,
        rate: settings.rate,
        give_up_after: settings.give_up_after,
        shutdown: signals.shutdown.clone(),
    };
    let Inquired { not_found, unanswered, requests, throttled, end, .. } =
        delivery::inquire(inquiry, &mut keeper).await;
    let was_written = !matches!(end, Err(InquiryStop::Keeper(_)));
    let mut failure = end.err().map(|stop| failure_of(stop, signals));
    let exit = match &failure {
        Some(failure) => failure.exit,
        None if not_found + unanswered > 0 => Exit::SomeFailed,
        None => Exit::Done,
    };
    let stopped = failure.as_ref().map(Failure::stop_words);
    if was_written {
        let counters = RunCounters { requests, throttled, ..RunCounters::default() };
        // Those without an answer are left to the next inquiry.
        let is_completed = failure.is_none() && unanswered == 0;
        let (exit_code, records_read) = (exit.code(), Some(records));
        let end = EndedRun { counters, exit_code, stopped, records_read, is_completed, ..EndedRun::default() };
        failure = keeper.close(run, end).await.err().or(failure);
    }
    let exit = failure.as_ref().map_or(exit, |failure| failure.exit);
    let finding = StatusFinding {
        run: run.name.clone(),
        records,
        customers,
        not_kept: keeper.unwritten(),
        counts: keeper.counts,
        not_found,
        unanswered,
        requests,
        throttled,
        exit_code: exit.code(),
        stopped: failure.as_ref().map(Failure::words),
        next_command: match &failure {
            Some(_) => Some(resume::command(input)),
            None => (!input.is_piped()).then(|| resume::report(input)),
        },
    };
    stdout::write_unless_signalled(rendered(&finding, settings.format), &signals.caught).await;
    match failure {
        Some(failure) => {
            let hint = failure.next_step().map(|hint| format!("{hint}; ")).unwrap_or_default();
            let kept = match finding.not_kept {
                0 => "what was learnt is kept, and this goes on".to_owned(),
                lost => {
                    format!("what was learnt before the last {} is kept, and this goes on", counted(lost, "answer"))
                }
            };
            Err(failure.hint(format!("{hint}{kept}: {}", resume::command(input))))
        }
        None => Ok(exit),
    }
}

fn asked(customer: KnownCustomer) -> AskedCustomer {
    let email = customer.key();
    let typed = Some(customer.email).filter(|typed| typed != email.as_str());
    let customer_id = customer.customer_id.map(String::into_boxed_str);
    AskedCustomer { email, typed: typed.map(String::into_boxed_str), customer_id }
}

fn failure_of(stop: InquiryStop<Failure>, signals: &Signals) -> Failure {
    match stop {
        InquiryStop::Interrupted => {
            let signal = signals.caught.get().unwrap_or(Signal::Interrupt);
            Failure::new(Exit::Interrupted(signal), format!("stopped by {signal}"))
        }
        InquiryStop::Stop(reason) => Failure::of_stop(&reason),
        InquiryStop::Keeper(failure) => failure,
    }
}

fn rendered(finding: &StatusFinding, format: AnswerFormat) -> String {
    match format {
        AnswerFormat::Text => finding.to_text(),
        AnswerFormat::Json => format!("{}\n", finding.to_json()),
    }
}
