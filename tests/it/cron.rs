//! The nightly batch: what a job without a person beside it must do, and what it tells those who
//! watch it.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::harness::{HEADER, Lab, Ran, Server, customers, email, exit_code};
use crate::many::{long, note};

/// What a run leaves behind for those who watch it.
trait Watched {
    fn metric(&self, name: &str) -> Option<f64>;
    fn records(&self, status: &str) -> u64;
    fn claims_of_the_last_run(&self, ledger: &str) -> u64;
}

impl Watched for Lab {
    /// What the metrics file says of one series without labels of its own.
    fn metric(&self, name: &str) -> Option<f64> {
        let text = self.read("run.prom");
        let beginning = format!("customer_import_{name}{{");
        let line = text.lines().find(|line| line.starts_with(&beginning))?;
        line.rsplit_once(' ').unwrap().1.parse().ok()
    }

    fn records(&self, status: &str) -> u64 {
        let text = self.read("run.prom");
        let sign = format!("status=\"{status}\"}} ");
        text.lines().find_map(|line| line.split_once(&sign)).unwrap().1.parse().unwrap()
    }

    fn claims_of_the_last_run(&self, ledger: &str) -> u64 {
        let sql = "SELECT count(*) FROM records WHERE claimed_run = (SELECT max(id) FROM runs)";
        let ledger = rusqlite::Connection::open(self.path(ledger)).unwrap();
        ledger.query_row(sql, [], |row| row.get(0)).unwrap()
    }
}

const METRICS: [&str; 2] = ["--metrics-file", "run.prom"];

#[track_caller]
fn is_all_json(ran: &Ran) -> Vec<Value> {
    let parsed = |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line:?}"));
    ran.stderr.lines().map(parsed).collect()
}

#[test]
fn of_two_thousand_rows_with_twenty_new_ones_only_these_are_sent() {
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    lab.customers(1980);
    let night = ["--ledger", "l.db", "--concurrency", "32"];
    lab.import(&server, &night).ends(0);
    assert_eq!(server.requests(), 1980);
    lab.customers(2000);
    let begun = Instant::now();
    let ran = lab.import(&server, &[&night[..], &["--require-ledger", "--summary", "json"]].concat()).ends(0);
    note(format_args!("2,000 rows with 20 new ones took {:?}", begun.elapsed()));
    assert_eq!(server.requests(), 2000, "no request for those that were known");
    assert_eq!(ran.summary()["requests"], 20);
    assert_eq!(ran.summary()["outcomes"]["already_imported"], 1980);
    server.has_each_once((0..2000).map(email));
    assert_eq!(lab.claims_of_the_last_run("l.db"), 20, "those that were known cost no write either");
}

#[test]
fn a_known_customer_that_comes_twice_is_known_on_its_first_row_and_a_duplicate_on_the_other() {
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    lab.customers(3);
    let night = ["--ledger", "l.db"];
    lab.import(&server, &night).ends(0);
    let twice = "Other Name,P1@Example.com,+4917612345000,DEU\n";
    lab.write("in.csv", format!("{}{twice}", customers(4)));
    let ran = lab.import(&server, &[&night[..], &["--summary", "json"]].concat()).ends(0);
    assert_eq!((server.requests(), &ran.summary()["requests"]), (4, &Value::from(1)));
    let known = "already_imported";
    assert_eq!(lab.statuses(), [known, known, known, "created", "duplicate"]);
    assert_eq!(lab.claims_of_the_last_run("l.db"), 2, "which of two rows is the first is remembered");
    let report = lab.report();
    assert_eq!(report[4]["customer_id"], report[1]["customer_id"]);
    server.has_each_once((0..4).map(email));
}

