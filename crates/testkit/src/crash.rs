//! One trial of the crash campaign: a world made from a seed, a process that meddles, an import
//! that is killed in the middle, more than once, and then run to its end; and the checker's verdict
//! after every death and at the end. The short form is a test, the long one an example.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::checker::{Input, Log, Memory, Rules, Verdict, check_end, check_lines, check_midway, is_accepted};

/// What goes wrong at the server. All of it leaves the promise standing: requests that do not
/// overlap are distinguished by their key or their e-mail, and no request is worked on for longer
/// than the settle time.
const FAULTS: [&str; 17] = [
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
    "503-after",
    "504-after",
    "gzip",
    "notice",
];

/// Gateways that give up on a request while the application works on, for less than the settle
/// time.
const GATEWAYS: [&str; 6] = [
    "gateway-500=30ms",
    "gateway-500=80ms",
    "gateway-503=30ms",
    "gateway-503=80ms",
    "gateway-504=60ms",
    "gateway-502=60ms",
];

/// Refusals that never leave a customer behind.
const REFUSALS: [&str; 6] = ["403-page", "403", "413", "422", "451", "error-200"];

/// Pauses that one request earns for all of them.
const PAUSES: [&str; 3] = ["throttle-unix=1s", "throttle-millis=1s", "unavailable=1s"];

/// Longer than any run over so few rows has a reason to take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// As much as a cell may hold, nearly: with some of them in a row, the program cannot read far
/// ahead of what it sends.
const PADDING: usize = 60_000;
const PADDED_CELLS: usize = 4;

/// What a trial brought.
pub struct Outcome {
    pub seed: u64,
    pub world: String,
    /// Processes that were alive when they were killed.
    pub kills: usize,
    /// How many requests each of them cut off: those without an answer in the ledger, but for those
    /// that had none before and those that wait in doubt and are not in flight. Some were written
    /// ahead and never left.
    pub unanswered: Vec<usize>,
    pub concurrency: usize,
    /// After every kill and at the end.
    pub verdicts: Vec<Verdict>,
    /// How the last run ended.
    pub last: String,
    pub completed: bool,
}

impl Outcome {
    /// The most that a kill may cut off: what can be in flight, and twice as many written ahead.
    pub fn bound(&self) -> usize {
        3 * self.concurrency
    }

    pub fn is_clean(&self) -> bool {
        let bounded = self.unanswered.iter().all(|unanswered| *unanswered <= self.bound());
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
pub(crate) struct Chance(pub u64);

impl Chance {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    pub(crate) fn one_in(&mut self, odds: u64) -> bool {
        self.below(odds) == 0
    }

    pub(crate) fn one_of<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        let index = self.below(choices.len() as u64);
        choices[usize::try_from(index).unwrap()]
    }
}

/// What a person does to a run in the middle of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meddling {
    None,
    /// Removes the lock file, and starts a second run at once.
    RemovesLock,
    /// Copies another file over the input, in place.
    RewritesInput,
}

/// All that a seed decides before the first run.
pub(crate) struct World {
    pub server: Vec<String>,
    pub client: Vec<String>,
    pub rows: Vec<String>,
    padding: usize,
    meddling: Meddling,
    pub is_blind: bool,
    pub concurrency: usize,
    kills: u64,
}

impl World {
    pub(crate) fn of(chance: &mut Chance) -> Self {
        let mut server = vec!["--dialect".to_owned(), chance.one_of(&["seed", "docs", "laravel"]).to_owned()];
        let latency = chance.one_of(&["0s", "1ms..5ms", "2ms..15ms", "10ms..40ms"]);
        server.extend(["--latency".to_owned(), latency.to_owned(), "--seed".to_owned(), chance.next().to_string()]);
        let rules = rules_of(chance);
        server.extend(rules.iter().map(|rule| (*rule).to_owned()));
        if chance.one_in(3) {
            server.push("--racy".to_owned());
        }
        for habit in ["--packed", "--notices"] {
            if chance.one_in(5) {
                server.push(habit.to_owned());
            }
        }
        let is_blind = rules.contains(&"--no-lookup");
        let may_trust = is_blind && !rules.contains(&"--key-only");
        let client = client_of(chance, may_trust);
        let count = 5 + chance.below(26);
        server.extend(faults_of(chance, count).into_iter().flat_map(|fault| ["--fault".to_owned(), fault]));
        let rows = rows_of(chance, count);
        let meddling = match chance.below(8) {
            0 => Meddling::RemovesLock,
            1 => Meddling::RewritesInput,
            _ => Meddling::None,
        };
        let padding = if meddling == Meddling::RewritesInput { PADDING } else { 0 };
        let concurrency = usize::try_from(1 + chance.below(8)).unwrap();
        Self { server, client, rows, padding, meddling, is_blind, concurrency, kills: 1 + chance.below(3) }
    }
}

