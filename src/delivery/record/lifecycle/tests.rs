//! The table of the lifecycle: every state with every result, and every look-up.

use std::num::NonZeroU32;

use jiff::Timestamp;

use super::*;
use crate::domain::{BootTime, DoubtCause, EmailKey, Refusal, Status};

const SETTLE: i64 = 90;

fn policy() -> RetryPolicy {
    RetryPolicy {
        max_attempts: NonZeroU32::new(5).unwrap(),
        settle: Duration::from_secs(90),
        grace: Duration::from_secs(10),
        connect_timeout: Duration::from_secs(10),
        key_validity: Duration::from_secs(45 * 60),
        trust_unique_email: false,
    }
}

fn trusting() -> RetryPolicy {
    RetryPolicy { trust_unique_email: true, ..policy() }
}

fn at(seconds: i64) -> Moment {
    by_clocks(seconds, seconds)
}

/// Seconds of the wall clock and of the boot clock.
fn by_clocks(wall: i64, boot: i64) -> Moment {
    let uptime = Duration::from_secs(u64::try_from(1_000_000 + boot).unwrap());
    let wall = Timestamp::from_second(1_700_000_000 + wall).unwrap();
    Moment { wall, boot: Some(BootTime { boot: 1, uptime }) }
}

fn wait(seconds: i64) -> Pause {
    Pause::For(Duration::from_secs(seconds.unsigned_abs()))
}

fn words(code: ComplaintCode) -> Complaint {
    Complaint { code, message: format!("words of {}", code.as_str()) }
}

fn unanswered(cause: DoubtCause) -> AttemptResult {
    AttemptResult::Unanswered { cause, complaint: words(ComplaintCode::NoAnswer), pause: None }
}

fn silence() -> AttemptResult {
    unanswered(DoubtCause::Silence)
}

fn failure() -> AttemptResult {
    AttemptResult::ServerError(words(ComplaintCode::ServerError))
}

fn about_email(words_say: EmailWords) -> AttemptResult {
    let code = if words_say == EmailWords::Exists { ComplaintCode::EmailExists } else { ComplaintCode::FieldRejected };
    AttemptResult::EmailRefused { complaint: words(code), words: words_say }
}

fn taken() -> AttemptResult {
    about_email(EmailWords::Exists)
}

fn rejected() -> AttemptResult {
    AttemptResult::Rejected(words(ComplaintCode::FieldRejected))
}

fn refused(scope: RefusalScope, by_api: bool) -> AttemptResult {
    AttemptResult::Refused {
        complaint: words(ComplaintCode::Refused),
        refusal: Refusal { scope, by_api, advice: None },
    }
}

fn created() -> AttemptResult {
    AttemptResult::Created { receipt: receipt(), other_email: None }
}

fn stop() -> AttemptResult {
    AttemptResult::Stop(StopReason::Configuration("elsewhere".into()))
}

fn receipt() -> Receipt {
    Receipt { customer_id: Some("c-1".to_owned()), ..Receipt::default() }
}

/// A customer that the server has had for so many seconds, if it states that.
fn customer(is_ours: bool, age: Option<u64>) -> Sighting {
    let customer = FoundCustomer {
        email: EmailKey::of("a@example.com"),
        receipt: receipt(),
        name: None,
        phone: None,
        age: age.map(Duration::from_secs),
    };
    Sighting { customer, is_ours }
}

fn exactly(customers: &[Sighting]) -> LookupFinding {
    LookupFinding::Exactly(customers.to_vec())
}

fn ours() -> LookupFinding {
    exactly(&[customer(true, Some(0))])
}

fn nobody() -> LookupFinding {
    exactly(&[])
}

/// What our requests left behind when the next result arrives. In all of these the last request was
/// sent at second 1000.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Fresh,
    Silent,
    Answered,
    /// A new key, because the unique e-mail is trusted.
    Trusted,
    /// A new key after proven absence.
    Absent,
}

const STATES: [State; 5] = [State::Fresh, State::Silent, State::Answered, State::Trusted, State::Absent];