#[test]
fn a_good_night_says_nothing_and_its_metrics_tell_of_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    lab.customers(3);
    lab.import(&server, &["--ledger", "l.db"]).ends(0);
    lab.customers(5);
    let ran = lab.import(&server, &[&["-q", "--ledger", "l.db", "--require-ledger"], &METRICS[..]].concat()).ends(0);
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("", ""));
    assert_eq!((lab.records("created"), lab.records("already_imported"), lab.records("open")), (2, 3, 0));
    for (name, value) in [("running", 0.0), ("exit_code", 0.0), ("requests", 2.0), ("input_records", 5.0)] {
        assert_eq!(lab.metric(name), Some(value), "{name}");
    }
    assert_eq!(lab.metric("success_timestamp_seconds"), lab.metric("end_timestamp_seconds"));
    assert!(lab.metric("start_timestamp_seconds") <= lab.metric("end_timestamp_seconds"));
    assert_eq!(std::fs::metadata(lab.path("run.prom")).unwrap().permissions().mode() & 0o777, 0o644);
    let text = lab.read("run.prom");
    for private in ["example.com", "in.csv", "l.db", "test-token"] {
        assert!(!text.contains(private), "{private} in\n{text}");
    }
}

#[test]
fn a_run_that_stops_before_it_sends_leaves_its_exit_code_and_the_last_success() {
    let lab = Lab::new();
    let server = Server::start(&lab, &["--latency", "200ms"]);
    lab.customers(2);
    lab.import(&server, &[&["--ledger", "l.db"], &METRICS[..]].concat()).ends(0);
    let success = lab.metric("success_timestamp_seconds");
    lab.write("invalid.csv", customers(1).replace('@', ""));
    lab.write("open.csv", "customer_name,customer_email\n\"");
    let stop = |code: i32, args: &[&str]| {
        let ran = lab.run(&[args, &["--base-url", &server.url], &METRICS].concat()).ends(code);
        assert_eq!(lab.metric("exit_code"), Some(f64::from(code)), "{args:?}");
        assert_eq!(lab.metric("success_timestamp_seconds"), success, "{args:?}");
        ran
    };
    stop(78, &["import", "in.csv", "--ledger", "none.db", "--require-ledger"]).says("another ledger knows");
    stop(65, &["import", "open.csv", "--ledger", "l.db"]);
    stop(65, &["import", "none.csv", "--ledger", "l.db"]);
    stop(1, &["import", "invalid.csv", "--ledger", "l.db", "--strict"]);
    stop(2, &["import", "in.csv", "--ledger", "l.db", "--token-file", "none"]);
    stop(74, &["import", "in.csv", "--ledger", "in.csv/l.db"]);

    lab.customers(20);
    let slow = ["--ledger", "l.db", "--concurrency", "1"];
    let mut other = lab.command(&lab.import_args(&server, &slow)).stdout(Stdio::null()).spawn().unwrap();
    server.wait_for_posts(3);
    let before = lab.read("run.prom");
    lab.run(&[&["import", "in.csv", "--ledger", "l.db", "--base-url", &server.url], &METRICS[..]].concat()).ends(5);
    assert_eq!(lab.read("run.prom"), before, "the file is that of the run that holds the ledger");
    other.kill().unwrap();
    other.wait().unwrap();
}

#[test]
fn a_run_that_was_stopped_leaves_its_exit_code_and_its_counts() {
    let lab = Lab::new();
    let server = Server::start(&lab, &["--latency", "50ms"]);
    lab.customers(200);
    let args = [&["--concurrency", "2"], &METRICS[..]].concat();
    let mut run =
        lab.command(&lab.import_args(&server, &args)).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    server.wait_for_posts(3);
    assert_eq!((lab.metric("running"), lab.metric("exit_code")), (Some(1.0), None));
    assert_eq!(lab.records("open"), 200, "nothing is settled when a run begins");
    kill_process(Pid::from_child(&run), Signal::TERM).unwrap();
    assert_eq!(exit_code(run.wait().unwrap()), 143);
    assert_eq!((lab.metric("running"), lab.metric("exit_code")), (Some(0.0), Some(143.0)));
    assert_eq!(lab.metric("success_timestamp_seconds"), Some(0.0));
    let created = server.customers().len() as u64;
    assert_eq!((lab.records("created"), lab.records("not_attempted")), (created, 200 - created));

    let server = Server::start(&lab, &["--fault", "reset-after:p1@example.com"]);
    lab.customers(3);
    let doubtful = [&["--max-attempts", "1", "--no-lookup"], &METRICS[..]].concat();
    lab.import(&server, &doubtful).ends(4);
    assert_eq!((lab.metric("ledger_doubts"), lab.records("in_doubt")), (Some(1.0), 1));
}

