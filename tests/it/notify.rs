//! `--notify-url-file`: what is posted at the end of an import, and what happens if it cannot be.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::harness::{Lab, Ran, Server, customers, exit_code};
use crate::world::{Reply, Request, World};

/// Part of the address, as services tell their senders apart.
const SECRET: &str = "T0-s3cret-Path";

const HOOK: [&str; 2] = ["--notify-url-file", "hook"];

/// A server for notifications, and the file with its address in the lab.
fn hook(lab: &Lab, reply: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> World {
    let world = World::start(move |request, _| reply(request));
    name(lab, &format!("{}/{SECRET}?sig={SECRET}\n", world.url));
    world
}

fn name(lab: &Lab, address: &str) {
    let file = lab.write("hook", address);
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o600)).unwrap();
}

fn taken() -> Reply {
    Reply::Answer(204, Vec::new(), String::new())
}

fn posted(world: &World) -> Vec<Value> {
    world.book.posts().into_iter().map(|request| request.body).collect()
}

/// The address stands nowhere but in its file.
#[track_caller]
fn keeps_the_address(lab: &Lab, ran: &Ran) {
    let said = format!("{}{}", ran.stdout, ran.stderr);
    assert!(!said.contains("s3cret") && !said.contains("sig="), "{said}");
    for entry in std::fs::read_dir(lab.path("")).unwrap().map(Result::unwrap) {
        if entry.path().is_file() && entry.file_name() != "hook" {
            let bytes = std::fs::read(entry.path()).unwrap();
            assert!(memchr::memmem::find(&bytes, SECRET.as_bytes()).is_none(), "{:?}", entry.path());
        }
    }
}

#[test]
fn a_notification_has_counts_and_codes_and_no_cell_and_no_word_of_the_input_or_the_server() {
    let lab = Lab::new();
    let hook = hook(&lab, |_| taken());
    let api = World::start(|request, book| match request.email.as_str() {
        "p1@example.com" => {
            Reply::json(422, &json!({"status": "failed", "status_code": 422, "message": "Seven Dwarfs", "data": null}))
        }
        _ if request.is_post => book.create(request),
        _ => book.list_like(request),
    });
    lab.write("in.csv", customers(3) + "Grumpy,grumpy.example.com,+4917612345000,DEU\n");
    let account = ["--account", "nightly", "--ledger", "l.db", "--metrics-file", "run.prom", "-vv"];
    let ran = api.import(&lab, &[&account[..], &HOOK].concat()).ends(1);
    keeps_the_address(&lab, &ran);
    let posts = posted(&hook);
    let [said] = &posts[..] else { panic!("{posts:?}") };
    for (name, value) in [
        ("version", json!(1)),
        ("program", json!("customer-import")),
        ("host", json!("127.0.0.1")),
        ("account", json!("nightly")),
        ("exit_code", json!(1)),
        ("records_read", json!(4)),
        ("known_bad", json!(0)),
        ("errors", json!({"api.rejected": 1, "email.syntax": 1})),
        ("partial", json!(false)),
    ] {
        assert_eq!(said[name], value, "{name} in {said}");
    }
    assert_eq!((&said["outcomes"]["created"], &said["outcomes"]["rejected"]), (&json!(2), &json!(1)));
    assert!(said["run"].is_string() && said["requests"].as_u64() >= Some(3), "{said}");
    let moment = |name: &str| said[name].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    assert!(moment("started_at") <= moment("ended_at"));
    let text = said.to_string().to_lowercase();
    for private in ["person", "grumpy", "example.com", "49176", "dwarf", "in.csv", "l.db", "report"] {
        assert!(!text.contains(private), "{private} in {text}");
    }
}

