//! A run that takes its time: the real program against a sandbox with the limit of the real API,
//! for as long as is asked for.
//!
//! `cargo run --release --example soak -- --minutes 10 [--other 30] [--outage 2m] [--login]`
//! `cargo run --release --example soak -- --minutes 10 --hosts 3`
//!
//! With `--hosts`, several processes share a ledger in a PostgreSQL database. The one at work is
//! killed and stopped in turn, and another one takes over.
//!
//! The figures are the server's: its log says what came when and what became of it, and the
//! independent checker of the tests holds the report against it.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    clippy::expect_used,
    reason = "a tool for developers, not part of the program"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use clap::Parser;
use customer_import::sandbox::parse_duration;
use serde_json::Value;

use testkit::door::Door;
use testkit::postgres::Database;
use testkit::{checker, program};

const MINUTE: f64 = 60_000.0;
/// The other user of the account looks for this person, so that the log distinguishes those
/// requests from ours.
const OTHER: &str = "somebody.else@example.com";

#[derive(Debug, Parser)]
struct Options {
    /// How long the run is to take; as many customers as the pace allows in that time are imported.
    #[arg(long, default_value_t = 10)]
    minutes: u32,
    /// The server's limit, in requests a minute.
    #[arg(long, default_value_t = 60)]
    limit: u32,
    /// How long an answer takes.
    #[arg(long, default_value = "100ms..400ms")]
    latency: String,
    /// Requests per minute that another client sends on the same account.
    #[arg(long, default_value_t = 0)]
    other: u32,
    /// How long the server cannot be reached, from a quarter of the time on.
    #[arg(long, value_parser = parse_duration)]
    outage: Option<Duration>,
    /// How long a token lives.
    #[arg(long, default_value = "10s")]
    token_life: String,
    /// Log in with an account id and a secret instead of using a token that lives for ever.
    #[arg(long)]
    login: bool,
    /// How many hosts share a ledger. With 1 the ledger is a file.
    #[arg(long, default_value_t = 1)]
    hosts: usize,
    /// How often the host at work is killed or stopped, in turn.
    #[arg(long, value_parser = parse_duration, default_value = "40s")]
    blow_every: Duration,
    /// The program, if it is built already.
    #[arg(long)]
    program: Option<PathBuf>,
    /// Further options of the import.
    #[arg(last = true)]
    import: Vec<String>,
}

impl Options {
    fn customers(&self) -> u32 {
        // A takeover takes a lease, and its successor begins slowly.
        let share = self.limit * if self.hosts > 1 { 40 } else { 55 } / 60;
        let left = (self.limit - self.limit / 20).saturating_sub(self.other);
        let outage = self.outage.unwrap_or_default().as_secs_f64() / 60.0;
        let minutes = (f64::from(self.minutes) - outage).max(1.0);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a number of customers")]
        let customers = (minutes * f64::from(share.min(left))) as u32;
        customers
    }
}

fn main() -> ExitCode {
    let options = Options::parse();
    let program = options.program.clone().unwrap_or_else(program::build);
    if options.hosts > 1 {
        return soak_hosts(&options, &program);
    }
    let folder = tempfile::tempdir().unwrap();
    write_customers(&folder.path().join("in.csv"), options.customers());
    let server = Server::start(&program, folder.path(), &options);
    let door = Door::before(&server.url);
    let import = import(&program, folder.path(), &door.url, &options);
    if options.other > 0 {
        let (url, pause) = (server.url.clone(), Duration::from_secs(60) / options.other);
        std::thread::spawn(move || use_up(&url, pause));
    }
    if let Some(outage) = options.outage {
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_secs(15) * options.minutes);
            door.shut();
            std::thread::sleep(outage);
            door.open();
            // The door goes with the process.
            std::mem::forget(door);
        });
    } else {
        std::mem::forget(door);
    }
    let ended = import.wait_with_output().unwrap();
    let traffic = Traffic::read(&folder.path().join("server.log"));
    let verdict = checker::check_end(
        &checker::Input::read(&folder.path().join("in.csv")),
        &checker::Log::read(&folder.path().join("server.log")),
        &checker::Memory::read(&folder.path().join("l.db")),
        &folder.path().join("in.report.csv"),
        checker::Rules { settle: Duration::from_secs(90), is_blind: false },
    );
    let summary: Value = serde_json::from_slice(&ended.stdout).unwrap();
    traffic.print(&options);
    for (kind, found) in verdict.counts() {
        println!("{kind:<28} {found}");
    }
    println!("{:<28} {}", "the program's own count", summary["outcomes"]);
    println!(
        "{:<28} {} requests, {} throttled, {} retries",
        "", summary["requests"], summary["throttled"], summary["retries"]
    );
    println!("{:<28} {:?}", "exit code", ended.status.code());
    if verdict.is_clean() && ended.status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Longer than an attempt takes, and short enough for many takeovers in ten minutes.
