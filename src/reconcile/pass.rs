//! The passes over the input: it alone and counts out, or with the ledger and files out. `check` and the plan of `import` are passes before
//! anything is sent; `report` and the end of `import` are passes after it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::chunks::Lists;
use super::duplicates::{Duplicates, Print, Printer, Prints};
use super::input::Input;
use super::line::{self, Judge, Noted, Prepared};
use crate::cli::InputArgs;
use crate::domain::{
    InputRecord, InputShape, NewCustomer, Position, RawRecord, ReportLine, Status, Tally, Verdict, shown,
};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::intake::{Feed, Gather, Mapping};
use crate::limits;
use crate::report::{ErrorGroups, Rejects, ReportFile};
use crate::settings::Outputs;

/// What a pass counted.
#[derive(Debug, Default)]
pub(crate) struct Counted {
    pub tally: Tally,
    pub errors: ErrorGroups,
}

impl Counted {
    pub(crate) fn add(&mut self, line: &ReportLine) {
        self.tally.add(line.status);
        if is_complaint(line.status) {
            self.errors.add(line);
        }
    }
}

/// A record, and the form of the input that it stands in.
pub(crate) struct Told<'a> {
    pub shape: &'a InputShape,
    pub record: &'a Noted,
}

/// What the input alone tells.
#[derive(Debug)]
pub(crate) struct Survey {
    pub mapping: Mapping,
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
pub(crate) fn survey(
    input: &Input,
    args: &InputArgs,
    compared: bool,
    mut tell: impl FnMut(&Told<'_>),
) -> Result<Survey, Failure> {
    let feed = input.feed(args, false)?;
    let (shape, mapping) = (feed.shape(), feed.mapping().clone());
    let (mut counted, mut prints) = (Counted::default(), Prints::new(compared));
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
                counted.add(&line::invalid(&record));
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
    Ok(Survey { mapping, counted, kyc_mails, duplicates: Arc::new(duplicates) })
}

/// Judges every record, shows each and how it stands to `observe`, and writes the files that were asked for. They appear only once all are whole.
pub(crate) fn pass(
    input: &Input,
    args: &InputArgs,
    outputs: &Outputs,
    judge: &Judge,
    mut observe: impl FnMut(Status, &Told<'_>),
) -> Result<Counted, Failure> {
    let feed = input.feed(args, outputs.rejects.is_some())?;
    let (shape, mut counted) = (feed.shape(), Counted::default());
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
pub(crate) struct Files {
    reports: Vec<(PathBuf, ReportFile)>,
    rejects: Option<(PathBuf, Rejects)>,
}

impl Files {
    fn create(outputs: &Outputs, feed: &Feed) -> Result<Self, Failure> {
        let mut files = Self::of_reports(outputs, feed.kept_names())?;
        if let Some(path) = &outputs.rejects {
            let rejects = Rejects::create(path, &feed.shape()).map_err(|error| unwritable(path, &error))?;
            files.rejects = Some((path.clone(), rejects));
        }
        Ok(files)
    }

    /// The reports alone: rejects need the form of the input.
    pub(crate) fn of_reports(outputs: &Outputs, kept: &[String]) -> Result<Self, Failure> {
        let create = |path: &PathBuf| match ReportFile::create(path, kept) {
            Ok(file) => Ok((path.clone(), file)),
            Err(error) => Err(unwritable(path, &error)),
        };
        let reports = outputs.reports.iter().map(create).collect::<Result<_, _>>()?;
        Ok(Self { reports, rejects: None })
    }

    pub(crate) fn write(&mut self, line: &ReportLine, raw: Option<&RawRecord>) -> Result<(), Failure> {
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

    /// Puts the files in their places as soon as all of them are whole.
    pub(crate) fn commit(self) -> Result<(), Failure> {
        let mut whole = Vec::new();
        for (path, report) in self.reports {
            whole.push((report.finish().map_err(|error| unwritable(&path, &error))?, path));
        }
        if let Some((path, rejects)) = self.rejects {
            whole.push((rejects.finish().map_err(|error| unwritable(&path, &error))?, path));
        }
        let mut replaced = Vec::new();
        let mut waiting = whole.into_iter();
        for (file, path) in waiting.by_ref() {
            if let Err(error) = file.put_in_place() {
                let unchanged: Vec<_> = waiting.map(|(_, path)| path).collect();
                return Err(unwritable(&path, &torn(&error, &replaced, &unchanged)));
            }
            replaced.push(path);
        }
        Ok(())
    }
}

/// An error and what it means for the other files of the same run.
fn torn(error: &std::io::Error, replaced: &[PathBuf], unchanged: &[PathBuf]) -> String {
    let list = |paths: &[PathBuf]| paths.iter().map(|path| shown(path).to_string()).collect::<Vec<_>>().join(", ");
    let mut words = limits::told(error);
    if !replaced.is_empty() {
        words.push_str(&format!("; of this run already: {}", list(replaced)));
    }
    if !unchanged.is_empty() {
        words.push_str(&format!("; still as before: {}", list(unchanged)));
    }
    words
}

fn unwritable(path: &Path, error: &dyn std::fmt::Display) -> Failure {
    Failure::new(Exit::Io, error)
        .context(format!("cannot write {}", shown(path)))
        .hint("the ledger has everything: when the disk is well again, `customer-import report` makes the files")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(reports: &[PathBuf]) -> Files {
        Files::of_reports(&Outputs { reports: reports.to_vec(), rejects: None }, &[]).unwrap()
    }

    #[test]
    fn a_file_that_cannot_be_put_in_place_names_the_others_that_are_new_and_old() {
        let folder = tempfile::tempdir().unwrap();
        let paths = ["a.csv", "b.csv", "c.ndjson"].map(|name| folder.path().join(name));
        std::fs::write(&paths[2], "old").unwrap();
        let files = files(&paths);
        std::fs::create_dir_all(paths[1].join("in the way")).unwrap();
        let failure = files.commit().unwrap_err();
        assert_eq!(failure.exit, Exit::Io);
        let (words, [a, b, c]) = (failure.words(), paths.each_ref().map(|path| path.display().to_string()));
        assert!(words.starts_with(&format!("cannot write {b}: ")), "{words}");
        assert!(words.ends_with(&format!("; of this run already: {a}; still as before: {c}")), "{words}");
        assert_eq!(std::fs::read_to_string(&paths[2]).unwrap(), "old");
    }
}
