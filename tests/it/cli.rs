//! What is typed wrongly, and what is not given.

use crate::harness::{Lab, Ran};

#[test]
fn a_missing_base_url_or_token_says_how_to_give_it() {
    let lab = Lab::new();
    lab.customers(1);
    lab.run(&["import", "in.csv"]).ends(2).says("--base-url").says("--sandbox");
    let mut command = lab.command(&["import", "in.csv", "--base-url", "http://127.0.0.1:9"]);
    Ran::of(command.env_remove("CUSTOMER_IMPORT_TOKEN")).ends(2).says("CUSTOMER_IMPORT_TOKEN").says("--token-file");
}

#[test]
fn two_sources_of_credentials_are_one_too_many() {
    let lab = Lab::new();
    lab.customers(1);
    lab.run(&["import", "in.csv", "--base-url", "http://127.0.0.1:9", "--token-command", "echo t"]).ends(2);
}

#[test]
fn plain_http_leaves_this_machine_never() {
    let lab = Lab::new();
    lab.customers(1);
    lab.run(&["import", "in.csv", "--base-url", "http://api.example.com/v1"]).ends(2).says("https");
}

#[test]
fn a_token_is_no_argument() {
    let lab = Lab::new();
    lab.customers(1);
    lab.run(&["import", "in.csv", "--token", "secret"]).ends(2);
}

#[test]
fn impossible_options_are_refused_before_anything_is_read() {
    let lab = Lab::new();
    lab.customers(1);
    for wrong in [
        ["--rate", "0/s"],
        ["--concurrency", "0"],
        ["--max-attempts", "0"],
        ["--timeout", "soon"],
        ["--max-failures", "0"],
        ["--limit", "0"],
        ["--report", "out.pdf"],
        ["--report-delimiter", "ab"],
        ["--report", "in.csv"],
        ["--map", "nonsense"],
        ["--region", "XX"],
    ] {
        lab.run(&["import", "in.csv", "--sandbox", wrong[0], wrong[1]]).ends(2);
    }
    let no_csv = ["--report", "out.xlsx", "--report", "out.ndjson", "--report-delimiter", ";"];
    lab.run(&[&["import", "in.csv", "--sandbox"], &no_csv[..]].concat()).ends(2).says("no report is CSV");
    lab.run(&[&["check", "in.csv", "--report", "out.csv"], &no_csv[..]].concat()).ends(0);
    lab.run(&["check", "in.csv", "--report-delimiter", ";"]).ends(0);
    lab.run(&["import", "in.csv", "--sandbox", "--report", "no/such/folder/out.csv"]).ends(74);
}

#[test]
fn help_completions_and_manual_are_there() {
    let lab = Lab::new();
    for (args, words) in [
        (&["--help"][..], "import"),
        (&["import", "--help"], "--max-failures"),
        (&["completions", "bash"], "customer-import"),
        (&["man"], ".TH"),
        (&["--version"], env!("CARGO_PKG_VERSION")),
    ] {
        lab.run(args).ends(0).says(words);
    }
}

#[test]
fn neither_input_nor_ledger_nor_report_is_written_over() {
    let lab = Lab::new();
    lab.customers(1);
    for wrong in [
        &["--report", "in.csv"][..],
        &["--rejects", "./in.csv"],
        &["--rejects", "in.report.csv"],
        &["--ledger", "l.csv", "--report", "l.csv"],
        &["--ledger", "l.db", "--rejects", "l.db"],
        &["--ledger", "l.db", "--rejects", "l.db-wal"],
        &["--report", "a.csv", "--report", "./a.csv"],
    ] {
        lab.run(&[&["import", "in.csv", "--sandbox"], wrong].concat()).ends(2);
    }
}

#[test]
fn what_stands_in_the_environment_counts_and_what_nobody_knows_is_refused() {
    let lab = Lab::new();
    lab.customers(2);
    let import = |name: &str, value: &str| {
        Ran::of(lab.command(&["import", "in.csv", "--base-url", "http://127.0.0.1:9"]).env(name, value))
    };
    import("CUSTOMER_IMPORT_DRY_RUN", "1").ends(0).says("2  to send");
    Ran::of(lab.command(&["import", "in.csv"]).env("CUSTOMER_IMPORT_SANDBOX", "yes")).ends(0).says("2  created");
    import("CUSTOMER_IMPORT_DRYRUN", "1").ends(2).says("CUSTOMER_IMPORT_DRYRUN");
    import("CUSTOMER_IMPORT_ACCOUNT", "").ends(2);
    let mut check = lab.command(&["check", "in.csv"]);
    Ran::of(check.env("CUSTOMER_IMPORT_SET", "customer_type=business\nsend_kyc_mail=false"))
        .ends(0)
        .says("0  KYC e-mails");
}

