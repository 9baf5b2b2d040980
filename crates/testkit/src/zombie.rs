//! A host that is stopped at the worst point of a request and wakes up in the moment in which its
//! successor sends the same request, to a server that honours no key and takes its time between
//! looking for the e-mail and saving it. So whatever the woken host still sends is a second
//! customer.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use crate::database_proxy::DatabaseProxy;
use crate::harness::{Lab, Ran, Server, email};
use crate::postgres::Database;

/// Where the host is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Point {
    /// The request is written down, and the host has not heard of that yet.
    Committed,
    /// It connects to the server.
    Connecting,
    /// The last check has passed, and the first byte is not written yet. No clock of the host can
    /// hold it back any more.
    Writing,
}

impl Point {
    pub const ALL: [Self; 3] = [Self::Committed, Self::Connecting, Self::Writing];

    /// Whether it takes a debugger to stop a process there.
    pub fn needs_debugger(self) -> bool {
        self != Self::Committed
    }
}

/// When the tokens of the hosts end. The server refuses one that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tokens {
    /// Soon enough for a successor to wait for it.
    End,
    /// So late that no successor waits for it.
    Last,
}

impl Tokens {
    /// Longer than a lease, so that the token of a host is good when its successor begins.
    fn life(self) -> &'static str {
        match self {
            Self::End => "10s",
            Self::Last => "20m",
        }
    }
}

/// What a trial brought.
#[derive(Debug)]
pub struct Outcome {
    /// How many customers the server has for the e-mail of the request. One is right.
    pub customers: usize,
    /// Whether the stopped host sent the request after all, and the server refused its token.
    pub is_refused: bool,
    /// What the server's log says of it.
    pub seen: Vec<String>,
    pub zombie: Ran,
    pub successor: Ran,
}

/// The server looks for the e-mail, and saves it so much later. Whatever comes in between and saves
/// at once is a second customer.
const SLOW_SAVE: &str = "gateway-504=300ms:p0@example.com:first=1";
/// Longer than the server takes for a request, and short enough for many trials.
const SETTLE: &str = "1s";
const OPTIONS: [&str; 12] = [
    "--settle",
    SETTLE,
    "--timeout",
    "1s",
    "--connect-timeout",
    "300ms",
    "--grace",
    "500ms",
    "--lease",
    "6s",
    "--concurrency",
    "1",
];
/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// Whether this machine has a debugger that can stop a process at a system call.
pub fn has_debugger() -> bool {
    static HAS: OnceLock<bool> = OnceLock::new();
    *HAS.get_or_init(|| {
        let version = Command::new("gdb").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
        cfg!(all(target_os = "linux", target_arch = "x86_64")) && version.is_ok_and(|status| status.success())
    })
}

/// Runs a trial in an empty database.
///
/// # Panics
/// If the host cannot be stopped at the point, or nothing takes over.
pub fn run(program: &Path, database: &Database, point: Point, tokens: Tokens) -> Outcome {
    let lab = Lab::new();
    lab.customers(2);
    let habits = ["--email-only", "--racy", "--fault", SLOW_SAVE, "--token-life", tokens.life()];
    let server = Server::start_as(program, &lab, &habits);
    // A host that logs in sends its request over the same connection.
    let trial = Trial { program, lab, server, database, logs_in: point != Point::Connecting };
    let proxy = DatabaseProxy::before(database.cluster().socket());
    proxy.hold();
    let zombie = trial.start("zombie", proxy.port);
    let stopped = match point {
        Point::Committed => Stopped::at_intent(&zombie, &proxy),
        Point::Connecting | Point::Writing => Stopped::by_debugger(&zombie, &trial, point),
    };
    proxy.release();
    stopped.wait(&trial);
    let direct = DatabaseProxy::before(database.cluster().socket());
    let successor = trial.start("successor", direct.port);
    let taken = "SELECT epoch = 2 FROM customer_import.accounts";
    database.wait_for(taken, "t");
    // The zombie has sent nothing.
    trial.until("the successor sent nothing", || trial.posts() > 0);
    stopped.wake();
    let [zombie, successor] = [zombie, successor].map(|child| Ran::from(child.wait_with_output().unwrap()));
    let customers = trial.server.customers().get(&email(0)).map_or(0, Vec::len);
    let is_refused = trial.server.posts().iter().any(|post| post["email"] == email(0) && post["auth"] == "bad");
    let is_about = |event: &String| event.contains(&email(0));
    let seen = trial.server.events().iter().map(ToString::to_string).filter(is_about).collect();
    Outcome { customers, is_refused, seen, zombie, successor }
}

