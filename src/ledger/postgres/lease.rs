//! The lease: the right to write for an account until an instant of the database's clock.

use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio_postgres::Row;
use uuid::Uuid;

use super::connect::{Connected, limited};
use super::presence::{self, Presence, Trace};
use super::rows::{number, read_one};
use super::sql;
use super::trouble::DatabaseTrouble;
use crate::ledger::Target;
use crate::ledger::error::Holder;
use crate::ledger::model::Stay;

/// One taking of the lease, by this process.
#[derive(Debug)]
pub(super) struct Term {
    pub id: Uuid,
    presence: Option<Presence>,
    /// What people and other processes read of the holder.
    holder: String,
}

impl Term {
    /// Returns a new term. `name` is what people call this process.
    pub(super) fn new(name: Option<&str>, stay: Stay) -> Self {
        let id = Uuid::new_v4();
        let presence = Presence::of(id);
        let holder = json!({
            "host": name.map(str::to_owned).or_else(host),
            "process": std::process::id(),
            "since": Timestamp::now().to_string(),
            "stays": stay == Stay::Run,
            "boot": presence::boot(),
            "lock": presence.as_ref().map(|presence| presence.path().to_string_lossy().into_owned()),
        });
        Self { id, presence, holder: holder.to_string() }
    }

    pub(super) fn holder(&self) -> &str {
        &self.holder
    }

    /// Ends the term after its lease was given back.
    pub(super) fn leave(&mut self) {
        drop(self.presence.take());
    }

    /// Ends the term of a lease that could not be given back. Its file stays, so that a process of
    /// this boot sees that this one sends nothing more.
    pub(super) fn leave_unsaid(&mut self) {
        if let Some(presence) = self.presence.take() {
            presence.unlock();
        }
    }
}

/// The name of this machine, if the system tells it.
fn host() -> Option<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    Some(name.trim().to_owned()).filter(|name| !name.is_empty())
}

/// What a row says of the process that holds the lease.
#[derive(Debug)]
pub(super) struct HolderRow {
    /// `None` if the lease was given back.
    pub term: Option<Uuid>,
    pub holder: Holder,
    pub trace: Option<Trace>,
    /// The lease is not too old.
    pub is_alive: bool,
    pub epoch: i64,
    /// The time of the database.
    pub now: Timestamp,
    pub last_batch: i64,
    /// For how long nothing may be sent.
    pub next_in: Duration,
}

impl HolderRow {
    /// Returns the process if it may still write.
    pub(super) fn alive(self) -> Option<Holder> {
        self.term?;
        let is_dead = self.trace.as_ref().is_some_and(Trace::is_dead);
        (self.is_alive && !is_dead).then_some(self.holder)
    }
}

/// Asks who holds the lease, now or as of when the transaction began.
pub(super) async fn holder(
    connected: &Connected,
    account: i64,
    question: &sql::Statement,
) -> Result<HolderRow, DatabaseTrouble> {
    let rows = limited(connected.rows(question, &[&account])).await?;
    let row = rows.first().ok_or_else(|| DatabaseTrouble::damaged("the row of the account is gone"))?;
    let text: &str = row.try_get(1)?;
    let told: Value = serde_json::from_str(text).map_err(DatabaseTrouble::damaged)?;
    let word = |name: &str| told[name].as_str().map(str::to_owned);
    let term: Option<Uuid> = row.try_get(0)?;
    let now: Timestamp = row.try_get(4)?;
    let process = told["process"].as_u64().and_then(|process| u32::try_from(process).ok()).unwrap_or_default();
    let since = word("since").and_then(|since| since.parse().ok()).unwrap_or(now);
    Ok(HolderRow {
        term,
        holder: Holder { process, host: word("host"), since, run: word("run"), stays: told["stays"] != false },
        trace: term.map(|term| Trace { term, boot: word("boot"), lock: word("lock").map(PathBuf::from) }),
        is_alive: row.try_get(2)?,
        epoch: row.try_get(3)?,
        now,
        last_batch: row.try_get(5)?,
        next_in: read_wait(row, 6)?,
    })
}

/// Returns the account of a target, and adds it if it is new.
pub(super) async fn account(connected: &Connected, target: &Target) -> Result<i64, DatabaseTrouble> {
    let Target { base_url, account } = target;
    if let Some(id) = find_account(connected, target).await? {
        return Ok(id);
    }
    limited(connected.run(&sql::ADD_ACCOUNT, &[base_url, account])).await?;
    find_account(connected, target)
        .await?
        .ok_or_else(|| DatabaseTrouble::damaged("an account that was added is not there"))
}

