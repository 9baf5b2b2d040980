//! The one thread that writes, and the handle by which the rest of the program talks to it.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OptionalExtension as _, params};
use tokio::sync::oneshot;

use super::claim::{Claim, ClaimPolicy, ClaimRequest, Decision, Ticket, decide};
use super::key::{self, KeyParts, PayloadHash};
use super::lock::{Lock, owner_only, real_file};
use super::standing::Standing;
use super::{LedgerError, query, schema};
use crate::domain::{BootTime, Complaint, ComplaintCode, EmailKey, Ending, Moment, Outcome, Position, Receipt};
use crate::limits;

/// How long an outcome may wait for company in its transaction. Mostly the next intent comes long before.
const COMPANY: Duration = Duration::from_millis(25);

/// Which account of which server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Normalised.
    pub base_url: String,
    pub account: String,
}

/// A run, by its place in the order of runs and by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunId {
    pub number: i64,
    pub name: String,
}

/// The input as the ledger remembers it: an absolute path, or the name of a spooled standard input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputName(pub String);

/// What a run counted beside its outcomes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RunCounters {
    pub requests: u64,
    pub throttled: u64,
    pub retries: u64,
    pub recovered: u64,
}

/// A request that may leave as soon as this is synced.
#[derive(Clone, PartialEq, Eq)]
pub struct Intent {
    pub generation: u32,
    pub key: String,
    pub payload: PayloadHash,
    pub body: Vec<u8>,
    /// Which attempt of the run it is, counted from 1.
    pub attempt: u32,
    /// When this key was first used.
    pub key_since: Moment,
    /// It left no later than this, if it left.
    pub sent_at: Moment,
}

/// The body is a person's data.
impl std::fmt::Debug for Intent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Intent").field("key", &self.key).field("attempt", &self.attempt).finish_non_exhaustive()
    }
}

/// Whether a ledger may be made where there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Creation {
    Allowed,
    Refused,
}

/// The ledger of this process: an exclusive lock and a thread that writes. Dropping it waits for the thread and frees the lock.
#[derive(Debug)]
pub struct Ledger {
    path: PathBuf,
    pub(super) target: Target,
    pub(super) target_id: i64,
    pub(super) secret: Vec<u8>,
    jobs: Option<Sender<Message>>,
    thread: Option<JoinHandle<()>>,
    failure: Arc<OnceLock<LedgerError>>,
    lost: Arc<OnceLock<LedgerError>>,
    /// Freed after the thread closed the database.
    lock: Arc<Lock>,
}

impl Ledger {
    pub fn open(path: &Path, target: Target, creation: Creation) -> Result<Self, LedgerError> {
        let path = real_file(path, creation)?;
        let lock = Arc::new(Lock::acquire(&path)?);
        let connection = schema::open_for_writing(&path, creation)?;
        // SQLite opened whatever the name led to.
        lock.check()?;
        let failed = |error: rusqlite::Error| LedgerError::sqlite(&path, &error);
        let secret = secret_of(&connection, &path)?;
        let target_id = register(&connection, &target).map_err(failed)?;

        let (failure, lost) = (Arc::new(OnceLock::new()), Arc::new(OnceLock::new()));
        let (jobs, queue) = channel();
        let writer = Writer {
            connection,
            lock: Arc::clone(&lock),
            path: path.clone(),
            failure: Arc::clone(&failure),
            lost: Arc::clone(&lost),
            last_commit: Duration::ZERO,
            pending: None,
        };
        let thread = std::thread::Builder::new()
            .name("ledger".to_owned())
            .spawn(move || writer.work(&queue))
            .map_err(|error| LedgerError::Limit { path: path.clone(), why: limits::no_thread(&error) })?;
        Ok(Self { path, target, target_id, secret, jobs: Some(jobs), thread: Some(thread), failure, lost, lock })
    }

    /// Writes a copy of the whole ledger to a file that does not exist yet. A run that lost the name of its ledger makes its report from one,
    /// because nothing else may open the file that it holds.
    pub async fn copy_to(&self, path: PathBuf) -> Result<(), LedgerError> {
        let (reply, answer) = oneshot::channel();
        let sent = self.jobs.as_ref().is_some_and(|jobs| jobs.send(Message::Copy { to: path, reply }).is_ok());
        let answer = if sent { received(answer).await } else { None };
        answer.ok_or_else(|| self.failure())?
    }

    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The idempotency key of a payload of this ticket's record.
    pub fn key(&self, ticket: &Ticket, payload: PayloadHash, generation: u32) -> Result<String, LedgerError> {
        let parts = KeyParts {
            base_url: &self.target.base_url,
            account: &self.target.account,
            email: &ticket.email,
            payload,
            generation,
        };
        key::derive(&self.secret, &parts).map_err(|error| LedgerError::io(&self.path, error))
    }

    pub async fn begin_run(&self, input: InputName) -> Result<RunId, LedgerError> {
        let (target, name) = (self.target_id, uuid::Uuid::now_v7().to_string());
        let run = self.write(Urgency::Now, move |connection| {
            connection.execute(
                "INSERT INTO runs (name, target, input, started_at) VALUES (?1, ?2, ?3, ?4)",
                params![name, target, input.0, Timestamp::now().as_millisecond()],
            )?;
            Ok(RunId { number: connection.last_insert_rowid(), name })
        });
        let run = run.await?;
        self.lock.note(Some(&run.name));
        Ok(run)
    }

