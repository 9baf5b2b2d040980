//! One connection to the database.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use secrecy::ExposeSecret as _;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::AbortHandle;
use tokio::time::Instant;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};
use tokio_postgres::error::Severity;
use tokio_postgres::types::ToSql;
use tokio_postgres::{AsyncMessage, Client, Config, NoTls, Row};

use super::sql::Statement;
use super::trouble::DatabaseTrouble;
use super::{password, tls};
use crate::ledger::error::DatabaseProblem;
use crate::ledger::location::DatabaseSettings;

/// How long making a connection may take for each address of the server.
const CONNECT_TIME: Duration = Duration::from_secs(5);
/// How long an answer may take. The time limits are ours alone: a server that is asked to cancel a
/// commit answers as if the commit had been replicated.
pub(super) const ANSWER_TIME: Duration = Duration::from_secs(10);
/// How long an answer may take that is about every row of an account.
pub(super) const LONG_ANSWER_TIME: Duration = Duration::from_secs(60 * 60);

/// How long to wait before connecting is tried again.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// A connection. Dropping it closes it.
#[derive(Debug)]
pub(super) struct Connected {
    pub client: Client,
    /// The server warned of something since this was last looked at. A warning that comes with a
    /// commit means that a replica may lack it.
    is_warned: Arc<AtomicBool>,
    driver: AbortHandle,
}

impl Drop for Connected {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Connected {
    /// Connects to the first server of the address that can be written to. A replica that is late
    /// would tell untruths about a run that has ended.
    pub(super) async fn open(settings: &DatabaseSettings) -> Result<Self, DatabaseTrouble> {
        let mut config = config(settings).map_err(DatabaseTrouble::Fatal)?;
        if let Some(password) = password::of(&settings.password, &config).await.map_err(DatabaseTrouble::Fatal)? {
            config.password(password.expose_secret());
        }
        if config.get_ssl_mode() == SslMode::Disable {
            let (client, connection) = limited(config.connect(NoTls)).await?;
            return Ok(Self::driven(client, connection));
        }
        let tls = tls::connector(settings.ca_file.as_deref()).map_err(DatabaseTrouble::Fatal)?;
        let (client, connection) = limited(config.connect(tls)).await?;
        Ok(Self::driven(client, connection))
    }

    /// The same, again and again for as long as the user waits for the lease: a run that waits for
    /// hours does not end because of a moment without a database.
    pub(super) async fn open_patiently(settings: &DatabaseSettings) -> Result<Self, DatabaseTrouble> {
        let begun = Instant::now();
        loop {
            match Self::open(settings).await {
                Err(DatabaseTrouble::Unknown(why)) if begun.elapsed() < settings.wait => {
                    tracing::debug!("the database is not reached yet: {why}");
                    tokio::time::sleep(RETRY_PAUSE).await;
                }
                opened => return opened,
            }
        }
    }

    fn driven<S, T>(client: Client, mut connection: tokio_postgres::Connection<S, T>) -> Self
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let is_warned = Arc::new(AtomicBool::new(false));
        let warned = Arc::clone(&is_warned);
        let driver = tokio::spawn(async move {
            // Ends with the connection. A task that waits for an answer then sees it closed.
            while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await {
                if let AsyncMessage::Notice(notice) = message
                    && matches!(notice.parsed_severity(), Some(Severity::Warning))
                {
                    tracing::debug!("the database warns: {} ({})", notice.message(), notice.code().code());
                    warned.store(true, Ordering::Relaxed);
                }
            }
        });
        Self { client, is_warned, driver: driver.abort_handle() }
    }

    /// Returns whether the server has warned since the last call.
    pub(super) fn take_warning(&self) -> bool {
        self.is_warned.swap(false, Ordering::Relaxed)
    }

    /// Runs a statement and returns its rows. The statement is sent when the future is first
    /// polled, so that futures that are polled together leave together.
    pub(super) async fn rows(
        &self,
        sql: &Statement,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, DatabaseTrouble> {
        debug_assert_eq!(sql.types.len(), values.len(), "{}", sql.text);
        let typed: Vec<_> = values.iter().zip(sql.types).map(|(value, of)| (*value, of.clone())).collect();
        Ok(self.client.query_typed(sql.text, &typed).await?)
    }

    /// Runs a statement whose rows do not matter.
    pub(super) async fn run(&self, sql: &Statement, values: &[&(dyn ToSql + Sync)]) -> Result<(), DatabaseTrouble> {
        self.rows(sql, values).await.map(drop)
    }

    /// Runs statements without values.
    pub(super) async fn batch(&self, text: &str) -> Result<(), DatabaseTrouble> {
        Ok(self.client.batch_execute(text).await?)
    }
}

/// Waits no longer than an answer may take.
pub(super) async fn limited<T, E>(answer: impl Future<Output = Result<T, E>>) -> Result<T, DatabaseTrouble>
where
    DatabaseTrouble: From<E>,
{
    within(ANSWER_TIME, answer).await
}

/// Waits no longer than this for an answer.
pub(super) async fn within<T, E>(
    limit: Duration,
    answer: impl Future<Output = Result<T, E>>,
) -> Result<T, DatabaseTrouble>
where
    DatabaseTrouble: From<E>,
{
    match tokio::time::timeout(limit, answer).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(DatabaseTrouble::Unknown(format!("no answer within {} s", limit.as_secs()))),
    }
}

