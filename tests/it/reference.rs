//! `docs/reference/` says what the program says.
//! `UPDATE=1 cargo test --test it reference::` writes its tables anew.
//!
//! A table stands between `<!-- generated: NAME -->` and `<!-- end -->`; the text around it is
//! written by hand. What a code means is written here, in matches without a wildcard, so a new code
//! does not compile until it is explained.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::{Arg, ArgAction, Command, CommandFactory as _};
use customer_import::cli::Cli;
use customer_import::domain::{Code, ComplaintCode, Severity, Status, Warning};
use customer_import::exit::{Exit, Signal};

use crate::harness::{Lab, fixture};

fn page(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reference").join(name)
}

/// Compares the tables of a page with those given, by name, or writes them if `UPDATE` is set.
#[track_caller]
fn holds(name: &str, tables: &[(&str, String)]) {
    let path = page(name);
    let written = std::fs::read_to_string(&path).unwrap();
    let mut current = written.clone();
    for (table, content) in tables {
        let opening = format!("<!-- generated: {table} -->\n");
        let (before, rest) = current.split_once(&opening).unwrap_or_else(|| panic!("{name} lacks {opening}"));
        let (_, after) = rest.split_once("<!-- end -->").expect("an end of the table");
        current = format!("{before}{opening}\n{content}\n<!-- end -->{after}");
    }
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, current).unwrap();
    } else {
        let different = written.lines().zip(current.lines()).find(|(old, new)| old != new);
        assert!(written == current, "docs/reference/{name} is out of date (UPDATE=1 writes it): {different:?}");
    }
}

fn table<const N: usize>(header: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> String {
    let mut text = format!("| {} |\n|{}\n", header.join(" | "), " --- |".repeat(N));
    for row in rows {
        writeln!(text, "| {} |", row.map(|cell| cell.replace('|', "\\|")).join(" | ")).unwrap();
    }
    text
}

fn code(text: impl std::fmt::Display) -> String {
    format!("`{text}`")
}

/// A command that does something itself, with its whole name.
fn leaves(command: &Command, name: &str, found: &mut Vec<(String, Command)>) {
    let below: Vec<_> = command.get_subcommands().filter(|command| command.get_name() != "help").collect();
    if below.is_empty() {
        found.push((name.to_owned(), command.clone()));
    }
    for command in below {
        leaves(command, format!("{name} {}", command.get_name()).trim_start(), found);
    }
}

fn commands() -> Vec<(String, Command)> {
    let mut command = Cli::command();
    command.build();
    let mut found = Vec::new();
    leaves(&command, "", &mut found);
    found
}

/// How an argument is typed.
fn spelling(argument: &Arg) -> String {
    let values = || argument.get_value_names().unwrap_or_default().join(" ");
    let takes_value = matches!(argument.get_action(), ArgAction::Set | ArgAction::Append);
    let short = argument.get_short().map(|short| format!("-{short}, ")).unwrap_or_default();
    match argument.get_long() {
        Some(long) if takes_value && argument.get_value_names().is_some() => format!("{short}--{long} {}", values()),
        Some(long) => format!("{short}--{long}"),
        None => argument.get_id().as_str().to_uppercase(),
    }
}

fn meaning(argument: &Arg) -> String {
    let mut text = argument.get_help().map(ToString::to_string).unwrap_or_default();
    let choices: Vec<_> = argument.get_possible_values().iter().map(|value| code(value.get_name())).collect();
    let takes_value = matches!(argument.get_action(), ArgAction::Set | ArgAction::Append);
    // Shells are many, and the value's own name may list the choices.
    if takes_value && !choices.is_empty() && choices.len() < 5 {
        write!(text, " ({})", choices.join(", ")).unwrap();
    }
    text
}

const EVERY: &str = "Every command";

/// The commands of a row. If all commands below `ledger` have the option, it stands for them.
fn commands_of(row: &Row) -> String {
    let all = commands().into_iter().map(|(name, _)| name).filter(|name| name.starts_with("ledger "));
    let has_all = all.into_iter().all(|name| row.commands.contains(&name));
    let mut names = row.commands.clone();
    if has_all {
        names.retain(|name| !name.starts_with("ledger "));
        names.push("ledger".to_owned());
    }
    if row.heading == EVERY { "all".to_owned() } else { names.join(", ") }
}

/// One row of the options: the same argument of several commands.
struct Row {
    heading: String,
    cells: [String; 3],
    commands: Vec<String>,
    has_variable: bool,
}

fn rows() -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    for (name, command) in commands() {
        let shown =
            |argument: &&Arg| !argument.is_hide_set() && !["help", "version"].contains(&argument.get_id().as_str());
        for argument in command.get_arguments().filter(shown) {
            let default =
                argument.get_default_values().iter().map(|value| code(value.to_string_lossy())).collect::<String>();
            let default = if argument.get_action().takes_values() { default } else { String::new() };
            let cells = [code(spelling(argument)), meaning(argument), default];
            let heading = match argument.get_help_heading() {
                _ if argument.is_global_set() => EVERY,
                Some(heading) => heading,
                None => name.split(' ').next().unwrap(),
            };
            match rows.iter_mut().find(|row| row.cells == cells && row.heading == heading) {
                Some(row) => row.commands.push(name.clone()),
                None => rows.push(Row {
                    heading: heading.to_owned(),
                    cells,
                    commands: vec![name.clone()],
                    has_variable: argument.get_env().is_some(),
                }),
            }
        }
    }
    rows
}

