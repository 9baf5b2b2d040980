//! A report made again needs nothing but the run: its options are in the ledger, and a run that was
//! killed is reported like any other.

use std::collections::BTreeMap;
use std::io::Read as _;

use serde_json::{Value, json};

use crate::harness::{FAST, Lab, Ran, Server, customers, email, rows};

const LEDGER: [&str; 2] = ["--ledger", "l.db"];

/// A file that nothing but its options explains.
fn foreign_file(lab: &Lab) {
    let header = "Kürzel|Voller Name|Mail|Tel|Land|Art|Stadt|Rolle\n";
    let row = |n: usize, role: &str, kind: &str, city: &str| {
        format!("K{n}|Person {n}|{}|0176 12345{n:03}|DE|{kind}|{city}|{role}\n", email(n))
    };
    let rows = [row(0, "Kunde", "Firma", "Köln"), row(1, "Agent", "Firma", "Ulm"), row(2, "Kunde", "Privat", "")];
    let bad = "K3|Person 3|no mail|0176 12345003|DE|Firma|Bonn|Kunde\n".to_owned();
    let text = [header.to_owned(), rows.concat(), bad].concat();
    let (latin, _, _) = encoding_rs::WINDOWS_1252.encode(&text);
    lab.write("in.csv", latin);
}

const OPTIONS: [&str; 30] = [
    "--map",
    "customer_name=Voller Name",
    "--map",
    "customer_email=Mail",
    "--map",
    "customer_phone={Tel}",
    "--map",
    "customer_country=Land",
    "--map",
    "customer_type=Art",
    "--value",
    "customer_type:Firma=business",
    "--value",
    "customer_type:Privat=individual",
    "--set",
    "send_kyc_mail=false",
    "--extra",
    "customer_address.city=Stadt",
    "--where",
    "Rolle=Kunde",
    "--region",
    "DE",
    "--delimiter",
    "|",
    "--encoding",
    "windows-1252",
    "--keep",
    "Kürzel",
    "--hold",
    "phone.other_country",
];

fn report<'a>(server: &'a Server, file: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["report", file, "--base-url", &server.url], &LEDGER[..], more].concat()
}

#[test]
fn a_report_of_a_run_needs_none_of_the_options_that_the_run_had() {
    let lab = Lab::new();
    let server = Server::start(&lab, &["--fault", "422:p2@example.com"]);
    foreign_file(&lab);
    let outputs = ["--report", "run.csv", "--report", "run.ndjson", "--report", "run.xlsx"];
    let json = ["--summary", "json"];
    let ran = lab.import(&server, &[&LEDGER[..], &OPTIONS, &outputs, &json].concat()).ends(1).summary();
    assert_eq!(
        (&ran["records_read"], &ran["not_selected"], &ran["outcomes"]["created"]),
        (&json!(3), &json!(1), &json!(1))
    );
    for wanted in ["last", ran["run"].as_str().unwrap()] {
        let outputs = ["--report", "out.csv", "--report", "out.ndjson", "--report", "out.xlsx", "--run", wanted];
        let again = lab.run(&report(&server, "in.csv", &[&outputs[..], &json].concat())).ends(1);
        let again = again.says("the input is read with the options of the run: ").says("--region DEU");
        for ending in ["csv", "ndjson", "xlsx"] {
            let [run, out] = ["run", "out"].map(|name| std::fs::read(lab.path(&format!("{name}.{ending}"))).unwrap());
            assert!(run == out, "{ending} of {wanted}");
        }
        assert_eq!(again.summary()["notes"], json!([]));
        assert_eq!(again.summary()["outcomes"], ran["outcomes"]);
    }
    // The commands that it prints have the options of the run too.
    let fixing = lab.run(&report(&server, "in.csv", &json)).ends(1).summary();
    let fixing = lab.shell(fixing["fix_command"].as_str().unwrap());
    assert_eq!(fixing.code, 1, "{fixing:?}");
    assert!(lab.read("mend.csv").contains("no mail"), "{}", lab.read("mend.csv"));
}

