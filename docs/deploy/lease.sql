-- Who holds the lease of each account, and for how long it has been silent. One row an account, for a dashboard or
-- sql_exporter. It needs SELECT on customer_import.accounts alone.
SELECT base_url,
       name AS account,
       term IS NOT NULL AND lease_until >= clock_timestamp() AS is_held,
       holder ->> 'host' AS holder,
       (holder ->> 'process')::bigint AS process,
       holder ->> 'run' AS run,
       epoch AS takeovers,
       -- Below zero while the lease is alive. NULL: it was given back.
       CASE WHEN term IS NOT NULL THEN extract(epoch FROM clock_timestamp() - lease_until)::float8 END AS expired_seconds,
       -- For how long no host may send, because of a pause that the API asked for.
       greatest(extract(epoch FROM next_at - clock_timestamp()), 0)::float8 AS paused_seconds
FROM customer_import.accounts
ORDER BY base_url, name;