struct Trial<'a> {
    program: &'a Path,
    lab: Lab,
    server: Server,
    database: &'a Database,
    logs_in: bool,
}

impl Trial<'_> {
    fn start(&self, name: &str, port: u16) -> Child {
        let (ledger, report) = (self.database.url_at(port), format!("{name}.csv"));
        let mut command = self.lab.command_of(self.program, &["import", "in.csv", "--rate", "50/s"]);
        command.args(["--base-url", &self.server.url, "--ledger", &ledger, "--report", &report]);
        command.args(["--wait-for-lease", "60s"]).args(OPTIONS).env("CUSTOMER_IMPORT_HOLDER", name);
        // As on two hosts, neither sees whether the other one lives.
        command.env("XDG_RUNTIME_DIR", self.lab.path("nowhere"));
        if self.logs_in {
            command.env_remove("CUSTOMER_IMPORT_TOKEN");
            command.args(["--account-id", "zombies"]).env("CUSTOMER_IMPORT_APP_SECRET", name);
        }
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// How many requests the server has read for the first e-mail.
    fn posts(&self) -> usize {
        self.server.posts().iter().filter(|post| post["email"] == email(0)).count()
    }

    fn until(&self, what: &str, mut is_so: impl FnMut() -> bool) {
        let begun = Instant::now();
        while !is_so() {
            assert!(begun.elapsed() < PATIENCE, "{what}");
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// A process that will be stopped, or is.
enum Stopped {
    BySignal { process: u32, mark: Arc<OnceLock<()>> },
    ByDebugger { debugger: Child, stopped: PathBuf, go: PathBuf },
}

impl Stopped {
    fn at_intent(zombie: &Child, proxy: &DatabaseProxy) -> Self {
        let (process, mark) = (zombie.id(), Arc::new(OnceLock::new()));
        let stopped = Arc::clone(&mark);
        proxy.at_intent(move || {
            signal(process, "STOP");
            stopped.set(()).unwrap();
        });
        Self::BySignal { process, mark }
    }

    /// Returns when the debugger holds the process, which then goes on to the point.
    fn by_debugger(zombie: &Child, trial: &Trial<'_>, point: Point) -> Self {
        let [script, attached, stopped, go] = ["gdb", "attached", "stopped", "go"].map(|name| trial.lab.path(name));
        let port = trial.server.port();
        let (call, condition) = match point {
            Point::Connecting => ("connect", format!("*(unsigned short*)($rsi + 2) == {}", port.to_be())),
            // The first piece that is written begins with `POST /api/v1/customer`, and a login not.
            _ => ("writev", "*(int*)(*(long*)$rsi) == 0x54534f50 && *(char*)(*(long*)$rsi + 13) == 'c'".to_owned()),
        };
        // After the wait the thread ends its call before the others go on: they would find out that
        // the lease is gone, and the process would end.
        let [attached_name, stopped_name, go_name] = [&attached, &stopped, &go].map(|path| path.display().to_string());
        std::fs::write(
            &script,
            format!(
                "set pagination off\nset confirm off\nset auto-solib-add off\nhandle all nostop noprint pass\n\
                 attach {}\ncatch syscall {call}\ncondition $bpnum {condition}\nshell touch {attached_name}\n\
                 continue\nshell touch {stopped_name}\n\
                 shell while [ ! -e {go_name} ]; do sleep 0.002; done\n\
                 set scheduler-locking on\ncontinue\ndetach\nquit\n",
                zombie.id()
            ),
        )
        .unwrap();
        let log = std::fs::File::create(trial.lab.path("gdb.txt")).unwrap();
        let debugger = Command::new("gdb")
            .args(["-nx", "-q", "-batch", "--readnever", "-x"])
            .arg(&script)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        trial.until("the debugger does not attach", || attached.exists());
        Self::ByDebugger { debugger, stopped, go }
    }

    fn wait(&self, trial: &Trial<'_>) {
        trial.until("the process does not come to the point", || match self {
            Self::BySignal { mark, .. } => mark.get().is_some(),
            Self::ByDebugger { stopped, .. } => stopped.exists(),
        });
    }

    fn wake(self) {
        match self {
            Self::BySignal { process, .. } => signal(process, "CONT"),
            Self::ByDebugger { mut debugger, go, .. } => {
                std::fs::write(go, "").unwrap();
                drop(debugger.wait());
            }
        }
    }
}

fn signal(process: u32, name: &str) {
    assert!(Command::new("kill").args(["-s", name, &process.to_string()]).status().unwrap().success());
}
