//! A server that answers with informational responses (1xx) and never with a final one.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::harness::{FAST, HEADER, Lab, Ran};
use crate::world::{Book, Reply, Request, World};

/// How many records there are beside the one with the chain, and how many of them come before it.
const OTHERS: usize = 30;
const CHAIN: usize = 5;

/// A pause between two bursts of the chain. Without one, the chain comes over loopback faster than
/// a debug build reads it.
const PAUSE: Duration = Duration::from_millis(1);

/// Answers the first request for an e-mail that begins with `chain` with this, and creates all
/// others.
fn world_with(chain: Reply) -> World {
    World::start(move |request: &Request, book: &Book| match request {
        _ if !request.is_post => book.list_like(request),
        _ if request.email.starts_with("chain") && request.nth == 1 => chain.clone(),
        _ => book.create(request),
    })
}

/// A chain that a debug build reads with little processor time, so only `--timeout` ends it.
fn world(informational: &str) -> World {
    world_with(Reply::Endless(informational.repeat(100).into_bytes(), PAUSE))
}

fn lab() -> Lab {
    let lab = Lab::new();
    let row = |email: String| format!("Ada,{email}@example.com,+4917612345678,DEU\n");
    let rows = |numbers: std::ops::Range<usize>| numbers.map(|n| row(format!("other{n}"))).collect::<String>();
    // The first request of a run is alone, so the chain begins later.
    let (before, after) = (rows(0..CHAIN), rows(CHAIN..OTHERS));
    lab.write("in.csv", format!("{HEADER}\n{before}{}{after}", row("chain".to_owned())));
    lab
}

fn import(lab: &Lab, world: &World, more: &[&str]) -> Child {
    let args = [&["import", "in.csv", "--base-url", &world.url], &FAST[..], more].concat();
    lab.command(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// The most memory that the process had up to now, in KiB.
fn peak(child: &Child) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse().ok())
}

/// How it ended, and the most memory that it had.
#[track_caller]
fn ended(mut child: Child) -> (Ran, u64) {
    let (begun, mut most) = (Instant::now(), 0);
    while child.try_wait().unwrap().is_none() {
        most = peak(&child).unwrap_or_default().max(most);
        assert!(begun.elapsed() < Duration::from_secs(60), "it never ended");
        std::thread::sleep(Duration::from_millis(5));
    }
    (Ran::from(child.wait_with_output().unwrap()), most)
}

fn interrupt(child: &Child) {
    kill_process(Pid::from_child(child), Signal::INT).unwrap();
}

#[track_caller]
fn soon(what: &str, is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_secs(60), "{what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn an_endless_chain_of_1xx_answers_is_a_silence_of_that_record_and_needs_no_memory() {
    let lab = lab();
    let plain =
        World::start(|request, book| if request.is_post { book.create(request) } else { book.list_like(request) });
    let (_, usual) = ended(import(&lab, &plain, &["--ledger", "plain.db"]));
    for informational in [
        "HTTP/1.1 100 Continue\r\n\r\n",
        "HTTP/1.1 103 Early Hints\r\nlink: </style.css>; rel=preload; as=style\r\n\r\n",
    ] {
        let world = world(informational);
        let ledger = format!("{}.db", &informational[9..12]);
        let begun = Instant::now();
        let (ran, most) = ended(import(&lab, &world, &["--ledger", &ledger, "--timeout", "2s"]));
        ran.ends(0);
        assert!((2..30).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
        let report = lab.report();
        assert_eq!(report[CHAIN]["status"], "created");
        let posts = world.book.posts();
        assert_eq!((posts.len(), report[CHAIN]["attempts"].as_str()), (OTHERS + 2, "2"));
        assert!(posts.last().unwrap().email.starts_with("chain"), "the others waited for the chain");
        assert_eq!(world.book.keys().len(), OTHERS + 1, "the same key after a silence");
        assert!(world.book.repeated() > 1 << 19, "{} bytes are not a chain", world.book.repeated());
        assert!(most < usual + 16 * 1024, "{most} KiB, and {usual} KiB without a chain");
    }
}

#[test]
fn a_signal_is_heard_during_an_endless_chain_of_1xx_answers() {
    for (timeout, signals) in [("2s", 1), ("75s", 2)] {
        let (lab, world) = (lab(), world("HTTP/1.1 102 Processing\r\n\r\n"));
        let run = import(&lab, &world, &["--timeout", timeout, "--concurrency", "1"]);
        soon("no chain began", || world.book.repeated() > 0);
        let begun = Instant::now();
        for _ in 0..signals {
            interrupt(&run);
            // Two at once count as one.
            std::thread::sleep(Duration::from_millis(200));
        }
        let (ran, _) = ended(run);
        ran.ends(130);
        assert!(begun.elapsed() < Duration::from_secs(20), "{timeout}: {:?}", begun.elapsed());
    }
}

#[test]
fn a_chain_that_takes_a_whole_core_is_ended_long_before_the_timeout_and_the_others_go_on() {
    let lab = lab();
    let world = world_with(Reply::Endless("HTTP/1.1 102 Processing\r\n\r\n".repeat(2000).into_bytes(), Duration::ZERO));
    // Nothing but the end of the chain can end this run before `--timeout`.
    let ran = world.import(&lab, &["--timeout", "10m", "--log-format", "json", "-v"]).ends(0);
    let ran = ran.says("interim responses without end");
    let report = lab.report();
    assert!(report.iter().all(|row| row["status"] == "created"), "{report:?}");
    assert_eq!(report[CHAIN]["attempts"], "2", "{ran:?}");
    assert_eq!(world.book.keys().len(), OTHERS + 1, "the same key after a silence");
}

#[test]
fn a_slow_answer_after_many_interim_responses_is_waited_for() {
    let lab = lab();
    let world = world_with(Reply::Interim("HTTP/1.1 102 Processing\r\n\r\n".into(), Duration::from_millis(100), 50));
    world.import(&lab, &["--timeout", "10m"]).ends(0);
    let report = lab.report();
    assert_eq!((report[CHAIN]["status"].as_str(), report[CHAIN]["attempts"].as_str()), ("created", "1"));
    assert_eq!(world.book.posts().len(), OTHERS + 1);
}
