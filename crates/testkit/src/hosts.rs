//! One trial of the campaign with several hosts: they import the same input with one ledger in a
//! PostgreSQL database, one at work and the others waiting, while the one at work is killed,
//! stopped, cut off from the database, or the database crashes or fails over. Then the checker
//! compares what the server and the database saw.
//!
//! Each host is a process with a way of its own to the database and a token of its own. It is of
//! another boot than the others if this process may change what a process sees of its boot.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::str::FromStr;
use std::sync::OnceLock;
use std::time::{Duration, Instant, UNIX_EPOCH};

use crate::checker::{Input, Log, MEMORY_QUESTIONS, Memory, Rules, Verdict, check_end, check_lines};
use crate::crash::{Chance, PATIENCE, Server, World, file_of, is_end, read_ends, rows_of};
use crate::database_proxy::DatabaseProxy;
use crate::postgres::{Cluster, Database, Session};
use crate::takeovers::{self, Takeover, Waits};
use crate::witness::{Witness, now};

/// The shortest lease that the program takes.
pub const LEASE: Duration = Duration::from_secs(6);
/// Longer than it takes a standby to notice that the lease is too old.
const TAKEOVER_PATIENCE: Duration = Duration::from_secs(40);
/// How long these hosts may take to connect to the API.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(200);
/// How late a request may be seen on a machine that does a dozen trials at once.
const LATENESS: Duration = Duration::from_millis(250);
/// The end of a token that is further away than this is not waited for.
const FURTHEST_TOKEN_END: Duration = Duration::from_secs(15 * 60);

/// What befalls the host at work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Blow {
    /// It is killed, and started again as a new process.
    Kill,
    /// It is stopped, mostly for longer than its lease, and goes on.
    Stop,
    /// Nothing is carried between it and the database for a while.
    Partition,
    /// The database crashes and starts again.
    Restart,
    /// The database fails over to a replica, which may lack the last commits.
    Promote,
}

impl Blow {
    pub const ALL: [Self; 5] = [Self::Kill, Self::Stop, Self::Partition, Self::Restart, Self::Promote];

    pub fn name(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Stop => "stop",
            Self::Partition => "partition",
            Self::Restart => "restart",
            Self::Promote => "promote",
        }
    }
}

impl Blow {
    fn takes_database_away(self) -> bool {
        matches!(self, Self::Partition | Self::Restart | Self::Promote)
    }
}

impl FromStr for Blow {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|blow| blow.name() == name).ok_or_else(|| format!("{name:?} befalls no host"))
    }
}

/// What all trials of a campaign have in common.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The fewest and the most hosts.
    pub hosts: [u64; 2],
    pub blows: Vec<Blow>,
    pub settle: Duration,
    pub grace: Duration,
    pub lease: Duration,
}

/// What a trial brought.
#[derive(Debug)]
pub struct Outcome {
    pub seed: u64,
    pub world: String,
    /// What happened, in order.
    pub story: Vec<String>,
    pub blows: BTreeMap<Blow, usize>,
    /// How often a lease was taken that had not been given back.
    pub takeovers: usize,
    /// How long after a blow another process had the lease.
    pub waits: Vec<(Blow, Duration)>,
    /// How many requests each kill cut off.
    pub unanswered: Vec<usize>,
    pub concurrency: usize,
    pub verdict: Verdict,
    /// Ends of processes that no blow explains, and reports that are not there or should not be.
    pub strange: Vec<String>,
    /// How the last run ended.
    pub last: String,
    pub completed: bool,
}

impl Outcome {
    pub fn is_clean(&self) -> bool {
        let bounded = self.unanswered.iter().all(|unanswered| *unanswered <= self.concurrency);
        self.completed && bounded && self.strange.is_empty() && self.verdict.is_clean()
    }
}