#[test]
fn a_typed_option_wins_over_that_of_the_run_and_the_difference_is_said() {
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    foreign_file(&lab);
    lab.import(&server, &[&LEDGER[..], &OPTIONS].concat()).ends(1);
    let typed = ["--where", "Rolle=Agent", "--keep", "Kürzel"];
    let ran = lab.run(&report(&server, "in.csv", &[&typed[..], &["--summary", "json"]].concat())).ends(1);
    let summary = ran.summary();
    assert_eq!(summary["notes"], json!(["the run had --where Rolle=Kunde, and this report has Rolle=Agent"]));
    assert_eq!((&summary["records_read"], &summary["outcomes"]["not_attempted"]), (&json!(1), &json!(1)));
    // All options again, as a nightly job has them, are no difference.
    let same = lab.run(&report(&server, "in.csv", &[&OPTIONS[..], &["--summary", "json"]].concat())).ends(1);
    assert_eq!(same.summary()["notes"], json!([]));
    assert!(!same.stderr.contains("options of the run"), "{}", same.stderr);
}

#[test]
fn a_file_that_moved_or_changed_since_the_run_is_said_in_words() {
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    lab.customers(3);
    let run = lab.import(&server, &[&LEDGER[..], &["--summary", "json"]].concat()).ends(0).summary();
    let run = run["run"].as_str().unwrap();
    let old = lab.path("in.csv").canonicalize().unwrap();
    std::fs::rename(&old, lab.path("moved.csv")).unwrap();
    let lost = lab.run(&report(&server, "moved.csv", &[])).ends(2);
    lost.says("the ledger has no run of ").says("--run ID");
    let moved = lab.run(&report(&server, "moved.csv", &["--run", run])).ends(0);
    let moved = moved.says(&format!("Note: the run read {}, and this report is of ", old.display()));
    assert!(!moved.stdout.contains("changed"), "{}", moved.stdout);
    lab.write("in.csv", customers(4));
    let words = format!("Note: in.csv has changed since the run, when it had {} bytes; it has ", customers(3).len());
    lab.run(&report(&server, "in.csv", &[])).ends(1).says(&words).says("1  not_attempted");
    let changed = lab.run(&report(&server, "in.csv", &["--summary", "markdown"])).ends(1);
    changed.says("Note: `in.csv has changed since the run");
}

