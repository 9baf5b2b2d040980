//! The reader: one transaction that sees the ledger as it was when it began.

use std::sync::Arc;
use std::time::Duration;

use super::batch::keys;
use super::connect::{ANSWER_TIME, Connected, LONG_ANSWER_TIME, limited, within};
use super::rows::{read_index, read_minute, read_one, read_outcome, read_run, read_state, read_tally};
use super::sql::Statement;
use super::trouble::DatabaseTrouble;
use super::worker::{Resident, Worker};
use super::{lease, schema, sql};
use crate::domain::{EmailKey, MinuteTraffic, Tally};
use crate::ledger::field_hashes::FieldHashes;
use crate::ledger::keyed_hasher::BadRecordDigest;
use crate::ledger::location::DatabaseSettings;
use crate::ledger::model::{OpenRequest, RunInfo, RunState, SharedId};
use crate::ledger::reader::PIECE;
use crate::ledger::record_state::{Claimed, KnownRecord, RecordState};
use crate::ledger::store::LedgerReader;
use crate::ledger::{Creation, LedgerError, LedgerName, Occupied, Target};

/// A connection that only reads.
#[derive(Debug)]
pub(in crate::ledger) struct PostgresReader {
    worker: Worker<Visit>,
    name: LedgerName,
    secret: Vec<u8>,
}

/// What lives in the thread of the connection.
#[derive(Debug)]
struct Visit {
    connected: Arc<Connected>,
    /// `None` if the ledger does not know the target.
    account: Option<i64>,
}

impl Resident for Visit {}

impl PostgresReader {
    pub(in crate::ledger) fn open(settings: &DatabaseSettings, target: &Target) -> Result<Self, LedgerError> {
        let name = LedgerName::from(&settings.url);
        let (settings, target, failing) = (settings.clone(), target.clone(), name.clone());
        let worker = Worker::start(&name, async move || {
            Visit::begin(&settings, &target).await.map_err(|trouble| trouble.into_error(&failing))
        })?;
        let failing = name.clone();
        let secret = worker.ask(&name, async move |visit: &mut Visit| {
            let secret = schema::secret(&visit.connected, visit.account).await;
            secret.map_err(|trouble| trouble.into_error(&failing))
        })?;
        Ok(Self { worker, name, secret })
    }

    /// Returns the secret that makes keys unguessable.
    pub(in crate::ledger) fn secret(&self) -> &[u8] {
        &self.secret
    }

    /// Asks about the account, or about some of its records. Returns the default if the ledger does
    /// not know the account.
    fn ask<T: Default + Send + 'static>(
        &self,
        question: impl AsyncFnOnce(&Connected, i64) -> Result<T, DatabaseTrouble> + Send + 'static,
    ) -> Result<T, LedgerError> {
        self.ask_within(ANSWER_TIME, question)
    }

    /// Asks about all records of the account, which takes as long as the account is large.
    fn ask_about_all<T: Default + Send + 'static>(
        &self,
        question: impl AsyncFnOnce(&Connected, i64) -> Result<T, DatabaseTrouble> + Send + 'static,
    ) -> Result<T, LedgerError> {
        self.ask_within(LONG_ANSWER_TIME, question)
    }

    fn ask_within<T: Default + Send + 'static>(
        &self,
        limit: Duration,
        question: impl AsyncFnOnce(&Connected, i64) -> Result<T, DatabaseTrouble> + Send + 'static,
    ) -> Result<T, LedgerError> {
        let name = self.name.clone();
        self.worker.ask(&self.name, async move |visit: &mut Visit| {
            let Some(account) = visit.account else { return Ok(T::default()) };
            let connected = Arc::clone(&visit.connected);
            within(limit, question(&connected, account)).await.map_err(|trouble| trouble.into_error(&name))
        })
    }

    fn one<T>(&self, question: &'static Statement) -> Result<T, LedgerError>
    where
        T: for<'a> tokio_postgres::types::FromSql<'a> + Default + Send + 'static,
    {
        self.ask(async move |connected, account| read_one(&connected.rows(question, &[&account]).await?))
    }

    /// Asks for runs, the newest first.
    fn find_runs(&self, question: &'static Statement, value: &str, most: u32) -> Result<Vec<RunInfo>, LedgerError> {
        let (value, most) = (super::batch::text(value), i64::from(most));
        self.ask(async move |connected, account| {
            connected.rows(question, &[&account, &value, &most]).await?.iter().map(read_run).collect()
        })
    }

    /// Asks about each record of a piece. Returns `None` for those without a row.
    fn about_each<T: Send + 'static>(
        &self,
        question: &'static Statement,
        emails: &[&EmailKey],
        as_of: i64,
        read: impl Fn(&tokio_postgres::Row) -> Result<(usize, T), DatabaseTrouble> + Send + 'static,
    ) -> Result<Vec<Option<T>>, LedgerError> {
        let keys = keys(emails.iter().copied());
        let mut found: Vec<Option<T>> = emails.iter().map(|_| None).collect();
        let rows = self.ask(async move |connected, account| {
            let rows = connected.rows(question, &[&account, &keys, &as_of]).await?;
            rows.iter().map(read).collect::<Result<Vec<_>, _>>()
        })?;
        for (index, value) in rows {
            let place = found.get_mut(index);
            *place.ok_or_else(|| DatabaseTrouble::damaged("a row without a question").into_error(&self.name))? =
                Some(value);
        }
        Ok(found)
    }
}

