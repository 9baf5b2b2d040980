//! The password of the database, asked for at every connection.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use tokio_postgres::Config;
use tokio_postgres::config::Host;

use crate::domain::shown;
use crate::ledger::error::DatabaseProblem;
use crate::ledger::location::PasswordSource;
use crate::trusted_file;

/// The longest password, in bytes. A token of a cloud's access management has about 2,000.
const LONGEST: u64 = 64 * 1024;
/// How long the command that prints it may take.
const COMMAND_TIME: Duration = Duration::from_secs(30);

/// Returns the password for this configuration, or `None` if there is none: the server may not ask
/// for one.
pub(super) async fn of(source: &PasswordSource, config: &Config) -> Result<Option<SecretString>, DatabaseProblem> {
    let found = match source {
        PasswordSource::Given(password) => return Ok(Some(password.clone())),
        PasswordSource::File(path) => private(path)?,
        PasswordSource::Command(command) => printed(command).await?,
        PasswordSource::PasswordFile => return in_password_file(config),
    };
    let password = found.expose_secret().trim_end_matches(['\r', '\n']);
    if password.is_empty() {
        return Err(settings("the password is empty"));
    }
    Ok(Some(password.into()))
}

fn settings(words: impl Into<String>) -> DatabaseProblem {
    DatabaseProblem::Settings(words.into())
}

/// Returns the content of a file that only its owner may read.
fn private(path: &Path) -> Result<SecretString, DatabaseProblem> {
    let failed = |error: std::io::Error| settings(format!("the password file {} cannot be read: {error}", shown(path)));
    let file = trusted_file::open(path).map_err(failed)?;
    if trusted_file::is_exposed(&file).map_err(failed)? {
        let words = "can be read by other users of this machine (chmod 600)";
        return Err(settings(format!("the password file {} {words}", shown(path))));
    }
    let mut text = String::new();
    file.take(LONGEST).read_to_string(&mut text).map_err(failed)?;
    Ok(text.into())
}

/// Returns what a command of the user prints.
async fn printed(command: &str) -> Result<SecretString, DatabaseProblem> {
    let mut shell =
        if cfg!(windows) { tokio::process::Command::new("cmd") } else { tokio::process::Command::new("sh") };
    shell.args([if cfg!(windows) { "/C" } else { "-c" }, command]);
    shell.stdin(Stdio::null()).stderr(Stdio::inherit()).kill_on_drop(true);
    let output = tokio::time::timeout(COMMAND_TIME, shell.output())
        .await
        .map_err(|_| settings(format!("the password command did not end within {} s", COMMAND_TIME.as_secs())))?
        .map_err(|error| settings(format!("the password command cannot be started: {error}")))?;
    if !output.status.success() {
        return Err(settings(format!("the password command failed ({})", output.status)));
    }
    let text = String::from_utf8(output.stdout).map_err(|_| settings("the password command printed no text"))?;
    Ok(text.into())
}

/// Looks into the file that all clients of PostgreSQL share.
fn in_password_file(config: &Config) -> Result<Option<SecretString>, DatabaseProblem> {
    let named = std::env::var_os("PGPASSFILE").map(PathBuf::from);
    let at_home = || std::env::var_os("HOME").map(|home| Path::new(&home).join(".pgpass"));
    let Some(path) = named.or_else(at_home).filter(|path| path.exists()) else { return Ok(None) };
    let text = private(&path)?;
    let found = text.expose_secret().lines().find_map(|line| matching(line, config));
    Ok(found.map(SecretString::from))
}

/// Returns the password of a line `host:port:database:user:password` if it is about this
/// configuration. A `*` stands for anything, and a backslash takes the meaning of the next
/// character away.
fn matching(line: &str, config: &Config) -> Option<String> {
    if line.starts_with('#') {
        return None;
    }
    let mut fields = vec![String::new()];
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        match (character, fields.len()) {
            ('\\', _) => fields.last_mut()?.extend(characters.next()),
            (':', 1..=4) => fields.push(String::new()),
            _ => fields.last_mut()?.push(character),
        }
    }
    let [host, port, database, user, password] = <[String; 5]>::try_from(fields).ok()?;
    let name_of = |host: &Host| match host {
        Host::Tcp(name) => name.clone(),
        #[cfg(unix)]
        Host::Unix(_) => "localhost".to_owned(),
    };
    let ports = config.get_ports();
    let user_of_config = config.get_user().unwrap_or_default();
    let is_host = host == "*" || config.get_hosts().iter().any(|other| name_of(other) == host);
    let is_port =
        port == "*" || ports.iter().any(|other| other.to_string() == port) || (ports.is_empty() && port == "5432");
    let is_database = database == "*" || config.get_dbname().unwrap_or(user_of_config) == database;
    let is_user = user == "*" || user_of_config == user;
    (is_host && is_port && is_database && is_user).then_some(password)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_password_file_is_about_a_host_a_port_a_database_and_a_user() {
        let config: Config = "postgres://importer@db.example.com:5433/ledger".parse().unwrap();
        for (line, expected) in [
            ("db.example.com:5433:ledger:importer:s3cret", Some("s3cret")),
            ("*:*:*:*:a:b", Some("a:b")),
            (r"*:5433:*:importer:a\:b\\c", Some(r"a:b\c")),
            ("# *:*:*:*:x", None),
            ("db.example.com:5432:ledger:importer:x", None),
            ("db.example.com:5433:other:importer:x", None),
            ("other:5433:ledger:importer:x", None),
            ("db.example.com:5433:ledger:owner:x", None),
            ("db.example.com:5433:ledger", None),
        ] {
            assert_eq!(matching(line, &config).as_deref(), expected, "{line}");
        }
        let socket: Config = "postgres:///ledger?host=/run/postgresql&user=u".parse().unwrap();
        assert_eq!(matching("localhost:5432:ledger:u:x", &socket).as_deref(), Some("x"));
    }

    #[tokio::test]
    async fn a_command_prints_the_password_and_its_failure_is_told_without_what_it_printed() {
        let config = Config::new();
        let of = async |command: &str| of(&PasswordSource::Command(command.to_owned()), &config).await;
        assert_eq!(of("echo s3cret").await.unwrap().unwrap().expose_secret(), "s3cret");
        let failed = of("echo s3cret; exit 3").await.unwrap_err().to_string();
        assert!(failed.contains("exit status: 3") && !failed.contains("s3cret"), "{failed}");
        assert!(of("true").await.unwrap_err().to_string().contains("the password is empty"));
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_password_file_that_others_may_read_is_refused() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        std::fs::write(&path, "s3cret\n").unwrap();
        for (mode, is_fine) in [(0o600, true), (0o644, false)] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            let found = of(&PasswordSource::File(path.clone()), &Config::new()).await;
            assert_eq!(found.is_ok(), is_fine, "{mode:o}");
            assert!(found.is_err() || found.unwrap().unwrap().expose_secret() == "s3cret");
        }
    }
}
