//! Settings of `--notify-url-file`.

use std::path::{Path, PathBuf};

use super::TargetSettings;
use super::server::route;
use crate::api::{NotifyAddress, NotifyAddressError, Route};
use crate::cli::ImportArgs;
use crate::domain::shown;
use crate::exit::Exit;
use crate::failure::Failure;

/// Where notifications go. Decided before everything else, so that a refusal is posted too.
#[derive(Debug)]
pub(crate) struct NotifySettings {
    pub address: NotifyAddress,
    pub route: Route,
    /// Additional certificate authority to trust.
    pub ca_file: Option<PathBuf>,
    /// What the notification says of the target.
    pub host: String,
    pub account: String,
}

impl NotifySettings {
    /// Returns `None` if no file was named. Fails if it holds no address that can be used.
    pub(crate) fn of(args: &ImportArgs) -> Result<Option<Self>, Failure> {
        let Some(path) = &args.notify_url_file else { return Ok(None) };
        let address = NotifyAddress::read(path).map_err(|error| refused(path, error))?;
        let route = route(address.origin())?;
        let (ca_file, account) = (args.credentials.ca_file.clone(), args.target.account.clone());
        Ok(Some(Self { address, route, ca_file, host: TargetSettings::label(args), account }))
    }
}

fn refused(path: &Path, error: NotifyAddressError) -> Failure {
    match error {
        NotifyAddressError::File(error) => error.into(),
        flaw => Failure::new(Exit::Configuration, format!("--notify-url-file {} {flaw}", shown(path)))
            .hint("write the https:// address to post to into that file, on one line"),
    }
}
