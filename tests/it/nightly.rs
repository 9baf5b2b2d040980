//! A job that runs every night: rows that stay bad, exports that broke off, and the examples of the
//! guide, run as they stand there.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use crate::harness::{HEADER, Lab, Ran, Server, customers, email, program, skipped};

/// `ops@example.org`
const ID: &str = "b3BzQGV4YW1wbGUub3Jn";
const SECRET: &str = "s3cret-of-ops";
const BAD: usize = 81;

fn row(name: &str, email: &str) -> String {
    format!("{name},{email},+4917612345000,DEU\n")
}

/// Good customers, and rows that are bad night after night.
fn export(good: usize, bad: usize) -> String {
    let bad = (0..bad).map(|n| row(&format!("Bad {n}"), &format!("bad{n}.example.com")));
    customers(good) + &bad.collect::<String>()
}

const NEW: [&str; 6] = ["--ledger", "l.db", "--fail-on", "new", "--metrics-file", "run.prom"];

/// What the metrics file says of a series.
fn metric(text: &str, name: &str) -> f64 {
    let beginning = format!("{name}{{");
    let line = text.lines().find(|line| line.starts_with(&beginning)).unwrap_or_else(|| panic!("no {name} in {text}"));
    line.rsplit_once(' ').unwrap().1.parse().unwrap()
}

#[test]
fn b11_rows_that_stay_bad_fail_the_first_night_only_and_are_counted_as_known_bad() {
    let lab = Lab::new();
    let server = Server::start(&lab, &["--fault", "422:p1@example.com"]);
    lab.write("in.csv", export(3, 2));
    let json = [&NEW[..], &["--summary", "json"]].concat();
    let first = lab.import(&server, &json).ends(1).summary();
    assert_eq!(first["known_bad"], 0);
    let second = lab.import(&server, &json).ends(0).summary();
    assert_eq!((&second["known_bad"], &second["outcomes"]["invalid"]), (&3.into(), &2.into()));
    assert_eq!(second["outcomes"]["rejected"], 1, "they stay in the counts");
    assert_eq!(lab.statuses().iter().filter(|status| *status == "invalid").count(), 2, "and in the report");
    let metrics = lab.read("run.prom");
    assert_eq!(metric(&metrics, "customer_import_known_bad"), 3.0);
    let ended = metric(&metrics, "customer_import_end_timestamp_seconds");
    assert_eq!(metric(&metrics, "customer_import_success_timestamp_seconds"), ended);
    let text = lab.import(&server, &NEW).ends(0).says("3  known bad: ").says("Done: 5 records, 3 of them known bad.");
    assert!(text.stderr.contains("email.syntax"), "they are shown unless --quiet asks for silence");
    lab.import(&server, &[&NEW[..], &["--report", "out.html"]].concat()).ends(0);
    let page = lab.read("out.html");
    assert!(
        page.contains("<h1>Done: 5 records, 3 of them known bad.</h1>"),
        "the page says what the summary says: {page}"
    );
    lab.import(&server, &["--ledger", "l.db", "--report", "all.html"]).ends(1);
    assert!(
        lab.read("all.html").contains("<h1>Finished, but 3 of 5 records were not created.</h1>"),
        "without --fail-on new"
    );
    let quiet = lab.import(&server, &[&NEW[..], &["-q"]].concat()).ends(0);
    assert_eq!((quiet.stdout.as_str(), quiet.stderr.as_str()), ("", ""), "cron mails nothing");
    // A report counts as its run did.
    let report = |more: &[&str]| {
        let args = ["report", "in.csv", "--base-url", &server.url, "--ledger", "l.db", "--report", "again.html"];
        lab.run(&[&args, more].concat())
    };
    let heading = "<h1>Done: 5 records, 3 of them known bad.</h1>";
    let summary = report(&["--summary", "json"]).ends(0).summary();
    assert_eq!((&summary["exit_code"], &summary["notes"]), (&0.into(), &serde_json::json!([])));
    assert!(lab.read("again.html").contains(heading) && lab.read("again.html").contains("fail-on"));
    report(&["--run", first["run"].as_str().unwrap()]).ends(1).says("3 of 5 records were not created");
    let heading_of_first = "<h1>Finished, but 3 of 5 records were not created.</h1>";
    assert!(lab.read("again.html").contains(heading_of_first), "its own bad records were new");
    lab.import(&server, &["--ledger", "l.db"]).ends(1).says("3 of 5 records were not created").says("known bad: ");
    assert_eq!(report(&["--summary", "json"]).ends(1).summary()["known_bad"], 3, "as the run found them");
    assert!(!lab.read("again.html").contains(heading), "that run had no --fail-on new");
    assert_eq!(server.posts().len(), 3);
}

