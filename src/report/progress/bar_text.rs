//! The lines of the bar. Pure: counts, a width and a time go in, text comes out.
//!
//! At most three lines: how far the run is, how the records ended, and what it waits for. If a line
//! is too long, its parts are shortened and then left out, the least important first.

use std::time::Instant;

use super::counts::{Counts, Phase};
use super::fit::{Part, fitted, width_of};
use super::pause::{PauseLeft, PauseReason, ServerOutage};
use crate::domain::{Status, counted, grouped, on_one_line};
use crate::report::human::{countdown, tone};
use crate::style::{Paint, Tone};

/// A shorter or longer bar shows no more.
const BAR: std::ops::RangeInclusive<usize> = 10..=40;

/// Returns the lines for a terminal of this width.
pub(super) fn lines(counts: &Counts, width: usize, now: Instant, paint: Paint) -> Vec<String> {
    // Terminals differ in what they do after a letter in the last column.
    let width = width.saturating_sub(1);
    let parts = [Some(outcomes(counts, now)), what_it_waits_for(counts, now)];
    let below = parts.into_iter().flatten().map(|parts| joined(&fitted(parts, width), paint));
    std::iter::once(how_far(counts, width, now, paint)).chain(below).collect()
}

pub(super) const GAP: &str = "  ";

fn joined(parts: &[(String, Option<Tone>)], paint: Paint) -> String {
    let painted = parts.iter().map(|(text, tone)| match tone {
        Some(tone) => paint.paint(*tone, text),
        None => text.clone(),
    });
    painted.collect::<Vec<_>>().join(GAP)
}

/// Returns `sending  ███░░░  1,234 of 40,000  3 %  about 11 h left`. The bar gets the room that the
/// words leave.
fn how_far(counts: &Counts, width: usize, now: Instant, paint: Paint) -> String {
    let (done, all) = counts.reached();
    let phase = match counts.phase(now) {
        Phase::Sending => "sending",
        Phase::Paused => "paused",
        Phase::Waiting => "waiting",
        Phase::Stopping(_) => "stopping",
        Phase::Finishing(_) => "finishing",
    };
    let limited = if counts.is_limited() { " to send (--limit)" } else { "" };
    let share = if all > 0 { u128::from(done) * 100 / u128::from(all) } else { 100 };
    let mut parts = vec![
        Part::new(0, phase).of(Tone::Heading),
        Part::new(1, format!("{} of {}{limited}", grouped(done), grouped(all))).or(format!(
            "{}/{}",
            grouped(done),
            grouped(all)
        )),
        Part::new(3, format!("{share} %")),
    ];
    let is_stopping = matches!(counts.phase(now), Phase::Stopping(_));
    if let Some(left) = counts.left(now).map(countdown).filter(|_| !is_stopping) {
        parts.push(Part::new(2, format!("about {left} left")).or(left));
    }
    let mut parts = fitted(parts, width);
    let used = width_of(&parts, GAP.len()) + GAP.len();
    let room = width.saturating_sub(used).min(*BAR.end());
    if room >= *BAR.start() {
        parts.insert(1, (drawn(share, room), None));
    }
    joined(&parts, paint)
}

fn drawn(percent: u128, room: usize) -> String {
    let done = usize::try_from(percent).unwrap_or(100).min(100) * room / 100;
    "█".repeat(done) + &"░".repeat(room - done)
}

/// Returns `1,200 created  3 failed  54.8 of 55 requests/min  2 open doubts  5 retries`.
fn outcomes(counts: &Counts, now: Instant) -> Vec<Part> {
    let tally = &counts.tally;
    let present = Status::IMPORT.into_iter().filter(|status| tally.get(*status) > 0);
    let mut parts: Vec<_> = present
        .map(|status| Part::new(rank(status), format!("{} {status}", grouped(tally.get(status)))).of(tone(status)))
        .collect();
    if parts.is_empty() {
        parts.push(Part::new(1, "none settled yet"));
    }
    if let Some(pace) = counts.reached_pace(now) {
        let limit = counts.scope.per_minute;
        let of_limit = if limit > 0.0 { format!(" of {limit:.0}") } else { String::new() };
        parts.push(Part::new(4, format!("{pace:.1}{of_limit} requests/min")).or(format!("{pace:.1}/min")));
    }
    let trouble = [(counts.open_doubts(), "open doubt", 3, Tone::Open), (counts.retries, "retry", 5, Tone::Known)];
    let trouble = trouble.into_iter().filter(|(number, ..)| *number > 0);
    parts.extend(trouble.map(|(number, one, rank, tone)| Part::new(rank, counted(number, one)).of(tone)));
    parts
}

/// Returns how soon an outcome can be left out: never before one that is less urgent.
const fn rank(status: Status) -> u8 {
    match status {
        Status::Failed | Status::InDoubt | Status::Rejected | Status::Invalid | Status::NotAttempted => 1,
        Status::Created => 2,
        Status::Exists | Status::Changed => 6,
        Status::Duplicate | Status::AlreadyImported | Status::Valid => 7,
    }
}