/// Runs the trial of a seed with a program, in a new database of a server that it may crash.
pub fn run(program: &Path, seed: u64, cluster: &'static Cluster, plan: &Plan) -> Outcome {
    let mut chance = Chance(seed);
    let setup = Setup::of(&mut chance, plan);
    let folder = tempfile::tempdir().unwrap();
    for name in ["planned.csv", "in.csv"] {
        std::fs::write(folder.path().join(name), file_of(&setup.world.rows, 0)).unwrap();
    }
    let server = Server::start(program, folder.path(), &setup.world.server);
    let (witness, database) = (Witness::before(&server.url), cluster.database());
    migrate(program, &database);
    takeovers::watch(&database);
    let replica = setup.has_replica.then(|| cluster.replica());
    let trial = Trial { program, folder, _server: server, witness, database: &database, plan, setup };
    let mut outcome = Outcome {
        seed,
        world: trial.setup.to_string(),
        story: Vec::new(),
        blows: BTreeMap::new(),
        takeovers: 0,
        waits: Vec::new(),
        unanswered: Vec::new(),
        concurrency: trial.setup.world.concurrency,
        verdict: Verdict::default(),
        strange: Vec::new(),
        last: String::new(),
        completed: false,
    };
    let mut battle = Battle {
        session: database.session(cluster),
        trial: &trial,
        cluster,
        replica: replica.as_ref(),
        hosts: Vec::new(),
        begun: Instant::now(),
        struck: Vec::new(),
        outcome: &mut outcome,
    };
    battle.start_hosts(&mut chance);
    for _ in 0..trial.setup.blows {
        if !battle.strike(&mut chance) {
            break;
        }
    }
    battle.let_all_end();
    battle.finish();
    battle.judge();
    drop(battle);
    outcome
}

fn migrate(program: &Path, database: &Database) {
    let mut migrate = Command::new(program);
    migrate.args(["ledger", "migrate", "--ledger", &database.url()]);
    assert!(migrate.stdin(Stdio::null()).output().unwrap().status.success(), "the schema cannot be made");
}

/// All that a seed decides before the first host starts.
struct Setup {
    world: World,
    hosts: u64,
    blows: u64,
    /// The hosts see each other's locks, as processes of one machine do.
    is_one_machine: bool,
    has_replica: bool,
    /// The hosts log in, and their tokens end.
    logs_in: bool,
    rate: &'static str,
}

impl Setup {
    fn of(chance: &mut Chance, plan: &Plan) -> Self {
        let mut world = World::of(chance);
        let count = 30 + chance.below(40);
        world.rows = rows_of(chance, count);
        let [fewest, most] = plan.hosts;
        let hosts = fewest + chance.below(most - fewest + 1);
        let is_one_machine = chance.one_in(4);
        let has_replica = plan.blows.contains(&Blow::Promote) && chance.one_in(3);
        let logs_in = chance.one_in(4);
        if logs_in {
            // The witness must see the tokens.
            world.server.retain(|option| option != "--packed");
            world.server.extend(["--token-life".to_owned(), format!("{}s", 2 + chance.below(6))]);
        }
        let rate = ["4/s", "8/s", "15/s"][usize::try_from(chance.below(3)).unwrap()];
        Self { world, hosts, blows: 1 + chance.below(3), is_one_machine, has_replica, logs_in, rate }
    }
}

impl std::fmt::Display for Setup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let World { rows, server, client, concurrency, .. } = &self.world;
        let machine = if self.is_one_machine { " of one machine" } else { "" };
        let (server, client) = (server.join(" "), client.join(" "));
        write!(f, "{} hosts{machine}, {} rows at {}, ", self.hosts, rows.len(), self.rate)?;
        write!(f, "{concurrency} in flight, {server}, {client}")?;
        f.write_str(if self.logs_in { ", logging in" } else { "" })?;
        f.write_str(if self.has_replica { ", with a replica" } else { "" })
    }
}

struct Trial<'a> {
    program: &'a Path,
    folder: tempfile::TempDir,
    _server: Server,
    witness: Witness,
    database: &'a Database,
    plan: &'a Plan,
    setup: Setup,
}

