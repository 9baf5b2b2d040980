//! Colors: when there are any, and that they say nothing that the words do not say.
#![cfg(target_os = "linux")]

use std::process::Command;

use crate::harness::{FAST, Lab, Ran, Server, customers};
use crate::terminal;

const ESCAPE: char = '\u{1b}';

fn with(mut command: Command, variables: &[(&str, &str)]) -> Command {
    for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "FORCE_COLOR"] {
        command.env_remove(name);
    }
    command.env("TERM", "xterm").envs(variables.iter().copied());
    command
}

#[test]
fn a_terminal_has_colors_unless_something_says_otherwise() {
    let lab = Lab::new();
    lab.write("in.csv", customers(2).replace("p1@", "p1"));
    for (variables, options, expected) in [
        (&[][..], &[][..], true),
        (&[("NO_COLOR", "1")], &[], false),
        (&[("NO_COLOR", "")], &[], true),
        (&[("TERM", "dumb")], &[], false),
        (&[("TERM", "dumb"), ("CLICOLOR_FORCE", "1")], &[], true),
        (&[("NO_COLOR", "1"), ("CLICOLOR_FORCE", "1")], &[], false),
        (&[("CLICOLOR_FORCE", "1")], &["--color", "never"], false),
        (&[("NO_COLOR", "1")], &["--color", "always"], true),
        (&[], &["--color", "never"], false),
        (&[], &["--color=never"], false),
        (&[("CUSTOMER_IMPORT_COLOR", "never")], &[], false),
        (&[("CUSTOMER_IMPORT_COLOR", "never")], &["--color", "always"], true),
    ] {
        for args in [&["check", "in.csv"][..], &["--help"], &["check", "nope.csv"], &["chekc"], &["check"]] {
            let command = lab.command(&[args, options].concat());
            let (_, printed) = terminal::run(&mut with(command, variables), "");
            assert_eq!(printed.contains(ESCAPE), expected, "{variables:?} {options:?} {args:?}:\n{printed}");
        }
    }
}

#[test]
fn the_questions_of_init_are_bold_on_a_terminal() {
    let lab = Lab::new();
    let header = "Name,E-Mail,Land,Telefon,Handy";
    lab.write("in.csv", format!("{header}\nAda King,ada@example.com,D,030 123456,0151 23456789\n"));
    let ask = |options: &[&str]| {
        let command = lab.command(&[&["init", "in.csv", "--force"], options].concat());
        terminal::run(&mut with(command, &[]), "1").1
    };
    let colored = ask(&[]);
    assert!(colored.contains("\u{1b}[1mWhich column is customer_phone?\u{1b}[0m"), "{colored:?}");
    assert_eq!(console::strip_ansi_codes(&colored), ask(&["--color", "never"]));
}

#[test]
fn elsewhere_there_are_colors_only_if_they_are_asked_for() {
    let lab = Lab::new();
    lab.write("in.csv", customers(2).replace("p1@", "p1"));
    for args in [&["check", "in.csv"][..], &["--help"], &["chekc"], &["check", "nope.csv"]] {
        let ran = |variables, options: &[&str]| Ran::of(&mut with(lab.command(&[args, options].concat()), variables));
        for plain in [ran(&[], &[]), ran(&[("CLICOLOR_FORCE", "0")], &[]), ran(&[("CLICOLOR_FORCE", "")], &[])] {
            assert!(!plain.stdout.contains(ESCAPE) && !plain.stderr.contains(ESCAPE), "{args:?}: {plain:?}");
        }
        for colored in [ran(&[], &["--color", "always"]), ran(&[("CLICOLOR_FORCE", "1")], &[])] {
            assert!(colored.stdout.contains(ESCAPE) || colored.stderr.contains(ESCAPE), "{args:?}: {colored:?}");
        }
    }
}

#[test]
fn json_has_no_colors_whatever_is_asked_for() {
    let lab = Lab::new();
    lab.write("in.csv", customers(2).replace("p1@", "p1"));
    for args in [&["check", "in.csv", "--summary", "json"][..], &["chekc"], &["check", "nope.csv"]] {
        let more = ["--color", "always", "--log-format", "json"];
        let ran = Ran::of(&mut with(lab.command(&[args, &more].concat()), &[]));
        assert!(!ran.stdout.contains(ESCAPE) && !ran.stderr.contains(ESCAPE), "{ran:?}");
    }
}

#[test]
fn without_its_colors_a_summary_has_the_same_words() {
    let lab = Lab::new();
    let server = Server::start(&lab, &["--fault", "422:p1@example.com"]);
    lab.customers(3);
    lab.run(&[&["import", "in.csv", "--base-url", &server.url, "--ledger", "l.db"], &FAST[..]].concat()).ends(1);
    let report = |color: &str| {
        // In the environment, because the summary repeats the options that were typed.
        let mut report = lab.command(&["report", "in.csv", "--base-url", &server.url, "--ledger", "l.db"]);
        Ran::of(report.env("CUSTOMER_IMPORT_COLOR", color)).ends(1).stdout
    };
    let (plain, colored) = (report("never"), report("always"));
    assert!(colored.contains("\u{1b}[1m\u{1b}[31mrejected"), "{colored:?}");
    assert_eq!(console::strip_ansi_codes(&colored), plain);
}

#[test]
fn b9_the_log_has_no_phone_number_and_no_line_of_another_library_at_any_level() {
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    lab.write(
        "in.csv",
        "customer_name,customer_email,customer_phone,customer_country\n\
         Ada King,ada@example.com,030 12345678,DEU\nBo Li,bo@example.com,0151 23456789,DEU\n",
    );
    for args in [&["check", "in.csv", "-vv"][..], &["import", "in.csv", "-vv", "--base-url", &server.url]] {
        for format in ["text", "json"] {
            let ran = lab.run(&[args, &["--log-format", format, "--rate", "500/s"]].concat());
            for number in ["12345678", "23456789"] {
                assert!(!ran.stderr.contains(number), "{number} in:\n{}", ran.stderr);
            }
            assert!(!ran.stderr.contains("TRACE"), "this program traces nothing:\n{}", ran.stderr);
        }
    }
}
