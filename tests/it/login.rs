//! An account that logs in: tokens that die young, and everything that can go wrong when they are
//! asked for.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::harness::{FAST, Lab, Ran, Server, email};

/// `ops@example.org`
const ID: &str = "b3BzQGV4YW1wbGUub3Jn";
const SECRET: &str = "s3cret-of-ops";

fn login() -> String {
    format!("{ID}:{SECRET}")
}

/// The program with an account instead of a token.
fn run(lab: &Lab, args: &[&str]) -> Ran {
    let mut command = lab.command(args);
    command.env_remove("CUSTOMER_IMPORT_TOKEN");
    Ran::of(command.env("CUSTOMER_IMPORT_ACCOUNT_ID", ID).env("CUSTOMER_IMPORT_APP_SECRET", SECRET))
}

fn import(lab: &Lab, server: &Server, more: &[&str]) -> Ran {
    run(lab, &lab.import_args(server, more))
}

/// How often the server was asked for something.
fn asked(server: &Server, path: &str) -> usize {
    server.events().iter().filter(|event| event["event"] == "received" && event["path"] == path).count()
}

/// Everything that the program left in its folder, as bytes; the server's own log aside.
fn left_behind(folder: &Path) -> Vec<u8> {
    let mut left = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if entry.path().is_dir() {
            left.extend(left_behind(&entry.path()));
        } else if entry.file_name() != "server.log" {
            left.extend(std::fs::read(entry.path()).unwrap());
        }
    }
    left
}

#[track_caller]
fn holds_no_secret(what: &[u8]) {
    for secret in [SECRET, ID, "ops@example.org", "sandbox-0"] {
        assert!(!what.windows(secret.len()).any(|window| window == secret.as_bytes()), "{secret}");
    }
}

#[test]
fn two_thousand_records_outlive_their_three_second_tokens_and_no_secret_gets_out() {
    let (lab, login, life) = (Lab::new(), login(), 3.0);
    let server = Server::start(&lab, &["--token-life", "3s", "--login", &login, "--latency", "2ms..20ms"]);
    lab.customers(2000);
    let begun = Instant::now();
    let args = ["-vv", "import", "in.csv", "--base-url", &server.url, "--rate", "180/s", "--settle", "300ms"];
    let ran = run(&lab, &[&args[..], &["--summary", "json"]].concat()).ends(0);
    let renewals = asked(&server, "/auth/login") + asked(&server, "/auth/refresh-token");
    let most = begun.elapsed().as_secs_f64() / (0.8 * life) + 2.0;
    assert!(renewals >= 3 && renewals as f64 <= most, "{renewals} renewals, {most} allowed");
    assert_eq!(lab.statuses(), ["created"; 2000]);
    server.has_each_once((0..2000).map(email));
    assert_eq!(ran.summary()["requests"], 2000 + renewals, "tokens are counted as requests");
    assert!(ran.stderr.contains("a token was obtained") && ran.stderr.contains("a refresh"), "-v tells of renewals");
    holds_no_secret(ran.stdout.as_bytes());
    holds_no_secret(ran.stderr.as_bytes());
    holds_no_secret(&left_behind(&lab.path(".")));
}

#[test]
fn a_refresh_that_ends_the_old_token_loses_nobody() {
    let lab = Lab::new();
    let server = Server::start(&lab, &["--token-life", "1s", "--fault", "refresh-revokes", "--latency", "20ms"]);
    lab.customers(300);
    let args = ["import", "in.csv", "--base-url", &server.url, "--rate", "100/s", "--settle", "300ms"];
    run(&lab, &args).ends(0);
    server.has_each_once((0..300).map(email));
    assert!(asked(&server, "/auth/refresh-token") >= 2);
}

#[test]
fn refreshes_that_fail_are_replaced_by_logins() {
    for fault in ["refresh-401", "refresh-500", "refresh-404"] {
        let lab = Lab::new();
        let server = Server::start(&lab, &["--token-life", "1s", "--fault", fault]);
        lab.customers(150);
        let args = ["import", "in.csv", "--base-url", &server.url, "--rate", "100/s", "--settle", "300ms"];
        run(&lab, &args).ends(0);
        server.has_each_once((0..150).map(email));
        assert!(asked(&server, "/auth/login") >= 2, "{fault}");
    }
}

#[test]
fn a_wrong_secret_ends_with_77_after_one_request() {
    let lab = Lab::new();
    let server = Server::start(&lab, &["--login", &format!("{ID}:another")]);
    lab.customers(20);
    let ran = import(&lab, &server, &[]).ends(77).says("Invalid login credentials");
    assert_eq!(server.requests(), 1);
    assert_eq!(lab.statuses(), ["not_attempted"; 20]);
    holds_no_secret(ran.stdout.as_bytes());
}

