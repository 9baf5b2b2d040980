//! A folder, the program, and a sandbox in a process of its own whose log is read as an independent
//! witness.

use std::collections::{BTreeMap, HashMap};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

/// The options that make waiting short: the sandbox answers at once, so nothing takes effect late.
pub const FAST: [&str; 4] = ["--rate", "500/s", "--settle", "300ms"];

pub const HEADER: &str = "customer_name,customer_email,customer_phone,customer_country";

/// A folder of its own for each test, with a state directory in it.
pub struct Lab {
    folder: tempfile::TempDir,
}

/// What the program said and how it ended.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Lab {
    #[expect(clippy::new_without_default, reason = "a folder on the disk is not a default")]
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    /// A lab whose input is this text.
    pub fn with_input(text: impl AsRef<[u8]>) -> Self {
        let lab = Self::new();
        lab.write("in.csv", text);
        lab
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    /// A file of `count` good customers, `p0@example.com` and so on.
    pub fn customers(&self, count: usize) -> PathBuf {
        self.write("in.csv", customers(count))
    }

    /// The program in this lab, with nothing of the machine's own settings.
    pub fn command(&self, args: &[&str]) -> Command {
        self.command_of(&program(), args)
    }

    /// The same for a program that lies elsewhere.
    pub fn command_of(&self, program: &Path, args: &[&str]) -> Command {
        let mut command = self.clean(program.to_owned());
        command.args(args);
        command
    }

    /// A line in the shell of this lab, as a person would paste it.
    pub fn shell(&self, line: &str) -> Ran {
        Ran::of(&mut self.shell_command(line))
    }

    /// The same, not started yet.
    pub fn shell_command(&self, line: &str) -> Command {
        let mut command = self.clean("sh".into());
        command.args(["-c", line]);
        command
    }

    fn clean(&self, program: PathBuf) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.folder.path()).stdin(Stdio::null());
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("CUSTOMER_IMPORT_")) {
            command.env_remove(name);
        }
        command.env("XDG_STATE_HOME", self.path("state")).env("HOME", self.folder.path());
        command.env("CUSTOMER_IMPORT_TOKEN", "test-token");
        command
    }

    pub fn run(&self, args: &[&str]) -> Ran {
        Ran::of(&mut self.command(args))
    }

    /// `import` of `in.csv` into a server, with short waits.
    pub fn import(&self, server: &Server, more: &[&str]) -> Ran {
        self.run(&self.import_args(server, more))
    }

    pub fn import_args<'a>(&self, server: &'a Server, more: &[&'a str]) -> Vec<&'a str> {
        [&["import", "in.csv", "--base-url", &server.url], &FAST[..], more].concat()
    }

    /// The rows of the default report of `in.csv`.
    pub fn report(&self) -> Vec<BTreeMap<String, String>> {
        rows(&self.path("in.report.csv"))
    }

    /// The statuses of the default report, in input order.
    pub fn statuses(&self) -> Vec<String> {
        self.report().into_iter().map(|row| row["status"].clone()).collect()
    }
}

impl Ran {
    pub fn of(command: &mut Command) -> Self {
        Self::from(command.output().unwrap())
    }

