//! Asks a person before anything is sent, and tries the credentials before the question, because
//! an import with wrong ones cannot begin.

use crate::commands::job::Sender;
use crate::delivery::{self, Access, Api, Opening, OpeningStop};
use crate::domain::StopReason;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::ledger::Ledger;
use crate::process::confirm::{AskingTerminal, NotAsked};
use crate::process::signals::Signals;
use crate::report::{Activity, Plan, Style, about};
use crate::shell;
use crate::style::{Paint, Tone};

/// A question that can be asked.
#[derive(Debug)]
pub(super) struct Consent {
    terminal: AskingTerminal,
    opening: Box<Opening>,
}

/// The answer of a person.
#[derive(Debug)]
pub(super) enum Answer {
    /// Send. The run takes this over.
    Yes(Box<Opening>),
    /// Send nothing besides these requests, which are done.
    No { requests: u64 },
}

impl Consent {
    /// Finds the terminal and tries the credentials, if this import must be asked about. Returns
    /// `None` if not: it sends nothing or only to this machine, or it runs without a person, as
    /// under cron.
    ///
    /// Fails if a person may be there but cannot be asked, and if the API refuses the credentials
    /// or cannot be reached.
    pub(super) async fn prepare(
        plan: &Plan,
        sender: &mut Sender,
        api: &Api,
        progress: Style,
        ledger: Option<&Ledger>,
        signals: &Signals,
    ) -> Result<Option<Self>, Failure> {
        let base = &sender.server.target.base;
        if base.is_loopback() || plan.question(base.as_str()).is_none() {
            return Ok(None);
        }
        let terminal = match AskingTerminal::open() {
            Ok(terminal) => terminal,
            Err(NotAsked::NoTerminal) => return Ok(None),
            Err(why) => {
                let send = shell::again(&["--yes".to_owned()]);
                return Err(Failure::new(Exit::Usage, format!("nothing was sent: {why}"))
                    .hint(format!("to send without a question: {send}")));
            }
        };
        let activity = Activity::start(progress, "trying the credentials");
        let opened = delivery::open(api, sender.sending.rate, ledger, &signals.shutdown).await;
        let opening = opened.map_err(|stop| match stop {
            OpeningStop::Interrupted => signals.stopped(),
            OpeningStop::Stop(reason) => stopped(&reason),
        })?;
        drop(activity);
        if matches!(opening.access, Access::NoLookups { .. }) {
            sender.sending.lookups = false;
        }
        Ok(Some(Self { terminal, opening: Box::new(opening) }))
    }

    /// Shows the plan and asks.
    pub(super) async fn ask(self, plan: &Plan, target: &str, signals: &Signals) -> Result<Answer, Failure> {
        let Self { terminal, opening } = self;
        let Some(question) = plan.question(target) else { return Ok(Answer::Yes(opening)) };
        // Its terminal is that of standard error, or standard error does not matter.
        let paint = Paint::stderr();
        let question = paint.paint(Tone::Heading, &question);
        let text = format!("{}\n{}\n\n{question}", plan.to_text(paint), words(&opening.access));
        let confirmed = signals.beside(move || Ok(terminal.confirmed(&text))).await?;
        Ok(if confirmed { Answer::Yes(opening) } else { Answer::No { requests: opening.requests() } })
    }
}

fn stopped(reason: &StopReason) -> Failure {
    let failure = Failure::of_stop(reason);
    match reason {
        StopReason::Unreachable(_) => failure
            .hint("check --base-url, the network and the proxy; with --yes an import waits for the server instead"),
        StopReason::Configuration(_) | StopReason::Credentials(_) => failure,
    }
}

/// Returns what a person should know of the access before the answer.
fn words(access: &Access) -> String {
    match access {
        Access::Accepted => "The API accepts the credentials.".to_owned(),
        Access::NoLookups { http_status } => format!(
            "The API offers no look-ups (HTTP {http_status}), so they are off for this run,\n\
             and whether it accepts the credentials is not known yet."
        ),
        Access::Throttled { pause } => format!(
            "The API asks for a pause of {}, so whether it accepts the credentials is not known yet.",
            about(*pause)
        ),
        Access::Unclear { cause } => {
            format!("Whether the API accepts the credentials is not known yet: {}", cause.escape_debug())
        }
    }
}
