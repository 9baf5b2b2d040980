//! The input changes while a run reads it (I11).

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::harness::{HEADER, Lab, Ran, Server, email};

/// More records than are read ahead: 512 offers, and a few pieces of 16 KiB.
const MANY: usize = 6000;

/// People who are not in the plan, in rows as long as those of the plan.
fn strangers(count: usize) -> String {
    customers("s", count)
}

fn planned(count: usize) -> String {
    customers("p", count)
}

fn customers(sign: &str, count: usize) -> String {
    let row = |n: usize| format!("Person {n},{sign}{n}@example.com,+4917612345{:03},DEU\n", n % 1000);
    std::iter::once(format!("{HEADER}\n")).chain((0..count).map(row)).collect()
}

fn ndjson(sign: &str, count: usize) -> String {
    let row = |n: usize| {
        format!(
            "{{\"name\":\"Person {n}\",\"email\":\"{sign}{n}@example.com\",\"phone\":\"+4917612345{:03}\",\"country\":\"DEU\"}}\n",
            n % 1000
        )
    };
    (0..count).map(row).collect()
}

/// Packed by the tool that people pack with.
fn gzip(lab: &Lab, text: &str) -> Vec<u8> {
    let path = lab.write("to_be_packed", text);
    Command::new("gzip").arg("-c").arg(&path).output().unwrap().stdout
}

/// An import that has begun to send.
struct Running {
    child: Child,
}

impl Running {
    fn start(lab: &Lab, server: &Server, input: &str, rate: &str) -> Self {
        Self::start_with(lab, server, input, &["--rate", rate, "--report", "out.csv"])
    }

