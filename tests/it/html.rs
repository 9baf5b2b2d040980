//! The HTML report: one page without a network, bounded, with every foreign text escaped.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::harness::{HEADER, Lab, Ran, Server, email, skipped};

/// What a page may have at most.
const MOST_BYTES: u64 = 3_000_000;

const HOSTILE: [&str; 6] = [
    "<script>alert(1)</script>",
    "</script><script>alert(2)//",
    "\" onmouseover=\"alert(3)",
    "' onfocus='alert(4)",
    "</td></tr></table><img src=x onerror=alert(5)>",
    "a\u{2028}b\u{202e}c",
];

/// Returns what a page loads or leads to: values of attributes that name an address.
fn addresses(page: &str) -> Vec<&str> {
    let attributes = [" src=", " href=", " action=", " srcset=", " data=", "url(http", "@import"];
    attributes.into_iter().filter(|attribute| page.contains(attribute)).collect()
}

/// A page of a run with faults of each kind, and the lab that has it.
fn page_of(server: &[&str], customers: usize, more: &[&str]) -> (Lab, String) {
    let lab = Lab::new();
    let server = Server::start(&lab, server);
    lab.customers(customers);
    lab.import(&server, &[&["--report", "out.html", "--report", "out.csv"], more].concat());
    let page = lab.read("out.html");
    (lab, page)
}

/// A page with the fact and the columns that only `status` and `--include-links` bring.
fn page_with_checks() -> (Lab, String) {
    let lab = Lab::new();
    let server = Server::start(&lab, &["--fault", "422:p2@example.com"]);
    lab.customers(5);
    let ledger = ["--base-url", &server.url, "--ledger", "l.db"];
    lab.import(&server, &ledger[2..]).ends(1);
    lab.run(&[&["status", "in.csv", "--rate", "500/s"], &ledger[..]].concat()).ends(0);
    lab.run(&[&["report", "in.csv", "--include-links", "--report", "out.html"], &ledger[..]].concat()).ends(1);
    let page = lab.read("out.html");
    assert!(page.contains("<dt>KYC status</dt><dd>4 not_started") && page.contains("class=\"rows checked linked\""));
    (lab, page)
}