fn options() -> String {
    let rows = rows();
    let mut headings: Vec<&str> = Vec::new();
    for row in &rows {
        if !headings.contains(&row.heading.as_str()) {
            headings.push(&row.heading);
        }
    }
    // What every command has comes first. What only one command has comes last, under its name.
    headings.sort_by_key(|heading| (*heading != EVERY, heading.starts_with(char::is_lowercase)));
    let mut text = String::new();
    for heading in headings {
        let of_heading = rows.iter().filter(|row| row.heading == heading).map(|row| {
            let [option, meaning, default] = row.cells.clone();
            [option, meaning, default, commands_of(row), if row.has_variable { "yes" } else { "" }.to_owned()]
        });
        let header = ["option", "meaning", "default", "commands", "variable"];
        writeln!(text, "### {heading}\n\n{}", table(header, of_heading)).unwrap();
    }
    text.trim_end().to_owned() + "\n"
}

fn usages() -> String {
    let row = |(name, mut command): (String, Command)| {
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        let usage = command.render_usage().to_string();
        let usage =
            usage.split_whitespace().skip_while(|word| *word != "customer-import").collect::<Vec<_>>().join(" ");
        assert!(usage.contains(&name), "{usage}");
        [code(usage), about]
    };
    table(["usage", "what it does"], commands().into_iter().map(row))
}

#[test]
fn the_options_are_those_of_the_program() {
    holds("options.md", &[("commands", usages()), ("options", options())]);
}

/// What a report's column holds.
fn column(name: &str) -> &'static str {
    match name {
        "row" => "the record's number in the input, from 1",
        "line" => "the line on which the record starts",
        "status" => "how the record ended, see above",
        "customer_email" => "as in the input",
        "id" | "customer_id" => "one of the API's two ids",
        "kyc_link" => "byte for byte. It is a secret of that person; the file is readable by its owner only",
        "tos_link" => "byte for byte",
        "kyc_status" | "tos_status" => "as the server said",
        "created_at" => "as the server said",
        "http_status" => "of the last response",
        "attempts" => "counted attempts of that run",
        "error_code" => "problem codes joined by `;`, or the code of the API's refusal, see [codes](codes.md)",
        "error" => "the problems in words, the words of the API's refusal, or which fields of a changed record differ",
        "warning" => "what is odd and held nothing back",
        other => panic!("the column {other} is not explained"),
    }
}

fn status(status: Status) -> &'static str {
    match status {
        Status::Created => "this run created the customer, and the server said so",
        Status::Exists => {
            "the API had the customer already; the id is there if the API offers look-ups. See the warning `recovered.unproven`"
        }
        Status::AlreadyImported => "an earlier run created it with the same data; ids from the ledger",
        Status::Changed => "an earlier run created it with other data; not sent. `error` names the fields that differ",
        Status::Duplicate => "an earlier row has the same e-mail; with that row's ids",
        Status::Invalid => "something is wrong with the row; never sent",
        Status::Rejected => {
            "the API said no, in the words of `error`, and does not list the customer. Not sent again with the same data unless `--retry-rejected`"
        }
        Status::Failed => "gave up; surely not created. The next run tries again",
        Status::InDoubt => "perhaps created: no answer, and no way to find out yet. The next run finds out",
        Status::NotAttempted => "not reached yet, or tried in vain before the run ended; `error` then says why",
        Status::Valid => "only in reports of `check`: nothing is wrong, and nothing was sent",
    }
}

