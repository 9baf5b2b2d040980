//! The ledger from outside.

use std::process::Stdio;

use crate::harness::{FAST, Lab, Server, email};

#[test]
fn a_second_run_on_the_same_ledger_ends_at_once_and_readers_go_on() {
    let lab = Lab::new();
    let server = Server::start(&lab, &["--latency", "100ms"]);
    lab.customers(60);
    let mut first = lab
        .command(&lab.import_args(&server, &["--concurrency", "2"]))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    server.wait_for_posts(3);
    lab.import(&server, &[]).ends(5).says("another run");
    lab.run(&["check", "in.csv", "--base-url", &server.url]).ends(0);
    lab.run(&["report", "in.csv", "--base-url", &server.url]).says("not_attempted");
    assert!(first.wait().unwrap().success());
    server.has_each_once((0..60).map(email));
}

#[test]
fn a_required_ledger_that_is_missing_is_not_made() {
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    lab.customers(1);
    lab.import(&server, &["--ledger", "l.db", "--require-ledger"]).ends(78).says("l.db");
    assert!(!lab.path("l.db").exists());
    assert_eq!(server.requests(), 0);
}

#[test]
fn a_file_that_is_no_ledger_is_refused_untouched() {
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    lab.customers(1);
    lab.write("l.db", "precious\n".repeat(200));
    lab.import(&server, &["--ledger", "l.db"]).ends(78);
    assert_eq!(lab.read("l.db"), "precious\n".repeat(200));
    assert_eq!(server.requests(), 0);
}

#[test]
fn another_target_is_another_memory() {
    let lab = Lab::new();
    let (one, other) = (Server::start(&lab, &[]), Lab::new());
    let two = Server::start(&other, &[]);
    lab.customers(2);
    lab.import(&one, &["--ledger", "l.db"]).ends(0);
    lab.import(&two, &["--ledger", "l.db"]).ends(0);
    assert_eq!(lab.statuses(), ["created", "created"]);
    two.has_each_once((0..2).map(email));
}

#[test]
fn i10_after_a_ledger_error_nothing_is_sent() {
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    lab.customers(50);
    // A limit on file size makes every further write of the ledger fail, as a full disk would.
    let args = lab.import_args(&server, &["--ledger", "l.db", "--report", "out.csv"]);
    let program = lab.command(&args);
    let line: Vec<_> = program.get_args().map(|word| word.to_string_lossy().into_owned()).collect();
    let script = format!("trap '' XFSZ; ulimit -f 120; exec \"$0\" {}", line.join(" "));
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", &script, env!("CARGO_BIN_EXE_customer-import")]).current_dir(lab.path(""));
    shell.env("CUSTOMER_IMPORT_TOKEN", "t").env("XDG_STATE_HOME", lab.path("state"));
    crate::harness::Ran::of(&mut shell).ends(74);
    let sent = server.posts().len();
    assert!(sent < 50, "{sent} were sent");
    lab.import(&server, &["--ledger", "l.db"]).ends(0);
    server.has_each_once((0..50).map(email));
}

/// A ledger with one doubt: the answer for `p1` was lost after the save, and nothing may be asked
/// again.
fn with_a_doubt(more: &[&str]) -> (Lab, Server) {
    let lab = Lab::new();
    let options = [&["--fault", "reset-after:p1@example.com:first=1"], more].concat();
    let server = Server::start(&lab, &options);
    lab.customers(3);
    lab.import(&server, &["--ledger", "l.db", "--max-attempts", "1", "--no-lookup"]).ends(4);
    assert_eq!(lab.statuses(), ["created", "in_doubt", "created"]);
    (lab, server)
}

/// The `ledger` command on the ledger of these tests.
trait LedgerCommand {
    fn ledger(&self, server: &Server, args: &[&str]) -> crate::harness::Ran;
}

