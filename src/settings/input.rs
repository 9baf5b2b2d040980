//! Settings of the input.

use std::path::{Path, PathBuf};

use super::target::state_dir;
use crate::cli::InputArgs;
use crate::domain::Country;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::intake::{InputOptions, ValueRule};
use crate::ledger::InputName;
use crate::reconcile::input::{InputKind, InputSettings};

impl InputSettings {
    pub(super) fn of(args: &InputArgs) -> Result<Self, Failure> {
        let region = args.region.as_deref().map(region).transpose()?;
        let values = ValueRule::merged(&args.file_values, &args.values)
            .map_err(|error| Failure::new(Exit::Usage, format!("--value {error}")).hint("keep one of them"))?;
        let kind = match args.input.as_path() {
            named if named == Path::new("-") => InputKind::Pipe { spool: spool_dir()? },
            named if is_spooled(named) => InputKind::Spooled(named.to_owned()),
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

/// Returns the folder in which standard input is kept until a run of it ends well.
fn spool_dir() -> Result<PathBuf, Failure> {
    Ok(state_dir()?.join("spool"))
}

/// Returns whether the file is standard input of an earlier run, named by a resume command.
pub(super) fn is_spooled(input: &Path) -> bool {
    let folder = |path: &Path| path.parent().and_then(|folder| folder.canonicalize().ok());
    let spool = spool_dir().ok().and_then(|spool| spool.canonicalize().ok());
    spool.is_some() && folder(input) == spool
}
