//! A PostgreSQL server of the tests' own: a cluster in a temporary folder, reached by a socket in
//! it, with fsync off.
//!
//! Each process that asks for a [`Database`] starts one server. A shell stands between the two: it
//! stops the server and removes the folder when its standard input ends, and that ends with this
//! process, however it ends.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Output, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::harness::skipped;

/// If this is set, a test that needs PostgreSQL fails where there is none, instead of passing.
const NEEDED: &str = "TESTS_NEED_POSTGRESQL";

/// The user whom the distribution's packages make. A server refuses to run as root.
const SERVER_USER: &str = "postgres";

/// Makes a cluster and runs its server until the standard input ends. Prints the folder when the
/// server accepts connections.
const KEEPER: &str = r#"
folder=$(mktemp -d /tmp/customer-import-pg.XXXXXX) || exit 1
trap 'pg_ctl -D "$folder/data" -m immediate stop >/dev/null 2>&1; rm -rf "$folder"' EXIT
initdb -D "$folder/data" -A trust -U postgres --no-sync -E UTF8 --locale=C >"$folder/log" 2>&1 || { cat "$folder/log" >&2; exit 1; }
cat >>"$folder/data/postgresql.conf" <<CONF
listen_addresses = ''
unix_socket_directories = '$folder'
fsync = ${SYNC:-off}
full_page_writes = ${SYNC:-off}
max_connections = 200
shared_buffers = 32MB
autovacuum = off
wal_level = replica
max_wal_senders = 4
wal_keep_size = 256MB
CONF
if [ -n "$TLS_CERTIFICATE" ]; then
  umask 077
  echo "$TLS_CERTIFICATE" >"$folder/data/server.crt"
  echo "$TLS_KEY" >"$folder/data/server.key"
  printf "%s\n" "ssl = on" "listen_addresses = '127.0.0.1'" "port = $PORT" >>"$folder/data/postgresql.conf"
  printf "%s\n" "local all all trust" "hostssl all all 127.0.0.1/32 scram-sha-256" >"$folder/data/pg_hba.conf"
fi
pg_ctl -D "$folder/data" -l "$folder/log" -w -t 60 start >/dev/null 2>&1 </dev/null || { cat "$folder/log" >&2; exit 1; }
echo "$folder"
cat >/dev/null
"#;

/// Makes a replica of the server in `$1` and runs it until the standard input ends.
const REPLICA_KEEPER: &str = r#"
folder=$(mktemp -d /tmp/customer-import-pg.XXXXXX) || exit 1
trap 'pg_ctl -D "$folder/data" -m immediate stop >/dev/null 2>&1; rm -rf "$folder"' EXIT
pg_basebackup -h "$1" -U postgres -D "$folder/data" -R -X stream --checkpoint=fast --no-sync >"$folder/log" 2>&1 || { cat "$folder/log" >&2; exit 1; }
echo "unix_socket_directories = '$folder'" >>"$folder/data/postgresql.conf"
pg_ctl -D "$folder/data" -l "$folder/log" -w -t 60 start >/dev/null 2>&1 </dev/null || { cat "$folder/log" >&2; exit 1; }
echo "$folder"
cat >/dev/null
"#;

/// The server of this process.
#[derive(Debug)]
pub struct Cluster {
    folder: PathBuf,
    /// It is in the name of the socket, too.
    pub port: u16,
    programs: PathBuf,
    /// Holds the pipe whose end stops the server.
    _keeper: Child,
}

/// An empty database of its own.
#[derive(Debug)]
pub struct Database {
    cluster: &'static Cluster,
    name: String,
}