#[test]
fn b11_a_bad_row_is_new_if_a_cell_or_a_code_differs_and_after_a_run_that_did_not_complete() {
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    lab.write("in.csv", export(3, 1));
    let import = |more: &[&str]| lab.import(&server, &[&NEW[..], more].concat());
    import(&["--limit", "1"]).ends(1);
    import(&[]).ends(1);
    import(&[]).ends(0);
    let text = lab.read("in.csv");
    for other in [text.replace("Bad 0", "Bad zero"), text.replace("bad0.example.com", "bad0example.com")] {
        lab.write("in.csv", other);
        import(&[]).ends(1);
        import(&[]).ends(0);
    }
    // Another code for the same cells.
    lab.write("in.csv", text);
    import(&[]).ends(1);
    import(&["--map", "customer_country=customer_name"]).ends(1);
    import(&[]).ends(1);
    // A run that stops before its end reports nothing for good.
    lab.write("in.csv", export(3, 1) + &row("", "p7@example.com"));
    import(&["--strict"]).ends(1).says("nothing was sent because of 1 new invalid record (--strict)");
    import(&["--strict"]).ends(1);
    let mended = export(3, 1);
    lab.write("in.csv", mended + &row("Person 7", "p7@example.com"));
    import(&[]);
    import(&["--strict"]).ends(0);
}

#[test]
fn b11_a_known_rejection_does_not_count_towards_the_most_failures() {
    let lab = Lab::new();
    let server = Server::start(&lab, &["--fault", "422:bad*@example.com"]);
    let bad = |numbers: std::ops::Range<usize>| numbers.map(|n| row("Bad", &format!("bad{n}@example.com")));
    lab.write("in.csv", format!("{HEADER}\n{}", bad(0..3).collect::<String>()));
    lab.import(&server, &NEW).ends(1);
    let again = ["--retry-rejected", "--max-failures", "1", "--concurrency", "1"];
    let again = [&NEW[..], &again].concat();
    lab.import(&server, &again).ends(0);
    assert_eq!(server.posts().len(), 6, "all three were sent again, and none was a failure");
    lab.write("in.csv", format!("{HEADER}\n{}", bad(0..5).collect::<String>()));
    lab.import(&server, &again).ends(1).says("1 record rejected or failed (--max-failures)");
    assert_eq!(server.posts().len(), 10, "the first new one is");
}

#[test]
fn b11_an_input_with_too_few_records_is_refused_and_nothing_is_sent() {
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    let import = |more: &[&str]| {
        let name = if more.contains(&"--input-name") { &[][..] } else { &["--input-name", "export"] };
        lab.import(&server, &[&["--ledger", "l.db"], name, more].concat())
    };
    lab.customers(9);
    import(&["--min-records", "10"]).ends(65).says("in.csv has 9 records, fewer than 10 (--min-records)");
    assert!(!lab.path("l.db").exists(), "nothing was begun");
    import(&["--min-records", "90%", "--limit", "1"]).ends(0);
    lab.customers(10);
    import(&["--min-records", "90%"]).ends(0);
    let posts = server.posts().len();
    lab.write("in.csv", customers(8).replace("p7@", "p77@"));
    let words = "in.csv has 8 records, fewer than 90% of the 10 of the last completed import (--min-records)";
    let metrics = ["--min-records", "90%", "--metrics-file", "run.prom"];
    import(&metrics).ends(65).says(words).says("hint: ");
    assert_eq!(metric(&lab.read("run.prom"), "customer_import_exit_code"), 65.0);
    assert_eq!(server.posts().len(), posts);
    // A refused input and a trial are nothing to compare with; another input has its own history.
    import(&metrics).ends(65).says(words);
    import(&["--min-records", "90%", "--input-name", "other"]).ends(0);
    lab.write("in.csv", format!("{HEADER}\n"));
    import(&["--min-records", "1"]).ends(65).says("in.csv has 0 records, fewer than 1");
    for wrong in ["0", "101%", "many"] {
        import(&["--min-records", wrong]).ends(2).says("nor a percentage such as 90%");
    }
}

