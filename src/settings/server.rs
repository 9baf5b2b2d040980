//! Settings of the server: its address, the route to it, and the credentials.

use std::path::PathBuf;
use std::sync::Arc;

use super::TargetSettings;
use super::credentials::credentials;
use crate::api::{BaseUrl, Credentials, Route};
use crate::cli::CredentialArgs;
use crate::exit::Exit;
use crate::failure::Failure;

/// Everything that a client of the server needs.
#[derive(Clone, Debug)]
pub(crate) struct ServerSettings {
    pub target: TargetSettings,
    pub route: Route,
    pub credentials: Arc<Credentials>,
    /// Additional certificate authority to trust.
    pub ca_file: Option<PathBuf>,
}

impl ServerSettings {
    /// Returns the server of a target. Fails if its route cannot be used, and if there are no or
    /// too many credentials. Reads the file of an app secret, so it may block.
    pub(super) fn at(target: TargetSettings, args: &CredentialArgs) -> Result<Self, Failure> {
        let route = route(&target.base)?;
        let credentials = Arc::new(credentials(args)?);
        Ok(Self { target, route, credentials, ca_file: args.ca_file.clone() })
    }
}

/// Returns the route of requests to an address. Fails if it leads through a proxy that cannot be
/// used.
pub(super) fn route(base: &BaseUrl) -> Result<Route, Failure> {
    Route::to(base, |name| std::env::var_os(name)).map_err(|error| {
        let advice = error.advice().map(|advice| format!("{advice}; or ")).unwrap_or_default();
        let hint = format!(
            "{advice}correct {name} or unset it (to bypass the proxy: NO_PROXY={})",
            base.host(),
            name = error.variable
        );
        Failure::of(Exit::Configuration, error).hint(hint)
    })
}