    pub async fn end_run(
        &self,
        run: &RunId,
        counters: RunCounters,
        exit_code: u8,
        stopped: Option<String>,
    ) -> Result<(), LedgerError> {
        let number = run.number;
        self.write_anywhere(Urgency::Now, move |connection| {
            connection.execute(
                "UPDATE runs SET requests = ?2, throttled = ?3, retries = ?4, recovered = ?5,
                                 exit_code = ?6, stopped = ?7, ended_at = ?8 WHERE id = ?1",
                params![
                    number,
                    counters.requests,
                    counters.throttled,
                    counters.retries,
                    counters.recovered,
                    exit_code,
                    stopped,
                    Timestamp::now().as_millisecond()
                ],
            )?;
            Ok(())
        })
        .await
    }

    /// Whether any customer of this target was ever created, by any run.
    pub async fn has_created(&self) -> Result<bool, LedgerError> {
        let target = self.target_id;
        self.write(Urgency::Now, move |connection| {
            let sql = "SELECT EXISTS (SELECT 1 FROM outcomes o JOIN records r ON r.id = o.record
                                      WHERE r.target = ?1 AND o.status = 'created')";
            connection.query_row(sql, [target], |row| row.get(0))
        })
        .await
    }

    /// The e-mails of this target's requests whose effect is unknown and that left within `time` before `now`, and when they did.
    pub async fn sent_within(&self, time: Duration, now: Moment) -> Result<Vec<(EmailKey, Moment)>, LedgerError> {
        let target = self.target_id;
        self.write(Urgency::Now, move |connection| query::sent_within(connection, target, time, now)).await
    }

    /// Claims records in the order given; the answers come in the same order.
    pub async fn claim(
        &self,
        run: &RunId,
        requests: Vec<ClaimRequest>,
        policy: ClaimPolicy,
    ) -> Result<Vec<Claim>, LedgerError> {
        let (target, run) = (self.target_id, run.number);
        self.write(Urgency::Answered, move |connection| {
            requests.into_iter().map(|request| claim(connection, target, run, request, policy)).collect()
        })
        .await
    }

    /// Commits and syncs the intent. Only after this returned may the first byte be sent (I1).
    pub async fn intend(&self, run: &RunId, ticket: &Ticket, intent: Intent) -> Result<(), LedgerError> {
        let (run, record, row) = (run.number, ticket.record, ticket.position.row);
        self.write(Urgency::Now, move |connection| write_intent(connection, run, record, row, &intent)).await
    }

    /// Hands the outcome of a payload in; the future waits for its commit. Only after that may it be shown (I4). But as soon as this
    /// returned, no intent can become durable before the outcome does, so another request may take the place of this one (I7). Where doubt
    /// stays, the open request stays too.
    pub fn settle(
        &self,
        run: &RunId,
        ticket: &Ticket,
        payload: PayloadHash,
        outcome: Outcome,
    ) -> impl Future<Output = Result<(), LedgerError>> + use<'_> {
        let (run, record) = (run.number, ticket.record);
        self.write_anywhere(Urgency::Soon, move |connection| write_outcome(connection, run, record, payload, &outcome))
    }

    /// Forgets the open request: the server surely did nothing with it, and no outcome is due.
    pub async fn release(&self, ticket: &Ticket) -> Result<(), LedgerError> {
        let record = ticket.record;
        self.write_anywhere(Urgency::Soon, move |connection| erase_intent(connection, record)).await
    }

    /// Hands work in at once; the future waits until it is committed. What was handed in first is committed first, or together with what
    /// follows. Whoever hands in must wait or drop the future: the reply may have those of others with it. The work is refused if the
    /// ledger's names no longer lead to the files that this process holds.
    pub(super) fn write<T, W>(
        &self,
        urgency: Urgency,
        work: W,
    ) -> impl Future<Output = Result<T, LedgerError>> + use<'_, T, W>
    where
        T: Send + 'static,
        W: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        self.hand_in(Needs::Names, urgency, work)
    }

    /// The same for work that only completes what was permitted before, so it is written into the file that is held, whatever its name.
    fn write_anywhere<T, W>(
        &self,
        urgency: Urgency,
        work: W,
    ) -> impl Future<Output = Result<T, LedgerError>> + use<'_, T, W>
    where
        T: Send + 'static,
        W: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        self.hand_in(Needs::Nothing, urgency, work)
    }

    fn hand_in<T, W>(
        &self,
        needs: Needs,
        urgency: Urgency,
        work: W,
    ) -> impl Future<Output = Result<T, LedgerError>> + use<'_, T, W>
    where
        T: Send + 'static,
        W: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let (job, answer) = Job::new(needs, urgency, work);
        let sent = self.jobs.as_ref().is_some_and(|jobs| jobs.send(Message::Job(job)).is_ok());
        async move {
            let answer = if sent { received(answer).await } else { None };
            answer.map(|(value, _others)| value).ok_or_else(|| self.failure())
        }
    }

    /// Why the writer did not answer. It answers every job or leaves its reason behind.
    fn failure(&self) -> LedgerError {
        let reason = self.failure.get().or_else(|| self.lost.get());
        reason.cloned().unwrap_or_else(|| LedgerError::io(&self.path, "its writer is gone"))
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take() {
            // A panic there was reported by the thread itself, and every waiting job saw its reply dropped.
            drop(thread.join());
        }
    }
}

