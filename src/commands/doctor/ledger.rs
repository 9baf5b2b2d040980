//! Judges the ledger: its place, its owner, whether it is whole, and who holds it.

use super::finding::Finding;
use super::machine::size;
use crate::commands::resume;
use crate::domain::{Status, counted};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::ledger::{Creation, Ledger, LedgerError, LedgerLocation, Reader, Target};
use crate::settings::TargetSettings;

const LEDGER: &str = "ledger";
const LOCK: &str = "lock";

/// Returns the findings on the ledger and its lock. Creates nothing. Reads the whole ledger, so it
/// may take a while. `owner` is the account of the credentials, if they name one.
pub(super) fn judge(target: &TargetSettings, owner: Option<&str>) -> Vec<Finding> {
    let location = &target.ledger;
    match Ledger::check_place(location).and_then(|()| Reader::open(location, &target.target)) {
        Ok(reader) => match whole(&reader, target, owner) {
            Ok(finding) => vec![finding, lock(&reader)],
            Err(error) => vec![Finding::of_failure(LEDGER, &error.into()), lock(&reader)],
        },
        Err(error) if error.is_missing() && target.creation == Creation::Allowed => {
            vec![
                Finding::ok(LEDGER, format!("none yet; the first import creates {}", location.name())),
                Finding::not_tried(LOCK, "there is no ledger"),
            ]
        }
        Err(error) => vec![
            Finding::of_failure(LEDGER, &Failure::from(error)),
            Finding::not_tried(LOCK, "the ledger cannot be used"),
        ],
    }
}

fn whole(reader: &Reader, target: &TargetSettings, owner: Option<&str>) -> Result<Finding, LedgerError> {
    reader.check()?;
    if owner.map(|owner| reader.belongs_to_another(owner)).transpose()?.unwrap_or_default() {
        let Target { base_url, account } = target.target.clone();
        return Err(LedgerError::OtherAccount { base_url, account });
    }
    let (tally, runs) = (reader.tally()?, reader.runs()?);
    let value = format!(
        "{}, {}; whole; {} of {} in it",
        target.ledger.name(),
        kind(&target.ledger),
        counted(tally.total(), "record"),
        counted(runs, "run")
    );
    Ok(match tally.get(Status::InDoubt) {
        0 => Finding::ok(LEDGER, value),
        doubts => Finding::warn(
            LEDGER,
            format!("{value}, {} in doubt", counted(doubts, "record")),
            format!("import their file again, or: {}", resume::ledger(&["resolve"], target)),
        ),
    })
}

/// Returns the size of the file and who may do what with it.
fn kind(location: &LedgerLocation) -> String {
    let Some(path) = location.file() else { return "a database".to_owned() };
    let Ok(file) = std::fs::metadata(path) else { return "not readable".to_owned() };
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        format!("{}, of user {}, mode {:o}", size(file.len()), file.uid(), file.mode() & 0o777)
    }
    #[cfg(not(unix))]
    size(file.len())
}

fn lock(reader: &Reader) -> Finding {
    match reader.holder() {
        None => Finding::ok(LOCK, "free"),
        Some(occupied) => Finding::fail(LOCK, Exit::Locked, &occupied.to_string())
            .hint("wait until that run ends; `report` and `check` can be used meanwhile"),
    }
}