#[test]
fn options_that_this_version_does_not_know_are_named() {
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    lab.customers(2);
    lab.import(&server, &LEDGER).ends(0);
    let ledger = rusqlite::Connection::open(lab.path("l.db")).unwrap();
    let options = |json: &str| assert_eq!(ledger.execute("UPDATE runs SET options = ?1", [json]).unwrap(), 1);
    options(r#"{"colour":"red"}"#);
    lab.run(&report(&server, "in.csv", &[]))
        .ends(0)
        .says("the run had the option --colour, which this version does not");
    options(r#"{"region":"Atlantis"}"#);
    let ran = lab.run(&report(&server, "in.csv", &[])).ends(2);
    ran.says("cannot use the options of the run").says(": --region: ");
    for damaged in ["", "[1]", r#"{"region":"DEU""#] {
        options(damaged);
        lab.run(&report(&server, "in.csv", &[])).ends(2).says("not a JSON object");
    }
    ledger.execute("UPDATE runs SET options = NULL", []).unwrap();
    assert!(!lab.run(&report(&server, "in.csv", &[])).ends(0).stdout.contains("Note: "));
}

#[test]
fn a_file_that_took_the_place_of_the_one_of_the_run_is_named_when_it_cannot_be_read() {
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    lab.customers(2);
    lab.import(&server, &[&LEDGER[..], &["--map", "customer_name=customer_name"]].concat()).ends(0);
    lab.write("in.csv", "x,y\n1,2\n");
    let ran = lab.run(&report(&server, "in.csv", &[])).ends(65);
    ran.says("in.csv has changed since the run").says("there is no column \"customer_name\"");
}

/// What depends on the clock, on how often something was sent, and on the ids of a server, which
/// stand in its links too.
const VARYING: [&str; 7] = ["id", "customer_id", "kyc_link", "tos_link", "created_at", "attempts", "kyc_checked_at"];

type Rows = Vec<BTreeMap<String, String>>;

/// The rows without what varies. A record that an earlier run created counts as created.
fn constant(rows: Rows) -> Rows {
    let constant = |row: BTreeMap<String, String>| {
        let kept = row.into_iter().filter(|(name, _)| !VARYING.contains(&name.as_str()) && name != "data");
        kept.map(|(name, value)| (name, if value == "already_imported" { "created".to_owned() } else { value }))
            .collect()
    };
    rows.into_iter().map(constant).collect()
}

fn of_ndjson(text: &str) -> Rows {
    let text_of = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let row = |line: &str| {
        let members: serde_json::Map<String, Value> = serde_json::from_str(line).unwrap();
        members.iter().map(|(name, value)| (name.clone(), text_of(value))).collect()
    };
    text.lines().map(row).collect()
}

/// The rows of the only sheet of a workbook: the texts of its cells by the names in the first row.
fn of_workbook(bytes: &[u8]) -> Rows {
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(bytes)).unwrap();
    let mut sheet = String::new();
    archive.by_name("xl/worksheets/sheet1.xml").unwrap().read_to_string(&mut sheet).unwrap();
    let cells = |row: &str| -> BTreeMap<String, String> {
        let cell = |cell: &str| {
            let (place, rest) = cell.split_once('"')?;
            let column = place.trim_end_matches(|sign: char| sign.is_ascii_digit()).to_owned();
            let inner = rest.split_once('>')?.1.split("</c>").next()?;
            // Tags within a cell are not values.
            let mut text = String::new();
            let mut is_tag = false;
            for sign in inner.chars() {
                match sign {
                    '<' => is_tag = true,
                    '>' => is_tag = false,
                    sign if !is_tag => text.push(sign),
                    _ => {}
                }
            }
            Some((column, text))
        };
        row.split("<c r=\"").skip(1).filter_map(cell).collect()
    };
    let mut rows = sheet.split("<row ").skip(1).map(cells);
    let names = rows.next().unwrap();
    rows.map(|row| row.into_iter().map(|(column, text)| (names[&column].clone(), text)).collect()).collect()
}

/// What a page says of errors and of rows that need a person.
fn of_page(page: &str) -> String {
    let section = |id: &str| {
        let begun = page.split_once(&format!("aria-labelledby=\"{id}\"")).unwrap().1;
        begun.split("</section>").next().unwrap().to_owned()
    };
    [section("h-errors"), section("h-rows")].concat()
}

const REPORTS: [&str; 4] = ["r.csv", "r.ndjson", "r.xlsx", "r.html"];

/// Makes the reports again, and returns their rows and what the page says.
fn reports(lab: &Lab, server: &Server) -> ([Rows; 3], String) {
    let outputs: Vec<_> = REPORTS.iter().flat_map(|name| ["--report", name]).collect();
    lab.run(&report(server, "in.csv", &outputs)).ends(1);
    let csv = rows(&lab.path("r.csv"));
    let ndjson = of_ndjson(&lab.read("r.ndjson"));
    let workbook = of_workbook(&std::fs::read(lab.path("r.xlsx")).unwrap());
    ([csv, ndjson, workbook].map(constant), of_page(&lab.read("r.html")))
}

#[test]
fn a_report_after_a_kill_and_a_resumed_run_is_that_of_an_uninterrupted_run_in_every_format() {
    let file = format!("{}Again,P1@example.com,+4917612345001,DEU\n", customers(60).replace("p7@", "p7 at "));
    let start = || {
        let lab = Lab::new();
        let server = Server::start(&lab, &["--latency", "10ms", "--fault", "422:p3@example.com"]);
        lab.write("in.csv", &file);
        (lab, server)
    };
    let options = [&LEDGER[..], &["--concurrency", "2", "--keep", "customer_name"]].concat();
    let (whole, its_server) = start();
    whole.import(&its_server, &options).ends(1);
    let expected = reports(&whole, &its_server);
    assert_eq!(expected.0.each_ref().map(Vec::len), [61; 3]);
    assert!(expected.1.contains("p3@example.com") && expected.1.contains("p7 at example.com"), "{}", expected.1);

    let (lab, server) = start();
    let args = [&["import", "in.csv", "--base-url", &server.url], &FAST[..], &options].concat();
    let mut child =
        lab.command(&args).stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().unwrap();
    server.wait_for_posts(20);
    child.kill().unwrap();
    child.wait().unwrap();
    let before = server.posts().len();
    assert!(before < 60, "the kill came too late");
    Ran::of(&mut lab.command(&args)).ends(1);
    let found = reports(&lab, &server);
    for ((found, expected), name) in found.0.iter().zip(&expected.0).zip(REPORTS) {
        for (found, expected) in found.iter().zip(expected) {
            assert_eq!(found, expected, "{name}");
        }
        assert_eq!(found.len(), expected.len(), "{name}");
    }
    assert_eq!(found.1, expected.1, "the page");
}
