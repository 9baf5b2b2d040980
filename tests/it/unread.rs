//! Standard error and standard output that are open and have no reader: a stopped terminal, a
//! stalled ssh, a full pipe.
#![cfg(target_os = "linux")]

use std::io::{PipeReader, PipeWriter, Write as _};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::harness::{Lab, Server, email, exit_code};

const ROWS: usize = 1000;

/// A pipe without room for one more byte. Its reader only keeps it open.
fn full_pipe() -> (PipeReader, PipeWriter) {
    let (reader, mut writer) = std::io::pipe().unwrap();
    writer.write_all(&vec![b'.'; 65_536]).unwrap();
    (reader, writer)
}

/// How it ended within a minute, also if it had to be helped with signals.
#[track_caller]
fn ended(mut child: Child, mut help: impl FnMut(&Child)) -> i32 {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(60) {
        if let Some(status) = child.try_wait().unwrap() {
            return exit_code(status);
        }
        help(&child);
        std::thread::sleep(Duration::from_millis(20));
    }
    drop(child.kill());
    panic!("it never ended");
}

/// `import` of `in.csv` as fast as it goes.
fn import_args<'a>(server: &'a Server, more: &[&'a str]) -> Vec<&'a str> {
    let import = ["import", "in.csv", "--base-url", &server.url, "--rate", "5000/s", "--settle", "300ms"];
    [&import[..], more].concat()
}

fn terminate(child: &Child) {
    // It may have ended meanwhile.
    let _ = kill_process(Pid::from_child(child), Signal::TERM);
}

#[test]
fn a_standard_error_that_nobody_reads_does_not_stop_an_import() {
    for more in [&["-vv"][..], &["-vv", "--log-format", "json"]] {
        let lab = Lab::new();
        let server = Server::start(&lab, &[]);
        lab.customers(ROWS);
        let mut import = lab.command(&import_args(&server, more));
        let (_reader, stderr) = full_pipe();
        let child = import.stdout(Stdio::null()).stderr(stderr).spawn().unwrap();
        assert_eq!(ended(child, |_| ()), 0);
        assert_eq!(lab.statuses(), vec!["created"; ROWS]);
    }
}

#[test]
fn a_signal_ends_an_import_whose_standard_error_nobody_reads() {
    let lab = Lab::new();
    let server = Server::start(&lab, &["--latency", "20ms"]);
    lab.customers(ROWS);
    let (_reader, stderr) = full_pipe();
    let mut import = lab.command(&import_args(&server, &["-vv", "--concurrency", "2"]));
    let child = import.stdout(Stdio::null()).stderr(stderr).spawn().unwrap();
    server.wait_for_posts(20);
    terminate(&child);
    let begun = Instant::now();
    assert_eq!(ended(child, |_| ()), 143);
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    lab.run(&import_args(&server, &[])).ends(0);
    server.has_each_once((0..ROWS).map(email));
}

#[test]
fn a_check_whose_standard_error_nobody_reads_ends() {
    let lab = Lab::new();
    lab.write("in.csv", "customer_name,customer_email,customer_phone,customer_country\nA,not an e-mail,1,XX\n");
    let (_reader, stderr) = full_pipe();
    let child = lab.command(&["check", "in.csv"]).stdout(Stdio::null()).stderr(stderr).spawn().unwrap();
    assert_eq!(ended(child, |_| ()), 1);
}

#[test]
fn a_summary_that_nobody_reads_leaves_a_signal_heard_and_the_exit_code_as_decided() {
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    lab.customers(3);
    let (_reader, stdout) = full_pipe();
    let mut import = lab.command(&import_args(&server, &["--summary", "json"]));
    let child = import.stdout(stdout).stderr(Stdio::null()).spawn().unwrap();
    let report = lab.path("in.report.csv");
    let code = ended(child, |child| {
        if report.exists() {
            terminate(child);
        }
    });
    assert_eq!(code, 0);
    assert_eq!(lab.statuses(), ["created"; 3]);
}

#[test]
fn a_terminal_that_is_stopped_does_not_stop_the_bar_nor_the_import() {
    let lab = Lab::new();
    let server = Server::start(&lab, &["--latency", "5ms"]);
    lab.customers(ROWS);
    let (_person, screen) = crate::terminal::open();
    let mut import = lab.command(&import_args(&server, &["-vv", "--progress", "always"]));
    import.env("TERM", "xterm");
    let child = import.stdout(Stdio::null()).stderr(screen).spawn().unwrap();
    assert_eq!(ended(child, |_| ()), 0);
    assert_eq!(lab.statuses(), vec!["created"; ROWS]);
}
