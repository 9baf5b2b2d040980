//! Two runs on one ledger, started together: one runs, the other leaves.

use std::collections::HashMap;
use std::process::{Child, Stdio};
use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::{HEADER, Lab, Ran, Server, email, exit_code};
use crate::world::{Customer, Reply, World};

const ROWS: usize = 20;

/// Two imports at once, of which the second names the ledger in its own way; gives their exit codes
/// when both have ended. The winner is slow enough (twenty rows, two at a time, 100 ms each) to be
/// at work still when the loser leaves, and that is checked.
fn race(ledgers: [&str; 2], prepare: impl Fn(&Lab)) -> (Lab, Server) {
    let lab = Lab::new();
    let server = Server::start(&lab, &["--latency", "100ms"]);
    lab.customers(ROWS);
    prepare(&lab);
    let mut runs = ledgers.map(|ledger| start(&lab, &server, ledger));
    let begun = Instant::now();
    let loser = loop {
        let ended = runs.iter_mut().position(|run| run.try_wait().unwrap().is_some());
        if let Some(ended) = ended {
            break ended;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "nobody left");
        std::thread::yield_now();
    };
    assert!(runs[1 - loser].try_wait().unwrap().is_none(), "both ended at once");
    assert_eq!(exit_code(runs[loser].wait().unwrap()), 5);
    assert_eq!(exit_code(runs[1 - loser].wait().unwrap()), 0);
    server.has_each_once((0..ROWS).map(email));
    assert_eq!(server.posts().len(), ROWS, "one request each, and none by the loser");
    (lab, server)
}

fn start(lab: &Lab, server: &Server, ledger: &str) -> Child {
    let args = lab.import_args(server, &["--ledger", ledger, "--concurrency", "2"]);
    lab.command(&args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

#[test]
fn of_two_runs_started_at_once_one_leaves_and_nobody_is_doubled() {
    for _ in 0..5 {
        race(["l.db", "l.db"], |_| {});
    }
}

#[cfg(unix)]
#[test]
fn a_ledger_by_another_name_is_the_same_ledger() {
    type Way = (&'static str, fn(&Lab));
    let ways: [Way; 3] = [
        ("link.db", |lab| std::os::unix::fs::symlink("l.db", lab.path("link.db")).unwrap()),
        ("folder/l.db", |lab| std::os::unix::fs::symlink(lab.path(""), lab.path("folder")).unwrap()),
        ("./state/../l.db", |lab| std::fs::create_dir_all(lab.path("state")).unwrap()),
    ];
    for (other, make) in ways {
        race(["l.db", other], make);
    }
}

/// The name that the file has when the second run comes is another one than when the first came.
#[cfg(unix)]
#[test]
fn a_link_that_led_to_nothing_when_the_first_run_began_is_the_same_ledger() {
    let lab = Lab::new();
    let server = Server::start(&lab, &["--latency", "100ms"]);
    lab.customers(ROWS);
    std::os::unix::fs::symlink("l.db", lab.path("link.db")).unwrap();
    let mut first = start(&lab, &server, "link.db");
    server.wait_for_posts(1);
    assert_eq!(exit_code(start(&lab, &server, "link.db").wait().unwrap()), 5);
    assert_eq!(exit_code(first.wait().unwrap()), 0);
    assert_eq!(server.posts().len(), ROWS, "one request each, and none by the loser");
}

#[cfg(unix)]
#[test]
fn a_ledger_with_two_hard_links_is_refused() {
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    lab.customers(ROWS);
    lab.write("l.db", "");
    std::fs::hard_link(lab.path("l.db"), lab.path("m.db")).unwrap();
    let ran = Ran::of(&mut lab.command(&lab.import_args(&server, &["--ledger", "m.db"])));
    ran.ends(78);
    assert!(server.posts().is_empty());
}

/// The server checks, waits and saves, and calls both e-mails of a pair equal: requests that
/// overlap make two customers. It waits until the other request of the pair is there, if it comes
/// at all.
#[test]
fn a_server_that_calls_two_e_mails_equal_never_gets_both_at_once() {
    const PAIRS: usize = 10;
    const PATIENCE: Duration = Duration::from_millis(200);
    let folded = |email: &str| email.replace('é', "e");
    let at_work = (Mutex::new(HashMap::<String, usize>::new()), Condvar::new());
    let world = World::start(move |request, book| {
        let is_same = |customer: &Customer| folded(&customer.email) == folded(&request.email);
        if !request.is_post {
            return book.list(is_same);
        }
        let is_taken = book.customers().iter().any(is_same);
        let (count, came) = &at_work;
        let mut count = count.lock().unwrap();
        *count.entry(folded(&request.email)).or_default() += 1;
        came.notify_all();
        let is_alone = |count: &mut HashMap<String, usize>| count[&folded(&request.email)] < 2;
        let (mut count, _) = came.wait_timeout_while(count, PATIENCE, is_alone).unwrap();
        if !is_alone(&mut count) {
            drop(count);
            return book.create(request);
        }
        count.remove(&folded(&request.email));
        match is_taken {
            true => Reply::json(400, &json!({"status": "failed", "status_code": 400, "message": TAKEN})),
            false => book.create(request),
        }
    });
    let lab = Lab::new();
    let pair = |n: usize| {
        let row = |email: String| format!("Person {n},{email},+4917612345{n:03},DEU\n");
        [row(format!("jose{n}@example.com")), row(format!("josé{n}@example.com"))].concat()
    };
    lab.write("in.csv", format!("{HEADER}\n{}", (0..PAIRS).map(pair).collect::<String>()));
    let ran = world.import(&lab, &[]);
    assert_eq!(world.book.customers().len(), PAIRS, "one of each pair, and no second one");
    ran.ends(0);
    let statuses = lab.statuses();
    assert_eq!(statuses.iter().filter(|status| *status == "created").count(), PAIRS, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| *status == "exists").count(), PAIRS, "{statuses:?}");
    let warned = lab.report().into_iter().filter(|row| row["warning"].contains("lookup.other_spelling")).count();
    assert_eq!(warned, PAIRS);
}

const TAKEN: &str = "The customer email has already been taken.";
