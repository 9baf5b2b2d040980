//! Writes the state of a run in Prometheus' text format, for node_exporter's textfile collector, so
//! that alerts can watch it.
//!
//! Every metric is a gauge, even a count, because each run begins anew: if the next run counted
//! further than this one before the next scrape, a counter would seem to have grown by the
//! difference. The metrics hold no personal data: the only label that the user chose is the
//! account's name.

use std::fmt::{Display, Write as _};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::progress::counts::{Counts, Scope};
use crate::domain::{KnownBad, Status, Tally};
use crate::event::Event;

const END: &str = "end_timestamp_seconds";
const SUCCESS: &str = "success_timestamp_seconds";
const EXIT_CODE: &str = "exit_code";

/// The metrics of a run. It holds no file: the caller writes the text that it returns.
#[derive(Debug)]
pub struct Metrics {
    /// The labels of every sample.
    labels: String,
    started_at: Timestamp,
    last: LastEnd,
    work: Option<PlannedWork>,
    ledger: Option<LedgerGauges>,
}

/// How the ledger of the run fares.
#[derive(Clone, Copy, Debug)]
pub struct LedgerGauges {
    pub commits: u64,
    pub commit_time: Duration,
    /// `None` if it is a file.
    pub lease: Option<LeaseGauges>,
}

/// The same of a shared ledger.
#[derive(Clone, Copy, Debug)]
pub struct LeaseGauges {
    pub is_held: bool,
    pub epoch: u64,
    pub losses: u64,
    pub reconnects: u64,
    pub unknown_commits: u64,
}

/// How a run ended last. While a run is under way, this is the run before it.
#[derive(Clone, Copy, Debug, Default)]
struct LastEnd {
    at: Option<f64>,
    exit_code: Option<f64>,
    succeeded_at: Option<f64>,
}

/// Values that are known once the input has been read.
#[derive(Debug)]
struct PlannedWork {
    counts: Counts,
    known_bad: KnownBad,
    /// Records in doubt in the ledger.
    doubts: u64,
}

impl Metrics {
    /// `earlier` is the text that the run before left behind, or an empty text. Its values for the
    /// last end stay until this run ends.
    #[must_use]
    pub fn new(host: &str, account: &str, started_at: Timestamp, earlier: &str) -> Self {
        let labels = format!("host=\"{}\",account=\"{}\"", escaped(host), escaped(account));
        let value = |name| value_in(earlier, name, &labels);
        let last = LastEnd { at: value(END), exit_code: value(EXIT_CODE), succeeded_at: value(SUCCESS) };
        Self { labels, started_at, last, work: None, ledger: None }
    }

    /// Sets how many records the input has, and how many the ledger has in doubt.
    pub fn planned(&mut self, records: u64, doubts: u64) {
        self.work = Some(PlannedWork {
            counts: Counts::new(Scope { records, ..Scope::default() }),
            known_bad: KnownBad::default(),
            doubts,
        });
    }

    /// Replaces what is known of the ledger.
    pub const fn ledger(&mut self, gauges: LedgerGauges) {
        self.ledger = Some(gauges);
    }

    /// Counts an event. Events before [`planned`](Self::planned) are ignored.
    pub fn on(&mut self, event: &Event, now: Instant) {
        if let Some(work) = &mut self.work {
            work.counts.on(event, now);
        }
    }

    /// Replaces the counts of the events by those of the reports and the ledger at the end of the
    /// run.
    pub fn reported(&mut self, tally: &Tally, known_bad: KnownBad, doubts: u64) {
        if let Some(work) = &mut self.work {
            work.counts.tally = tally.clone();
            work.known_bad = known_bad;
            work.doubts = doubts;
        }
    }

    /// Returns the text while the run is under way.
    #[must_use]
    pub fn running(&self, for_so_long: Duration) -> String {
        self.text(self.last, true, for_so_long)
    }