impl Visit {
    async fn begin(settings: &DatabaseSettings, target: &Target) -> Result<Self, DatabaseTrouble> {
        let connected = Connected::open_patiently(settings).await?;
        schema::open(&connected, Creation::Refused).await?;
        limited(connected.batch(sql::BEGIN_READING)).await?;
        // The first question fixes what the transaction sees.
        let account = lease::find_account(&connected, target).await?;
        Ok(Self { connected: Arc::new(connected), account })
    }
}

impl LedgerReader for PostgresReader {
    fn knows_any(&self) -> Result<bool, LedgerError> {
        self.one(&sql::KNOWS_ANY)
    }

    fn states(&self, emails: &[&EmailKey], as_of: i64) -> Result<Vec<Option<RecordState>>, LedgerError> {
        self.about_each(&sql::STATES, emails, as_of, |row| {
            let found = read_state(row)?;
            Ok((found.index, found.state))
        })
    }

    fn outcomes(&self, emails: &[&EmailKey], as_of: i64) -> Result<Vec<Option<KnownRecord>>, LedgerError> {
        self.about_each(&sql::OUTCOMES, emails, as_of, |row| {
            let found = read_state(row)?;
            let outcome = found.state.latest.map(|_| read_outcome(row)).transpose()?;
            Ok((found.index, (found.state, outcome)))
        })
    }

    fn sent_fields(&self, emails: &[&EmailKey], as_of: i64) -> Result<Vec<Option<FieldHashes>>, LedgerError> {
        let found = self.about_each(&sql::SENT_FIELDS, emails, as_of, |row| {
            let bytes: Option<Vec<u8>> = row.try_get(1)?;
            // What cannot be read is as good as unknown, because it only explains.
            Ok((read_index(row)?, bytes.and_then(|bytes| FieldHashes::from_bytes(&bytes))))
        })?;
        Ok(found.into_iter().map(Option::flatten).collect())
    }

    fn known_bad(&self, digests: &[BadRecordDigest]) -> Result<Vec<bool>, LedgerError> {
        let asked: Vec<_> = digests.iter().map(|digest| digest.0.to_vec()).collect();
        let places = self.ask(async move |connected, account| {
            let rows = connected.rows(&sql::KNOWN_BAD, &[&account, &asked]).await?;
            rows.iter().map(read_index).collect::<Result<std::collections::HashSet<_>, _>>()
        })?;
        Ok((0..digests.len()).map(|place| places.contains(&place)).collect())
    }

    fn each_claimed(&self, run: i64, show: &mut dyn FnMut(Claimed) -> bool) -> Result<(), LedgerError> {
        // A cursor, so that neither side holds all of them at once. It takes no values, and these
        // are numbers.
        self.ask(async move |connected, account| {
            let declared = format!(
                "DECLARE claimed NO SCROLL CURSOR FOR SELECT email_key, claimed_row FROM customer_import.records
                 WHERE account = {account} AND claimed_run = {run} AND claimed_row > 0 ORDER BY claimed_row"
            );
            connected.batch(&declared).await
        })?;
        let fetch = format!("FETCH FORWARD {PIECE} FROM claimed");
        let mut goes_on = true;
        while goes_on {
            let fetch = fetch.clone();
            let piece: Vec<(String, i64)> = self.ask_about_all(async move |connected, _| {
                let rows = connected.client.query_typed(&fetch, &[]).await?;
                rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect::<Result<_, DatabaseTrouble>>()
            })?;
            let emails: Vec<_> = piece.iter().map(|(email, _)| EmailKey::of(email)).collect();
            let known = self.outcomes(&emails.iter().collect::<Vec<_>>(), run)?;
            let is_last = piece.len() < PIECE;
            goes_on = piece.into_iter().zip(known).all(|((email, row), known)| {
                let Some((state, outcome)) = known else { return true };
                show(Claimed { row: row.unsigned_abs(), email, state, outcome })
            });
            goes_on &= !is_last;
        }
        self.ask(async |connected, _| connected.batch("CLOSE claimed").await)
    }