/// What keeps a customer from being made twice: one of the two rules holds at least. Without
/// look-ups not every doubt can be resolved.
fn rules_of(chance: &mut Chance) -> &'static [&'static str] {
    match chance.below(12) {
        0 | 1 => &["--email-only"],
        2 | 3 => &["--key-only"],
        4 | 5 => &["--no-lookup"],
        6 => &["--key-only", "--no-lookup"],
        7 => &["--email-only", "--no-lookup"],
        _ => &[],
    }
}

fn client_of(chance: &mut Chance, may_trust: bool) -> Vec<String> {
    let mut client = Vec::new();
    if chance.one_in(6) {
        client.extend(["--key-validity".to_owned(), "300ms".to_owned()]);
    }
    if may_trust && chance.one_in(2) {
        client.push("--trust-unique-email".to_owned());
    }
    client
}

/// The first that hits a request is the one that happens, so those for certain people come first.
fn faults_of(chance: &mut Chance, count: u64) -> Vec<String> {
    let mut faults = vec!["soft-deleted:gone*".to_owned(), format!("{}:never*", chance.one_of(&REFUSALS))];
    if chance.one_in(8) {
        faults.push(format!("{}:p{}@example.com:first=1", chance.one_of(&PAUSES), chance.below(count)));
    }
    let mut rated = |chance: &mut Chance, kind: &str, rates: &[&str]| {
        let rate = chance.one_of(rates);
        faults.push(format!("{kind}:{rate}"));
    };
    for _ in 0..chance.below(3) {
        let kind = chance.one_of(&GATEWAYS);
        rated(chance, kind, &["0.05", "0.15", "0.3"]);
    }
    for _ in 0..chance.below(4) {
        let kind = chance.one_of(&FAULTS);
        rated(chance, kind, &["0.02", "0.05", "0.15"]);
    }
    if chance.one_in(4) {
        let kind = chance.one_of(&REFUSALS);
        rated(chance, kind, &["0.05"]);
    }
    if chance.one_in(2) {
        faults.push(chance.one_of(&["taken-words", "taken-409", "refuse-again"]).to_owned());
    }
    faults
}

/// Refusals of so few records say nothing about the run as a whole.
const MOST_REFUSED: usize = 2;

/// Mostly customers; now and then none, one who came before, or one whom the server
/// never takes.
pub(crate) fn rows_of(chance: &mut Chance, count: u64) -> Vec<String> {
    let mut refused = 0;
    let mut row_of = |row: u64| {
        let email = match chance.below(40) {
            0 | 1 => "nobody".to_owned(),
            2 | 3 if row > 0 => format!("P{}@Example.com", chance.below(row)),
            4 if refused < MOST_REFUSED => {
                refused += 1;
                format!("never{row}@example.com")
            }
            5 => format!("gone{row}@example.com"),
            _ => format!("p{row}@example.com"),
        };
        format!("Person {row},{email},+4917612345{row:03},DEU")
    };
    (0..count).map(&mut row_of).collect()
}

/// A file of these rows, each with this many characters in each unused cell.
pub(crate) fn file_of(rows: &[String], padding: usize) -> String {
    let notes: String = (0..PADDED_CELLS).map(|n| format!(",note_{n}")).collect();
    let padding = format!(",{}", "x".repeat(padding)).repeat(PADDED_CELLS);
    let header = format!("customer_name,customer_email,customer_phone,customer_country{notes}\n");
    let rows = rows.iter().map(|row| format!("{row}{padding}\n"));
    std::iter::once(header).chain(rows).collect()
}

/// The rows of another file, as many, that are not planned.
fn others(count: usize) -> Vec<String> {
    (0..count).map(|row| format!("Other {row},q{row}@example.com,+4917612346{row:03},DEU")).collect()
}

/// The stand-in of the API; it dies with this value.
pub(crate) struct Server {
    child: Child,
    pub url: String,
}

