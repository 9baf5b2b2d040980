//! What a machine does to a run: full disks, few descriptors, suspension, signals that cannot be
//! answered, ledgers out of a backup.
#![cfg(target_os = "linux")]

use std::fs::OpenOptions;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::Signal;

use crate::harness::{Lab, Ran, Server, email, exit_code};

const ROWS: usize = 20;

fn emails() -> impl Iterator<Item = String> {
    (0..ROWS).map(email)
}

/// An import that is in the middle of its work.
fn at_work(lab: &Lab, server: &Server, more: &[&str]) -> Child {
    let child =
        lab.command(&lab.import_args(server, more)).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    server.wait_for_posts(3);
    child
}

fn send(child: &Child, signal: Signal) {
    rustix::process::kill_process(rustix::process::Pid::from_child(child), signal).unwrap();
}

/// The same import with a limit of the shell's.
fn with_ulimit(lab: &Lab, server: &Server, limit: &str, more: &[&str]) -> Ran {
    limited(lab, &lab.command(&lab.import_args(server, more)), limit)
}

/// The program with a limit of the shell's.
pub(crate) fn limited(lab: &Lab, program: &Command, limit: &str) -> Ran {
    let mut limited = Command::new("sh");
    limited.args(["-c", &format!("ulimit {limit} && exec \"$0\" \"$@\"")]);
    limited.arg(program.get_program()).args(program.get_args()).stdin(Stdio::null()).current_dir(lab.path(""));
    limited.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
    Ran::of(&mut limited)
}

#[test]
fn messages_that_no_disk_takes_stop_no_import() {
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    lab.customers(ROWS);
    let full = || OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut import = lab.command(&lab.import_args(&server, &["--progress", "always"]));
    let status = import.stdout(full()).stderr(full()).status().unwrap();
    assert_eq!(exit_code(status), 0);
    server.has_each_once(emails());
}

#[test]
fn a_command_whose_output_no_disk_takes_says_so_and_fails() {
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    lab.customers(2);
    lab.import(&server, &["--ledger", "l.db"]).ends(0);
    let of_the_ledger = ["--base-url", &server.url, "--ledger", "l.db"];
    for command in [&["check", "in.csv"][..], &["report", "in.csv", "--summary", "json"], &["ledger", "show"]] {
        let args = if command[0] == "check" { command.to_vec() } else { [command, &of_the_ledger].concat() };
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output = lab.command(&args).stdout(full).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(exit_code(output.status), 74, "{args:?}: {said}");
        assert!(said.contains("standard output: No space left on device"), "{said}");
        // A reader that leaves has read enough.
        let mut left = lab.command(&args).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        drop(left.stdout.take());
        assert_eq!(exit_code(left.wait().unwrap()), 0, "{args:?}");
    }
}

#[test]
fn an_old_copy_of_the_ledger_doubles_nobody_and_finds_the_ids_again() {
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    lab.customers(ROWS);
    lab.import(&server, &["--ledger", "l.db", "--limit", "5"]).ends(0);
    std::fs::copy(lab.path("l.db"), lab.path("backup.db")).unwrap();
    lab.import(&server, &["--ledger", "l.db"]).ends(0);
    std::fs::copy(lab.path("backup.db"), lab.path("l.db")).unwrap();
    lab.import(&server, &["--ledger", "l.db"]).ends(0);
    server.has_each_once(emails());
    let customers = server.customers();
    for row in lab.report() {
        assert_eq!(customers[&row["customer_email"]], [row["customer_id"].clone()], "{row:?}");
    }
}