#[test]
fn metrics_take_no_other_files_place_and_are_refused_where_they_cannot_be_written() {
    let lab = Lab::new();
    lab.customers(1);
    lab.write("in.report.csv", "old");
    lab.write("token", "t");
    std::os::unix::fs::symlink("run.prom", lab.path("link.prom")).unwrap();
    for (path, code) in [
        ("in.csv", 2),
        ("./in.report.csv", 2),
        ("rejects.csv", 2),
        ("l.db", 2),
        ("l.db-wal", 2),
        ("token", 2),
        ("link.prom", 74),
        ("no/such/run.prom", 74),
    ] {
        let named = ["--ledger", "l.db", "--rejects", "rejects.csv", "--token-file", "token", "--metrics-file", path];
        lab.run(&[&["import", "in.csv", "--sandbox"], &named[..]].concat()).ends(code);
    }
    assert_eq!((lab.read("in.report.csv").as_str(), lab.read("token").as_str()), ("old", "t"));
    assert!(!lab.path("l.db").exists(), "nothing was begun");
}

/// Where it is installed; it comes with Prometheus.
#[test]
fn promtool_finds_nothing_to_say_about_the_metrics() {
    let lab = Lab::new();
    lab.customers(3);
    lab.run(&[&["import", "in.csv", "--sandbox", "--account", "a \"b\" \\c"], &METRICS[..]].concat()).ends(0);
    let file = std::fs::File::open(lab.path("run.prom")).unwrap();
    match Command::new("promtool").args(["check", "metrics"]).stdin(file).output() {
        Ok(output) => {
            let ran = Ran::from(output).ends(0);
            assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("", ""));
        }
        Err(_) => note(format_args!("promtool is not installed: the metrics were not shown to it")),
    }
}

#[test]
fn every_line_of_a_json_log_is_json_whatever_happens() {
    let lab = Lab::new();
    let server = Server::start(&lab, &["--fault", "500:0.3", "--fault", "429:p3@example.com:first=1", "--seed", "7"]);
    lab.write("in.csv", customers(10).replace("p9@", "p9"));
    let json = ["--log-format", "json"];
    let import = |more: &[&str]| lab.import(&server, &[&json, more].concat());
    let lines = is_all_json(&import(&["-vv"]).ends(1));
    let run = &lines.iter().find(|line| line["message"] == "the run ended").unwrap()["span"]["run"];
    let retry = lines.iter().find(|line| line["message"] == "once more").unwrap();
    assert!(run.is_string() && retry["span"]["run"] == *run && retry["row"].is_u64(), "{retry}");
    let problem = lines.iter().find(|line| line["code"] == "email.syntax" && line["row"].is_u64()).unwrap();
    assert_eq!((problem["row"].as_u64(), problem["line"].as_u64()), (Some(10), Some(11)));
    assert!(lines.iter().any(|line| line["message"].as_str().unwrap().contains("asked for a pause")));
    assert!(lines.iter().all(|line| line["level"].is_string() && line["timestamp"].is_string()));
    assert!(!lines.iter().any(|line| line.to_string().contains("p9example.com")), "people stay out of logs");

    is_all_json(&import(&["-q", "--progress", "always"]).ends(1));
    let failure = |ran: Ran| {
        let lines = is_all_json(&ran);
        let last = lines.last().unwrap_or_else(|| panic!("it says nothing: {ran:?}")).clone();
        assert_eq!(
            (last["level"].as_str(), last["exit_code"].as_i64()),
            (Some("ERROR"), Some(ran.code.into())),
            "{last}"
        );
        last
    };
    lab.write("wrong.toml", "rte = 1");
    lab.write("json.toml", "log-format = \"json\"");
    failure(lab.run(&[&["import", "none.csv", "--sandbox"], &json[..]].concat()).ends(65));
    failure(lab.run(&[&["import", "in.csv", "--sandbox", "--rate", "0/s"], &json[..]].concat()).ends(2));
    failure(lab.run(&[&["import", "in.csv", "--sandbox", "--no-such"], &json[..]].concat()).ends(2));
    failure(lab.run(&[&["import", "in.csv", "--sandbox", "--config", "wrong.toml"], &json[..]].concat()).ends(2));
    failure(lab.run(&["import", "in.csv", "--config", "json.toml"]).ends(2));
    assert!(failure(lab.run(&[&["import", "in.csv"], &json[..]].concat()).ends(2))["hint"].is_string());
    failure(Ran::of(lab.command(&["import", "in.csv"]).env("CUSTOMER_IMPORT_LOG_FORMAT", "json")).ends(2));
    let away = ["import", "in.csv", "--base-url", "http://127.0.0.1:9", "--give-up-after", "1s", "--rate", "50/s"];
    failure(lab.run(&[&away[..], &json].concat()).ends(69));
    is_all_json(&lab.run(&[&["check", "in.csv"], &json[..]].concat()).ends(1));
    let spoilt = ["--ledger", "l.db", "--report", "in.csv/out.csv"];
    failure(import(&spoilt).ends(74));
}