/// When a transaction must be committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Urgency {
    /// At once: a sender waits.
    Now,
    /// Within 25 ms.
    Soon,
    /// Within 25 ms, and the answer may leave before: it shows only what earlier transactions committed.
    Answered,
}

/// What must be true for a job to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Needs {
    /// The ledger's names lead to the files that are held.
    Names,
    Nothing,
}

type Reply = Box<dyn FnOnce(Others) + Send>;
/// Work that failed has a reply, too: as long as it is not dropped, the task that asked waits.
type Work = Box<dyn FnOnce(&Connection) -> (rusqlite::Result<()>, Reply) + Send>;

/// The replies of the same transaction to everybody else. To wake somebody on another thread takes a system call, on their own none: so
/// the writer wakes one, who passes the others' replies on. They go out when this is dropped, even where that one is gone already.
#[derive(Default)]
struct Others(Vec<Reply>);

impl Drop for Others {
    fn drop(&mut self) {
        self.0.drain(..).for_each(|reply| reply(Self::default()));
    }
}

/// Something to write. The queue of jobs is filled by the tasks of records and by the run; each of them waits for its reply before it
/// sends another job, so the queue is never longer than there are tasks. It is worked through in its order, and so are outcomes and
/// intents committed.
struct Job {
    needs: Needs,
    urgency: Urgency,
    work: Work,
}

impl Job {
    /// The job and what receives its value.
    fn new<T, W>(needs: Needs, urgency: Urgency, work: W) -> (Self, oneshot::Receiver<(T, Others)>)
    where
        T: Send + 'static,
        W: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let work: Work = Box::new(move |connection| match work(connection) {
            // The task that asked may be gone; what was written stays true.
            Ok(value) => (Ok(()), Box::new(move |others| drop(reply.send((value, others))))),
            Err(error) => (Err(error), Box::new(move |_| drop(reply))),
        });
        (Self { needs, urgency, work }, answer)
    }
}

enum Message {
    Job(Job),
    /// Asked for when nothing else is handed in; not within a transaction.
    Copy {
        to: PathBuf,
        reply: oneshot::Sender<Result<(), LedgerError>>,
    },
}

/// The reason is in [`Writer::failure`].
struct Failed;

struct Writer {
    /// Closed before the lock goes.
    connection: Connection,
    lock: Arc<Lock>,
    path: PathBuf,
    failure: Arc<OnceLock<LedgerError>>,
    /// A name was lost. It stays so, even if the name comes back.
    lost: Arc<OnceLock<LedgerError>>,
    /// How long the last transaction took to be committed, its sync above all.
    last_commit: Duration,
    /// Came while a transaction was open, and waits for its end.
    pending: Option<Message>,
}

impl Writer {
    /// Writes until nobody can ask any more, or until the first error: what the file system did to a failed sync is anybody's guess, so
    /// nothing is written after it. Jobs that wait then see their reply dropped.
    fn work(mut self, queue: &Receiver<Message>) {
        while let Some(message) = self.pending.take().or_else(|| queue.recv().ok()) {
            let done = match message {
                Message::Job(first) => self.transaction(first, queue),
                Message::Copy { to, reply } => {
                    drop(reply.send(self.copy(&to)));
                    Ok(())
                }
            };
            if done.is_err() {
                break;
            }
        }
        self.close();
    }

    /// An error is written down before the replies of its jobs are dropped, because each task that sees its reply dropped asks for it.
    fn transaction(&mut self, first: Job, queue: &Receiver<Message>) -> Result<(), Failed> {
        let (mut batch, mut first) = (Batch::new(self.last_commit), Some(first));
        match self.commit(&mut batch, &mut first, queue) {
            Ok(()) => batch.answer(),
            Err(error) => {
                drop(self.failure.set(LedgerError::sqlite(&self.path, &error)));
                return Err(Failed);
            }
        }
        Ok(())
    }

    fn commit(
        &mut self,
        batch: &mut Batch,
        first: &mut Option<Job>,
        queue: &Receiver<Message>,
    ) -> rusqlite::Result<()> {
        let transaction = self.connection.transaction()?;
        let mut names = Names { lock: &self.lock, lost: &self.lost, checked: false };
        if let Some(first) = first.take() {
            batch.take(first, &transaction, &mut names)?;
        }
        while let Some(message) = batch.next(queue) {
            match message {
                Message::Job(job) => batch.take(job, &transaction, &mut names)?,
                Message::Copy { .. } => {
                    self.pending = Some(message);
                    break;
                }
            }
        }
        let begun = Instant::now();
        transaction.commit()?;
        self.last_commit = begun.elapsed();
        Ok(())
    }

