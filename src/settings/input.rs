//! Settings of the input.

use std::path::{Path, PathBuf};

use super::target::state_dir;
use crate::cli::InputArgs;
use crate::domain::{Country, shown};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::intake::{InputOptions, ValueRule};
use crate::ledger::{InputName, LedgerLocation};
use crate::reconcile::input::{InputKind, InputSettings};
use crate::shell;

impl InputSettings {
    pub(super) fn of(args: &InputArgs) -> Result<Self, Failure> {
        let region = args.region.as_deref().map(region).transpose()?;
        let values = ValueRule::merged(&args.file_values, &args.values)
            .map_err(|error| Failure::new(Exit::Usage, format!("--value {error}")).hint("keep one of them"))?;
        let kind = match args.input.as_path() {
            named if named == Path::new(PIPE) => InputKind::Pipe { spool: spool_dir(args)? },
            named if is_spooled(named, args) => InputKind::Spooled(named.to_owned()),
            named => InputKind::File(named.to_owned()),
        };
        let may_be_cut = !matches!(kind, InputKind::File(_));
        let options = InputOptions {
            format: args.format,
            delimiter: args.delimiter,
            encoding: args.encoding,
            sheet: args.sheet.clone(),
            preset: args.from,
            maps: args.maps.clone(),
            values,
            sets: args.sets.clone(),
            extras: args.extras.clone(),
            where_rules: args.where_rules.clone(),
            keep: args.keep.clone(),
            region,
            holds: args.holds.clone(),
            want_raw: false,
            is_unmapped: false,
            may_be_cut,
        };
        Ok(Self { kind, name: args.input_name.clone().map(InputName), options })
    }
}

fn region(text: &str) -> Result<Country, Failure> {
    Country::parse(text).map_err(|flaw| {
        Failure::new(Exit::Usage, format!("--region {text}: {}", flaw.hint)).hint("give a country code such as DE")
    })
}

/// The name of standard input.
pub(super) const PIPE: &str = "-";

/// Fails if standard input would be kept on this machine alone although another one may have to go
/// on with it.
pub(super) fn check_spool(args: &InputArgs, ledger: Option<&LedgerLocation>) -> Result<(), Failure> {
    let is_shared = matches!(ledger, Some(LedgerLocation::Database(_)));
    if args.input != Path::new(PIPE) || args.spool.is_some() || !is_shared {
        return Ok(());
    }
    let named = shell::again(&["--spool DIR".to_owned()]);
    Err(Failure::new(Exit::Usage, "standard input is kept on this machine alone, and the ledger is shared").hint(
        format!("import a file, or name a folder for a copy that the next run can read wherever it runs: {named}"),
    ))
}

/// Returns the folder in which standard input is kept until a run of it ends well.
fn spool_dir(args: &InputArgs) -> Result<PathBuf, Failure> {
    match &args.spool {
        Some(folder) => std::path::absolute(folder)
            .map_err(|error| Failure::of(Exit::Usage, error).context(format!("--spool {}", shown(folder)))),
        None => Ok(state_dir()?.join("spool")),
    }
}

/// Returns whether the file is standard input of an earlier run, named by a resume command. It is
/// removed when its run ends well, so a file that only lies in the folder does not count.
fn is_spooled(input: &Path, args: &InputArgs) -> bool {
    let folder = |path: &Path| path.parent().and_then(|folder| folder.canonicalize().ok());
    let spool = spool_dir(args).ok().and_then(|spool| spool.canonicalize().ok());
    has_spooled_name(input) && spool.is_some() && folder(input) == spool
}

/// Returns whether a file is called like a kept standard input.
pub(super) fn has_spooled_name(input: &Path) -> bool {
    let name = input.file_name().and_then(|name| name.to_str());
    let random = name.and_then(|name| name.strip_prefix("stdin-"));
    random.is_some_and(|random| random.len() == 6 && random.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}