    pub fn from(output: Output) -> Self {
        Self {
            code: exit_code(output.status),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Fails with everything that was said.
    #[track_caller]
    pub fn ends(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    #[track_caller]
    pub fn says(self, words: &str) -> Self {
        let said = format!("{}{}", self.stdout, self.stderr);
        assert!(said.contains(words), "{words:?} is missing in:\n{said}");
        self
    }

    /// The summary of `--summary json`.
    #[track_caller]
    pub fn summary(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {}", self.stdout))
    }
}

#[cfg(unix)]
pub fn exit_code(status: std::process::ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt as _;
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default())
}

/// A sandbox in its own process; it dies with this value.
pub struct Server {
    child: Child,
    pub url: String,
    log: PathBuf,
}

impl Server {
    pub fn start(lab: &Lab, options: &[&str]) -> Self {
        Self::start_as(&program(), lab, options)
    }

    /// The same for a program that lies elsewhere.
    pub fn start_as(program: &Path, lab: &Lab, options: &[&str]) -> Self {
        let log = lab.path("server.log");
        let mut child = lab
            .command_of(program, &["sandbox", "--port", "0", "--limit", "1000000/m", "--log", log.to_str().unwrap()])
            .args(options)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut first = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut first).unwrap();
        let url =
            first.split_whitespace().find(|word| word.starts_with("http")).expect("a URL in the first line").to_owned();
        Self { child, url, log }
    }

    pub fn port(&self) -> u16 {
        url::Url::parse(&self.url).unwrap().port().unwrap()
    }

    /// Everything in the log so far.
    pub fn events(&self) -> Vec<Value> {
        let log = std::fs::read_to_string(&self.log).unwrap();
        // The server may be in the middle of its last line.
        let whole = log.rsplit_once('\n').map_or("", |(whole, _)| whole);
        whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The requests to create a customer, as the server saw them come.
    pub fn posts(&self) -> Vec<Value> {
        let is_post = |event: &Value| event["event"] == "received" && event["method"] == "POST";
        self.events().into_iter().filter(is_post).collect()
    }

    /// Waits until the server has seen so many requests to create a customer: then an import is at
    /// work.
    #[track_caller]
    pub fn wait_for_posts(&self, count: usize) {
        wait_until("no such request came", || self.posts().len() >= count);
    }

    /// How many requests of any kind came.
    pub fn requests(&self) -> usize {
        self.events().iter().filter(|event| event["event"] == "received").count()
    }

    /// The ids that the server created for each e-mail.
    pub fn customers(&self) -> HashMap<String, Vec<String>> {
        let mut customers: HashMap<_, Vec<_>> = HashMap::new();
        for event in self.events().iter().filter(|event| event["event"] == "created") {
            let text = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
            customers.entry(text("email").to_lowercase()).or_default().push(text("customer_id"));
        }
        customers
    }

    /// Fails unless the server has exactly one customer for each of these e-mails, and no other.
    #[track_caller]
    pub fn has_each_once(&self, emails: impl IntoIterator<Item = String>) {
        let customers = self.customers();
        let expected: std::collections::BTreeSet<_> = emails.into_iter().collect();
        let found: std::collections::BTreeSet<_> = customers.keys().cloned().collect();
        assert_eq!(found, expected);
        let twice: Vec<_> = customers.iter().filter(|(_, ids)| ids.len() != 1).collect();
        assert!(twice.is_empty(), "created more than once: {twice:?}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The program that cargo built for the test or bench that calls this. Cargo names it to tests and
/// benches alone, not to this crate, so it is found beside their folder.
pub fn program() -> PathBuf {
    let caller = std::env::current_exe().unwrap();
    let profile = caller.ancestors().nth(2).expect("a test or bench in a folder of a profile's");
    profile.join(format!("customer-import{}", std::env::consts::EXE_SUFFIX))
}

/// Waits until something is so. Fails after a minute with what did not come.
#[track_caller]
pub fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_secs(60), "{what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// A test that this machine cannot make says so with its name and a count, and passes. It writes to
/// standard error itself, because the output of a test that passes is not shown.
pub fn skipped(why: &str) {
    static SKIPPED: AtomicUsize = AtomicUsize::new(0);
    let count = 1 + SKIPPED.fetch_add(1, Ordering::Relaxed);
    let thread = std::thread::current();
    let line = format!("skipped ({count}): {}: {why}\n", thread.name().unwrap_or("a test"));
    drop(std::io::stderr().write_all(line.as_bytes()));
}

pub fn email(n: usize) -> String {
    format!("p{n}@example.com")
}

/// A CSV of good customers.
pub fn customers(count: usize) -> String {
    let row = |n: usize| format!("Person {n},{},+4917612345{:03},DEU\n", email(n), n % 1000);
    std::iter::once(format!("{HEADER}\n")).chain((0..count).map(row)).collect()
}

pub fn rows(report: &Path) -> Vec<BTreeMap<String, String>> {
    csv::Reader::from_path(report).unwrap().deserialize().map(Result::unwrap).collect()
}

/// A file of the repository's `fixtures/`.
pub fn fixture(name: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures")).join(name)
}