    /// Returns the text after the run has ended.
    #[must_use]
    pub fn ended(&self, at: Timestamp, exit_code: u8, after: Duration) -> String {
        let at = at.as_duration().as_secs_f64();
        let succeeded_at = if exit_code == 0 { Some(at) } else { self.last.succeeded_at };
        self.text(LastEnd { at: Some(at), exit_code: Some(exit_code.into()), succeeded_at }, false, after)
    }

    fn text(&self, last: LastEnd, runs: bool, time: Duration) -> String {
        let mut page = Page { labels: &self.labels, text: String::new() };
        page.gauge("running", "Whether a run is under way.", u8::from(runs));
        let started_at = self.started_at.as_duration().as_secs_f64();
        page.gauge("start_timestamp_seconds", "When the last run started.", started_at);
        if let Some(at) = last.at {
            page.gauge(END, "When a run ended last.", at);
        }
        // If no run has succeeded yet, an alert on the age of the last success must fire.
        page.gauge(SUCCESS, "When a run ended last with exit code 0; 0 if none did.", last.succeeded_at.unwrap_or(0.0));
        if let Some(code) = last.exit_code {
            page.gauge(EXIT_CODE, "The exit code of the run that ended last.", code);
        }
        page.gauge("duration_seconds", "How long the last run took so far.", time.as_secs_f64());
        if let Some(work) = &self.work {
            work.write(&mut page, time);
        }
        if let Some(ledger) = &self.ledger {
            ledger.write(&mut page);
        }
        page.text
    }
}

impl LedgerGauges {
    fn write(&self, page: &mut Page<'_>) {
        page.gauge("ledger_commits", "Commits of the ledger in the last run.", self.commits);
        let seconds = self.commit_time.as_secs_f64();
        page.gauge("ledger_commit_seconds", "How long the commits of the last run took together.", seconds);
        let Some(LeaseGauges { is_held, epoch, losses, reconnects, unknown_commits }) = self.lease else { return };
        page.gauge("lease_held", "Whether this run holds the lease of the shared ledger.", u8::from(is_held));
        page.gauge("lease_epoch", "How often the lease of the account has been taken.", epoch);
        page.gauge("lease_losses", "Leases of the last run that another run took over.", losses);
        let reached = "How often the last run reached the database of the ledger again.";
        page.gauge("ledger_reconnects", reached, reconnects);
        let unknown = "Commits of the last run whose acknowledgement was lost; they were written again.";
        page.gauge("ledger_unknown_commits", unknown, unknown_commits);
    }
}

impl PlannedWork {
    fn write(&self, page: &mut Page<'_>, time: Duration) {
        let Counts { tally, scope, requests, throttled, retries, recovered, token_requests, .. } = &self.counts;
        page.gauge("input_records", "Records in the input of the last run.", scope.records);
        page.family("records", "Records of the input by their outcome in the last run; open: no outcome yet.");
        for status in Status::IMPORT {
            page.sample("records", Some(("status", status.as_str())), tally.get(status));
        }
        page.sample("records", Some(("status", "open")), scope.records.saturating_sub(tally.total()));
        let known_bad =
            "Invalid and rejected records of the last run that a completed run before it had reported alike.";
        page.gauge("known_bad", known_bad, self.known_bad.total());
        let doubts = "Records in doubt in the ledger, whether in the input or not, at the start of the last run or at its report.";
        page.gauge("ledger_doubts", doubts, self.doubts);
        page.gauge("requests", "Requests of the last run, look-ups included.", requests);
        page.gauge(
            "requests_per_second",
            "Requests of the last run divided by its duration.",
            per_second(*requests, time),
        );
        page.gauge("throttled", "Responses of the last run that asked for a pause (429).", throttled);
        page.gauge("retries", "Attempts of the last run that were followed by another.", retries);
        page.gauge("recovered", "Doubts that the last run resolved.", recovered);
        page.gauge("token_requests", "Logins and refreshes of the last run.", token_requests);
    }
}

#[expect(clippy::cast_precision_loss, reason = "a pace")]
fn per_second(number: u64, time: Duration) -> f64 {
    if time.is_zero() { 0.0 } else { number as f64 / time.as_secs_f64() }
}