/// Returns how to connect: what the address says, and what it must not leave open.
fn config(settings: &DatabaseSettings) -> Result<Config, DatabaseProblem> {
    let wrong = |why: &str| DatabaseProblem::Settings(why.to_owned());
    // The library's own words may repeat a part of the address.
    let mut config: Config = settings.url.as_str().parse().map_err(|_| wrong("its address cannot be understood"))?;
    if config.get_password().is_some() {
        return Err(wrong("its address holds a password"));
    }
    if config.get_hosts().is_empty() {
        return Err(wrong("its address names no host (a socket is named by ?host=/run/postgresql)"));
    }
    let is_local =
        config.get_hosts().iter().all(is_local) && config.get_hostaddrs().iter().all(std::net::IpAddr::is_loopback);
    match (is_local, config.get_ssl_mode()) {
        (false, SslMode::Disable) => {
            return Err(wrong("sslmode=disable is possible only for a database on this machine"));
        }
        (true, SslMode::Disable | SslMode::Prefer) if settings.ca_file.is_none() => config.ssl_mode(SslMode::Disable),
        _ => config.ssl_mode(SslMode::Require),
    };
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(CONNECT_TIME);
    }
    if config.get_application_name().is_none() {
        config.application_name("customer-import");
    }
    // A failover may drop packets without a word.
    config.tcp_user_timeout(ANSWER_TIME);
    config.keepalives_idle(Duration::from_secs(10)).keepalives_interval(Duration::from_secs(3)).keepalives_retries(3);
    config.target_session_attrs(TargetSessionAttrs::ReadWrite);
    Ok(config)
}

fn is_local(host: &Host) -> bool {
    match host {
        Host::Tcp(name) => {
            let address = name.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
            name == "localhost" || address.is_ok_and(|address| address.is_loopback())
        }
        #[cfg(unix)]
        Host::Unix(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::ledger::location::{DatabaseUrl, PasswordSource};

    fn settings(url: &str, ca_file: Option<&str>) -> DatabaseSettings {
        DatabaseSettings {
            url: DatabaseUrl::parse(url).unwrap().unwrap(),
            password: PasswordSource::PasswordFile,
            ca_file: ca_file.map(|path| Path::new(path).to_owned()),
            lease: Duration::from_secs(15),
            wait: Duration::ZERO,
            grace: Duration::from_secs(10),
            settle: Duration::from_secs(90),
            patience: Duration::ZERO,
            holder: None,
        }
    }

    #[test]
    fn only_a_database_on_this_machine_is_spoken_to_in_plain_text() {
        for (url, ca_file, expected) in [
            ("postgres://u@localhost/d", None, Some(SslMode::Disable)),
            ("postgres://u@127.0.0.1:5433/d", None, Some(SslMode::Disable)),
            ("postgres:///d?host=/run/postgresql", None, Some(SslMode::Disable)),
            ("postgres://u@localhost/d", Some("ca.pem"), Some(SslMode::Require)),
            ("postgres://u@localhost/d?sslmode=require", None, Some(SslMode::Require)),
            ("postgres://u@db.example.com/d", None, Some(SslMode::Require)),
            ("postgres://u@db.example.com/d?sslmode=prefer", None, Some(SslMode::Require)),
            ("postgres://u@localhost,db.example.com/d", None, Some(SslMode::Require)),
            ("postgres://u@localhost/d?hostaddr=192.0.2.1", None, Some(SslMode::Require)),
            ("postgres://u@db.example.com/d?sslmode=disable", None, None),
            ("postgres:///d", None, None),
        ] {
            let found = config(&settings(url, ca_file)).ok().map(|config| config.get_ssl_mode());
            assert_eq!(found, expected, "{url}");
        }
    }

    #[test]
    fn an_address_that_cannot_be_understood_is_not_repeated() {
        let refused = config(&settings("postgres://h:s3cret/d?sslmode=s3cret", None)).unwrap_err().to_string();
        assert!(!refused.contains("s3cret"), "{refused}");
    }
}