#[test]
fn the_statuses_and_columns_are_those_of_a_report() {
    let statuses = Status::IMPORT.into_iter().chain([Status::Valid]);
    let statuses = table(["status", "meaning"], statuses.map(|each| [code(each), status(each).to_owned()]));
    let lab = Lab::new();
    let input = fixture("customers.csv");
    lab.run(&["check", input.to_str().unwrap(), "--report", "report.csv"]).ends(0);
    let report = lab.read("report.csv");
    let names = report.lines().next().unwrap().split(',');
    let columns = table(["column", "content"], names.map(|name| [code(name), column(name).to_owned()]));
    holds("report.md", &[("statuses", statuses), ("columns", columns)]);
}

fn problem(problem: Code) -> &'static str {
    match problem {
        Code::NameMissing => "there is no name",
        Code::NameTooLong => "the name has more than 255 characters",
        Code::NameControlCharacters => "the name holds a line break or another invisible control character",
        Code::EmailMissing => "there is no e-mail",
        Code::EmailSyntax => "the e-mail is not one address",
        Code::EmailSeveral => "the cell holds more than one address",
        Code::EmailTooLong => "the e-mail, or the part before the @, is longer than mail allows",
        Code::PhoneMissing => "there is no phone number",
        Code::PhoneSyntax => "the cell is not written as a phone number",
        Code::PhoneSeveral => "the cell holds more than one number",
        Code::PhoneImpossible => "no number of that country has this length",
        Code::PhoneAmbiguous => "the cell can be read as two numbers, as with `00` in a country that does not dial it",
        Code::PhoneNoCountryCode => {
            "the number has no country code, and neither the record nor `--region` gives its country"
        }
        Code::PhoneSpreadsheetDamage => {
            "a spreadsheet changed the number, as in `2.34904E+12`, or rounded it, as in `491761000000`"
        }
        Code::CountryMissing => "there is no country",
        Code::CountryUnknown => "neither a code of ISO 3166-1 nor a known name of a country",
        Code::CountryAmbiguous => "the name means more than one country",
        Code::TypeUnknown => "the type is neither `individual` nor `business`",
        Code::KycMailNotBoolean => "the cell says neither yes nor no",
        Code::RowEscapedQuotes => "quotes within a cell are written `\\\"`, so the cell ends in the wrong place",
        Code::RowColumnCount => "the row has more or fewer cells than the header",
        Code::RowTooLarge => "the record or one of its cells is beyond a limit, see [limits](input.md#limits)",
        Code::RowEncoding => "the row holds bytes that are not text in the file's encoding",
        Code::JsonSyntax => "the line is not JSON",
        Code::JsonNotAnObject => "the line is JSON but not an object",
        Code::JsonDuplicateKey => "the object has a key twice",
        Code::CellSpreadsheetDamage => "the cell holds a spreadsheet's error or formula, as in `#N/A`",
        Code::PhoneNotAssigned => "the number has the right length and lies in a range that is not in use",
        Code::PhoneOtherCountry => "the number's country code is not of the record's country",
        Code::EmailReservedDomain => "the domain is reserved, such as `example.com`: no mail arrives",
        Code::NameLooksGarbled => {
            "the name looks as if it was read in the wrong encoding, is in quotes as a whole, or holds another language's \
             escapes, as in `O&#039;Brien`"
        }
        Code::NamePlaceholder => "the name is a word that stands for an empty value, as in `n/a`",
        Code::CellNullMarker => "the cell is what databases write for an empty value, as in `\\N`",
        Code::RowSwallowedLines => "a quoted cell holds many lines: perhaps a quote is missing",
        Code::DuplicateDiffers => "an earlier row has the same e-mail and other data",
    }
}

fn complaint(complaint: ComplaintCode) -> &'static str {
    match complaint {
        ComplaintCode::FieldRejected => "the API refuses a field, in its own words",
        ComplaintCode::Rejected => "the API refuses the record with a reason that is not about one field",
        ComplaintCode::Refused => {
            "a refusal of this record alone: 402, 403, 404, 405, 410, 413-415, 419, 421, 426, 431, or a firewall's page"
        }
        ComplaintCode::EmailExists => "the API says that it has this e-mail, and its list does not show the customer",
        ComplaintCode::NoAnswer => "no answer came, or one that proves nothing",
        ComplaintCode::ServerError => "the application answered with a failure of its own",
        ComplaintCode::Unreadable => "the answer cannot be understood",
        ComplaintCode::GaveUp => "the attempts of this run are used up",
    }
}

