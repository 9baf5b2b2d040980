//! One trial of the crash campaign: a world made from a seed, an import that is killed in the middle, more than once, and then run to its
//! end; and the checker's verdict after every death and at the end. The short form is a test, the long one an example.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::checker::{Input, Log, Memory, Verdict, check_end, check_midway};

/// What goes wrong at the server. All of it leaves the promise standing: requests that do not overlap are told apart by their key or their
/// e-mail, and no request is worked on for longer than the settle time.
const FAULTS: [&str; 13] = [
    "reset-before",
    "reset-after",
    "cut",
    "cut-head",
    "html",
    "html-after",
    "empty-after",
    "garbage",
    "error-400",
    "error-400-after",
    "seven-after",
    "500",
    "500-after",
];

/// Short enough for a thousand trials, and longer than the sandbox ever works on a request.
const SETTLE: &str = "250ms";

/// What a trial brought.
pub(crate) struct Outcome {
    pub(crate) seed: u64,
    pub(crate) world: String,
    /// Processes that were alive when they were killed.
    pub(crate) kills: usize,
    /// How many requests each of them cut off: those without an answer in the ledger, but for those that had none
    /// before and those that wait in doubt and are not in flight.
    pub(crate) unanswered: Vec<usize>,
    pub(crate) concurrency: usize,
    /// After every kill and at the end.
    pub(crate) verdicts: Vec<Verdict>,
    /// How the last run ended.
    pub(crate) last: String,
    pub(crate) completed: bool,
}

impl Outcome {
    pub(crate) fn is_clean(&self) -> bool {
        let bounded = self.unanswered.iter().all(|unanswered| *unanswered <= self.concurrency);
        self.completed && bounded && self.verdicts.iter().all(Verdict::is_clean)
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { seed, world, kills, unanswered, verdicts, last, completed, .. } = self;
        writeln!(f, "seed {seed}: {world}")?;
        writeln!(f, "{kills} kills, unanswered after each: {unanswered:?}; completed: {completed}")?;
        writeln!(f, "{verdicts:#?}\n{last}")
    }
}

/// Numbers from a seed: splitmix64.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn one_in(&mut self, odds: u64) -> bool {
        self.below(odds) == 0
    }

    fn one_of<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        let index = self.below(choices.len() as u64);
        choices[usize::try_from(index).unwrap()]
    }
}

/// All that a seed decides before the first run.
struct World {
    server: Vec<String>,
    rows: Vec<String>,
    concurrency: usize,
    kills: u64,
}

impl World {
    fn of(chance: &mut Chance) -> Self {
        let mut server = vec!["--dialect".to_owned(), chance.one_of(&["seed", "docs", "laravel"]).to_owned()];
        let latency = chance.one_of(&["0s", "1ms..5ms", "2ms..15ms", "10ms..40ms"]);
        server.extend(["--latency".to_owned(), latency.to_owned(), "--seed".to_owned(), chance.next().to_string()]);
        for _ in 0..chance.below(4) {
            let rate = chance.one_of(&["0.02", "0.05", "0.15"]);
            server.extend(["--fault".to_owned(), format!("{}:{rate}", chance.one_of(&FAULTS))]);
        }
        if chance.one_in(3) {
            server.push("--racy".to_owned());
        }
        // One of the two rules must hold, and somebody must be able to look where neither answer nor key tells.
        match chance.below(4) {
            0 => server.extend(["--idempotency".to_owned(), "none".to_owned()]),
            1 => server.push("--no-lookup".to_owned()),
            _ => {}
        }
        let count = 5 + chance.below(26);
        let rows = (0..count).map(|row| row_of(chance, row)).collect();
        let concurrency = usize::try_from(1 + chance.below(8)).unwrap();
        Self { server, rows, concurrency, kills: 1 + chance.below(3) }
    }
}

/// Mostly a customer; now and then nobody, or somebody who came before.
fn row_of(chance: &mut Chance, row: u64) -> String {
    let email = match chance.below(20) {
        0 => "nobody".to_owned(),
        1 if row > 0 => format!("P{}@Example.com", chance.below(row)),
        _ => format!("p{row}@example.com"),
    };
    format!("Person {row},{email},+4917612345{row:03},DEU\n")
}

/// The stand-in of the API; it dies with this value.
struct Server {
    child: Child,
    url: String,
}