#[test]
fn a_ledger_that_is_missing_is_told_without_an_option_that_was_not_given() {
    let lab = Lab::new();
    lab.customers(1);
    let none = ["--base-url", "https://127.0.0.1:9", "--ledger", "none.db"];
    for command in [&["ledger", "show"][..], &["ledger", "forget", "ada@example.com"], &["report", "in.csv"]] {
        let ran = lab.run(&[command, &none].concat()).ends(78);
        let ran = ran.says("error: the ledger none.db does not exist\nhint: check --base-url, --account and --ledger");
        assert!(!ran.stderr.contains("--require-ledger"), "{ran:?}");
    }
    lab.run(&[&["import", "in.csv", "--yes", "--require-ledger"][..], &none].concat())
        .ends(78)
        .says("hint: check that its disk is mounted; for a first import, omit --require-ledger");
}

#[test]
fn a_file_that_cannot_be_read_is_told_with_its_cause_and_a_hint() {
    let lab = Lab::new();
    for command in ["import", "check", "report"] {
        lab.run(&[command, "nope.csv", "--base-url", "https://example.com", "--ledger", "l.db"])
            .ends(65)
            .says("cannot read nope.csv: No such file or directory")
            .says("hint: check the path");
    }
    lab.customers(1);
    lab.write("der.pem", "not a certificate");
    let import = ["import", "in.csv", "--base-url", "https://127.0.0.1:9", "--yes", "--ca-file"];
    lab.run(&[&import[..], &["nope.pem"]].concat())
        .ends(78)
        .says("cannot read the certificate file nope.pem: No such file or directory")
        .says("hint: check the path and the permissions");
    let token = [&import[..5], &["--token-file", "nope.token"]].concat();
    Ran::of(lab.command(&token).env_remove("CUSTOMER_IMPORT_TOKEN")).ends(77).says(
        "error: cannot read the token file nope.token: No such file or directory (os error 2)\nhint: check its path",
    );
    lab.run(&[&import[..], &["der.pem"]].concat()).ends(78).says("holds no certificate").says("hint: name a text file");
}

#[test]
fn the_sandbox_and_a_server_are_not_named_together() {
    let lab = Lab::new();
    lab.customers(1);
    for url in [&["--base-url", "http://127.0.0.1:9/api"][..], &["--base-url=http://127.0.0.1:9/api"]] {
        lab.run(&[&["import", "in.csv", "--sandbox"], url].concat())
            .ends(2)
            .says("--sandbox and --base-url")
            .says("hint: keep");
    }
    // One that was not typed gives way, and the log says so.
    let mut command = lab.command(&["import", "in.csv", "--sandbox"]);
    Ran::of(command.env("CUSTOMER_IMPORT_BASE_URL", "http://127.0.0.1:9/api"))
        .ends(0)
        .says("is not used")
        .says("1  created");
    let mut command = lab.command(&["import", "in.csv", "--base-url", "http://127.0.0.1:9/api"]);
    Ran::of(command.env("CUSTOMER_IMPORT_SANDBOX", "1")).ends(2).says("--sandbox and --base-url");
}

#[test]
fn a_report_in_a_folder_that_does_not_exist_is_named_as_typed_with_a_command_that_makes_it() {
    let lab = Lab::new();
    lab.customers(1);
    let args = ["check", "in.csv", "--report", "no/such folder/out.csv"];
    let ran = lab.run(&args).ends(74).says("cannot write no/such folder/out.csv: No such file or directory");
    assert!(!ran.stderr.contains(".tmp"), "{}", ran.stderr);
    let (_, command) = ran.stderr.trim_end().split_once("hint: create its folder: ").unwrap();
    let made = std::process::Command::new("/bin/sh").args(["-c", command]).current_dir(lab.path("")).status().unwrap();
    assert!(made.success());
    lab.run(&args).ends(0);
}
