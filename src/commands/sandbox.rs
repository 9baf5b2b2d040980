//! `sandbox`: runs the simulated API as a process of its own, until a signal ends it.

use crate::cli::SandboxArgs;
use crate::delivery::Shutdown;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::process::{signals, stdout};
use crate::sandbox::{self, Config, IdempotencyMode};

pub(super) fn run(args: SandboxArgs) -> Result<Exit, Failure> {
    let failed = |error: std::io::Error| Failure::of(Exit::Io, error).context("cannot start the sandbox".to_owned());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    runtime.block_on(async {
        let port = args.port;
        let sandbox = sandbox::start(config(args), port).await.map_err(failed)?;
        let shutdown = Shutdown::default();
        let caught = signals::listen(shutdown.clone()).map_err(failed)?;
        let place = format!("sandbox at {} (nothing is kept; press Ctrl-C to stop)\n", sandbox.base_url());
        stdout::write_unless_signalled(place, &caught).await;
        shutdown.draining().await;
        sandbox.stop().await;
        Ok(Exit::Done)
    })
}

fn config(args: SandboxArgs) -> Config {
    Config {
        dialect: args.dialect,
        limit: args.limit,
        token: args.let_in,
        credentials: args.login,
        token_life: args.token_life,
        idempotency: if args.email_only { IdempotencyMode::None } else { args.idempotency },
        key_life: args.key_life,
        latency: args.latency,
        racy: args.racy,
        unique_email: !args.key_only,
        folded: args.folded,
        lookup: !args.no_lookup,
        packed: args.packed,
        notices: args.notices,
        faults: args.faults,
        seed: args.seed,
        log: args.log,
        ..Config::default()
    }
}
