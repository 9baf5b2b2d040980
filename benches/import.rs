//! How fast an import is with its ledger, beside the same requests without any:
//! `cargo bench --bench import`, or `ROWS=100000 cargo bench …`. `PROGRAM=PATH` measures another
//! build.
//!
//! The server is in a process of its own and takes 20 ms for each answer, or none. Its ceiling is
//! what a client without any library reaches, which sends the same bytes again and again. The bare
//! client is this program's HTTP library: it sends the bodies from the same number of places in
//! flight, keeps nothing and checks nothing. All go in turns, because machines are noisy, and the
//! best of each is printed, with the share of the ceiling that the import reached.
//!
//! `SYNC=5ms` delays every sync of the import, if strace is installed.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a tool for developers, not part of the program"
)]

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use testkit::fast_server::{self, FastServer};
use testkit::harness::{Lab, email, program};

const ROUNDS: usize = 5;
/// Linux counts CPU time in hundredths of a second.
const TICK_MS: f64 = 10.0;

fn main() {
    fast_server::serve_if_asked();
    let rows: usize = std::env::var("ROWS").ok().and_then(|rows| rows.parse().ok()).unwrap_or(20_000);
    println!("{rows} rows, best of {ROUNDS}; a sync takes {:.1} ms\n", time_of_a_sync().as_secs_f64() * 1000.0);
    println!(
        "{:>8}  {:>6}  {:>10}  {:>10}  {:>10}  {:>6}  {:>9}  {:>24}",
        "latency", "places", "ceiling", "bare", "import", "share", "memory", "CPU a 1,000 rows (bare)"
    );
    for (latency, places) in [(20, 64), (20, 256), (0, 8), (0, 64)] {
        let latency = Duration::from_millis(latency);
        let mut best = Figures::default();
        for _ in 0..ROUNDS {
            best = best.better(Figures::measure(rows, latency, places));
        }
        let Figures { ceiling, bare, import, memory, cpu, bare_cpu } = best;
        println!(
            "{:>8}  {places:>6}  {ceiling:>8.0}/s  {bare:>8.0}/s  {import:>8.0}/s  {:>6.3}  {memory:>5.1} MiB  {cpu:>8.1} ms ({bare_cpu:.1}) {:.2}",
            format!("{} ms", latency.as_millis()),
            import / ceiling,
            cpu / bare_cpu
        );
    }
}

/// Requests a second, MiB, and milliseconds of the CPU for 1,000 rows.
#[derive(Clone, Copy, Debug, Default)]
struct Figures {
    ceiling: f64,
    bare: f64,
    import: f64,
    memory: f64,
    cpu: f64,
    bare_cpu: f64,
}

impl Figures {
    fn measure(rows: usize, latency: Duration, places: usize) -> Self {
        let of_1000_rows = |ticks: u64| ticks as f64 * TICK_MS / rows as f64 * 1000.0;
        let server = FastServer::start(latency);
        let ceiling = fast_server::ceiling(&server.url, places, rows);
        let ticks_before = cpu_ticks(std::process::id());
        let bare = rows as f64 / send_bare(&server.url, rows, places).as_secs_f64();
        let bare_cpu = of_1000_rows(cpu_ticks(std::process::id()) - ticks_before);
        let _spent = server.take_span();
        let Imported { time, most_memory, ticks } = run_import(&server, rows, places);
        let import = rows as f64 / time.as_secs_f64();
        Self { ceiling, bare, import, memory: most_memory as f64 / 1024.0, cpu: of_1000_rows(ticks), bare_cpu }
    }

    fn better(self, other: Self) -> Self {
        let less = |one: f64, two: f64| if one == 0.0 { two } else { one.min(two) };
        Self {
            ceiling: self.ceiling.max(other.ceiling),
            bare: self.bare.max(other.bare),
            import: self.import.max(other.import),
            memory: self.memory.max(other.memory),
            cpu: less(self.cpu, other.cpu),
            bare_cpu: less(self.bare_cpu, other.bare_cpu),
        }
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

fn run_import(server: &FastServer, rows: usize, places: usize) -> Imported {
    let lab = Lab::new();
    lab.customers(rows);
    let args =
        ["import", "in.csv", "--base-url", &server.url, "--rate", "1000000/s", "--concurrency", &places.to_string()];
    let program = std::env::var("PROGRAM").map_or_else(|_| program(), PathBuf::from);
    let mut command = match std::env::var("SYNC") {
        Ok(delay) => {
            let inject = format!("inject=fsync,fdatasync:delay_exit={}", micros(&delay));
            let trace = ["-f", "-qq", "--seccomp-bpf", "-o", "/dev/null", "-e", "trace=fsync,fdatasync", "-e", &inject];
            lab.command_of(Path::new("strace"), &[&trace[..], &[&*program.to_string_lossy()], &args].concat())
        }
        Err(_) => lab.command_of(&program, &args),
    };
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
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
    let (count, time) = server.take_span();
    assert_eq!(usize::try_from(count).unwrap(), rows, "customers");
    Imported { time, most_memory, ticks }
}

fn micros(time: &str) -> u64 {
    1000 * time.trim_end_matches("ms").parse::<u64>().expect("SYNC is a number of milliseconds, such as 5ms")
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

fn send_bare(url: &str, rows: usize, places: usize) -> Duration {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let client = reqwest::Client::builder().no_proxy().http1_only().pool_max_idle_per_host(places).build().unwrap();
        let (next, url) = (Arc::new(AtomicUsize::new(0)), format!("{url}/customer"));
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
