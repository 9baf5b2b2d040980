//! A server that cannot be reached for a while, and one that cannot be reached any more.

use std::process::{Child, Stdio};

use crate::door::Door;
use crate::harness::{Lab, Ran, Server, email};
use crate::many::posts_so_far;

const ROWS: usize = 40;

/// An import through a door, as soon as it is well under way.
fn under_way(lab: &Lab, door: &Door, more: &[&str]) -> Child {
    let pace = ["--rate", "50/s", "--settle", "300ms", "--concurrency", "4"];
    let args = [&["import", "in.csv", "--base-url", &door.url], &pace[..], more].concat();
    let import = lab.command(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    while posts_so_far(lab) < 5 {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    import
}

#[test]
fn a_server_that_is_back_after_a_while_is_gone_on_with() {
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    let door = Door::before(&server.url);
    lab.customers(ROWS);
    let import = under_way(&lab, &door, &[]);
    door.shut();
    // Longer than ten attempts and the first pause of the breaker.
    std::thread::sleep(std::time::Duration::from_secs(3));
    door.open();
    Ran::from(import.wait_with_output().unwrap())
        .ends(0)
        .says("(connection refused); next try in")
        .says("the API is back");
    server.has_each_once((0..ROWS).map(email));
}

#[test]
fn a_server_that_is_gone_for_good_ends_with_69_in_time_burns_no_record_and_the_resumed_run_completes() {
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    let door = Door::before(&server.url);
    lab.customers(ROWS);
    let import = under_way(&lab, &door, &["--give-up-after", "2s"]);
    door.shut();
    let shut = std::time::Instant::now();
    Ran::from(import.wait_with_output().unwrap()).ends(69).says("no conclusive answer").says("resume");
    assert!(shut.elapsed().as_secs_f32() < 4.0, "{:?}", shut.elapsed());
    let statuses = lab.statuses();
    let may_be = ["created", "not_attempted", "in_doubt"];
    assert!(statuses.iter().all(|status| may_be.contains(&status.as_str())), "{statuses:?}");
    let in_doubt = statuses.iter().filter(|status| *status == "in_doubt").count();
    assert!(in_doubt <= 4, "{statuses:?}");

    door.open();
    let args = ["import", "in.csv", "--base-url", &door.url, "--rate", "500/s", "--settle", "300ms"];
    lab.run(&args).ends(0);
    server.has_each_once((0..ROWS).map(email));
}

#[test]
fn why_the_api_cannot_be_reached_is_said_at_once_in_summary_report_and_json_log() {
    let lab = Lab::new();
    lab.customers(3);
    // The port was in use a moment ago, and no process listens there now.
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (url, why) = (format!("http://{address}/api"), format!("cannot reach {address} (connection refused)"));
    let import = ["import", "in.csv", "--base-url", &url, "--ledger", "l.db", "--give-up-after", "1s"];
    let ran = lab.run(&import).ends(69);
    assert!(ran.stderr.contains(&format!("{why}; giving up at ")), "{}", ran.stderr);
    assert!(ran.stdout.contains(&format!("no conclusive answer from the API for 1s: {why}")), "{}", ran.stdout);
    let first = &lab.report()[0];
    assert_eq!((&*first["status"], &*first["error_code"], &*first["error"]), ("not_attempted", "api.no_answer", &*why));
    let logged = lab.run(&[&import[..], &["--log-format", "json"]].concat()).ends(69).stderr;
    let lines: Vec<serde_json::Value> = logged.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.iter().any(|line| line.to_string().contains(&why)), "{logged}");
}