impl LedgerCommand for Lab {
    fn ledger(&self, server: &Server, args: &[&str]) -> crate::harness::Ran {
        self.run(&[&["ledger"], args, &["--ledger", "l.db", "--base-url", &server.url]].concat())
    }
}

#[test]
fn show_counts_records_and_names_doubts_and_knows_one_email() {
    let (lab, server) = with_a_doubt(&[]);
    lab.ledger(&server, &["show"]).ends(0).says("2  created").says("in doubt: p1@example.com");
    let told = lab.ledger(&server, &["show", "--json"]).ends(0).summary();
    assert_eq!(
        (told["records"]["created"].as_u64(), told["doubts"][0]["email"].as_str()),
        (Some(2), Some("p1@example.com"))
    );
    let one = lab.ledger(&server, &["show", "P0@example.com", "--json"]).ends(0).summary();
    assert_eq!(one["status"], "created");
    assert_eq!(one["customer_id"], lab.report()[0]["customer_id"]);
    lab.ledger(&server, &["show", "nobody@example.com"]).ends(0).says("does not know");
    lab.write("other.csv", crate::harness::customers(1));
    let check = ["check", "other.csv", "--ledger", "l.db", "--base-url", &server.url];
    lab.run(&check).ends(0).says("1  in doubt that are not in this input");
}

#[test]
fn resolve_finishes_what_earlier_runs_left_in_doubt_whether_or_not_it_is_in_an_input() {
    for more in [&[][..], &["--idempotency", "none"]] {
        let (lab, server) = with_a_doubt(more);
        lab.ledger(&server, &[&["resolve", "--json"], &FAST[..]].concat()).ends(0);
        lab.ledger(&server, &["show"]).ends(0).says("3  created");
        server.has_each_once((0..3).map(email));
        lab.import(&server, &["--ledger", "l.db"]).ends(0);
        assert_eq!(lab.statuses(), ["already_imported"; 3]);
    }
}

#[test]
fn resolve_tells_what_it_waits_for_unless_it_is_to_be_quiet() {
    for (quiet, says) in [(&[][..], true), (&["-q"], false)] {
        let (lab, server) = with_a_doubt(&["--fault", "429:p1@example.com:first=2"]);
        let ran = lab.ledger(&server, &[&["resolve"], &FAST[..], quiet].concat()).ends(0).says("1 in doubt, 1 created");
        assert_eq!(ran.stderr.contains("the API asked for a pause"), says, "{}", ran.stderr);
    }
}

#[test]
fn a_doubt_can_be_settled_by_hand_and_nothing_else_can() {
    let (lab, server) = with_a_doubt(&[]);
    lab.ledger(&server, &["settle", "p0@example.com", "--absent"]).ends(2).says("is not in doubt");
    lab.ledger(&server, &["settle", "p1@example.com"]).ends(2);
    lab.ledger(&server, &["settle", "p1@example.com", "--created", "c-1"]).ends(0);
    lab.import(&server, &["--ledger", "l.db"]).ends(0);
    assert_eq!(lab.report()[1]["customer_id"], "c-1");
    assert_eq!(lab.statuses(), ["already_imported"; 3]);
}

#[test]
fn a_doubt_that_was_settled_by_hand_is_an_outcome_of_the_run_that_sent_it() {
    for (args, status, code) in [(&["--created", "c-1"][..], "created", 0), (&["--absent"], "failed", 1)] {
        let lab = Lab::new();
        let server = Server::start(&lab, &["--latency", "60s"]);
        lab.customers(1);
        let mut child = lab
            .command(&lab.import_args(&server, &["--ledger", "l.db"]))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        server.wait_for_posts(1);
        child.kill().unwrap();
        child.wait().unwrap();
        let report = ["report", "in.csv", "--base-url", &server.url, "--ledger", "l.db"];
        lab.run(&report).ends(4);
        assert_eq!(lab.statuses(), ["in_doubt"]);
        lab.ledger(&server, &[&["settle", "p0@example.com"], args].concat()).ends(0);
        lab.run(&report).ends(code);
        assert_eq!(lab.statuses(), [status]);
        assert_eq!(lab.report()[0]["customer_id"], if code == 0 { "c-1" } else { "" });
    }
}

