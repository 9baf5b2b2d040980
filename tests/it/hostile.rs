//! What careless users, servers and neighbours put where people and spreadsheets read it.

mod answers;
#[cfg(target_os = "linux")]
mod chains;

use crate::harness::{Lab, Server};

#[test]
fn a_refused_base_url_keeps_its_password_and_its_token_to_itself() {
    let lab = Lab::new();
    lab.customers(1);
    for url in [
        "https://user:SECRET@api.example.com/api/v1",
        "https://user:SEC/RET@api.example.com/api/v1",
        "https://api.example.com/api/v1?token=SECRET",
        "https://api.example.com/api/v1#SECRET",
        "user:SECRET@api.example.com",
    ] {
        for format in ["text", "json"] {
            let ran = lab.run(&["import", "in.csv", "--base-url", url, "--log-format", format]).ends(2);
            assert!(!format!("{}{}", ran.stdout, ran.stderr).contains("RET"), "{ran:?}");
            let ran = ran.says("--base-url");
            let shown =
                ["@api.example.com", "api.example.com/api/v1?***"].into_iter().any(|part| ran.stderr.contains(part));
            assert!(shown || format == "json", "{ran:?}");
        }
    }
}

#[cfg(unix)]
#[test]
fn names_of_files_steer_no_terminal() {
    let lab = Lab::new();
    for name in ["a\u{1b}[2J.csv", "a\nerror: all is well.csv", "a\u{202e}vsc.csv"] {
        for args in [&["check", name][..], &["import", name, "--base-url", "http://127.0.0.1:9", "--yes"]] {
            let ran = lab.run(args).ends(65);
            assert!(!ran.stderr.contains(['\u{1b}', '\u{202e}']), "{ran:?}");
            assert!(!ran.stderr.lines().any(|line| line.starts_with("error: all is well")), "{ran:?}");
        }
    }
}

#[test]
fn an_extra_field_cannot_take_the_place_of_a_documented_one_in_any_spelling() {
    let lab = Lab::new();
    lab.customers(1);
    for path in ["Customer_Email", "customer-email", "CUSTOMER EMAIL.x", "customerPhone"] {
        let extra = format!("{path}=customer_name");
        lab.run(&["check", "in.csv", "--extra", &extra]).ends(2).says("is a field of its own");
    }
}

#[cfg(unix)]
#[test]
fn the_log_of_a_sandbox_is_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let lab = Lab::new();
    let _server = Server::start(&lab, &[]);
    let mode = std::fs::metadata(lab.path("server.log")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}