pub(super) async fn find_account(connected: &Connected, target: &Target) -> Result<Option<i64>, DatabaseTrouble> {
    let Target { base_url, account } = target;
    let rows = limited(connected.rows(&sql::FIND_ACCOUNT, &[base_url, account])).await?;
    Ok(rows.first().map(|row| row.try_get(0)).transpose()?)
}

/// The server and its timeline. Empty where that cannot be asked: such servers commit to a quorum,
/// and forget nothing when they fail over.
pub(super) async fn place(connected: &Connected) -> Result<String, DatabaseTrouble> {
    match limited(connected.rows(&sql::PLACE, &[])).await {
        Ok(rows) => read_one(&rows),
        Err(trouble @ DatabaseTrouble::Unknown(_)) => Err(trouble),
        Err(_) => Ok(String::new()),
    }
}

/// Returns whether a failover can forget the last commits. False where that cannot be asked.
pub(super) async fn may_forget(connected: &Connected) -> bool {
    let rows = limited(connected.rows(&sql::MAY_FORGET, &[])).await;
    rows.and_then(|rows| read_one(&rows)).unwrap_or_default()
}

/// How an attempt to take the lease ended.
#[derive(Debug)]
pub(super) enum Taking {
    Taken(Taken),
    Held(Box<HolderRow>),
}

/// The lease is this process's.
#[derive(Clone, Copy, Debug)]
pub(super) struct Taken {
    pub epoch: i64,
    /// The last holder was connected to another server, or this one has failed over since; or that
    /// is unknown.
    pub has_moved: bool,
    /// The last batch of the last holder, or `None` if it is unknown.
    pub batch_before: Option<i64>,
    /// For how long nothing may be sent.
    pub next_in: Duration,
}

/// The longest wait for what another host sent or was asked for. A longer one shows that the clock
/// of the database was set.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 3600);

fn read_wait(row: &Row, column: usize) -> Result<Duration, DatabaseTrouble> {
    Ok(Duration::from_millis(number(row, column)?).min(LONGEST_WAIT))
}

/// Takes the lease unless another process may have it.
pub(super) async fn take(
    connected: &Connected,
    account: i64,
    term: &Term,
    lease: Duration,
    place: &str,
) -> Result<Taking, DatabaseTrouble> {
    let current = holder(connected, account, &sql::HOLDER).await?;
    if current.term == Some(term.id) {
        // The acknowledgement of an earlier attempt was lost, and with it what that attempt found.
        let HolderRow { epoch, next_in, .. } = current;
        return Ok(Taking::Taken(Taken { epoch, has_moved: !place.is_empty(), batch_before: None, next_in }));
    }
    let dead = current.trace.clone().filter(Trace::is_dead);
    if current.term.is_some() && current.is_alive && dead.is_none() {
        return Ok(Taking::Held(Box::new(current)));
    }
    let taken = limited(take_free(connected, account, term, lease, place, dead.as_ref())).await;
    match taken {
        Ok(Some(taken)) => {
            dead.iter().for_each(Trace::sweep);
            Ok(Taking::Taken(taken))
        }
        Ok(None) => Ok(Taking::Held(Box::new(holder(connected, account, &sql::HOLDER).await?))),
        Err(trouble) => {
            drop(limited(connected.batch("ROLLBACK")).await);
            Err(trouble)
        }
    }
}

async fn take_free(
    connected: &Connected,
    account: i64,
    term: &Term,
    lease: Duration,
    place: &str,
    dead: Option<&Trace>,
) -> Result<Option<Taken>, DatabaseTrouble> {
    connected.batch(sql::BEGIN_TAKING).await?;
    let dead = dead.map(|dead| dead.term);
    let rows = connected.rows(&sql::TAKE, &[&account, &term.id, &term.holder, &millis(lease), &place, &dead]).await?;
    let Some(row) = rows.first() else {
        connected.batch("ROLLBACK").await?;
        return Ok(None);
    };
    let (epoch, last_epoch): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
    if dead.is_some() {
        connected.run(&sql::ORPHAN, &[&account, &last_epoch]).await?;
    }
    let (has_moved, batch_before, next_in) = (row.try_get(2)?, Some(row.try_get(3)?), read_wait(row, 4)?);
    let taken = Taken { epoch, has_moved, batch_before, next_in };
    commit(connected).await?;
    Ok(Some(taken))
}

/// Commits. A warning that comes with it means that a replica may not have it, so it proves
/// nothing.
pub(super) async fn commit(connected: &Connected) -> Result<(), DatabaseTrouble> {
    connected.take_warning();
    limited(connected.batch("COMMIT")).await?;
    if connected.take_warning() {
        return Err(DatabaseTrouble::Unknown("the database warned while it committed".to_owned()));
    }
    Ok(())
}

pub(super) fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}
