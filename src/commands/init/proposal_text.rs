//! What `init` prints: the proposal, the first records as they would be sent, and the next command.

use std::fmt::Write as _;

use super::preview::{Preview, masked_row};
use crate::domain::{counted, on_one_line, shorten};
use crate::intake::{FieldProposal, FileSample, InputOptions, Proposal, ProposedSource, ValueMeaning, ValueProposal};

/// What is printed.
pub(super) struct Printed<'a> {
    pub(super) proposal: &'a Proposal,
    pub(super) sample: &'a FileSample,
    /// `None` if a field does not have a source yet.
    pub(super) preview: Option<&'a Preview>,
    pub(super) typed: &'a InputOptions,
    pub(super) input: String,
    pub(super) output: String,
    pub(super) command: String,
    /// Whether persons are masked, because the output may be kept.
    pub(super) masks: bool,
}

/// The longest name of a column that is printed whole.
const LONGEST: usize = 60;
/// How many unused columns are listed.
const LISTED: usize = 20;

pub(super) fn proposal_text(printed: &Printed<'_>) -> String {
    let Printed { proposal, sample, typed, input, output, command, .. } = printed;
    let mut text = String::new();
    let records = counted(sample.records(), "record");
    let part = if sample.is_whole() { records } else { format!("the first {records}") };
    let _ = writeln!(text, "{input}: looked at {part}\n");
    if let Some(preset) = proposal.preset {
        line(&mut text, "from", &preset.to_string());
    }
    for field in proposal.fields() {
        line(&mut text, field.field.as_str(), &described(field));
        for values in proposal.values().iter().filter(|values| values.field == field.field) {
            line(&mut text, "", &translated(values, printed.masks));
        }
    }
    let unsent = proposal.unsent(sample, typed);
    if !unsent.is_empty() {
        line(&mut text, "not sent", &listed(&unsent));
    }
    add_notes(&mut text, proposal);
    if let Some(preview) = printed.preview {
        add_preview(&mut text, preview, printed.masks);
    }
    let open: Vec<&str> =
        proposal.fields().iter().filter(|field| field.is_open()).map(|field| field.field.as_str()).collect();
    let fill_in = if open.is_empty() { String::new() } else { format!(", where you fill in {}", open.join(" and ")) };
    let _ = writeln!(text, "\nwritten: {output}{fill_in}\nnext: {command}");
    text
}

/// Adds what to know that no line of the proposal can say.
fn add_notes(text: &mut String, proposal: &Proposal) {
    for (column, records) in proposal.untyped_companies() {
        let column = shorten(column, LONGEST);
        let _ = writeln!(
            text,
            "\nnote: column {column:?} is filled in {}, and no column says who is a business: all are sent as \
             individuals",
            counted(*records, "record")
        );
    }
    if let Some(note) = proposal.preset_note() {
        let _ = writeln!(text, "\nnote: {note}");
    }
}

fn line(text: &mut String, name: &str, content: &str) {
    let _ = writeln!(text, "{name:<17} {content}");
}

fn described(proposal: &FieldProposal) -> String {
    let source = match &proposal.source {
        ProposedSource::Preset(sources) => {
            let names: Vec<_> = sources.iter().map(|source| format!("{source:?}")).collect();
            format!("column {}", names.join(" or "))
        }
        ProposedSource::Column(column) => format!("column {:?}", shorten(column, LONGEST)),
        ProposedSource::Template(template) => format!("template {:?}", on_one_line(template)),
        ProposedSource::Open(candidates) if candidates.is_empty() => "? no column seems to hold it".to_owned(),
        ProposedSource::Open(candidates) => {
            let names: Vec<String> = candidates.iter().map(|candidate| candidate.column.clone()).collect();
            format!("? perhaps {}", listed(&names))
        }
        ProposedSource::Nothing => {
            let default = || format!("no column: {}", proposal.field.default());
            return proposal.set.as_ref().map_or_else(default, |value| format!("always {value:?}"));
        }
    };
    match &proposal.set {
        Some(value) => format!("{source}, if empty {value:?}"),
        None => source,
    }
}

/// Returns what the values of a column mean. Counts those that are not known if `masks`, because a
/// column that was taken by mistake holds personal data.
fn translated(values: &ValueProposal, masks: bool) -> String {
    if values.has_too_many {
        return "  it has too many different values to translate them".to_owned();
    }
    let shown = values.meanings.iter().filter(|value| !masks || value.meaning.is_some());
    let mut parts: Vec<String> = shown.map(translation).collect();
    let hidden = values.open().filter(|_| masks).count() as u64;
    if hidden > 0 {
        parts.push(format!("{} with an unknown meaning", counted(hidden, "value")));
    }
    format!("  {}", parts.join(", "))
}

fn translation(value: &ValueMeaning) -> String {
    format!("{:?} ({}) = {}", shorten(&value.value, 30), value.records, value.meaning.unwrap_or("?"))
}

fn listed(names: &[String]) -> String {
    let shown: Vec<String> = names.iter().take(LISTED).map(|name| shorten(name, LONGEST)).collect();
    let more = names.len().saturating_sub(LISTED);
    let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{rest}", shown.join(", "))
}

fn add_preview(text: &mut String, preview: &Preview, masks: bool) {
    let rows: Vec<[String; 6]> =
        preview.rows.iter().map(|row| if masks { masked_row(row) } else { row.clone() }).collect();
    if !rows.is_empty() {
        text.push_str("\nas they would be sent:\n");
    }
    for row in rows {
        let _ = writeln!(text, "  {}", row.map(|cell| on_one_line(&cell)).join("  "));
    }
    let Preview { valid, records, .. } = preview;
    let rest = if valid < records { "; `check` shows what is wrong with the others" } else { "" };
    let _ = writeln!(text, "\n{valid} of {} can be sent{rest}", counted(*records, "record"));
}
