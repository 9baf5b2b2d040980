//! The program killed at its system calls, and failed by them. `strace` injects both; where it is
//! missing these tests say so and pass.
//!
//! `strace` counts calls for each thread by itself and strikes the first thread that comes to the
//! count. On a new ledger the main thread makes the tables and is struck first; on a ledger that
//! exists the ledger's own thread is. So every call is counted out in both worlds.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::{Instant, SystemTime};

use crate::harness::{HEADER, Lab, Ran, Server, rows};
use crate::many;

const ROWS: usize = 10;

/// All that leaves the process or touches a disk, and the one that brings answers.
const CALLS: [&str; 13] = [
    "write",
    "pwrite64",
    "writev",
    "fsync",
    "fdatasync",
    "ftruncate",
    "renameat",
    "unlink",
    "connect",
    "sendto",
    "recvfrom",
    "mkdir",
    "rename",
];

/// Where a trial begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum World {
    /// No ledger and no report.
    New,
    /// An earlier run imported two of the rows and left its ledger and its report.
    Used,
}

/// A trial of an import: its folder, its customers.
struct Trial<'a> {
    lab: Lab,
    server: &'a Server,
    name: String,
    old_report: Option<Vec<u8>>,
}

impl<'a> Trial<'a> {
    fn new(server: &'a Server, name: &str, world: World) -> Self {
        let mut trial = Self { lab: Lab::new(), server, name: name.to_lowercase(), old_report: None };
        if world == World::Used {
            trial.write_rows(2);
            trial.run().ends(0);
            trial.old_report = Some(std::fs::read(trial.report()).unwrap());
        }
        trial.write_rows(ROWS);
        trial
    }

    fn emails(&self) -> Vec<String> {
        (0..ROWS).map(|n| format!("{}-{n}@example.com", self.name)).collect()
    }

    fn write_rows(&self, count: usize) {
        let rows: String =
            self.emails().iter().take(count).map(|email| format!("Person,{email},+4917612345678,DEU\n")).collect();
        self.lab.write("in.csv", format!("{HEADER}\n{rows}"));
    }

    fn report(&self) -> PathBuf {
        self.lab.path("in.report.csv")
    }

    /// One request at a time, so that the order of calls and requests is one order.
    fn args(&self) -> Vec<&str> {
        self.lab.import_args(self.server, &["--ledger", "l.db", "--concurrency", "1"])
    }

    fn run(&self) -> Ran {
        self.lab.run(&self.args())
    }

    /// The same import under `strace`, which passes on how it ended.
    fn run_traced(&self, options: &[&str], args: &[&str]) -> Ran {
        run_traced(&self.lab, options, args)
    }

    fn trace(&self) -> String {
        self.lab.read("trace")
    }

    /// Old, whole, or not there: never half.
    #[track_caller]
    fn report_is_not_half(&self) {
        match (std::fs::read(self.report()), &self.old_report) {
            (Err(_), None) => {}
            (Ok(found), Some(old)) if found == *old => {}
            (Ok(_), _) => assert!(self.is_whole(), "half a report"),
            (Err(error), Some(_)) => panic!("the old report is gone: {error}"),
        }
    }

    fn reported_before(&self, moment: f64) -> bool {
        let written = std::fs::metadata(self.report()).and_then(|report| report.modified());
        let since_epoch = |time: SystemTime| time.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs_f64();
        written.is_ok_and(|written| since_epoch(written) < moment) && self.is_whole()
    }

    fn is_whole(&self) -> bool {
        rows(&self.report()).len() == ROWS
    }

    /// Plainly to the end; what the report tells is left for the check against the server.
    #[track_caller]
    fn completes(&self) -> Vec<(String, String)> {
        self.run().ends(0);
        let report = rows(&self.report());
        assert_eq!(report.len(), ROWS);
        let told = report.into_iter().map(|row| {
            assert!(["created", "already_imported"].contains(&row["status"].as_str()), "{row:?}");
            (row["customer_email"].clone(), row["customer_id"].clone())
        });
        told.collect()
    }
}

/// A command under `strace`, which passes on how it ended. Its calls stand in the file `trace`.
pub(crate) fn run_traced(lab: &Lab, options: &[&str], args: &[&str]) -> Ran {
    let program = lab.command(args);
    let mut traced = Command::new("strace");
    traced.args(["-f", "-qq", "-ttt", "-o", "trace"]).args(options);
    traced.arg(program.get_program()).args(program.get_args()).stdin(Stdio::null());
    traced.current_dir(lab.path(""));
    for (name, value) in program.get_envs() {
        match value {
            Some(value) => traced.env(name, value),
            None => traced.env_remove(name),
        };
    }
    Ran::of(&mut traced)
}