/// A page in the text format: for each family its HELP and TYPE, then its samples.
struct Page<'a> {
    labels: &'a str,
    text: String,
}

impl Page<'_> {
    fn gauge(&mut self, name: &str, help: &str, value: impl Display) {
        self.family(name, help);
        self.sample(name, None, value);
    }

    fn family(&mut self, name: &str, help: &str) {
        // Writing to a `String` cannot fail, here and below.
        let _ = writeln!(self.text, "# HELP customer_import_{name} {help}\n# TYPE customer_import_{name} gauge");
    }

    fn sample(&mut self, name: &str, label: Option<(&str, &str)>, value: impl Display) {
        let label = label.map(|(name, value)| format!(",{name}=\"{}\"", escaped(value))).unwrap_or_default();
        let _ = writeln!(self.text, "{}{label}}} {value}", beginning(name, self.labels));
    }
}

fn beginning(name: &str, labels: &str) -> String {
    format!("customer_import_{name}{{{labels}")
}

/// Returns the value of a gauge in an earlier text, or `None` if it is missing or is not a finite
/// number.
fn value_in(earlier: &str, name: &str, labels: &str) -> Option<f64> {
    let beginning = format!("{}}} ", beginning(name, labels));
    let value = earlier.lines().find_map(|line| line.strip_prefix(&beginning))?;
    value.parse().ok().filter(|value: &f64| value.is_finite())
}

