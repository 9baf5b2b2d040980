//! How fast an import is with its ledger, beside the same requests without any:
//! `cargo bench --bench import`, or `ROWS=100000 cargo bench …`.
//!
//! The server is a sandbox in a process of its own that takes 20 ms for each answer, or none. The
//! bare client sends the same bodies from the same number of places in flight, keeps nothing and
//! checks nothing: what it reaches is what server and machine allow. Machines are noisy, so both go
//! in turns and the best of each is printed. Between two requests of a place in flight lies one
//! commit, that of the second one's intent: the ledger on the disk never holds more open requests
//! than there are places (I7), so the next intent cannot be written ahead. A place waits for about
//! one and a half syncs, half of one that is under way and its own. Where the disk syncs slowly and
//! the server answers fast the share is therefore that of the disk: beside it stands how long a
//! sync takes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a tool for developers, not part of the program"
)]

use std::io::Write as _;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use testkit::harness::{Lab, Server, email};

const ROUNDS: usize = 3;
/// Linux counts CPU time in hundredths of a second.
const TICK_MS: f64 = 10.0;

fn main() {
    let rows: usize = std::env::var("ROWS").ok().and_then(|rows| rows.parse().ok()).unwrap_or(20_000);
    println!("{rows} rows, best of {ROUNDS}; a sync takes {:.1} ms\n", time_of_a_sync().as_secs_f64() * 1000.0);
    println!(
        "{:>8}  {:>6}  {:>12}  {:>12}  {:>6}  {:>10}  {:>22}",
        "latency", "places", "bare", "import", "share", "memory", "CPU a 1,000 rows (bare)"
    );
    for (latency, places) in [("20ms", 64), ("20ms", 256), ("0s", 64)] {
        let (mut bare, mut import, mut memory, mut cpu, mut bare_cpu) = (f64::MIN, f64::MIN, 0, f64::MAX, f64::MAX);
        let of_1000_rows = |ticks: u64| ticks as f64 * TICK_MS / rows as f64 * 1000.0;
        for _ in 0..ROUNDS {
            let ticks_before = cpu_ticks(std::process::id());
            bare = bare.max(rows as f64 / send_bare(rows, latency, places).as_secs_f64());
            bare_cpu = bare_cpu.min(of_1000_rows(cpu_ticks(std::process::id()) - ticks_before));
            let Imported { time, most_memory, ticks } = run_import(rows, latency, places);
            import = import.max(rows as f64 / time.as_secs_f64());
            memory = memory.max(most_memory);
            cpu = cpu.min(of_1000_rows(ticks));
        }
        println!(
            "{latency:>8}  {places:>6}  {bare:>10.0}/s  {import:>10.0}/s  {:>6.3}  {:>6.1} MiB  {cpu:>13.0} ms ({bare_cpu:.0})",
            import / bare,
            memory as f64 / 1024.0
        );
    }
}

/// What an import took. Memory and CPU are 0 where the system does not tell.
struct Imported {
    /// From the first request to the last answer.
    time: Duration,
    /// In KiB.
    most_memory: u64,
    /// Of the CPU, for the whole import, checks and report included.
    ticks: u64,
}

fn run_import(rows: usize, latency: &str, places: usize) -> Imported {
    let lab = Lab::new();
    let server = Server::start(&lab, &["--latency", latency]);
    lab.customers(rows);
    let args =
        ["import", "in.csv", "--base-url", &server.url, "--rate", "1000000/s", "--concurrency", &places.to_string()];
    let mut child = lab.command(&args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let (mut most_memory, mut ticks) = (0, 0);
    let ended = loop {
        if let Some(ended) = child.try_wait().unwrap() {
            break ended;
        }
        most_memory = most_memory.max(peak_memory(child.id()));
        ticks = ticks.max(cpu_ticks(child.id()));
        std::thread::sleep(Duration::from_millis(20));
    };
    assert!(ended.success(), "{ended}");
    let times: Vec<f64> = server.events().iter().map(|event| event["t"].as_f64().unwrap()).collect();
    let time = Duration::from_secs_f64((times[times.len() - 1] - times[0]) / 1000.0);
    Imported { time, most_memory, ticks }
}

fn peak_memory(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    line.split_whitespace().next().and_then(|number| number.parse().ok()).unwrap_or_default()
}

/// User and system time, fields 14 and 15; the name before them may hold blanks, but no bracket.
fn cpu_ticks(process: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let fields = stat.rsplit_once(')').map(|(_, fields)| fields.split_whitespace()).into_iter().flatten();
    fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum()
}

/// The median of some, where ledgers of tests are.
fn time_of_a_sync() -> Duration {
    let lab = Lab::new();
    let mut file = std::fs::File::create(lab.path("synced")).unwrap();
    let mut times: Vec<_> = (0..51)
        .map(|_| {
            file.write_all(&[1; 4096]).unwrap();
            let begun = Instant::now();
            file.sync_all().unwrap();
            begun.elapsed()
        })
        .collect();
    times.sort_unstable();
    times[times.len() / 2]
}

fn send_bare(rows: usize, latency: &str, places: usize) -> Duration {
    let lab = Lab::new();
    let server = Server::start(&lab, &["--latency", latency]);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let client = reqwest::Client::builder().no_proxy().http1_only().pool_max_idle_per_host(places).build().unwrap();
        let (next, url) = (Arc::new(AtomicUsize::new(0)), format!("{}/customer", server.url));
        let begun = Instant::now();
        let places = (0..places).map(|_| {
            let (client, next, url) = (client.clone(), Arc::clone(&next), url.clone());
            tokio::spawn(async move {
                loop {
                    let row = next.fetch_add(1, Ordering::Relaxed);
                    if row >= rows {
                        return;
                    }
                    send(&client, &url, row).await;
                }
            })
        });
        futures::future::join_all(places.collect::<Vec<_>>()).await;
        begun.elapsed()
    })
}

async fn send(client: &reqwest::Client, url: &str, row: usize) {
    let email = email(row);
    let body = format!(
        r#"{{"customer_name":"Person {row}","customer_email":"{email}","customer_phone":"+4917612345{:03}","customer_country":"DEU","customer_type":"individual","send_kyc_mail":true}}"#,
        row % 1000
    );
    let request =
        client.post(url).bearer_auth("any").header("accept", "application/json").header("idempotency-key", email);
    let answer = request.header("content-type", "application/json").body(body).send().await.unwrap();
    assert!(answer.status().is_success(), "{}", answer.status());
    answer.bytes().await.unwrap();
}