impl Cluster {
    /// Returns the server of this process, started by the first call, or `None` if this machine has
    /// no PostgreSQL.
    ///
    /// # Panics
    /// If PostgreSQL is needed and cannot be started.
    pub fn of_this_process() -> Option<&'static Self> {
        static CLUSTER: OnceLock<Result<Cluster, String>> = OnceLock::new();
        let is_needed = std::env::var_os(NEEDED).is_some();
        match CLUSTER.get_or_init(Self::start) {
            Ok(cluster) => Some(cluster),
            Err(why) if is_needed => panic!("{why}"),
            Err(_) => None,
        }
    }

    fn start() -> Result<Self, String> {
        let programs = programs().ok_or("PostgreSQL is not installed (apt-get install postgresql)")?;
        Self::kept_by(&["sh", "-c", KEEPER], programs, 5432, &[])
    }

    /// Starts a server of its own that syncs as one does that people rely on, for as long as this
    /// process lives. `None` if this machine has no PostgreSQL.
    pub fn that_syncs() -> Option<&'static Self> {
        static CLUSTER: OnceLock<Option<Cluster>> = OnceLock::new();
        let start = || Self::kept_by(&["sh", "-c", KEEPER], programs()?, 5432, &[("SYNC", "on")]).ok();
        CLUSTER.get_or_init(start).as_ref()
    }

    /// Starts a server of its own that listens on 127.0.0.1 too, there with TLS and passwords only.
    /// `None` if this machine has no PostgreSQL.
    pub fn with_tls(certificate: &str, key: &str) -> Option<Self> {
        let own = Self::of_this_process()?;
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let port = free.to_string();
        let variables = [("TLS_CERTIFICATE", certificate), ("TLS_KEY", key), ("PORT", port.as_str())];
        Some(Self::kept_by(&["sh", "-c", KEEPER], own.programs.clone(), free, &variables).unwrap())
    }

    /// Starts a server that nothing else uses, so that it can be stopped. It lives as long as this
    /// process. `None` if this machine has no PostgreSQL.
    pub fn own() -> Option<&'static Self> {
        let first = Self::of_this_process()?;
        let own = Self::kept_by(&["sh", "-c", KEEPER], first.programs.clone(), 5432, &[]).unwrap();
        Some(Box::leak(Box::new(own)))
    }

    /// Ends the server without a word to its clients, as a crash does, and starts it again.
    pub fn crash(&self) {
        self.control(&["-m", "immediate", "restart"]);
    }

    #[track_caller]
    fn control(&self, order: &[&str]) {
        let pg_ctl = self.programs.join("pg_ctl");
        let (data, log) = (self.folder.join("data"), self.folder.join("log"));
        let [pg_ctl, data, log] = [&pg_ctl, &data, &log].map(|path| path.to_str().unwrap());
        let words = [&[pg_ctl, "-D", data, "-l", log, "-w", "-t", "60"], order].concat();
        // The server that it starts must not keep the pipes of this process open.
        let ended = as_server(&words).current_dir("/").stdin(Stdio::null()).stdout(Stdio::null()).status().unwrap();
        assert!(ended.success(), "{order:?}: {}", std::fs::read_to_string(log).unwrap_or_default());
    }

    /// Starts a replica that follows this server, and goes with the value.
    pub fn replica(&self) -> Self {
        let of = self.folder.to_str().unwrap();
        Self::kept_by(&["sh", "-c", REPLICA_KEEPER, "replica", of], self.programs.clone(), 5432, &[]).unwrap()
    }

    fn kept_by(words: &[&str], programs: PathBuf, port: u16, variables: &[(&str, &str)]) -> Result<Self, String> {
        let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap_or_default());
        let mut keeper = as_server(words)
            .env("PATH", path)
            .envs(variables.iter().copied())
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("cannot start PostgreSQL: {error}"))?;
        let mut folder = String::new();
        let said = keeper.stdout.as_mut().map(|said| BufReader::new(said).read_line(&mut folder));
        match said {
            Some(Ok(1..)) => Ok(Self { folder: folder.trim().into(), port, programs, _keeper: keeper }),
            _ => Err("PostgreSQL did not start; its words stand above".to_owned()),
        }
    }

    /// The folder of its socket.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Makes an empty database.
    pub fn database(&'static self) -> Database {
        static NUMBER: AtomicU32 = AtomicU32::new(1);
        let name = format!("test_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        self.sql("postgres", &format!("CREATE DATABASE {name} TEMPLATE template0 STRATEGY file_copy"));
        Database { cluster: self, name }
    }

    /// The path of its socket.
    pub fn socket(&self) -> PathBuf {
        self.folder.join(format!(".s.PGSQL.{}", self.port))
    }

    /// Lets a replica fall behind: it follows no longer.
    pub fn stop_following(&self) {
        self.sql("postgres", "ALTER SYSTEM SET primary_conninfo = ''");
        self.sql("postgres", "SELECT pg_reload_conf()");
        self.wait_for("postgres", "SELECT count(*) FROM pg_stat_wal_receiver", "0");
    }

    /// Makes a replica a server of its own, on a new timeline.
    pub fn promote(&self) {
        self.sql("postgres", "SELECT pg_promote(true)");
        self.wait_for("postgres", "SELECT pg_is_in_recovery()", "f");
    }

    #[track_caller]
    fn wait_for(&self, database: &str, question: &str, answer: &str) {
        let begun = Instant::now();
        loop {
            let found = self.sql(database, question);
            if found == answer {
                return;
            }
            assert!(begun.elapsed() < Duration::from_secs(60), "{question}: {found:?} instead of {answer:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn psql(&self, database: &str, user: &str) -> Command {
        let mut psql = Command::new(self.programs.join("psql"));
        psql.args(["-XqAt", "-v", "ON_ERROR_STOP=1", "-U", user, "-d", database, "-p", &self.port.to_string(), "-h"]);
        psql.arg(&self.folder);
        psql
    }

    /// Runs statements and returns what they print, one row a line and cells parted by `|`.
    #[track_caller]
    pub fn sql(&self, database: &str, text: &str) -> String {
        told(self.psql(database, SERVER_USER).args(["-c", text]).output().unwrap())
    }
}

impl Database {
    /// Returns a database, or `None` and says so if this machine has no PostgreSQL.
    #[track_caller]
    pub fn new() -> Option<Self> {
        let cluster = Cluster::of_this_process();
        if cluster.is_none() {
            skipped("PostgreSQL is not installed (apt-get install postgresql)");
        }
        cluster.map(Cluster::database)
    }

    /// Its server.
    pub fn cluster(&self) -> &'static Cluster {
        self.cluster
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// What `--ledger` takes.
    pub fn url(&self) -> String {
        self.url_of(SERVER_USER)
    }

    /// The same for another role.
    pub fn url_of(&self, user: &str) -> String {
        format!("postgres:///{}?host={}&user={user}", self.name, self.cluster.folder.display())
    }

    /// The same, by a TCP port of this machine.
    pub fn url_at(&self, port: u16) -> String {
        format!("postgres://{SERVER_USER}@127.0.0.1:{port}/{}", self.name)
    }

    /// Runs statements and returns what they print, one row a line and cells parted by `|`.
    #[track_caller]
    pub fn sql(&self, text: &str) -> String {
        self.cluster.sql(&self.name, text)
    }

    /// Runs statements in the same database of another server.
    #[track_caller]
    pub fn sql_at(&self, server: &Cluster, text: &str) -> String {
        server.sql(&self.name, text)
    }

    /// A session for many questions to the same database of a server.
    pub fn session<'a>(&'a self, server: &'a Cluster) -> Session<'a> {
        Session { database: self, server, psql: None }
    }

    /// Waits until a question has this answer. Fails after a minute.
    #[track_caller]
    pub fn wait_for(&self, question: &str, answer: &str) {
        self.cluster.wait_for(&self.name, question, answer);
    }

    /// Waits until a replica has everything that this database has now.
    #[track_caller]
    pub fn wait_for_replica(&self, replica: &Cluster) {
        let now = self.sql("SELECT pg_current_wal_lsn()");
        replica.wait_for("postgres", &format!("SELECT pg_last_wal_replay_lsn() >= '{now}'"), "t");
    }
}

/// A `psql` that answers one question after the other, because starting one for each costs more
/// than the question.
#[derive(Debug)]
pub struct Session<'a> {
    database: &'a Database,
    server: &'a Cluster,
    psql: Option<Psql>,
}

impl<'a> Session<'a> {
    /// Asks another server from now on.
    pub fn lead_to(&mut self, server: &'a Cluster) {
        self.psql = None;
        self.server = server;
    }

    /// Whether it asks this server.
    pub fn is_at(&self, server: &Cluster) -> bool {
        self.server.folder == server.folder
    }

    /// Returns the lines of an answer, or `None` if the server does not answer now.
    pub fn ask(&mut self, question: &str) -> Option<String> {
        // A session that the server ended is found out when it is used.
        (0..2).find_map(|_| self.try_to_ask(question).inspect_err(|_| self.psql = None).ok())
    }

    fn try_to_ask(&mut self, question: &str) -> io::Result<String> {
        const END: &str = "-- end of the answer";
        let Psql { words, answers, .. } = match &mut self.psql {
            Some(psql) => psql,
            none => {
                let mut command = self.server.psql(&self.database.name, SERVER_USER);
                command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
                let mut child = command.spawn()?;
                let (words, answers) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
                none.insert(Psql { child, words, answers: BufReader::new(answers) })
            }
        };
        writeln!(words, "{question};\n\\echo '{END}'")?;
        let mut answer = String::new();
        loop {
            let mut line = String::new();
            if answers.read_line(&mut line)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if line.trim_end() == END {
                return Ok(answer.trim_end().to_owned());
            }
            answer.push_str(&line);
        }
    }
}

/// A `psql` that waits for the next question.
#[derive(Debug)]
struct Psql {
    child: Child,
    words: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Drop for Psql {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Drop for Database {
    /// Frees its disk early. The server's folder goes in any case.
    fn drop(&mut self) {
        let drop_it = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        drop(self.cluster.psql("postgres", SERVER_USER).args(["-c", &drop_it]).output());
    }
}

#[track_caller]
fn told(output: Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

/// The folder of the server's programs, of the newest version that is installed.
fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let version = |path: &Path| path.file_name()?.to_str()?.parse::<u32>().ok();
    let newest = versions
        .map(|entry| entry.path())
        .filter(|path| path.join("bin/initdb").exists())
        .max_by_key(|path| version(path));
    let installed = newest.map(|path| path.join("bin"));
    let on_path = || std::env::split_paths(&std::env::var_os("PATH")?).find(|folder| folder.join("initdb").exists());
    installed.or_else(on_path)
}

/// A command that runs as the server's user if this process is root.
pub fn as_server(words: &[&str]) -> Command {
    let is_root = std::fs::metadata("/proc/self").is_ok_and(|own| {
        use std::os::unix::fs::MetadataExt as _;
        own.uid() == 0
    });
    if !is_root {
        let mut command = Command::new(words[0]);
        command.args(&words[1..]);
        return command;
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid", SERVER_USER, "--regid", SERVER_USER, "--clear-groups"]).args(words);
    command
}
