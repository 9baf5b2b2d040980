//! All that people see, whole: help, plans, summaries, diagnostics, questions, errors.
//!
//! If a change of words is wanted, `INSTA_UPDATE=always cargo test --test it snapshots::` writes
//! the files of `tests/it/snapshots/` anew, and the diff of the commit shows what people will see.
//! What differs from run to run is replaced by its kind in brackets.

use std::process::Command;

use clap::CommandFactory as _;
use customer_import::cli::Cli;

use crate::asking::World;
use crate::harness::{FAST, HEADER, Lab, Ran, Server, customers, email, fixture, program};
use crate::terminal;

/// What differs from run to run, and what stands for it.
const VARIABLE: [(&str, &str); 10] = [
    (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "[id]"),
    (r"127\.0\.0\.1:\d{2,}", "127.0.0.1:[port]"),
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "[time]"),
    (r"\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)?", "[time]"),
    (r"(giving up at )\d\d:\d\d", "${1}[time]"),
    (r"( in | a pause: |, after )\d+(\.\d)? m?s\b", "${1}[duration]"),
    (r"( for )\d+ms:", "${1}[duration]:"),
    (r#"("seconds":)\d+\.\d+"#, "${1}[seconds]"),
    (r"(\.out\.csv\.)\w{6}\.tmp", "${1}[random].tmp"),
    (r" \(process \d+", " (process [number]"),
];

/// Compares what a command printed with the file of this name. `printed` is each stream with its
/// name.
#[track_caller]
fn compare(name: &str, lab: &Lab, args: &[&str], code: i32, printed: &[(&str, &str)]) {
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    for (path, kind) in [(program(), "customer-import"), (lab.path(""), "[folder]/")] {
        settings.add_filter(&path.to_str().unwrap().replace('.', r"\."), kind);
    }
    VARIABLE.iter().for_each(|(pattern, kind)| settings.add_filter(pattern, *kind));
    let mut text = format!("$ customer-import {}\n", args.join(" "));
    for (stream, printed) in printed.iter().filter(|(_, printed)| !printed.is_empty()) {
        let end = if printed.ends_with('\n') { "" } else { "\n" };
        text += &format!("--- {stream}\n{printed}{end}");
    }
    text += &format!("--- exit code {code}\n");
    settings.bind(|| insta::assert_snapshot!(name, text));
}

#[track_caller]
fn same(name: &str, lab: &Lab, args: &[&str], ran: &Ran) {
    compare(name, lab, args, ran.code, &[("standard error", &ran.stderr), ("standard output", &ran.stdout)]);
}

/// Runs a command in this lab and compares what it printed.
#[track_caller]
fn shows(name: &str, lab: &Lab, args: &[&str]) {
    same(name, lab, args, &Ran::of(&mut command(lab, args)));
}

/// The same on a terminal on which this line was typed.
#[track_caller]
fn shows_on_a_terminal(name: &str, lab: &Lab, args: &[&str], typed: &str) {
    let (code, printed) = terminal::run(&mut command(lab, args), typed);
    compare(name, lab, args, code, &[("terminal", &printed)]);
}

/// Compares what a command prints on a terminal on which its question gets this answer.
#[track_caller]
fn is_asked(name: &str, lab: &Lab, command: &mut Command, args: &[&str], answer: &str) {
    let (code, printed) = terminal::answered(command, answer);
    compare(name, lab, args, code, &[("terminal", &printed)]);
}