impl State {
    fn life(self) -> Lifecycle {
        let policy = if self == Self::Trusted { trusting() } else { policy() };
        let mut life = Lifecycle::new(policy);
        life.sends(KeyChoice::Same, at(0));
        match self {
            Self::Fresh => {}
            Self::Silent => drop(answer(&mut life, silence(), true, 1)),
            // Without a look-up the same key is sent once more.
            Self::Answered => drop(answer(&mut life, failure(), false, 1)),
            Self::Trusted => {
                answer(&mut life, failure(), false, 1);
                life.sends(KeyChoice::Same, at(2));
                assert!(is_new_key(&answer(&mut life, failure(), false, 3)));
            }
            Self::Absent => {
                answer(&mut life, silence(), true, 1);
                answer(&mut life, AttemptResult::KeyExpired, true, 100);
                life.looked_up(nobody(), at(100));
                assert!(is_new_key(&life.looked_up(nobody(), at(100 + SETTLE))));
            }
        }
        let key = if matches!(self, Self::Trusted | Self::Absent) { KeyChoice::New } else { KeyChoice::Same };
        life.sends(key, at(1000));
        life
    }
}

fn answer(life: &mut Lifecycle, result: AttemptResult, lookups: bool, second: i64) -> Step {
    life.answered(result, None, true, lookups, at(second))
}

fn is_new_key(step: &Step) -> bool {
    matches!(step, Step::Send { key: KeyChoice::New, .. })
}

fn same_key_after(seconds: i64) -> Step {
    Step::Send { key: KeyChoice::Same, after: wait(seconds) }
}

fn ending(step: Step) -> Ending {
    match step {
        Step::Finish(finish) => finish.ending,
        other => panic!("expected an end, got {other:?}"),
    }
}

/// Describes a step: what, when, and with which warnings.
fn told(step: &Step) -> String {
    let when = |after: &Pause| match after {
        Pause::None => String::new(),
        Pause::Backoff { at_least, .. } if at_least.is_zero() => String::new(),
        Pause::Backoff { at_least, .. } => format!(" after {} s", at_least.as_secs()),
        Pause::For(time) if time.is_zero() => String::new(),
        Pause::For(time) => format!(" after {} s", time.as_secs()),
    };
    match step {
        Step::Send { key: KeyChoice::Same, after } => format!("same key{}", when(after)),
        Step::Send { key: KeyChoice::New, after } => format!("new key{}", when(after)),
        Step::LookUp { after } => format!("look up{}", when(after)),
        Step::RenewToken => "token".to_owned(),
        Step::Stop(_) => "stop".to_owned(),
        Step::Finish(Finish { ending, warnings, recovered, pending }) => {
            let code = match ending {
                Ending::Rejected(complaint) | Ending::InDoubt(complaint) => format!(" {}", complaint.code.as_str()),
                _ => String::new(),
            };
            let warning = warnings.first().map(|warning| format!(" with {warning}")).unwrap_or_default();
            let warning = warning.split(':').next().unwrap_or_default().to_owned();
            let (recovered, pending) =
                (if *recovered { ", recovered" } else { "" }, if pending.is_some() { "?" } else { "" });
            format!("{}{pending}{code}{warning}{recovered}", ending.status())
        }
    }
}

/// What follows with look-ups, and without them.
type Row = (AttemptResult, [(&'static str, &'static str); 5]);

