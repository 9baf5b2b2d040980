//! Settings of `init`.

use std::path::{Path, PathBuf};

use super::outputs::{same_file, writable};
use crate::cli::InitArgs;
use crate::domain::shown;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::reconcile::input::InputSettings;
use crate::shell::quoted;

#[derive(Debug)]
pub(crate) struct InitSettings {
    pub input: InputSettings,
    /// The input as it was typed, for the next command.
    pub typed_input: PathBuf,
    pub output: PathBuf,
    pub may_replace: bool,
}

impl InitSettings {
    /// Fails if the file exists and may not be replaced, before anything is read or asked.
    pub(crate) fn of(args: &InitArgs) -> Result<Self, Failure> {
        let typed_input = args.input.input.clone();
        let output = match &args.output {
            Some(output) => output.clone(),
            None => default_output(&typed_input).ok_or_else(|| {
                Failure::new(Exit::Usage, "standard input does not have a name for the file to write")
                    .hint("name it: --output customers.toml")
            })?,
        };
        if same_file(&output, &typed_input) {
            return Err(Failure::new(Exit::Usage, format!("{} would be overwritten", shown(&output)))
                .hint(format!("name a file that is not the input: --output {}", another(&output))));
        }
        let settings = Self { input: InputSettings::of(&args.input)?, typed_input, output, may_replace: args.force };
        if !settings.may_replace && settings.output.symlink_metadata().is_ok() {
            return Err(settings.exists());
        }
        writable(&settings.output)?;
        Ok(settings)
    }

    /// Returns the failure for a file that exists and may not be replaced.
    pub(crate) fn exists(&self) -> Failure {
        let output = quoted(&self.output.to_string_lossy());
        Failure::new(Exit::Usage, format!("{} exists", shown(&self.output))).hint(format!(
            "--force replaces it, and --output {} writes another; to use it: --config {output}",
            another(&self.output)
        ))
    }
}

/// Returns the name of a file beside this one that does not exist, quoted for a shell.
fn another(output: &Path) -> String {
    let stem = output.file_stem().unwrap_or_default().to_string_lossy();
    let name = |number: u32| output.with_file_name(format!("{stem}{number}.toml"));
    let unused = (2..).map(name).find(|name| name.symlink_metadata().is_err());
    quoted(&unused.unwrap_or_else(|| name(2)).to_string_lossy())
}

/// Endings that say what a file is, and not which one.
const ENDINGS: [&str; 9] = ["gz", "zst", "csv", "tsv", "txt", "ndjson", "jsonl", "json", "xlsx"];

/// Returns the path of the file to write: `customers.csv.gz` → `customers.toml`. Returns `None` for
/// standard input.
fn default_output(input: &Path) -> Option<PathBuf> {
    if input == Path::new("-") {
        return None;
    }
    let mut stem = input.to_owned();
    let is_ending = |path: &Path| {
        path.extension().is_some_and(|ending| ENDINGS.iter().any(|known| ending.eq_ignore_ascii_case(known)))
    };
    while is_ending(&stem) {
        stem.set_extension("");
    }
    let mut name = stem.into_os_string();
    name.push(".toml");
    Some(name.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_to_write_is_beside_the_input() {
        for (input, output) in [
            ("a/customers.csv", Some("a/customers.toml")),
            ("customers.CSV.gz", Some("customers.toml")),
            ("x.ndjson", Some("x.toml")),
            ("plain", Some("plain.toml")),
            ("May.2026", Some("May.2026.toml")),
            ("-", None),
        ] {
            assert_eq!(default_output(Path::new(input)).as_deref(), output.map(Path::new), "{input}");
        }
    }
}
