//! `status FILE`: what the API says of a file's customers is asked in the cheaper way, at the pace,
//! kept whatever happens, and never in the way of an import.

use std::collections::HashSet;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::harness::{FAST, HEADER, Lab, Ran, Server, customers, exit_code, wait_until};
use crate::world::{Book, Reply, Request, World};

const LEDGER: [&str; 2] = ["--ledger", "l.db"];

fn args<'a>(url: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["status", "in.csv", "--base-url", url, "--rate", "500/s"], &LEDGER[..], more].concat()
}

fn status(lab: &Lab, url: &str, more: &[&str]) -> Ran {
    lab.run(&args(url, more))
}

/// The finding of `--json`.
fn found(lab: &Lab, url: &str, code: i32) -> Value {
    status(lab, url, &["--json"]).ends(code).summary()
}

fn report(lab: &Lab, url: &str, file: &str) {
    lab.run(&[&["report", "in.csv", "--base-url", url, "--report", file], &LEDGER[..]].concat());
}

/// A list of so many customers a page, with a KYC status that depends on the e-mail.
fn listed(request: &Request, book: &Book, status: impl Fn(&str) -> &'static str) -> Reply {
    let all: Vec<_> = book.customers().into_iter().filter(|one| one.email.contains(&request.email)).collect();
    let rows = all.iter().skip((request.page - 1) * request.per_page).take(request.per_page);
    let row = |one: &crate::world::Customer| json!({"customer_id": one.id, "customer_email": one.email, "customer_kyc_status": status(&one.email)});
    let rows: Vec<_> = rows.map(row).collect();
    let last = all.len().div_ceil(request.per_page).max(1);
    let pagination =
        json!({"total": all.len(), "per_page": request.per_page, "current_page": request.page, "last_page": last});
    Reply::json(200, &json!({"status": "success", "status_code": 200, "data": rows, "pagination": pagination}))
}

/// An API that creates customers and lists them. `before` may answer instead.
fn api(before: impl Fn(&Request) -> Option<Reply> + Send + Sync + 'static) -> World {
    World::start(move |request, book| match before(request) {
        Some(reply) => reply,
        None if request.is_post => book.create(request),
        None => listed(request, book, |email| if email == "p1@example.com" { "pending" } else { "approved" }),
    })
}

/// The same, with so many customers of `in.csv` already in it.
fn imported(lab: &Lab, api: &World, count: usize) {
    lab.customers(count);
    api.import(lab, &[&LEDGER[..], &["--concurrency", "32"]].concat()).ends(0);
}

#[test]
fn the_reports_show_each_status_and_when_it_was_asked_for_and_only_then() {
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    lab.write("in.csv", customers(3) + "Bad,bad.example.com,+4917612345000,DEU\n");
    lab.import(&server, &LEDGER).ends(1);
    assert!(!lab.read("in.report.csv").contains("kyc_checked_at"), "nobody has asked yet");
    let before = jiff::Timestamp::now();
    let found = found(&lab, &server.url, 0);
    for (name, value) in
        [("records_read", 4), ("customers", 3), ("not_found", 0), ("left", 0), ("requests", 1), ("exit_code", 0)]
    {
        assert_eq!(found[name], value, "{name}: {found}");
    }
    assert_eq!(found["kyc_statuses"], json!({"not_started": 3}));
    // The next command works as it is printed.
    let bin = crate::harness::program().display().to_string();
    assert!(found["next_command"].as_str().unwrap().starts_with(&format!("{bin} report in.csv")), "{found}");
    lab.shell(found["next_command"].as_str().unwrap()).ends(1);
    let rows = lab.report();
    let asked: jiff::Timestamp = rows[0]["kyc_checked_at"].parse().unwrap();
    assert!(asked.duration_since(before).abs() < jiff::SignedDuration::from_secs(60), "{asked}");
    assert_eq!((rows[0]["kyc_status"].as_str(), rows[0]["tos_status"].as_str()), ("not_started", "pending"));
    assert_eq!(rows[3]["kyc_checked_at"], "", "an invalid row is nobody's");
    report(&lab, &server.url, "out.html");
    let page = lab.read("out.html");
    assert!(page.contains("<dt>KYC status</dt><dd>3 not_started <small>asked 20"), "{page}");
    let with_links = ["report", "in.csv", "--base-url", &server.url, "--report", "links.html", "--include-links"];
    lab.run(&[&with_links, &LEDGER[..]].concat());
    let page = lab.read("links.html");
    let cell =
        format!("<td>not_started <small>{}</small></td><td><code>https://", asked.strftime("%Y-%m-%d %H:%M:%S UTC"));
    assert!(page.contains(&cell), "{cell} in {page}");
    assert_eq!(server.posts().len(), 3, "nobody was created");
}

