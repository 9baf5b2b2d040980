//! Settings of the outputs: reports, rejects, metrics, summary.

use std::path::{Path, PathBuf};

use super::input::{PIPE, has_spooled_name};
use crate::atomic_file;
use crate::cli::{CredentialArgs, OutputArgs, SummaryFormat};
use crate::domain::shown;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::ledger::LedgerLocation;
use crate::limits;
use crate::reconcile::outputs::Outputs;
use crate::report::{ReportFormat, ReportOptions};
use crate::shell::quoted;

const STDIN_REPORT: &str = "customer-import.report.csv";

/// Format of a summary or a plan on standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rendering {
    Text,
    Json,
    Markdown,
}

/// Format of the output of a command that has `--json` and no `--summary`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AnswerFormat {
    Text,
    Json,
}

impl AnswerFormat {
    /// Returns JSON if the flag `--json` is set.
    pub(crate) fn json_if(json: bool) -> Self {
        if json { Self::Json } else { Self::Text }
    }
}

impl From<SummaryFormat> for Rendering {
    fn from(format: SummaryFormat) -> Self {
        match format {
            SummaryFormat::Text => Self::Text,
            SummaryFormat::Json => Self::Json,
            SummaryFormat::Markdown => Self::Markdown,
        }
    }
}

/// Returns the outputs, with the default report beside the input if none was named. `others` are
/// files that must not be overwritten.
pub(super) fn with_default(args: &OutputArgs, input: &Path, others: &[PathBuf]) -> Result<Outputs, Failure> {
    let mut reports = args.reports.clone();
    if reports.is_empty() {
        reports.push(default_report(input));
    }
    checked(Outputs { reports, ..named(args) }, input, others)
}

/// Returns only the outputs that were named.
pub(super) fn as_named(args: &OutputArgs, input: &Path, others: &[PathBuf]) -> Result<Outputs, Failure> {
    checked(named(args), input, others)
}

fn named(args: &OutputArgs) -> Outputs {
    let options = ReportOptions {
        delimiter: args.report_delimiter,
        include_links: args.include_links,
        ..ReportOptions::default()
    };
    Outputs { reports: args.reports.clone(), rejects: args.rejects.clone(), options }
}

fn checked(outputs: Outputs, input: &Path, others: &[PathBuf]) -> Result<Outputs, Failure> {
    for report in &outputs.reports {
        ReportFormat::of(report)
            .map_err(|error| Failure::new(Exit::Usage, format!("--report {}: {error}", shown(report))))?;
    }
    let is_csv = |report: &PathBuf| matches!(ReportFormat::of(report), Ok(ReportFormat::Csv));
    // Without any report the delimiter is a preference that a later command uses.
    if outputs.options.delimiter.is_some() && !outputs.reports.is_empty() && !outputs.reports.iter().any(is_csv) {
        return Err(Failure::new(Exit::Usage, "--report-delimiter was given, but no report is CSV").hint(
            "leave out --report-delimiter (or CUSTOMER_IMPORT_REPORT_DELIMITER), or name a report that ends in .csv",
        ));
    }
    let all: Vec<_> = outputs.reports.iter().chain(&outputs.rejects).collect();
    for (index, path) in all.iter().enumerate() {
        if all[..index].iter().any(|other| same_file(other, path)) {
            return Err(Failure::new(Exit::Usage, format!("{} is named twice", shown(path)))
                .hint("give every report and the rejects a file of its own"));
        }
        if others.iter().map(PathBuf::as_path).chain([input]).any(|other| same_file(other, path)) {
            return Err(Failure::new(Exit::Usage, format!("{} would be overwritten", shown(path)))
                .hint("name a file that is not the input, the ledger or the credentials"));
        }
        writable(path)?;
    }
    Ok(outputs)
}

/// Fails if the metrics file is another file of the run, because it is replaced every half minute.
pub(super) fn check_metrics_file(
    path: &Path,
    outputs: &OutputArgs,
    input: &Path,
    others: &[PathBuf],
) -> Result<(), Failure> {
    let report = default_report(input);
    let outputs = outputs.reports.iter().chain(&outputs.rejects).chain([&report]).map(PathBuf::as_path);
    if others.iter().map(PathBuf::as_path).chain(outputs).chain([input]).any(|other| same_file(other, path)) {
        return Err(Failure::new(Exit::Usage, format!("--metrics-file {} would be overwritten", shown(path)))
            .hint("name a file that is not the input, a report, the ledger or the credentials"));
    }
    writable(path)
}

/// Returns the files that a command reads or keeps, besides the input.
pub(super) fn own_files(ledger: Option<&LedgerLocation>, credentials: Option<&CredentialArgs>) -> Vec<PathBuf> {
    let beside = |ledger: &Path, ending: &str| {
        let mut name = ledger.as_os_str().to_owned();
        name.push(ending);
        PathBuf::from(name)
    };
    let ledger = ledger
        .and_then(LedgerLocation::file)
        .into_iter()
        .flat_map(|ledger| ["", "-wal", "-shm", ".lock"].map(|ending| beside(ledger, ending)));
    let credentials = credentials
        .into_iter()
        .flat_map(|args| [args.token_file.clone(), args.app_secret_file.clone(), args.ca_file.clone()])
        .flatten();
    ledger.chain(credentials).collect()
}

/// Returns whether two paths mean the same file, even one that does not exist yet.
pub(super) fn same_file(one: &Path, other: &Path) -> bool {
    let real = |path: &Path| {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        path.canonicalize().ok().or_else(|| Some(folder.canonicalize().ok()?.join(path.file_name()?)))
    };
    one == other || real(one).is_some_and(|one| real(other) == Some(one))
}

/// Returns the path of the default report: `customers.csv` → `customers.report.csv`. Any other
/// extension stays: `x.ndjson` → `x.ndjson.report.csv`.
pub(crate) fn default_report(input: &Path) -> PathBuf {
    if input == Path::new(PIPE) || has_spooled_name(input) {
        return STDIN_REPORT.into();
    }
    let is_csv = input.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("csv"));
    let mut name = if is_csv { input.with_extension("") } else { input.to_owned() }.into_os_string();
    name.push(".report.csv");
    name.into()
}

/// Fails if the file cannot be written, so that the user learns it before the run.
pub(super) fn writable(path: &Path) -> Result<(), Failure> {
    atomic_file::try_out(path).map_err(|error| {
        let failure = Failure::new(Exit::Io, limits::told(&error)).context(format!("cannot write {}", shown(path)));
        match missing_folder(path) {
            Some(folder) => failure.hint(format!("create its folder: mkdir -p {}", quoted(&folder.to_string_lossy()))),
            None => failure,
        }
    })?;
    atomic_file::sweep(path);
    Ok(())
}

/// Returns the folder of a file if nothing is there.
fn missing_folder(path: &Path) -> Option<&Path> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty())?;
    folder.symlink_metadata().is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound).then_some(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_report_stands_beside_the_input() {
        for (input, report) in [
            ("a/customers.csv", "a/customers.report.csv"),
            ("customers.CSV", "customers.report.csv"),
            ("x.ndjson", "x.ndjson.report.csv"),
            ("x.csv.gz", "x.csv.gz.report.csv"),
            ("plain", "plain.report.csv"),
            ("-", "customer-import.report.csv"),
            ("/spool/stdin-a1B2c3", "customer-import.report.csv"),
            ("stdin-notes.csv", "stdin-notes.report.csv"),
        ] {
            assert_eq!(default_report(Path::new(input)), Path::new(report), "{input}");
        }
    }
}