/// The warnings that only sending can bring, one of each kind.
fn warnings() -> [Warning; 7] {
    [
        Warning::AnswerOtherEmail(String::new()),
        Warning::AnswerDataTooLarge(0),
        Warning::RecoveredByLookup,
        Warning::PerhapsOurs,
        Warning::LookupUnavailable,
        Warning::OtherSpelling(String::new()),
        Warning::SeveralFound(String::new()),
    ]
}

fn warning(warning: &Warning) -> &'static str {
    match warning {
        Warning::AnswerOtherEmail(_) => "the server's response names another address",
        Warning::AnswerDataTooLarge(_) => "the server's `data` has more than 64 KiB and is not kept",
        Warning::RecoveredByLookup => "the response was lost, and a look-up found the customer",
        Warning::PerhapsOurs => {
            "an `exists` that was found after the server failed at our request, without a date: it may be this tool's work, or the reason for the failure"
        }
        Warning::LookupUnavailable => "the API says that it has the e-mail, and no look-up could show the customer",
        Warning::OtherSpelling(_) => "the API has the e-mail, spelled otherwise",
        Warning::SeveralFound(_) => "the API has the e-mail more than once",
    }
}

#[test]
fn the_codes_are_all_there_is() {
    let of = |severity: Severity| {
        let codes = Code::ALL.iter().filter(move |code| code.severity() == severity);
        table(["code", "meaning"], codes.map(|each| [code(each), problem(*each).to_owned()]))
    };
    let complaints = ComplaintCode::ALL.map(|each| [code(each.as_str()), complaint(each).to_owned()]);
    let sent = warnings().map(|each| {
        let shown = each.to_string();
        [code(shown.split_once(':').unwrap().0), warning(&each).to_owned()]
    });
    holds(
        "codes.md",
        &[
            ("problems", of(Severity::Problem)),
            ("warnings", of(Severity::Warning)),
            ("warnings after sending", table(["code", "meaning"], sent)),
            ("refusals", table(["code", "meaning"], complaints)),
        ],
    );
}

fn exits() -> [Exit; 13] {
    use Signal::{Hangup, Interrupt, Terminate};
    let interrupted = [Hangup, Interrupt, Terminate].map(Exit::Interrupted);
    let [hangup, interrupt, terminate] = interrupted;
    [
        Exit::Done,
        Exit::SomeFailed,
        Exit::Usage,
        Exit::InDoubt,
        Exit::Locked,
        Exit::Input,
        Exit::Unavailable,
        Exit::Io,
        Exit::Credentials,
        Exit::Configuration,
        hangup,
        interrupt,
        terminate,
    ]
}

fn exit(exit: Exit) -> &'static str {
    match exit {
        Exit::Done => "every record is created, known, changed or a duplicate (also when `--limit` was reached)",
        Exit::SomeFailed => {
            "finished, or stopped by `--strict`, `--max-failures` or your \"no\"; some records are invalid, rejected or failed. Also `check` and `report`"
        }
        Exit::Usage => "the command line, the environment or a configuration file is wrong; nothing was sent",
        Exit::InDoubt => "finished, and some records are in doubt",
        Exit::Locked => {
            "another run holds the ledger, or has taken a shared one over; the message says which process, on which host, since when"
        }
        Exit::Input => "the input cannot be read as customers, or changed while it was read",
        Exit::Unavailable => {
            "the API is unreachable or unintelligible, or `ledger pull` got fewer customers than the API reports"
        }
        Exit::Io => {
            "the ledger, a report or another file of the run cannot be read or written, the ledger is damaged or was moved, a resource ran out, or this program has a fault"
        }
        Exit::Credentials => {
            "the credentials are refused, or their file, command or variable does not give a usable one"
        }
        Exit::Configuration => {
            "configuration: a redirect, a certificate, a proxy, an endpoint that is not there, a host name that does not exist, a ledger that is not ours, lies where it cannot be locked or has moved into a database, rights of a file, twenty records in a row refused in the same words"
        }
        Exit::Interrupted(Signal::Hangup) => "stopped by SIGHUP",
        Exit::Interrupted(Signal::Interrupt) => "stopped by SIGINT (Ctrl-C)",
        Exit::Interrupted(Signal::Terminate) => "stopped by SIGTERM",
    }
}

#[test]
fn the_exit_codes_are_those_of_the_program() {
    let rows = exits().map(|each| [code(each.code()), exit(each).to_owned()]);
    holds("exit-codes.md", &[("exit codes", table(["code", "meaning"], rows))]);
}