    fn copy(&self, to: &Path) -> Result<(), LedgerError> {
        // SQLite would make it readable for others; an empty file is as good as none for it.
        owner_only().write(true).open(to).map_err(|error| LedgerError::file(to, &error))?;
        let copied = self.connection.execute("VACUUM INTO ?1", [to.to_string_lossy()]);
        copied.map(drop).map_err(|error| LedgerError::sqlite(to, &error))
    }

    /// The last connection that SQLite closes moves the log into the file and removes the log *by its name*, which may be another ledger's by
    /// now. So a file without its name is closed without that. Its log is moved into it first, by what is open: whoever gives the file a name
    /// again would not think of the log.
    fn close(self) {
        if self.lock.has_ledger() {
            return;
        }
        let moved = self.connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
        let closing = self.connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
        if let (Err(error), _) | (_, Err(error)) = (moved, closing.map(drop)) {
            tracing::warn!("the ledger without its name was not closed well: {error}");
        }
    }
}

/// Whether the names of the ledger still lead to what is held: compared once in a transaction, when the first job of it needs them.
struct Names<'a> {
    lock: &'a Lock,
    lost: &'a OnceLock<LedgerError>,
    checked: bool,
}

impl Names<'_> {
    fn are_lost(&mut self) -> bool {
        if !std::mem::replace(&mut self.checked, true)
            && let Err(error) = self.lock.check()
        {
            drop(self.lost.set(error));
        }
        self.lost.get().is_some()
    }
}

/// The jobs of one transaction whose replies wait for the commit.
struct Batch {
    replies: Vec<Reply>,
    /// `None`: somebody waits, commit as soon as nothing more is in the queue.
    until: Option<Instant>,
    /// How long its jobs may still work.
    patience: Duration,
}

impl Batch {
    /// Under load the queue is never empty. Jobs are then taken for as long as the last commit took: so no sender waits for much more
    /// than for two commits, and no more than half of the time goes without one, be the disk fast or slow.
    fn new(patience: Duration) -> Self {
        Self { replies: Vec::new(), until: Some(Instant::now() + COMPANY), patience }
    }

    /// Does the job, or drops it with its reply if it needs names that are lost.
    fn take(&mut self, job: Job, connection: &Connection, names: &mut Names<'_>) -> rusqlite::Result<()> {
        if job.needs == Needs::Names && names.are_lost() {
            return Ok(());
        }
        let begun = Instant::now();
        let (done, reply) = (job.work)(connection);
        self.patience = self.patience.saturating_sub(begun.elapsed());
        match job.urgency {
            Urgency::Answered if done.is_ok() => reply(Others::default()),
            _ => self.replies.push(reply),
        }
        done?;
        if job.urgency == Urgency::Now {
            self.until = None;
        }
        Ok(())
    }

    /// The next job that may join the transaction.
    fn next(&self, queue: &Receiver<Message>) -> Option<Message> {
        if self.patience.is_zero() {
            return None;
        }
        match self.until {
            None => queue.try_recv().ok(),
            Some(until) => queue.recv_timeout(until.saturating_duration_since(Instant::now())).ok(),
        }
    }

    fn answer(self) {
        let mut replies = self.replies.into_iter();
        if let Some(first) = replies.next() {
            first(Others(replies.collect()));
        }
    }
}

#[cfg(not(test))]
async fn received<T: Send + 'static>(answer: oneshot::Receiver<T>) -> Option<T> {
    answer.await.ok()
}

/// A paused clock runs ahead while its runtime waits for another thread, unless that wait is a blocking task of its own.
#[cfg(test)]
async fn received<T: Send + 'static>(answer: oneshot::Receiver<T>) -> Option<T> {
    tokio::task::spawn_blocking(move || answer.blocking_recv().ok()).await.ok().flatten()
}

/// The secret that makes keys unguessable; made with the ledger.
fn secret_of(connection: &Connection, path: &Path) -> Result<Vec<u8>, LedgerError> {
    let failed = |error: rusqlite::Error| LedgerError::sqlite(path, &error);
    let known = connection.query_row("SELECT bytes FROM secret", [], |row| row.get(0)).optional().map_err(failed)?;
    if let Some(secret) = known {
        return Ok(secret);
    }
    let mut secret = vec![0; 32];
    getrandom::fill(&mut secret).map_err(|error| LedgerError::io(path, error))?;
    connection.execute("INSERT INTO secret (bytes) VALUES (?1)", [&secret]).map_err(failed)?;
    Ok(secret)
}

fn register(connection: &Connection, target: &Target) -> rusqlite::Result<i64> {
    if let Some(id) = query::find_target(connection, target)? {
        return Ok(id);
    }
    connection
        .execute("INSERT INTO targets (base_url, account) VALUES (?1, ?2)", params![target.base_url, target.account])?;
    Ok(connection.last_insert_rowid())
}

