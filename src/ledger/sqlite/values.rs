//! Reads single values of a row.

use std::time::Duration;

use jiff::Timestamp;
use rusqlite::Row;
use rusqlite::types::Type;

use crate::domain::{BootTime, Status};

pub(super) fn read_status(row: &Row<'_>, column: usize) -> rusqlite::Result<Status> {
    let text = row.get_ref(column)?.as_str()?;
    Status::IMPORT.into_iter().find(|status| status.as_str() == text).ok_or_else(|| {
        rusqlite::Error::FromSqlConversionFailure(column, Type::Text, format!("unknown status {text:?}").into())
    })
}

pub(super) fn read_time(row: &Row<'_>, column: usize) -> rusqlite::Result<Timestamp> {
    let millis = row.get(column)?;
    Timestamp::from_millisecond(millis)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(column, Type::Integer, error.into()))
}

/// The number of a boot, and in the next column its time.
pub(super) fn read_boot_time(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<BootTime>> {
    let (boot, uptime): (Option<[u8; 16]>, Option<u64>) = (row.get(column)?, row.get(column + 1)?);
    let told = boot.zip(uptime);
    Ok(told.map(|(boot, uptime)| BootTime { boot: u128::from_be_bytes(boot), uptime: Duration::from_millis(uptime) }))
}
