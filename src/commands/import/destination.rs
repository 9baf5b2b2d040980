//! Where the customers are sent: to the named API, or to a sandbox inside this process.

use std::sync::Arc;

use crate::api::{Credentials, Route, TokenSource};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::ledger::LedgerLocation;
use crate::sandbox::{self, Sandbox};
use crate::settings::{Destination, SandboxSettings, ServerSettings, TargetSettings};

/// A sandbox inside this process. It lives as long as this value.
pub(super) struct OwnSandbox {
    _sandbox: Sandbox,
    throw_away: Option<tempfile::TempDir>,
}

impl OwnSandbox {
    /// Returns whether the ledger is removed with it, because the user named none.
    pub(super) fn forgets(&self) -> bool {
        self.throw_away.is_some()
    }
}

/// Returns the server, and the sandbox behind it if the user asked for one.
pub(super) async fn reach(destination: Destination) -> Result<(ServerSettings, Option<OwnSandbox>), Failure> {
    let SandboxSettings { account, ledger, creation, ca_file } = match destination {
        Destination::Server(server) => return Ok((*server, None)),
        Destination::Sandbox(settings) => settings,
    };
    let failed = |error: std::io::Error| Failure::of(Exit::Io, error).context("cannot start the sandbox".to_owned());
    let sandbox = sandbox::start(sandbox::Config::default(), 0).await.map_err(failed)?;
    let (ledger, throw_away) = match ledger {
        Some(ledger) => (ledger, None),
        None => {
            let folder = tempfile::tempdir().map_err(failed)?;
            (LedgerLocation::File(folder.path().join("ledger.db")), Some(folder))
        }
    };
    let target = TargetSettings::of_sandbox(&sandbox.base_url(), account, ledger, creation)?;
    let credentials = Arc::new(Credentials::Source(TokenSource::fixed(&"sandbox".into())?));
    let server = ServerSettings { target, route: Route::Direct, credentials, ca_file };
    Ok((server, Some(OwnSandbox { _sandbox: sandbox, throw_away })))
}