/// Escapes a label value, which stands between quotes.
fn escaped(value: &str) -> String {
    value.replace('\\', r"\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::domain::{Position, Request};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + second).unwrap()
    }

    fn metrics(earlier: &str) -> Metrics {
        Metrics::new("api.example.com", "default", at(0), earlier)
    }

    fn value(text: &str, name: &str) -> Option<f64> {
        value_in(text, name, "host=\"api.example.com\",account=\"default\"")
    }

    fn records(text: &str, status: &str) -> u64 {
        let sign = format!("status=\"{status}\"}} ");
        text.lines().find_map(|line| line.split_once(&sign)).unwrap().1.parse().unwrap()
    }

    fn at_work() -> Metrics {
        let mut metrics = metrics("");
        metrics.planned(10, 3);
        let now = Instant::now();
        for status in [Status::Created, Status::Created, Status::Rejected] {
            metrics.on(&Event::Request(Request::Create), now);
            metrics.on(&Event::Settled { position: Position { row: 1, line: 2 }, status }, now);
        }
        metrics.on(&Event::Throttled { pause: Duration::from_secs(1) }, now);
        let lease = LeaseGauges { is_held: true, epoch: 7, losses: 0, reconnects: 2, unknown_commits: 1 };
        metrics.ledger(LedgerGauges { commits: 5, commit_time: Duration::from_millis(250), lease: Some(lease) });
        metrics
    }

    #[test]
    fn every_family_has_help_and_type_before_its_samples_and_stands_once() {
        let text = at_work().ended(at(60), 1, Duration::from_secs(60));
        assert!(text.ends_with('\n') && !text.contains("\n\n"));
        let (mut families, mut current, mut series) = (HashSet::new(), String::new(), HashSet::new());
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            if let Some(help) = line.strip_prefix("# HELP ") {
                let (name, help) = help.split_once(' ').unwrap();
                assert!(
                    name.starts_with("customer_import_") && !name.ends_with("_total") && !help.is_empty(),
                    "{line}"
                );
                assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{name}");
                assert_eq!(lines.next(), Some(&*format!("# TYPE {name} gauge")));
                assert!(families.insert(name.to_owned()), "{name} stands twice");
                name.clone_into(&mut current);
            } else {
                let (name, value) = line.rsplit_once(' ').unwrap();
                assert!(name.starts_with(&format!("{current}{{")) && name.ends_with('}'), "{line} after {current}");
                assert!(value.parse::<f64>().is_ok_and(f64::is_finite), "{line}");
                assert!(series.insert(name.to_owned()), "{name} stands twice");
            }
        }
    }

    #[test]
    fn label_values_are_escaped() {
        let metrics = Metrics::new("h", "a\\b\"c\nd", at(0), "");
        let text = metrics.running(Duration::ZERO);
        assert!(text.contains(r#"{host="h",account="a\\b\"c\nd"} "#), "{text}");
    }

    #[test]
    fn records_by_status_add_up_to_the_input_at_any_time() {
        let text = at_work().running(Duration::from_secs(30));
        assert_eq!((records(&text, "created"), records(&text, "rejected"), records(&text, "open")), (2, 1, 7));
        let statuses = Status::IMPORT.iter().map(|status| status.as_str());
        let sum: u64 = statuses.chain(["open"]).map(|status| records(&text, status)).sum();
        assert_eq!(Some(sum as f64), value(&text, "input_records"));
    }

    #[test]
    fn the_counts_and_the_pace_are_told() {
        let text = at_work().running(Duration::from_secs(6));
        for (name, expected) in [
            ("running", 1.0),
            ("start_timestamp_seconds", 1_700_000_000.0),
            ("duration_seconds", 6.0),
            ("requests", 3.0),
            ("requests_per_second", 0.5),
            ("throttled", 1.0),
            ("ledger_doubts", 3.0),
            ("ledger_commits", 5.0),
            ("ledger_commit_seconds", 0.25),
            ("lease_held", 1.0),
            ("lease_epoch", 7.0),
            ("lease_losses", 0.0),
            ("ledger_reconnects", 2.0),
            ("ledger_unknown_commits", 1.0),
        ] {
            assert_eq!(value(&text, name), Some(expected), "{name}");
        }
    }

    #[test]
    fn what_the_reports_say_stands_at_the_end() {
        let (mut metrics, mut tally) = (at_work(), Tally::default());
        tally.add_many(Status::Created, 9);
        tally.add_many(Status::InDoubt, 1);
        tally.add_many(Status::Invalid, 3);
        metrics.reported(&tally, KnownBad { invalid: 2, rejected: 0 }, 4);
        let text = metrics.ended(at(60), 4, Duration::from_secs(60));
        assert_eq!((records(&text, "created"), records(&text, "in_doubt"), records(&text, "open")), (9, 1, 0));
        assert_eq!(value(&text, "ledger_doubts"), Some(4.0));
        assert_eq!(value(&text, "known_bad"), Some(2.0));
    }

    #[test]
    fn the_last_success_outlives_failures_and_the_last_end_outlives_the_next_start() {
        let never = metrics("").running(Duration::ZERO);
        assert_eq!((value(&never, SUCCESS), value(&never, END), value(&never, EXIT_CODE)), (Some(0.0), None, None));
        let first = metrics("").ended(at(10), 0, Duration::from_secs(10));
        let second = metrics(&first).ended(at(20), 77, Duration::from_secs(10));
        let third = metrics(&second).running(Duration::ZERO);
        assert_eq!(value(&third, SUCCESS), Some(1_700_000_010.0));
        assert_eq!(value(&third, END), Some(1_700_000_020.0));
        assert_eq!(value(&third, EXIT_CODE), Some(77.0));
    }

    #[test]
    fn another_accounts_success_and_what_is_no_number_are_not_carried_over() {
        let other = Metrics::new("api.example.com", "other", at(0), "").ended(at(10), 0, Duration::ZERO);
        let nonsense = metrics("").ended(at(10), 0, Duration::ZERO).replace("} 17", "} x");
        for earlier in [other.as_str(), &nonsense, "{\u{0}", "NaN"] {
            assert_eq!(value(&metrics(earlier).running(Duration::ZERO), SUCCESS), Some(0.0));
        }
    }

    #[test]
    fn a_run_that_ended_before_the_input_was_read_tells_its_exit_code_and_nothing_of_records() {
        let text = metrics("").ended(at(1), 5, Duration::from_secs(1));
        assert_eq!(value(&text, EXIT_CODE), Some(5.0));
        assert!(!text.contains("records"), "{text}");
    }
}