#[test]
fn a_notification_that_cannot_be_posted_changes_no_exit_code_and_shows_no_address() {
    let lab = Lab::new();
    lab.customers(1);
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    name(&lab, &format!("http://{}/{SECRET}", free.local_addr().unwrap()));
    drop(free);
    let args = [&["import", "in.csv", "--sandbox", "--report", "r.csv"], &HOOK[..]].concat();
    let ran = lab.run(&args).ends(0).says("the notification was not posted (--notify-url-file): cannot connect");
    keeps_the_address(&lab, &ran);
    let quiet = lab.run(&[&args[..], &["-q", "--ledger", "l.db"]].concat()).ends(0);
    assert_eq!(quiet.stdout, "");
}

#[test]
fn a_notification_is_tried_three_times_if_the_server_fails_and_once_if_it_refuses() {
    let fails_twice = |request: &Request| match request.nth {
        1 => Reply::Answer(500, Vec::new(), "oops".to_owned()),
        2 => Reply::Nothing,
        _ => taken(),
    };
    let broken = |_: &Request| Reply::Answer(503, Vec::new(), String::new());
    let gone = |_: &Request| Reply::Answer(410, Vec::new(), "words of the server".to_owned());
    type Script = fn(&Request) -> Reply;
    let cases: [(Script, usize, &str); 3] = [(fails_twice, 3, ""), (broken, 3, "HTTP 503"), (gone, 1, "HTTP 410")];
    for (script, tries, words) in cases {
        let lab = Lab::new();
        lab.customers(1);
        let hook = hook(&lab, script);
        let ran = lab.run(&[&["import", "in.csv", "--sandbox"], &HOOK[..]].concat()).ends(0);
        assert_eq!(hook.book.posts().len(), tries, "{words}");
        assert_eq!(ran.stderr.contains("the notification was not posted"), !words.is_empty(), "{ran:?}");
        assert!(ran.stderr.contains(words) && !ran.stderr.contains("words of the server"), "{ran:?}");
        let posts = posted(&hook);
        assert!(posts.iter().all(|post| *post == posts[0]), "each try is the same: {posts:?}");
    }
}

#[test]
fn a_redirect_of_a_notification_is_not_followed() {
    let lab = Lab::new();
    lab.customers(1);
    let elsewhere = World::start(|_, _| taken());
    let target = elsewhere.url.clone();
    let hook = hook(&lab, move |_| Reply::Answer(307, vec![("location", target.clone())], String::new()));
    let ran = lab.run(&[&["import", "in.csv", "--sandbox"], &HOOK[..]].concat()).ends(0).says("HTTP 307");
    keeps_the_address(&lab, &ran);
    assert_eq!((hook.book.posts().len(), elsewhere.book.posts().len()), (1, 0));
}

