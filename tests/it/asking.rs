//! The question before anything is sent: on which terminal it is asked, when it cannot be, and that
//! the credentials are tried before it. It is never asked about this machine, so the program sees
//! `https://api.example.com` here: a sandbox behind TLS and a proxy.
#![cfg(target_os = "linux")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rcgen::CertificateParams;

use crate::harness::{Lab, Ran, Server, email};
use crate::terminal;
use crate::trust::{Authority, Front};

const ROWS: usize = 2;

/// Variables that would change the way to the API.
const PROXIES: [&str; 7] =
    ["HTTP_PROXY", "http_proxy", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"];

/// A proxy that connects every host to one address.
fn tunnel(to: SocketAddr) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || carry(client, to));
        }
    });
    url
}

fn carry(client: TcpStream, to: SocketAddr) {
    let mut reader = BufReader::new(client.try_clone().unwrap());
    let mut line = String::new();
    while reader.read_line(&mut line).is_ok_and(|length| length > 2) {
        line.clear();
    }
    let (Ok(server), mut client) = (TcpStream::connect(to), client) else { return };
    if client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").is_err() {
        return;
    }
    let (mut from_server, mut to_server) = (server.try_clone().unwrap(), server);
    std::thread::spawn(move || std::io::copy(&mut from_server, &mut client));
    let _ = std::io::copy(&mut reader, &mut to_server);
}

/// A lab, and a server that does not look like this machine.
pub(crate) struct World {
    pub(crate) lab: Lab,
    server: Server,
    _front: Arc<Front>,
    proxy: String,
}

impl World {
    pub(crate) fn new(options: &[&str]) -> Self {
        let lab = Lab::new();
        let server = Server::start(&lab, options);
        lab.customers(ROWS);
        let authority = Authority::new(&lab, "ca.pem");
        let certificate = CertificateParams::new(["api.example.com".to_owned()]).unwrap();
        let front = Front::start(&server.url, authority.certify(&certificate));
        let proxy = tunnel(front.address());
        Self { lab, server, _front: front, proxy }
    }

