//! Finds the ids that a run got for more than one record.
//!
//! To group the ids of a million records would take seconds, and nearly never is one among them
//! twice. So short hashes of all are compared first, four bytes each, and the few ids with an equal
//! hash are then counted as they are.

use std::collections::BTreeSet;
use std::hash::BuildHasher;

use foldhash::quality::RandomState;
use foldhash::{HashMap, HashSet};
use rusqlite::Connection;

use crate::ledger::model::SharedId;

/// How many are returned at most.
const MOST: usize = 10;

/// Returns the ids, the most frequent first.
pub(super) fn shared_ids(connection: &Connection, run: i64) -> rusqlite::Result<Vec<SharedId>> {
    let state = RandomState::default();
    let suspects = repeated_hashes(connection, run, &state)?;
    if suspects.is_empty() {
        return Ok(Vec::new());
    }
    let mut shared: Vec<_> = records_of(connection, run, |id| suspects.contains(&short_hash(&state, id)))?
        .into_iter()
        .map(|(customer_id, records)| SharedId { customer_id, records: records.len() as u64 })
        .filter(|shared| shared.records > 1)
        .collect();
    shared.sort_unstable_by(|one, other| (other.records, &one.customer_id).cmp(&(one.records, &other.customer_id)));
    shared.truncate(MOST);
    Ok(shared)
}

/// Returns the hashes that more than one outcome has.
fn repeated_hashes(connection: &Connection, run: i64, state: &RandomState) -> rusqlite::Result<HashSet<u32>> {
    // Counted first, because a list that grows takes three times the memory for a moment.
    let outcomes: usize =
        connection.query_row("SELECT count(*) FROM outcomes WHERE run = ?1", [run], |row| row.get(0))?;
    let mut hashes = Vec::with_capacity(outcomes);
    each_id(connection, run, |id, _| hashes.push(short_hash(state, id)))?;
    hashes.sort_unstable();
    Ok(hashes.windows(2).filter_map(|pair| (pair[0] == pair[1]).then_some(pair[0])).collect())
}

/// Returns the records of the ids that are asked for.
fn records_of(
    connection: &Connection,
    run: i64,
    is_wanted: impl Fn(&str) -> bool,
) -> rusqlite::Result<HashMap<String, BTreeSet<i64>>> {
    let mut records = HashMap::<String, BTreeSet<i64>>::default();
    each_id(connection, run, |id, record| {
        if is_wanted(id) {
            records.entry(id.to_owned()).or_default().insert(record);
        }
    })?;
    Ok(records)
}

fn each_id(connection: &Connection, run: i64, mut show: impl FnMut(&str, i64)) -> rusqlite::Result<()> {
    let sql = "SELECT customer_id, record FROM outcomes
               WHERE run = ?1 AND status = 'created' AND customer_id IS NOT NULL";
    let mut asked = connection.prepare_cached(sql)?;
    let mut rows = asked.query([run])?;
    while let Some(row) = rows.next()? {
        show(row.get_ref(0)?.as_str()?, row.get(1)?);
    }
    Ok(())
}

#[expect(clippy::cast_possible_truncation, reason = "a short hash is meant")]
fn short_hash(state: &impl BuildHasher, id: &str) -> u32 {
    state.hash_one(id) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of so many ids some have an equal hash by chance.
    #[test]
    fn of_a_hundred_thousand_ids_only_those_are_found_that_several_records_have() {
        let connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch(
                "CREATE TABLE outcomes (run INTEGER, record INTEGER, status TEXT, customer_id TEXT);
                 WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 100000)
                 INSERT INTO outcomes SELECT 1, n, 'created', 'id-' || n FROM n;",
            )
            .unwrap();
        assert_eq!(shared_ids(&connection, 1).unwrap(), []);
        connection
            .execute_batch(
                "INSERT INTO outcomes VALUES (1, 7, 'created', 'id-7'), (1, 8, 'created', 'id-9'),
                                             (1, 100001, 'failed', 'id-1'), (2, 100002, 'created', 'id-2')",
            )
            .unwrap();
        let expected = SharedId { customer_id: "id-9".to_owned(), records: 2 };
        assert_eq!(shared_ids(&connection, 1).unwrap(), [expected], "a record counts once");
    }
}