/// Compares the reports of all trials with the server's log: one customer each, the reported id,
/// and one key for all requests.
#[track_caller]
fn same_at_the_server(server: &Server, told: &[(String, String)]) {
    let customers = server.customers();
    for (email, id) in told {
        assert_eq!(customers[email], std::slice::from_ref(id), "{email}");
    }
    let told: BTreeSet<_> = told.iter().map(|(email, _)| email.clone()).collect();
    assert_eq!(customers.into_keys().collect::<BTreeSet<_>>(), told, "customers that nobody reported");
    let mut keys = HashMap::<_, HashSet<_>>::new();
    for post in server.posts() {
        keys.entry(post["email"].to_string()).or_default().insert(post["key"].to_string());
    }
    let renewed: Vec<_> = keys.iter().filter(|(_, keys)| keys.len() != 1).collect();
    assert!(renewed.is_empty(), "a death is no reason for a new key: {renewed:?}");
}

/// `true`, and a word about it, where there is nothing to inject with.
pub(crate) fn strace_is_missing() -> bool {
    let works = Command::new("strace")
        .args(["-f", "-qq", "-o", "/dev/null", "true"])
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !works {
        many::note(format_args!(
            "SKIPPED: strace is missing or may not trace here; nothing was killed at a system call"
        ));
    }
    !works
}

/// How often the busiest thread of an undisturbed import makes each call. It has a server of its
/// own, for its customers are in no trial.
fn counted(world: World) -> BTreeMap<&'static str, usize> {
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    let trial = Trial::new(&server, "counted", world);
    trial.run_traced(&["-e", &format!("trace={}", CALLS.join(","))], &trial.args()).ends(0);
    busiest(&trial.trace(), &CALLS)
}