#[test]
fn every_end_of_an_import_is_posted_also_one_that_was_refused_before_it_began() {
    let lab = Lab::new();
    let hook = hook(&lab, |_| taken());
    let server = Server::start(&lab, &["--latency", "200ms"]);
    lab.customers(3);
    lab.write("invalid.csv", customers(1).replace('@', ""));
    let cases: [(&str, &[&str], i32); 6] = [
        ("in.csv", &["--limit", "1"], 0),
        ("none.csv", &[], 65),
        ("in.csv", &["--ledger", "none.db", "--require-ledger"], 78),
        ("in.csv", &["--token-file", "token"], 2),
        ("in.csv", &["--metrics-file", "no/such/run.prom"], 74),
        ("invalid.csv", &["--strict"], 1),
    ];
    for (file, more, code) in cases {
        let before = hook.book.posts().len();
        let ledger = if more.contains(&"--ledger") { &[][..] } else { &["--ledger", "l.db"] };
        lab.run(&[&["import", file, "--base-url", &server.url], ledger, more, &HOOK].concat()).ends(code);
        let posts = posted(&hook);
        assert_eq!(posts.len(), before + 1, "{more:?}");
        let last = posts.last().unwrap();
        assert_eq!(last["exit_code"], code, "{more:?}");
        assert_eq!(last["run"].is_string(), code < 2, "{last}");
    }
    lab.customers(200);
    let args = lab.import_args(&server, &[&["--ledger", "l.db", "--concurrency", "2"], &HOOK[..]].concat());
    let mut run = lab.command(&args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    server.wait_for_posts(4);
    lab.run(&args).ends(5);
    assert_eq!(posted(&hook).last().unwrap()["exit_code"], 5);
    kill_process(Pid::from_child(&run), Signal::TERM).unwrap();
    assert_eq!(exit_code(run.wait().unwrap()), 143);
    let last = posted(&hook).pop().unwrap();
    assert_eq!((&last["exit_code"], &last["records_read"]), (&json!(143), &json!(200)));
}

#[test]
fn what_sends_nothing_posts_nothing() {
    let lab = Lab::new();
    lab.customers(1);
    let hook = hook(&lab, |_| taken());
    lab.run(&[&["import", "in.csv", "--sandbox", "--dry-run"], &HOOK[..]].concat()).ends(0);
    assert!(posted(&hook).is_empty());
    lab.run(&[&["check", "in.csv"], &HOOK[..]].concat()).ends(2);
}

#[test]
fn a_file_that_gives_no_address_is_refused_before_anything_begins() {
    let lab = Lab::new();
    lab.customers(1);
    let hook = hook(&lab, |_| taken());
    let args = ["import", "in.csv", "--sandbox", "--ledger", "l.db", "--report", "r.csv", "--notify-url-file", "hook"];
    let refused = |code, words: &str| {
        let ran = lab.run(&args).ends(code).says(words).says("hint: ");
        keeps_the_address(&lab, &ran);
        assert!(!lab.path("l.db").exists() && !lab.path("r.csv").exists(), "nothing was begun");
    };
    std::fs::set_permissions(lab.path("hook"), std::fs::Permissions::from_mode(0o644)).unwrap();
    refused(77, "other users may read the notification address hook");
    for (address, words) in [
        (format!("http://hooks.example.com/{SECRET}"), "hook is not one line with an https:// address"),
        (format!("https://a.example.com/{SECRET}\nhttps://b.example.com/{SECRET}"), "hook is not one line"),
        (format!("https://ops:{SECRET}@hooks.example.com/"), "hook has a user name or password in its address"),
        (String::new(), "hook is not one line"),
    ] {
        name(&lab, &address);
        refused(78, words);
    }
    std::fs::remove_file(lab.path("hook")).unwrap();
    refused(77, "cannot read the notification address hook");
    assert!(posted(&hook).is_empty());
    // No report takes its place.
    name(&lab, &hook.url);
    std::fs::rename(lab.path("hook"), lab.path("hook.csv")).unwrap();
    let named = ["import", "in.csv", "--sandbox", "--notify-url-file", "hook.csv", "--report", "hook.csv"];
    lab.run(&named).ends(2).says("hook.csv would be overwritten");
    assert_eq!(lab.read("hook.csv"), hook.url);
}

#[test]
fn a_notification_goes_through_the_proxy_that_the_environment_names() {
    let lab = Lab::new();
    lab.customers(1);
    name(&lab, &format!("https://hooks.example.com/{SECRET}"));
    let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", proxy.local_addr().unwrap());
    let (seen, heads) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for stream in proxy.incoming().map_while(Result::ok) {
            let mut first = String::new();
            BufReader::new(stream).read_line(&mut first).unwrap();
            seen.send(first).unwrap();
        }
    });
    let args = [&["import", "in.csv", "--sandbox"], &HOOK[..]].concat();
    let mut command = lab.command(&args);
    for variable in ["NO_PROXY", "no_proxy", "https_proxy", "ALL_PROXY", "all_proxy"] {
        command.env_remove(variable);
    }
    let ran = Ran::of(command.env("HTTPS_PROXY", address)).ends(0).says("cannot connect");
    keeps_the_address(&lab, &ran);
    let heads: Vec<_> = heads.try_iter().collect();
    assert_eq!(heads, ["CONNECT hooks.example.com:443 HTTP/1.1\r\n"; 3]);
}
