//! The passes over the input: it alone and counts out, or with the ledger and files out. `check` and the plan of `import` are passes before
//! anything is sent; `report` and the end of `import` are passes after it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Failure;
use super::input::Input;
use super::judge::{self, Judge, Noted, Prepared};
use super::lists::Lists;
use crate::cli::InputArgs;
use crate::domain::{
    Duplicates, InputRecord, InputShape, NewCustomer, Position, Print, Printer, Prints, RawRecord, ReportLine, Status,
    Tally, Verdict,
};
use crate::exit::Exit;
use crate::intake::{Feed, Gather, Mapping};
use crate::limits;
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

/// A record, and the form of the input that it stands in.
pub(super) struct Told<'a> {
    pub shape: &'a InputShape,
    pub record: &'a Noted,
}

/// What the input alone tells.
#[derive(Debug)]
pub(super) struct Survey {
    /// Of valid records and duplicates and invalid ones only.
    pub counted: Counted,
    /// How many of the valid records ask for an e-mail to the person.
    pub kyc_mails: u64,
    pub duplicates: Arc<Duplicates>,
}

/// The records of a piece as far as a survey needs them.
struct Surveyed {
    printer: Printer,
    /// In the order of the rows; none of an invalid one.
    prints: Vec<Option<Print>>,
    /// Those of which there is something to say.
    told: Lists<Noted>,
}

impl Gather for Surveyed {
    #[inline]
    fn add(&mut self, record: InputRecord<'_>) {
        self.prints.push(match &record.verdict {
            Verdict::Valid { customer, .. } => Some(self.printer.print(customer)),
            Verdict::Invalid { .. } => None,
        });
        if !record.verdict.violations().is_empty() {
            self.told.push(Noted::of(record));
        }
    }

    #[inline]
    fn add_plain(&mut self, _: Position, customer: NewCustomer<'_>) {
        self.prints.push(Some(self.printer.print(&customer)));
    }

    fn after(&mut self, rows: u64) {
        self.told.iter_mut().for_each(|record| record.position.row += rows);
    }
}

/// Validates every record and finds the duplicates; `compared` are their data too. Whoever has something to be said of it is shown to `tell`.
pub(super) fn survey(
    input: &Input,
    args: &InputArgs,
    compared: bool,
    mut tell: impl FnMut(&Told<'_>),
) -> Result<Survey, Failure> {
    let feed = input.feed(args, false)?;
    let (shape, mut counted, mut prints) = (feed.shape(), Counted::of(&feed), Prints::new(compared));
    let printer = prints.printer();
    let gather = move || Surveyed { printer: printer.clone(), prints: Vec::new(), told: Lists::default() };
    let mut pieces = feed.in_parallel(gather)?;
    let (mut row, mut kyc_mails) = (0, 0);
    for surveyed in pieces.by_ref() {
        let surveyed = surveyed?;
        for print in surveyed.prints {
            row += 1;
            if let Some(print) = print {
                counted.tally.add(Status::Valid);
                kyc_mails += u64::from(print.send_kyc_mail);
                prints.add(print, row);
            }
        }
        for record in surveyed.told {
            if record.is_invalid() {
                counted.add(&judge::invalid(&record));
            }
            tell(&Told { shape: &shape, record: &record });
        }
    }
    counted.tally.skipped(pieces.blank_rows());
    // Its buffers are free before there are tables to compare with.
    drop(pieces);
    let duplicates = prints.compare();
    counted.tally.turn(duplicates.count(), Status::Valid, Status::Duplicate);
    kyc_mails -= duplicates.kyc_mails();
    Ok(Survey { counted, kyc_mails, duplicates: Arc::new(duplicates) })
}

/// Judges every record, shows each and how it stands to `observe`, and writes the files that were asked for. They appear only once all are whole.
pub(super) fn pass(
    input: &Input,
    args: &InputArgs,
    outputs: &Outputs,
    judge: &Judge,
    mut observe: impl FnMut(Status, &Told<'_>),
) -> Result<Counted, Failure> {
    let feed = input.feed(args, outputs.rejects.is_some())?;
    let (shape, mut counted) = (feed.shape(), Counted::of(&feed));
    let mut files = Files::create(outputs, &feed)?;
    let mut pieces = feed.in_parallel(Lists::<Prepared>::default)?;
    for prepared in pieces.by_ref() {
        for prepared in prepared? {
            let line = judge.line(&prepared)?;
            let record = &prepared.noted;
            counted.add(&line);
            files.write(&line, record.raw.as_ref())?;
            observe(line.status, &Told { shape: &shape, record });
        }
    }
    counted.tally.skipped(pieces.blank_rows());
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

fn unwritable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(Exit::Io, limits::told(error))
        .context(format!("cannot write {}", path.display()))
        .hint("the ledger has everything: when the disk is well again, `customer-import report` makes the files")
}