/// The states in their order: fresh, silent, answered, a new key by trust, a new key after proven
/// absence.
fn table() -> Vec<Row> {
    // In doubt, every rejection leads to look-ups and is kept; without look-ups it ends in doubt
    // with its message.
    let kept = |code: &'static str| ("look up", code);
    let (in_doubt_field, in_doubt_exists) = (kept("in_doubt api.field_rejected"), kept("in_doubt api.email_exists"));
    let in_doubt_refused = kept("in_doubt api.refused");
    let refusal = |fresh, doubt, absent| [fresh, doubt, doubt, doubt, absent];
    let final_ = ("rejected api.field_rejected", "rejected api.field_rejected");
    let final_after_doubt = ("rejected api.field_rejected, recovered", "rejected api.field_rejected, recovered");
    let silent = ("same key after 85 s", "same key after 85 s");
    let lag = "look up after 5 s";
    vec![
        (
            created(),
            [
                ("created", "created"),
                ("created, recovered", "created, recovered"),
                ("created, recovered", "created, recovered"),
                ("created, recovered", "created, recovered"),
                ("created, recovered", "created, recovered"),
            ],
        ),
        (rejected(), refusal(final_, in_doubt_field, final_after_doubt)),
        (
            taken(),
            refusal(
                ("look up", "exists with lookup.unavailable"),
                in_doubt_exists,
                ("look up", "exists with lookup.unavailable, recovered"),
            ),
        ),
        (
            about_email(EmailWords::Unclear),
            refusal(
                ("look up", "rejected api.field_rejected"),
                in_doubt_field,
                ("look up", "rejected api.field_rejected, recovered"),
            ),
        ),
        (
            about_email(EmailWords::Conflict),
            refusal(
                ("look up after 85 s", "rejected api.field_rejected"),
                ("look up after 85 s", "in_doubt api.field_rejected"),
                ("look up after 85 s", "rejected api.field_rejected, recovered"),
            ),
        ),
        (
            refused(RefusalScope::Record, true),
            refusal(
                ("rejected api.refused", "rejected api.refused"),
                in_doubt_refused,
                ("rejected api.refused, recovered", "rejected api.refused, recovered"),
            ),
        ),
        (
            refused(RefusalScope::Record, false),
            refusal(
                ("look up", "rejected api.refused"),
                in_doubt_refused,
                ("look up", "rejected api.refused, recovered"),
            ),
        ),
        (
            refused(RefusalScope::Endpoint, true),
            refusal(
                ("rejected? api.refused", "rejected? api.refused"),
                in_doubt_refused,
                ("rejected? api.refused, recovered", "rejected? api.refused, recovered"),
            ),
        ),
        (
            refused(RefusalScope::Endpoint, false),
            refusal(
                ("look up", "rejected? api.refused"),
                in_doubt_refused,
                ("look up", "rejected? api.refused, recovered"),
            ),
        ),
        (
            refused(RefusalScope::Account, true),
            refusal(
                ("rejected? api.refused", "rejected? api.refused"),
                in_doubt_refused,
                ("rejected? api.refused, recovered", "rejected? api.refused, recovered"),
            ),
        ),
        (
            refused(RefusalScope::Firewall, false),
            refusal(
                ("look up", "rejected? api.refused"),
                in_doubt_refused,
                ("look up", "rejected? api.refused, recovered"),
            ),
        ),
        (
            failure(),
            [
                (lag, "same key"),
                // The same key was sent once more after the silence; this is its result.
                (lag, "in_doubt api.server_error"),
                (lag, "in_doubt api.server_error"),
                (lag, "same key"),
                (lag, "same key"),
            ],
        ),
        (silence(), [silent; 5]),
        (unanswered(DoubtCause::Gateway), [silent; 5]),
        (unanswered(DoubtCause::Unintelligible), [silent; 5]),
        (AttemptResult::InProgress(words(ComplaintCode::NoAnswer)), [silent; 5]),
        (
            AttemptResult::KeyExpired,
            [
                ("look up", "new key"),
                ("look up", "in_doubt api.no_answer"),
                ("look up", "in_doubt api.server_error"),
                ("look up", "new key"),
                ("look up", "new key"),
            ],
        ),
        (AttemptResult::NotSent { cause: "x".to_owned(), hopeless: false }, [("same key", "same key"); 5]),
        (AttemptResult::Throttled { pause: Duration::from_secs(60) }, [("same key", "same key"); 5]),
        (AttemptResult::Unauthorized, [("token", "token"); 5]),
        (stop(), [("stop", "stop"); 5]),
    ]
}

#[test]
fn every_state_and_every_answer_have_their_next_step() {
    for (result, expected) in table() {
        for (state, (with, without)) in STATES.into_iter().zip(expected) {
            for (lookups, wanted) in [(true, with), (false, without)] {
                let step = answer(&mut state.life(), result.clone(), lookups, 1005);
                assert_eq!(told(&step), wanted, "{state:?}, {result:?}, look-ups: {lookups}");
            }
        }
    }
}

#[test]
fn whatever_answer_interrupts_a_life_it_is_in_doubt_exactly_if_a_request_of_ours_may_have_had_an_effect() {
    for (result, _) in table() {
        for state in STATES {
            let mut life = state.life();
            let step = answer(&mut life, result.clone(), true, 1005);
            if matches!(step, Step::Finish(_)) {
                continue;
            }
            let doubts_itself = matches!(
                result,
                AttemptResult::Unanswered { .. } | AttemptResult::InProgress(_) | AttemptResult::ServerError(_)
            );
            let expected = doubts_itself || matches!(state, State::Silent | State::Answered | State::Trusted);
            let left = life.abandon().map(|finish| finish.ending.status());
            assert_eq!(left == Some(Status::InDoubt), expected, "{state:?}, {result:?}: {left:?}");
            assert!(left.is_none_or(|left| matches!(left, Status::InDoubt | Status::NotAttempted)), "{left:?}");
        }
    }
}

