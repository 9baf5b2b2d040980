//! What a person sees on a terminal while an import runs: the bar, and what is printed above it.
//! `vt100` draws what a terminal would.
#![cfg(target_os = "linux")]

use std::process::{Child, Command};

use rustix::process::{Pid, Signal, kill_process};

use crate::harness::{Lab, Server, exit_code};
use crate::terminal::Screen;

const WIDTHS: [u16; 3] = [40, 80, 200];

/// `import` on a terminal that can show a bar and no colors.
fn import(lab: &Lab, server: &Server, more: &[&str]) -> Command {
    let args = ["import", "in.csv", "--base-url", &server.url, "--settle", "300ms", "--concurrency", "1"];
    let mut import = lab.command(&[&args, more].concat());
    import.env("TERM", "xterm").env("NO_COLOR", "1");
    import
}

fn interrupt(child: &Child) {
    kill_process(Pid::from_child(child), Signal::INT).unwrap();
}

/// Compares the last lines of the screen with the file of this name. What differs from run to run
/// is replaced: digits that count down or up, and how much of the bar is done.
#[track_caller]
fn same(name: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    for (pattern, kind) in [
        (r"[█░]+", "[bar]"),
        (r"giving up at \d\d:\d\d", "giving up at [time]"),
        (r"(giving up in|gives up:) [\d a-z]*\d+ (min|s)", "giving up in [time]"),
        (r"\d+ min \d+ s|\d+ min|\d+(\.\d+)? s\b|\d+ h \d+ min", "[time]"),
        (r"\d+\.\d+( of \d+ requests/min|/min)", "[pace]"),
        (r"127\.0\.0\.1:\d+", "127.0.0.1:[port]"),
        (r"\d+ retries", "[n] retries"),
    ] {
        settings.add_filter(pattern, kind);
    }
    settings.bind(|| insta::assert_snapshot!(name, text));
}

/// The lines of the bar: from the one that begins with a phase on.
fn bar(text: &str) -> String {
    let lines: Vec<_> = text.lines().collect();
    let phases = ["sending  ", "paused  ", "waiting  ", "stopping  ", "finishing  "];
    let first = lines.iter().rposition(|line| phases.iter().any(|phase| line.starts_with(phase)));
    lines[first.unwrap_or_else(|| panic!("no bar:\n{text}"))..].join("\n")
}

/// Fails if an old bar is anywhere above the current one.
#[track_caller]
fn has_one_bar(text: &str) {
    let bars = text.lines().filter(|line| {
        line.contains('░') || line.contains('█') || line.starts_with("paused for") || line.contains("none settled yet")
    });
    let in_bar = bar(text);
    let outside: Vec<_> = bars.filter(|line| !in_bar.contains(line)).collect();
    assert!(outside.is_empty(), "remains {outside:?} in:\n{text}");
}

#[test]
fn b9_a_pause_after_429_counts_down_with_its_reason_and_is_part_of_the_time_left() {
    for columns in WIDTHS {
        let lab = Lab::new();
        let server = Server::start(&lab, &["--fault", "throttle-unix=30s:p1@example.com:first=1"]);
        lab.customers(4);
        let mut screen = Screen::new(columns, 24);
        let mut child = screen.start(&import(&lab, &server, &["--rate", "500/s"]));
        let text = screen.shows("paused for 2");
        has_one_bar(&text);
        let paused = bar(&text);
        same(&format!("screen-paused-{columns}"), &paused);
        // The rest takes hardly any time at this pace, so what is left is the pause.
        let left = paused.split(" s left").next().unwrap().rsplit(' ').next().unwrap();
        assert!((20..50).contains(&left.parse::<u32>().unwrap()), "{left}:\n{paused}");
        let shown = paused.clone();
        screen.shows("paused for 18 s");
        assert_ne!(bar(&screen.text()), shown, "it counts down without an event");
        interrupt(&child);
        assert_eq!(exit_code(child.wait().unwrap()), 130);
    }
}

#[test]
fn an_outage_shows_its_cause_and_the_next_try() {
    for columns in WIDTHS {
        let lab = Lab::new();
        let server = Server::start(&lab, &[]);
        lab.customers(30);
        let url = "http://127.0.0.1:9/api/v1";
        let mut import = lab.command(&["import", "in.csv", "--base-url", url, "--rate", "500/s", "--ledger", "l.db"]);
        import.env("TERM", "xterm").env("NO_COLOR", "1");
        drop(server);
        let mut screen = Screen::new(columns, 24);
        let mut child = screen.start(&import);
        let text = screen.shows("next try in");
        has_one_bar(&text);
        let outage = bar(&text);
        assert!(outage.starts_with("paused"), "{outage}");
        assert!(outage.contains("none settled yet") && outage.contains("next try in"), "{outage}");
        assert_eq!(outage.contains("cannot reach 127.0.0.1"), columns > 40, "{outage}");
        assert_eq!(outage.contains("giving up in"), columns > 80, "{outage}");
        if columns == 80 {
            same("screen-outage-80", &outage);
        }
        interrupt(&child);
        assert_eq!(exit_code(child.wait().unwrap()), 130);
    }
}

