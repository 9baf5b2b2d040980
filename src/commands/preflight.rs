//! Whether a token that is all there will ever be outlives the work. Nothing is verified: what it
//! says of itself is believed.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::api::Credentials;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::report::about;

/// This machine's clock and the server's may differ by so much: a token that ended more recently is
/// tried, and the API decides.
const SKEW: SignedDuration = SignedDuration::from_mins(5);

const BETTER: &str = "a token file or command is asked again, --account-id logs in again";

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

/// Nothing is sent with a token that is surely over.
pub(super) fn refuse_dead_token(credentials: &Credentials) -> Result<(), Failure> {
    match of(credentials, Duration::ZERO) {
        Some(Outlook::Over { since }) => {
            let words = format!("the token ended {} ago, by what it says of itself", about(since));
            Err(Failure::new(Exit::Credentials, words).hint(format!("give a fresh one; {BETTER}")))
        }
        Some(Outlook::Lasts | Outlook::EndsFirst { .. }) | None => Ok(()),
    }
}

/// A stop in the middle of the night is better known before.
pub(super) fn warn_of_early_end(credentials: &Credentials, work: Duration) {
    if let Some(Outlook::EndsFirst { left }) = of(credentials, work) {
        tracing::warn!(
            "the token ends in {}, the work takes about {} at this pace: the run will stop (77) when the API refuses it, and go on where it \
             was with a fresh one; {BETTER}",
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