/// Returns why nothing is sent at the moment, or `None` if something is.
fn what_it_waits_for(counts: &Counts, now: Instant) -> Option<Vec<Part>> {
    match counts.phase(now) {
        Phase::Stopping(0) => Some(vec![Part::new(0, "ending the run").of(Tone::Open)]),
        Phase::Stopping(records) => {
            let waiting = format!("waiting for {} in flight", counted(records, "record"));
            Some(vec![Part::new(0, waiting).of(Tone::Open), Part::new(1, "Ctrl-C again leaves at once")])
        }
        Phase::Paused => counts.pause(now).map(|pause| pause_parts(&pause, now)),
        Phase::Waiting => Some(vec![
            match counts.open_doubts() {
                0 => {
                    Part::new(0, "waiting for responses, or for records to be tried again").or("waiting for responses")
                }
                doubts => {
                    let doubts = counted(doubts, "open doubt");
                    Part::new(0, format!("waiting until {doubts} can be checked (--settle)"))
                        .or(format!("waiting for {doubts}"))
                }
            }
            .of(Tone::Open),
        ]),
        Phase::Finishing(0) => Some(vec![Part::new(0, "ending the run").of(Tone::Open)]),
        Phase::Finishing(records) if counts.trouble.is_none() => {
            let last = if records == 1 { "the last record".to_owned() } else { format!("the last {records} records") };
            Some(vec![Part::new(0, format!("waiting for {last}")).of(Tone::Open)])
        }
        Phase::Sending | Phase::Finishing(_) => {
            let trouble = counts.trouble.as_ref()?;
            Some(vec![Part::new(0, on_one_line(trouble)).of(Tone::Bad)])
        }
    }
}