    fn last_run(&self, input: &str) -> Result<Option<RunInfo>, LedgerError> {
        Ok(self.find_runs(&sql::RUNS_OF_INPUT, input, 1)?.pop())
    }

    fn runs_of(&self, input: &str, most: u32) -> Result<Vec<RunInfo>, LedgerError> {
        self.find_runs(&sql::RUNS_OF_INPUT, input, most)
    }

    fn last_completed(&self, input: &str) -> Result<Option<RunInfo>, LedgerError> {
        Ok(self.find_runs(&sql::COMPLETED_RUNS, input, 1)?.pop())
    }

    fn tally_of(&self, run: i64) -> Result<Tally, LedgerError> {
        self.ask_about_all(async move |connected, account| {
            read_tally(&connected.rows(&sql::TALLY_OF_RUN, &[&account, &run]).await?)
        })
    }

    fn minutes(&self, run: i64) -> Result<Vec<MinuteTraffic>, LedgerError> {
        self.ask(async move |connected, account| {
            connected.rows(&sql::MINUTES, &[&account, &run]).await?.iter().map(read_minute).collect()
        })
    }

    fn run(&self, name: &str) -> Result<Option<RunInfo>, LedgerError> {
        Ok(self.find_runs(&sql::RUNS_NAMED, name, 1)?.pop())
    }

    fn open_requests(&self) -> Result<Vec<OpenRequest>, LedgerError> {
        self.ask(async |connected, account| {
            let rows = connected.rows(&sql::OPEN_REQUESTS, &[&account]).await?;
            let read = |row: &tokio_postgres::Row| {
                let email: String = row.try_get(0)?;
                let sent_by = super::clocks::decode(row.try_get(3)?);
                let sent_at = sent_by.ok_or_else(|| DatabaseTrouble::damaged("an unreadable moment"))?.wall;
                let row_number: i64 = row.try_get(1)?;
                let (email, body) = (EmailKey::of(&email), row.try_get(2)?);
                Ok(OpenRequest { email, row: row_number.unsigned_abs(), body, sent_at })
            };
            rows.iter().map(read).collect()
        })
    }

    fn state_of(&self, run: &RunInfo) -> Result<RunState, LedgerError> {
        if let Some(ended_at) = run.ended_at {
            return Ok(RunState::Ended(ended_at));
        }
        let newest: i64 = self.one(&sql::NEWEST_RUN)?;
        let is_alive = newest == run.id.number && self.holder().is_some();
        Ok(if is_alive { RunState::Running } else { RunState::CutOff })
    }

    fn tally(&self) -> Result<Tally, LedgerError> {
        self.ask_about_all(async |connected, account| read_tally(&connected.rows(&sql::TALLY, &[&account]).await?))
    }

    fn owner(&self) -> Result<Option<Vec<u8>>, LedgerError> {
        self.one(&sql::OWNER)
    }

    /// An index cannot be compared with its table without an extension that only a superuser
    /// installs. So this reads every row, and looks for those that refer to nothing.
    fn check(&self) -> Result<(), LedgerError> {
        self.ask_about_all(async |connected, account| {
            for row in connected.rows(&sql::STRAYS, &[&account]).await? {
                let (table, strays): (String, i64) = (row.try_get(0)?, row.try_get(1)?);
                if strays > 0 {
                    return Err(DatabaseTrouble::damaged(format!("{strays} rows of {table} belong to no record")));
                }
            }
            Ok(())
        })
    }

    fn holder(&self) -> Option<Occupied> {
        let name = self.name.clone();
        let found = self.ask(async move |connected, account| {
            let alive = lease::holder(connected, account, &sql::HOLDER_THEN).await?.alive();
            Ok(alive.map(|by| Occupied { ledger: name, by: Some(by) }))
        });
        found.inspect_err(|error| tracing::debug!("the holder of the ledger cannot be asked for: {error}")).ok()?
    }

    fn runs(&self) -> Result<u64, LedgerError> {
        self.one::<i64>(&sql::COUNT_RUNS).map(i64::unsigned_abs)
    }

    fn shared_ids(&self, run: i64) -> Result<Vec<SharedId>, LedgerError> {
        self.ask_about_all(async move |connected, account| {
            let rows = connected.rows(&sql::SHARED_IDS, &[&account, &run]).await?;
            let read = |row: &tokio_postgres::Row| {
                let records: i64 = row.try_get(1)?;
                Ok(SharedId { customer_id: row.try_get(0)?, records: records.unsigned_abs() })
            };
            rows.iter().map(read).collect()
        })
    }
}