impl Trial<'_> {
    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// An import by this name, over a port that leads to the database.
    fn import(&self, name: &str, host: u64, port: u16) -> Command {
        let mut command = self.program_of(host);
        let millis = |time: Duration| format!("{}ms", time.as_millis());
        let ledger = self.database.url_at(port);
        command
            .args(["import", "in.csv", "--base-url", &self.witness.url, "--ledger", &ledger])
            .args(["--rate", self.setup.rate, "--max-attempts", "40", "--retry-rejected"])
            .args(["--settle", &millis(self.plan.settle), "--timeout", &millis(self.plan.settle * 4 / 5)])
            .args(["--connect-timeout", &millis(CONNECT_TIMEOUT), "--give-up-after", "60s"])
            .args(["--grace", &millis(self.plan.grace), "--lease", &millis(self.plan.lease)])
            .args(["--wait-for-lease", "120s", "--report", &format!("{name}.report.csv")])
            .args(["--concurrency", &self.setup.world.concurrency.to_string()])
            .args(&self.setup.world.client)
            .current_dir(self.folder.path())
            .env("CUSTOMER_IMPORT_HOLDER", name)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(self.path(&format!("{name}.txt"))).unwrap());
        if self.setup.logs_in {
            command.args(["--account-id", "campaign"]).env("CUSTOMER_IMPORT_APP_SECRET", name);
        } else {
            command.env("CUSTOMER_IMPORT_TOKEN", name);
        }
        // Where there is no folder for its lock, no other process can see that it is dead.
        let locks = if self.setup.is_one_machine { self.path("") } else { self.path("nowhere") };
        command.env("XDG_RUNTIME_DIR", locks);
        command
    }

    /// The program as a host of another boot would run it, if that can be had.
    fn program_of(&self, host: u64) -> Command {
        if self.setup.is_one_machine || !can_fake_boots() {
            return Command::new(self.program);
        }
        let boot = self.path(&format!("boot-{host}"));
        std::fs::write(&boot, format!("{host:08x}-0000-4000-8000-000000000000\n")).unwrap();
        let mut command = Command::new("unshare");
        command.args(["-m", "sh", "-c", FAKE_BOOT]).arg(boot).arg(self.program);
        command
    }

    fn words(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(&format!("{name}.txt"))).unwrap_or_default()
    }
}

/// Shows another number of the boot to the command that follows.
const FAKE_BOOT: &str = r#"mount --bind "$0" /proc/sys/kernel/random/boot_id && exec "$@""#;

fn can_fake_boots() -> bool {
    static CAN: OnceLock<bool> = OnceLock::new();
    *CAN.get_or_init(|| {
        let tried = Command::new("unshare")
            .args(["-m", "sh", "-c", FAKE_BOOT, "/proc/uptime", "true"])
            .stderr(Stdio::null())
            .status();
        tried.is_ok_and(|status| status.success())
    })
}

/// A process on a host.
struct Host {
    number: u64,
    /// The name of the process, which is also its token.
    name: String,
    processes: u32,
    child: Option<Child>,
    proxy: DatabaseProxy,
}

impl Host {
    fn signal(&self, signal: &str) {
        if let Some(child) = &self.child {
            // It may have ended meanwhile.
            drop(Command::new("kill").args(["-s", signal, &child.id().to_string()]).stderr(Stdio::null()).status());
        }
    }

    /// Returns the exit code of a process that has ended since this was last asked.
    fn ended(&mut self) -> Option<Option<i32>> {
        let status = self.child.as_mut()?.try_wait().unwrap()?;
        self.child = None;
        Some(status.code())
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            drop(child.kill());
            drop(child.wait());
        }
    }
}

/// A blow, and when it was.
struct Struck {
    blow: Blow,
    at: f64,
    epoch: i64,
}

/// The part of a trial in which blows fall.
struct Battle<'a> {
    trial: &'a Trial<'a>,
    cluster: &'static Cluster,
    replica: Option<&'a Cluster>,
    session: Session<'a>,
    hosts: Vec<Host>,
    begun: Instant,
    struck: Vec<Struck>,
    outcome: &'a mut Outcome,
}