#[test]
fn two_ledgers_at_once_double_nobody_where_the_server_guards_the_email() {
    let lab = Lab::new();
    let server = Server::start(&lab, &["--latency", "20ms"]);
    lab.customers(ROWS);
    let import = |name: &str| {
        let (ledger, report) = (format!("{name}.db"), format!("{name}.csv"));
        let args = [&lab.import_args(&server, &[])[..], &["--ledger", &ledger, "--report", &report]].concat();
        lab.command(&args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    };
    for mut run in [import("a"), import("b")] {
        assert_eq!(exit_code(run.wait().unwrap()), 0);
    }
    server.has_each_once(emails());
}

#[test]
fn a_run_that_was_suspended_for_longer_than_its_time_limit_goes_on() {
    let lab = Lab::new();
    let server = Server::start(&lab, &["--latency", "50ms"]);
    lab.customers(ROWS);
    let mut child = at_work(&lab, &server, &["--timeout", "300ms", "--concurrency", "2"]);
    send(&child, Signal::STOP);
    // The time limit runs on for a process that stands still; nothing but real time can pass it.
    std::thread::sleep(Duration::from_millis(600));
    send(&child, Signal::CONT);
    assert_eq!(exit_code(child.wait().unwrap()), 0);
    server.has_each_once(emails());
}

#[test]
fn a_quit_signal_is_a_kill_and_the_next_run_completes() {
    let lab = Lab::new();
    let server = Server::start(&lab, &["--latency", "50ms"]);
    lab.customers(ROWS);
    let mut child = at_work(&lab, &server, &["--concurrency", "2"]);
    send(&child, Signal::QUIT);
    assert_eq!(exit_code(child.wait().unwrap()), if is_quit_ignored() { 0 } else { 128 + 3 });
    lab.import(&server, &[]).ends(0);
    server.has_each_once(emails());
}

fn is_quit_ignored() -> bool {
    is_ignored(Signal::QUIT)
}

/// Shells start what runs in the background so, and whatever that starts inherits it.
pub(crate) fn is_ignored(signal: Signal) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).map(str::trim);
    ignored.is_some_and(|bits| u64::from_str_radix(bits, 16).unwrap() >> (signal.as_raw() - 1) & 1 == 1)
}

#[test]
fn few_descriptors_lose_and_double_nobody() {
    let lab = Lab::new();
    let server = Server::start(&lab, &["--latency", "20ms"]);
    lab.customers(ROWS);
    for limit in [4, 5, 6, 7, 8, 9, 10, 12, 16, 20, 24] {
        let ran = with_ulimit(&lab, &server, &format!("-n {limit}"), &["--give-up-after", "2s"]);
        // The message names what could not be opened first: the input, the ledger, or a connection.
        assert!([0, 65, 69, 74].contains(&ran.code), "{ran:?}");
        assert!(!ran.stderr.contains("panicked") && !ran.stderr.contains("a fault of"), "{ran:?}");
        // A connection that cannot be opened is tried again; everything else ends the run at once.
        assert!(ran.code != 74 || ran.stderr.contains("RLIMIT_NOFILE"), "{ran:?}");
        assert_ne!(ran.code, 65, "the input is not at fault: {ran:?}");
    }
    lab.import(&server, &[]).ends(0);
    server.has_each_once(emails());
}

#[test]
fn a_ledger_that_may_not_grow_stops_the_run_and_the_next_one_completes() {
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    lab.customers(ROWS);
    // 100 blocks of 512 bytes: the tables fit, the log of a run does not. The signal that tells of
    // it must not kill.
    with_ulimit(&lab, &server, "-f 100", &["--ledger", "l.db"]).ends(74).says("RLIMIT_FSIZE");
    lab.import(&server, &["--ledger", "l.db"]).ends(0);
    server.has_each_once(emails());
}

#[test]
fn a_ledger_that_may_not_grow_in_mid_run_stops_it_with_the_limit_and_not_with_what_follows_from_it() {
    // The limit is reached by a commit that many requests wait for.
    for blocks in [200, 240, 280, 320] {
        let lab = Lab::new();
        let server = Server::start(&lab, &[]);
        lab.customers(ROWS);
        let limit = format!("-f {blocks}");
        let ran = with_ulimit(&lab, &server, &limit, &["--ledger", "l.db"]).ends(74).says("RLIMIT_FSIZE");
        assert!(ran.stdout.contains("records read"), "it stopped before it was at work: {ran:?}");
        lab.import(&server, &["--ledger", "l.db"]).ends(0);
        server.has_each_once(emails());
    }
}