/// The program without the settings that say how wide, how colourful or through which proxy.
fn command(lab: &Lab, args: &[&str]) -> Command {
    let mut command = lab.command(args);
    let proxies = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"];
    let looks = ["COLUMNS", "LINES", "NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "FORCE_COLOR", "RUST_LOG"];
    for name in proxies.iter().chain(&looks) {
        command.env_remove(name).env_remove(name.to_lowercase());
    }
    command.env("TERM", "xterm");
    command
}

/// An import into a server, one request after the other, so that lines come in one order.
fn import<'a>(server: &'a Server, more: &[&'a str]) -> Vec<&'a str> {
    [&["import", "in.csv", "--base-url", &server.url, "--concurrency", "1", "--ledger", "l.db"], &FAST[..], more]
        .concat()
}

/// A lab with some customers, and a server with these faults.
fn world(count: usize, options: &[&str]) -> (Lab, Server) {
    let lab = Lab::new();
    let server = Server::start(&lab, options);
    lab.customers(count);
    (lab, server)
}

fn lab_with(rows: &str) -> Lab {
    let lab = Lab::new();
    lab.write("in.csv", format!("{HEADER}\n{rows}"));
    lab
}

#[test]
fn help_of_every_command() {
    fn each(path: &[String], command: &clap::Command, lab: &Lab) {
        let args: Vec<_> = path.iter().map(String::as_str).chain(["--help"]).collect();
        let name = [&["help"], &args[..path.len()]].concat().join("-");
        shows(&name, lab, &args);
        for inner in command.get_subcommands() {
            each(&[path, &[inner.get_name().to_owned()]].concat(), inner, lab);
        }
    }
    each(&[], &Cli::command(), &Lab::new());
}

#[test]
fn what_is_typed_wrongly() {
    let lab = Lab::new();
    lab.customers(1);
    for (name, args) in [
        ("typed-no-command", &[][..]),
        ("typed-unknown-command", &["chekc"]),
        ("typed-unknown-option", &["import", "in.csv", "--sandbx"]),
        ("typed-no-input", &["import", "--sandbox"]),
        ("typed-rate", &["import", "in.csv", "--sandbox", "--rate", "0/s"]),
        ("typed-duration", &["import", "in.csv", "--sandbox", "--timeout", "soon"]),
        ("typed-region", &["check", "in.csv", "--region", "Mars"]),
        ("typed-map", &["check", "in.csv", "--map", "nonsense"]),
        ("typed-from", &["check", "in.csv", "--from", "stripes"]),
        ("typed-log-format", &["check", "in.csv", "--log-format", "xml"]),
    ] {
        shows(name, &lab, args);
    }
}

#[test]
fn errors_before_anything_is_sent() {
    let lab = Lab::new();
    lab.customers(1);
    lab.write("empty.csv", "");
    lab.write("strange.csv", "id,colour\n1,red\n");
    lab.write("guess.csv", "name,mail adress,phone,country\nAda,a@example.com,+4917612345001,DEU\n");
    lab.write("twice.csv", format!("{HEADER},customer_email\nAda,a@example.com,+4917612345001,DEU,b@example.com\n"));
    lab.write("wrong.toml", "rat = \"5/s\"\n");
    std::fs::copy(fixture("foreign").join("customers.ods"), lab.path("customers.ods")).unwrap();
    let target = ["--base-url", "https://api.example.com/v1"];
    let to_api = |args: &[&'static str]| [args, &target[..]].concat();
    for (name, args) in [
        ("error-no-base-url", vec!["import", "in.csv"]),
        ("error-plain-http", vec!["import", "in.csv", "--base-url", "http://api.example.com/v1"]),
        ("error-no-file", vec!["check", "nope.csv"]),
        ("error-folder", vec!["check", "."]),
        ("error-empty-file", vec!["check", "empty.csv"]),
        ("error-spreadsheet", vec!["check", "customers.ods"]),
        ("error-no-column", vec!["check", "strange.csv"]),
        ("error-similar-column", vec!["check", "guess.csv"]),
        ("error-column-twice", vec!["check", "twice.csv"]),
        ("error-map-to-no-column", vec!["check", "in.csv", "--map", "customer_name=nome"]),
        ("error-report-is-the-input", vec!["check", "in.csv", "--report", "in.csv"]),
        ("error-report-folder", vec!["check", "in.csv", "--report", "no/such/folder/out.csv"]),
        ("error-config-key", vec!["check", "in.csv", "--config", "wrong.toml"]),
        ("error-no-ledger", to_api(&["import", "in.csv", "--require-ledger", "--yes"])),
        ("error-token-file", to_api(&["ledger", "pull", "--token-file", "nope"])),
        ("error-ca-file", to_api(&["import", "in.csv", "--ca-file", "nope.pem", "--yes"])),
    ] {
        let mut command = command(&lab, &args);
        if name == "error-token-file" {
            command.env_remove("CUSTOMER_IMPORT_TOKEN");
        }
        same(name, &lab, &args, &Ran::of(&mut command));
    }
}

#[test]
fn plans() {
    let (lab, server) = world(3, &[]);
    shows("plan", &lab, &["check", "in.csv"]);
    shows("plan-json", &lab, &["check", "in.csv", "--summary", "json"]);
    lab.run(&import(&server, &[])).ends(0);
    let changed = customers(5).replace("Person 1", "Another Name").replace("p4@", "p3@");
    lab.write("in.csv", changed.replace("customer_country", "customer_country,shoe_size").replace("DEU", "DEU,42"));
    shows("plan-with-a-ledger", &lab, &["check", "in.csv", "--ledger", "l.db", "--base-url", &server.url]);
    for name in ["messy.csv", "messy.ndjson"] {
        std::fs::copy(fixture(name), lab.path(name)).unwrap();
        shows(&format!("plan-of-{}", name.replace('.', "-")), &lab, &["check", name]);
    }
}

#[test]
fn diagnostics() {
    for (name, row) in [
        ("name-missing", ",a@firm.de,+4917612345001,DEU"),
        ("name-control-characters", "\"Ada\nKing\",a@firm.de,+4917612345001,DEU"),
        ("email-missing", "Ada,,+4917612345001,DEU"),
        ("email-syntax", "Ada,a at example.com,+4917612345001,DEU"),
        ("phone-missing", "Ada,a@firm.de,,DEU"),
        ("phone-syntax", "Ada,a@firm.de,1-800-FLOWERS,USA"),
        ("phone-impossible", "Ada,a@firm.de,+49 1,DEU"),
        ("phone-spreadsheet-damage", "Ada,a@firm.de,2.34904E+12,NGA"),
        ("phone-no-country-code", "Ada,a@firm.de,4915123456789,DEU"),
        ("consequence", "Ada,a@firm.de,030 123456,"),
        ("country-missing", "Ada,a@firm.de,+4917612345001,"),
        ("country-unknown", "Ada,a@firm.de,+4917612345001,Atlantis"),
        ("country-misspelled", "Ada,a@firm.de,+4917612345001,Deutshland"),
        ("country-ambiguous", "Ada,a@firm.de,+4917612345001,Congo"),
        ("column-count", "Ada,a@firm.de"),
        ("two-in-one-row", ",a@firm.de,12,DEU"),
        ("warning-phone-not-assigned", "Ada,a@firm.de,+1 200 555 0123,USA"),
        ("warning-name-looks-garbled", "JosÃ© GarcÃ\u{ad}a,a@firm.de,+34612345678,ESP"),
    ] {
        shows(&format!("diagnostic-{name}"), &lab_with(&format!("{row}\n")), &["check", "in.csv"]);
    }
    let lab = lab_with("Ada King,ada at firm.de,+4917612345001,DEU\n");
    let args = ["check", "in.csv"];
    shows_on_a_terminal("diagnostic-on-a-terminal", &lab, &args, "");
    let many: String = (0..25).map(|n| format!(",p{n}@firm.de,+4917612345001,DEU\n")).collect();
    shows("diagnostics-more-than-are-shown", &lab_with(&many), &args);
}

#[test]
fn summaries() {
    let (lab, server) = world(3, &[]);
    lab.write("in.csv", customers(4).replace("p1@", "p0@").replace("p2@", "p2"));
    shows("summary", &lab, &import(&server, &[]));
    shows("summary-again", &lab, &import(&server, &[]));
    shows("summary-json", &lab, &import(&server, &["--summary", "json"]));
    shows("summary-markdown", &lab, &import(&server, &["--summary", "markdown"]));
    shows("summary-quiet", &lab, &import(&server, &["--quiet"]));
    shows("summary-of-a-report", &lab, &["report", "in.csv", "--ledger", "l.db", "--base-url", &server.url]);

    let (lab, server) = world(3, &[]);
    shows("summary-limit", &lab, &import(&server, &["--limit", "2"]));
    {
        let (lab, server) = world(5, &[]);
        lab.write("in.csv", customers(5).replace("p1@", "p1"));
        shows("summary-limit-with-rows-to-fix", &lab, &import(&server, &["--limit", "2", "--rejects", "rejects.csv"]));
    }
    lab.write("in.csv", customers(3).replace("p1@", "p1"));
    shows("summary-strict", &lab, &import(&server, &["--strict"]));
    lab.write("in.csv", format!("{HEADER}\n"));
    shows("summary-of-no-records", &lab, &import(&server, &[]));

    for (name, fault, more) in [
        ("rejected", &["--fault", "422:p1@example.com"][..], &[][..]),
        ("failed", &["--fault", "503:p0@example.com"], &["--max-attempts", "1"]),
        ("in-doubt", &["--no-lookup", "--fault", "reset-after:p0@example.com"], &["--max-attempts", "1"]),
        ("other-email", &["--fault", "other-email:p0@example.com"], &[]),
        ("wrong-mapping", &["--fault", "422"], &[]),
        ("token-refused", &["--token", "another"], &[]),
        ("wrong-path", &["--fault", "404"], &[]),
        ("max-failures", &["--fault", "503"], &["--max-failures", "1", "--max-attempts", "1"]),
    ] {
        let (lab, server) = world(if name == "wrong-mapping" { 30 } else { 3 }, fault);
        shows(&format!("summary-{name}"), &lab, &import(&server, more));
    }
    let (lab, _server) = world(2, &[]);
    let nowhere =
        ["import", "in.csv", "--base-url", "http://127.0.0.1:9/api", "--give-up-after", "300ms", "--concurrency", "1"];
    shows("summary-unreachable", &lab, &nowhere);
}

#[test]
fn progress() {
    for (name, fault, more) in [
        ("throttled", &["--fault", "throttle-unix=1s:p1@example.com:first=1"][..], &[][..]),
        ("unavailable", &["--fault", "unavailable=1s:p1@example.com:first=1"], &[]),
        ("look-ups-off", &["--fault", "lookup-403", "--fault", "500-after:p1@example.com:first=1"], &[]),
        ("verbose", &["--fault", "500:p1@example.com:first=1"], &["-v"]),
        ("log-lines", &["--fault", "503:p1@example.com:first=1"], &["--log-format", "json"]),
    ] {
        let (lab, server) = world(2, fault);
        shows(&format!("progress-{name}"), &lab, &import(&server, more));
    }
    let (lab, server) = world(2, &["--token", "fresh"]);
    let token = "cat token 2>/dev/null || echo stale; echo fresh > token";
    let args = import(&server, &["--token-command", token]);
    same("progress-token-refused", &lab, &args, &Ran::of(command(&lab, &args).env_remove("CUSTOMER_IMPORT_TOKEN")));
}

#[test]
fn questions() {
    let lab = Lab::new();
    lab.customers(3);
    let args = ["import", "in.csv", "--base-url", "https://nowhere.invalid/api", "--ledger", "l.db"];
    is_asked("question-not-asked-because-unreachable", &lab, &mut command(&lab, &args), &args, "n");
    let api = World::new(&[]);
    let args = api.args(&["--progress", "never"]);
    let mut asking = api.prepared(command(&api.lab, &args));
    is_asked("question-before-sending", &api.lab, &mut asking, &args, "n");

    let (lab, server) = world(2, &[]);
    lab.run(&import(&server, &[])).ends(0);
    let args = ["ledger", "forget", "--target", "--ledger", "l.db", "--base-url", &server.url];
    shows("question-without-a-terminal", &lab, &args);
    is_asked("question-before-forgetting-answered-no", &lab, &mut command(&lab, &args), &args, "n");
    is_asked("question-before-forgetting-answered-yes", &lab, &mut command(&lab, &args), &args, "y");
}

#[test]
fn proposals() {
    let lab = Lab::new();
    let rows = "Ada King,ada@example.com,030 123456,0151 23456789,D,Verein,Muster e.V.\n\
                Bo Li,bo@example.com,+33 6 12 34 56 78,,F,Privat,\n";
    lab.write("in.csv", format!("Name,E-Mail,Telefon,Handy,Land,Kundentyp,Firma\n{rows}"));
    shows("init", &lab, &["init", "in.csv"]);
    shows("init-again", &lab, &["init", "in.csv"]);
    shows_on_a_terminal("init-questions", &lab, &["init", "in.csv", "--force"], "1\n2");
    shows_on_a_terminal("init-left", &lab, &["init", "in.csv", "--output", "new.toml"], "\u{4}");
    std::fs::copy(fixture("exports").join("mailchimp-audience.csv"), lab.path("export.csv")).unwrap();
    shows("init-of-an-export", &lab, &["init", "export.csv"]);
    insta::with_settings!({prepend_module_to_snapshot => false, omit_expression => true}, {
        insta::assert_snapshot!("init-config", lab.read("in.toml").replace(program().to_str().unwrap(), "customer-import"));
        insta::assert_snapshot!("init-config-of-an-export", lab.read("export.toml").replace(program().to_str().unwrap(), "customer-import"));
    });
}

#[test]
fn the_ledger() {
    let (lab, server) = world(3, &["--no-lookup", "--fault", "reset-after:p1@example.com:first=1"]);
    lab.run(&import(&server, &["--max-attempts", "1"])).ends(4);
    let ledger = |args: &[&'static str]| -> Vec<String> {
        let target = ["--ledger", "l.db", "--base-url", &server.url];
        [&["ledger"], args, &target].concat().into_iter().map(str::to_owned).collect()
    };
    for (name, args) in [
        ("show", &["show"][..]),
        ("show-json", &["show", "--json"]),
        ("show-one", &["show", "p0@example.com"]),
        ("show-doubt", &["show", "p1@example.com"]),
        ("show-unknown", &["show", "stranger@example.com"]),
        ("forget-doubt", &["forget", "p1@example.com"]),
        ("settle-unknown", &["settle", "stranger@example.com", "--absent"]),
        ("resolve", &["resolve", "--rate", "500/s", "--settle", "300ms"]),
        ("settle-nothing", &["settle", "p1@example.com", "--absent"]),
        ("pull", &["pull", "--rate", "500/s"]),
        ("forget", &["forget", "p0@example.com"]),
    ] {
        let args = ledger(args);
        shows(&format!("ledger-{name}"), &lab, &args.iter().map(String::as_str).collect::<Vec<_>>());
    }
    assert_eq!(server.customers()[&email(1)].len(), 1);
}
