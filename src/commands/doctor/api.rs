//! Judges what the API answered. Pure.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::finding::Finding;
use crate::api::{Failing, FirstLook, GrantResult, LookupResponse, PageResult};
use crate::delivery::Probe;
use crate::domain::{StopReason, counted, grouped};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::report::about;

/// The subjects, in their order.
const CONNECTION: &str = "connection";
const CREDENTIALS: &str = "credentials";
const LIMIT: &str = "rate limit";
const LOOK_UPS: &str = "look-ups";
const CLOCK: &str = "clock";
const SUBJECTS: [&str; 5] = [CONNECTION, CREDENTIALS, LIMIT, LOOK_UPS, CLOCK];

/// A certificate that ends sooner than this ends during a long import.
const SOON: SignedDuration = SignedDuration::from_hours(14 * 24);

/// How far two clocks may be apart before the times of an import are worth a word.
const SKEW: SignedDuration = SignedDuration::from_mins(2);

/// Returns one finding for each subject. `now` is the time of this machine.
pub(super) fn judge(probe: &Probe, now: Timestamp) -> Vec<Finding> {
    let found = match probe {
        Probe::NoToken(grant) => vec![no_token(grant)],
        Probe::Looked { first, look_up } => looked(first, look_up.as_ref(), now),
    };
    complete(found, "no answer of the API shows it")
}

/// Returns the findings for an API that was not asked.
pub(super) fn not_asked(found: Vec<Finding>, why: &str) -> Vec<Finding> {
    complete(found, why)
}

/// Returns the credentials that cannot be used.
pub(super) fn unusable_credentials(failure: &Failure) -> Finding {
    Finding::of_failure(CREDENTIALS, failure)
}

/// Returns the client that cannot be built, because of a certificate file for example.
pub(super) fn unusable_client(failure: &Failure) -> Finding {
    Finding::of_failure(CONNECTION, failure)
}

fn complete(mut found: Vec<Finding>, why: &str) -> Vec<Finding> {
    let of = |found: &mut Vec<Finding>, subject: &'static str| {
        let at = found.iter().position(|finding| finding.is_of(subject));
        at.map_or_else(|| Finding::not_tried(subject, why), |at| found.swap_remove(at))
    };
    SUBJECTS.into_iter().map(|subject| of(&mut found, subject)).collect()
}

fn no_token(grant: &GrantResult) -> Finding {
    const CHECK: &str = "check --account-id and its app secret, and that they are those of this API";
    match grant {
        GrantResult::Refused(words) => {
            Finding::fail(CREDENTIALS, Exit::Credentials, &format!("the API refuses the login: {words}")).hint(CHECK)
        }
        GrantResult::NotOffered(words) => {
            Finding::fail(CREDENTIALS, Exit::Configuration, &format!("there is no login at this address: {words}"))
                .hint("check the path of --base-url")
        }
        GrantResult::Throttled { pause } => throttled(*pause),
        GrantResult::Failed(Failing { cause, .. }) => Finding::fail(CONNECTION, Exit::Unavailable, cause),
        GrantResult::Stop(reason) => stop(reason),
        GrantResult::NoToken | GrantResult::Granted { .. } => {
            Finding::fail(CREDENTIALS, Exit::Unavailable, "the API answers the login without a token")
        }
    }
}

fn looked(first: &FirstLook, look_up: Option<&PageResult>, now: Timestamp) -> Vec<Finding> {
    let LookupResponse { page, http_status, .. } = &first.response;
    let mut found = Vec::new();
    if http_status.is_some() {
        found.extend([connection(first, now), limit(first), clock(first.ahead)]);
    }
    match page {
        PageResult::Rows { extent, .. } => {
            found.push(Finding::ok(CREDENTIALS, "the API accepts them"));
            found.push(look_ups(look_up, extent.total.unwrap_or(extent.rows)));
        }
        // A page of all customers is not filtered.
        PageResult::FilterIgnored => {}
        PageResult::NotOffered { http_status } => found.push(no_look_ups(*http_status)),
        PageResult::Unauthorized => found.push(
            Finding::fail(CREDENTIALS, Exit::Credentials, "the API refuses the token (401)")
                .hint("use a fresh token of this API and this account"),
        ),
        PageResult::Throttled { pause } => {
            found.retain(|finding| !finding.is_of(LIMIT));
            found.push(throttled(*pause));
        }
        PageResult::Failed { cause, .. } => {
            let subject = if http_status.is_some() { LOOK_UPS } else { CONNECTION };
            found.push(
                Finding::fail(subject, Exit::Unavailable, cause)
                    .hint("check --base-url, the network and the proxy; an import would wait and try again"),
            );
        }
        PageResult::Stop(reason) => {
            found.retain(|finding| !finding.is_of(CONNECTION));
            found.push(stop(reason));
        }
    }
    found
}