#[test]
fn a_ledger_in_a_folder_that_cannot_be_one_is_told_before_anything_is_sent() {
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    lab.customers(1);
    lab.import(&server, &["--ledger", "in.csv/l.db"]).ends(74).says("in.csv");
    assert_eq!(server.requests(), 0);
}

#[test]
fn a_machine_without_entropy_or_memory_is_told_by_name_before_anything_is_sent() {
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    lab.customers(ROWS);
    let program = lab.command(&lab.import_args(&server, &[]));
    let mut traced = Command::new("strace");
    traced.args(["-f", "-qq", "-o", "trace", "-e", "trace=getrandom", "-e", "inject=getrandom:error=EIO"]);
    traced.arg(program.get_program()).args(program.get_args()).stdin(Stdio::null()).current_dir(lab.path(""));
    traced.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
    if Command::new("strace")
        .args(["-qq", "-o", "trace", "true"])
        .current_dir(lab.path(""))
        .status()
        .is_ok_and(|it| it.success())
    {
        Ran::of(&mut traced).ends(74).says("no random bytes");
    } else {
        crate::harness::skipped("strace cannot be used here");
    }
    // From too little to enough. Below the first, the system cannot even load the program.
    let mut codes = Vec::new();
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let enough = 100_000 * (10 + cores);
    for kib in (40_000..enough).step_by(enough / 24) {
        let ran = with_ulimit(&lab, &server, &format!("-v {kib}"), &[]);
        assert!(!ran.stderr.contains("panicked"), "{kib} KiB: {ran:?}");
        assert!(ran.code == 0 || ran.stderr.contains("RLIMIT_AS") || !is_loaded(&ran), "{kib} KiB: {ran:?}");
        codes.push(ran.code);
    }
    assert!(codes.contains(&0), "{codes:?}");
    server.has_each_once(emails());
}

#[test]
fn a_limit_on_data_is_told_by_name_with_the_command_that_raises_it_and_aborts_no_run() {
    let lab = Lab::new();
    let server = Server::start(&lab, &["--latency", "20ms"]);
    lab.write("in.csv", crate::harness::customers(300));
    let run = |kib: usize, concurrency: &str| {
        let ran = with_ulimit(&lab, &server, &format!("-d {kib}"), &["--concurrency", concurrency]);
        assert!(ran.code == 0 || ran.code == 74 && ran.stderr.contains("RLIMIT_DATA"), "{kib} KiB: {ran:?}");
        ran
    };
    let hinted = |ran: &Ran| -> Option<usize> {
        ran.stderr.split("hint: ulimit -d ").nth(1).map(|kib| kib.trim().parse().unwrap())
    };
    // From too little to enough for 64 requests in flight, and what is enough for more.
    let mut least = 0;
    for concurrency in ["64", "256", "1000"] {
        let wanted = hinted(&run(30_000, concurrency)).expect("30 MB were enough");
        assert!(wanted > least, "{concurrency} requests in flight need more than fewer do");
        run(wanted, concurrency).ends(0);
        least = wanted;
    }
    for kib in (4_000..60_000).step_by(4_000) {
        run(kib, "64");
    }
    server.has_each_once((0..300).map(email));
}

#[test]
fn a_stack_that_is_too_small_is_told_by_name_before_anything_is_sent() {
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    lab.customers(1);
    for kib in [128, 256, 511] {
        with_ulimit(&lab, &server, &format!("-s {kib}"), &[]).ends(74).says("RLIMIT_STACK");
    }
    assert_eq!(server.requests(), 0);
    with_ulimit(&lab, &server, "-s 1024", &[]).ends(0);
}

/// Whether the program came so far that it could say anything.
fn is_loaded(ran: &Ran) -> bool {
    let words_of_the_loader = ["cannot map", "failed to map", "cannot allocate memory"];
    !words_of_the_loader.iter().any(|words| ran.stderr.contains(words)) && ran.code != 139
}