impl Server {
    fn start(program: &Path, folder: &Path, options: &[String]) -> Self {
        let mut child = Command::new(program)
            .args(["sandbox", "--port", "0", "--limit", "1000000/m", "--log", "server.log"])
            .args(options)
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
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

struct Trial<'a> {
    program: &'a Path,
    folder: tempfile::TempDir,
    server: Server,
    concurrency: usize,
}

impl Trial<'_> {
    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn import(&self) -> Command {
        let mut command = Command::new(self.program);
        command
            .args(["import", "in.csv", "--base-url", &self.server.url, "--ledger", "l.db", "--settle", SETTLE])
            .args(["--rate", "1000/s", "--timeout", "200ms", "--max-attempts", "40"])
            .args(["--concurrency", &self.concurrency.to_string()])
            .current_dir(self.folder.path())
            .env("CUSTOMER_IMPORT_TOKEN", "any")
            .stdin(Stdio::null());
        command
    }

    /// Starts an import and kills it after a while. `true` if there was something left to kill.
    fn kill_after(&self, time: Duration) -> bool {
        let mut child = self.import().stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // The moment of death is what is tried here; there is nothing to wait for instead.
        std::thread::sleep(time);
        let is_alive = child.try_wait().unwrap().is_none();
        drop(child.kill());
        drop(child.wait());
        is_alive
    }

    fn input(&self) -> Input {
        Input::read(&self.path("in.csv"))
    }

    fn log(&self) -> Log {
        Log::read(&self.path("server.log"))
    }

    fn memory(&self) -> Memory {
        Memory::read(&self.path("l.db"))
    }
}

/// Runs the trial of a seed with a program.
pub(crate) fn run(program: &Path, seed: u64) -> Outcome {
    let mut chance = Chance(seed);
    let world = World::of(&mut chance);
    let folder = tempfile::tempdir().unwrap();
    let header = "customer_name,customer_email,customer_phone,customer_country\n";
    std::fs::write(folder.path().join("in.csv"), format!("{header}{}", world.rows.concat())).unwrap();
    let server = Server::start(program, folder.path(), &world.server);
    let trial = Trial { program, folder, server, concurrency: world.concurrency };
    let mut outcome = Outcome {
        seed,
        world: format!("{} rows, {} in flight, {}", world.rows.len(), world.concurrency, world.server.join(" ")),
        kills: 0,
        unanswered: Vec::new(),
        concurrency: world.concurrency,
        verdicts: Vec::new(),
        last: String::new(),
        completed: false,
    };
    let mut before = BTreeSet::new();
    for _ in 0..world.kills {
        // A run over so few rows takes about as long, and one that first waits for its doubts to settle somewhat longer.
        let life = if outcome.kills == 0 { 150 } else { 500 };
        if !trial.kill_after(Duration::from_millis(chance.below(life))) {
            continue;
        }
        outcome.kills += 1;
        // What the server read before the death it may still be writing down.
        let (memory, log) = (trial.memory(), trial.log());
        let cut_off = memory.unanswered.difference(&before).filter(|email| !log.is_doubtful(email));
        outcome.unanswered.push(cut_off.count());
        outcome.verdicts.push(check_midway(&trial.input(), &log, &memory));
        before = memory.unanswered;
    }
    finish(&trial, &mut outcome);
    outcome
}

/// Without further deaths, a few runs must do: a record that failed is taken up by the next one.
fn finish(trial: &Trial<'_>, outcome: &mut Outcome) {
    for _ in 0..5 {
        let ran = trial.import().output().unwrap();
        outcome.last = format!("{:?}: {}", ran.status, String::from_utf8_lossy(&ran.stderr));
        let ends = read_statuses(&trial.path("in.report.csv"));
        outcome.completed = ran.status.code().is_some_and(|code| code <= 1)
            && !ends.is_empty()
            && ends.iter().all(|status| is_end(status));
        if outcome.completed {
            break;
        }
    }
    let (input, log, memory) = (trial.input(), trial.log(), trial.memory());
    outcome.verdicts.push(check_end(&input, &log, &memory, &trial.path("in.report.csv")));
}

fn is_end(status: &str) -> bool {
    ["created", "already_imported", "exists", "duplicate", "invalid"].contains(&status)
}

fn read_statuses(report: &Path) -> Vec<String> {
    let Ok(mut reader) = csv::Reader::from_path(report) else { return Vec::new() };
    let Some(column) = reader.headers().unwrap().iter().position(|name| name == "status") else { return Vec::new() };
    reader.records().map(|row| row.unwrap()[column].to_owned()).collect()
}