impl Battle<'_> {
    fn tell(&mut self, what: impl std::fmt::Display) {
        self.outcome.story.push(format!("{:.1} s: {what}", self.begun.elapsed().as_secs_f32()));
    }

    fn start_hosts(&mut self, chance: &mut Chance) {
        for number in 1..=self.trial.setup.hosts {
            let proxy = DatabaseProxy::before(self.cluster.socket());
            self.hosts.push(Host { number, name: String::new(), processes: 0, child: None, proxy });
            self.start(self.hosts.len() - 1);
            std::thread::sleep(Duration::from_millis(chance.below(50)));
        }
    }

    fn start(&mut self, index: usize) {
        let host = &mut self.hosts[index];
        host.processes += 1;
        host.name = format!("h{}-{}", host.number, host.processes);
        host.child = Some(self.trial.import(&host.name, host.number, host.proxy.port).spawn().unwrap());
    }

    /// Notes how processes have ended, and starts those again that lost the ledger.
    fn attend(&mut self, starts_again: bool) {
        for index in 0..self.hosts.len() {
            let Some(code) = self.hosts[index].ended() else { continue };
            let name = self.hosts[index].name.clone();
            self.tell(format!("{name} ended with {code:?}"));
            self.note_end(&name, code);
            if starts_again && matches!(code, Some(5 | 74)) {
                self.start(index);
            }
        }
    }

    fn note_end(&mut self, name: &str, code: Option<i32>) {
        let words = self.trial.words(name);
        // In a moment without a database a run may end, as long as it says so.
        let was_away = code == Some(74) && self.struck.iter().any(|struck| struck.blow.takes_database_away());
        if !(was_away || matches!(code, Some(0 | 1 | 4 | 5))) || words.contains("panicked") {
            self.outcome.strange.push(format!("{name} ended with {code:?}: {words}"));
        }
        if code == Some(5) && self.trial.path(&format!("{name}.report.csv")).exists() {
            self.outcome.strange.push(format!("{name} lost the ledger and wrote a report"));
        }
    }

    /// Returns the place of the host that has the lease, and its epoch.
    fn holder(&mut self) -> Option<(usize, i64)> {
        let question = "SELECT epoch, holder->>'host' FROM customer_import.accounts WHERE term IS NOT NULL";
        let answer = self.session.ask(question)?;
        let (epoch, name) = answer.split_once('|')?;
        let index = self.hosts.iter().position(|host| host.name == name && host.child.is_some())?;
        Some((index, epoch.parse().ok()?))
    }

    /// Waits until a host has the lease and has sent something. `None` if all have ended.
    fn host_at_work(&mut self) -> Option<(usize, i64)> {
        let begun = Instant::now();
        while begun.elapsed() < TAKEOVER_PATIENCE {
            self.attend(true);
            if self.hosts.iter().all(|host| host.child.is_none()) {
                return None;
            }
            if let Some((index, epoch)) = self.holder()
                && self.trial.witness.sent_by(&self.hosts[index].name) > 0
            {
                return Some((index, epoch));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        None
    }

    /// Lets a blow fall on the host at work. Returns false if none is at work any more.
    fn strike(&mut self, chance: &mut Chance) -> bool {
        if self.host_at_work().is_none() {
            return false;
        }
        std::thread::sleep(Duration::from_millis(chance.below(1500)));
        self.attend(true);
        let Some((index, epoch)) = self.holder() else { return true };
        let blow = self.choose(chance);
        let name = self.hosts[index].name.clone();
        self.tell(format!("{} befalls {name} of epoch {epoch}", blow.name()));
        *self.outcome.blows.entry(blow).or_default() += 1;
        self.struck.push(Struck { blow, at: now(), epoch });
        match blow {
            Blow::Kill => self.kill(index, epoch, chance),
            Blow::Stop => self.stop(index, epoch, chance),
            Blow::Partition => self.partition(index, chance),
            Blow::Restart => self.cluster.crash(),
            Blow::Promote => self.promote(chance),
        }
        true
    }

    fn choose(&self, chance: &mut Chance) -> Blow {
        let is_possible = |blow: &Blow| match blow {
            Blow::Promote => self.replica.is_some() && self.session.is_at(self.cluster),
            // After a failover the first server is out of the game.
            Blow::Restart => self.session.is_at(self.cluster),
            _ => true,
        };
        let possible: Vec<_> = self.trial.plan.blows.iter().copied().filter(is_possible).collect();
        if possible.contains(&Blow::Promote) && chance.one_in(2) {
            return Blow::Promote;
        }
        let place = chance.below(possible.len().max(1) as u64);
        possible.get(usize::try_from(place).unwrap()).copied().unwrap_or(Blow::Kill)
    }

    fn kill(&mut self, index: usize, epoch: i64, chance: &mut Chance) {
        let mut child = self.hosts[index].child.take().unwrap();
        let death = now();
        drop(child.kill());
        drop(child.wait());
        // What the database got before the death it may still be doing.
        std::thread::sleep(Duration::from_millis(30 + chance.below(300)));
        let question = format!("SELECT email_key FROM customer_import.intents WHERE epoch = {epoch}");
        if let Some(emails) = self.session.ask(&question) {
            let log = Log::read_until(&self.trial.path("server.log"), death);
            // Those that wait in doubt are not in flight.
            let waits = |email: &&str| log.is_doubtful(email) || log.was_left(email);
            self.outcome.unanswered.push(emails.lines().filter(|email| !waits(email)).count());
        }
        self.start(index);
    }

    fn stop(&mut self, index: usize, epoch: i64, chance: &mut Chance) {
        self.hosts[index].signal("STOP");
        if chance.one_in(4) {
            std::thread::sleep(Duration::from_millis(chance.below(5000)));
        } else {
            self.wait_for_epoch_after(epoch);
            // At any moment of what its successor does, and of what that waits for.
            let longest = self.trial.plan.settle + self.trial.plan.grace + Duration::from_secs(1);
            std::thread::sleep(Duration::from_millis(chance.below(u64::try_from(longest.as_millis()).unwrap())));
        }
        self.hosts[index].signal("CONT");
    }

    fn partition(&mut self, index: usize, chance: &mut Chance) {
        let time = Duration::from_millis(chance.below(10_000));
        let (proxy, is_cut) = (&self.hosts[index].proxy, chance.one_in(3));
        if is_cut {
            proxy.shut();
        } else {
            proxy.hold();
        }
        std::thread::sleep(time);
        proxy.open();
        proxy.release();
        let how = if is_cut { "cut" } else { "held" };
        self.tell(format!("its way to the database was {how} for {time:?}"));
    }

    fn promote(&mut self, chance: &mut Chance) {
        let Some(replica) = self.replica else { return };
        let lags = chance.one_in(2);
        if lags {
            replica.stop_following();
            std::thread::sleep(Duration::from_millis(chance.below(600)));
        } else {
            // What was acknowledged is there, as with a synchronous standby.
            self.hosts.iter().for_each(|host| host.proxy.shut());
            self.trial.database.wait_for_replica(replica);
        }
        replica.promote();
        for host in &self.hosts {
            host.proxy.lead_to(replica.socket());
            host.proxy.open();
        }
        self.session.lead_to(replica);
        self.tell(if lags { "the replica lacked the last commits" } else { "the replica had everything" });
        // A database that forgets commits together with their holder is not promised anything.
        let healed = "SELECT count(*) FROM customer_import.accounts WHERE place LIKE '%/00000002'";
        let begun = Instant::now();
        while self.session.ask(healed).as_deref() != Some("1") && begun.elapsed() < TAKEOVER_PATIENCE {
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn wait_for_epoch_after(&mut self, epoch: i64) {
        let begun = Instant::now();
        let question = format!("SELECT epoch > {epoch} FROM customer_import.accounts");
        while self.session.ask(&question).as_deref() != Some("t") && begun.elapsed() < TAKEOVER_PATIENCE {
            self.attend(true);
            if self.hosts.iter().filter(|host| host.child.is_some()).count() < 2 {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn let_all_end(&mut self) {
        let begun = Instant::now();
        while self.hosts.iter().any(|host| host.child.is_some()) {
            self.attend(false);
            if begun.elapsed() > 2 * PATIENCE {
                let stuck: Vec<_> = self.hosts.iter().filter(|host| host.child.is_some()).collect();
                let words = stuck.iter().map(|host| format!("{} hangs: {}", host.name, self.trial.words(&host.name)));
                self.outcome.strange.extend(words);
                self.hosts.iter_mut().for_each(|host| {
                    if let Some(mut child) = host.child.take() {
                        drop(child.kill());
                        drop(child.wait());
                    }
                });
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Without further blows a few runs must do: a record that failed is taken up by the next one.
    fn finish(&mut self) {
        let is_blind = self.trial.setup.world.is_blind;
        for _ in 0..5 {
            self.start(0);
            let name = self.hosts[0].name.clone();
            let mut child = self.hosts[0].child.take().unwrap();
            let code = crate::crash::ended(&mut child);
            self.note_end(&name, code);
            self.outcome.last = format!("{name} ended with {code:?}: {}", self.trial.words(&name));
            let may_end_in_doubt = is_blind && code == Some(4);
            let ends = read_ends(&self.report());
            self.outcome.completed = (may_end_in_doubt || code.is_some_and(|code| code <= 1))
                && !ends.is_empty()
                && ends.iter().all(|(email, status)| is_end(email, status, is_blind));
            if self.outcome.completed {
                break;
            }
        }
    }

    /// The report of the last run.
    fn report(&self) -> PathBuf {
        self.trial.path(&format!("{}.report.csv", self.hosts[0].name))
    }

    fn judge(&mut self) {
        let Trial { plan, setup, witness, .. } = self.trial;
        let mut ask = |question| self.session.ask(question).unwrap_or_default();
        let memory = MEMORY_QUESTIONS.map(&mut ask);
        let takeovers = takeovers::parse(&ask(takeovers::QUESTION));
        let memory = Memory::of_answers([&memory[0], &memory[1]]);
        let mut log = self.whole_log();
        for takeover in &takeovers {
            log.forget_answers(takeover.at, &takeover.open.iter().map(|open| open.email.clone()).collect());
        }
        let rules = Rules { settle: plan.settle, is_blind: setup.world.is_blind };
        let input = Input::read(&self.trial.path("planned.csv"));
        let mut verdict = check_end(&input, &log, &memory, &self.report(), rules);
        for name in self.reporters() {
            // A later run may have taken up what failed in this one.
            let report = self.trial.path(&format!("{name}.report.csv"));
            let written = report.metadata().unwrap().modified().unwrap();
            let written = written.duration_since(UNIX_EPOCH).unwrap().as_secs_f64() * 1000.0;
            let log = Log::read_until(&self.trial.path("server.log"), written);
            let lines = check_lines(&log, &report, rules);
            verdict.untrue.extend(lines.into_iter().map(|line| format!("by {name}: {line}")));
        }
        // A database that failed over may have forgotten who held the lease.
        if self.session.is_at(self.cluster) {
            let waits = Waits {
                settle: plan.settle,
                grace: plan.grace,
                connect: CONNECT_TIMEOUT,
                lateness: LATENESS,
                furthest_token_end: FURTHEST_TOKEN_END,
            };
            let found = takeovers::check(&takeovers, &witness.sent(), waits);
            verdict.outlived = found.outlived;
            verdict.too_soon.extend(found.too_soon);
        }
        self.outcome.takeovers = takeovers.iter().filter(|takeover| !takeover.was_free).count();
        self.outcome.waits = takeovers.iter().filter_map(|takeover| wait_before(takeover, &self.struck)).collect();
        self.outcome.verdict = verdict;
    }

    /// The names of all processes that wrote a report, but for the last one.
    fn reporters(&self) -> Vec<String> {
        let names = self.hosts.iter().flat_map(|host| (1..=host.processes).map(|n| format!("h{}-{n}", host.number)));
        let wrote = |name: &String| self.trial.path(&format!("{name}.report.csv")).exists();
        names.filter(|name| *name != self.hosts[0].name).filter(wrote).collect()
    }

    /// The server's log after all work is over.
    fn whole_log(&self) -> Log {
        let begun = Instant::now();
        loop {
            let log = Log::read(&self.trial.path("server.log"));
            if !log.is_at_work() || begun.elapsed() > PATIENCE {
                return log;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// Returns the last blow before a lease changed hands without being given back, and how long after
/// it that was.
fn wait_before(takeover: &Takeover, struck: &[Struck]) -> Option<(Blow, Duration)> {
    let is_before = |struck: &&Struck| struck.epoch + 1 == takeover.epoch && struck.at < takeover.at;
    let last = struck.iter().rfind(is_before).filter(|_| !takeover.was_free)?;
    Some((last.blow, Duration::from_secs_f64((takeover.at - last.at) / 1000.0)))
}
