//! How a run read its input, as the ledger remembers it, so that a later report reads it alike.

use std::path::Path;
use std::time::SystemTime;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::input::InputHandle;
use crate::domain::{counted, grouped, shorten};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::intake::{CompletedOptions, OptionDifference};
use crate::ledger::{RunInfo, RunStart};

/// The member that has the size and the time of the file.
const FILE: &str = "file";
/// The member that has `--fail-on`, if it is not the default. It says nothing about the input, but
/// a report of the run must count like the run did. All other members are options of the input.
const FAIL_ON: &str = "fail-on";
/// Its value if known bad records leave the run a success.
const NEW: &str = "new";
/// How much of an option or a name is shown.
const WIDTH: usize = 200;

/// Returns what a run of this input begins with.
pub(crate) fn run_start(input: &InputHandle, excuses_known_bad: bool) -> RunStart {
    RunStart { input: input.name(), options: Some(written(input, excuses_known_bad)) }
}

/// Returns what a run remembers of its input, as JSON: the options, and the size and time of the
/// file. Also whether it excuses known bad records.
fn written(input: &InputHandle, excuses_known_bad: bool) -> String {
    let mut members = input.options().to_json();
    if excuses_known_bad {
        members.insert(FAIL_ON.to_owned(), NEW.into());
    }
    if let Some(stamp) = stamp(input) {
        members.insert(FILE.to_owned(), stamp);
    }
    Value::from(members).to_string()
}

/// Returns the options of a run as names and texts, for people. They are JSON that this program
/// wrote.
pub(super) fn shown(written: Option<&str>) -> Vec<(String, String)> {
    let text = |value: Value| match value {
        Value::String(text) => text,
        value => value.to_string(),
    };
    let entry = |(name, value): (String, Value)| match value {
        Value::Array(items) => (name, items.into_iter().map(text).collect::<Vec<_>>().join(", ")),
        value => (name, text(value)),
    };
    let members = written.and_then(members).unwrap_or_default();
    members.into_iter().filter(|(name, _)| name != FILE).map(entry).collect()
}

/// Returns whether known bad records left the run a success (`--fail-on new`). A run of an earlier
/// version does not say, so the answer is no.
pub(crate) fn excused_known_bad(run: &RunInfo) -> bool {
    let members = run.start.options.as_deref().and_then(members);
    members.is_some_and(|members| members.get(FAIL_ON).is_some_and(|value| value == NEW))
}

/// Returns the input as the run read it, and what a reader of the report must know: one sentence
/// for each option that was typed and differs, and if the file is another one or has changed.
///
/// Fails if this version cannot read the options of the run.
pub(crate) fn as_in_run(input: InputHandle, run: &RunInfo) -> Result<(InputHandle, Vec<String>), Failure> {
    let mut notes: Vec<_> = other_file(&input, &run.start.input.0).into_iter().collect();
    let Some(written) = &run.start.options else {
        // An earlier version ran it, and nothing is known of how.
        return Ok((input, notes));
    };
    let unusable = |why: &str| {
        Failure::new(Exit::Usage, format!("cannot use the options of the run {}: {why}", run.id.name))
            .hint("use the version of this program that made the run")
    };
    let (options, stamp_then) =
        read(written).ok_or_else(|| unusable("what the ledger has of them is not a JSON object"))?;
    notes.extend(stamp_then.zip(stamp(&input)).and_then(|(then, now)| changed(&input.shown(), &then, &now)));
    let completed = input.options().clone().completed(&options).map_err(|error| unusable(&error.to_string()))?;
    let CompletedOptions { options, taken, different, unknown } = completed;
    notes.extend(different.iter().map(difference));
    notes.extend(
        unknown
            .iter()
            .map(|name| format!("the run had the option --{}, which this version does not know", shorten(name, WIDTH))),
    );
    if !taken.is_empty() {
        let options: Vec<_> = taken.iter().map(|(name, value)| format!("--{name} {}", shorten(value, WIDTH))).collect();
        tracing::info!("the input is read with the options of the run: {}", options.join(" "));
    }
    Ok((input.with_options(options, taken), notes))
}

/// Returns the options with which a run read its input, and the size and time of its file, or
/// `None` if the text is not an object.
fn read(written: &str) -> Option<(Map<String, Value>, Option<Value>)> {
    let mut members = members(written)?;
    let stamp = members.remove(FILE);
    members.remove(FAIL_ON);
    Some((members, stamp))
}

/// Returns all that a run remembers, or `None` if the text is not an object.
fn members(written: &str) -> Option<Map<String, Value>> {
    serde_json::from_str(written).ok()
}

/// Returns the size and the time of the file, or `None` if it cannot be asked.
fn stamp(input: &InputHandle) -> Option<Value> {
    let (bytes, modified) = input.file().size_and_time().ok()?;
    Some(json!({"bytes": bytes, "modified": modified.and_then(to_the_millisecond)}))
}

fn to_the_millisecond(time: SystemTime) -> Option<String> {
    let time = Timestamp::try_from(time).ok()?;
    Timestamp::from_millisecond(time.as_millisecond()).ok().map(|time| time.to_string())
}

/// Returns a sentence if the run read another file. A name that the user chose says nothing about
/// files.
fn other_file(input: &InputHandle, of_run: &str) -> Option<String> {
    let now = input.name().0;
    let is_other = input.is_named_by_path() && Path::new(of_run).is_absolute() && of_run != now;
    is_other.then(|| format!("the run read {}, and this report is of {}", shorten(of_run, WIDTH), shorten(&now, WIDTH)))
}

/// Returns a sentence if a file is not as it was when the run began.
fn changed(file: &str, then: &Value, now: &Value) -> Option<String> {
    let bytes = |stamp: &Value| stamp["bytes"].as_u64();
    match (bytes(then), bytes(now)) {
        (Some(then), Some(now)) if then != now => Some(format!(
            "{file} has changed since the run, when it had {}; it has {} now",
            counted(then, "byte"),
            grouped(now)
        )),
        _ if then["modified"] != now["modified"] => {
            Some(format!("{file} was written again since the run; it has the same size"))
        }
        _ => None,
    }
}

fn difference(OptionDifference { name, before, now }: &OptionDifference) -> String {
    let texts = |values: &[String]| shorten(&values.join(", "), WIDTH);
    let now = texts(now);
    if before.is_empty() {
        format!("the run had no --{name}, and this report has {now}")
    } else {
        format!("the run had --{name} {}, and this report has {now}", texts(before))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_names_and_texts_and_nothing_if_they_cannot_be_read() {
        let found = shown(Some(r#"{"map":["a=B","c=D"],"region":"DEU","file":{"bytes":5,"modified":null}}"#));
        let text = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(found, [text("map", "a=B, c=D"), text("region", "DEU")]);
        assert!(shown(None).is_empty() && shown(Some("[1]")).is_empty());
    }

    #[test]
    fn a_file_of_another_size_or_time_has_changed() {
        let stamp = |bytes: u64, modified: &str| json!({"bytes": bytes, "modified": modified});
        let then = stamp(1234, "2026-01-02T03:04:05Z");
        assert_eq!(changed("a.csv", &then, &then), None);
        let words = "a.csv has changed since the run, when it had 1,234 bytes; it has 99 now";
        assert_eq!(changed("a.csv", &then, &stamp(99, "2026-01-02T03:04:05Z")).unwrap(), words);
        assert!(changed("a.csv", &then, &stamp(1234, "2026-01-03T00:00:00Z")).unwrap().contains("written again"));
    }
}
