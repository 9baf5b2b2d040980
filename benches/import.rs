//! How fast an import is with its ledger, beside the same requests without any: `cargo bench --bench import`, or `ROWS=100000 cargo bench …`.
//!
//! The server is a sandbox in a process of its own that takes 20 ms for each answer, or none. The bare client sends the same bodies from
//! the same number of places in flight, keeps nothing and checks nothing: what it reaches is what server and machine allow. Machines are noisy,
//! so both go in turns and the best of each is told.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a tool for developers, not part of the program"
)]

#[allow(dead_code, unreachable_pub, reason = "tests use more of it")]
#[path = "../tests/it/harness.rs"]
mod harness;

use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use harness::{Lab, Server, email};

const ROUNDS: usize = 3;

fn main() {
    let rows: usize = std::env::var("ROWS").ok().and_then(|rows| rows.parse().ok()).unwrap_or(20_000);
    println!("{rows} rows, best of {ROUNDS}\n");
    println!("{:>8}  {:>6}  {:>12}  {:>12}  {:>6}  {:>10}", "latency", "places", "bare", "import", "share", "memory");
    for (latency, places) in [("20ms", 64), ("20ms", 256), ("0s", 64)] {
        let (mut bare, mut import, mut memory) = (f64::MIN, f64::MIN, 0);
        for _ in 0..ROUNDS {
            bare = bare.max(rows as f64 / send_bare(rows, latency, places).as_secs_f64());
            let (time, most) = run_import(rows, latency, places);
            import = import.max(rows as f64 / time.as_secs_f64());
            memory = memory.max(most);
        }
        println!(
            "{latency:>8}  {places:>6}  {bare:>10.0}/s  {import:>10.0}/s  {:>6.3}  {:>6.1} MiB",
            import / bare,
            memory as f64 / 1024.0
        );
    }
}

/// From the first request to the last answer, and the most memory in KiB, where the system tells.
fn run_import(rows: usize, latency: &str, places: usize) -> (Duration, u64) {
    let lab = Lab::new();
    let server = Server::start(&lab, &["--latency", latency]);
    lab.customers(rows);
    let args =
        ["import", "in.csv", "--base-url", &server.url, "--rate", "1000000/s", "--concurrency", &places.to_string()];
    let mut child = lab.command(&args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let mut most = 0;
    let ended = loop {
        if let Some(ended) = child.try_wait().unwrap() {
            break ended;
        }
        most = most.max(peak_memory(child.id()));
        std::thread::sleep(Duration::from_millis(20));
    };
    assert!(ended.success(), "{ended}");
    let times: Vec<f64> = server.events().iter().map(|event| event["t"].as_f64().unwrap()).collect();
    (Duration::from_secs_f64((times[times.len() - 1] - times[0]) / 1000.0), most)
}

fn peak_memory(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    line.split_whitespace().next().and_then(|number| number.parse().ok()).unwrap_or_default()
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