#[test]
fn logins_that_fail_at_first_are_tried_again() {
    for (fault, logins) in [("login-500:first=2", 3), ("login-429:first=1", 2), ("login-503:first=1", 2)] {
        let lab = Lab::new();
        let server = Server::start(&lab, &["--fault", fault]);
        lab.customers(5);
        import(&lab, &server, &[]).ends(0);
        server.has_each_once((0..5).map(email));
        assert_eq!(asked(&server, "/auth/login"), logins, "{fault}");
    }
}

#[test]
fn logins_that_lead_nowhere_end_with_their_own_codes_and_send_nobody() {
    for (fault, code, words) in [
        ("login-401", 77, "rejected the account id or its app secret"),
        ("login-422", 77, "rejected the account id or its app secret"),
        ("login-no-token", 69, "no token"),
        ("login-404", 78, "base URL"),
    ] {
        let lab = Lab::new();
        let server = Server::start(&lab, &["--fault", fault]);
        lab.customers(5);
        import(&lab, &server, &[]).ends(code).says(words);
        assert_eq!((server.requests(), server.customers().len()), (1, 0), "{fault}");
    }
}

#[test]
fn logins_that_never_succeed_are_given_up_on_with_69() {
    let lab = Lab::new();
    let server = Server::start(&lab, &["--fault", "login-500"]);
    lab.customers(5);
    import(&lab, &server, &["--give-up-after", "2s"]).ends(69).says("no token").says("HTTP 500");
    assert!(server.requests() < 12, "less and less often: {}", server.requests());
    assert_eq!(lab.statuses(), ["not_attempted"; 5]);
    let gone = ["import", "in.csv", "--base-url", "http://127.0.0.1:9/api", "--rate", "100/s", "--give-up-after", "1s"];
    run(&lab, &gone).ends(69).says("resume");
}

#[test]
fn a_token_that_is_refused_although_it_should_live_is_renewed() {
    // It says a whole number of seconds, and lives a little longer than none.
    let lab = Lab::new();
    let server = Server::start(&lab, &["--token-life", "900ms"]);
    lab.customers(200);
    let args = ["import", "in.csv", "--base-url", &server.url, "--rate", "100/s", "--settle", "300ms"];
    run(&lab, &args).ends(0);
    server.has_each_once((0..200).map(email));
    let posts = server.posts().into_iter().filter(|post| post["path"] == "/customer");
    let keys: BTreeSet<_> = posts.map(|post| (post["email"].to_string(), post["key"].to_string())).collect();
    assert_eq!(keys.len(), 200, "a refused request goes again with its own key");
    assert!(server.posts().len() > 200 + asked(&server, "/auth/login"), "nothing was refused");
}

#[test]
fn credentials_come_from_one_source_that_is_whole() {
    let lab = Lab::new();
    lab.customers(1);
    lab.write("secret", SECRET);
    let (id, secret) = (("CUSTOMER_IMPORT_ACCOUNT_ID", ID), ("CUSTOMER_IMPORT_APP_SECRET", SECRET));
    let token = ("CUSTOMER_IMPORT_TOKEN", "t");
    for (set, typed, words) in [
        (&[token, id, secret][..], &[][..], "more than one source"),
        (&[id, secret], &["--token-file", "secret"], "more than one source"),
        (&[token, secret], &[], "more than one source"),
        (&[id], &["--token-command", "true"], "more than one source"),
        (&[id, secret], &["--app-secret-file", "secret"], "given twice"),
        (&[id], &[], "without the app secret"),
        (&[secret], &[], "without --account-id"),
        (&[], &["--app-secret-file", "secret"], "without --account-id"),
        (&[], &[], "CUSTOMER_IMPORT_APP_SECRET"),
        (&[id, ("CUSTOMER_IMPORT_APP_SECRET", " ")], &[], "without the app secret"),
    ] {
        for command in [&["import", "in.csv"][..], &["ledger", "pull"], &["ledger", "resolve"]] {
            let mut program = lab.command(&[command, &["--base-url", "http://127.0.0.1:9"], typed].concat());
            let ran =
                Ran::of(program.env_remove("CUSTOMER_IMPORT_TOKEN").envs(set.iter().copied())).ends(2).says(words);
            holds_no_secret(ran.stderr.as_bytes());
        }
    }
    lab.run(&["import", "in.csv", "--app-secret", "x"]).ends(2);
}

#[test]
fn account_and_secret_file_can_stand_in_a_config_and_the_file_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let (lab, login) = (Lab::new(), login());
    let server = Server::start(&lab, &["--login", &login]);
    lab.customers(2);
    let secret = lab.write("secret", format!("{SECRET}\n"));
    lab.write(
        "c.toml",
        format!("account-id = \"{ID}\"\napp-secret-file = \"secret\"\nbase-url = \"{}\"\n", server.url),
    );
    let import = |mode| {
        std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(mode)).unwrap();
        let mut command = lab.command(&[&["import", "in.csv", "--config", "c.toml"], &FAST[..]].concat());
        Ran::of(command.env_remove("CUSTOMER_IMPORT_TOKEN"))
    };
    import(0o644).ends(77).says("chmod 600");
    import(0o600).ends(0);
    server.has_each_once((0..2).map(email));
    lab.write("c.toml", "app-secret = \"x\"");
    import(0o600).ends(2).says("app-secret-file");
}