impl Server {
    pub(crate) fn start(program: &Path, folder: &Path, options: &[String]) -> Self {
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
    world: World,
    settle: Duration,
    /// When a run was killed, and whose answers it did not know.
    deaths: Vec<(f64, BTreeSet<String>)>,
}

impl Trial<'_> {
    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn import(&self) -> Command {
        let mut command = Command::new(self.program);
        let settle = format!("{}ms", self.settle.as_millis());
        command
            .args(["import", "in.csv", "--base-url", &self.server.url, "--ledger", "l.db", "--settle", &settle])
            .args(["--rate", "1000/s", "--timeout", "200ms", "--max-attempts", "40", "--retry-rejected"])
            .args(["--concurrency", &self.world.concurrency.to_string()])
            .args(&self.world.client)
            .current_dir(self.folder.path())
            .env("CUSTOMER_IMPORT_TOKEN", "any")
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        command
    }

    /// Starts an import whose words go to a file.
    fn start(&self, words: &str) -> Child {
        self.import().stderr(File::create(self.path(words)).unwrap()).spawn().unwrap()
    }

    /// Starts an import and kills it after a while. `true` if there was something left to kill.
    fn kill_after(&self, time: Duration) -> bool {
        let mut child = self.start("killed.txt");
        // The moment of death is what is tried here; there is nothing to wait for instead.
        std::thread::sleep(time);
        let is_alive = child.try_wait().unwrap().is_none();
        drop(child.kill());
        drop(child.wait());
        is_alive
    }

    /// Removes the lock of a run after a while and starts another.
    fn remove_lock_after(&self, time: Duration) {
        let mut first = self.start("first.txt");
        std::thread::sleep(time);
        drop(std::fs::remove_file(self.path("l.db.lock")));
        let mut second = self.start("second.txt");
        ended(&mut first);
        ended(&mut second);
    }

