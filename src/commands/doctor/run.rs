//! Tries everything, one after the other, and prints what was found.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::finding::{self, Finding};
use super::{api, ledger, machine};
use crate::api::{BaseUrl, Client, ClientConfig, Credentials, Route};
use crate::commands::preflight;
use crate::delivery::{self, Api};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::process::signals::Signals;
use crate::process::stdout;
use crate::settings::{AnswerFormat, DoctorSettings};
use crate::style::Paint;

const HOST: &str = "host";
const PROXY: &str = "proxy";

/// As many addresses of a host are shown.
const ADDRESSES: usize = 3;

pub(in crate::commands) async fn run(
    decide: impl FnOnce() -> Result<DoctorSettings, Failure> + Send + 'static,
) -> Result<Exit, Failure> {
    let signals = Signals::listen()?;
    let settings = signals.beside(decide).await?;
    let (format, target) = (settings.format, settings.target.clone());
    let owner = signals.or_stop(async { Ok(owner(&settings.credentials).await) }).await?;
    let local = signals.beside(move || {
        let file = target.ledger.file().map(std::path::Path::to_owned);
        Ok(ledger::judge(&target, owner.as_deref())
            .into_iter()
            .chain(machine::judge(file.as_deref()))
            .collect::<Vec<_>>())
    });
    let remote = signals.or_stop(async { Ok(remote(settings).await) });
    let (remote, local) = tokio::try_join!(remote, local)?;
    let findings: Vec<_> = remote.into_iter().chain(local).collect();
    let said = match format {
        AnswerFormat::Json => format!("{}\n", finding::json(&findings)),
        AnswerFormat::Text => finding::text(&findings, Paint::stdout()),
    };
    stdout::write_unless_signalled(said, &signals.caught).await;
    Ok(finding::exit(&findings))
}

/// Returns the account of the credentials, or `None` if they do not name one or cannot be used.
async fn owner(credentials: &Result<Arc<Credentials>, Failure>) -> Option<String> {
    credentials.as_ref().ok()?.owner().await.ok()?
}

/// Returns the findings on the way to the API, and on the API.
async fn remote(settings: DoctorSettings) -> Vec<Finding> {
    let DoctorSettings { target, route, credentials, ca_file, rate, timeout, connect_timeout, .. } = settings;
    let route = match route {
        Ok(route) => route,
        Err(failure) => {
            let found = api::not_asked(Vec::new(), "the proxy cannot be used");
            let host = Finding::not_tried(HOST, "the proxy cannot be used");
            return [host, Finding::of_failure(PROXY, &failure)].into_iter().chain(found).collect();
        }
    };
    let (host, proxy) = (host(&target.base, &route, connect_timeout).await, proxy(&route));
    let config = ClientConfig { base: target.base, timeout, connect_timeout, ca_file, concurrency: 1, route };
    let api = match client(config, credentials) {
        Ok(api) => api::judge(&delivery::probe(&api, rate).await, Timestamp::now()),
        Err(finding) => api::not_asked(vec![finding], "there is nothing to ask the API with"),
    };
    [host, proxy].into_iter().chain(api).collect()
}

/// Returns the client, or the finding that explains why there is none.
fn client(config: ClientConfig, credentials: Result<Arc<Credentials>, Failure>) -> Result<Api, Finding> {
    let credentials = credentials.and_then(|credentials| {
        preflight::refuse_dead_token(&credentials)?;
        Ok(credentials)
    });
    let credentials = credentials.map_err(|failure| api::unusable_credentials(&failure))?;
    let client = Client::new(config).map_err(|error| api::unusable_client(&error.into()))?;
    Ok(Api::new(client, credentials))
}

fn proxy(route: &Route) -> Finding {
    match route {
        Route::Proxy(proxy) => Finding::ok(PROXY, format!("{} ({})", proxy.host(), proxy.variable())),
        Route::Direct => Finding::ok(PROXY, "none"),
        Route::System => Finding::ok(PROXY, "as the system says"),
    }
}

/// Looks up the addresses of the host. A proxy does that itself, so then it is not tried.
async fn host(base: &BaseUrl, route: &Route, limit: Duration) -> Finding {
    let host = base.host();
    if matches!(route, Route::Proxy(_)) {
        return Finding::not_tried(HOST, "the proxy looks the name up");
    }
    let address = base.join(&[]);
    let name = host.trim_matches(['[', ']']).to_owned();
    let port = address.port_or_known_default().unwrap_or_default();
    let hint = "check the host in --base-url and the name server of this machine";
    match tokio::time::timeout(limit, tokio::net::lookup_host((name, port))).await {
        Ok(Ok(found)) => {
            let mut addresses: Vec<_> = found.map(|address| address.ip().to_string()).collect();
            addresses.dedup();
            let more = addresses.len().saturating_sub(ADDRESSES);
            addresses.truncate(ADDRESSES);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            Finding::ok(HOST, format!("{host} has the address {}{more}", addresses.join(", ")))
        }
        Ok(Err(error)) => Finding::fail(HOST, Exit::Unavailable, &format!("{host} has no address: {error}")).hint(hint),
        Err(_) => {
            Finding::fail(HOST, Exit::Unavailable, &format!("the name {host} was not looked up in time")).hint(hint)
        }
    }
}
