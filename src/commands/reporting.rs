//! The passes over the input: it alone and counts out, or with the ledger and files out. `check` and the plan of `import` are passes before
//! anything is sent; `report` and the end of `import` are passes after it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Failure;
use super::input::Input;
use super::judge::{self, Judge, Prepared};
use crate::cli::InputArgs;
use crate::domain::{
    Duplicates, InputRecord, InputShape, Print, Printer, Prints, RawRecord, ReportLine, Status, Tally, Verdict,
};
use crate::exit::Exit;
use crate::intake::{Feed, InPiece, Mapping};
use crate::report::{ErrorGroups, Rejects, ReportFile};
use crate::settings::Outputs;

/// What a pass found.
#[derive(Debug)]
pub(super) struct Counted {
    pub mapping: Mapping,
    pub tally: Tally,
    pub errors: ErrorGroups,
}

impl Counted {
    fn of(feed: &Feed) -> Self {
        Self { mapping: feed.mapping().clone(), tally: Tally::default(), errors: ErrorGroups::default() }
    }

    fn add(&mut self, line: &ReportLine) {
        self.tally.add(line.status);
        if is_complaint(line.status) {
            self.errors.add(line);
        }
    }
}

/// A record that was read, and how it stands.
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

/// What the input alone tells.
#[derive(Debug)]
pub(super) struct Survey {
    /// Of valid records and duplicates and invalid ones only.
    pub counted: Counted,
    pub duplicates: Arc<Duplicates>,
}

/// A record as far as a survey needs it.
enum Surveyed {
    /// A valid one of which there is nothing to say.
    Plain(Print),
    Told(Box<(InputRecord<'static>, Option<Print>)>),
}

impl InPiece for Surveyed {
    fn after(&mut self, rows: u64) {
        if let Self::Told(told) = self {
            told.0.after(rows);
        }
    }
}

impl Surveyed {
    fn new(record: InputRecord<'_>, printer: &Printer) -> Self {
        match &record.verdict {
            Verdict::Valid { customer, warnings } => {
                let print = printer.print(customer);
                if warnings.is_empty() {
                    Self::Plain(print)
                } else {
                    Self::Told(Box::new((record.into_owned(), Some(print))))
                }
            }
            Verdict::Invalid { .. } => Self::Told(Box::new((record.into_owned(), None))),
        }
    }
}

/// Validates every record and finds the duplicates; `compared` are their data too. While records are shown to `observe` a duplicate is still
/// `valid`: who is one is known at the end.
pub(super) fn survey(
    input: &Input,
    args: &InputArgs,
    compared: bool,
    mut observe: impl FnMut(&Seen<'_>),
) -> Result<Survey, Failure> {
    let feed = input.feed(args, false)?;
    let (shape, mut counted, mut prints) = (feed.shape(), Counted::of(&feed), Prints::new(compared));
    let printer = prints.printer();
    let mut records = feed.in_parallel(move |record| Surveyed::new(record, &printer))?;
    for (row, surveyed) in (1..).zip(records.by_ref()) {
        let surveyed = surveyed?;
        let (print, seen) = match &surveyed {
            Surveyed::Plain(print) => {
                counted.tally.add(Status::Valid);
                let send_kyc_mail = Some(print.send_kyc_mail);
                (Some(*print), Seen { status: Status::Valid, send_kyc_mail, told: None })
            }
            Surveyed::Told(told) => {
                let (record, print) = &**told;
                let status = if print.is_some() { Status::Valid } else { Status::Invalid };
                match print {
                    Some(_) => counted.tally.add(status),
                    None => counted.add(&judge::invalid(record)),
                }
                let send_kyc_mail = record.verdict.send_kyc_mail();
                (*print, Seen { status, send_kyc_mail, told: Some(Told { shape: &shape, record }) })
            }
        };
        if let Some(print) = print {
            prints.add(print, row);
        }
        observe(&seen);
    }
    counted.tally.skipped(records.blank_rows());
    let duplicates = prints.compare();
    counted.tally.turn(duplicates.count(), Status::Valid, Status::Duplicate);
    Ok(Survey { counted, duplicates: Arc::new(duplicates) })
}

/// Judges every record, shows each to `observe`, and writes the files that were asked for. They appear only once all are whole.
pub(super) fn pass(
    input: &Input,
    args: &InputArgs,
    outputs: &Outputs,
    judge: &Judge,
    mut observe: impl FnMut(&Seen<'_>),
) -> Result<Counted, Failure> {
    let feed = input.feed(args, outputs.rejects.is_some())?;
    let (shape, mut counted) = (feed.shape(), Counted::of(&feed));
    let mut files = Files::create(outputs, &feed)?;
    let mut records = feed.in_parallel(Prepared::new)?;
    for prepared in records.by_ref() {
        let prepared = prepared?;
        let line = judge.line(&prepared)?;
        let record = &prepared.record;
        counted.add(&line);
        files.write(&line, record.raw.as_ref())?;
        let (status, send_kyc_mail) = (line.status, record.verdict.send_kyc_mail());
        observe(&Seen { status, send_kyc_mail, told: Some(Told { shape: &shape, record }) });
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