#[test]
fn a_status_that_changed_is_shown_and_what_the_list_does_not_say_stays() {
    let lab = Lab::new();
    let api = api(|_| None);
    imported(&lab, &api, 3);
    let found = found(&lab, &api.url, 0);
    assert_eq!((&found["kyc_statuses"], &found["without_status"]), (&json!({"approved": 2, "pending": 1}), &json!(0)));
    report(&lab, &api.url, "out.ndjson");
    let lines: Vec<Value> = lab.read("out.ndjson").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&lines[1]["kyc_status"], &lines[2]["kyc_status"]), (&json!("pending"), &json!("approved")));
    assert!(lines[1]["kyc_checked_at"].is_string() && lines[1]["tos_status"].is_null());
    status(&lab, &api.url, &[]).ends(0).says("3 customers of 3 records").says("2  approved").says("1  pending");
    // The ledger shows it for one customer too.
    let show = |more: &[&str]| {
        let args = ["ledger", "show", "p1@example.com", "--base-url", &api.url];
        lab.run(&[&args, &LEDGER[..], more].concat()).ends(0)
    };
    let shown = show(&["--json"]).summary();
    assert_eq!(shown["kyc_status"], "pending");
    let asked: jiff::Timestamp = shown["kyc_checked_at"].as_str().unwrap().parse().unwrap();
    assert!(asked.duration_since(jiff::Timestamp::now()).abs() < jiff::SignedDuration::from_secs(60), "{asked}");
    show(&[]).says("  kyc_status: pending\n").says(&format!("  kyc_checked_at: {asked}\n"));
}

#[test]
fn the_cheaper_way_is_taken_and_told_before_it_starts() {
    let lab = Lab::new();
    let api = api(|_| None);
    imported(&lab, &api, 450);
    let requests = |count| api.book.lookups() - count;
    let before = api.book.lookups();
    let ran = status(&lab, &api.url, &[]).ends(0).says("asked with 5 requests");
    let told = "asking by pages or one by one: at most 451 requests, about 0.9 s at this pace";
    let then = "asking by pages: at most 4 requests, about 0.0 s at this pace";
    let (first, second) = (ran.stderr.find(told).unwrap(), ran.stderr.find(then).unwrap());
    assert!(first < second, "{}", ran.stderr);
    assert_eq!(requests(before), 5);
    // Of a few, the last ones of the list are asked for one by one.
    lab.write(
        "in.csv",
        customers(450).lines().take(1).chain(customers(450).lines().skip(448)).collect::<Vec<_>>().join("\n") + "\n",
    );
    let before = api.book.lookups();
    status(&lab, &api.url, &[]).ends(0).says("asking one by one: at most 3 requests").says("asked with 4 requests");
    assert_eq!(requests(before), 4);
    // As soon as all are found, no page is read any more.
    lab.customers(120);
    status(&lab, &api.url, &[]).ends(0).says("asked with 2 requests");
    lab.customers(1);
    status(&lab, &api.url, &[]).ends(0).says("asking one by one: at most 1 request,").says("asked with 1 request");
}