#[test]
fn a_doubt_that_its_run_told_of_and_that_was_settled_by_hand_is_an_outcome_of_that_run() {
    let (lab, server) = with_a_doubt(&[]);
    lab.ledger(&server, &["settle", "p1@example.com", "--created", "c-1"]).ends(0);
    lab.run(&["report", "in.csv", "--base-url", &server.url, "--ledger", "l.db"]).ends(0);
    assert_eq!(lab.statuses(), ["created"; 3]);
    assert_eq!(lab.report()[1]["customer_id"], "c-1");
}

#[test]
fn a_doubt_settled_as_absent_is_sent_again() {
    let lab = Lab::new();
    let server = Server::start(&lab, &["--fault", "reset-before:p0@example.com:first=1"]);
    lab.customers(1);
    lab.import(&server, &["--ledger", "l.db", "--max-attempts", "1", "--no-lookup"]).ends(4);
    lab.ledger(&server, &["settle", "p0@example.com", "--absent"]).ends(0);
    lab.import(&server, &["--ledger", "l.db"]).ends(0);
    assert_eq!(lab.statuses(), ["created"]);
    server.has_each_once([email(0)]);
}

#[test]
fn pulled_customers_are_never_posted() {
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    lab.customers(130);
    lab.import(&server, &["--ledger", "first.db"]).ends(0);
    let (ids, posts) = (lab.report(), server.posts().len());
    lab.ledger(&server, &["pull", "--rate", "500/s"]).ends(0).says("130 customers seen, 130 of them new");
    lab.ledger(&server, &["pull", "--rate", "500/s"]).ends(0).says("0 of them new");
    lab.import(&server, &["--ledger", "l.db"]).ends(0);
    assert_eq!(server.posts().len(), posts);
    for (known, row) in ids.iter().zip(&lab.report()) {
        assert_eq!((row["status"].as_str(), &row["customer_id"]), ("exists", &known["customer_id"]));
    }
}

#[test]
fn a_server_that_lists_nobody_cannot_be_pulled_from() {
    let lab = Lab::new();
    let server = Server::start(&lab, &["--no-lookup"]);
    lab.ledger(&server, &["pull", "--rate", "500/s"]).ends(78);
}

#[test]
fn a_person_or_a_target_is_forgotten_on_demand() {
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    lab.customers(3);
    lab.import(&server, &["--ledger", "l.db"]).ends(0);
    lab.ledger(&server, &["forget", "p1@example.com"]).ends(0).says("is forgotten");
    lab.ledger(&server, &["show", "p1@example.com"]).ends(0).says("does not know");
    for name in ["l.db", "l.db-wal"] {
        let bytes = std::fs::read(lab.path(name)).unwrap_or_default();
        let found = bytes.windows(14).any(|window| window == b"p1@example.com");
        assert!(!found, "the e-mail is still in {name}");
    }
    lab.ledger(&server, &["forget"]).ends(2);
    lab.ledger(&server, &["forget", "--target", "--yes"]).ends(0).says("2 records");
    lab.ledger(&server, &["show"]).ends(0).says("0 records");
}

#[test]
fn without_a_clear_yes_neither_everything_nor_a_doubt_is_forgotten() {
    let (lab, server) = with_a_doubt(&[]);
    for whom in ["--target", "p1@example.com"] {
        lab.ledger(&server, &["forget", whom]).ends(2).says("in doubt").says("--yes");
    }
    let mut command = lab.command(&["ledger", "forget", "--target", "--ledger", "l.db", "--base-url", &server.url]);
    let ran = crate::harness::Ran::of(command.env("CUSTOMER_IMPORT_YES", "1")).ends(2);
    ran.says("3 records, 1 of them in doubt, would be forgotten");
    lab.ledger(&server, &["show"]).ends(0).says("3 records").says("in doubt: p1@example.com");
    lab.ledger(&server, &["forget", "p0@example.com"]).ends(0);
    lab.ledger(&server, &["forget", "p1@example.com", "--yes"]).ends(0);
    lab.ledger(&server, &["forget", "--target", "--yes"]).ends(0).says("1 record forgotten");
    lab.ledger(&server, &["forget", "--target"]).ends(0);
}

