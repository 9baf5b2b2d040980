//! What every command that sends has in common: the client, the job, the runtime.

use std::future::Future;
use std::io::IsTerminal as _;
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use super::{Failure, signals};
use crate::api::{BaseUrl, Client, ClientConfig, Credentials, Route};
use crate::cli::{LogArgs, LogFormat, ProgressChoice, SendingArgs};
use crate::delivery::{Api, GuardPolicy, Job, Offer, RetryPolicy, Shutdown};
use crate::exit::Exit;
use crate::ledger::{ClaimPolicy, Ledger, RunId};
use crate::limits;
use crate::report::Style;

/// How requests are made.
pub(super) struct Sending<'a> {
    pub args: &'a SendingArgs,
    pub credentials: &'a Arc<Credentials>,
    pub ca_file: Option<&'a Path>,
    pub base: &'a BaseUrl,
    pub route: &'a Route,
}

impl Sending<'_> {
    pub(super) fn api(&self) -> Result<Api, Failure> {
        let config = ClientConfig {
            base: self.base.clone(),
            timeout: self.args.timeout,
            connect_timeout: self.args.connect_timeout,
            ca_file: self.ca_file.map(Path::to_owned),
            concurrency: self.args.concurrency.get(),
            route: self.route.clone(),
        };
        Ok(Api::new(Client::new(config)?, Arc::clone(self.credentials)))
    }

    pub(super) fn job(
        &self,
        ledger: &Arc<Ledger>,
        run: &RunId,
        offers: mpsc::Receiver<Offer>,
        to_send: u64,
        shutdown: &Shutdown,
    ) -> Result<Job<Api>, Failure> {
        let args = self.args;
        if args.settle < args.timeout {
            tracing::warn!(
                "--settle is below --timeout: an unanswered request may still take effect after it is sent again"
            );
        }
        Ok(Job {
            server: self.api()?,
            ledger: Arc::clone(ledger),
            run: run.clone(),
            offers,
            to_send,
            rate: args.rate,
            concurrency: args.concurrency,
            retry: RetryPolicy {
                max_attempts: args.max_attempts,
                settle: args.settle,
                key_validity: args.key_validity,
                trust_unique_email: args.trust_unique_email,
            },
            guard: GuardPolicy { max_failures: args.max_failures, give_up_after: args.give_up_after },
            claims: ClaimPolicy { retry_rejected: args.retry_rejected },
            lookups: !args.no_lookup,
            limit: args.limit.map(Into::into),
            shutdown: shutdown.clone(),
        })
    }
}

pub(super) fn progress_style(choice: ProgressChoice, log: &LogArgs) -> Style {
    match choice {
        ProgressChoice::Never => Style::Silent,
        ProgressChoice::Auto if log.quiet => Style::Silent,
        _ if log.log_format == LogFormat::Json => Style::Log,
        _ if std::io::stderr().is_terminal() => Style::Bar,
        _ => Style::Lines,
    }
}

/// Answers are looked at a few at a time, so that those few lead to their next requests before others are looked at. All at once they would go
/// through every step side by side, and none would be done before all of them are.
const ANSWERS_AT_A_TIME: usize = 8;

/// One thread is enough: the ledger has its own, and the API is what all wait for. Whoever leaves at once waits for nobody, not even for
/// a reader that hangs on a dead disk.
pub(super) fn on_runtime<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().max_io_events_per_tick(ANSWERS_AT_A_TIME).thread_keep_alive(FOREVER);
    let runtime = signals::runtime(&mut builder)
        .map_err(|error| Failure::new(Exit::Io, limits::told(&error)).context("cannot start the runtime".to_owned()))?;
    first_helper(&runtime)?;
    let done = runtime.block_on(work);
    runtime.shutdown_background();
    done
}

/// The runtime keeps the threads on which it looks up names and reads files.
const FOREVER: Duration = Duration::from_secs(u32::MAX as u64);

/// The runtime panics if it cannot start the first of those threads, and needs no other. So the first starts while that can be refused; a
/// panic at this place means nothing else.
fn first_helper(runtime: &tokio::runtime::Runtime) -> Result<(), Failure> {
    let tried = std::thread::Builder::new().name("first helper".to_owned()).spawn(|| ());
    drop(tried.map_err(|error| Failure::no_thread(&error))?.join());
    let told = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let started = std::panic::catch_unwind(AssertUnwindSafe(|| drop(runtime.spawn_blocking(|| ()))));
    std::panic::set_hook(told);
    let none_left = |_| Failure::no_thread(&std::io::ErrorKind::WouldBlock.into());
    started.map_err(none_left)
}

/// How requests reach the API; a proxy that is named and cannot be used is refused.
pub(super) fn route(base: &BaseUrl) -> Result<Route, Failure> {
    Route::to(base, |name| std::env::var_os(name)).map_err(|error| {
        let hint = format!(
            "correct {name} or unset it (to go around a proxy: NO_PROXY={})",
            base.host(),
            name = error.variable
        );
        Failure::new(Exit::Configuration, error).hint(hint)
    })
}

/// Customers' data goes through a proxy where one is set up; that must not go unseen.
pub(super) fn tell_of_proxy(route: &Route) {
    if let Route::Proxy(proxy) = route {
        tracing::info!("requests go through the proxy {} ({})", proxy.host(), proxy.variable());
    }
}

/// Another account behind the same name would be taken for the customers of the first; where the credentials tell whose they are, that is
/// refused.
pub(super) async fn check_owner(ledger: &Ledger, owner: Option<&str>) -> Result<(), Failure> {
    if let Some(owner) = owner {
        ledger.check_owner(owner).await?;
    }
    Ok(())
}