#[test]
fn a_run_that_was_left_at_once_leaves_its_exit_code_and_names_itself() {
    let lab = Lab::new();
    let server = Server::start(&lab, &["--latency", "20s"]);
    lab.customers(3);
    let args = [&["--log-format", "json"], &METRICS[..]].concat();
    let mut run = lab.command(&lab.import_args(&server, &args));
    let mut run = run.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    server.wait_for_posts(1);
    // The kernel merges two signals at once, so the second waits until the first was reported.
    let mut said = BufReader::new(run.stderr.take().unwrap()).lines().map(Result::unwrap);
    kill_process(Pid::from_child(&run), Signal::TERM).unwrap();
    assert!(said.any(|line| line.contains("stopping")));
    kill_process(Pid::from_child(&run), Signal::TERM).unwrap();
    let last: Value = serde_json::from_str(&said.last().unwrap()).unwrap();
    assert_eq!(exit_code(run.wait().unwrap()), 143);
    assert!(last["run"].is_string() && last["exit_code"] == 143 && last["hint"].is_string(), "{last}");
    assert_eq!((lab.metric("running"), lab.metric("exit_code")), (Some(0.0), Some(143.0)));
    assert_eq!(lab.records("open"), 3, "nobody waited to hear of them");
}

#[test]
fn b17_what_is_mailed_holds_no_name_no_email_and_no_phone_number_of_a_row() {
    let lab = Lab::new();
    let server = Server::start(&lab, &["--fault", "422:refused@example.com"]);
    let rows = "Adelheid Quandt,adelheid at example.com,+4917612345678,DEU\n\
                Bartholomew Quist,refused@example.com,+4917687654321,DEU\n\
                Cornelia Quill,cornelia@example.com,+49176,Atlantis\n";
    lab.write("in.csv", format!("{HEADER}\n{rows}"));
    let private = [
        "Adelheid",
        "Quandt",
        "adelheid",
        "Bartholomew",
        "Quist",
        "refused@",
        "Cornelia",
        "Quill",
        "cornelia",
        "12345678",
        "87654321",
        "49176",
        "Atlantis",
    ];
    for more in
        [&[][..], &["-q"], &["-vv"], &["--log-format", "json"], &["--summary", "json"], &["--summary", "markdown"]]
    {
        let ran = lab.import(&server, &[&["--ledger", "l.db", "--retry-rejected"], more].concat()).ends(1);
        assert!(ran.stdout.contains("invalid"), "{more:?}: {ran:?}");
        let mail = format!("{}{}", ran.stdout, ran.stderr);
        let found: Vec<_> = private.into_iter().filter(|text| mail.contains(text)).collect();
        assert!(found.is_empty(), "{more:?}: {found:?} in\n{mail}");
    }
}

