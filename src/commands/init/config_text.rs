//! The file that `init` writes, for `--config`.

use toml_writer::{ToTomlKey as _, ToTomlValue as _, TomlKeyBuilder, TomlStringBuilder};

use crate::domain::{Field, on_one_line};
use crate::intake::{
    FieldProposal, FileSample, Format, InputOptions, Proposal, ProposedSource, ValueProposal, ValueRule,
};
use crate::settings::InitSettings;

/// Returns the text of the file. What is not sure is commented out.
pub(super) fn config_text(proposal: &Proposal, sample: &FileSample, settings: &InitSettings, command: &str) -> String {
    let typed = &settings.input.options;
    let mut text = ConfigText::default();
    text.comment(&format!("How {} is read. Written by `customer-import init`.", settings.typed_input.display()));
    text.comment(&format!("Check the file with: {command}"));
    let has_open_values = proposal.values().iter().any(|values| values.open().next().is_some());
    if has_open_values || proposal.fields().iter().any(FieldProposal::is_open) {
        text.comment("Lines with a key and a # before it are not sure: correct them and remove the #.");
    }
    text.head(proposal, typed);
    text.table("map", |text| proposal.fields().iter().for_each(|field| text.map(field)));
    text.table("set", |text| proposal.fields().iter().for_each(|field| text.set(field)));
    text.table("extra", |text| {
        for rule in &typed.extras {
            text.entry(&rule.path, &rule.column);
        }
    });
    for field in Field::ALL {
        text.table(&format!("values.{field}"), |text| text.values(proposal, typed, field));
    }
    let unsent = proposal.unsent(sample, typed);
    if !unsent.is_empty() {
        text.0.push('\n');
        text.comment("Not sent:");
        unsent.iter().for_each(|name| text.comment(&format!("  {name}")));
    }
    text.0
}

#[derive(Default)]
struct ConfigText(String);

impl ConfigText {
    /// Writes a line that is not read. A name of a column can hold anything, so it is escaped.
    fn comment(&mut self, line: &str) {
        self.0.push_str(&format!("# {}\n", on_one_line(line)));
    }

    fn entry(&mut self, name: &str, value: &str) {
        self.0.push_str(&entry(name, value));
    }

    /// Writes a table, unless it has no lines.
    fn table(&mut self, name: &str, fill: impl FnOnce(&mut Self)) {
        let mut inner = Self::default();
        fill(&mut inner);
        if !inner.0.is_empty() {
            self.0.push_str(&format!("\n[{name}]\n{}", inner.0));
        }
    }

    /// Writes the options that are not tables.
    fn head(&mut self, proposal: &Proposal, typed: &InputOptions) {
        let delimiter = typed.delimiter.map(|byte| char::from(byte).to_string());
        let options = [
            ("from", proposal.preset.map(|preset| preset.to_string())),
            ("format", (typed.format != Format::Auto).then(|| typed.format.to_string())),
            ("delimiter", delimiter),
            ("encoding", typed.encoding.map(|encoding| encoding.name().to_owned())),
            ("sheet", typed.sheet.clone()),
            ("region", typed.region.map(|region| region.alpha2().to_owned())),
        ];
        let given: Vec<_> = options.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
        let lists: [(&str, Vec<String>); 3] = [
            ("where", typed.where_rules.iter().map(ToString::to_string).collect()),
            ("hold", typed.holds.iter().map(ToString::to_string).collect()),
            ("keep", typed.keep.clone()),
        ];
        let lists: Vec<_> = lists.into_iter().filter(|(_, items)| !items.is_empty()).collect();
        if !given.is_empty() || !lists.is_empty() {
            self.0.push('\n');
        }
        given.iter().for_each(|(name, value)| self.entry(name, value));
        for (name, items) in lists {
            let items: Vec<String> = items.iter().map(|item| string(item)).collect();
            self.0.push_str(&format!("{name} = [{}]\n", items.join(", ")));
        }
    }