#[test]
fn a_page_says_what_became_of_a_run_and_which_rows_need_a_person() {
    let (lab, page) = page_of(&["--fault", "422:p2@example.com"], 5, &[]);
    assert!(page.contains("Finished, but 1 of 5 records was not created."), "{page}");
    let row = "<td class=\"n\">3</td><td class=\"n\">4</td><td>Person 2</td><td>p2@example.com</td>";
    assert!(page.contains(row), "{page}");
    assert!(!page.contains("p1@example.com"), "a created row needs nobody");
    assert!(page.contains("Does retrying help?"), "{page}");
    assert!(page.contains("<svg class=\"plot\"") && page.contains("All times are UTC."), "the ledger has its minutes");
    assert!(page.contains("asked for with 4 created customers"), "{page}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(lab.path("out.html")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

#[test]
fn what_the_input_and_the_server_chose_is_text_on_a_page() {
    let lab = Lab::new();
    let server = Server::start(&lab, &["--fault", "422:*@refused.example.com"]);
    let cell = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
    let mut input = format!("{HEADER}\n");
    for (number, hostile) in HOSTILE.iter().enumerate() {
        let name = cell(hostile);
        input.push_str(&format!("{name},h{number}@refused.example.com,+4917612345678,DEU\n"));
        input.push_str(&format!("Ada King,v{number}@example.com,{name},{name}\n"));
        input.push_str(&format!("Ada King,{name},+4917612345678,DEU\n"));
    }
    lab.write("<b>in\"&.csv", &input);
    lab.run(&["import", "<b>in\"&.csv", "--base-url", &server.url, "--rate", "500/s", "--report", "out.html"]);
    let page = lab.read("out.html");
    assert!(page.contains("h0@refused.example.com") && page.contains("alert(1)"), "the cells are shown");
    for tag in ["<img", "<b>in", "<script>alert", "</td></tr></table><", "\" onmouseover=\"", "' onfocus='"] {
        assert!(!page.contains(tag), "{tag}: {page}");
    }
    assert_eq!(page.matches("<script").count(), 1, "the page has only its own script");
    assert_eq!(page.matches("</script").count(), 1);
    assert!(!page.contains(['\u{2028}', '\u{202e}']), "hidden characters are shown as escapes");
}

#[test]
fn a_page_allows_nothing_but_its_own_style_and_script_and_names_no_address() {
    let (_lab, page) = page_of(&["--fault", "422:p2@example.com"], 3, &[]);
    let policy = page.split("Content-Security-Policy\" content=\"").nth(1).unwrap().split('"').next().unwrap();
    assert!(policy.starts_with("default-src &#39;none&#39;; style-src &#39;sha256-"), "{policy}");
    assert!(!policy.contains("unsafe") && !policy.contains("http"), "{policy}");
    assert_eq!(addresses(&page), Vec::<&str>::new());
    assert!(!page.contains(" style=\"") && !page.contains(" onclick"), "the policy forbids both");
}

#[test]
fn links_are_on_a_page_only_if_they_are_asked_for() {
    let (lab, page) = page_of(&[], 2, &[]);
    let link =
        lab.read("out.csv").lines().nth(1).unwrap().split(',').find(|cell| cell.contains("://")).unwrap().to_owned();
    let escaped = link.replace('&', "&#38;");
    assert!(!page.contains(&escaped) && !page.contains("KYC link"), "{page}");
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    lab.customers(2);
    lab.import(&server, &["--include-links", "--report", "out.html", "--report", "out.csv"]).ends(0);
    let link =
        lab.read("out.csv").lines().nth(1).unwrap().split(',').find(|cell| cell.contains("://")).unwrap().to_owned();
    assert!(lab.read("out.html").contains(&link.replace('&', "&#38;")), "{link}");
    lab.write("options.toml", "include-links = true\n");
    let mut command = lab.command(&["report", "in.csv", "--base-url", &server.url, "--report", "again.html"]);
    Ran::of(command.env("CUSTOMER_IMPORT_INCLUDE_LINKS", "true")).ends(0);
    assert!(lab.read("again.html").contains("KYC link"));
    lab.run(&["report", "in.csv", "--base-url", &server.url, "--config", "options.toml", "--report", "third.html"])
        .ends(0);
    assert!(lab.read("third.html").contains("KYC link"));
}

#[test]
fn a_page_during_a_run_says_since_when_it_runs_and_after_a_kill_that_it_was_cut_off() {
    let lab = Lab::new();
    let server = Server::start(&lab, &["--latency", "100ms"]);
    lab.customers(500);
    let args = lab.import_args(&server, &["--concurrency", "2"]);
    let mut child = lab.command(&args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    server.wait_for_posts(3);
    let report = ["report", "in.csv", "--base-url", &server.url, "--report", "out.html"];
    lab.run(&report);
    let page = lab.read("out.html");
    assert!(page.contains("<h1>Running since 20") && page.contains("still running"), "{page}");
    child.kill().unwrap();
    child.wait().unwrap();
    lab.run(&report);
    let page = lab.read("out.html");
    assert!(page.contains("<h1>Cut off: the run of 20") && page.contains("run the same command again"), "{page}");
    assert!(page.contains(" import in.csv --base-url"), "the command resumes the import: {page}");
}

#[test]
fn the_runs_of_a_file_are_added_up() {
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    lab.customers(5);
    lab.import(&server, &["--limit", "2"]).ends(0);
    lab.import(&server, &["--report", "out.html"]).ends(0);
    let page = lab.read("out.html");
    let total = page.split("Together, 2 runs</th>").nth(1).unwrap_or_else(|| panic!("{page}"));
    assert!(total.starts_with("<td class=\"n\">5</td><td class=\"n\">5</td>"), "{total}");
    assert!(page.contains("<dt>concurrency</dt>"), "{page}");
}

#[test]
fn a_check_can_write_a_page_that_says_that_nothing_was_sent() {
    let lab = Lab::new();
    lab.write(
        "in.csv",
        format!("{HEADER}\nAda,a@example.com,+4917612345678,Deutshland\nBob,b@example.com,+4917612345678,Deutshland\n"),
    );
    lab.run(&["check", "in.csv", "--report", "out.html"]).ends(1);
    let page = lab.read("out.html");
    assert!(page.contains("<h1>Checked: 2 records, 2 invalid. Nothing was sent.</h1>"), "{page}");
    assert!(page.contains("Deutshland (2)"), "the most frequent value: {page}");
    assert!(page.contains("<td>Ada</td><td>a@example.com</td>"), "an invalid row has its name and e-mail: {page}");
}

#[test]
fn an_invalid_row_has_the_name_and_the_email_that_it_was_given_if_its_cells_can_be_told_apart() {
    let lab = Lab::new();
    let long = "x".repeat(300);
    let rows = [
        "Ada,not an e-mail,+4917612345678,DEU",
        "Bob,bob@example.com,+4917612345678",
        ",nameless@example.com,+4917612345678,DEU",
        &format!("{long},long@example.com,+4917612345678,DEU"),
    ];
    lab.write("in.csv", format!("{HEADER}\n{}\n", rows.join("\n")));
    lab.write(
        "in.ndjson",
        "{\"customer_name\":\"Cleo\",\"customer_email\":\"cleo@example.com\",\"customer_phone\":\"x\",\"customer_country\":\"DEU\"}\n{\"customer_name\"\n",
    );
    lab.run(&["check", "in.csv", "--report", "out.html"]).ends(1);
    let page = lab.read("out.html");
    for cells in ["Ada</td><td>not an e-mail", "Bob</td><td>bob@example.com", "<td></td><td>nameless@example.com"] {
        assert!(page.contains(cells), "{cells} in {page}");
    }
    assert!(page.contains(&format!("<td>{}…</td><td>long@example.com", "x".repeat(254))), "{page}");
    lab.run(&["check", "in.ndjson", "--report", "lines.html"]).ends(1);
    let page = lab.read("lines.html");
    assert!(page.contains("Cleo</td><td>cleo@example.com"), "{page}");
    assert!(
        page.contains("<td class=\"n\">2</td><td class=\"n\">2</td><td></td><td></td>"),
        "a line that is no object: {page}"
    );
}

#[test]
fn a_page_of_100_000_rows_has_at_most_3_mb_and_names_the_rows_that_it_leaves_out() {
    let lab = Lab::new();
    let bad = "x".repeat(200);
    let rows = (0..100_000).map(|n| format!("{n} <&\"\"> {bad},{},+4917612345678,{bad}\n", email(n)));
    lab.write("in.csv", std::iter::once(format!("{HEADER}\n")).chain(rows).collect::<String>());
    lab.run(&["check", "in.csv", "--report", "out.html", "--log-format", "json"]).ends(1);
    let size = std::fs::metadata(lab.path("out.html")).unwrap().len();
    assert!(size < MOST_BYTES, "{size} bytes");
    let page = lab.read("out.html");
    assert!(page.contains("This page lists the first ") && page.contains("are in the CSV report"), "{size}");
}

#[test]
fn a_page_works_in_a_browser_without_a_network_and_axe_core_finds_nothing() {
    let modules = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/browser");
    if !Path::new("/usr/bin/chromium").exists() || !modules.join("node_modules/axe-core").exists() {
        return skipped("Chromium or the packages of tests/browser are missing; .ci/run test installs both");
    }
    let faults = ["--fault", "422:p1*@example.com", "--fault", "500:0.1", "--fault", "stall:p23@example.com"];
    let (lab, _) = page_of(&faults, 120, &["--timeout", "1s", "--max-attempts", "2", "--no-lookup"]);
    let (single, _) = page_of(&[], 1, &[]);
    let (checked, _) = page_with_checks();
    let driver = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser/report.mjs");
    let mut command = Command::new("node");
    command.arg(driver).arg(modules).args([lab.path("out.html"), single.path("out.html"), checked.path("out.html")]);
    Ran::of(&mut command).ends(0);
}