#[test]
fn b11_a_list_with_nothing_but_a_header_is_a_good_night_that_is_told_in_one_line() {
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    lab.write("in.csv", format!("{HEADER}\n"));
    let ran = lab.import(&server, &["-q", "--ledger", "l.db"]).ends(0);
    let line = "the input has no records; --min-records refuses such an input\n";
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), (line, ""));
}

/// The blocks of the guide in this language.
fn examples(language: &str) -> Vec<String> {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/guide/nightly-job.md");
    let text = std::fs::read_to_string(page).unwrap();
    let blocks = text.split("```").skip(1).step_by(2).filter_map(|block| block.split_once('\n'));
    blocks.filter(|(named, _)| *named == language).map(|(_, content)| content.to_owned()).collect()
}

/// The machine of the guide: its paths lead into a lab, and its API is a sandbox whose tokens live
/// for ten seconds.
struct Machine {
    lab: Lab,
    server: Server,
}

impl Machine {
    fn new() -> Self {
        let lab = Lab::new();
        let login = format!("{ID}:{SECRET}");
        let server =
            Server::start(&lab, &["--login", &login, "--token-life", "10s", "--fault", "422:rejected@example.com"]);
        for folder in ["etc", "ledger", "export", "metrics"] {
            std::fs::create_dir(lab.path(folder)).unwrap();
        }
        let secret = lab.write("etc/app-secret", SECRET);
        std::fs::set_permissions(secret, std::fs::Permissions::from_mode(0o600)).unwrap();
        let machine = Self { lab, server };
        let configuration = machine.here(&examples("toml")[0]);
        machine.lab.write("etc/nightly.toml", configuration);
        machine
    }

    /// What an example says, with this machine's paths, address and account.
    fn here(&self, example: &str) -> String {
        let path = |name: &str| self.lab.path(name).display().to_string();
        [
            ("https://api.yativo.com/api/v1", self.server.url.clone()),
            ("account-id = \"…\"", format!("account-id = \"{ID}\"")),
            ("sudo -u importer customer-import", program().display().to_string()),
            ("/usr/local/bin/customer-import", program().display().to_string()),
            ("/srv/export", path("export")),
            ("/etc/customer-import", path("etc")),
            ("/var/lib/customer-import/ledger", path("ledger")),
            ("/var/lib/customer-import", path("")),
            ("/var/lib/prometheus/node-exporter", path("metrics")),
        ]
        .into_iter()
        .fold(example.to_owned(), |text, (there, here)| text.replace(there, &here))
    }

    /// Runs the command of an example as cron and systemd do: with a short path, without a token.
    fn run(&self, command: &str) -> Ran {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", &self.here(command)]).current_dir("/").env_clear().env("PATH", "/usr/bin:/bin");
        Ran::of(shell.env("HOME", self.lab.path("")))
    }

    fn exports(&self, good: usize, bad: usize) {
        self.lab.write("export/customers.csv", export(good, bad) + &row("Rejected", "rejected@example.com"));
    }

    fn metrics(&self) -> String {
        self.lab.read("metrics/customer-import.prom")
    }
}

/// The commands of the guide: the trial and the first import by hand, the line of cron, and those
/// of systemd.
fn commands() -> (Vec<String>, String, Vec<String>) {
    let by_hand = examples("sh").concat();
    let by_hand = by_hand.lines().filter(|line| line.contains("customer-import import")).map(str::to_owned).collect();
    let cron = examples("crontab").concat();
    let cron = cron.trim().splitn(6, ' ').last().unwrap().trim().to_owned();
    let units = examples("ini").concat();
    let units = units.lines().filter_map(|line| line.strip_prefix("ExecStart=")).map(str::to_owned).collect();
    (by_hand, cron, units)
}

/// The names of the alerts of the guide that fire on these metrics at this time, `for` aside.
fn alerts(metrics: &str, now: f64) -> Vec<String> {
    let number = |text: &str| text.split('*').map(|factor| factor.trim().parse::<f64>().unwrap()).product::<f64>();
    let value = |text: &str| match text.trim().strip_prefix("time() - ") {
        Some(name) => now - metric(metrics, name.trim()),
        None => metric(metrics, text.trim()),
    };
    let rules = std::fs::read_to_string(crate::alerts::RULES).unwrap();
    let fires = |expression: &str| {
        let first = expression.split(" and ").next().unwrap();
        let compared = |sign| first.split_once(sign).map(|(left, right)| (value(left), number(right)));
        match (compared(" > "), compared(" != "), compared(" == ")) {
            (Some((left, right)), None, None) => left > right,
            (None, Some((left, right)), None) => left != right,
            (None, None, Some((left, right))) => left == right,
            _ => panic!("{expression}"),
        }
    };
    let named = rules.split("- alert: ").skip(1).map(|rule| {
        let (name, rest) = rule.split_once('\n').unwrap();
        let (_, expression) = rest.split_once("expr: ").unwrap();
        (name.to_owned(), expression.lines().next().unwrap().to_owned())
    });
    let named: Vec<_> = named.collect();
    assert!(named.len() >= 4, "{named:?}");
    named.into_iter().filter(|(_, expression)| fires(expression)).map(|(name, _)| name).collect()
}