fn pause_parts(pause: &PauseLeft<'_>, now: Instant) -> Vec<Part> {
    let left = countdown(pause.left);
    let because = |status: u16| {
        Part::new(0, format!("paused for {left} because the server answered {status}"))
            .or(format!("paused for {left}: server answered {status}"))
            .of(Tone::Open)
    };
    match pause.reason {
        PauseReason::Throttled => vec![because(429)],
        PauseReason::Unavailable => vec![because(503)],
        PauseReason::Failing(None) => {
            vec![Part::new(0, format!("next try in {left}")).of(Tone::Open), Part::new(1, "the API keeps failing")]
        }
        PauseReason::Failing(Some(ServerOutage { cause, gives_up_at })) => {
            let gives_up_in = countdown(gives_up_at.saturating_duration_since(now));
            vec![
                Part::new(0, format!("next try in {left}")).of(Tone::Open),
                Part::new(2, format!("giving up in {gives_up_in}")).or(format!("gives up: {gives_up_in}")),
                Part::new(1, on_one_line(cause)).of(Tone::Bad),
            ]
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::domain::{Position, Request};
    use crate::event::{Event, Trouble};
    use crate::report::progress::counts::Scope;

    const POSITION: Position = Position { row: 1, line: 2 };

    fn counts(scope: Scope, settled: &[(Status, usize)], now: Instant) -> Counts {
        let mut counts = Counts::new(scope);
        for (status, times) in settled {
            for _ in 0..*times {
                counts.on(&Event::Request(Request::Create), now);
                counts.on(&Event::Settled { position: POSITION, status: *status }, now);
            }
        }
        counts
    }

    fn shown(counts: &Counts, width: usize, now: Instant) -> String {
        let lines = lines(counts, width, now, Paint::PLAIN);
        for line in &lines {
            assert!(console::measure_text_width(line) < width, "{width}: {line:?}");
        }
        lines.join("\n")
    }

    fn scope() -> Scope {
        Scope { records: 40_000, to_send: 40_000, per_minute: 55.0, ..Scope::default() }
    }

    #[test]
    fn a_run_that_sends_shows_how_far_how_well_and_how_fast_at_every_width() {
        let start = Instant::now();
        let settled =
            [(Status::Created, 1200), (Status::Duplicate, 12), (Status::AlreadyImported, 7), (Status::Failed, 3)];
        let mut counts = counts(scope(), &settled, start);
        counts.on(&Event::Retry { position: POSITION, attempt: 1, why: String::new() }, start);
        counts.on(&Event::Doubted { position: POSITION }, start);
        let now = start + Duration::from_secs(1320);
        counts.on(&Event::Request(Request::Create), now);
        assert_eq!(
            shown(&counts, 200, now),
            "sending  █░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░  1,222 of 40,000  3 %  about 11 h 49 min left\n\
             1,200 created  7 already_imported  12 duplicate  3 failed  55.6 of 55 requests/min  1 open doubt  1 retry"
        );
        assert_eq!(
            shown(&counts, 80, now),
            "sending  ░░░░░░░░░░░░░░░░░░░░░░░░  1,222 of 40,000  3 %  about 11 h 49 min left\n\
             1,200 created  7 already_imported  3 failed  55.6/min  1 open doubt  1 retry"
        );
        assert_eq!(
            shown(&counts, 40, now),
            "sending  1,222/40,000  3 %  11 h 49 min\n1,200 created  3 failed  1 open doubt"
        );
        assert_eq!(shown(&counts, 20, now), "sending  ░░░░░░░░░░\n3 failed");
    }

    #[test]
    fn b9_a_pause_shows_its_reason_and_counts_down_together_with_the_time_left() {
        let start = Instant::now();
        let scope = Scope { records: 40, to_send: 40, per_minute: 60.0, ..Scope::default() };
        let mut counts = counts(scope, &[(Status::Created, 14)], start);
        let at = |second: u64| start + Duration::from_secs(second);
        counts.on(&Event::Throttled { pause: Duration::from_secs(54) }, at(14));
        assert_eq!(
            shown(&counts, 80, at(14)),
            "paused  ███████████░░░░░░░░░░░░░░░░░░░░░  14 of 40  35 %  about 1 min 20 s left\n\
             14 created  60.0 of 60 requests/min\n\
             paused for 54 s because the server answered 429"
        );
        assert_eq!(
            shown(&counts, 40, at(44)),
            "paused  14 of 40  35 %  about 50 s left\n\
             14 created  60.0 of 60 requests/min\n\
             paused for 24 s: server answered 429"
        );
        counts.on(&Event::Unavailable { pause: Duration::from_secs(600) }, at(44));
        assert!(shown(&counts, 200, at(45)).ends_with("paused for 9 min 59 s because the server answered 503"));
    }

    #[test]
    fn the_last_records_of_a_run_are_waited_for_with_words() {
        let now = Instant::now();
        let scope = Scope { records: 3, to_send: 3, ..Scope::default() };
        let mut counts = counts(scope, &[(Status::Created, 1)], now);
        counts.on(&Event::Finishing { in_flight: 2 }, now);
        assert!(shown(&counts, 80, now).starts_with("finishing  ███"));
        assert!(shown(&counts, 80, now).ends_with("\nwaiting for the last 2 records"));
        for last in ["waiting for the last record", "ending the run"] {
            counts.on(&Event::Settled { position: POSITION, status: Status::Created }, now);
            assert!(shown(&counts, 80, now).ends_with(last), "{last}");
        }
        counts.on(&Event::Throttled { pause: Duration::from_secs(9) }, now);
        assert!(shown(&counts, 80, now).starts_with("paused  "));
    }

    #[test]
    fn an_outage_shows_its_cause_the_next_try_and_when_the_run_gives_up() {
        let now = Instant::now();
        let mut counts = counts(scope(), &[], now);
        let cause = "cannot reach api.example.com (connection refused)\u{1b}[2J".to_owned();
        let trouble = Trouble { cause, gives_up_in: Duration::from_secs(29 * 60) };
        counts.on(&Event::BreakerOpened { pause: Duration::from_secs(4), trouble: Some(trouble) }, now);
        let last = |width| shown(&counts, width, now).lines().last().unwrap().to_owned();
        assert_eq!(
            last(200),
            "next try in 4 s  giving up in 29 min  cannot reach api.example.com (connection refused)\\u{1b}[2J"
        );
        assert_eq!(last(80), "next try in 4 s  cannot reach api.example.com (connection refused)\\u{1b}[2J");
        assert_eq!(last(40), "next try in 4 s");
    }

    #[test]
    fn a_run_that_waits_or_stops_says_for_what() {
        let start = Instant::now();
        let later = start + Duration::from_secs(30);
        let mut counts = counts(scope(), &[(Status::Created, 1)], start);
        assert!(shown(&counts, 40, later).ends_with("waiting for responses"));
        counts.on(&Event::Doubted { position: POSITION }, start);
        assert!(shown(&counts, 80, later).ends_with("waiting until 1 open doubt can be checked (--settle)"));
        counts.on(&Event::Draining { in_flight: 3 }, later);
        let stopping = shown(&counts, 80, later);
        assert!(stopping.starts_with("stopping  "), "{stopping}");
        assert!(stopping.ends_with("waiting for 3 records in flight  Ctrl-C again leaves at once"), "{stopping}");
        assert!(shown(&counts, 40, later).ends_with("waiting for 3 records in flight"));
    }

    #[test]
    fn millions_and_a_limit_fit_a_narrow_terminal() {
        let now = Instant::now();
        let scope = Scope { records: 5_000_000, to_send: 5_000_000, per_minute: 55.0, ..Scope::default() };
        let counts = counts(scope, &[], now);
        assert_eq!(shown(&counts, 40, now), "sending  0 of 5,000,000  0 %  63 days\nnone settled yet");
        let limited = Counts::new(Scope { limit: Some(3), ..counts.scope });
        let first = shown(&limited, 80, now).lines().next().unwrap().to_owned();
        assert!(first.contains("0 of 3 to send (--limit)  0 %  about 4 s left"), "{first}");
    }

    #[test]
    fn colors_change_no_word() {
        let now = Instant::now();
        let counts = counts(scope(), &[(Status::Created, 2), (Status::Failed, 1)], now);
        let colored = lines(&counts, 80, now, Paint::COLORED).join("\n");
        assert!(colored.contains("\u{1b}[32m2 created\u{1b}[0m"), "{colored:?}");
        assert_eq!(console::strip_ansi_codes(&colored), shown(&counts, 80, now));
    }
}