fn claim(
    connection: &Connection,
    target: i64,
    run: i64,
    request: ClaimRequest,
    policy: ClaimPolicy,
) -> rusqlite::Result<Claim> {
    let known = query::standing(connection, target, &request.email, run)?;
    let (generation, resumed) = match decide(known.as_ref(), &request, run, policy) {
        Decision::Duplicate { of_row } => return Ok(Claim::Duplicate { of_row }),
        Decision::Settled(status) => {
            mark_claimed(connection, target, run, &request, known.as_ref())?;
            return Ok(Claim::Settled(status));
        }
        Decision::Deliver { generation, resumed } => (generation, resumed),
    };
    let record = mark_claimed(connection, target, run, &request, known.as_ref())?;
    if let Some((sent_by, intent)) = known.as_ref().and_then(|known| known.untold_doubt(run)) {
        // From now on the request is this run's; a report of the other one must still know how it left the record.
        write_outcome(connection, sent_by, record, intent.payload, &unheard())?;
    }
    let ClaimRequest { email, position, .. } = request;
    Ok(Claim::Deliver(Ticket { record, email, position, generation, resumed }))
}

/// How a run that was killed left a request.
pub(super) fn unheard() -> Outcome {
    let message = "the run that sent it ended before an answer came".to_owned();
    let complaint = Complaint { code: ComplaintCode::NoAnswer, message };
    Outcome { ending: Ending::InDoubt(complaint), http_status: None, attempts: 1, warnings: Vec::new() }
}

fn mark_claimed(
    connection: &Connection,
    target: i64,
    run: i64,
    request: &ClaimRequest,
    known: Option<&Standing>,
) -> rusqlite::Result<i64> {
    let ClaimRequest { email, position: Position { row, .. }, .. } = request;
    if let Some(&Standing { record, .. }) = known {
        connection
            .prepare_cached("UPDATE records SET claimed_run = ?2, claimed_row = ?3 WHERE id = ?1")?
            .execute(params![record, run, row])?;
        return Ok(record);
    }
    connection
        .prepare_cached("INSERT INTO records (target, email_key, claimed_run, claimed_row) VALUES (?1, ?2, ?3, ?4)")?
        .insert(params![target, email.as_str(), run, row])
}

fn write_intent(connection: &Connection, run: i64, record: i64, row: u64, intent: &Intent) -> rusqlite::Result<()> {
    // Generations only grow, and a record begins with 0.
    if intent.generation > 0 {
        connection
            .prepare_cached("UPDATE records SET generation = ?2 WHERE id = ?1")?
            .execute(params![record, intent.generation])?;
    }
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO intents
             (record, run, row, generation, idempotency_key, payload_hash, body, attempt, key_since, sent_at,
              key_since_boot, key_since_uptime, sent_at_boot, sent_at_uptime)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
        )?
        .execute(params![
            record,
            run,
            row,
            intent.generation,
            intent.key,
            intent.payload.0,
            intent.body,
            intent.attempt,
            intent.key_since.wall.as_millisecond(),
            intent.sent_at.wall.as_millisecond(),
            boot(intent.key_since),
            uptime(intent.key_since),
            boot(intent.sent_at),
            uptime(intent.sent_at)
        ])?;
    Ok(())
}

fn boot(moment: Moment) -> Option<[u8; 16]> {
    moment.boot.map(|BootTime { boot, .. }| boot.to_be_bytes())
}

/// In milliseconds, as all times here.
fn uptime(moment: Moment) -> Option<i64> {
    moment.boot.and_then(|BootTime { uptime, .. }| i64::try_from(uptime.as_millis()).ok())
}

pub(super) fn write_outcome(
    connection: &Connection,
    run: i64,
    record: i64,
    payload: PayloadHash,
    outcome: &Outcome,
) -> rusqlite::Result<()> {
    let nothing = Receipt::default();
    let (receipt, complaint) = match &outcome.ending {
        Ending::Created(receipt) | Ending::Exists(receipt) => (receipt, None),
        Ending::Rejected(complaint)
        | Ending::Failed(complaint)
        | Ending::InDoubt(complaint)
        | Ending::NotAttempted(complaint) => (&nothing, Some(complaint)),
    };
    let (code, message) = complaint.map_or(("", ""), |Complaint { code, message }| (code.as_str(), message));
    let warning = outcome.warnings.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    connection
        .prepare_cached(
            "INSERT INTO outcomes
             (record, run, status, payload_hash, settled_at, http_status, attempts, error_code, error, warning,
              server_id, customer_id, kyc_link, tos_link, kyc_status, tos_status, created_at, data)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)",
        )?
        .execute(params![
            record,
            run,
            outcome.ending.status().as_str(),
            payload.0,
            Timestamp::now().as_millisecond(),
            outcome.http_status,
            outcome.attempts,
            code,
            message,
            warning,
            receipt.id,
            receipt.customer_id,
            receipt.kyc_link,
            receipt.tos_link,
            receipt.kyc_status,
            receipt.tos_status,
            receipt.created_at,
            receipt.data.text()
        ])?;
    if matches!(outcome.ending, Ending::InDoubt(_)) { Ok(()) } else { erase_intent(connection, record) }
}