/// How often the busiest thread of a trace makes each of these calls.
pub(crate) fn busiest(trace: &str, calls: &[&'static str]) -> BTreeMap<&'static str, usize> {
    let mut counts = HashMap::<(String, &str), usize>::new();
    for line in trace.lines() {
        let mut words = line.split_whitespace();
        let (thread, call) = (words.next().unwrap_or_default(), words.nth(1).unwrap_or_default());
        let called = calls.iter().find(|name| call.strip_prefix(**name).is_some_and(|rest| rest.starts_with('(')));
        if let Some(name) = called {
            *counts.entry((thread.to_owned(), name)).or_default() += 1;
        }
    }
    let mut most = BTreeMap::new();
    for ((_, name), count) in counts {
        let known: &mut usize = most.entry(name).or_default();
        *known = count.max(*known);
    }
    most
}

/// Few of a call: all; many: every eighth, and the first and the last, unless all are wanted.
pub(crate) fn chosen(count: usize) -> impl Iterator<Item = usize> {
    (1..=count).filter(move |n| many::long() || count <= 8 || n % 8 == 0 || *n == 1 || *n == count)
}

type Point = (World, &'static str, usize);

fn points(calls: &[&str]) -> Vec<Point> {
    let of = |world| {
        let counts = counted(world);
        many::note(format_args!("{world:?}: {counts:?}"));
        let wanted = counts.into_iter().filter(|(call, _)| calls.contains(call));
        wanted.flat_map(move |(call, count)| chosen(count).map(move |n| (world, call, n)))
    };
    of(World::New).chain(of(World::Used)).collect()
}

#[test]
fn killed_at_any_system_call_the_next_run_completes_with_each_customer_once() {
    if strace_is_missing() {
        return;
    }
    let (lab, begun) = (Lab::new(), Instant::now());
    let server = Server::start(&lab, &[]);
    let points = points(&CALLS);
    let (told, killed) = (Mutex::new(Vec::new()), Mutex::new(0));
    many::each(&points, |&(world, call, n)| {
        let trial = Trial::new(&server, &format!("{call}-{n}-{world:?}"), world);
        let inject = format!("inject={call}:signal=SIGKILL:when={n}");
        let ran = trial.run_traced(&["-e", &format!("trace={call}"), "-e", &inject], &trial.args());
        assert!(ran.code == 128 + 9 || ran.code == 0, "{ran:?}");
        *killed.lock().unwrap() += usize::from(ran.code != 0);
        trial.report_is_not_half();
        let complete = trial.completes();
        told.lock().unwrap().extend(complete);
    });
    same_at_the_server(&server, &told.into_inner().unwrap());
    let killed = killed.into_inner().unwrap();
    assert!(killed * 10 >= points.len() * 8, "only {killed} of {} points were reached", points.len());
    many::note(format_args!("{killed} kills at {} points in {:.1} s", points.len(), begun.elapsed().as_secs_f32()));
}

/// When the first injected error struck, in seconds since the epoch, and on what.
fn first_failure(trace: &str) -> Option<(f64, String)> {
    let line = trace.lines().find(|line| line.contains("(INJECTED)"))?;
    let time = line.split_whitespace().nth(1)?.parse().ok()?;
    Some((time, line.to_owned()))
}

/// The requests to create one of these customers that came after a moment.
fn posts_after(server: &Server, emails: &[String], moment: f64) -> usize {
    let is_ours =
        |email: &serde_json::Value| email.as_str().is_some_and(|email| emails.iter().any(|ours| ours == email));
    let is_late = |time: &serde_json::Value| time.as_f64().is_some_and(|millis| millis / 1000.0 > moment);
    server.posts().iter().filter(|post| is_ours(&post["email"]) && is_late(&post["t"])).count()
}

/// Lets every chosen call on the ledger fail. Once one failed, nothing is sent; a run that says 0
/// all the same has reported the truth.
#[track_caller]
fn nothing_is_sent_after(call: &'static str, errors: &[&str], and_ever_after: bool) {
    let (lab, begun) = (Lab::new(), Instant::now());
    let server = Server::start(&lab, &[]);
    let points: Vec<_> =
        points(&[call]).into_iter().flat_map(|point| errors.iter().map(move |error| (point, *error))).collect();
    let (told, ended) = (Mutex::new(Vec::new()), Mutex::new(BTreeMap::<i32, usize>::new()));
    many::each(&points, |&((world, call, n), error)| {
        let trial = Trial::new(&server, &format!("{error}-{n}-{world:?}"), world);
        let ever = if and_ever_after { "+" } else { "" };
        let inject = format!("inject={call}:error={error}:when={n}{ever}");
        let ran = trial.run_traced(&["-y", "-e", &format!("trace={call}"), "-e", &inject], &trial.args());
        match first_failure(&trial.trace()) {
            // Commits that share a sync make the count vary a little.
            None => *ended.lock().unwrap().entry(-1).or_default() += 1,
            Some((moment, line)) => {
                *ended.lock().unwrap().entry(ran.code).or_default() += 1;
                let late = posts_after(&server, &trial.emails(), moment);
                // SQLite does not ask how the sync of the folder went after it made a file there.
                let ignored = call == "fsync" && !line.contains("l.db");
                assert!(late == 0 || ignored, "{late} requests after {line}");
                // When SQLite closes, it removes its log. A run that cannot do that after its
                // report has done his work.
                let tidied = trial.reported_before(moment);
                assert!(ran.code == 74 || ran.code == 0 && (ignored || tidied), "{line}\n{ran:?}");
            }
        }
        trial.report_is_not_half();
        let complete = trial.completes();
        told.lock().unwrap().extend(complete);
    });
    same_at_the_server(&server, &told.into_inner().unwrap());
    let ended = ended.into_inner().unwrap();
    assert!(ended[&74] * 2 >= points.len(), "{ended:?}");
    many::note(format_args!(
        "{} failures of {call}, exit codes {ended:?} (-1: not reached), {:.1} s",
        points.len(),
        begun.elapsed().as_secs_f32()
    ));
}

#[test]
fn i10_after_a_sync_that_failed_nothing_is_sent_and_the_next_run_completes() {
    if !strace_is_missing() {
        nothing_is_sent_after("fsync", &["EIO"], false);
    }
}

#[test]
fn i10_on_a_disk_that_takes_no_more_nothing_is_sent_and_the_next_run_completes() {
    if !strace_is_missing() {
        let errors: &[_] = if many::long() { &["ENOSPC", "EDQUOT", "EROFS", "EIO"] } else { &["ENOSPC"] };
        nothing_is_sent_after("pwrite64", errors, true);
    }
}

/// A later run counts the settle time from the moment that the ledger knows, so no request may
/// leave after it.
#[test]
fn a_request_leaves_no_later_than_the_ledger_says_however_slow_the_disk_is() {
    if strace_is_missing() {
        return;
    }
    let lab = Lab::new();
    let server = Server::start(&lab, &["--fault", "stall"]);
    let trial = Trial::new(&server, "slow", World::New);
    trial.write_rows(1);
    let never_answered = ["--timeout", "300ms", "--max-attempts", "1", "--no-lookup"];
    let args = [&trial.args()[..], &never_answered].concat();
    trial.run_traced(&["-e", "trace=fsync", "-e", "inject=fsync:delay_exit=400000"], &args).ends(4);
    let ledger = rusqlite::Connection::open(trial.lab.path("l.db")).unwrap();
    let known: f64 = ledger.query_row("SELECT sent_at FROM intents", [], |row| row.get(0)).unwrap();
    let received = server.posts()[0]["t"].as_f64().unwrap();
    assert!(received <= known, "it came {} ms later", received - known);
}

/// As some network file systems do it.
#[test]
fn a_ledger_that_cannot_be_locked_is_refused_with_what_it_may_be() {
    if strace_is_missing() {
        return;
    }
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    for error in ["ENOLCK", "EOPNOTSUPP", "EIO"] {
        let trial = Trial::new(&server, error, World::Used);
        let inject = format!("inject=flock:error={error}");
        let ran = trial.run_traced(&["-e", "trace=flock", "-e", &inject], &trial.args()).ends(78);
        ran.says("l.db").says("if this is a network disk, name a local one with --ledger");
        assert_eq!(posts_after(&server, &trial.emails()[2..], 0.0), 0, "{error}");
    }
}

#[test]
fn a_report_that_cannot_be_put_in_place_ends_the_import_with_74_and_is_made_from_the_ledger() {
    if strace_is_missing() {
        return;
    }
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    let told = Mutex::new(Vec::new());
    // Only the folder of the report, so that the ledger's own syncs are left alone.
    let cases = [("renameat", "EIO"), ("renameat", "ENOSPC"), ("fsync", "EIO")];
    many::each(&cases, |(call, error)| {
        let trial = Trial::new(&server, &format!("place-{call}-{error}"), World::New);
        let folder = trial.lab.path("reports");
        std::fs::create_dir(&folder).unwrap();
        let folder = folder.to_str().unwrap();
        let mut options = vec!["-e".to_owned(), format!("inject={call}:error={error}:when=1")];
        if *call == "fsync" {
            options.extend(["-P".to_owned(), folder.to_owned()]);
        }
        let options: Vec<_> = options.iter().map(String::as_str).collect();
        let report = format!("{folder}/r.csv");
        trial.run_traced(&options, &[&trial.args()[..], &["--report", &report]].concat()).ends(74).says("r.csv");
        assert!(first_failure(&trial.trace()).is_some());
        let again = ["report", "in.csv", "--base-url", &server.url, "--ledger", "l.db", "--report", &report];
        trial.lab.run(&again).ends(0);
        for row in rows(Path::new(&report)) {
            assert_eq!(row["status"], "created", "{row:?}");
        }
        told.lock().unwrap().extend(trial.completes());
    });
    same_at_the_server(&server, &told.into_inner().unwrap());
}

#[test]
fn a_report_command_that_is_killed_or_failed_at_any_call_leaves_the_old_report_or_the_whole_new_one() {
    if strace_is_missing() {
        return;
    }
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    let harms = ["signal=SIGKILL", "error=EIO", "error=ENOSPC"];
    let counts = [("write", 3), ("fsync", 2), ("renameat", 1)];
    let calls = counts.into_iter().flat_map(|(call, count)| (1..=count).map(move |n| (call, n)));
    let cases: Vec<_> = calls.flat_map(|call| harms.map(|harm| (call, harm))).collect();
    many::each(&cases, |((call, n), harm)| {
        let name = format!("report-{call}-{n}-{}", harm.replace('=', "-"));
        let mut trial = Trial::new(&server, &name, World::Used);
        trial.completes();
        // An old report of another shape, so that old and new can be distinguished.
        trial.old_report = Some(b"customer_email\nold\n".to_vec());
        std::fs::write(trial.report(), trial.old_report.as_ref().unwrap()).unwrap();
        let again = ["report", "in.csv", "--base-url", &server.url, "--ledger", "l.db"];
        let ran = trial.run_traced(&["-e", &format!("inject={call}:{harm}:when={n}")], &again);
        assert!([0, 74, 137].contains(&ran.code), "{ran:?}");
        trial.report_is_not_half();
        trial.lab.run(&again).ends(0);
        assert_eq!(rows(&trial.report()).len(), ROWS);
    });
}

#[test]
fn of_two_reports_none_is_put_in_place_before_both_are_whole() {
    if strace_is_missing() {
        return;
    }
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    let trial = Trial::new(&server, "two-reports", World::New);
    trial.completes();
    let again =
        ["report", "in.csv", "--base-url", &server.url, "--ledger", "l.db", "--report", "a.csv", "--report", "b.csv"];
    let reset = || ["a.csv", "b.csv"].map(|name| trial.lab.write(name, "old"));
    let is_old = |name: &str| trial.lab.read(name) == "old";

    reset();
    trial.run_traced(&["-e", "inject=fsync:error=ENOSPC:when=2"], &again).ends(74).says("cannot write b.csv");
    assert!(is_old("a.csv") && is_old("b.csv"));
    reset();
    let ran = trial.run_traced(&["-e", "inject=renameat:error=EIO:when=2"], &again).ends(74);
    ran.says("cannot write b.csv").says("already replaced: a.csv");
    assert!(!is_old("a.csv") && is_old("b.csv"));
    trial.lab.run(&again).ends(0);
    assert!(!is_old("a.csv") && !is_old("b.csv"));
}
