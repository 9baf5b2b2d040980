-- The last run of each input of each account, and what the account has in doubt. One row an input, for a dashboard or
-- sql_exporter. It needs SELECT on customer_import.accounts, runs and intents.
SELECT a.base_url,
       a.name AS account,
       r.input,
       r.name AS run,
       extract(epoch FROM r.started_at)::float8 AS started_at,
       extract(epoch FROM r.ended_at)::float8 AS ended_at,
       -- NULL: it is under way, or was killed.
       r.exit_code,
       r.completed AS is_complete,
       r.records_read,
       r.known_bad,
       r.requests,
       r.throttled,
       r.retries,
       r.recovered,
       (SELECT count(*) FROM customer_import.intents i WHERE i.account = a.id) AS in_doubt,
       (SELECT extract(epoch FROM clock_timestamp() - min(i.sent_by))::float8
        FROM customer_import.intents i WHERE i.account = a.id) AS oldest_doubt_seconds,
       -- When a run of this input ended with 0 last. NULL: never.
       (SELECT extract(epoch FROM max(s.ended_at))::float8 FROM customer_import.runs s
        WHERE s.account = a.id AND s.input = r.input AND s.exit_code = 0) AS succeeded_at
FROM customer_import.accounts a
JOIN LATERAL (SELECT DISTINCT ON (input) * FROM customer_import.runs
              WHERE account = a.id ORDER BY input, number DESC) r ON true
ORDER BY a.base_url, a.name, r.input;
