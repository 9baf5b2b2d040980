//! A command that is refused leaves nothing behind: no ledger, no lock file, no folder.

use crate::harness::{Lab, Ran};

/// Nothing is there that was not there before.
#[track_caller]
fn leaves_nothing(lab: &Lab, before: &[String]) {
    assert_eq!(names(lab), before);
}

fn names(lab: &Lab) -> Vec<String> {
    let entries = std::fs::read_dir(lab.path("")).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// A lab with everything that the refusals need.
fn lab() -> Lab {
    let lab = Lab::new();
    lab.customers(2);
    lab.write("broken.csv", "no,such,columns\n1,2,3\n");
    lab.write("empty.pem", "");
    lab.write("open.token", "secret-token");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(lab.path("open.token"), std::fs::Permissions::from_mode(0o644)).unwrap();
    }
    lab
}

/// A refused command: its arguments, what it says, and how it ends.
type Case = (&'static [&'static str], &'static str, i32);

#[test]
fn a_refused_command_leaves_no_ledger_no_lock_and_no_folder_behind() {
    let cases: &[Case] = &[
        (&["import", "in.csv", "--ca-file", "nope.pem"], "nope.pem: No such file", 78),
        (&["import", "in.csv", "--ca-file", "empty.pem"], "no certificate", 78),
        (&["import", "nope.csv"], "nope.csv", 65),
        (&["import", "broken.csv"], "no column", 65),
        (&["import", "in.csv", "--require-ledger"], "does not exist", 78),
        (&["ledger", "pull", "--ca-file", "nope.pem"], "nope.pem: No such file", 78),
        (&["ledger", "resolve", "--ca-file", "nope.pem"], "nope.pem: No such file", 78),
        (&["ledger", "settle", "p0@example.com", "--absent"], "does not exist", 78),
        (&["ledger", "forget", "p0@example.com"], "does not exist", 78),
    ];
    for (args, words, code) in cases {
        for ledger in [&["--ledger", "l.db"][..], &[]] {
            let lab = lab();
            let before = names(&lab);
            let args = [*args, &["--base-url", "https://127.0.0.1:9/api"], ledger].concat();
            lab.run(&args).ends(*code).says(words);
            leaves_nothing(&lab, &before);
        }
    }
}

#[cfg(unix)]
#[test]
fn a_token_file_that_is_refused_leaves_nothing_behind() {
    for (file, words) in [("nope.token", "nope.token"), ("open.token", "other users may read")] {
        for command in [&["import", "in.csv"][..], &["ledger", "pull"], &["ledger", "resolve"]] {
            let lab = lab();
            let before = names(&lab);
            let args =
                [command, &["--base-url", "http://127.0.0.1:9/api", "--token-file", file, "--ledger", "l.db"]].concat();
            Ran::of(lab.command(&args).env_remove("CUSTOMER_IMPORT_TOKEN")).ends(77).says(words);
            leaves_nothing(&lab, &before);
        }
    }
}

#[test]
fn a_proxy_variable_that_cannot_be_used_is_refused_before_anything_is_made() {
    for (name, value) in [
        ("HTTPS_PROXY", "\"http://ops:hidden@127.0.0.1:9\""),
        ("https_proxy", "http://ops:hid#den@127.0.0.1:9"),
        ("HTTPS_PROXY", "http://127.0.0.1:9 "),
        ("HTTPS_PROXY", "http:/x"),
        ("ALL_PROXY", "socks5://ops:hidden@127.0.0.1:9"),
    ] {
        for command in [&["import", "in.csv"][..], &["ledger", "pull"]] {
            let lab = lab();
            let before = names(&lab);
            let args = [command, &["--base-url", "https://api.example.com/v1", "--ledger", "l.db"]].concat();
            let ran =
                Ran::of(without_proxies(&mut lab.command(&args)).env(name, value)).ends(78).says(name).says("NO_PROXY");
            assert!(!ran.stderr.contains("hid"), "the password is shown: {}", ran.stderr);
            leaves_nothing(&lab, &before);
        }
    }
    let lab = lab();
    let args = ["import", "in.csv", "--base-url", "https://api.example.com/v1"];
    let mut twins = lab.command(&args);
    without_proxies(&mut twins).env("HTTPS_PROXY", "").env("https_proxy", "http://127.0.0.1:9");
    Ran::of(&mut twins).ends(78).says("HTTPS_PROXY is set").says("https_proxy");
}

#[test]
fn a_proxy_in_use_is_shown_by_its_variable_and_host_and_is_the_one_that_is_asked() {
    let lab = lab();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = listener.local_addr().unwrap();
    let asked = std::thread::spawn(move || {
        use std::io::{Read as _, Write as _};
        let (mut client, _) = listener.accept().unwrap();
        let mut request = vec![0; 4096];
        let length = client.read(&mut request).unwrap();
        client.write_all(b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n").unwrap();
        String::from_utf8_lossy(&request[..length]).into_owned()
    });
    let url = "https://api.example.com/v1";
    let args = ["import", "in.csv", "--base-url", url, "--rate", "100/s", "--give-up-after", "1s", "--ledger", "l.db"];
    let mut import = lab.command(&args);
    without_proxies(&mut import)
        .env("HTTPS_PROXY", format!("http://ops:pa%23ss@{proxy}/"))
        .env("CUSTOMER_IMPORT_YES", "1");
    let ran = Ran::of(&mut import).says(&format!("through the proxy {proxy} (HTTPS_PROXY)"));
    assert!(!ran.stderr.contains("pa%23ss") && !ran.stderr.contains("pa#ss"), "{}", ran.stderr);
    let asked = asked.join().unwrap().to_lowercase();
    assert!(asked.starts_with("connect api.example.com:443"), "{asked}");
    // ops:pa#ss
    assert!(asked.contains("proxy-authorization: basic b3bzonbhi3nz"), "{asked}");
}

fn without_proxies(command: &mut std::process::Command) -> &mut std::process::Command {
    for name in
        ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy", "HTTP_PROXY", "http_proxy"]
    {
        command.env_remove(name);
    }
    command
}

#[test]
fn wrong_options_are_refused_before_standard_input_is_read_or_a_ledger_is_locked() {
    let wrong: [&[&str]; 3] =
        [&["--region", "Mars"], &["--base-url", "http://example.com"], &["--report", "report.pdf"]];
    for command in ["import", "check", "report"] {
        for wrong in wrong {
            let lab = lab();
            let before = names(&lab);
            let target = if wrong[0] == "--base-url" { &[][..] } else { &["--base-url", "https://127.0.0.1:9/api"] };
            let args = [&[command, "-"][..], target, wrong].concat();
            // Its writer never ends, so a command that reads would not either.
            let (reader, _writer) = std::io::pipe().unwrap();
            Ran::of(lab.command(&args).stdin(reader)).ends(2).says(wrong[0]);
            leaves_nothing(&lab, &before);
        }
    }
}
