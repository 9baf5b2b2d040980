//! Faults of the program itself, and what of its memory they could show: panics, core dumps, and
//! people's data in logs.
#![cfg(target_os = "linux")]

use std::process::{Command, Stdio};

use customer_import::exit::Exit;
use customer_import::process::logging::{self, LogFormat, LogSettings};
use customer_import::{fault, output};
use serde_json::Value;

use crate::harness::{FAST, HEADER, Lab, Ran, Server};

/// Says in which format the test below, in a process of its own, is to panic.
const FORMAT: &str = "PANIC_IN_FORMAT";

/// The way through `main` of a command that panics.
#[test]
#[ignore = "the tests below run it in a process of its own"]
#[expect(clippy::exit, reason = "the process that this is part of is the one that is looked at")]
fn the_child_that_panics() {
    let Ok(format) = std::env::var(FORMAT) else { return };
    fault::show_panics();
    let exit = fault::caught(|| {
        let format = if format == "json" { LogFormat::Json } else { LogFormat::Text };
        logging::start(&LogSettings { format, level: tracing::Level::INFO });
        let cell = String::from("ada@example.com");
        let of_thread = cell.clone();
        drop(std::thread::spawn(move || panic!("in a thread: {of_thread}")).join());
        assert!(cell.is_empty(), "a cell: {cell}");
        Exit::Done
    })
    .unwrap_or(Exit::Io);
    output::flush();
    std::process::exit(exit.code().into());
}

fn panicking(format: &str) -> Ran {
    let mut child = Command::new(std::env::current_exe().unwrap());
    let child = child.args(["--exact", "faults_of_ours::the_child_that_panics", "--nocapture", "--include-ignored"]);
    Ran::of(child.env(FORMAT, format).env_remove("RUST_BACKTRACE").stdin(Stdio::null())).ends(74)
}

#[test]
fn a_panic_ends_with_74_and_words_that_hold_nobodys_data() {
    let ran = panicking("text").says("error: internal error: in a thread (").says("hint: what was sent");
    assert!(ran.stderr.contains("error: internal error: a cell ("), "{ran:?}");
    assert!(!ran.stderr.contains("ada@") && !ran.stderr.contains("panicked"), "{ran:?}");
}

#[test]
fn a_panic_is_a_line_of_json_where_all_lines_are() {
    let ran = panicking("json");
    let lines: Vec<Value> = ran.stderr.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2, "{ran:?}");
    assert!(lines.iter().all(|line| line["level"] == "ERROR" && line["place"].is_string()), "{ran:?}");
    assert_eq!(lines[1]["message"], "internal error: a cell");
}

#[test]
fn the_memory_of_a_run_is_in_no_core_dump() {
    use std::os::unix::fs::MetadataExt as _;
    let lab = Lab::new();
    let server = Server::start(&lab, &["--latency", "200ms"]);
    lab.customers(20);
    let args = [&["import", "in.csv", "--base-url", &server.url, "--concurrency", "1"], &FAST[..]].concat();
    let mut command = lab.command(&args);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while server.requests() == 0 {
        std::thread::yield_now();
    }
    let process = format!("/proc/{}", child.id());
    let limits = std::fs::read_to_string(format!("{process}/limits")).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    let limits: Vec<_> = core.trim_start_matches("Max core file size").split_whitespace().take(2).collect();
    assert_eq!(limits, ["0", "0"]);
    // The files of a process that is not dumpable are root's, so this shows something only to
    // others.
    assert_eq!(std::fs::metadata(format!("{process}/environ")).unwrap().uid(), 0);
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn diagnostics_that_do_not_go_to_a_terminal_show_codes_and_columns_and_nobodys_data() {
    let lab = Lab::new();
    lab.write("in.csv", format!("{HEADER}\nAda Lovelace,ada.example.com,17612345678,Atlantis\n"));
    lab.write(
        "in.ndjson",
        "{\"customer_name\":\"Ada Lovelace\",\"customer_email\":\"ada.example.com\",\"customer_phone\":\"17612345678\",\"customer_country\":\"Atlantis\"}\n",
    );
    for (file, format) in [("in.csv", "text"), ("in.ndjson", "text"), ("in.csv", "json")] {
        let ran =
            lab.run(&["check", file, "--log-format", format]).ends(1).says("email.syntax").says("country.unknown");
        for data in ["Ada", "Lovelace", "ada.", "1761", "Atlantis"] {
            assert!(!ran.stderr.contains(data), "{data}: {}", ran.stderr);
        }
        assert!(ran.stderr.contains("customer_email"), "{}", ran.stderr);
        assert!(format == "json" || ran.stderr.contains("^^^^"), "{}", ran.stderr);
    }
}
