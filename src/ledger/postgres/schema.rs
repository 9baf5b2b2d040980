//! The tables: making them, and bringing older ones up to date.
//!
//! All names are qualified, because a pooler does not keep a search path. No table refers to
//! another one by a foreign key: the checks would lock the row of the account, which is what each
//! transaction begins with.

use super::connect::{Connected, limited};
use super::sql;
use super::trouble::DatabaseTrouble;
use super::worker::{Resident, Worker};
use crate::ledger::error::DatabaseProblem;
use crate::ledger::location::DatabaseSettings;
use crate::ledger::{Creation, LedgerError, LedgerName};

/// Each step leads from one version to the next. Steps are never changed or reordered, only added.
const MIGRATIONS: &[&str] = &[
    "
    CREATE TABLE customer_import.ledger (
        one boolean PRIMARY KEY DEFAULT true CHECK (one),
        version bigint NOT NULL,
        -- A program that knows this version may use the ledger, even if the version is newer.
        oldest bigint NOT NULL,
        -- Makes idempotency keys unguessable.
        secret bytea NOT NULL CHECK (length(secret) = 32),
        made_at timestamptz NOT NULL DEFAULT clock_timestamp()
    );
    -- A target, and the lease on it: the right to write. Each transaction that writes updates this row first.
    CREATE TABLE customer_import.accounts (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        base_url text NOT NULL,
        name text NOT NULL,
        -- A hash of whom the first token of this target belonged to.
        owner bytea,
        -- How often the lease changed hands.
        epoch bigint NOT NULL DEFAULT 0,
        -- The random number of one taking of the lease. NULL: it was given back.
        term uuid,
        -- The process that took it: for people, and to see that it is dead.
        holder jsonb NOT NULL DEFAULT '{}',
        lease_until timestamptz NOT NULL DEFAULT 'epoch',
        -- How many transactions the term has committed.
        last_batch bigint NOT NULL DEFAULT 0,
        -- The server and the timeline on which the lease was taken.
        place text NOT NULL DEFAULT '',
        UNIQUE (base_url, name)
    ) WITH (fillfactor = 50);
    CREATE TABLE customer_import.runs (
        account bigint NOT NULL,
        number bigint NOT NULL,
        name text NOT NULL UNIQUE,
        epoch bigint NOT NULL,
        input text NOT NULL,
        options text,
        started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        ended_at timestamptz,
        exit_code bigint,
        stopped text,
        requests bigint NOT NULL DEFAULT 0,
        throttled bigint NOT NULL DEFAULT 0,
        retries bigint NOT NULL DEFAULT 0,
        recovered bigint NOT NULL DEFAULT 0,
        records_read bigint,
        known_bad bigint,
        completed boolean NOT NULL DEFAULT false,
        PRIMARY KEY (account, number)
    );
    CREATE INDEX runs_of_input ON customer_import.runs (account, input, number);
    -- A customer of an account. The claim says which run met it last, and on which row. The collation is C,
    -- because an update of the system's collations would reorder any other index, and a row that its index misses
    -- would be sent again.
    CREATE TABLE customer_import.records (
        account bigint NOT NULL,
        email_key text COLLATE \"C\" NOT NULL,
        generation bigint NOT NULL DEFAULT 0,
        claimed_run bigint NOT NULL,
        claimed_row bigint NOT NULL,
        PRIMARY KEY (account, email_key)
    ) WITH (fillfactor = 90);
    -- A request that may have reached the server and whose effect is unknown. One a record at most. Each moment
    -- stands here by the database's clock and, as bytes, by the clocks of the host that wrote it.
    CREATE TABLE customer_import.intents (
        account bigint NOT NULL,
        email_key text COLLATE \"C\" NOT NULL,
        run bigint NOT NULL,
        epoch bigint NOT NULL,
        input_row bigint NOT NULL,
        generation bigint NOT NULL,
        idempotency_key text NOT NULL,
        payload_hash bytea NOT NULL,
        body bytea NOT NULL,
        attempt bigint NOT NULL,
        key_since timestamptz NOT NULL,
        sent_by timestamptz NOT NULL,
        token_until timestamptz,
        own_key_since bytea NOT NULL,
        own_sent_by bytea NOT NULL,
        own_token_until bytea,
        -- The process that wrote it has surely ended.
        is_orphan boolean NOT NULL DEFAULT false,
        PRIMARY KEY (account, email_key)
    ) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
    -- How a record ended in a run. Only ever added to. The holder of an epoch counts them, so that a batch that is
    -- written twice adds nothing.
    CREATE TABLE customer_import.outcomes (
        account bigint NOT NULL,
        email_key text COLLATE \"C\" NOT NULL,
        epoch bigint NOT NULL,
        seq bigint NOT NULL,
        run bigint NOT NULL,
        status text NOT NULL,
        payload_hash bytea NOT NULL,
        settled_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        http_status bigint,
        attempts bigint NOT NULL,
        error_code text NOT NULL,
        error text NOT NULL,
        warning text NOT NULL,
        server_id text,
        customer_id text,
        kyc_link text,
        tos_link text,
        kyc_status text,
        tos_status text,
        created_at text,
        data text,
        -- A keyed hash of each field that was sent.
        field_hashes bytea,
        PRIMARY KEY (account, email_key, epoch, seq)
    );
    CREATE INDEX outcomes_of_run ON customer_import.outcomes (account, run);
    -- What a run did in a minute of the wall clock, as minutes since 1970.
    CREATE TABLE customer_import.minutes (
        account bigint NOT NULL,
        run bigint NOT NULL,
        minute bigint NOT NULL,
        counts bytea NOT NULL,
        latencies bytea NOT NULL,
        PRIMARY KEY (account, run, minute)
    );
    -- The records that the last completed run of each input reported as bad, as keyed hashes. The first half of a
    -- digest stands for the person.
    CREATE TABLE customer_import.bad_records (
        account bigint NOT NULL,
        digest bytea NOT NULL,
        run bigint NOT NULL,
        PRIMARY KEY (account, digest, run)
    );
    CREATE INDEX bad_records_of_run ON customer_import.bad_records (account, run);
    -- What the API said of a customer's checks when it was last asked.
    CREATE TABLE customer_import.checks (
        account bigint NOT NULL,
        email_key text COLLATE \"C\" NOT NULL,
        kyc_status text,
        tos_status text,
        checked_at timestamptz NOT NULL,
        PRIMARY KEY (account, email_key)
    );
",
    "
    -- The secret of the file that the account came from, if it came from one: its keys must stay the same.
    ALTER TABLE customer_import.accounts ADD COLUMN secret bytea CHECK (length(secret) = 32);
    -- The move that brought it.
    ALTER TABLE customer_import.accounts ADD COLUMN moved_by uuid;
    -- Nothing is sent to the account before this moment, whichever host would.
    ALTER TABLE customer_import.accounts ADD COLUMN next_at timestamptz NOT NULL DEFAULT 'epoch';
",
];

