//! A manual page for every command, which the tools that show them accept.

use std::io::Write as _;
use std::process::{Command, Stdio};

use clap::CommandFactory as _;
use customer_import::cli::Cli;

use crate::harness::{Lab, skipped};

/// The words of every command and of what is below it, the program itself first.
fn commands() -> Vec<Vec<String>> {
    fn collect(command: &clap::Command, words: &[String], found: &mut Vec<Vec<String>>) {
        found.push(words.to_owned());
        for inner in command.get_subcommands() {
            collect(inner, &[words, &[inner.get_name().to_owned()]].concat(), found);
        }
    }
    let mut found = Vec::new();
    collect(&Cli::command(), &[], &mut found);
    found
}

fn page(lab: &Lab, words: &[String]) -> String {
    let args: Vec<_> = ["man"].into_iter().chain(words.iter().map(String::as_str)).collect();
    lab.run(&args).ends(0).stdout
}

/// Returns what groff complains about, or `None` if it is not installed.
fn complaints(page: &str) -> Option<String> {
    let mut groff = Command::new("groff")
        .args(["-ww", "-man", "-Tutf8", "-z"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .ok()?;
    groff.stdin.take().unwrap().write_all(page.as_bytes()).unwrap();
    let ended = groff.wait_with_output().unwrap();
    Some(String::from_utf8_lossy(&ended.stderr).into_owned())
}

#[test]
fn every_command_has_a_page_that_groff_renders_without_a_warning() {
    let lab = Lab::new();
    for words in commands() {
        let page = page(&lab, &words);
        let name = [&["customer-import".to_owned()], &words[..]].concat().join("-");
        assert!(page.contains(&format!(".TH {name} 1")), "{name}: {page}");
        let Some(complaints) = complaints(&page) else { return skipped("groff is not installed") };
        assert_eq!(complaints, "", "{name}");
    }
}

#[test]
fn the_page_of_a_command_has_its_options_examples_and_the_exit_codes() {
    let lab = Lab::new();
    let import = page(&lab, &["import".to_owned()]);
    for words in ["max\\-failures", ".SH EXAMPLES", "customers.csv \\-\\-sandbox", ".SH \"EXIT STATUS\"", "in doubt"] {
        assert!(import.contains(words), "{words}: {import}");
    }
    lab.run(&["man", "imprt"]).ends(2).says("imprt");
}