/// Returns what happens to a lifecycle that looks up.
#[derive(Clone, Copy, Debug)]
enum Cause {
    Taken,
    Unclear,
    Conflict,
    Page,
    TakenInDoubt,
    RejectedInDoubt,
    Silence,
    Failure,
    FailureTrusted,
    Expired,
}

impl Cause {
    fn life(self) -> Lifecycle {
        let (state, result) = match self {
            Self::Taken => (State::Fresh, taken()),
            Self::Unclear => (State::Fresh, about_email(EmailWords::Unclear)),
            Self::Conflict => (State::Fresh, about_email(EmailWords::Conflict)),
            Self::Page => (State::Fresh, refused(RefusalScope::Firewall, false)),
            Self::TakenInDoubt => (State::Silent, taken()),
            Self::RejectedInDoubt => (State::Silent, rejected()),
            Self::Failure | Self::FailureTrusted => (State::Fresh, failure()),
            Self::Expired => (State::Fresh, AttemptResult::KeyExpired),
            Self::Silence => {
                let mut life = Lifecycle::resumed(policy(), at(-9000), at(-9000));
                assert_eq!(life.first_step(at(1005)), Step::LookUp { after: wait(0) });
                life.sends(KeyChoice::Same, at(-9000));
                return life;
            }
        };
        let mut life = state.life();
        if matches!(self, Self::FailureTrusted) {
            life.policy = trusting();
        }
        answer(&mut life, result, true, 1005);
        life
    }
}

#[test]
fn every_reason_to_look_up_and_everything_that_is_found_have_their_next_step() {
    let several = exactly(&[customer(true, None), customer(false, None)]);
    let spelt_otherwise = || LookupFinding::Lookalike(Box::new(customer(true, None).customer));
    // Absent, absent again, ours and young, another's, several, other spelling, no look-up
    // available.
    let rows = [
        (
            Cause::Taken,
            [
                "rejected api.email_exists",
                "",
                "exists",
                "exists",
                "exists with lookup.several",
                "exists with lookup.other_spelling",
                "exists with lookup.unavailable",
            ],
        ),
        (
            Cause::Unclear,
            [
                "rejected api.field_rejected",
                "",
                "exists",
                "exists",
                "exists with lookup.several",
                "exists with lookup.other_spelling",
                "rejected api.field_rejected",
            ],
        ),
        (
            Cause::Conflict,
            [
                "look up after 90 s",
                "rejected api.field_rejected",
                "exists",
                "exists",
                "exists with lookup.several",
                "exists with lookup.other_spelling",
                "rejected api.field_rejected",
            ],
        ),
        (
            Cause::Page,
            [
                "rejected? api.refused",
                "",
                "exists",
                "exists",
                "exists with lookup.several",
                "rejected? api.refused",
                "rejected? api.refused",
            ],
        ),
        (
            Cause::TakenInDoubt,
            [
                "look up after 90 s",
                "rejected api.email_exists, recovered",
                "created with recovered.by_lookup, recovered",
                "exists, recovered",
                "in_doubt api.email_exists",
                "look up after 90 s",
                "in_doubt api.email_exists",
            ],
        ),
        (
            Cause::RejectedInDoubt,
            [
                "look up after 90 s",
                "rejected api.field_rejected, recovered",
                "created with recovered.by_lookup, recovered",
                "exists, recovered",
                "in_doubt api.email_exists",
                "look up after 90 s",
                "in_doubt api.field_rejected",
            ],
        ),
        (
            Cause::Silence,
            [
                "look up after 90 s",
                "new key",
                "created with recovered.by_lookup, recovered",
                "exists, recovered",
                "in_doubt api.email_exists",
                "look up after 90 s",
                "in_doubt api.no_answer",
            ],
        ),
        (
            Cause::Failure,
            [
                "look up after 90 s",
                "new key",
                "created with recovered.by_lookup, recovered",
                "exists, recovered",
                "in_doubt api.email_exists",
                "look up after 90 s",
                "same key",
            ],
        ),
        (
            Cause::FailureTrusted,
            [
                "new key",
                "",
                "created with recovered.by_lookup, recovered",
                "exists, recovered",
                "in_doubt api.email_exists",
                "new key",
                "same key",
            ],
        ),
        (Cause::Expired, ["new key", "", "exists", "exists", "exists with lookup.several", "new key", "new key"]),
    ];
    for (cause, [once, twice, mine, theirs, many, otherwise, none]) in rows {
        let see = |seen: LookupFinding| told(&cause.life().looked_up(seen, at(1010)));
        assert_eq!(see(nobody()), once, "{cause:?}, absent");
        if !twice.is_empty() {
            let mut life = cause.life();
            life.looked_up(nobody(), at(1010));
            assert_eq!(told(&life.looked_up(nobody(), at(1010 + SETTLE))), twice, "{cause:?}, absent twice");
        }
        assert_eq!(see(ours()), mine, "{cause:?}, ours");
        assert_eq!(see(exactly(&[customer(false, Some(0))])), theirs, "{cause:?}, another's");
        let several = LookupFinding::Exactly(match &several {
            LookupFinding::Exactly(several) => several.clone(),
            _ => unreachable!(),
        });
        assert_eq!(see(several), many, "{cause:?}, several");
        assert_eq!(see(spelt_otherwise()), otherwise, "{cause:?}, spelt otherwise");
        assert_eq!(see(LookupFinding::Nothing), none, "{cause:?}, no look-up");
    }
}