#[test]
fn a_pause_that_the_api_asks_for_is_waited_out_and_told() {
    let lab = Lab::new();
    let server = Server::start(&lab, &["--fault", "lookup-429:first=2"]);
    lab.customers(3);
    lab.import(&server, &LEDGER).ends(0);
    let ran = status(&lab, &server.url, &["--json"]).ends(0).says("the API asked for a pause of 1.0 s (429)");
    let found = ran.summary();
    assert_eq!((&found["throttled"], &found["requests"], &found["left"]), (&json!(2), &json!(3), &json!(0)));
}

#[test]
fn a_failing_request_is_tried_again_and_an_outage_ends_with_69_and_keeps_what_was_learnt() {
    let lab = Lab::new();
    let down = Arc::new(AtomicUsize::new(0));
    let state = Arc::clone(&down);
    let api = api(move |request| match state.load(Ordering::SeqCst) {
        1 if !request.is_post && request.page == 2 => Some(Reply::page(502, "Bad Gateway")),
        2 if !request.is_post => {
            state.store(0, Ordering::SeqCst);
            Some(Reply::Nothing)
        }
        _ => None,
    });
    imported(&lab, &api, 250);
    down.store(2, Ordering::SeqCst);
    assert_eq!(found(&lab, &api.url, 0)["requests"], 4, "one of three pages twice");
    down.store(1, Ordering::SeqCst);
    let ran = status(&lab, &api.url, &["--json", "--give-up-after", "500ms"]).ends(69).says("what was learnt is kept");
    let found_so_far = ran.summary();
    assert_eq!((&found_so_far["kyc_statuses"]["approved"], &found_so_far["left"]), (&json!(99), &json!(150)));
    assert!(found_so_far["stopped"].as_str().unwrap().contains("502"), "{found_so_far}");
    down.store(0, Ordering::SeqCst);
    let before = api.book.lookups();
    let ran = status(&lab, &api.url, &["--json"]).ends(0).says("continuing: 100 customers have their status");
    assert_eq!((&ran.summary()["customers"], &ran.summary()["left"]), (&json!(250), &json!(0)));
    assert_eq!(api.book.lookups() - before, 3, "the last page comes second");
    assert_eq!(found(&lab, &api.url, 0)["requests"], 3, "a finished inquiry begins anew");
}

#[test]
fn a_customer_for_whom_the_api_fails_again_and_again_does_not_hold_up_the_others() {
    let lab = Lab::new();
    let api = api(|request| {
        let is_broken = !request.is_post && request.email == "p1@example.com";
        let is_list = !request.is_post && request.email.is_empty();
        match (is_broken, is_list) {
            (true, _) => Some(Reply::json(500, &json!({"message": "Server Error"}))),
            // A full page that does not say how many there are.
            (_, true) => {
                let row =
                    |n: usize| json!({"customer_id": format!("x{n}"), "customer_email": format!("x{n}@example.org")});
                let rows: Vec<_> = (0..100).map(row).collect();
                Some(Reply::json(200, &json!({"status": "success", "data": rows})))
            }
            _ => None,
        }
    });
    imported(&lab, &api, 8);
    let found = found(&lab, &api.url, 1);
    assert_eq!((&found["unanswered"], &found["left"]), (&json!(1), &json!(0)), "{found}");
    assert_eq!(found["kyc_statuses"]["approved"], 7);
}

#[test]
fn a_token_that_is_refused_ends_with_77_after_one_request_that_asks_for_nobody() {
    let lab = Lab::new();
    let server = Server::start(&lab, &["--token", "test-token"]);
    lab.customers(3);
    lab.import(&server, &LEDGER).ends(0);
    let before = server.requests();
    let mut wrong = lab.command(&args(&server.url, &["--json"]));
    let ran = Ran::of(wrong.env("CUSTOMER_IMPORT_TOKEN", "an-old-token")).ends(77).says("what was learnt is kept");
    assert_eq!(ran.summary()["left"], 3);
    assert!(!ran.summary()["stopped"].as_str().unwrap().contains("hint"), "advice is no reason: {}", ran.stderr);
    assert_eq!(ran.stderr.matches("hint:").count(), 1, "{}", ran.stderr);
    assert!(!format!("{}{}", ran.stdout, ran.stderr).contains("an-old-token"));
    assert_eq!(server.requests() - before, 1);
}