#[test]
fn b10_b11_the_examples_of_the_guide_run_for_three_nights_with_82_lasting_bad_rows() {
    let machine = Machine::new();
    let (by_hand, cron, units) = commands();
    let [trial, first] = &by_hand[..] else { panic!("{by_hand:?}") };
    machine.exports(20, BAD);
    machine.run(trial).ends(1);
    machine.run(first).ends(1).says("82 of 102 records were not created");
    let ended = metric(&machine.metrics(), "customer_import_end_timestamp_seconds");
    let soon = ended + 3600.0;
    assert_eq!(alerts(&machine.metrics(), soon), ["CustomerImportNotDone", "CustomerImportFailed"]);
    let with_credentials = units[1].replace("%d/app-secret", "/etc/customer-import/app-secret");
    for (night, command) in [&cron, &units[0], &with_credentials].into_iter().enumerate() {
        machine.exports(25 + night, BAD);
        let ran = machine.run(command).ends(0);
        assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("", ""), "night {night}: a good night says nothing");
        assert_eq!(metric(&machine.metrics(), "customer_import_known_bad"), 82.0);
        assert!(alerts(&machine.metrics(), soon).is_empty(), "night {night}");
        let report = "customer-import report /srv/export/customers.csv --config /etc/customer-import/nightly.toml";
        let report = machine.run(&format!("/usr/local/bin/{report}")).ends(0);
        report.says(&format!("Done: {} records, 82 of them known bad.", 25 + night + BAD + 1));
    }
    machine.server.has_each_once((0..27).map(email));

    machine.exports(27, BAD + 1);
    machine.run(&cron).ends(1).says("1 of 110 records was not created, besides 82 known bad");
    assert_eq!(alerts(&machine.metrics(), soon), ["CustomerImportFailed"]);
    machine.run(&cron).ends(0);
    assert!(alerts(&machine.metrics(), soon).is_empty());
    machine.exports(3, 2);
    machine.run(&cron).ends(65).says("fewer than 90% of the 110");
    assert_eq!(alerts(&machine.metrics(), soon), ["CustomerImportFailed"]);
    let late = soon + 27.0 * 3600.0;
    assert_eq!(alerts(&machine.metrics(), late), ["CustomerImportNotDone", "CustomerImportFailed"]);
}

#[test]
fn b10_the_examples_name_the_ledger_and_hold_no_token_and_no_secret() {
    let configuration = &examples("toml")[0];
    for key in ["ledger = ", "app-secret-file = ", "fail-on = \"new\"", "min-records = ", "input-name = "] {
        assert!(configuration.contains(key), "{key} in\n{configuration}");
    }
    let (_, cron, units) = commands();
    for command in [&cron].into_iter().chain(&units) {
        assert!(
            command.starts_with("/usr/local/bin/customer-import ") && command.contains("--require-ledger"),
            "{command}"
        );
        assert!(!command.contains("token"), "{command}");
    }
}

#[test]
fn the_units_of_the_guide_are_understood_by_systemd() {
    let lab = Lab::new();
    let units = examples("ini")[0].replace("/usr/local/bin/customer-import", "/bin/true");
    let mut files = Vec::new();
    for unit in units.split("# /etc/systemd/system/").skip(1) {
        let (name, content) = unit.split_once('\n').unwrap();
        files.push(lab.write(name, content));
    }
    assert_eq!(files.len(), 2, "{units}");
    match Command::new("systemd-analyze").arg("verify").args(&files).output() {
        Ok(output) => {
            let ran = Ran::from(output).ends(0);
            assert!(!ran.stderr.contains("customer-import"), "{ran:?}");
        }
        Err(_) => skipped("systemd-analyze is not installed: the units were not shown to it"),
    }
}