#[test]
fn ctrl_c_shows_what_the_run_waits_for_and_leaves_nothing_of_the_bar() {
    for columns in WIDTHS {
        let lab = Lab::new();
        let server = Server::start(&lab, &["--latency", "3s"]);
        lab.customers(4);
        let mut screen = Screen::new(columns, 24);
        let mut child = screen.start(&import(&lab, &server, &["--rate", "500/s"]));
        server.wait_for_posts(1);
        screen.press("\u{3}");
        let text = screen.shows("stopping  ");
        has_one_bar(&text);
        same(&format!("screen-stopping-{columns}"), &bar(&text));
        assert_eq!(exit_code(child.wait().unwrap()), 130);
        let text = screen.shows("resume ");
        assert!(!text.contains('░') && !text.contains("stopping  "), "{text}");
    }
}

#[test]
fn the_last_records_of_an_import_are_waited_for_with_words() {
    let lab = Lab::new();
    let server = Server::start(&lab, &["--latency", "2s"]);
    lab.customers(1);
    let mut screen = Screen::new(80, 24);
    let mut child = screen.start(&import(&lab, &server, &["--rate", "500/s"]));
    let text = screen.shows("waiting for the last record");
    assert!(bar(&text).starts_with("finishing  "), "{text}");
    assert_eq!(exit_code(child.wait().unwrap()), 0);
}

#[test]
fn a_check_of_a_large_file_shows_how_many_rows_it_has_read_and_a_signal_leaves_nothing_of_that() {
    let lab = Lab::new();
    lab.customers(300_000);
    let mut check = lab.command(&["check", "in.csv"]);
    check.env("TERM", "xterm").env("NO_COLOR", "1");
    let mut screen = Screen::new(80, 24);
    let mut child = screen.start(&check);
    let text = screen.shows(" rows");
    assert!(text.starts_with("checking the input  "), "{text}");
    screen.press("\u{3}");
    assert_eq!(exit_code(child.wait().unwrap()), 130);
    let text = screen.shows("nothing was sent");
    assert!(!text.contains("checking the input"), "{text}");
}

#[test]
fn b9_log_lines_stand_whole_above_one_steady_bar_also_after_the_window_changed() {
    for columns in WIDTHS {
        let lab = Lab::new();
        let server = Server::start(&lab, &["--latency", "20ms"]);
        lab.customers(60);
        let mut screen = Screen::new(columns, 24);
        let mut child = screen.start(&import(&lab, &server, &["--rate", "10/s", "-v"]));
        server.wait_for_posts(15);
        has_one_bar(&screen.shows("sending"));
        screen.set_size(columns - 7, 20);
        server.wait_for_posts(25);
        let text = screen.shows("sending");
        has_one_bar(&text);
        screen.set_size(columns + 20, 30);
        server.wait_for_posts(35);
        let text = screen.shows("sending");
        has_one_bar(&text);
        interrupt(&child);
        assert_eq!(exit_code(child.wait().unwrap()), 130);
        let text = screen.shows("resume ");
        assert!(!text.contains('░'), "{text}");
        // Each record that was settled has its line. This terminal may have cut off its end.
        let settled = text.matches("row=").count();
        assert!(settled >= 30, "{settled}:\n{text}");
    }
}

#[test]
fn a_terminal_that_shows_only_text_gets_lines_and_no_bar() {
    for term in [Some("dumb"), None] {
        let lab = Lab::new();
        let server = Server::start(&lab, &["--fault", "throttle-unix=1s:p1@example.com:first=1"]);
        lab.customers(3);
        let mut screen = Screen::new(80, 24);
        let mut import = import(&lab, &server, &["--rate", "500/s", "--progress", "always"]);
        match term {
            Some(term) => import.env("TERM", term),
            None => import.env_remove("TERM"),
        };
        let mut child = screen.start(&import);
        assert_eq!(exit_code(child.wait().unwrap()), 0);
        let text = screen.shows("report ");
        assert!(text.contains("asked for a pause") && !text.contains("paused for"), "{text}");
    }
}