#[test]
fn a_customer_that_the_api_no_longer_has_is_not_found_and_keeps_the_status_that_it_had() {
    let lab = Lab::new();
    let (gone, other) = ("p1@example.com", "p2@example.com");
    let api = World::start(move |request, book| {
        if request.is_post {
            return book.create(request);
        }
        let customers =
            book.customers().into_iter().filter(|one| one.email != gone && one.email.contains(&request.email));
        let row = |one: crate::world::Customer| {
            // Deleted and made anew: somebody else, as far as the ledger knows.
            let id = if one.email == other { "c-9".to_owned() } else { one.id };
            json!({"customer_id": id, "customer_email": one.email, "customer_kyc_status": "approved"})
        };
        let rows: Vec<_> = customers.map(row).collect();
        Reply::json(200, &json!({"status": "success", "status_code": 200, "data": rows}))
    });
    imported(&lab, &api, 4);
    let found = found(&lab, &api.url, 1);
    assert_eq!((&found["not_found"], &found["kyc_statuses"]), (&json!(2), &json!({"approved": 2})), "{found}");
    report(&lab, &api.url, "in.report.csv");
    let checked: Vec<_> = lab.report().into_iter().map(|row| row["kyc_checked_at"].is_empty()).collect();
    assert_eq!(checked, [false, true, true, false]);
    status(&lab, &api.url, &[]).ends(1).says("2  not found at the API");
}

#[test]
fn of_a_pipe_whose_rows_were_never_imported_no_copy_stays_behind() {
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    lab.customers(1);
    lab.import(&server, &LEDGER).ends(0);
    let args = args(&server.url, &[]).into_iter().map(|word| if word == "in.csv" { "-" } else { word });
    for (text, code) in [(format!("{HEADER}\nNew,new@example.com,+4917612345000,DEU\n"), 1), ("x,y\n1,2\n".into(), 65)]
    {
        let input = lab.write("new.csv", text);
        let mut status = lab.command(&args.clone().collect::<Vec<_>>());
        let ran = Ran::of(status.stdin(std::fs::File::open(&input).unwrap())).ends(code);
        let spool = std::fs::read_dir(lab.path("state/customer-import/spool"));
        assert_eq!(spool.map_or(0, Iterator::count), 0, "{}", ran.stderr);
        if let Some((_, hint)) = ran.stderr.split_once("import it first, by the same pipe: ") {
            lab.shell(&format!("cat new.csv | {}", hint.trim())).ends(0).says("1  created");
        }
    }
    assert_eq!(server.customers().len(), 2, "the hint works as it is printed");
}

#[test]
fn a_file_whose_rows_were_never_imported_asks_nobody_and_says_what_to_do_first() {
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    lab.customers(2);
    status(&lab, &server.url, &[]).ends(78).says("the ledger l.db does not exist");
    assert!(!lab.path("l.db").exists(), "a question makes no ledger");
    lab.import(&server, &LEDGER).ends(0);
    lab.write("in.csv", format!("{HEADER}\nNew,new@example.com,+4917612345000,DEU\n"));
    let before = server.requests();
    let ran = status(&lab, &server.url, &["--json"]).ends(1).says("import it first: ");
    assert_eq!((&ran.summary()["customers"], &ran.summary()["records_read"]), (&json!(0), &json!(1)));
    assert_eq!(server.requests(), before, "nothing was asked");
    let hint = ran.stderr.split("import it first: ").nth(1).unwrap().trim();
    lab.shell(hint).ends(0);
    assert_eq!(server.customers().len(), 3, "the hint works as it is printed: {hint}");
}

