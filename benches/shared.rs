//! How fast an import is with a shared ledger, beside the same import with a ledger file:
//! `cargo bench --bench shared`, or `ROWS=100000 NIGHT=1000000 cargo bench …`.
//!
//! The database syncs its log as the file does; it is reached by its socket, and by a proxy that
//! holds every byte back for a millisecond each way, as a network does. The server takes 20 ms for
//! each answer. Between two requests of a place in flight lies one commit, that of the second one's
//! intent, so a commit that takes long costs less the more places share it. All go in turns,
//! because machines are noisy, and the best of each is printed.
//!
//! With NIGHT so many customers are imported into a file first. Then each ledger is asked for all
//! of them again: that of the file, and, after `ledger move`, those of the database.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a tool for developers, not part of the program"
)]

use std::process::Stdio;
use std::time::{Duration, Instant};

use testkit::delay_proxy::DelayProxy;
use testkit::harness::{Lab, Server};
use testkit::postgres::{Cluster, Database};

const ROUNDS: usize = 3;
const AWAY: Duration = Duration::from_millis(1);
const KINDS: [&str; 3] = ["file", "database", "1 ms away"];

fn main() {
    let number = |name: &str| std::env::var(name).ok().and_then(|number| number.parse::<usize>().ok());
    let Some(cluster) = Cluster::that_syncs() else { return println!("PostgreSQL is not installed here") };
    let proxy = DelayProxy::before(cluster.socket(), AWAY);
    let rows = number("ROWS").unwrap_or(10_000);
    println!("{rows} rows, records a second, best of {ROUNDS}\n");
    println!("{:>8}  {:>12}  {:>12}  {:>12}", "places", KINDS[0], KINDS[1], KINDS[2]);
    for places in [8, 64, 256] {
        let mut best = [f64::MIN; 3];
        for _ in 0..ROUNDS {
            for (kind, best) in best.iter_mut().enumerate() {
                let database = cluster.database();
                let ledger = ledger(kind, &database, &proxy);
                *best = best.max(rows as f64 / new_customers(rows, places, &ledger).as_secs_f64());
            }
        }
        println!("{places:>8}  {:>10.0}/s  {:>10.0}/s  {:>10.0}/s", best[0], best[1], best[2]);
    }
    if let Some(rows) = number("NIGHT") {
        night(rows, cluster, &proxy);
    }
}

/// What `--ledger` takes for one of [`KINDS`].
fn ledger(kind: usize, database: &Database, proxy: &DelayProxy) -> String {
    match kind {
        0 => "l.db".to_owned(),
        1 => database.url(),
        _ => database.url_at(proxy.port),
    }
}

/// The time from the first request to the last answer.
fn new_customers(rows: usize, places: usize, ledger: &str) -> Duration {
    let lab = Lab::new();
    let server = Server::start(&lab, &["--latency", "20ms"]);
    lab.customers(rows);
    import(&lab, &server, places, ledger);
    let times: Vec<f64> = server.events().iter().map(|event| event["t"].as_f64().unwrap()).collect();
    Duration::from_secs_f64((times[times.len() - 1] - times[0]) / 1000.0)
}

/// Returns the most memory that it took, in MiB.
fn import(lab: &Lab, server: &Server, places: usize, ledger: &str) -> f64 {
    let args =
        ["import", "in.csv", "--base-url", &server.url, "--rate", "1000000/s", "--ledger", ledger, "--concurrency"];
    let mut command = lab.command(&[&args[..], &[&places.to_string()]].concat());
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let mut most_memory = 0;
    let ended = loop {
        if let Some(ended) = child.try_wait().unwrap() {
            break ended;
        }
        most_memory = most_memory.max(peak_memory(child.id()));
        std::thread::sleep(Duration::from_millis(20));
    };
    assert!(ended.success(), "{ended}");
    most_memory as f64 / 1024.0
}

/// In KiB; 0 if the system does not tell.
fn peak_memory(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    line.split_whitespace().next().and_then(|number| number.parse().ok()).unwrap_or_default()
}

fn night(rows: usize, cluster: &'static Cluster, proxy: &DelayProxy) {
    let (lab, database) = (Lab::new(), cluster.database());
    let server = Server::start(&lab, &[]);
    lab.customers(rows);
    let timed = |what: &str, work: &dyn Fn() -> f64| {
        let begun = Instant::now();
        let memory = work();
        println!("{what:<42} {:>8.1} s  {memory:>6.1} MiB", begun.elapsed().as_secs_f64());
    };
    println!("\n{rows} customers");
    timed("imported into a file", &|| import(&lab, &server, 64, "l.db"));
    timed("again, all known: file", &|| import(&lab, &server, 64, "l.db"));
    timed("ledger move", &|| {
        lab.run(&["ledger", "move", "--from", "l.db", "--ledger", &database.url()]).ends(0);
        0.0
    });
    for kind in [1, 2] {
        timed(&format!("again, all known: {}", KINDS[kind]), &|| {
            import(&lab, &server, 64, &ledger(kind, &database, proxy))
        });
    }
    let requests = server.requests();
    assert_eq!(requests, rows, "a customer was sent twice");
}