    pub(crate) fn args(&self, more: &[&'static str]) -> Vec<&'static str> {
        let args = ["import", "in.csv", "--base-url", "https://api.example.com/api/v1", "--ca-file", "ca.pem"];
        [&args[..], &["--ledger", "l.db", "--settle", "300ms"], more].concat()
    }

    pub(crate) fn prepared(&self, mut command: Command) -> Command {
        for name in PROXIES {
            command.env_remove(name);
        }
        command.env("HTTPS_PROXY", &self.proxy).env("TERM", "xterm").env("NO_COLOR", "1");
        command
    }

    fn import(&self, more: &[&'static str]) -> Command {
        self.prepared(self.lab.command(&self.args(&[&["--rate", "500/s"], more].concat())))
    }

    /// A line of a shell in which `import` stands for the whole command.
    fn shell(&self, line: &str) -> Command {
        let program = crate::harness::program();
        let args = self.args(&["--rate", "500/s"]).join(" ");
        let line = line.replace("import", &format!("{} {args}", program.to_str().unwrap()));
        self.prepared(self.lab.shell_command(&line))
    }

    #[track_caller]
    fn sent_nothing_and_left_no_ledger(&self) {
        assert!(self.server.posts().is_empty());
        assert!(!self.lab.path("l.db").exists(), "a refused command leaves no ledger");
    }
}

#[test]
fn b7_wrong_credentials_end_with_77_before_the_question() {
    let world = World::new(&["--token", "another"]);
    let (code, printed) = terminal::answered(&mut world.import(&[]), "y");
    assert_eq!(code, 77, "{printed}");
    assert!(printed.contains("error: the API refused the token") && printed.contains("\nhint: "), "{printed}");
    assert!(!printed.contains("[y/N]"), "{printed}");
    world.sent_nothing_and_left_no_ledger();
    assert_eq!(world.server.requests(), 1);
}

#[test]
fn b7_the_credentials_are_tried_before_the_question_with_one_request_that_counts() {
    let world = World::new(&[]);
    let (code, printed) = terminal::answered(&mut world.import(&[]), "y");
    assert_eq!(code, 0, "{printed}");
    let (plan, rest) = printed.split_once("[y/N]").unwrap();
    assert!(plan.contains("The API accepts the credentials.\n\nSend 2 records to https://api.example.com"), "{plan}");
    assert!(rest.contains(&format!("requests  {} in", ROWS + 1)), "{rest}");
    assert_eq!(world.server.requests(), ROWS + 1);
    world.server.has_each_once((0..ROWS).map(email));
}

#[test]
fn b5_with_a_limit_the_question_speaks_of_so_many_records_and_none_is_asked_if_nothing_is_to_be_sent() {
    let world = World::new(&[]);
    let (code, printed) = terminal::answered(&mut world.import(&["--limit", "1"]), "y");
    assert_eq!(code, 0, "{printed}");
    assert!(printed.contains("Send 1 of 2 records to https://api.example.com"), "{printed}");
    assert_eq!(world.server.posts().len(), 1);
    let (_, printed) = terminal::answered(&mut world.import(&[]), "y");
    assert!(printed.contains("Send 1 record to https://api.example.com"), "{printed}");
    let (code, printed) = terminal::answered(&mut world.import(&[]), "");
    assert!(code == 0 && !printed.contains("[y/N]"), "{printed}");
}

#[test]
fn b7_an_answer_of_no_sends_no_record_and_the_summary_counts_the_request() {
    let world = World::new(&[]);
    let (code, printed) = terminal::answered(&mut world.import(&[]), "n");
    assert_eq!(code, 1, "{printed}");
    assert!(printed.contains("you answered no") && printed.contains("requests  1 in"), "{printed}");
    assert!(world.server.posts().is_empty());
}

#[test]
fn b7_the_first_record_waits_its_interval_after_that_request() {
    let world = World::new(&[]);
    let mut import = world.prepared(world.lab.command(&world.args(&["--rate", "60/m"])));
    let begun = Instant::now();
    let (code, printed) = terminal::answered(&mut import, "y");
    assert_eq!(code, 0, "{printed}");
    // The request before the question and two records, a second apart.
    assert!(begun.elapsed() >= Duration::from_millis(1900), "{:?}", begun.elapsed());
    assert_eq!(world.server.requests(), 3);
}

#[test]
fn b7_without_a_question_there_is_no_such_request() {
    let world = World::new(&[]);
    Ran::of(&mut world.import(&[])).ends(0);
    assert_eq!(world.server.requests(), ROWS, "cron has no terminal");
    world.lab.write("in.csv", crate::harness::customers(ROWS + 1));
    let (code, printed) = terminal::answered(&mut world.import(&["--yes"]), "");
    assert_eq!((code, printed.contains("[y/N]")), (0, false), "{printed}");
    assert_eq!(world.server.requests(), ROWS + 1);
    let (code, printed) = terminal::answered(&mut world.import(&[]), "");
    assert_eq!((code, printed.contains("[y/N]")), (0, false), "nothing is left to send:\n{printed}");
    assert_eq!(world.server.requests(), ROWS + 1);
}

#[test]
fn b7_the_run_continues_with_the_token_of_that_request() {
    let world = World::new(&["--token", "fresh"]);
    let command = "echo x >> asked; test -e first && echo fresh || { touch first; echo stale; }";
    let mut import = world.import(&["--token-command", command]);
    let (code, printed) = terminal::answered(import.env_remove("CUSTOMER_IMPORT_TOKEN"), "y");
    assert_eq!(code, 0, "{printed}");
    assert_eq!(world.lab.read("asked").lines().count(), 2, "once for each token");
    assert_eq!(world.server.requests(), ROWS + 2);
}

#[test]
fn b7_an_api_without_look_ups_is_no_reason_to_refuse_and_the_question_says_so() {
    let world = World::new(&["--fault", "lookup-403"]);
    let (code, printed) = terminal::answered(&mut world.import(&[]), "y");
    assert_eq!(code, 0, "{printed}");
    assert!(printed.contains("The API offers no look-ups (HTTP 403), so they are off for this run"), "{printed}");
    world.server.has_each_once((0..ROWS).map(email));
}

#[test]
fn b7_a_server_that_cannot_be_reached_is_named_before_the_question() {
    let lab = Lab::new();
    lab.customers(ROWS);
    let mut import =
        lab.command(&["import", "in.csv", "--base-url", "https://nowhere.invalid/api", "--ledger", "l.db"]);
    for name in PROXIES.iter().chain(&["HTTPS_PROXY"]) {
        import.env_remove(name);
    }
    let (code, printed) = terminal::answered(&mut import, "y");
    assert_eq!(code, 69, "{printed}");
    assert!(printed.contains("cannot reach nowhere.invalid") && !printed.contains("[y/N]"), "{printed}");
    assert!(!lab.path("l.db").exists());
}

#[test]
fn b6_the_question_is_asked_on_the_terminal_whatever_is_redirected() {
    for line in ["import 2>&1 | tee log", "import 2>log", "import >log", "import >log 2>&1", "import >log 2>/dev/null"]
    {
        for (typed, sent) in [("n", 0), ("y", ROWS)] {
            let world = World::new(&[]);
            let (_, printed) = terminal::answered(&mut world.shell(line), typed);
            assert!(printed.contains("2  to send"), "{line}: the plan:\n{printed}");
            assert!(printed.contains("Send 2 records to https://api.example.com"), "{line}:\n{printed}");
            assert_eq!(world.server.posts().len(), sent, "{line}, {typed}:\n{printed}");
            assert!(!world.lab.read("log").contains("[y/N]"), "{line}");
        }
    }
}

#[test]
fn b6_a_background_job_must_be_told_to_send_and_does_not_stop() {
    let world = World::new(&[]);
    let (code, printed) = terminal::answered(&mut world.shell("set -m; import & wait $!"), "y");
    assert_eq!(code, 2, "{printed}");
    assert!(printed.contains("error: nothing was sent: a background job cannot be asked"), "{printed}");
    assert!(printed.contains("hint: to send without a question: ") && printed.contains(" --yes"), "{printed}");
    world.sent_nothing_and_left_no_ledger();
    assert_eq!(world.server.requests(), 0);
    let (code, printed) = terminal::answered(&mut world.shell("set -m; import --yes & wait $!"), "");
    assert_eq!(code, 0, "{printed}");
    assert_eq!(world.server.posts().len(), ROWS);
}

#[test]
fn b6_without_a_controlling_terminal_it_must_be_told_to_send() {
    let world = World::new(&[]);
    let (_person, program) = terminal::open();
    let mut import = terminal::led(&world.import(&[]), &[]);
    let ran = Ran::of(import.stdin(program)).ends(2).says("/dev/tty").says(" --yes");
    assert!(!ran.stderr.contains("[y/N]"), "{}", ran.stderr);
    world.sent_nothing_and_left_no_ledger();
    let (_, send) = ran.stderr.split_once("to send without a question: ").unwrap();
    Ran::of(&mut world.prepared(world.lab.shell_command(send.trim()))).ends(0);
    assert_eq!(world.server.posts().len(), ROWS);
}

#[test]
fn what_was_typed_before_the_question_is_no_answer_to_it() {
    let world = World::new(&[]);
    let (code, printed) = terminal::talk(&mut world.import(&[]), "y", "n");
    assert_eq!(code, 1, "{printed}");
    assert!(printed.contains("you answered no"), "{printed}");
    assert!(world.server.posts().is_empty());
}

#[test]
fn who_ends_the_input_at_the_question_reads_the_summary_on_a_line_of_its_own() {
    let world = World::new(&[]);
    let (code, printed) = terminal::answered(&mut world.import(&[]), terminal::CTRL_D);
    assert_eq!(code, 1, "{printed}");
    assert!(printed.contains("[y/N] \nStopped: nothing was sent"), "{printed}");
}