#[test]
fn a_ledger_that_lies_elsewhere_is_found() {
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    lab.customers(2);
    lab.import(&server, &LEDGER).ends(0);
    let ran = lab.run(&["status", "in.csv", "--base-url", &server.url, "--rate", "500/s"]).ends(78);
    let command = ran.stderr.split("another ledger knows customers of this target, ").nth(1).unwrap();
    let command = command.split_once(": ").unwrap().1.lines().next().unwrap();
    lab.shell(command).ends(0).says("2 customers of 2 records");
}

#[test]
fn an_inquiry_is_not_reported_as_an_import() {
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    lab.customers(2);
    lab.import(&server, &LEDGER).ends(0);
    let run = found(&lab, &server.url, 0)["run"].as_str().unwrap().to_owned();
    let report = |run: &str| {
        let of_run = ["report", "in.csv", "--base-url", &server.url, "--run", run];
        lab.run(&[&of_run[..], &LEDGER[..]].concat())
    };
    lab.import(&server, &[&LEDGER[..], &["--input-name", "status"]].concat()).ends(0);
    found(&lab, &server.url, 0);
    let of_name = ["report", "in.csv", "--base-url", &server.url, "--input-name", "status"];
    lab.run(&[&of_name[..], &LEDGER[..]].concat()).ends(0);
    report(&run).ends(2).says("asked for the KYC status of customers").says("--run last");
    report("last").ends(0);
}

#[test]
fn a_ctrl_c_keeps_what_was_learnt_and_the_same_command_goes_on() {
    let lab = Lab::new();
    let slow = Arc::new(AtomicUsize::new(0));
    let state = Arc::clone(&slow);
    let api = api(move |request| {
        if !request.is_post && request.page >= 3 && state.load(Ordering::SeqCst) == 1 {
            std::thread::sleep(Duration::from_secs(60));
        }
        None
    });
    imported(&lab, &api, 350);
    slow.store(1, Ordering::SeqCst);
    let before = api.book.lookups();
    let mut asking =
        lab.command(&args(&api.url, &["--json"])).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_until("no third page was asked for", || api.book.lookups() - before == 3);
    kill_process(Pid::from_child(&asking), Signal::INT).unwrap();
    let status_of_child = asking.wait().unwrap();
    assert_eq!(exit_code(status_of_child), 130);
    slow.store(0, Ordering::SeqCst);
    let found = found(&lab, &api.url, 0);
    assert_eq!(
        (&found["customers"], &found["left"], &found["requests"]),
        (&json!(350), &json!(0), &json!(3)),
        "{found}"
    );
    report(&lab, &api.url, "in.report.csv");
    assert!(lab.report().iter().all(|row| !row["kyc_checked_at"].is_empty()));
}

#[test]
fn a_killed_inquiry_leaves_a_ledger_that_the_next_one_goes_on_with() {
    let lab = Lab::new();
    let api = api(|request| {
        // The second page comes after answers are due to be written, the third never.
        match request.page {
            _ if request.is_post => {}
            2 => std::thread::sleep(Duration::from_millis(5_200)),
            3 => std::thread::sleep(Duration::from_secs(60)),
            _ => {}
        }
        None
    });
    imported(&lab, &api, 350);
    let before = api.book.lookups();
    let mut asking = lab.command(&args(&api.url, &[])).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    wait_until("no third page was asked for", || api.book.lookups() - before == 3);
    asking.kill().unwrap();
    asking.wait().unwrap();
    report(&lab, &api.url, "in.report.csv");
    let answered = lab.report().iter().filter(|row| !row["kyc_checked_at"].is_empty()).count();
    assert_eq!(answered, 200, "the pages before were written");
    let doctor = ["doctor", "--base-url", &api.url, "--rate", "500/s", "--ledger", "l.db"];
    lab.run(&doctor).says("free").says("whole");
}