fn stop(reason: &StopReason) -> Finding {
    let subject = if matches!(reason, StopReason::Credentials(_)) { CREDENTIALS } else { CONNECTION };
    Finding::of_failure(subject, &Failure::of_stop(reason))
}

fn throttled(pause: Duration) -> Finding {
    Finding::warn(
        LIMIT,
        format!("reached: the API asks for a pause of {}", about(pause)),
        "something else uses the limit of this account; an import would wait",
    )
}

fn connection(first: &FirstLook, now: Timestamp) -> Finding {
    let millis = first.took.as_millis();
    let took = if millis < 1000 { format!("{millis} ms") } else { about(first.took) };
    let Some(until) = first.certificate_until else {
        return Finding::ok(CONNECTION, format!("answered in {took}, without TLS"));
    };
    let left = until.duration_since(now);
    let value = format!(
        "answered in {took}, with TLS; the certificate is valid until {}, for {} more",
        until.strftime("%Y-%m-%d"),
        counted(u64::try_from(left.as_hours() / 24).unwrap_or_default(), "day")
    );
    if left < SOON {
        return Finding::warn(CONNECTION, value, "an import that still runs then would stop (78); it can be resumed");
    }
    Finding::ok(CONNECTION, value)
}

fn limit(first: &FirstLook) -> Finding {
    let allowance = first.response.allowance;
    match (allowance.limit, allowance.remaining) {
        (Some(limit), Some(left)) => Finding::ok(
            LIMIT,
            format!("{} a minute, {} left of this one", counted(limit.get().into(), "request"), grouped(left.into())),
        ),
        (Some(limit), None) => Finding::ok(LIMIT, format!("{} a minute", counted(limit.get().into(), "request"))),
        (None, _) => Finding::ok(LIMIT, "not announced; --rate auto sends 55 requests a minute"),
    }
}

fn look_ups(look_up: Option<&PageResult>, customers: u64) -> Finding {
    const NO_PROOF: &str = "a record whose request has no answer can end in doubt (4), because nothing proves its end";
    let has = format!("the account has {}", counted(customers, "customer"));
    match look_up {
        Some(PageResult::Rows { .. }) if customers == 0 => {
            Finding::ok(LOOK_UPS, format!("{has}, so it does not show whether they filter by e-mail"))
        }
        Some(PageResult::Rows { .. }) => Finding::ok(LOOK_UPS, format!("{has}; the e-mail filter works")),
        Some(PageResult::FilterIgnored) => {
            Finding::warn(LOOK_UPS, format!("{has}, but the e-mail filter is ignored"), NO_PROOF)
        }
        Some(PageResult::NotOffered { http_status }) => no_look_ups(*http_status),
        Some(PageResult::Throttled { pause }) => {
            Finding::warn(LOOK_UPS, format!("not shown: the API asks for a pause of {}", about(*pause)), "try later")
        }
        Some(PageResult::Failed { cause, .. }) => {
            Finding::warn(LOOK_UPS, format!("{has}; the e-mail filter failed: {cause}"), NO_PROOF)
        }
        Some(PageResult::Unauthorized | PageResult::Stop(_)) | None => {
            Finding::warn(LOOK_UPS, format!("{has}; a look-up by e-mail is refused"), NO_PROOF)
        }
    }
}

fn no_look_ups(http_status: u16) -> Finding {
    Finding::warn(
        LOOK_UPS,
        format!("the API does not offer them (HTTP {http_status})"),
        "check the path of --base-url and the rights of the token; without look-ups more records can end in doubt (4)",
    )
}