#[test]
fn a_customer_that_is_older_than_our_first_request_is_not_ours() {
    let seen = |age| {
        let mut life = State::Fresh.life();
        answer(&mut life, failure(), true, 1005);
        told(&life.looked_up(exactly(&[customer(true, age)]), at(1010)))
    };
    // The request was sent ten seconds before the look-up, and clocks may differ by five.
    assert_eq!(seen(Some(15)), "created with recovered.by_lookup, recovered");
    assert_eq!(seen(Some(1016)), "exists, recovered");
    assert_eq!(seen(Some(365 * 24 * 3600)), "exists, recovered");
    assert_eq!(seen(None), "exists with recovered.unproven, recovered");
}

#[test]
fn a_customer_without_a_date_is_ours_after_silence_and_after_absence_was_proven() {
    let undated = || exactly(&[customer(true, None)]);
    let mut silent = State::Silent.life();
    answer(&mut silent, taken(), true, 1005);
    assert_eq!(told(&silent.looked_up(undated(), at(1010))), "created with recovered.by_lookup, recovered");
    let mut absent = State::Absent.life();
    answer(&mut absent, failure(), true, 1005);
    assert_eq!(told(&absent.looked_up(undated(), at(1010))), "created with recovered.by_lookup, recovered");
}

#[test]
fn what_the_api_says_to_have_and_does_not_list_is_rejected_and_says_so() {
    let mut life = State::Fresh.life();
    answer(&mut life, taken(), true, 1001);
    let Ending::Rejected(complaint) = ending(life.looked_up(nobody(), at(1002))) else { panic!() };
    assert_eq!(complaint.code, ComplaintCode::EmailExists);
    assert!(complaint.message.contains("does not list it") && complaint.message.contains("words of"), "{complaint:?}");
}

#[test]
fn silence_waits_for_the_settle_time_and_sends_the_same_key_again() {
    let mut life = State::Fresh.life();
    assert_eq!(answer(&mut life, silence(), true, 1075), same_key_after(SETTLE - 75));
}

#[test]
fn silence_with_an_old_key_looks_up_twice_before_a_new_key() {
    let mut life = Lifecycle::resumed(policy(), at(-3600), at(-3600));
    assert_eq!(life.first_step(at(0)), Step::LookUp { after: wait(0) });
    assert_eq!(life.looked_up(nobody(), at(0)), Step::LookUp { after: wait(SETTLE) });
    assert!(is_new_key(&life.looked_up(nobody(), at(SETTLE))));
    assert!(!life.in_doubt());
}