#[test]
fn another_account_behind_the_same_name_is_refused() {
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    lab.customers(1);
    // {"sub":"one"} and {"sub":"two"}, unsigned.
    let tokens = ["eyJhIjoxfQ.eyJzdWIiOiJvbmUifQ.x", "eyJhIjoxfQ.eyJzdWIiOiJ0d28ifQ.x"];
    let import = |token: &str, more: &[&str]| {
        let args = lab.import_args(&server, more);
        crate::harness::Ran::of(lab.command(&args).env("CUSTOMER_IMPORT_TOKEN", token))
    };
    import(tokens[0], &[]).ends(0);
    let requests = server.requests();
    import(tokens[1], &[]).ends(78).says("--account");
    assert_eq!(server.requests(), requests);
    import(tokens[1], &["--account", "two"]).ends(0);
    for (token, more, code) in [(tokens[0], &[][..], 0), (tokens[1], &[], 78), (tokens[1], &["--account", "two"], 0)] {
        let args = [&["doctor", "--base-url", &server.url, "--rate", "500/s"], more].concat();
        let ran = crate::harness::Ran::of(lab.command(&args).env("CUSTOMER_IMPORT_TOKEN", token));
        ran.ends(code).says(if code == 0 { "ok    ledger" } else { "FAIL  ledger" });
    }
}

#[test]
fn a_last_record_that_a_pipe_cut_off_is_not_sent() {
    use std::io::Write as _;
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    let whole = crate::harness::customers(3);
    let args = [&["import", "-", "--base-url", &server.url], &FAST[..]].concat();
    let mut child =
        lab.command(&args).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(&whole.as_bytes()[..whole.len() - 1]).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(1));
    server.has_each_once((0..2).map(email));
}

/// Answers every request with the same list, and with more beside it.
fn list_without_pages(customers: usize, more: &str) -> String {
    use std::io::{Read as _, Write as _};
    let rows: Vec<_> = (0..customers).map(|n| format!(r#"{{"id":"i-{n}","customer_email":"{}"}}"#, email(n))).collect();
    let body = format!(r#"{{"status":"success","status_code":200,"data":[{}]{more}}}"#, rows.join(","));
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/api", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let mut client = client.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                if client.read(&mut byte).unwrap_or_default() == 0 {
                    break;
                }
                request.push(byte[0]);
            }
            let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close";
            drop(write!(client, "{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len()));
        }
    });
    url
}

#[test]
fn a_pull_from_an_api_that_gives_its_whole_list_whatever_page_is_asked_for_ends() {
    let lab = Lab::new();
    let url = list_without_pages(150, "");
    let ran = lab.run(&["ledger", "pull", "--base-url", &url, "--ledger", "l.db", "--rate", "500/s"]).ends(0);
    ran.says("150 customers seen, 150 of them new").says("the pull ended at page 2");
}

#[test]
fn a_pull_that_got_fewer_customers_than_the_api_counts_is_not_done() {
    let lab = Lab::new();
    let pull = |more: &str| {
        let url = list_without_pages(150, more);
        lab.run(&["ledger", "pull", "--base-url", &url, "--ledger", "l.db", "--rate", "500/s"]).ends(69)
    };
    pull(r#","pagination":{"total":151,"last_page":1}"#)
        .says("150 customers seen")
        .says("not all customers were learned: the API reports 1 more customer than it lists");
    pull(r#","pagination":{"last_page":7}"#).says("not all customers were learned: the API reports 7 pages");
}