    fn start_with(lab: &Lab, server: &Server, input: &str, more: &[&str]) -> Self {
        let args = [&["import", input, "--base-url", &server.url, "--settle", "300ms"], more].concat();
        let child = lab.command(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        server.wait_for_posts(20);
        Self { child }
    }

    fn end(self) -> Ran {
        Ran::from(self.child.wait_with_output().unwrap())
    }
}

#[track_caller]
fn nobody_unplanned(server: &Server, planned: usize) {
    let planned: BTreeSet<_> = (0..planned).map(email).collect();
    let posted: Vec<_> =
        server.posts().iter().map(|post| post["email"].as_str().unwrap_or_default().to_owned()).collect();
    let strangers: Vec<_> = posted.iter().filter(|email| !planned.contains(*email)).collect();
    assert!(strangers.is_empty(), "{} of {} posts, such as {}", strangers.len(), posted.len(), strangers[0]);
}

/// Changes `input` during a run, which then must have stopped early and sent no other customer.
#[track_caller]
fn a_change_stops_the_run(lab: &Lab, input: &str, change: impl FnOnce(&Path)) {
    let server = Server::start(lab, &[]);
    let running = Running::start(lab, &server, input, "400/s");
    change(&lab.path(input));
    running.end().ends(65).says("the input changed while it was read").says("resume with");
    nobody_unplanned(&server, MANY);
    assert!(server.posts().len() < MANY / 2, "{} posts", server.posts().len());
    let report = crate::harness::rows(&lab.path("out.csv"));
    let created = report.iter().filter(|row| row["status"] == "created").map(|row| row["customer_email"].clone());
    assert_eq!(created.collect::<BTreeSet<_>>(), server.customers().into_keys().collect());
}

#[test]
fn i11_nothing_that_was_read_after_a_file_was_rewritten_in_place_is_sent() {
    let lab = Lab::new();
    lab.write("in.csv", planned(MANY));
    a_change_stops_the_run(&lab, "in.csv", |path| fs::write(path, strangers(MANY)).unwrap());
}

#[test]
fn i11_an_e_mail_that_was_cut_off_is_not_sent() {
    let lab = Lab::new();
    let whole = planned(MANY);
    lab.write("in.csv", &whole);
    let within = whole.find("p5500@example.com").unwrap() + "p5500@example.co".len();
    a_change_stops_the_run(&lab, "in.csv", |path| {
        OpenOptions::new().write(true).open(path).unwrap().set_len(within as u64).unwrap();
    });
}

#[test]
fn i11_rows_that_were_appended_are_not_sent() {
    let lab = Lab::new();
    lab.write("in.csv", planned(MANY));
    a_change_stops_the_run(&lab, "in.csv", |path| {
        OpenOptions::new().append(true).open(path).unwrap().write_all(strangers(3).as_bytes()).unwrap();
    });
}

#[test]
fn i11_ndjson_that_was_rewritten_is_not_sent() {
    let lab = Lab::new();
    lab.write("in.ndjson", ndjson("p", MANY));
    a_change_stops_the_run(&lab, "in.ndjson", |path| fs::write(path, ndjson("s", MANY)).unwrap());
}

#[test]
fn i11_a_packed_file_that_was_rewritten_is_not_sent() {
    let lab = Lab::new();
    let (planned, strangers) = (gzip(&lab, &planned(MANY)), gzip(&lab, &strangers(MANY)));
    lab.write("in.csv.gz", planned);
    a_change_stops_the_run(&lab, "in.csv.gz", |path| fs::write(path, strangers).unwrap());
}

#[test]
fn i11_a_change_stops_the_sending_when_all_was_read_already() {
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    lab.write("in.csv", planned(400));
    let running = Running::start(&lab, &server, "in.csv", "40/s");
    fs::write(lab.path("in.csv"), strangers(400)).unwrap();
    running.end().ends(65).says("the input changed while it was read");
    nobody_unplanned(&server, 400);
    assert!(server.posts().len() < 200, "{} posts", server.posts().len());
}

#[test]
fn a_changed_input_gets_a_report_from_the_ledger_and_the_run_can_be_resumed() {
    let lab = Lab::new();
    let server = Server::start(&lab, &["--fault", "422:p2@example.com"]);
    lab.write("in.csv", planned(MANY));
    let running = Running::start_with(
        &lab,
        &server,
        "in.csv",
        &["--rate", "400/s", "--report", "out.csv", "--rejects", "mend.csv", "--keep", "customer_name"],
    );
    fs::write(lab.path("in.csv"), strangers(MANY)).unwrap();
    let ran = running.end().ends(65);
    assert!(ran.stdout.contains("Stopped: the input changed while it was read"), "{}", ran.stdout);
    for said in [&ran.stdout, &ran.stderr] {
        assert!(
            said.contains("the report was made from the ledger, because the input changed; ")
                && said.contains("are missing from it"),
            "{said}"
        );
    }
    assert!(ran.stdout.contains("records in the report") && !ran.stdout.contains("records read"), "{}", ran.stdout);
    assert!(!lab.path("mend.csv").exists(), "rejects need the cells of the input");
    let report = crate::harness::rows(&lab.path("out.csv"));
    let rows: Vec<u64> = report.iter().map(|row| row["row"].parse().unwrap()).collect();
    assert!(rows.is_sorted() && rows[0] == 1, "{rows:?}");
    assert_eq!((report[0]["status"].as_str(), report[0]["customer_email"].as_str()), ("created", "p0@example.com"));
    assert!(!report[0]["customer_id"].is_empty() && !report[0]["kyc_link"].is_empty());
    assert_eq!((report[2]["status"].as_str(), report[2]["error_code"].as_str()), ("rejected", "api.field_rejected"));
    assert_eq!(report[0]["customer_name"], "", "the ledger has no cells");

    lab.write("in.csv", planned(100));
    lab.import(&server, &[]).ends(1);
    let twice: Vec<_> = server.customers().into_iter().filter(|(_, ids)| ids.len() > 1).collect();
    assert!(twice.is_empty(), "{twice:?}");
}

#[test]
fn a_new_file_over_the_name_and_a_removed_name_do_not_disturb_a_run() {
    let replaced = |lab: &Lab| {
        lab.write("new.csv", strangers(1500));
        fs::rename(lab.path("new.csv"), lab.path("in.csv")).unwrap();
    };
    let moved = |lab: &Lab| fs::rename(lab.path("in.csv"), lab.path("old.csv")).unwrap();
    let removed = |lab: &Lab| fs::remove_file(lab.path("in.csv")).unwrap();
    for act in [&replaced as &dyn Fn(&Lab), &moved, &removed] {
        let lab = Lab::new();
        let server = Server::start(&lab, &[]);
        lab.write("in.csv", planned(1500));
        let running = Running::start(&lab, &server, "in.csv", "500/s");
        act(&lab);
        running.end().ends(0);
        server.has_each_once((0..1500).map(email));
        let report = crate::harness::rows(&lab.path("out.csv"));
        assert_eq!(report.iter().filter(|row| row["status"] == "created").count(), 1500);
    }
}
