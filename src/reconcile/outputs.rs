//! The files that a pass writes.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::domain::{KnownBad, RawRecord, ReportLine, Status, shown};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::intake::Feed;
use crate::limits;
use crate::report::{PageFacts, Rejects, ReportFile, ReportFormat, ReportOptions};

/// Paths of the reports and the rejects, and how to write them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outputs {
    pub reports: Vec<PathBuf>,
    pub rejects: Option<PathBuf>,
    pub options: ReportOptions,
}

impl Outputs {
    pub(crate) fn is_empty(&self) -> bool {
        self.reports.is_empty() && self.rejects.is_none()
    }

    /// Returns whether a report is a page, which needs more than its lines.
    pub(crate) fn has_page(&self) -> bool {
        self.reports.iter().any(|path| matches!(ReportFormat::of(path), Ok(ReportFormat::Html)))
    }

    /// Returns the same outputs. If the API was ever asked for KYC statuses, reports say when.
    pub(crate) fn with_checks(&self, has_checks: bool) -> Self {
        let options = ReportOptions { has_checks, ..self.options.clone() };
        Self { options, ..self.clone() }
    }

    /// Returns the same outputs, with what a page says beside its lines.
    pub(crate) fn with_facts(&self, facts: PageFacts) -> Self {
        let options = ReportOptions { facts: Arc::new(facts), ..self.options.clone() };
        Self { options, ..self.clone() }
    }
}

/// The files of one pass.
pub(crate) struct Files {
    reports: Vec<(PathBuf, ReportFile)>,
    rejects: Option<(PathBuf, Rejects)>,
}

impl Files {
    pub(super) fn create(outputs: &Outputs, feed: &Feed) -> Result<Self, Failure> {
        let mut files = Self::of_reports(outputs, feed.kept_names())?;
        if let Some(path) = &outputs.rejects {
            let rejects = Rejects::create(path, &feed.shape()).map_err(|error| unwritable(path, &error))?;
            files.rejects = Some((path.clone(), rejects));
        }
        Ok(files)
    }

    /// Creates the reports alone, because rejects need the shape of the input.
    pub(crate) fn of_reports(outputs: &Outputs, kept: &[String]) -> Result<Self, Failure> {
        let create = |path: &PathBuf| match ReportFile::create(path, kept, &outputs.options) {
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

    pub(crate) fn note_known_bad(&mut self, known_bad: KnownBad) {
        self.reports.iter_mut().for_each(|(_, report)| report.note_known_bad(known_bad));
    }

    /// Puts the files in place once all of them are complete.
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

/// Returns the error, and what it means for the other files of the same run.
fn torn(error: &std::io::Error, replaced: &[PathBuf], unchanged: &[PathBuf]) -> String {
    let list = |paths: &[PathBuf]| paths.iter().map(|path| shown(path).to_string()).collect::<Vec<_>>().join(", ");
    let mut words = limits::told(error);
    if !replaced.is_empty() {
        words.push_str(&format!("; already replaced: {}", list(replaced)));
    }
    if !unchanged.is_empty() {
        words.push_str(&format!("; unchanged: {}", list(unchanged)));
    }
    words
}

fn unwritable(path: &Path, error: &dyn std::fmt::Display) -> Failure {
    Failure::new(Exit::Io, error)
        .context(format!("cannot write {}", shown(path)))
        .hint("fix the disk or name another file, then run the same command again; it sends nothing twice")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(reports: &[PathBuf]) -> Files {
        Files::of_reports(&Outputs { reports: reports.to_vec(), ..Outputs::default() }, &[]).unwrap()
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
        assert!(words.ends_with(&format!("; already replaced: {a}; unchanged: {c}")), "{words}");
        assert_eq!(std::fs::read_to_string(&paths[2]).unwrap(), "old");
    }
}
