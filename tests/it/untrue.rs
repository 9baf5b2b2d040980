//! Every report is true, whatever answers: gateways that give up, servers that honour one rule
//! only, refusals in any words, bodies in any wrapping. Each test is one example of a kind.

use std::collections::BTreeSet;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::{HEADER, Lab, Ran, Server, email};
use crate::world::{Reply, World};
use testkit::import::Import;

/// Longer than any server here works on a request after its answer.
const SETTLE: [&str; 4] = ["--rate", "500/s", "--settle", "600ms"];

/// As long as the servers here work on after a gateway gave up.
const WORK: &str = "250ms";

fn import_args<'a>(server: &'a Server, more: &[&'a str]) -> Vec<&'a str> {
    [&["import", "in.csv", "--base-url", &server.url], &SETTLE[..], more].concat()
}

fn import(lab: &Lab, server: &Server, more: &[&str]) -> Ran {
    lab.run(&import_args(server, more))
}

/// Runs an import that must not take longer than this.
#[track_caller]
fn import_within(time: Duration, lab: &Lab, args: &[&str]) -> Ran {
    let begun = Instant::now();
    let mut child = lab.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    while child.try_wait().unwrap().is_none() {
        if begun.elapsed() > time {
            child.kill().unwrap();
            let ran = Ran::from(child.wait_with_output().unwrap());
            panic!("still running after {time:?}:\n{}", ran.stderr);
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ran::from(child.wait_with_output().unwrap())
}

/// Waits until the server works on nothing any more.
fn wait_for_the_work(server: &Server) {
    let count = |what: fn(&Value) -> bool| server.events().iter().filter(|event| what(event)).count();
    while count(|event| event["working"] == true) > count(|event| event["event"] == "done") {
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The ids in the report are those of the server.
#[track_caller]
fn has_the_ids_of(lab: &Lab, server: &Server) {
    let customers = server.customers();
    for row in lab.report() {
        assert_eq!(customers[&row["customer_email"]], [row["customer_id"].clone()]);
    }
}

fn keys(server: &Server) -> BTreeSet<String> {
    server.posts().iter().map(|post| post["key"].to_string()).collect()
}

#[test]
fn a1_a_gateway_that_gives_up_while_the_server_works_doubles_nobody() {
    for status in [500, 502, 503, 504, 520] {
        let lab = Lab::new();
        let fault = format!("gateway-{status}={WORK}:p*:first=2");
        let server = Server::start(&lab, &["--email-only", "--racy", "--fault", &fault]);
        lab.customers(6);
        import(&lab, &server, &[]).ends(0);
        wait_for_the_work(&server);
        assert_eq!(lab.statuses(), ["created"; 6], "{status}");
        server.has_each_once((0..6).map(email));
        has_the_ids_of(&lab, &server);
    }
}

#[test]
fn a1_nothing_is_sent_again_before_the_settle_time_after_a_gateways_answer() {
    for status in [500, 503, 504] {
        let lab = Lab::new();
        let server = Server::start(&lab, &["--fault", &format!("gateway-{status}={WORK}:first=1")]);
        lab.customers(6);
        import(&lab, &server, &[]).ends(0);
        let posts = server.posts();
        for n in 0..6 {
            let came = posts.iter().filter(|post| post["email"] == email(n)).map(|post| post["t"].as_f64().unwrap());
            let came: Vec<f64> = came.collect();
            // The settle time runs from just before the intent is synced, the server's clock from
            // when the request came.
            assert!(came.windows(2).all(|pair| pair[1] - pair[0] > 450.0), "{status}: {came:?}");
        }
        server.has_each_once((0..6).map(email));
    }
}

#[test]
fn a1_a_customer_whom_the_server_makes_after_a_gateways_answer_is_never_failed() {
    for status in [500, 503, 504] {
        let lab = Lab::new();
        let server = Server::start(&lab, &["--fault", &format!("gateway-{status}={WORK}")]);
        lab.customers(3);
        import(&lab, &server, &["--max-attempts", "1"]).ends(0);
        wait_for_the_work(&server);
        assert_eq!(lab.statuses(), ["created"; 3], "{status}");
        has_the_ids_of(&lab, &server);
    }
}

#[test]
fn a1_only_what_the_application_wrote_proves_that_its_work_is_over() {
    let message = |words: &str| json!({"message": words});
    let gateways = [
        Reply::page(500, "500 Internal Server Error"),
        Reply::page(503, "Application error"),
        Reply::json(500, &message("Internal Server Error")),
        Reply::json(500, &json!({"message": "Server Error", "request_id": "7"})),
        Reply::json(500, &json!({"status": "failed"})),
        Reply::json(503, &message("Server Error")),
        Reply::json(503, &message("Service Unavailable")).with("retry-after", 1),
    ];
    let application = [
        Reply::json(500, &message("Server Error")),
        Reply::json(500, &json!({"status": "failed", "status_code": 500, "message": "Request failed."})),
    ];
    for (replies, keys) in [(&gateways[..], 1), (&application, 2)] {
        for reply in replies {
            let (lab, first) = (Lab::new(), reply.clone());
            let world = World::start(move |request, book| match request.is_post {
                true if request.nth == 1 => first.clone(),
                true => book.create(request),
                false => book.list_like(request),
            });
            lab.customers(1);
            world.import(&lab, &[]).ends(0);
            assert_eq!(lab.statuses(), ["created"], "{reply:?}");
            // After silence the same key; after a failure and proven absence a new one.
            assert_eq!((world.book.posts().len(), world.book.keys().len()), (2, keys), "{reply:?}");
        }
    }
}

#[test]
fn a2_a_lost_answer_and_a_conflict_in_unknown_words_end_created() {
    let lab = Lab::new();
    let world = World::start(|request, book| match request.is_post {
        true if request.nth == 1 => {
            book.add(request, None);
            Reply::Nothing
        }
        true => Reply::json(409, &json!({"message": "Email is in use"})),
        false => book.list_like(request),
    });
    lab.customers(1);
    world.import(&lab, &[]).ends(0);
    assert_eq!(lab.statuses(), ["created"]);
    assert_eq!(lab.report()[0]["customer_id"], "c-1");
}

#[test]
fn a2_a_second_request_that_is_refused_says_nothing_about_the_first() {
    for refusal in ["taken-409", "taken-words", "refuse-again"] {
        let done = Import::of(3)
            .server(&["--email-only"])
            .fault("reset-after:first=1")
            .fault(refusal)
            .ends(0)
            .reports(["created"; 3])
            .each_once();
        has_the_ids_of(&done.lab, &done.server);
    }
}

#[test]
fn a2_a_refusal_after_a_doubt_stays_a_doubt_where_nobody_can_look() {
    let lab = Lab::new();
    let faults = ["--email-only", "--no-lookup", "--fault", "reset-after:first=1", "--fault", "refuse-again"];
    let server = Server::start(&lab, &faults);
    lab.customers(2);
    lab.import(&server, &[]).ends(4);
    assert_eq!(lab.statuses(), ["in_doubt"; 2]);
    assert!(lab.report().iter().all(|row| row["error"].contains("phone")), "the server's words: {:?}", lab.report());
    server.has_each_once((0..2).map(email));
}

#[test]
fn a2_a_refusal_after_a_doubt_stands_once_nobody_is_found_twice() {
    let done = Import::of(2).fault("reset-before:first=1").fault("422").ends(1).reports(["rejected"; 2]);
    let lookups = done.server.requests() - done.server.posts().len();
    assert!(lookups >= 4, "{lookups}");
}

#[test]
fn a5_a_server_that_honours_only_keys_and_fails_after_the_save_has_one_customer() {
    for blind in [&["--no-lookup"][..], &["--fault", "lookup-403"]] {
        let done = Import::of(2)
            .server(&[&["--key-only", "--fault", "500-after"], blind].concat())
            .ends(4)
            .reports(["in_doubt"; 2])
            .each_once();
        assert_eq!(keys(&done.server).len(), 2, "{blind:?}: one key for each");
        // The next night cannot know more.
        done.again(&[]).ends(4);
        done.server.has_each_once((0..2).map(email));
    }
}

#[test]
fn a5_with_look_ups_a_server_that_honours_only_keys_has_one_customer_and_tells_its_id() {
    for fault in ["500-after", "error-400-after", "seven-after"] {
        let done = Import::of(2).server(&["--key-only"]).fault(&format!("{fault}:first=1")).ends(0);
        assert_eq!(done.server.posts().len(), 2, "{fault}");
        done.server.has_each_once((0..2).map(email));
        has_the_ids_of(&done.lab, &done.server);
    }
}

#[test]
fn a5_who_trusts_the_unique_email_gets_a_new_key_after_a_stored_failure() {
    let done = Import::of(1)
        .server(&["--no-lookup"])
        .fault("500:first=1")
        .with(&["--trust-unique-email"])
        .ends(0)
        .reports(["created"]);
    assert_eq!(keys(&done.server).len(), 2);
}

#[test]
fn a6_an_email_that_the_api_has_and_does_not_list_is_rejected_with_that_reason() {
    let done = Import::of(3)
        .fault("soft-deleted:p1@example.com")
        .ends(1)
        .says("does not list it")
        .reports(["created", "rejected", "created"]);
    let row = &done.lab.report()[1];
    assert_eq!(row["error_code"], "api.email_exists");
    assert!(row["error"].contains("does not list it"), "{row:?}");
    done.again(&[]).ends(1);
    assert_eq!(done.lab.statuses()[1], "rejected", "the next night, too");
}

#[test]
fn a6_a_server_that_refuses_by_a_folded_compare_and_lists_by_an_exact_one_has_nobody() {
    let lab = Lab::new();
    let world = World::start(|request, book| {
        let refusal = json!({"status": "failed", "status_code": 422, "message": "Request failed.",
            "data": {"customer_email": ["Customer email already exists."]}});
        match request.is_post {
            true if request.email == "jose@example.com" => book.create(request),
            true => Reply::json(422, &refusal),
            false => book.list(|customer| customer.email == request.email),
        }
    });
    lab.write("in.csv", format!("{HEADER}\nJose,jose@example.com,+4917612345001,DEU\n"));
    world.import(&lab, &[]).ends(0);
    lab.write("in.csv", format!("{HEADER}\nJosé,josé@example.com,+4917612345002,DEU\n"));
    world.import(&lab, &[]).ends(1).says("does not list it");
    assert_eq!(lab.statuses(), ["rejected"]);
    assert_eq!(lab.report()[0]["customer_id"], "");
    assert_eq!(world.book.customers().len(), 1);
}

#[test]
fn a7_a_customer_of_long_ago_exists_and_was_not_created_now() {
    let lab = Lab::new();
    let world = World::start(|request, book| match request.is_post {
        true => {
            // A unique violation that the server does not handle.
            if book.customers().is_empty() {
                book.add(request, Some("2024-05-01T10:00:00.000000Z"));
            }
            Reply::json(500, &json!({"message": "Server Error"}))
        }
        false => book.list_like(request),
    });
    lab.customers(1);
    world.import(&lab, &[]).ends(0);
    assert_eq!(lab.statuses(), ["exists"]);
    assert_eq!(lab.report()[0]["customer_id"], "c-1");
}

/// Refusals that may mean "exists", in words that no list of words has.
fn refusals_about_the_email() -> Vec<(u16, Value)> {
    let message = |words: &str| json!({"message": words});
    let field =
        |words: &str| json!({"status": "error", "message": "Validation failed", "errors": {"customer_email": [words]}});
    vec![
        (409, message("Email is in use")),
        (409, message("customer_email must be unique")),
        (409, message("Diese E-Mail-Adresse wird bereits verwendet.")),
        (409, message("重复的客户")),
        (409, json!({})),
        (422, field("Diese E-Mail-Adresse wird bereits verwendet.")),
        (422, field("must be unique")),
        (400, field("El correo electrónico ya está en uso.")),
    ]
}

#[test]
fn a8_a_refusal_about_the_email_in_any_words_is_looked_up_and_exists() {
    for (status, body) in refusals_about_the_email() {
        let (lab, told) = (Lab::new(), format!("{status} {body}"));
        let world = World::start(move |request, book| match request.is_post {
            true => {
                // The customer was there before.
                if book.customers().is_empty() {
                    book.add(request, None);
                }
                Reply::json(status, &body)
            }
            false => book.list_like(request),
        });
        lab.customers(1);
        world.import(&lab, &[]).ends(0);
        assert_eq!(lab.statuses(), ["exists"], "{told}");
        assert_eq!(lab.report()[0]["customer_id"], "c-1", "{told}");
        assert_eq!(world.book.posts().len(), 1, "{told}");
    }
}

#[test]
fn a8_a_conflict_in_unknown_words_is_believed_absent_only_when_seen_twice() {
    let lab = Lab::new();
    let world = World::start(|request, book| match request.is_post {
        true => Reply::json(409, &json!({"message": "Conflict"})),
        false => book.list_like(request),
    });
    lab.customers(1);
    world.import(&lab, &[]).ends(1);
    assert_eq!(lab.statuses(), ["rejected"]);
    assert_eq!(world.book.posts().len(), 1);
    assert!(world.book.lookups() >= 2, "{}", world.book.lookups());
}

#[test]
fn a9_one_record_that_the_server_refuses_does_not_end_the_run() {
    for status in [402, 404, 405, 413, 414, 415, 431] {
        let done = Import::of(6).fault(&format!("{status}:p3@example.com")).with(&["--concurrency", "1"]).ends(1);
        let expected = ["created", "created", "created", "rejected", "created", "created"];
        assert_eq!(done.lab.statuses(), expected, "{status}");
        assert_eq!(done.lab.report()[3]["error_code"], "api.refused", "{status}");
        // The next night goes on behind it.
        done.lab.customers(8);
        done.again(&[]).ends(1);
        done.server.has_each_once((0..8).filter(|n| *n != 3).map(email));
    }
}

#[test]
fn a9_a_record_that_is_too_large_is_rejected_even_if_it_is_the_first() {
    for status in [413, 414, 431] {
        Import::of(3).fault(&format!("{status}:p0@example.com")).ends(1).reports(["rejected", "created", "created"]);
    }
}

#[test]
fn a10_a_firewalls_page_refuses_records_and_not_the_run() {
    let lab = Lab::new();
    let faults = ["--fault", "403-page:p0@*", "--fault", "403-page:p1@*", "--fault", "403-page:p2@*"];
    let server = Server::start(&lab, &faults);
    lab.customers(8);
    lab.import(&server, &[]).ends(1);
    let statuses = lab.statuses();
    assert_eq!(statuses[..3], ["rejected"; 3]);
    assert_eq!(statuses[3..], ["created"; 5]);
    assert!(lab.report()[..3].iter().all(|row| row["error_code"] == "api.refused"));
    server.has_each_once((3..8).map(email));
    lab.import(&server, &[]).ends(1);
    assert_eq!(lab.statuses()[..3], ["rejected"; 3], "the second night, too");
}

#[test]
fn a10_one_record_that_is_forbidden_among_many_nights_is_rejected() {
    let done = Import::of(3).fault("403:p3@*").ends(0);
    done.lab.customers(4);
    done.again(&[]).ends(1);
    assert_eq!(done.lab.statuses()[3], "rejected");
}

#[test]
fn a10_three_different_records_that_the_api_forbids_are_a_matter_of_credentials() {
    let done = Import::of(8).fault("403").with(&["--concurrency", "1"]).ends(77).reports(["not_attempted"; 8]);
    let asked: BTreeSet<_> = done.server.posts().iter().map(|post| post["email"].to_string()).collect();
    assert_eq!((asked.len(), done.server.posts().len()), (3, 3));
}

#[test]
fn a11_an_endpoint_that_is_gone_or_wants_something_else_settles_no_record() {
    for status in [410, 419, 421, 426] {
        let done = Import::of(20).fault(&status.to_string()).ends(78).reports(["not_attempted"; 20]);
        assert_eq!(done.server.posts().len(), 1, "{status}");
    }
}

#[test]
fn a11_an_endpoint_that_goes_away_in_mid_run_settles_no_record() {
    for status in [402, 404, 410, 419, 426] {
        let lab = Lab::new();
        // Every row from the second on.
        let faults: Vec<String> = (1..10).map(|n| format!("{status}:p{n}@*")).collect();
        let faults: Vec<&str> = faults.iter().flat_map(|fault| ["--fault", fault]).collect();
        let server = Server::start(&lab, &faults);
        lab.customers(10);
        lab.import(&server, &["--concurrency", "1"]).ends(78);
        let statuses = lab.statuses();
        assert_eq!(statuses[0], "created", "{status}");
        assert_eq!(statuses[1..], ["not_attempted"; 9], "{status}");
        assert_eq!(server.posts().len(), 4, "{status}: three different ones in a row are enough");
    }
}

#[test]
fn a13_a_stop_that_comes_while_the_last_of_a_limit_are_in_flight_wins() {
    for (fault, code, last) in [("401", 77, "not_attempted"), ("redirect", 78, "in_doubt")] {
        Import::of(5).fault(&format!("{fault}:p1@*")).with(&["--limit", "2"]).ends(code).reports([
            "created",
            last,
            "not_attempted",
            "not_attempted",
            "not_attempted",
        ]);
    }
}

#[test]
#[cfg(unix)]
fn a13_a_signal_that_comes_while_the_last_of_a_limit_are_in_flight_wins() {
    let lab = Lab::new();
    let server = Server::start(&lab, &["--fault", "slow=800ms:p1@*"]);
    lab.customers(5);
    let args = lab.import_args(&server, &["--limit", "2"]);
    let mut import = lab.command(&args);
    let child = import.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    server.wait_for_posts(2);
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    Ran::from(child.wait_with_output().unwrap()).ends(143);
    assert_eq!(lab.statuses()[..2], ["created", "created"], "what is in flight is waited for");
}

#[test]
fn a16_packed_answers_and_notices_around_the_json_are_read() {
    let worlds =
        [&["--packed"][..], &["--notices"], &["--packed", "--notices"], &["--fault", "gzip"], &["--fault", "notice"]];
    for world in worlds {
        let done = Import::of(10).server(world).ends(0);
        assert_eq!(done.lab.statuses(), ["created"; 10], "{world:?}");
        assert_eq!(done.server.posts().len(), 10, "{world:?}");
        has_the_ids_of(&done.lab, &done.server);
    }
}

#[test]
fn a16_look_ups_and_refusals_are_read_too() {
    for wrapping in ["--packed", "--notices"] {
        let lab = Lab::new();
        let faults = ["--email-only", "--fault", "reset-after:p1@*:first=1", "--fault", "422:p2@*"];
        let server = Server::start(&lab, &[&faults[..], &[wrapping]].concat());
        lab.customers(3);
        lab.import(&server, &[]).ends(1);
        assert_eq!(lab.statuses(), ["created", "created", "rejected"], "{wrapping}");
        assert_eq!(lab.report()[2]["error_code"], "api.field_rejected", "{wrapping}");
    }
}

#[test]
fn a17_a_pause_that_is_written_as_a_time_ends_at_that_time() {
    for fault in ["throttle-unix=2s", "throttle-millis=2s", "unavailable=2s"] {
        let lab = Lab::new();
        let server = Server::start(&lab, &["--fault", &format!("{fault}:p1@*:first=1")]);
        lab.customers(4);
        let args = lab.import_args(&server, &["--concurrency", "1"]);
        import_within(Duration::from_secs(30), &lab, &args).ends(0);
        assert_eq!(lab.statuses(), ["created"; 4], "{fault}");
        let events = server.events();
        let struck = events.iter().find(|event| event["fault"] == fault).unwrap()["t"].as_f64().unwrap();
        let mut after = events.iter().filter(|event| event["event"] == "received");
        let next = after.find_map(|event| event["t"].as_f64().filter(|time| *time > struck)).unwrap();
        assert!((1_500.0..10_000.0).contains(&(next - struck)), "{fault}: {} ms", next - struck);
    }
}

#[test]
fn a22_words_of_refusal_in_a_success_are_a_refusal() {
    let done = Import::of(4).fault("error-200:p1@*").ends(1).reports(["created", "rejected", "created", "created"]);
    assert!(done.lab.report()[1]["error"].contains("This customer cannot be accepted."), "{:?}", done.lab.report()[1]);
    assert_eq!(done.server.posts().len(), 4, "one request each");
    done.again(&[]).ends(1);
    assert_eq!(done.server.posts().len(), 4, "the next night sends nothing");
}
