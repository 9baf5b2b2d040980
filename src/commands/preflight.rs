//! Judges whether a token that cannot be renewed lasts as long as the run. Trusts what the token
//! says of itself, without verification.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::api::Credentials;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::report::about;

/// How much the clocks of this machine and of the server may differ. If a token expired more
/// recently, it is tried and the API decides.
const SKEW: SignedDuration = SignedDuration::from_mins(5);

const BETTER: &str = "--token-file and --token-command are read again, and --account-id logs in again";

#[derive(Debug, PartialEq, Eq)]
enum Outlook {
    Lasts,
    EndsFirst { left: Duration },
    Over { since: Duration },
}

fn outlook(ends_at: Timestamp, now: Timestamp, work: Duration) -> Outlook {
    let left = ends_at.duration_since(now);
    if left < -SKEW {
        return Outlook::Over { since: left.unsigned_abs() };
    }
    let left = Duration::try_from(left).unwrap_or_default();
    if left < work { Outlook::EndsFirst { left } } else { Outlook::Lasts }
}

/// Fails if the token has surely expired.
pub(super) fn refuse_dead_token(credentials: &Credentials) -> Result<(), Failure> {
    match of(credentials, Duration::ZERO) {
        Some(Outlook::Over { since }) => {
            let words = format!("the token says that it expired {} ago", about(since));
            Err(Failure::new(Exit::Credentials, words).hint(format!("use a fresh token; {BETTER}")))
        }
        Some(Outlook::Lasts | Outlook::EndsFirst { .. }) | None => Ok(()),
    }
}

/// Warns if the token will expire during the run, because it is better to know before than in the
/// middle of the night.
pub(super) fn warn_of_early_end(credentials: &Credentials, work: Duration) {
    if let Some(Outlook::EndsFirst { left }) = of(credentials, work) {
        tracing::warn!(
            "the token expires in {}, but the run takes about {} at this pace: it will stop (77) when the API rejects the token, and the same \
             command continues with a fresh one; {BETTER}",
            about(left),
            about(work)
        );
    }
}

fn of(credentials: &Credentials, work: Duration) -> Option<Outlook> {
    let ends_at = credentials.only_token()?.ends_at()?;
    Some(outlook(ends_at, Timestamp::now(), work))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_over_only_beyond_what_clocks_may_differ() {
        let at = |second: i64| Timestamp::from_second(1_700_000_000 + second).unwrap();
        let of = |ends, work| outlook(at(ends), at(0), Duration::from_secs(work));
        let seconds = Duration::from_secs;
        assert_eq!(of(600, 600), Outlook::Lasts);
        assert_eq!(of(600, 601), Outlook::EndsFirst { left: seconds(600) });
        assert_eq!(of(-300, 1), Outlook::EndsFirst { left: Duration::ZERO });
        assert_eq!(of(-300, 0), Outlook::Lasts);
        assert_eq!(of(-301, 0), Outlook::Over { since: seconds(301) });
    }
}
