//! Signals, threads and temporary files of the real process.
#![cfg(target_os = "linux")]

use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::harness::{FAST, Lab, Ran, Server, email, skipped, wait_until};

const ROWS: usize = 20;

fn send(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

/// How it ended, and that it did not take long.
#[track_caller]
fn ended_soon(child: Child) -> Ran {
    let begun = Instant::now();
    let ran = Ran::from(child.wait_with_output().unwrap());
    assert!(begun.elapsed() < Duration::from_secs(20), "it went on for {:?}", begun.elapsed());
    ran
}

/// The program behind words of a shell that end in `exec "$0" "$@"`.
fn through_shell(lab: &Lab, script: &str, args: &[&str]) -> Command {
    let program = lab.command(args);
    let mut shell = Command::new("sh");
    shell.args(["-c", script]).arg(program.get_program()).args(program.get_args()).current_dir(lab.path(""));
    for (name, value) in program.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    shell.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    shell
}

#[test]
fn signals_that_are_ignored_at_the_start_stay_ignored() {
    let lab = Lab::new();
    let server = Server::start(&lab, &["--latency", "50ms"]);
    lab.customers(ROWS);
    let args = lab.import_args(&server, &["--concurrency", "2"]);
    let mut run = through_shell(&lab, "trap '' HUP INT; exec \"$0\" \"$@\"", &args).spawn().unwrap();
    server.wait_for_posts(3);
    assert!(run.try_wait().unwrap().is_none());
    send(&run, Signal::HUP);
    send(&run, Signal::INT);
    Ran::from(run.wait_with_output().unwrap()).ends(0);
    server.has_each_once((0..ROWS).map(email));
}

#[test]
fn a_signal_that_is_not_ignored_beside_one_that_is_stops_the_run_and_is_named() {
    let lab = Lab::new();
    let server = Server::start(&lab, &["--latency", "50ms"]);
    lab.customers(200);
    let args = lab.import_args(&server, &["--concurrency", "2"]);
    let run = through_shell(&lab, "trap '' HUP; exec \"$0\" \"$@\"", &args).spawn().unwrap();
    server.wait_for_posts(3);
    send(&run, Signal::HUP);
    send(&run, Signal::TERM);
    ended_soon(run).ends(143).says("stopped by SIGTERM (termination)");
}

/// A pipe without a writer: opening it for reading waits.
fn fifo(lab: &Lab, name: &str) {
    assert!(Command::new("mkfifo").args(["-m", "600"]).arg(lab.path(name)).status().unwrap().success());
}

#[test]
fn a_token_file_that_blocks_leaves_a_signal_heard_and_nothing_behind() {
    for args in [
        &["--token-file", "/dev/stdin"][..],
        &["--account-id", "YWRh", "--app-secret-file", "/dev/fd/0"],
        &["--token-command", "cat secret"],
    ] {
        let lab = Lab::new();
        lab.customers(1);
        fifo(&lab, "secret");
        let args = [&["import", "in.csv", "--base-url", "http://127.0.0.1:9/api", "--ledger", "l.db"], args].concat();
        let mut import = lab.command(&args);
        import.env_remove("CUSTOMER_IMPORT_TOKEN").stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut run = import.stdin(Stdio::piped()).spawn().unwrap();
        // No process writes to it, and it stays open.
        let _secret = run.stdin.take();
        wait_until("it never listened", || catches(&run, Signal::TERM));
        send(&run, Signal::TERM);
        ended_soon(run).ends(143).says("stopped by SIGTERM (termination)");
        assert!(!lab.path("l.db").exists() && !lab.path("l.db.lock").exists());
    }
}

/// Whether the process hears the signal: it has a handler, and its main thread waits. Between the
/// system's note of a handler and the library's own, a signal is lost for the library, and in that
/// moment the main thread does not wait.
fn catches(child: &Child, signal: Signal) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
    let line = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).map_or("", str::trim);
    let caught = u64::from_str_radix(line("SigCgt:"), 16).unwrap_or_default();
    line("State:").starts_with('S') && caught >> (signal.as_raw() - 1) & 1 == 1
}

#[test]
fn a_token_command_that_blocks_in_mid_run_leaves_the_first_signal_heard() {
    let lab = Lab::new();
    let server = Server::start(&lab, &["--token", "fresh"]);
    lab.customers(5);
    fifo(&lab, "never");
    // `exec`, since what a shell starts outlives the shell, and would hold the pipes that this test
    // reads.
    let command = "test -e asked && { touch again; exec cat never; }; touch asked; echo stale";
    let args = lab.import_args(&server, &["--token-command", command]);
    let mut import = lab.command(&args);
    import.env_remove("CUSTOMER_IMPORT_TOKEN").stdout(Stdio::piped()).stderr(Stdio::piped());
    let run = import.spawn().unwrap();
    wait_until("the command was not asked again", || lab.path("again").exists());
    send(&run, Signal::TERM);
    ended_soon(run).ends(143).says("stopped by SIGTERM (termination)");
    assert_eq!(lab.statuses(), ["not_attempted"; 5]);
}

