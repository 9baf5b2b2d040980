use std::fs;
use std::path::Path;
use std::sync::Arc;

use tempfile::TempDir;

use super::*;
use crate::domain::StopReason;

fn private(folder: &TempDir, text: &str) -> PathBuf {
    let path = folder.path().join("token");
    fs::write(&path, text).unwrap();
    allow(&path, 0o600);
    path
}

fn allow(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[tokio::test]
async fn no_token_is_shown_by_debug() {
    let credentials = TokenSource::fixed(&SecretString::from("s3cret")).unwrap();
    let token = credentials.token().await.unwrap();
    assert!(!format!("{credentials:?} {token:?} {:?}", credentials.renew(&token).await).contains("s3cret"));
}

#[tokio::test]
async fn a_static_token_that_is_refused_is_the_end() {
    let credentials = TokenSource::fixed(&SecretString::from("a")).unwrap();
    let token = credentials.token().await.unwrap();
    let error = credentials.renew(&token).await.unwrap_err();
    assert!(matches!(error, AuthError::Refused { .. }));
    assert!(matches!(StopReason::from(error), StopReason::Credentials(_)));
}

#[tokio::test]
async fn a_file_is_read_once_and_again_when_its_token_was_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = private(&folder, "one\n");
    let credentials = TokenSource::file(path.clone());
    let one = credentials.token().await.unwrap();
    fs::write(&path, "two").unwrap();
    assert_eq!(credentials.token().await.unwrap(), one);
    let two = credentials.renew(&one).await.unwrap();
    assert_eq!(two.expose(), "two");
    assert_eq!(credentials.token().await.unwrap(), two);
    assert!(matches!(credentials.renew(&two).await, Err(AuthError::Refused { .. })));
}

#[tokio::test]
async fn a_file_that_others_may_read_is_refused_with_a_hint() {
    let folder = tempfile::tempdir().unwrap();
    let path = private(&folder, "one");
    for mode in [0o640, 0o604, 0o622] {
        allow(&path, mode);
        let error = TokenSource::file(path.clone()).token().await.unwrap_err();
        assert!(matches!(error, AuthError::Exposed { .. }), "{mode:o}");
        assert_eq!(error.advice(), Some(format!("chmod 600 {}", path.display())));
        assert!(!error.to_string().contains("hint"), "{error}");
        let StopReason::Credentials(words) = error.into() else { panic!("another reason") };
        assert!(words.advice.is_some_and(|advice| advice.starts_with("chmod 600 ")));
    }
}

#[tokio::test]
async fn a_file_without_a_token_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let missing = TokenSource::file(folder.path().join("none")).token().await;
    assert!(matches!(missing, Err(AuthError::File { .. })));
    for (text, error) in [("\n", TokenError::Empty), (&"x".repeat(70_000), TokenError::TooLong)] {
        let read = TokenSource::file(private(&folder, text)).token().await;
        assert!(matches!(read, Err(AuthError::Malformed(found)) if found == error));
    }
}

#[tokio::test]
async fn a_command_prints_the_token() {
    let credentials = TokenSource::command("printf 'abc\\n'".to_owned());
    let token = credentials.token().await.unwrap();
    assert_eq!(token.expose(), "abc");
    assert!(matches!(credentials.renew(&token).await, Err(AuthError::Refused { .. })));
}

#[tokio::test]
async fn a_command_that_fails_gives_no_token() {
    let token = |command: &str| {
        let credentials = TokenSource::command(command.to_owned());
        async move { credentials.token().await }
    };
    let failed = token("echo s3cret; exit 3").await.unwrap_err();
    assert!(matches!(failed, AuthError::CommandFailed(_)));
    assert!(!failed.to_string().contains("s3cret"));
    assert!(matches!(token("true").await, Err(AuthError::Malformed(TokenError::Empty))));
    assert!(matches!(token("printf '\\377'").await, Err(AuthError::Malformed(TokenError::Characters))));
}

#[tokio::test]
async fn a_command_that_prints_without_end_is_cut_off() {
    // The closed pipe kills `yes`; what it printed until then is not a token.
    let endless = TokenSource::command("yes | head -c 200000 | tr -d '\\n'".to_owned()).token().await;
    assert!(endless.is_err());
}

#[tokio::test]
async fn many_that_were_refused_at_once_ask_the_source_once() {
    let folder = tempfile::tempdir().unwrap();
    let count = folder.path().join("count");
    let command = format!("echo x >> '{0}'; printf 'token-'; wc -l < '{0}' | tr -d ' '", count.display());
    let credentials = Arc::new(TokenSource::command(command));
    let first = credentials.token().await.unwrap();
    assert_eq!(first.expose(), "token-1");
    let renewals = (0..20).map(|_| {
        let (credentials, first) = (Arc::clone(&credentials), first.clone());
        tokio::spawn(async move { credentials.renew(&first).await.unwrap() })
    });
    for renewal in futures::future::join_all(renewals).await {
        assert_eq!(renewal.unwrap().expose(), "token-2");
    }
    assert_eq!(fs::read_to_string(&count).unwrap().lines().count(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_command_that_takes_too_long_is_given_up() {
    let slow = TokenSource::command("exec sleep 60".to_owned()).token().await;
    assert!(matches!(slow, Err(AuthError::CommandSlow)), "{slow:?}");
}

/// Returns whether a process is running. A process that has ended can stay in the list until its
/// parent asks for its exit status.
#[cfg(target_os = "linux")]
fn is_at_work(process: &str) -> bool {
    let state = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    state.rsplit_once(") ").is_some_and(|(_, state)| !state.starts_with(['Z', 'X']))
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn what_a_command_started_ends_with_its_time_limit() {
    let folder = tempfile::tempdir().unwrap();
    let started = folder.path().join("started");
    let command = format!("sleep 600 & echo $! > '{}'; wait", started.display());
    // A busy machine may need some time to start the process.
    for limit in [1, 5, 25].map(Duration::from_secs) {
        let slow = from_command(&command, limit).await;
        assert!(matches!(slow, Err(AuthError::CommandSlow)), "{slow:?}");
        if started.exists() {
            break;
        }
    }
    let process = fs::read_to_string(&started).unwrap();
    // The signal may take a moment to arrive.
    for _ in 0..500 {
        if !is_at_work(process.trim()) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("process {process} outlived the time limit");
}

#[tokio::test]
async fn what_a_command_leaves_running_on_purpose_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let left = folder.path().join("left");
    let command = format!("(sleep 0.2; echo x > '{}') > /dev/null & echo abc", left.display());
    assert_eq!(TokenSource::command(command).token().await.unwrap().expose(), "abc");
    for _ in 0..2000 {
        if left.exists() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it was ended with the command");
}