pub(super) fn erase_intent(connection: &Connection, record: i64) -> rusqlite::Result<()> {
    connection.prepare_cached("DELETE FROM intents WHERE record = ?1")?.execute([record])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{EmailKey, Status};

    struct World {
        folder: tempfile::TempDir,
    }

    impl World {
        fn new() -> Self {
            Self { folder: tempfile::tempdir().unwrap() }
        }

        fn path(&self) -> PathBuf {
            self.folder.path().join("a.db")
        }

        fn target() -> Target {
            Target { base_url: "https://api.example.com/v1".to_owned(), account: "default".to_owned() }
        }

        fn open(&self) -> Ledger {
            Ledger::open(&self.path(), Self::target(), Creation::Allowed).unwrap()
        }

        fn reader(&self) -> query::Reader {
            query::Reader::open(&self.path(), &Self::target()).unwrap()
        }
    }

    fn request(email: &str, body: &[u8], row: u64) -> ClaimRequest {
        let position = Position { row, line: row + 1 };
        ClaimRequest { email: EmailKey::of(email), payload: PayloadHash::of(body), position }
    }

    async fn begin(ledger: &Ledger) -> RunId {
        ledger.begin_run(InputName("/customers.csv".to_owned())).await.unwrap()
    }

    async fn claim_one(ledger: &Ledger, run: &RunId, email: &str, body: &[u8], row: u64) -> Claim {
        let requests = vec![request(email, body, row)];
        ledger.claim(run, requests, ClaimPolicy::default()).await.unwrap().pop().unwrap()
    }

    async fn ticket(ledger: &Ledger, run: &RunId, email: &str, body: &[u8]) -> Ticket {
        match claim_one(ledger, run, email, body, 1).await {
            Claim::Deliver(ticket) => ticket,
            other => panic!("expected a ticket, got {other:?}"),
        }
    }

    fn intent(ledger: &Ledger, ticket: &Ticket, body: &[u8]) -> Intent {
        let boot = BootTime { boot: 7 << 100, uptime: Duration::from_millis(1234) };
        let now = Moment { wall: Timestamp::from_millisecond(1_700_000_000_000).unwrap(), boot: Some(boot) };
        let payload = PayloadHash::of(body);
        let key = ledger.key(ticket, payload, 0).unwrap();
        Intent {
            generation: 0,
            key,
            payload,
            body: body.to_vec(),
            attempt: 1,
            key_since: now,
            sent_at: Moment { boot: None, ..now },
        }
    }

    fn created(id: &str) -> Outcome {
        let receipt = Receipt { customer_id: Some(id.to_owned()), ..Receipt::default() };
        Outcome { ending: Ending::Created(receipt), http_status: Some(200), attempts: 1, warnings: Vec::new() }
    }

    #[tokio::test]
    async fn a_created_record_is_known_to_the_next_run_with_its_id() {
        let world = World::new();
        let ledger = world.open();
        let run = begin(&ledger).await;
        let ticket = ticket(&ledger, &run, "a@example.com", b"x").await;
        ledger.intend(&run, &ticket, intent(&ledger, &ticket, b"x")).await.unwrap();
        ledger.settle(&run, &ticket, PayloadHash::of(b"x"), created("c-1")).await.unwrap();
        drop(ledger);

        let ledger = world.open();
        let next = begin(&ledger).await;
        let claim = claim_one(&ledger, &next, "A@EXAMPLE.com", b"x", 1).await;
        assert!(matches!(claim, Claim::Settled(Status::AlreadyImported)));
        let (standing, told) = world.reader().told(&EmailKey::of("a@example.com"), None).unwrap().unwrap();
        assert_eq!(standing.status(run.number, PayloadHash::of(b"x")), Status::Created);
        assert_eq!(told.unwrap().receipt.customer_id.as_deref(), Some("c-1"));
    }

    #[tokio::test]
    async fn i5_the_same_attempt_has_the_same_key_and_bytes_after_a_crash() {
        let world = World::new();
        let ledger = world.open();
        let run = begin(&ledger).await;
        let before = ticket(&ledger, &run, "a@example.com", b"x").await;
        let sent = intent(&ledger, &before, b"x");
        ledger.intend(&run, &before, sent.clone()).await.unwrap();
        drop(ledger);

        let ledger = world.open();
        let run = begin(&ledger).await;
        let mut after = ticket(&ledger, &run, "a@example.com", b"edited").await;
        assert_eq!(after.take_resumed(), Some(sent.clone()));
        assert_eq!(ledger.key(&after, PayloadHash::of(b"x"), 0).unwrap(), sent.key);
    }

    #[tokio::test]
    async fn doubt_stays_open_until_an_outcome_ends_it_and_erases_the_body() {
        let world = World::new();
        let ledger = world.open();
        let run = begin(&ledger).await;
        let ticket = ticket(&ledger, &run, "a@example.com", b"x").await;
        ledger.intend(&run, &ticket, intent(&ledger, &ticket, b"x")).await.unwrap();
        let complaint = Complaint { code: ComplaintCode::NoAnswer, message: "timeout".to_owned() };
        let doubt = Outcome { ending: Ending::InDoubt(complaint), ..created("") };
        ledger.settle(&run, &ticket, PayloadHash::of(b"x"), doubt).await.unwrap();
        assert_eq!(world.reader().open_requests().unwrap().len(), 1);
        ledger.settle(&run, &ticket, PayloadHash::of(b"x"), created("c-1")).await.unwrap();
        assert_eq!(world.reader().open_requests().unwrap().len(), 0);
    }

    #[tokio::test]
    async fn an_outcome_is_in_the_queue_before_anybody_waits_for_it_and_written_before_what_is_handed_in_later() {
        let world = World::new();
        let ledger = world.open();
        let run = begin(&ledger).await;
        let ticket = ticket(&ledger, &run, "a@example.com", b"x").await;
        ledger.intend(&run, &ticket, intent(&ledger, &ticket, b"x")).await.unwrap();
        let committed = ledger.settle(&run, &ticket, PayloadHash::of(b"x"), created("c-1"));
        let open = ledger.write(Urgency::Now, |connection| {
            connection.query_row("SELECT count(*) FROM intents", [], |row| row.get::<_, u64>(0))
        });
        let (open, committed) = tokio::join!(open, committed);
        assert_eq!((open.unwrap(), committed.is_ok()), (0, true));
    }

    #[tokio::test]
    async fn a_reader_goes_on_seeing_what_was_there_when_it_came_and_hinders_no_writer() {
        let world = World::new();
        let ledger = world.open();
        let run = begin(&ledger).await;
        let (reader, email) = (world.reader(), EmailKey::of("a@example.com"));
        let ticket = ticket(&ledger, &run, "a@example.com", b"x").await;
        ledger.settle(&run, &ticket, PayloadHash::of(b"x"), created("c-1")).await.unwrap();
        assert!(reader.standing(&email, None).unwrap().is_none());
        assert!(world.reader().standing(&email, None).unwrap().unwrap().latest().is_some());
    }

    #[tokio::test]
    async fn a_report_as_of_a_run_tells_of_its_outcome_and_of_no_later_one() {
        let world = World::new();
        let ledger = world.open();
        let complaint = Complaint { code: ComplaintCode::GaveUp, message: "gave up".to_owned() };
        let failed = Outcome { ending: Ending::Failed(complaint), ..created("") };
        let mut runs = Vec::new();
        for outcome in [failed, created("c-1")] {
            let run = begin(&ledger).await;
            let ticket = ticket(&ledger, &run, "a@example.com", b"x").await;
            ledger.settle(&run, &ticket, PayloadHash::of(b"x"), outcome).await.unwrap();
            runs.push(run.number);
        }
        let (reader, email) = (world.reader(), EmailKey::of("a@example.com"));
        let told = |run| reader.told(&email, Some(run)).unwrap().unwrap();
        assert!(told(0).1.is_none(), "the record is known, and nothing of how it ended");
        assert_eq!(told(runs[0]).1.unwrap().error, "gave up");
        assert_eq!(told(runs[1]).1.unwrap().receipt.customer_id.as_deref(), Some("c-1"));
    }

    #[tokio::test]
    async fn the_second_row_of_an_email_is_a_duplicate_of_the_first() {
        let world = World::new();
        let ledger = world.open();
        let run = begin(&ledger).await;
        assert!(matches!(claim_one(&ledger, &run, "a@example.com", b"x", 4).await, Claim::Deliver(_)));
        assert!(matches!(claim_one(&ledger, &run, "a@example.com", b"y", 9).await, Claim::Duplicate { of_row: 4 }));
    }

    #[tokio::test]
    async fn i10_after_the_first_error_every_job_is_refused() {
        let world = World::new();
        let ledger = world.open();
        let run = begin(&ledger).await;
        let broken = ledger.write(Urgency::Now, |connection| connection.execute("INSERT INTO nowhere VALUES (1)", []));
        assert!(broken.await.is_err());
        let refused = ledger.claim(&run, vec![request("a@example.com", b"x", 1)], ClaimPolicy::default()).await;
        assert!(matches!(refused, Err(LedgerError::Io { .. })));
    }

    /// A sender that saw its reply dropped asks at once for the reason.
    #[test]
    fn the_reason_of_a_failed_transaction_is_there_before_a_reply_is_dropped() {
        let fails: fn(&Connection) -> rusqlite::Result<()> =
            |connection| connection.execute("INSERT INTO nowhere VALUES (1)", []).map(drop);
        let succeeds: fn(&Connection) -> rusqlite::Result<()> = |_| Ok(());
        for earlier in [fails, succeeds] {
            for _ in 0..20 {
                let world = World::new();
                let ledger = world.open();
                let jobs = ledger.jobs.as_ref().unwrap();
                // After a commit there is time for company.
                let (job, committed) = Job::new(Needs::Nothing, Urgency::Now, succeeds);
                jobs.send(Message::Job(job)).unwrap();
                committed.blocking_recv().unwrap();
                let (first, mut dropped) = Job::new(Needs::Nothing, Urgency::Soon, earlier);
                let (second, _) = Job::new(Needs::Nothing, Urgency::Now, fails);
                jobs.send(Message::Job(first)).unwrap();
                // The first may have ended the writer.
                drop(jobs.send(Message::Job(second)));
                while matches!(dropped.try_recv(), Err(oneshot::error::TryRecvError::Empty)) {
                    std::hint::spin_loop();
                }
                assert!(ledger.failure.get().is_some(), "its writer is gone, and nothing says why");
            }
        }
    }

    /// The ledger is renamed while a request is in flight.
    #[cfg(unix)]
    #[tokio::test]
    async fn a_ledger_without_its_name_permits_nothing_more_and_takes_what_is_in_flight() {
        let world = World::new();
        let ledger = world.open();
        let run = begin(&ledger).await;
        let first = ticket(&ledger, &run, "a@example.com", b"x").await;
        let second = ticket(&ledger, &run, "b@example.com", b"x").await;
        ledger.intend(&run, &first, intent(&ledger, &first, b"x")).await.unwrap();
        std::fs::rename(world.path(), world.folder.path().join("b.db")).unwrap();
        let refused = ledger.intend(&run, &second, intent(&ledger, &second, b"x")).await.unwrap_err();
        assert!(refused.is_without_name(), "{refused}");
        ledger.settle(&run, &first, PayloadHash::of(b"x"), created("c-1")).await.unwrap();
        std::fs::rename(world.folder.path().join("b.db"), world.path()).unwrap();
        let still = ledger.intend(&run, &second, intent(&ledger, &second, b"x")).await;
        assert!(still.is_err(), "a name that came back does not tell what happened meanwhile");
        ledger.end_run(&run, RunCounters::default(), 74, None).await.unwrap();

        let copy = world.folder.path().join("copy.db");
        ledger.copy_to(copy.clone()).await.unwrap();
        let reader = query::Reader::open(&copy, &World::target()).unwrap();
        let (_, told) = reader.told(&EmailKey::of("a@example.com"), None).unwrap().unwrap();
        assert_eq!(told.unwrap().receipt.customer_id.as_deref(), Some("c-1"));
    }

    /// Its log stays behind under the old name, so the file itself must have everything.
    #[cfg(unix)]
    #[tokio::test]
    async fn a_renamed_ledger_is_whole_without_its_log_and_another_files_log_is_left_alone() {
        let world = World::new();
        let ledger = world.open();
        let run = begin(&ledger).await;
        let ticket = ticket(&ledger, &run, "a@example.com", b"x").await;
        ledger.settle(&run, &ticket, PayloadHash::of(b"x"), created("c-1")).await.unwrap();
        let (log, renamed) = (world.folder.path().join("a.db-wal"), world.folder.path().join("b.db"));
        std::fs::rename(world.path(), &renamed).unwrap();
        std::fs::remove_file(&log).unwrap();
        std::fs::write(&log, "another ledger's").unwrap();
        drop(ledger);
        assert_eq!(std::fs::read_to_string(&log).unwrap(), "another ledger's");
        let reader = query::Reader::open(&renamed, &World::target()).unwrap();
        assert!(reader.told(&EmailKey::of("a@example.com"), None).unwrap().unwrap().1.is_some());
    }

    #[test]
    fn a_reply_brings_those_of_the_others_even_where_nobody_waits_for_it() {
        for is_awaited in [true, false] {
            let (told, heard) = channel();
            let note = |name: &'static str| -> Reply {
                let told = told.clone();
                Box::new(move |_| told.send(name).unwrap())
            };
            let (reply, answer) = oneshot::channel();
            let waiting = is_awaited.then_some(answer);
            let first: Reply = Box::new(move |others| drop(reply.send(others)));
            let batch = Batch { replies: vec![first, note("second"), note("third")], ..Batch::new(Duration::ZERO) };
            batch.answer();
            assert_eq!(heard.try_iter().count(), if is_awaited { 0 } else { 2 });
            drop(waiting.map(|answer| answer.blocking_recv().unwrap()));
            assert_eq!(heard.try_iter().count(), if is_awaited { 2 } else { 0 });
        }
    }

    #[test]
    fn a_transaction_takes_jobs_for_no_longer_than_the_last_commit_took() {
        let connection = Connection::open_in_memory().unwrap();
        let (jobs, queue) = channel();
        for _ in 0..100 {
            let work: Work = Box::new(|_| (Ok(()), Box::new(drop)));
            jobs.send(Message::Job(Job { needs: Needs::Nothing, urgency: Urgency::Now, work })).unwrap();
        }
        let world = World::new();
        let path = real_file(&world.path(), Creation::Allowed).unwrap();
        let (lock, lost) = (Lock::acquire(&path).unwrap(), OnceLock::new());
        let taken = |patience| {
            let (mut batch, mut names) = (Batch::new(patience), Names { lock: &lock, lost: &lost, checked: false });
            let mut first = Some(queue.recv().unwrap());
            while let Some(Message::Job(job)) = first.take().or_else(|| batch.next(&queue)) {
                batch.take(job, &connection, &mut names).unwrap();
            }
            batch.replies.len()
        };
        assert_eq!(taken(Duration::ZERO), 1);
        assert_eq!(taken(Duration::from_secs(3600)), 99);
    }

    #[test]
    fn two_runs_on_one_ledger_are_refused() {
        let world = World::new();
        let _held = world.open();
        let second = Ledger::open(&world.path(), World::target(), Creation::Allowed);
        assert!(matches!(second, Err(LedgerError::Locked(_))));
    }

    #[test]
    fn a_required_ledger_is_not_made() {
        let world = World::new();
        let opened = Ledger::open(&world.path(), World::target(), Creation::Refused);
        assert!(matches!(opened, Err(LedgerError::Missing(_))));
        assert!(!world.path().exists());
    }
}