/// The oldest version that a program must know to use what [`MIGRATIONS`] makes. A program of
/// version 1 would take the secret of the ledger for that of every account.
const OLDEST: i32 = 2;

/// Keeps two programs from making the tables at once, for as long as the transaction lasts.
const ONE_AT_A_TIME: &str = "SELECT pg_advisory_xact_lock(7091348251)";

#[expect(clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "a list of a few entries")]
const fn newest() -> i32 {
    MIGRATIONS.len() as i32
}

/// What a database has of a ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FoundTables {
    /// Nothing, and whether the empty schema is there.
    Nothing {
        has_schema: bool,
    },
    Version(i32),
}

/// Fails if there is no ledger that this program can use. Makes one if there is none and that is
/// allowed.
pub(super) async fn open(connected: &Connected, creation: Creation) -> Result<(), DatabaseTrouble> {
    match find(connected).await? {
        FoundTables::Version(version) => check(version, connected).await,
        FoundTables::Nothing { .. } if creation == Creation::Refused => {
            Err(DatabaseTrouble::Fatal(DatabaseProblem::Missing))
        }
        FoundTables::Nothing { .. } => bring_up_to_date(connected).await.map(drop),
    }
}

/// Returns the secret of an account, or that of the ledger if there is no account yet. It makes
/// keys and hashes. A move changes it, so only the holder of the lease knows that it stays.
pub(super) async fn secret(connected: &Connected, account: Option<i64>) -> Result<Vec<u8>, DatabaseTrouble> {
    let rows = limited(connected.rows(&sql::SECRET, &[&account])).await?;
    let row = rows.first().ok_or_else(|| DatabaseTrouble::damaged("the table ledger is empty"))?;
    Ok(row.try_get(0)?)
}

