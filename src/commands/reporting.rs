//! The pass over the input that counts, and makes reports where any are wanted: input and ledger in, files and counts out. `check` and the
//! plan of `import` are this pass before anything is sent; `report` and the end of `import` are this pass after it.

use std::path::{Path, PathBuf};

use super::Failure;
use super::input::Input;
use super::judge::{Judge, Prepared};
use crate::cli::InputArgs;
use crate::domain::{InputRecord, InputShape, RawRecord, ReportLine, Status, Tally};
use crate::exit::Exit;
use crate::intake::{Feed, Mapping};
use crate::report::{ErrorGroups, Rejects, ReportFile};
use crate::settings::Outputs;

/// What a pass found.
#[derive(Debug)]
pub(super) struct Counted {
    pub mapping: Mapping,
    pub tally: Tally,
    pub errors: ErrorGroups,
}

/// A record that was read, and what is said of it.
pub(super) struct Seen<'a> {
    pub status: Status,
    /// Of a valid one: whether it asks for an e-mail to the person.
    pub send_kyc_mail: Option<bool>,
    /// `None` where there is nothing to say of it.
    pub told: Option<Told<'a>>,
}

pub(super) struct Told<'a> {
    pub shape: &'a InputShape,
    pub record: &'a InputRecord<'static>,
}

/// Judges every record, shows each to `observe`, and writes the files that were asked for. They appear only once all are whole.
pub(super) fn pass(
    input: &Input,
    args: &InputArgs,
    outputs: &Outputs,
    mut judge: Judge,
    mut observe: impl FnMut(&Seen<'_>),
) -> Result<Counted, Failure> {
    let feed = input.feed(args, outputs.rejects.is_some())?;
    let shape = feed.shape();
    let mut files = Files::create(outputs, &feed)?;
    let mut counted =
        Counted { mapping: feed.mapping().clone(), tally: Tally::default(), errors: ErrorGroups::default() };
    let mut records = feed.in_parallel(judge.preparation(!outputs.reports.is_empty()))?;
    for prepared in records.by_ref() {
        match &prepared? {
            Prepared::Plain { print, send_kyc_mail } => {
                let status = judge.plain(*print, counted.tally.total() + 1);
                counted.tally.add(status);
                observe(&Seen { status, send_kyc_mail: Some(*send_kyc_mail), told: None });
            }
            Prepared::Whole(whole) => {
                let line = judge.line(whole)?;
                let record = &whole.record;
                counted.tally.add(line.status);
                if is_complaint(line.status) {
                    counted.errors.add(&line);
                }
                files.write(&line, record.raw.as_ref())?;
                let told = Some(Told { shape: &shape, record });
                observe(&Seen { status: line.status, send_kyc_mail: record.verdict.send_kyc_mail(), told });
            }
        }
    }
    counted.tally.skipped(records.blank_rows());
    files.commit()?;
    Ok(counted)
}

fn is_complaint(status: Status) -> bool {
    matches!(status, Status::Invalid | Status::Rejected | Status::Failed | Status::InDoubt)
}

/// The files of one pass.
struct Files {
    reports: Vec<(PathBuf, ReportFile)>,
    rejects: Option<(PathBuf, Rejects)>,
}

impl Files {
    fn create(outputs: &Outputs, feed: &Feed) -> Result<Self, Failure> {
        let create = |path: &PathBuf| match ReportFile::create(path, feed.kept_names()) {
            Ok(file) => Ok((path.clone(), file)),
            Err(error) => Err(unwritable(path, &error)),
        };
        let reports = outputs.reports.iter().map(create).collect::<Result<_, _>>()?;
        let rejects = outputs.rejects.as_ref().map(|path| match Rejects::create(path, &feed.shape()) {
            Ok(file) => Ok((path.clone(), file)),
            Err(error) => Err(unwritable(path, &error)),
        });
        Ok(Self { reports, rejects: rejects.transpose()? })
    }

    fn write(&mut self, line: &ReportLine, raw: Option<&RawRecord>) -> Result<(), Failure> {
        for (path, report) in &mut self.reports {
            report.write(line).map_err(|error| unwritable(path, &error))?;
        }
        let Some((path, rejects)) = &mut self.rejects else { return Ok(()) };
        match (line.status, raw) {
            (Status::Invalid | Status::Rejected, Some(raw)) => {
                rejects.write(raw, &line.error).map_err(|error| unwritable(path, &error))?;
            }
            (Status::Invalid | Status::Rejected, None) => {
                tracing::warn!(row = line.position.row, "this record is too large to be copied into the rejects");
            }
            _ => {}
        }
        Ok(())
    }

    fn commit(self) -> Result<(), Failure> {
        for (path, report) in self.reports {
            report.commit().map_err(|error| unwritable(&path, &error))?;
        }
        if let Some((path, rejects)) = self.rejects {
            rejects.commit().map_err(|error| unwritable(&path, &error))?;
        }
        Ok(())
    }
}

fn unwritable(path: &Path, error: &dyn std::fmt::Display) -> Failure {
    Failure::new(Exit::Io, error)
        .context(format!("cannot write {}", path.display()))
        .hint("the ledger has everything: when the disk is well again, `customer-import report` makes the files")
}