#[cfg(target_os = "linux")]
#[test]
fn between_its_writes_an_inquiry_does_not_have_the_ledger_open() {
    let lab = Lab::new();
    let api = api(|request| {
        if !request.is_post {
            std::thread::sleep(Duration::from_secs(60));
        }
        None
    });
    imported(&lab, &api, 3);
    let mut asking = lab.command(&args(&api.url, &[])).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    wait_until("nothing was asked", || api.book.lookups() == 1);
    let files = std::fs::read_dir(format!("/proc/{}/fd", asking.id())).unwrap();
    let open = files.filter_map(|file| std::fs::read_link(file.unwrap().path()).ok());
    let of_ledger: Vec<_> = open.filter(|path| path.to_string_lossy().contains("l.db")).collect();
    asking.kill().unwrap();
    asking.wait().unwrap();
    assert!(of_ledger.is_empty(), "{of_ledger:?}");
}

#[test]
fn while_an_import_runs_nobody_is_asked() {
    let lab = Lab::new();
    let server = Server::start(&lab, &["--latency", "20ms"]);
    lab.customers(3);
    lab.import(&server, &LEDGER).ends(0);
    lab.write("more.csv", customers(300).replace(",p", ",q"));
    let import = |lab: &Lab| {
        let args = [&["import", "more.csv", "--base-url", &server.url, "--concurrency", "1"], &FAST[..], &LEDGER[..]];
        lab.command(&args.concat()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    };
    let mut importing = import(&lab);
    server.wait_for_posts(5);
    let gets =
        || server.events().iter().filter(|event| event["event"] == "received" && event["method"] == "GET").count();
    let ran = status(&lab, &server.url, &[]).ends(5);
    ran.says(&format!("process {}", importing.id()));
    assert_eq!(gets(), 0, "the pace is the import's");
    importing.kill().unwrap();
    importing.wait().unwrap();
}

#[test]
fn an_import_that_begins_during_an_inquiry_ends_the_inquiry_and_goes_on_and_creates_each_once() {
    let lab = Lab::new();
    let (has_begun, is_asking) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let (begun, asking) = (Arc::clone(&has_begun), Arc::clone(&is_asking));
    let api = api(move |request| {
        match (request.is_post, request.page) {
            (true, _) if asking.load(Ordering::SeqCst) => {
                begun.store(true, Ordering::SeqCst);
                std::thread::sleep(Duration::from_millis(30));
            }
            // The answer comes once an import has begun and the inquiry is due to look for one.
            (false, 2) if asking.load(Ordering::SeqCst) => {
                wait_until("no import began", || begun.load(Ordering::SeqCst));
                std::thread::sleep(Duration::from_millis(1_100));
            }
            _ => {}
        }
        None
    });
    imported(&lab, &api, 350);
    is_asking.store(true, Ordering::SeqCst);
    lab.write("more.csv", customers(100).replace(",p", ",q"));
    let before = api.book.lookups();
    let mut inquiry = lab.command(&args(&api.url, &["--json"]));
    let inquiry = inquiry.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_until("no second page was asked for", || api.book.lookups() - before == 2);
    let args = [&["import", "more.csv", "--base-url", &api.url, "--concurrency", "1"], &FAST[..], &LEDGER[..]].concat();
    let mut importing = lab.command(&args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let ran = Ran::from(inquiry.wait_with_output().unwrap()).ends(5);
    assert!(importing.try_wait().unwrap().is_none(), "the import goes on");
    let finding = ran.says(&format!("process {}", importing.id())).summary();
    assert_eq!((&finding["left"], &finding["not_kept"]), (&json!(150), &json!(200)), "{finding}");
    assert_eq!(exit_code(importing.wait().unwrap()), 0);
    assert_eq!(api.book.lookups() - before, 2, "nothing was asked beside the import");
    let created = api.book.customers();
    let emails: HashSet<_> = created.iter().map(|customer| &customer.email).collect();
    assert_eq!((created.len(), emails.len(), api.book.posts().len()), (450, 450, 450), "each once");
    // What the import did not let it keep, the next inquiry asks for again.
    is_asking.store(false, Ordering::SeqCst);
    let next = found(&lab, &api.url, 0);
    assert_eq!((&next["customers"], &next["left"], &next["not_kept"]), (&json!(350), &json!(0), &json!(0)), "{next}");
}