#[test]
fn a_key_that_grew_old_while_waiting_is_not_sent() {
    let mut life = State::Fresh.life();
    answer(&mut life, silence(), true, 1001);
    assert_eq!(life.last_check(KeyChoice::Same, at(90)), None);
    assert_eq!(life.last_check(KeyChoice::Same, at(45 * 60)), Some(Step::LookUp { after: Pause::None }));
}

#[test]
fn two_answers_without_meaning_to_one_key_are_enough() {
    let meaningless = || unanswered(DoubtCause::Unintelligible);
    let mut life = State::Fresh.life();
    assert_eq!(answer(&mut life, meaningless(), true, 1001), same_key_after(SETTLE - 1));
    assert_eq!(answer(&mut life, meaningless(), true, 1002), Step::LookUp { after: wait(SETTLE - 2) });
}

#[test]
fn a_send_that_is_still_to_come_is_waited_for_unless_a_clock_was_set() {
    let first_step = |sent_at| Lifecycle::resumed(policy(), sent_at, sent_at).first_step(at(0));
    assert_eq!(first_step(at(500)), Step::LookUp { after: wait(500 + SETTLE) });
    assert_eq!(first_step(at(2 * 3600)), Step::LookUp { after: wait(SETTLE) }, "nothing is written so far ahead");
    let by_wall_alone = Moment { boot: None, ..at(500) };
    assert_eq!(first_step(by_wall_alone), Step::LookUp { after: wait(SETTLE) });
}

#[test]
fn a_wall_clock_that_was_set_makes_the_key_old_and_the_wait_neither_shorter_nor_longer() {
    for wall in [-86_400, 86_400] {
        let mut life = State::Fresh.life();
        let step = life.answered(silence(), None, true, true, by_clocks(1000 + wall, 1075));
        assert_eq!(step, Step::LookUp { after: wait(SETTLE - 75) }, "{wall}");
        let (first, second) = (by_clocks(1000 + wall, 1090), by_clocks(1000 + wall, 1090 + SETTLE));
        assert_eq!(life.looked_up(nobody(), first), Step::LookUp { after: wait(SETTLE) }, "{wall}");
        assert!(is_new_key(&life.looked_up(nobody(), second)), "{wall}");
    }
}

#[test]
fn a_machine_that_slept_has_waited_and_its_keys_have_aged() {
    let mut life = State::Fresh.life();
    assert_eq!(answer(&mut life, silence(), true, 1600), same_key_after(0));
    let mut life = State::Fresh.life();
    assert_eq!(answer(&mut life, silence(), true, 2 * 3600), Step::LookUp { after: wait(0) });
}

#[test]
fn after_an_answered_failure_a_short_settle_time_is_all_that_replicas_get() {
    let mut life = Lifecycle::new(RetryPolicy { settle: Duration::from_secs(1), ..policy() });
    life.sends(KeyChoice::Same, at(0));
    assert_eq!(told(&answer(&mut life, failure(), true, 0)), "look up after 1 s");
}

#[test]
fn a_trusted_new_key_is_made_only_after_a_failure_of_the_same_key_and_never_after_plain_silence() {
    let mut life = Lifecycle::new(trusting());
    life.sends(KeyChoice::Same, at(0));
    assert_eq!(told(&answer(&mut life, failure(), false, 1)), "same key");
    life.sends(KeyChoice::Same, at(2));
    assert_eq!(told(&answer(&mut life, failure(), false, 3)), "new key");
    let mut silent = Lifecycle::new(trusting());
    silent.sends(KeyChoice::Same, at(0));
    answer(&mut silent, silence(), false, 1);
    assert_eq!(told(&answer(&mut silent, AttemptResult::KeyExpired, false, 100)), "in_doubt api.no_answer");
}

#[test]
fn attempts_that_are_used_up_are_a_failure_only_if_absence_is_proven() {
    for result in [silence(), unanswered(DoubtCause::Gateway), failure()] {
        for lookups in [true, false] {
            let mut life = State::Fresh.life();
            life.attempts = 4;
            let mut step = answer(&mut life, result.clone(), lookups, 1005);
            if lookups {
                assert!(matches!(step, Step::LookUp { .. }), "{step:?}");
                life.looked_up(nobody(), at(1100));
                step = life.looked_up(nobody(), at(1100 + SETTLE));
            }
            let expected = if lookups { Status::Failed } else { Status::InDoubt };
            assert_eq!(ending(step).status(), expected, "{result:?}, look-ups: {lookups}");
        }
    }
}