#[test]
fn c14_a_token_file_with_more_than_a_token_is_refused_by_what_it_looks_like_and_not_sent() {
    use std::os::unix::fs::PermissionsExt as _;
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    lab.customers(1);
    for (text, what, advice) in [
        ("\"test-token\"\n", "is in quotes", "without the quotes"),
        ("'test-token'", "is in quotes", "without the quotes"),
        ("CUSTOMER_IMPORT_TOKEN=test-token\n", "a line of an environment file", "without the name"),
        ("export TOKEN=test-token\n", "a line of an environment file", "without the name"),
        ("{\"access_token\": \"test-token\"}\n", "is a JSON object", "which is one of its values"),
        ("Bearer test-token\n", "contains blanks", "without `Bearer`"),
    ] {
        let file = lab.write("token", text);
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        let mut by_file = lab.command(&lab.import_args(&server, &["--token-file", "token"]));
        let by_file = Ran::of(by_file.env_remove("CUSTOMER_IMPORT_TOKEN"));
        let by_variable = Ran::of(lab.command(&lab.import_args(&server, &[])).env("CUSTOMER_IMPORT_TOKEN", text));
        for refused in [by_file.ends(77), by_variable] {
            assert!([2, 77].contains(&refused.code), "{}", refused.stderr);
            let refused = refused.says(what).says(advice);
            assert!(!refused.stderr.contains("test-token"), "{}", refused.stderr);
        }
    }
    assert_eq!(server.requests(), 0);
}

#[test]
fn a_pull_and_a_resolve_log_in_too() {
    let (lab, login) = (Lab::new(), login());
    let server = Server::start(&lab, &["--login", &login, "--fault", "login-500:first=1"]);
    lab.customers(3);
    import(&lab, &server, &[]).ends(0);
    let target = ["--base-url", &server.url, "--ledger", "new.db", "--rate", "100/s"];
    run(&lab, &[&["ledger", "pull", "--json"], &target[..]].concat()).ends(0).says("\"learnt\":3");
    run(&lab, &[&["ledger", "resolve"], &target[..]].concat()).ends(0).says("0 in doubt");
}

#[test]
fn another_account_under_the_same_name_is_refused_before_it_logs_in() {
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    lab.customers(1);
    import(&lab, &server, &[]).ends(0);
    let asked = server.requests();
    let args = lab.import_args(&server, &["--account-id", "YW5vdGhlcg"]);
    let mut other = lab.command(&args);
    other.env_remove("CUSTOMER_IMPORT_TOKEN").env("CUSTOMER_IMPORT_APP_SECRET", SECRET);
    Ran::of(&mut other).ends(78).says("--account NAME");
    assert_eq!(server.requests(), asked);
}

#[test]
fn an_account_that_was_typed_is_not_in_the_command_that_resumes() {
    let lab = Lab::new();
    let server = Server::start(&lab, &["--fault", "login-no-token"]);
    lab.customers(1);
    let ran = import(&lab, &server, &["--account-id", ID]).ends(69).says("--account-id ACCOUNT_ID");
    holds_no_secret(ran.stdout.as_bytes());
}

/// A web token that ends so many seconds from now.
fn web_token(seconds: i64) -> String {
    let ends_at = jiff::Timestamp::now().as_second() + seconds;
    format!("e30.{}.x", BASE64_URL_SAFE_NO_PAD.encode(format!("{{\"exp\":{ends_at}}}")))
}

#[test]
fn a_static_token_that_is_over_sends_nothing_and_one_that_ends_too_soon_is_told_of() {
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    lab.customers(3);
    let import = |token: String, more: &[&str]| {
        Ran::of(lab.command(&lab.import_args(&server, more)).env("CUSTOMER_IMPORT_TOKEN", token))
    };
    import(web_token(-400), &[]).ends(77).says("the token says that it expired").says("--account-id");
    assert_eq!(server.requests(), 0);
    import(web_token(-60), &["--limit", "1"]).ends(0).says("the token expires in 0.0 s");
    let ran = import(web_token(3600), &[]).ends(0);
    assert!(!ran.stderr.contains("the token expires"), "{}", ran.stderr);
    let mut asked_again = lab.command(&["ledger", "resolve", "--base-url", &server.url, "--token-command"]);
    asked_again.arg(format!("echo {}", web_token(-400))).env_remove("CUSTOMER_IMPORT_TOKEN");
    Ran::of(&mut asked_again).ends(0);
}

#[test]
fn what_the_summary_counts_the_server_saw() {
    let lab = Lab::new();
    let server = Server::start(&lab, &["--fault", "login-500:first=1"]);
    lab.customers(3);
    let summary: Value = import(&lab, &server, &["--summary", "json"]).ends(0).summary();
    assert_eq!(summary["requests"], server.requests());
    assert!(Duration::from_secs_f64(summary["seconds"].as_f64().unwrap()) < Duration::from_secs(30));
}