    /// Writes what the values of a field mean. A value that only the user can translate stays
    /// commented out, so its records are invalid until then.
    fn values(&mut self, proposal: &Proposal, typed: &InputOptions, field: Field) {
        for [from, to] in typed.values.iter().filter(|rule| rule.field == field).map(ValueRule::texts) {
            self.entry(from, to);
        }
        for values in proposal.values().iter().filter(|values| values.field == field) {
            let choices = ValueProposal::choices(field).unwrap_or_default().join(" or ");
            if values.has_too_many {
                self.comment(&format!("column {} has too many values to list them here.", values.column));
            }
            for value in &values.meanings {
                match value.meaning {
                    Some(meaning) => self.entry(&value.value, meaning),
                    None => self.0.push_str(&format!("# {}", entry(&value.value, &choices))),
                }
            }
        }
    }

    fn map(&mut self, proposal: &FieldProposal) {
        let field = proposal.field;
        match &proposal.source {
            ProposedSource::Open(candidates) if candidates.is_empty() => {
                self.comment(&format!("{field}: no column seems to hold it."));
                self.0.push_str(&format!("# {}", entry(field.as_str(), "COLUMN")));
            }
            ProposedSource::Open(candidates) => {
                self.comment(&format!("{field}: only you can say which column it is."));
                for candidate in candidates {
                    self.comment(&format!("  {}", candidate.evidence));
                    self.0.push_str(&format!("# {}", entry(field.as_str(), &candidate.recipe())));
                }
            }
            ProposedSource::Nothing if field.is_required() || proposal.set.is_some() => {}
            ProposedSource::Nothing => {
                self.comment(&format!("{field}: no column, so it is {} for all.", field.default()));
            }
            ProposedSource::Preset(sources) => {
                self.comment(&format!("{field}: {}, as in such exports.", sources.join(" or ")));
            }
            ProposedSource::Column(_) | ProposedSource::Template(_) => {
                let recipe = proposal.recipe().unwrap_or_default();
                self.entry(field.as_str(), &recipe);
            }
        }
    }

    fn set(&mut self, proposal: &FieldProposal) {
        match &proposal.set {
            Some(value) => self.entry(proposal.field.as_str(), value),
            None if proposal.field == Field::Country && proposal.is_open() => {
                self.comment("Only if all customers are of one country:");
                self.0.push_str(&format!("# {}", entry(proposal.field.as_str(), "CODE")));
            }
            None => {}
        }
    }
}

fn entry(name: &str, value: &str) -> String {
    let key = TomlKeyBuilder::new(name);
    let key = key.as_unquoted().unwrap_or_else(|| key.as_basic());
    format!("{} = {}\n", key.to_toml_key(), string(value))
}

/// Returns a string on one line, whatever it holds.
fn string(text: &str) -> String {
    TomlStringBuilder::new(text).as_basic().to_toml_value()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use toml::de::{DeTable, DeValue};

    use super::*;

    proptest! {
        #[test]
        fn every_name_and_value_is_read_back_as_it_is(name in ".*", value in "\\PC*|.*") {
            let line = entry(&name, &value);
            prop_assert_eq!(line.lines().count(), 1);
            let table = DeTable::parse(&line).map_err(|error| TestCaseError::fail(error.to_string()))?;
            let (key, found) = table.get_ref().iter().next().map(|(key, value)| (key.get_ref(), value.get_ref())).unwrap();
            prop_assert_eq!(key.as_ref(), name.as_str());
            prop_assert!(matches!(found, DeValue::String(text) if *text == value));
        }

        #[test]
        fn a_comment_stays_a_comment_whatever_a_column_is_called(name in ".*|[\\n\\r\\x00-\\x20=]*") {
            let mut text = ConfigText::default();
            text.comment(&name);
            let table = DeTable::parse(&text.0).map_err(|error| TestCaseError::fail(error.to_string()))?;
            prop_assert!(table.get_ref().is_empty());
        }
    }
}