    /// Copies another file over the input of a run a while after its first request, when the plan
    /// is made, and puts the planned one back when it has ended. Returns the exit code.
    fn rewrite_input_after(&self, time: Duration) -> Option<i32> {
        let mut child = self.start("rewritten.txt");
        while !self.has_posts() && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(2));
        }
        std::thread::sleep(time);
        let others = file_of(&others(self.world.rows.len()), self.world.padding);
        std::fs::write(self.path("in.csv"), others).unwrap();
        let code = ended(&mut child);
        std::fs::write(self.path("in.csv"), file_of(&self.world.rows, self.world.padding)).unwrap();
        code
    }

    fn has_posts(&self) -> bool {
        std::fs::read_to_string(self.path("server.log")).is_ok_and(|log| log.contains(r#""method":"POST""#))
    }

    fn input(&self) -> Input {
        Input::read(&self.path("planned.csv"))
    }

    fn log(&self) -> Log {
        let mut log = Log::read(&self.path("server.log"));
        for (time, unanswered) in &self.deaths {
            log.forget_answers(*time, unanswered);
        }
        log
    }

    /// The log after all work is over, also work on requests that were answered long before.
    fn whole_log(&self) -> Log {
        let begun = Instant::now();
        loop {
            let log = self.log();
            if !log.is_at_work() || begun.elapsed() > PATIENCE {
                return log;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn memory(&self) -> Memory {
        Memory::read(&self.path("l.db"))
    }

    fn rules(&self) -> Rules {
        Rules { settle: self.settle, is_blind: self.world.is_blind }
    }
}

/// Waits for the end of a run, and returns its exit code. `None` if it was killed, at the latest
/// when patience is at its end.
pub(crate) fn ended(child: &mut Child) -> Option<i32> {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code();
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    drop(child.kill());
    drop(child.wait());
    None
}

/// Milliseconds since the Unix epoch, as the server counts them.
pub(crate) fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64() * 1000.0
}

/// Runs the trial of a seed with a program. The settle time must be longer than the sandbox ever
/// works on a request.
pub fn run(program: &Path, seed: u64, settle: Duration) -> Outcome {
    let mut chance = Chance(seed);
    let world = World::of(&mut chance);
    let folder = tempfile::tempdir().unwrap();
    // The first is for the checker, the second may be overwritten.
    std::fs::write(folder.path().join("planned.csv"), file_of(&world.rows, 0)).unwrap();
    std::fs::write(folder.path().join("in.csv"), file_of(&world.rows, world.padding)).unwrap();
    let server = Server::start(program, folder.path(), &world.server);
    let mut outcome = Outcome {
        seed,
        world: format!(
            "{} rows, {} in flight, {}, {:?}, {}",
            world.rows.len(),
            world.concurrency,
            world.server.join(" "),
            world.meddling,
            world.client.join(" ")
        ),
        kills: 0,
        unanswered: Vec::new(),
        concurrency: world.concurrency,
        verdicts: Vec::new(),
        last: String::new(),
        completed: false,
    };
    let mut trial = Trial { program, folder, server, world, settle, deaths: Vec::new() };
    meddle(&trial, &mut chance, &mut outcome);
    kill(&mut trial, &mut chance, &mut outcome);
    finish(&trial, &mut outcome);
    outcome
}

/// Runs the import once to its end while its lock or its input is taken away.
fn meddle(trial: &Trial<'_>, chance: &mut Chance, outcome: &mut Outcome) {
    let longest = if chance.one_in(2) { 20 } else { 120 };
    let time = Duration::from_millis(chance.below(longest));
    let code = match trial.world.meddling {
        Meddling::None => return,
        Meddling::RemovesLock => {
            trial.remove_lock_after(time + Duration::from_millis(50));
            None
        }
        Meddling::RewritesInput => trial.rewrite_input_after(time),
    };
    let log = trial.whole_log();
    let mut verdict = check_midway(&trial.input(), &log, &trial.memory(), trial.rules());
    let report = trial.path("in.report.csv");
    if code == Some(65) && report.exists() {
        // It tells of the records of this run, whichever they are.
        verdict.untrue = check_lines(&log, &report, trial.rules());
    }
    outcome.verdicts.push(verdict);
}

fn kill(trial: &mut Trial<'_>, chance: &mut Chance, outcome: &mut Outcome) {
    let mut before = trial.memory().unanswered;
    for _ in 0..trial.world.kills {
        // A run over so few rows takes about as long, and one that first waits for its doubts to
        // settle somewhat longer.
        let waits = 2 * u64::try_from(trial.settle.as_millis()).unwrap();
        let life = if outcome.kills == 0 { 150 } else { waits };
        if !trial.kill_after(Duration::from_millis(chance.below(life))) {
            continue;
        }
        outcome.kills += 1;
        // What the server read before the death it may still be writing down.
        let (memory, log) = (trial.memory(), trial.log());
        let cut_off = memory.unanswered.difference(&before).filter(|email| !log.is_doubtful(email));
        outcome.unanswered.push(cut_off.count());
        outcome.verdicts.push(check_midway(&trial.input(), &log, &memory, trial.rules()));
        trial.deaths.push((now(), memory.unanswered.clone()));
        before = memory.unanswered;
    }
}

/// Without further deaths, a few runs must do: a record that failed is taken up by the next one.
fn finish(trial: &Trial<'_>, outcome: &mut Outcome) {
    for _ in 0..5 {
        let code = ended(&mut trial.start("last.txt"));
        outcome.last = format!("{code:?}: {}", std::fs::read_to_string(trial.path("last.txt")).unwrap());
        let may_end_in_doubt = trial.world.is_blind && code == Some(4);
        let ends = read_ends(&trial.path("in.report.csv"));
        outcome.completed = (may_end_in_doubt || code.is_some_and(|code| code <= 1))
            && !ends.is_empty()
            && ends.iter().all(|(email, status)| is_end(email, status, trial.world.is_blind));
        if outcome.completed {
            break;
        }
    }
    let (log, report) = (trial.whole_log(), trial.path("in.report.csv"));
    outcome.verdicts.push(check_end(&trial.input(), &log, &trial.memory(), &report, trial.rules()));
}

/// Whether nothing is left to do about a record, by a user or by a run.
pub(crate) fn is_end(email: &str, status: &str, is_blind: bool) -> bool {
    match status {
        "created" | "already_imported" | "exists" | "duplicate" | "invalid" => true,
        "rejected" => !is_accepted(email),
        "in_doubt" => is_blind,
        _ => false,
    }
}

pub(crate) fn read_ends(report: &Path) -> Vec<(String, String)> {
    let Ok(mut reader) = csv::Reader::from_path(report) else { return Vec::new() };
    let headers = reader.headers().unwrap().clone();
    let place = |wanted: &str| headers.iter().position(|name| name == wanted);
    let (Some(email), Some(status)) = (place("customer_email"), place("status")) else { return Vec::new() };
    let pair = |row: csv::StringRecord| (row[email].to_owned(), row[status].to_owned());
    reader.records().map(|row| pair(row.unwrap())).collect()
}
