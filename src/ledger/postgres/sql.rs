//! Every statement that is not part of a migration. `every_statement_prepares` shows each of them
//! to a server.
//!
//! Times are those of `clock_timestamp()` alone: `now()` would be when the transaction began. What
//! this program says of time is how many milliseconds a moment is ahead.

use tokio_postgres::types::Type;

/// A statement with the types of its values, so that it needs no preparation: a pooler may send the
/// next one over another connection.
#[derive(Debug)]
pub(super) struct Statement {
    pub text: &'static str,
    pub types: &'static [Type],
}

const BIG: Type = Type::INT8;
const BIGS: Type = Type::INT8_ARRAY;
const TEXT: Type = Type::TEXT;
const TEXTS: Type = Type::TEXT_ARRAY;
const BYTES: Type = Type::BYTEA;
const BYTE_LISTS: Type = Type::BYTEA_ARRAY;
const UUID: Type = Type::UUID;
const BOOL: Type = Type::BOOL;
const BOOLS: Type = Type::BOOL_ARRAY;
const TIMES: Type = Type::TIMESTAMPTZ_ARRAY;

/// What opens every transaction that writes. A host that stops in the middle of one must not hold
/// the account's row for ever.
pub(super) const BEGIN: &str =
    "BEGIN; SET LOCAL synchronous_commit = on; SET LOCAL idle_in_transaction_session_timeout = '5s'";
/// The same for taking a lease, which a transaction that hangs may hold.
pub(super) const BEGIN_TAKING: &str = "BEGIN; SET LOCAL synchronous_commit = on; SET LOCAL lock_timeout = '1s'; \
                                       SET LOCAL idle_in_transaction_session_timeout = '5s'";
/// What opens the transaction of a reader.
pub(super) const BEGIN_READING: &str =
    "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL idle_in_transaction_session_timeout = 0";