fn clock(ahead: Option<SignedDuration>) -> Finding {
    let Some(ahead) = ahead else { return Finding::ok(CLOCK, "the API does not show its own") };
    let apart = about(ahead.unsigned_abs());
    if ahead.abs() <= SKEW {
        return Finding::ok(CLOCK, "as the API's");
    }
    let side = if ahead.is_positive() { "ahead of" } else { "behind" };
    Finding::warn(
        CLOCK,
        format!("{apart} {side} the API's"),
        "set the clock of this machine (timedatectl shows it); times in the reports come from it",
    )
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::super::finding::{Mark, exit};
    use super::*;
    use crate::api::{Allowance, Extent};
    use crate::domain::Matches;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn rows(total: u64) -> PageResult {
        let extent = Extent { rows: total.min(1), total: Some(total), ..Extent::default() };
        PageResult::Rows { found: Matches::default(), extent }
    }

    fn first(page: PageResult) -> FirstLook {
        let http_status =
            if matches!(page, PageResult::Failed { .. } | PageResult::Stop(_)) { None } else { Some(200) };
        let allowance = Allowance { limit: NonZeroU32::new(60), remaining: Some(58), reset: None };
        FirstLook {
            response: LookupResponse { page, http_status, allowance },
            ahead: Some(SignedDuration::from_secs(3)),
            certificate_until: Some(NOW + SignedDuration::from_hours(90 * 24)),
            took: Duration::from_millis(200),
        }
    }

    fn judged(first: FirstLook, look_up: Option<PageResult>) -> Vec<Finding> {
        let found = judge(&Probe::Looked { first: Box::new(first), look_up }, NOW);
        let subjects: Vec<_> = found.iter().map(Finding::subject).collect();
        assert_eq!(subjects, SUBJECTS);
        found
    }

    fn marks(found: &[Finding]) -> Vec<Mark> {
        found.iter().map(Finding::mark).collect()
    }

    #[test]
    fn an_api_that_answers_everything_is_fine() {
        assert_eq!(marks(&judged(first(rows(7)), Some(rows(0)))), [Mark::Ok; 5]);
    }

    #[test]
    fn every_refusal_of_the_first_look_has_the_exit_code_of_an_import() {
        let is_down = true;
        let configuration = StopReason::Configuration("the server cannot be trusted: x".into());
        for (page, expected) in [
            (PageResult::Unauthorized, Exit::Credentials),
            (PageResult::Failed { cause: "cannot reach x (name not found)".to_owned(), is_down }, Exit::Unavailable),
            (PageResult::Stop(configuration), Exit::Configuration),
            (PageResult::NotOffered { http_status: 403 }, Exit::Done),
            (PageResult::Throttled { pause: Duration::from_secs(9) }, Exit::Done),
        ] {
            assert_eq!(exit(&judged(first(page.clone()), None)), expected, "{page:?}");
        }
    }

    #[test]
    fn every_refusal_of_a_login_has_the_exit_code_of_an_import() {
        let failing = Failing { cause: "cannot reach x".to_owned(), retry_after: None, is_down: true };
        for (grant, expected) in [
            (GrantResult::Refused("HTTP 401".to_owned()), Exit::Credentials),
            (GrantResult::NoToken, Exit::Unavailable),
            (GrantResult::NotOffered("HTTP 404".to_owned()), Exit::Configuration),
            (GrantResult::Throttled { pause: Duration::from_secs(9) }, Exit::Done),
            (GrantResult::Failed(failing), Exit::Unavailable),
            (GrantResult::Stop(StopReason::Credentials("x".into())), Exit::Credentials),
        ] {
            assert_eq!(exit(&judge(&Probe::NoToken(grant.clone()), NOW)), expected, "{grant:?}");
        }
    }

    #[test]
    fn a_filter_that_is_ignored_and_an_old_clock_and_certificate_are_warnings() {
        let mut late = first(rows(7));
        late.ahead = Some(SignedDuration::from_mins(-3));
        late.certificate_until = Some(NOW + SignedDuration::from_hours(24));
        let found = judged(late, Some(PageResult::FilterIgnored));
        assert_eq!(marks(&found), [Mark::Warn, Mark::Ok, Mark::Ok, Mark::Warn, Mark::Warn]);
        assert_eq!(exit(&found), Exit::Done);
    }
}
