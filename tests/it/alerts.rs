//! The rules of `docs/guide/alerts.yml`, tried by promtool with the metrics that the program itself
//! wrote in three nights.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use crate::harness::{HEADER, Lab, Ran, Server, skipped};

pub(crate) const RULES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/guide/alerts.yml");

/// Samples come every five minutes, because Prometheus looks no further back for one.
const STEP: usize = 5 * 60;
const DAY: usize = 24 * 3600;

fn promtool(arguments: &[&str]) -> Option<Ran> {
    Command::new("promtool").args(arguments).output().ok().map(Ran::from)
}

/// What the metrics file said after a night.
struct Night {
    /// Seconds after the beginning of the test.
    ended: usize,
    /// When a run succeeded last; 0 if none did.
    succeeded: usize,
    exit_code: u32,
    doubts: u32,
    runs: bool,
}

impl Night {
    /// Reads the file of a night that ended on this day at 02:20. Its times are those of the clock,
    /// so only whether the last success is this end counts.
    fn of(day: usize, metrics: &str, before: usize) -> Self {
        let value = |name: &str| -> f64 {
            let beginning = format!("customer_import_{name}{{");
            let line = metrics.lines().find(|line| line.starts_with(&beginning));
            line.unwrap_or_else(|| panic!("no {name} in {metrics}")).rsplit_once(' ').unwrap().1.parse().unwrap()
        };
        let ended = day * DAY + 2 * 3600 + 20 * 60;
        let has_succeeded = value("success_timestamp_seconds").to_bits() == value("end_timestamp_seconds").to_bits();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small counts")]
        let count = |name: &str| value(name) as u32;
        Self {
            ended,
            succeeded: if has_succeeded { ended } else { before },
            exit_code: count("exit_code"),
            doubts: count("ledger_doubts"),
            runs: count("running") == 1,
        }
    }
}

/// What a series has after a night.
type Value<'a> = &'a dyn Fn(&Night) -> usize;

/// Which alerts fire at a time: in seconds, with their names.
type Firing<'a> = (usize, &'a [&'a str]);

/// The file of promtool for these nights, of which each lasts until the next one.
fn trial(nights: &[Night], expected: &[Firing<'_>]) -> String {
    let end = expected.iter().map(|(at, _)| at / STEP + 1).max().unwrap();
    let values = |value: Value<'_>| {
        let at = |step: usize| nights.iter().rfind(|night| night.ended <= step * STEP).map(value);
        (0..=end).map(|step| at(step).map_or("_".to_owned(), |value| value.to_string())).collect::<Vec<_>>().join(" ")
    };
    let mut text =
        format!("rule_files: [{RULES:?}]\nevaluation_interval: 1m\ntests:\n  - interval: 5m\n    input_series:\n");
    let file = "/var/lib/prometheus/node-exporter/customer-import.prom";
    let of_import = "host=\"api.example.com\",account=\"default\",instance=\"n\"";
    let series: [(String, Value<'_>); 5] = [
        (format!("customer_import_success_timestamp_seconds{{{of_import}}}"), &|night| night.succeeded),
        (format!("customer_import_exit_code{{{of_import}}}"), &|night| night.exit_code as usize),
        (format!("customer_import_ledger_doubts{{{of_import}}}"), &|night| night.doubts as usize),
        (format!("customer_import_running{{{of_import}}}"), &|night| usize::from(night.runs)),
        (format!("node_textfile_mtime_seconds{{file=\"{file}\",instance=\"n\"}}"), &|night| night.ended),
    ];
    for (name, value) in series {
        writeln!(text, "      - {{series: '{name}', values: '{}'}}", values(value)).unwrap();
    }
    text.push_str("    promql_expr_test:\n");
    for (at, names) in expected {
        let samples = names.iter().map(|name| format!("{{labels: '{{alertname=\"{name}\"}}', value: 1}}"));
        let samples = samples.collect::<Vec<_>>().join(", ");
        let firing = "count by (alertname) (ALERTS{alertstate=\"firing\"})";
        writeln!(text, "      - {{expr: '{firing}', eval_time: {at}s, exp_samples: [{samples}]}}").unwrap();
    }
    text
}

#[track_caller]
fn holds(lab: &Lab, trial: &str) {
    let file = lab.write("trial.yml", trial);
    promtool(&["test", "rules", file.to_str().unwrap()]).unwrap().ends(0);
}

#[test]
fn the_alerts_of_the_guide_fire_for_a_night_with_new_bad_rows_and_clear_with_the_next_one() {
    if promtool(&["--version"]).is_none() {
        return skipped("promtool is not installed; .ci/run test installs it");
    }
    promtool(&["check", "rules", RULES]).unwrap().ends(0).says("4 rules found");
    let lab = Lab::new();
    let server = Server::start(&lab, &["--fault", "422:rejected@example.com"]);
    lab.write(
        "in.csv",
        format!(
            "{HEADER}\nAda,ada@example.com,+4917612345000,DEU\nBob,bob.example.com,+4917612345000,DEU\n\
             Cleo,rejected@example.com,+4917612345000,DEU\n"
        ),
    );
    let mut nights = Vec::new();
    for (day, code) in [(2, 1), (3, 0), (4, 0)] {
        lab.import(&server, &["--ledger", "l.db", "--fail-on", "new", "--metrics-file", "run.prom"]).ends(code);
        let before = nights.last().map_or(0, |night: &Night| night.succeeded);
        nights.push(Night::of(day, &lab.read("run.prom"), before));
    }
    let at = |day: usize, hour: usize| day * DAY + hour * 3600;
    let first: &[&str] = &["CustomerImportFailed", "CustomerImportNotDone"];
    let late: &[&str] = &["CustomerImportNotDone"];
    let expected: [Firing<'_>; 6] =
        [(at(2, 1), &[]), (at(2, 3), first), (at(3, 3), &[]), (at(4, 3), &[]), (at(5, 4), &[]), (at(5, 5), late)];
    holds(&lab, &trial(&nights, &expected));
    // The fourth night is killed, and a later one leaves a doubt for more than a day.
    let killed = Night { ended: at(5, 3), succeeded: nights[2].ended, exit_code: 0, doubts: 0, runs: true };
    let done = |day, doubts| Night { ended: at(day, 3), succeeded: at(day, 3), exit_code: 0, doubts, runs: false };
    nights.extend([killed, done(6, 1), done(7, 1), done(8, 0)]);
    let expected: [Firing<'_>; 4] = [
        (at(5, 4), &["CustomerImportKilled"]),
        (at(6, 4), &[]),
        (at(7, 6), &["CustomerImportInDoubt"]),
        (at(8, 4), &[]),
    ];
    holds(&lab, &trial(&nights, &expected));
}

#[test]
fn the_guide_shows_where_the_alerts_are() {
    let guide = std::fs::read_to_string(Path::new(RULES).with_file_name("nightly-job.md")).unwrap();
    let rules = std::fs::read_to_string(RULES).unwrap();
    assert!(guide.contains("](alerts.yml)"), "the guide links the file");
    for name in rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")) {
        assert!(guide.contains(&format!("`{name}`")), "{name} is explained");
    }
}