macro_rules! statements {
    ($( $(#[$doc:meta])* $name:ident ($($of:ident),*) $text:expr; )*) => {
        $( $(#[$doc])* pub(super) const $name: Statement = Statement { text: $text, types: &[$($of),*] }; )*
        #[cfg(test)]
        pub(super) const ALL: &[(&str, Statement)] = &[$((stringify!($name), $name)),*];
    };
}

/// The state of a record: its claim, its open request, and the last outcome as of a run. `u` has
/// the e-mails with their places. More columns and joins can be added.
macro_rules! states {
    ($more:literal, $joins:literal) => {
        concat!(
            "SELECT u.n, r.generation, r.claimed_run, r.claimed_row, o.run, o.status, o.payload_hash,
                    i.run, i.generation, i.idempotency_key, i.payload_hash, i.body, i.attempt, i.epoch,
                    i.is_orphan OR EXISTS (SELECT 1 FROM customer_import.runs s
                                           WHERE s.account = $1 AND s.number = i.run AND s.ended_at IS NOT NULL),
                    i.own_key_since, (extract(epoch FROM clock_timestamp() - i.key_since) * 1000)::bigint,
                    i.own_sent_by, (extract(epoch FROM clock_timestamp() - i.sent_by) * 1000)::bigint,
                    i.own_token_until, (extract(epoch FROM clock_timestamp() - i.token_until) * 1000)::bigint",
            $more,
            " FROM unnest($2) WITH ORDINALITY u(e, n)
              JOIN customer_import.records r ON r.account = $1 AND r.email_key = u.e
              LEFT JOIN customer_import.intents i ON i.account = $1 AND i.email_key = u.e
              LEFT JOIN LATERAL (SELECT * FROM customer_import.outcomes x
                                 WHERE x.account = $1 AND x.email_key = u.e AND x.run <= $3
                                 ORDER BY x.epoch DESC, x.seq DESC LIMIT 1) o ON true",
            $joins
        )
    };
}

/// A run, for [`read_run`](super::rows::read_run).
macro_rules! runs {
    ($condition:literal) => {
        concat!(
            "SELECT number, name, requests, throttled, retries, recovered, started_at, ended_at, exit_code, stopped,
                    input, options, records_read, known_bad, completed
             FROM customer_import.runs WHERE account = $1 AND ",
            $condition,
            " ORDER BY number DESC LIMIT $3"
        )
    };
}

statements! {
    // The ledger itself.

    /// Whether the schema is there, whether it is a ledger's, and how many tables it has.
    FIND () "SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = 'customer_import'),
                    to_regclass('customer_import.ledger') IS NOT NULL,
                    (SELECT count(*) FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
                     WHERE n.nspname = 'customer_import')";
    VERSION () "SELECT version, oldest FROM customer_import.ledger";
    /// The secret of an account: that of the file that it came from, or that of the ledger.
    SECRET (BIG) "SELECT coalesce((SELECT secret FROM customer_import.accounts WHERE id = $1), secret)
                  FROM customer_import.ledger";
    MAKE (BIG, BIG, BYTES) "INSERT INTO customer_import.ledger (version, oldest, secret) VALUES ($1, $2, $3)";
    SET_VERSION (BIG, BIG) "UPDATE customer_import.ledger SET version = $1, oldest = $2";
    /// Where it is: the server and its timeline. It fails where the functions are missing.
    PLACE () "SELECT system_identifier::text || '/' || left(pg_walfile_name(pg_current_wal_lsn()), 8)
              FROM pg_control_system()";
    /// Whether there are replicas and none that each commit waits for.
    MAY_FORGET () "SELECT current_setting('synchronous_standby_names') = ''
                          AND EXISTS (SELECT 1 FROM pg_stat_replication)";

    // The account and its lease.

    FIND_ACCOUNT (TEXT, TEXT) "SELECT id FROM customer_import.accounts WHERE base_url = $1 AND name = $2";
    ADD_ACCOUNT (TEXT, TEXT) "INSERT INTO customer_import.accounts (base_url, name) VALUES ($1, $2)
                              ON CONFLICT DO NOTHING";
    /// Takes the lease if it is free, too old, or that of a term whose holder is dead. Returns no
    /// row otherwise. Of two who come at once the second waits for the row and reads it again.
    TAKE (BIG, UUID, TEXT, BIG, TEXT, UUID)
        "WITH old AS (SELECT id, term, place, epoch, last_batch, next_at, lease_until < clock_timestamp() AS is_late
                      FROM customer_import.accounts WHERE id = $1 FOR UPDATE)
         UPDATE customer_import.accounts a
         SET epoch = a.epoch + 1, term = $2, holder = $3::jsonb, last_batch = 0, place = $5,
             lease_until = clock_timestamp() + $4 * interval '1 millisecond'
         FROM old WHERE a.id = old.id AND (old.term IS NULL OR old.is_late OR old.term = $6)
         RETURNING a.epoch, old.epoch, old.place <> '' AND old.place <> $5, old.last_batch,
                   greatest((extract(epoch FROM old.next_at - clock_timestamp()) * 1000)::bigint, 0)";
    /// Who holds the lease, whether it is alive, and what time it is there.
    HOLDER (BIG) "SELECT term, holder::text, lease_until >= clock_timestamp(), epoch, clock_timestamp(), last_batch,
                         greatest((extract(epoch FROM next_at - clock_timestamp()) * 1000)::bigint, 0)
                  FROM customer_import.accounts WHERE id = $1";
    /// The same as of when the transaction began.
    HOLDER_THEN (BIG) "SELECT term, holder::text, lease_until >= transaction_timestamp(), epoch,
                              transaction_timestamp(), last_batch, 0::bigint
                       FROM customer_import.accounts WHERE id = $1";
    /// The fence. It divides by zero if another term holds the lease, and renews the lease if not.
    FENCE (BIG, BIG, UUID, BIG, BIG)
        "WITH f AS (UPDATE customer_import.accounts
                    SET lease_until = clock_timestamp() + $4 * interval '1 millisecond', last_batch = $5
                    WHERE id = $1 AND epoch = $2 AND term = $3 RETURNING 1)
         SELECT 1 / (SELECT count(*) FROM f)";
    /// Takes the lease again with the same epoch and term, after the database has forgotten that,
    /// unless the holder before has written more than when the lease was taken from it.
    TAKE_AGAIN (BIG, BIG, UUID, TEXT, BIG, BIG)
        "UPDATE customer_import.accounts
         SET epoch = $2, term = $3, holder = $4::jsonb, last_batch = 0,
             lease_until = clock_timestamp() + $5 * interval '1 millisecond'
         WHERE id = $1 AND epoch = $2 - 1 AND last_batch <= $6 RETURNING epoch";
    SET_PLACE (BIG, TEXT) "UPDATE customer_import.accounts SET place = $2 WHERE id = $1";
    LET_GO (BIG, BIG) "UPDATE customer_import.accounts SET term = NULL, lease_until = 'epoch'
                       WHERE id = $1 AND epoch = $2";
    /// Notes that the process of this epoch has ended.
    ORPHAN (BIG, BIG) "UPDATE customer_import.intents SET is_orphan = true
                       WHERE account = $1 AND epoch = $2 AND NOT is_orphan";
    HOLD_BACK (BIG, BIG)
        "UPDATE customer_import.accounts
         SET next_at = greatest(next_at, clock_timestamp() + $2 * interval '1 millisecond') WHERE id = $1";
    OWNER (BIG) "SELECT owner FROM customer_import.accounts WHERE id = $1";
    SET_OWNER (BIG, BYTES) "UPDATE customer_import.accounts SET owner = $2 WHERE id = $1";

    // What a file brings.

    /// Whether this move brought the account, and whether the ledger knows anything of it.
    HAS_ARRIVED (BIG, UUID)
        "SELECT moved_by IS NOT DISTINCT FROM $2,
                EXISTS (SELECT 1 FROM customer_import.runs WHERE account = $1)
                OR EXISTS (SELECT 1 FROM customer_import.records WHERE account = $1)
         FROM customer_import.accounts WHERE id = $1";
    /// Returns a row if this move brought the account, after the end of whatever changes it.
    TOUCH_ARRIVED (BIG, UUID)
        "WITH row AS (SELECT id, moved_by FROM customer_import.accounts WHERE id = $1 FOR UPDATE)
         UPDATE customer_import.accounts a SET moved_by = $2 FROM row WHERE a.id = row.id AND row.moved_by = $2
         RETURNING a.id";
    ARRIVE (BIG, UUID, BYTES, BYTES)
        "UPDATE customer_import.accounts
         SET moved_by = $2, owner = $3, secret = nullif($4, (SELECT secret FROM customer_import.ledger))
         WHERE id = $1";
    ADD_RUNS (BIG, BIGS, TEXTS, TEXTS, TEXTS, TIMES, TIMES, BIGS, TEXTS, BIGS, BIGS, BIGS, BIGS, BIGS, BIGS, BOOLS)
        "INSERT INTO customer_import.runs
         (account, epoch, number, name, input, options, started_at, ended_at, exit_code, stopped, requests, throttled,
          retries, recovered, records_read, known_bad, completed)
         SELECT $1, 0, u.* FROM unnest($2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16) u";
    ADD_RECORDS (BIG, TEXTS, BIGS, BIGS, BIGS)
        "INSERT INTO customer_import.records (account, email_key, generation, claimed_run, claimed_row)
         SELECT $1, u.* FROM unnest($2, $3, $4, $5) u";
    ADD_MINUTES (BIG, BIGS, BIGS, BYTE_LISTS, BYTE_LISTS)
        "INSERT INTO customer_import.minutes (account, run, minute, counts, latencies)
         SELECT $1, u.* FROM unnest($2, $3, $4, $5) u";
    ADD_OLD_BAD_RECORDS (BIG, BYTE_LISTS, BIGS)
        "INSERT INTO customer_import.bad_records (account, digest, run) SELECT $1, u.* FROM unnest($2, $3) u";
    /// In the order of `TableCounts`.
    COUNT_ROWS (BIG)
        "SELECT (SELECT count(*) FROM customer_import.runs WHERE account = $1),
                (SELECT count(*) FROM customer_import.records WHERE account = $1),
                (SELECT count(*) FROM customer_import.intents WHERE account = $1),
                (SELECT count(*) FROM customer_import.outcomes WHERE account = $1),
                (SELECT count(*) FROM customer_import.minutes WHERE account = $1),
                (SELECT count(*) FROM customer_import.bad_records WHERE account = $1),
                (SELECT count(*) FROM customer_import.checks WHERE account = $1)";

    // Runs.

    NEWEST_RUN (BIG) "SELECT coalesce(max(number), 0) FROM customer_import.runs WHERE account = $1";
    BEGIN_RUN (BIG, BIG, TEXT, BIG, TEXT, TEXT)
        "INSERT INTO customer_import.runs (account, number, name, epoch, input, options)
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (name) DO NOTHING";
    NOTE_RUN (BIG, TEXT) "UPDATE customer_import.accounts SET holder = holder || jsonb_build_object('run', $2)
                          WHERE id = $1";
    END_RUN (BIG, BIG, BIG, BIG, BIG, BIG, BIG, TEXT, BIG, BIG, BOOL)
        "UPDATE customer_import.runs
         SET requests = $3, throttled = $4, retries = $5, recovered = $6, exit_code = $7, stopped = $8,
             records_read = $9, known_bad = $10, completed = $11, ended_at = coalesce(ended_at, clock_timestamp())
         WHERE account = $1 AND number = $2";
    /// Forgets the bad records of all runs over the same input.
    DROP_BAD_RECORDS (BIG, BIG)
        "DELETE FROM customer_import.bad_records b
         USING customer_import.runs old, customer_import.runs new
         WHERE new.account = $1 AND new.number = $2 AND old.account = $1 AND old.input = new.input
           AND b.account = $1 AND b.run = old.number";
    ADD_BAD_RECORDS (BIG, BIG, BYTE_LISTS)
        "INSERT INTO customer_import.bad_records (account, run, digest) SELECT $1, $2, d FROM unnest($3) u(d)
         ON CONFLICT DO NOTHING";
    MINUTE (BIG, BIG, BIG) "SELECT minute, counts, latencies FROM customer_import.minutes
                            WHERE account = $1 AND run = $2 AND minute = $3";
    SET_MINUTE (BIG, BIG, BIG, BYTES, BYTES)
        "INSERT INTO customer_import.minutes (account, run, minute, counts, latencies) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (account, run, minute) DO UPDATE SET counts = excluded.counts, latencies = excluded.latencies";

    // Records.

    STATES (BIG, TEXTS, BIG) states!("", "");
    OUTCOMES (BIG, TEXTS, BIG) states!(
        ", o.http_status, o.attempts, o.error_code, o.error, o.warning, o.server_id, o.customer_id, o.kyc_link,
           o.tos_link, o.kyc_status, o.tos_status, o.created_at, o.data, c.kyc_status, c.tos_status, c.checked_at",
        " LEFT JOIN customer_import.checks c ON c.account = $1 AND c.email_key = u.e"
    );
    SENT_FIELDS (BIG, TEXTS, BIG)
        "SELECT u.n, o.field_hashes FROM unnest($2) WITH ORDINALITY u(e, n)
         JOIN LATERAL (SELECT field_hashes FROM customer_import.outcomes x
                       WHERE x.account = $1 AND x.email_key = u.e AND x.run <= $3
                       ORDER BY x.epoch DESC, x.seq DESC LIMIT 1) o ON true";
    CLAIM (BIG, BIG, TEXTS, BIGS)
        "INSERT INTO customer_import.records (account, email_key, claimed_run, claimed_row)
         SELECT $1, e, $2, w FROM unnest($3, $4) u(e, w)
         ON CONFLICT (account, email_key)
         DO UPDATE SET claimed_run = excluded.claimed_run, claimed_row = excluded.claimed_row";
    ADD_OUTCOMES (BIG, BIG, TEXTS, BIGS, BIGS, TEXTS, BYTE_LISTS, BIGS, BIGS, TEXTS, TEXTS, TEXTS, TEXTS, TEXTS, TEXTS,
                  TEXTS, TEXTS, TEXTS, TEXTS, TEXTS, BYTE_LISTS, TIMES)
        "INSERT INTO customer_import.outcomes
         (account, epoch, settled_at, email_key, seq, run, status, payload_hash, http_status, attempts, error_code, error,
          warning, server_id, customer_id, kyc_link, tos_link, kyc_status, tos_status, created_at, data, field_hashes)
         SELECT $1, $2, coalesce(at, clock_timestamp()), e, s, r, st, p, h, n, ec, er, w, si, ci, kl, tl, ks, ts, ca, d, f
         FROM unnest($3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22)
              u(e, s, r, st, p, h, n, ec, er, w, si, ci, kl, tl, ks, ts, ca, d, f, at)
         ON CONFLICT DO NOTHING";
    ERASE (BIG, TEXTS) "DELETE FROM customer_import.intents WHERE account = $1 AND email_key = ANY($2)";
    INTEND (BIG, BIG, TEXTS, BIGS, BIGS, BIGS, TEXTS, BYTE_LISTS, BYTE_LISTS, BIGS, BIGS, BIGS, BIGS, BYTE_LISTS,
            BYTE_LISTS, BYTE_LISTS)
        "INSERT INTO customer_import.intents
         (account, epoch, email_key, run, input_row, generation, idempotency_key, payload_hash, body, attempt, key_since,
          sent_by, token_until, own_key_since, own_sent_by, own_token_until)
         SELECT $1, $2, e, r, w, g, k, p, b, a, clock_timestamp() + ks * interval '1 millisecond',
                clock_timestamp() + sb * interval '1 millisecond', clock_timestamp() + tu * interval '1 millisecond',
                old_ks, old_sb, old_tu
         FROM unnest($3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
              u(e, r, w, g, k, p, b, a, ks, sb, tu, old_ks, old_sb, old_tu)
         ON CONFLICT (account, email_key) DO UPDATE
         SET epoch = excluded.epoch, run = excluded.run, input_row = excluded.input_row, generation = excluded.generation,
             idempotency_key = excluded.idempotency_key, payload_hash = excluded.payload_hash, body = excluded.body,
             attempt = excluded.attempt, key_since = excluded.key_since, sent_by = excluded.sent_by,
             token_until = excluded.token_until, own_key_since = excluded.own_key_since,
             own_sent_by = excluded.own_sent_by, own_token_until = excluded.own_token_until, is_orphan = false";
    /// Generations only grow.
    GENERATIONS (BIG, TEXTS, BIGS)
        "UPDATE customer_import.records r SET generation = u.g FROM unnest($2, $3) u(e, g)
         WHERE r.account = $1 AND r.email_key = u.e AND r.generation < u.g";
    HAS_CREATED (BIG) "SELECT EXISTS (SELECT 1 FROM customer_import.outcomes WHERE account = $1 AND status = 'created')";
    /// The open requests as [`STATES`] shows them, with the e-mail in place of the claim.
    OPEN (BIG)
        "SELECT i.email_key, i.own_sent_by, (extract(epoch FROM clock_timestamp() - i.sent_by) * 1000)::bigint,
                i.own_token_until, (extract(epoch FROM clock_timestamp() - i.token_until) * 1000)::bigint, i.epoch,
                i.is_orphan OR EXISTS (SELECT 1 FROM customer_import.runs s
                                       WHERE s.account = $1 AND s.number = i.run AND s.ended_at IS NOT NULL)
         FROM customer_import.intents i WHERE i.account = $1";
    /// Learns records that no row of any input claimed: row 0.
    LEARN (BIG, BIG, TEXTS)
        "INSERT INTO customer_import.records (account, email_key, claimed_run, claimed_row)
         SELECT $1, e, $2, 0 FROM unnest($3) u(e) ON CONFLICT DO NOTHING";
    COUNT_KNOWN (BIG, TEXTS)
        "SELECT count(*) FROM unnest($2) u(e) JOIN customer_import.records r ON r.account = $1 AND r.email_key = u.e";
    SET_CHECKS (BIG, TEXTS, TEXTS, TEXTS, TIMES)
        "INSERT INTO customer_import.checks (account, email_key, kyc_status, tos_status, checked_at)
         SELECT $1, u.e, u.k, u.t, u.a FROM unnest($2, $3, $4, $5) u(e, k, t, a)
         JOIN customer_import.records r ON r.account = $1 AND r.email_key = u.e
         ON CONFLICT (account, email_key) DO UPDATE
         SET kyc_status = excluded.kyc_status, tos_status = excluded.tos_status, checked_at = excluded.checked_at";

    // Forgetting.

    FORGET_INTENTS (BIG, TEXT) "DELETE FROM customer_import.intents WHERE account = $1 AND email_key = $2";
    FORGET_OUTCOMES (BIG, TEXT) "DELETE FROM customer_import.outcomes WHERE account = $1 AND email_key = $2";
    FORGET_CHECKS (BIG, TEXT) "DELETE FROM customer_import.checks WHERE account = $1 AND email_key = $2";
    FORGET_RECORD (BIG, TEXT) "DELETE FROM customer_import.records WHERE account = $1 AND email_key = $2";
    FORGET_PERSON (BIG, BYTES) "DELETE FROM customer_import.bad_records
                                WHERE account = $1 AND substr(digest, 1, 8) = $2";
    FORGET_ALL_INTENTS (BIG) "DELETE FROM customer_import.intents WHERE account = $1";
    FORGET_ALL_OUTCOMES (BIG) "DELETE FROM customer_import.outcomes WHERE account = $1";
    FORGET_ALL_CHECKS (BIG) "DELETE FROM customer_import.checks WHERE account = $1";
    FORGET_ALL_RECORDS (BIG) "DELETE FROM customer_import.records WHERE account = $1";
    FORGET_ALL_MINUTES (BIG) "DELETE FROM customer_import.minutes WHERE account = $1";
    FORGET_ALL_BAD_RECORDS (BIG) "DELETE FROM customer_import.bad_records WHERE account = $1";
    FORGET_ALL_RUNS (BIG) "DELETE FROM customer_import.runs WHERE account = $1";
    FORGET_OWNER (BIG) "UPDATE customer_import.accounts SET owner = NULL WHERE id = $1";

    // Reports.

    KNOWS_ANY (BIG) "SELECT EXISTS (SELECT 1 FROM customer_import.records WHERE account = $1)";
    COUNT_RECORDS (BIG) "SELECT count(*) FROM customer_import.records WHERE account = $1";
    COUNT_RUNS (BIG) "SELECT count(*) FROM customer_import.runs WHERE account = $1";
    KNOWN_BAD (BIG, BYTE_LISTS)
        "SELECT u.n FROM unnest($2) WITH ORDINALITY u(d, n)
         WHERE EXISTS (SELECT 1 FROM customer_import.bad_records b WHERE b.account = $1 AND b.digest = u.d)";
    RUNS_OF_INPUT (BIG, TEXT, BIG) runs!("input = $2");
    COMPLETED_RUNS (BIG, TEXT, BIG) runs!("input = $2 AND completed");
    RUNS_NAMED (BIG, TEXT, BIG) runs!("name = $2");
    MINUTES (BIG, BIG) "SELECT minute, counts, latencies FROM customer_import.minutes
                        WHERE account = $1 AND run = $2 ORDER BY minute";
    OPEN_REQUESTS (BIG) "SELECT email_key, input_row, body, own_sent_by FROM customer_import.intents
                         WHERE account = $1 ORDER BY sent_by, email_key";
    TALLY_OF_RUN (BIG, BIG)
        "SELECT status, count(*) FROM (
             SELECT DISTINCT ON (email_key) status FROM customer_import.outcomes o
             WHERE account = $1 AND run = $2
               AND NOT EXISTS (SELECT 1 FROM customer_import.intents i
                               WHERE i.account = $1 AND i.email_key = o.email_key AND i.run = $2)
             ORDER BY email_key, epoch DESC, seq DESC
         ) ended GROUP BY status
         UNION ALL SELECT 'in_doubt', count(*) FROM customer_import.intents WHERE account = $1 AND run = $2";
    TALLY (BIG)
        "SELECT CASE WHEN i.email_key IS NOT NULL THEN 'in_doubt' ELSE coalesce(o.status, 'not_attempted') END, count(*)
         FROM customer_import.records r
         LEFT JOIN customer_import.intents i ON i.account = $1 AND i.email_key = r.email_key
         LEFT JOIN LATERAL (SELECT status FROM customer_import.outcomes x
                            WHERE x.account = $1 AND x.email_key = r.email_key
                            ORDER BY x.epoch DESC, x.seq DESC LIMIT 1) o ON true
         WHERE r.account = $1 GROUP BY 1";
    SHARED_IDS (BIG, BIG)
        "SELECT customer_id, count(DISTINCT email_key) FROM customer_import.outcomes
         WHERE account = $1 AND run = $2 AND status = 'created' AND customer_id IS NOT NULL
         GROUP BY customer_id HAVING count(DISTINCT email_key) > 1 ORDER BY 2 DESC LIMIT 10";
    /// Rows that refer to nothing: what a damaged index, or another program, would leave.
    STRAYS (BIG)
        "SELECT 'intents', count(*) FROM customer_import.intents i WHERE account = $1 AND NOT EXISTS
             (SELECT 1 FROM customer_import.records r WHERE r.account = $1 AND r.email_key = i.email_key)
         UNION ALL SELECT 'outcomes', count(*) FROM customer_import.outcomes o WHERE account = $1 AND NOT EXISTS
             (SELECT 1 FROM customer_import.records r WHERE r.account = $1 AND r.email_key = o.email_key)
         UNION ALL SELECT 'checks', count(*) FROM customer_import.checks c WHERE account = $1 AND NOT EXISTS
             (SELECT 1 FROM customer_import.records r WHERE r.account = $1 AND r.email_key = c.email_key)";
}