async fn find(connected: &Connected) -> Result<FoundTables, DatabaseTrouble> {
    let rows = limited(connected.rows(&sql::FIND, &[])).await?;
    let row = rows.first().ok_or_else(|| DatabaseTrouble::damaged("a question had no answer"))?;
    let (has_schema, has_ledger, others): (bool, bool, i64) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
    match (has_ledger, others) {
        (true, _) => {
            let rows = limited(connected.rows(&sql::VERSION, &[])).await?;
            let row = rows.first().ok_or_else(|| DatabaseTrouble::damaged("the table ledger is empty"))?;
            let version: i64 = row.try_get(0)?;
            i32::try_from(version).map(FoundTables::Version).map_err(DatabaseTrouble::damaged)
        }
        (false, 0) => Ok(FoundTables::Nothing { has_schema }),
        (false, _) => {
            let words = "its schema customer_import holds other tables".to_owned();
            Err(DatabaseTrouble::Fatal(DatabaseProblem::Foreign(words)))
        }
    }
}

/// Fails if this program cannot use tables of this version.
async fn check(version: i32, connected: &Connected) -> Result<(), DatabaseTrouble> {
    let known = newest();
    if version < known {
        return Err(DatabaseTrouble::Fatal(DatabaseProblem::Older { found: version, needed: known }));
    }
    if version == known {
        return Ok(());
    }
    let rows = limited(connected.rows(&sql::VERSION, &[])).await?;
    let oldest: i64 = rows.first().ok_or_else(|| DatabaseTrouble::damaged("the table ledger is empty"))?.try_get(1)?;
    if oldest > known.into() {
        Err(DatabaseTrouble::Fatal(DatabaseProblem::Newer { found: version, known }))
    } else {
        Ok(())
    }
}

/// Makes what is missing, in one transaction. Returns the version that was there.
async fn bring_up_to_date(connected: &Connected) -> Result<i32, DatabaseTrouble> {
    connected.batch("BEGIN").await?;
    // Another program may have made it meanwhile.
    connected.batch(ONE_AT_A_TIME).await?;
    let found = find(connected).await?;
    let before = match found {
        FoundTables::Version(version) => version,
        FoundTables::Nothing { has_schema } => {
            if !has_schema {
                connected.batch("CREATE SCHEMA customer_import").await?;
            }
            0
        }
    };
    if before > newest() {
        check(before, connected).await?;
    }
    let done = usize::try_from(before).map_err(DatabaseTrouble::damaged)?;
    for step in MIGRATIONS.iter().skip(done) {
        connected.batch(step).await?;
    }
    if before == 0 {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret)
            .map_err(|error| DatabaseTrouble::Fatal(DatabaseProblem::Failed(error.to_string())))?;
        connected.run(&sql::MAKE, &[&i64::from(newest()), &i64::from(OLDEST), &secret.as_slice()]).await?;
    } else if before < newest() {
        connected.run(&sql::SET_VERSION, &[&i64::from(newest()), &i64::from(OLDEST)]).await?;
    }
    limited(connected.batch("COMMIT")).await?;
    Ok(before)
}

struct Visitor(Connected);

impl Resident for Visitor {}

/// Asks a database one thing over a connection of its own.
fn visit<T: Send + 'static>(
    settings: &DatabaseSettings,
    ask: impl AsyncFnOnce(&Connected) -> Result<T, DatabaseTrouble> + Send + 'static,
) -> Result<T, LedgerError> {
    let (name, settings) = (LedgerName::from(&settings.url), settings.clone());
    let connecting = name.clone();
    let worker = Worker::start(&name, async move || {
        Connected::open_patiently(&settings).await.map(Visitor).map_err(|trouble| trouble.into_error(&connecting))
    })?;
    let asking = name.clone();
    worker.ask(&name, async move |visitor: &mut Visitor| {
        ask(&visitor.0).await.map_err(|trouble| trouble.into_error(&asking))
    })
}

/// Returns whether the database has a ledger.
pub(in crate::ledger) fn exists(settings: &DatabaseSettings) -> Result<bool, LedgerError> {
    visit(settings, async |connected| Ok(matches!(find(connected).await?, FoundTables::Version(_))))
}

/// Makes the ledger, or brings it up to date. Returns the version before, 0 for none, and now.
pub(in crate::ledger) fn migrate(settings: &DatabaseSettings) -> Result<(i32, i32), LedgerError> {
    visit(settings, async |connected| {
        let before = bring_up_to_date(connected).await?;
        Ok((before, before.max(newest())))
    })
}
