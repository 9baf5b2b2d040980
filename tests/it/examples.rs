//! The examples of the help texts do what they say.

use clap::CommandFactory as _;
use customer_import::cli::{Cli, after_help};
use customer_import::exit::{Exit, Signal};

use crate::harness::{HEADER, Lab, Ran, Server, program};

/// The address that the examples name.
const API: &str = "https://api.yativo.com/api/v1";

fn examples() -> Vec<String> {
    let command = Cli::command();
    let texts = command.get_subcommands().filter_map(|command| Some(command.get_after_help()?.to_string()));
    let lines = texts.filter_map(|text| Some(text.strip_prefix(after_help::EXAMPLES)?.to_owned()));
    lines.flat_map(|text| text.lines().map(|line| line.trim().to_owned()).collect::<Vec<_>>()).collect()
}

#[test]
fn every_example_of_the_help_works_when_it_is_pasted() {
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    let person = |n: usize, name: &str| format!("{name},{name}@example.com,+4917612345{n:03},DEU\n");
    let people: String = ["ada", "bob", "cleo"].into_iter().enumerate().map(|(n, name)| person(n, name)).collect();
    lab.write("customers.csv", format!("{HEADER}\n{people}"));
    lab.write("nightly.toml", format!("base-url = {:?}\nrate = \"500/s\"\n", server.url));
    let bin = program().parent().unwrap().display().to_string();
    let examples = examples();
    assert!(examples.len() > 20, "{examples:?}");
    for example in examples.iter().filter(|line| !line.starts_with('#')) {
        // A sandbox runs until it is stopped; its own tests run it.
        if example.contains(" sandbox ") {
            Cli::command().try_get_matches_from(example.split(' ')).unwrap();
            continue;
        }
        let shown = example.contains("| man ");
        let line = example.replace(API, &server.url).replace("| man -l -", "| grep -q ^.TH");
        let ran: Ran = lab.shell(&format!("export CUSTOMER_IMPORT_RATE=500/s PATH=\"{bin}:$PATH\"; {line}"));
        assert!(shown || !ran.stdout.is_empty() || line.contains('>'), "{example}");
        assert_eq!(ran.code, 0, "{example}\n{}\n{}", ran.stdout, ran.stderr);
    }
    assert_eq!(server.customers().len(), 3);
}

#[test]
fn the_help_of_the_program_has_every_exit_code() {
    use Exit::{
        Configuration, Credentials, Done, InDoubt, Input, Interrupted, Io, Locked, SomeFailed, Unavailable, Usage,
    };
    let signals = [Signal::Hangup, Signal::Interrupt, Signal::Terminate].map(Interrupted);
    let others = [Done, SomeFailed, Usage, InDoubt, Locked, Input, Unavailable, Io, Credentials, Configuration];
    let help = Lab::new().run(&["--help"]).ends(0).stdout;
    let (_, codes) = help.split_once(after_help::EXIT_CODES).unwrap();
    let listed: Vec<_> = codes.split(|c: char| !c.is_ascii_digit()).filter(|word| !word.is_empty()).collect();
    let expected: Vec<_> = others.into_iter().chain(signals).map(|exit| exit.code().to_string()).collect();
    assert_eq!(listed, expected);
}