fn entries(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn standard_input_that_never_ends_leaves_a_signal_heard_and_no_spooled_file() {
    for command in ["import", "check"] {
        let lab = Lab::new();
        let spool = lab.path("state/customer-import/spool");
        let args = [command, "-", "--base-url", "http://127.0.0.1:9/api", "--ledger", "l.db"];
        let mut program = lab.command(&args);
        let mut run = program.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut input = run.stdin.take().unwrap();
        input.write_all(b"customer_name,customer_email\nAda,ada@example.com\n").unwrap();
        wait_until("nothing was spooled", || !entries(&spool).is_empty());
        send(&run, Signal::TERM);
        ended_soon(run).ends(143).says("stopped by SIGTERM (termination)");
        assert_eq!(entries(&spool), [""; 0], "{command}");
        drop(input);
    }
}

#[test]
fn what_a_kill_leaves_of_standard_input_is_swept_by_the_next_command_that_spools() {
    let lab = Lab::new();
    let spool = lab.path("state/customer-import/spool");
    let args = ["check", "-"];
    let start = || {
        let mut program = lab.command(&args);
        program.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    };
    let mut killed = start();
    wait_until("nothing was spooled", || !entries(&spool).is_empty());
    // One that is at work still keeps its file.
    let mut other = start();
    wait_until("nothing more was spooled", || entries(&spool).len() == 2);
    killed.kill().unwrap();
    killed.wait().unwrap();
    assert_eq!(entries(&spool).len(), 2, "a kill leaves it");
    let mut third = start();
    drop(third.stdin.take());
    third.wait().unwrap();
    assert_eq!(entries(&spool).len(), 1, "only the one in use is left");
    other.kill().unwrap();
    other.wait().unwrap();
}

/// A report that takes long enough to be stopped while it is written.
fn writing_a_report() -> (Lab, Child) {
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    lab.customers(60_000);
    let run = lab.import_args(&server, &["--ledger", "l.db", "--limit", "1", "--report", "first.csv"]);
    lab.run(&run).ends(0);
    let args = ["report", "in.csv", "--base-url", &server.url, "--ledger", "l.db"];
    let child = lab.command(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_until("no report was begun", || is_being_written(&lab));
    (lab, child)
}

/// Tells a report that has rows from the empty file by which a run tries the folder out beforehand.
fn is_being_written(lab: &Lab) -> bool {
    temporary(lab).iter().any(|name| lab.path(name).metadata().is_ok_and(|file| file.len() > 0))
}

fn temporary(lab: &Lab) -> Vec<String> {
    entries(&lab.path("")).into_iter().filter(|name| name.starts_with(".in.report.csv.")).collect()
}

#[test]
fn a_signal_while_a_report_is_written_leaves_no_temporary_file_and_a_kill_leaves_one_that_is_swept() {
    let (lab, report) = writing_a_report();
    send(&report, Signal::TERM);
    let ran = ended_soon(report);
    assert_eq!((ran.code, temporary(&lab)), (143, vec![]), "{ran:?}");

    let (lab, mut report) = writing_a_report();
    report.kill().unwrap();
    report.wait().unwrap();
    assert_eq!(temporary(&lab).len(), 1, "a kill leaves it");
    lab.run(&["check", "in.csv", "--report", "in.report.csv"]).ends(0);
    assert_eq!(temporary(&lab), [""; 0]);
}

#[test]
fn the_second_signal_leaves_no_temporary_report() {
    let lab = Lab::new();
    let server = Server::start(&lab, &["--latency", "20ms"]);
    lab.customers(60_000);
    let args = lab.import_args(&server, &["--ledger", "l.db", "--concurrency", "2"]);
    let run = lab.command(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    server.wait_for_posts(3);
    send(&run, Signal::TERM);
    wait_until("no report was begun", || is_being_written(&lab));
    send(&run, Signal::TERM);
    ended_soon(run).ends(143);
    assert_eq!(temporary(&lab), [""; 0]);
    assert!(!lab.path("in.report.csv").exists());
}

/// Every thread that cannot be had, one after the other, by an error of the system call behind it.
#[test]
fn a_thread_that_cannot_be_had_is_told_with_its_limit_and_never_a_panic() {
    if Command::new("strace").arg("-V").output().is_err() {
        return skipped("there is no strace");
    }
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    lab.customers(ROWS);
    let (mut refused, mut nth) = (0, 1);
    loop {
        let args = [&["import", "in.csv", "--base-url", &server.url, "--ledger", "l.db"], &FAST[..]].concat();
        let inject = format!("inject=clone3,clone:error=EAGAIN:when={nth}+");
        let program = lab.command(&args);
        let mut traced = Command::new("strace");
        traced.args(["-f", "-qq", "-o", "/dev/null", "-e", "trace=clone3,clone", "-e", &inject]);
        traced.arg(program.get_program()).args(program.get_args()).stdin(Stdio::null()).current_dir(lab.path(""));
        traced.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let ran = Ran::of(&mut traced);
        assert!(!ran.stderr.contains("panicked"), "thread {nth}: {ran:?}");
        if ran.code == 0 {
            break;
        }
        refused += 1;
        ran.ends(74).says("cannot start a thread").says("RLIMIT_NPROC");
        nth += 1;
        assert!(nth < 200, "it never came to its end");
    }
    assert!(refused > 3, "only {refused} threads were refused");
    server.has_each_once((0..ROWS).map(email));
}

#[test]
fn a_file_size_limit_is_named_when_it_stops_a_report_and_leaves_nothing_behind() {
    let lab = Lab::new();
    lab.customers(200);
    let script = "ulimit -f 1 && exec \"$0\" \"$@\"";
    let mut check = through_shell(&lab, script, &["check", "in.csv", "--report", "in.report.csv"]);
    Ran::of(&mut check).ends(74).says("cannot write in.report.csv").says("RLIMIT_FSIZE");
    assert_eq!(temporary(&lab), [""; 0]);
}