#[test]
fn nothing_is_asked_where_there_is_no_terminal() {
    let lab = Lab::new();
    lab.customers(1);
    // No such host: the run begins, sends nothing, and ends by itself.
    let args = ["import", "in.csv", "--base-url", "https://nowhere.invalid", "--give-up-after", "1s", "--rate", "50/s"];
    let ended = |command: &mut Command| Ran::of(command.env_remove("HTTPS_PROXY").env_remove("https_proxy")).ends(69);
    let silent = |ran: Ran| assert!(!ran.stderr.contains("[y/N]"), "{ran:?}");
    silent(ended(&mut lab.command(&args)));

    let mut open =
        lab.command(&args).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let held = open.stdin.take();
    silent(Ran::from(open.wait_with_output().unwrap()).ends(69));
    drop(held);

    let program = lab.command(&args);
    let mut closed = Command::new("sh");
    closed.args(["-c", "exec \"$0\" \"$@\" <&-"]).arg(program.get_program()).args(program.get_args());
    closed.current_dir(lab.path("")).envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
    silent(ended(&mut closed));
}

#[test]
fn the_time_zone_changes_nothing() {
    let lab = Lab::new();
    let server = Server::start(&lab, &["--fault", "reset-after:p0@example.com:first=1", "--no-lookup"]);
    lab.customers(1);
    let import = |zone: &str, more: &[&str]| {
        let args = lab.import_args(&server, &[&["--no-lookup", "--ledger", "l.db"], more, &METRICS].concat());
        Ran::of(lab.command(&args).env("TZ", zone))
    };
    import("Pacific/Kiritimati", &["--max-attempts", "1"]).ends(4);
    let started = lab.metric("start_timestamp_seconds").unwrap();
    // By local time this run is a day before the other, or hours behind it in summer; its key is as
    // young as it is.
    import("Pacific/Pago_Pago", &[]).ends(0);
    assert!((0.0..60.0).contains(&(lab.metric("start_timestamp_seconds").unwrap() - started)));
    let posts = server.posts();
    assert_eq!(posts.len(), 2);
    assert_eq!(posts[0]["key"], posts[1]["key"], "{posts:?}");
    server.has_each_once([email(0)]);
}

/// The one thing that takes half a minute of real time; a paused clock shows the same in
/// `delivery`.
#[test]
fn a_run_that_waits_gives_a_sign_of_life_every_thirty_seconds() {
    if !long() {
        return note(format_args!("CUSTOMER_IMPORT_LONG=1 waits for real heartbeats"));
    }
    let lab = Lab::new();
    let server = Server::start(&lab, &["--fault", "reset-after:p1@example.com:first=1"]);
    lab.customers(2);
    let args = |ledger| ["import", "in.csv", "--base-url", &server.url, "--settle", "65s", "--ledger", ledger];
    let report = ["--report", "json.csv", "--log-format", "json"];
    let mut json = lab.command(&[&args("json.db")[..], &report, &METRICS].concat());
    let json = json.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    std::thread::sleep(Duration::from_secs(35));
    assert_eq!((lab.records("created"), lab.records("open"), lab.metric("running")), (1, 1, Some(1.0)));
    let json = Ran::from(json.wait_with_output().unwrap()).ends(0);
    let lines = is_all_json(&json);
    let beats: Vec<_> = lines.iter().filter(|line| line["settled"] == 1 && line["records"] == 2).collect();
    assert_eq!(beats.len(), 2, "{json:?}");
    assert!(beats.iter().all(|beat| beat["span"]["run"].is_string()), "{beats:?}");
}