const SETTLE: Duration = Duration::from_secs(10);

/// Several hosts with one ledger that kill and stop each other.
fn soak_hosts(options: &Options, program: &Path) -> ExitCode {
    let database = Database::new().expect("PostgreSQL (apt-get install postgresql)");
    let folder = tempfile::tempdir().unwrap();
    write_customers(&folder.path().join("in.csv"), options.customers());
    let server = Server::start(program, folder.path(), options);
    let mut shift = Shift {
        options,
        program,
        folder: folder.path(),
        url: &server.url,
        database: &database,
        hosts: Vec::new(),
        started: 0,
    };
    for _ in 0..options.hosts {
        shift.start();
    }
    let (mut blows, mut struck) = ([0, 0], Instant::now());
    while shift.attend() {
        if struck.elapsed() > options.blow_every {
            let kills = blows[0] == blows[1];
            if shift.strike(kills) {
                blows[usize::from(!kills)] += 1;
            }
            struck = Instant::now();
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    // All is done; one more run writes the report of it.
    let last = shift.start();
    while shift.attend() {
        std::thread::sleep(Duration::from_millis(50));
    }
    let traffic = Traffic::read(&folder.path().join("server.log"));
    let memory = checker::MEMORY_QUESTIONS.map(|question| database.sql(question));
    let verdict = checker::check_end(
        &checker::Input::read(&folder.path().join("in.csv")),
        &checker::Log::read(&folder.path().join("server.log")),
        &checker::Memory::of_answers([&memory[0], &memory[1]]),
        &folder.path().join(format!("{last}.csv")),
        checker::Rules { settle: SETTLE, is_blind: false },
    );
    traffic.print(options);
    println!("{:<28} {} killed, {} stopped", "hosts at work", blows[0], blows[1]);
    println!("{:<28} {}", "terms of the lease", database.sql("SELECT epoch FROM customer_import.accounts"));
    println!(
        "{:<28} {}",
        "created",
        database.sql("SELECT count(*) FROM customer_import.outcomes WHERE status = 'created'")
    );
    for (kind, found) in verdict.counts() {
        println!("{kind:<28} {found}");
    }
    let is_throttled = traffic.throttled(true).0 > 0;
    if verdict.is_clean() && !is_throttled { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The hosts, and what they share.
struct Shift<'a> {
    options: &'a Options,
    program: &'a Path,
    folder: &'a Path,
    url: &'a str,
    database: &'a Database,
    hosts: Vec<(String, Child)>,
    started: usize,
}

impl Shift<'_> {
    /// Starts a process. Returns its name.
    fn start(&mut self) -> String {
        self.started += 1;
        let name = format!("host-{}", self.started);
        let mut import = Command::new(self.program);
        let settle = format!("{}s", SETTLE.as_secs());
        import
            .args(["import", "in.csv", "--base-url", self.url, "--ledger", &self.database.url()])
            .args(["--wait-for-lease", "1h", "--lease", "6s", "--grace", "2s", "--settle", &settle, "--timeout", "8s"])
            .args(["--report", &format!("{name}.csv")])
            .args(&self.options.import)
            .current_dir(self.folder)
            .env("CUSTOMER_IMPORT_HOLDER", &name)
            .env("CUSTOMER_IMPORT_TOKEN", "any")
            // As on several machines, none sees whether another one lives.
            .env("XDG_RUNTIME_DIR", self.folder.join("nowhere"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        self.hosts.push((name.clone(), import.spawn().unwrap()));
        name
    }

    /// Starts a process for each that lost the ledger. Returns false when all have ended.
    fn attend(&mut self) -> bool {
        let mut lost = 0;
        self.hosts.retain_mut(|(name, child)| {
            let Some(status) = child.try_wait().unwrap() else { return true };
            println!("{name} ended: {:?}", status.code());
            lost += usize::from(status.code() == Some(5));
            false
        });
        for _ in 0..lost {
            self.start();
        }
        !self.hosts.is_empty()
    }

    /// Kills or stops the host at work. Returns false if none is.
    fn strike(&mut self, kills: bool) -> bool {
        let holder = "SELECT holder->>'host', epoch FROM customer_import.accounts WHERE term IS NOT NULL";
        let answer = self.database.sql(holder);
        let Some((holder, epoch)) = answer.split_once('|') else { return false };
        let Some(place) = self.hosts.iter().position(|(name, _)| name == holder) else { return false };
        if kills {
            println!("{holder} is killed");
            let (_, mut child) = self.hosts.remove(place);
            child.kill().unwrap();
            child.wait().unwrap();
            self.start();
            return true;
        }
        println!("{holder} is stopped");
        let process = self.hosts[place].1.id().to_string();
        let signal = |name: &str| drop(Command::new("kill").args(["-s", name, &process]).status());
        signal("STOP");
        self.database.wait_for(&format!("SELECT epoch > {epoch} FROM customer_import.accounts"), "t");
        // In the middle of what its successor does.
        std::thread::sleep(Duration::from_secs(3));
        signal("CONT");
        true
    }
}

impl Drop for Shift<'_> {
    fn drop(&mut self) {
        for (_, child) in &mut self.hosts {
            drop(child.kill());
            drop(child.wait());
        }
    }
}

fn write_customers(path: &Path, count: u32) {
    let mut text = "customer_name,customer_email,customer_phone,customer_country\n".to_owned();
    for row in 0..count {
        writeln!(text, "Person {row},p{row}@example.com,+4917612345{:03},DEU", row % 1000).unwrap();
    }
    std::fs::write(path, text).unwrap();
}

fn import(program: &Path, folder: &Path, url: &str, options: &Options) -> Child {
    let mut import = Command::new(program);
    import
        .args(["import", "in.csv", "--base-url", url, "--ledger", "l.db", "--summary", "json"])
        .args(&options.import)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    if options.login {
        import.args(["--account-id", "soak"]).env("CUSTOMER_IMPORT_APP_SECRET", "invented");
    } else {
        import.env("CUSTOMER_IMPORT_TOKEN", "any");
    }
    import.spawn().unwrap()
}

/// The stand-in of the API; it dies with this value.
struct Server {
    child: Child,
    url: String,
}

impl Server {
    fn start(program: &Path, folder: &Path, options: &Options) -> Self {
        let mut child = Command::new(program)
            .args(["sandbox", "--log", "server.log", "--limit", &format!("{}/m", options.limit)])
            .args(["--latency", &options.latency, "--token-life", &options.token_life])
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut first = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut first).unwrap();
        let url = first.split_whitespace().find(|word| word.starts_with("http")).unwrap().to_owned();
        Self { child, url }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Another user of the same account, who looks for one person again and again while the server is
/// there.
fn use_up(url: &str, pause: Duration) {
    let url = url::Url::parse(url).unwrap();
    let server = url.socket_addrs(|| None).unwrap()[0];
    let request = format!(
        "GET {}/customer?email={OTHER} HTTP/1.1\r\nHost: {server}\r\nAuthorization: Bearer other\r\nAccept: application/json\r\nConnection: close\r\n\r\n",
        url.path()
    );
    while let Ok(mut stream) = TcpStream::connect(server) {
        let answered = stream.write_all(request.as_bytes()).and_then(|()| stream.read_to_end(&mut Vec::new()));
        if answered.is_err() {
            return;
        }
        std::thread::sleep(pause);
    }
}

/// One request, as the server saw it.
struct Exchange {
    /// When it came, in milliseconds.
    at: f64,
    status: Option<u64>,
    is_ours: bool,
}

impl Exchange {
    fn is_throttled(&self) -> bool {
        self.status == Some(429)
    }
}

/// All that came, in order.
struct Traffic(Vec<Exchange>);

impl Traffic {
    fn read(log: &PathBuf) -> Self {
        let mut exchanges = BTreeMap::new();
        for line in std::fs::read_to_string(log).unwrap().lines() {
            // The server may be in the middle of its last line.
            let Ok(event) = serde_json::from_str::<Value>(line) else { break };
            let number = event["n"].as_u64().unwrap_or_default();
            if event["event"] == "received" {
                let at = event["t"].as_f64().unwrap();
                exchanges.insert(number, Exchange { at, status: None, is_ours: event["email"] != OTHER });
            } else if event["event"] == "answered" {
                exchanges.get_mut(&number).unwrap().status = event["status"].as_u64();
            }
        }
        Self(exchanges.into_values().collect())
    }

    fn of(&self, ours: bool) -> impl Iterator<Item = &Exchange> {
        self.0.iter().filter(move |exchange| exchange.is_ours == ours)
    }

    fn throttled(&self, ours: bool) -> (usize, usize) {
        (self.of(ours).filter(|exchange| exchange.is_throttled()).count(), self.of(ours).count())
    }

    /// Ours that were accepted in each whole minute since the first.
    fn per_minute(&self) -> Vec<usize> {
        let (Some(first), Some(last)) = (self.of(true).next(), self.of(true).last()) else { return Vec::new() };
        let minute = |exchange: &Exchange| ((exchange.at - first.at) / MINUTE).floor();
        let mut counts = BTreeMap::<u64, usize>::new();
        for exchange in self.of(true).filter(|exchange| !exchange.is_throttled()) {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a number of minutes")]
            let minute = minute(exchange) as u64;
            *counts.entry(minute).or_default() += 1;
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a number of minutes")]
        let whole = minute(last) as u64;
        (0..whole).map(|minute| counts.get(&minute).copied().unwrap_or_default()).collect()
    }

    /// The most requests in any minute, wherever it begins.
    fn most_in_a_minute(&self) -> usize {
        let times: Vec<_> = self.0.iter().map(|exchange| exchange.at).collect();
        let within = |from: usize| times[from..].iter().take_while(|at| **at < times[from] + MINUTE).count();
        (0..times.len()).map(within).max().unwrap_or_default()
    }

    /// All requests in each window as the server cuts them: it opens at the first request
    /// after the last one ended.
    fn windows(&self) -> Vec<usize> {
        let (mut windows, mut opened) = (Vec::new(), f64::NEG_INFINITY);
        for exchange in &self.0 {
            if exchange.at >= opened + MINUTE {
                opened = exchange.at;
                windows.push(0);
            }
            *windows.last_mut().unwrap() += 1;
        }
        windows
    }

    fn print(&self, options: &Options) {
        let Options { minutes, limit, other, outage, .. } = options;
        let outage = outage.map_or_else(String::new, |outage| format!(", unreachable for {outage:?}"));
        println!("{} customers, about {minutes} minutes, {limit} requests a minute{outage}", options.customers());
        let per_minute = self.per_minute();
        let mean = per_minute.iter().sum::<usize>() as f64 / per_minute.len().max(1) as f64;
        let share = 100.0 * mean / f64::from(*limit);
        println!("{:<28} {per_minute:?}", "accepted, minute by minute");
        println!("{:<28} {mean:.1} on average, {share:.1} % of the limit", "");
        for (who, ours) in [("429s of ours", true), ("429s of others", false)] {
            let (throttled, all) = self.throttled(ours);
            if ours || *other > 0 {
                println!("{who:<28} {throttled} of {all}, {:.2} %", 100.0 * throttled as f64 / all.max(1) as f64);
            }
        }
        let most = self.windows().into_iter().max().unwrap_or_default();
        println!("{:<28} {most} of {limit}, everybody's", "most in one server window");
        println!("{:<28} {}", "most in any 60 s", self.most_in_a_minute());
        let statuses: BTreeSet<_> = self.of(true).filter_map(|exchange| exchange.status).collect();
        println!("{:<28} {statuses:?}", "answers to us");
    }
}