#[test]
fn without_look_ups_no_sequence_of_failures_and_silence_goes_on_for_ever() {
    for policy in [policy(), trusting()] {
        for pattern in 0..32_u32 {
            let mut life = Lifecycle::new(policy);
            life.sends(KeyChoice::Same, at(0));
            let ended = (0..40_i64).any(|turn| {
                let second = turn * 100;
                let result = if pattern >> (turn % 5) & 1 == 0 { failure() } else { silence() };
                match answer(&mut life, result, false, second) {
                    Step::Finish(_) => true,
                    Step::Send { key, .. } => {
                        life.sends(key, at(second + 50));
                        false
                    }
                    other => panic!("{other:?}"),
                }
            });
            assert!(ended, "{pattern:b}");
        }
    }
}

#[test]
fn what_was_proven_absent_before_an_interrupt_was_not_attempted() {
    let mut life = Lifecycle::resumed(policy(), at(-3600), at(-3600));
    assert_eq!(life.abandon().map(|finish| finish.ending.status()), Some(Status::InDoubt));
    life.looked_up(nobody(), at(0));
    life.looked_up(nobody(), at(SETTLE));
    assert_eq!(life.abandon().map(|finish| finish.ending.status()), Some(Status::NotAttempted));
}

#[test]
fn a_life_without_an_answer_has_nothing_to_tell() {
    assert_eq!(State::Fresh.life().abandon(), None);
    let mut throttled = State::Fresh.life();
    answer(&mut throttled, AttemptResult::Throttled { pause: Duration::from_secs(60) }, true, 1001);
    assert_eq!(throttled.abandon(), None);
    let mut unreached = State::Fresh.life();
    answer(&mut unreached, AttemptResult::NotSent { cause: "refused".to_owned(), hopeless: false }, true, 1001);
    let told = unreached.abandon().map(|finish| finish.ending);
    assert!(matches!(told, Some(Ending::NotAttempted(complaint)) if complaint.message == "refused"));
}

#[test]
fn neither_throttling_nor_refused_connections_nor_probes_cost_an_attempt() {
    let mut life = State::Fresh.life();
    answer(&mut life, AttemptResult::Throttled { pause: Duration::from_secs(60) }, true, 1001);
    answer(&mut life, AttemptResult::NotSent { cause: "refused".to_owned(), hopeless: false }, true, 1001);
    answer(&mut life, AttemptResult::Unauthorized, true, 1001);
    life.answered(silence(), None, false, true, at(1001));
    assert_eq!(life.attempts(), 0);
    answer(&mut life, silence(), true, 1001);
    assert_eq!(life.attempts(), 1);
}

#[test]
fn a_redirect_that_may_follow_a_save_leaves_doubt_and_one_that_cannot_leaves_none() {
    for (status, doubt) in [(302, true), (303, true), (307, false), (308, false)] {
        let mut life = State::Fresh.life();
        life.answered(stop(), Some(status), true, true, at(1001));
        assert_eq!(life.in_doubt(), doubt, "{status}");
    }
}

#[test]
fn what_the_server_has_instead_is_told_in_few_words_however_much_it_says() {
    let large = |email: &str, id: &str| {
        let receipt = Receipt { customer_id: Some(id.repeat(450_000)), ..receipt() };
        let customer = FoundCustomer { email: EmailKey::of(email), receipt, ..customer(false, None).customer };
        Sighting { customer, is_ours: false }
    };
    let warnings = |seen| {
        let mut life = State::Fresh.life();
        answer(&mut life, taken(), true, 1005);
        match life.looked_up(seen, at(1010)) {
            Step::Finish(finish) => finish.warnings.iter().map(ToString::to_string).collect::<String>(),
            other => panic!("{other:?}"),
        }
    };
    let several = warnings(exactly(&[large("a@example.com", "x"), large("a@example.com", "y")]));
    assert!(
        several.contains("lookup.several: the API has at least 2 customers") && several.len() < 1000,
        "{} bytes",
        several.len()
    );
    let other = large(&format!("{}\u{202e}@example.com", "á".repeat(450_000)), "x");
    let other = warnings(LookupFinding::Lookalike(Box::new(other.customer)));
    assert!(other.contains("lookup.other_spelling") && other.len() < 1000, "{} bytes", other.len());
}
