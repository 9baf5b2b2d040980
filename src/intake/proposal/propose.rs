//! From a sample to a proposal.

use super::field_proposal::{Candidate, FieldProposal, ProposedSource};
use super::sample::FileSample;
use super::value_proposal::{ValueProposal, are_both_choices};
use crate::domain::Field;
use crate::intake::columns::advice::sounds_like;
use crate::intake::columns::fault::ColumnFault;
use crate::intake::columns::header_words::{self, Meaning};
use crate::intake::columns::mapping::is_documented;
use crate::intake::columns::presets::Preset;
use crate::intake::columns::rules::{MapRule, Recipe, RuleError, SetRule};
use crate::intake::columns::sources::{TextSource, sourced};
use crate::intake::columns::spelling::{aliases, fold, is_same};
use crate::intake::columns::values::ValueRule;
use crate::intake::options::InputOptions;

/// At least so many of a hundred cells fit the field that the header names.
const FITS: usize = 50;
/// At least so many of a hundred cells fit the field if the header does not name it.
const LOOKS: usize = 80;

/// What seems to feed each field, and what the user has to decide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// The system that exported the file.
    pub preset: Option<Preset>,
    fields: Vec<FieldProposal>,
    values: Vec<ValueProposal>,
    /// The rules of `--value` that the user typed.
    typed_values: Vec<ValueRule>,
    /// Columns that hold the name of a company, and in how many records.
    companies: Vec<(String, u64)>,
}

impl Proposal {
    /// Returns the proposal for a file. What the user typed is kept as it is.
    ///
    /// # Errors
    /// Returns an error if an option names a column that the file does not have.
    pub fn of(sample: &FileSample, options: &InputOptions) -> Result<Self, ColumnFault> {
        let preset = options.preset.or_else(|| Preset::guess(sample.names()));
        let proposer = Proposer { sample, options, preset };
        let fields = Field::ALL.into_iter().map(|field| proposer.field(field)).collect::<Result<_, _>>()?;
        let mut proposal = Self {
            preset,
            fields,
            values: Vec::new(),
            typed_values: options.values.clone(),
            companies: proposer.companies(),
        };
        proposal.translate(sample);
        Ok(proposal)
    }

    /// Returns each field and what feeds it, in the order of [`Field::ALL`].
    #[must_use]
    pub fn fields(&self) -> &[FieldProposal] {
        &self.fields
    }

    #[must_use]
    pub fn field(&self, field: Field) -> &FieldProposal {
        &self.fields[field as usize]
    }

    /// Returns the columns with values that the API does not know.
    #[must_use]
    pub fn values(&self) -> &[ValueProposal] {
        &self.values
    }

    /// Returns what to know if a field of the export stays open, or `None` if there is nothing.
    #[must_use]
    pub fn preset_note(&self) -> Option<&'static str> {
        self.preset.filter(|_| self.fields.iter().any(FieldProposal::is_open)).and_then(Preset::note)
    }

    /// Returns the columns with names of companies and in how many records they are, if no column
    /// says which customers are businesses. All are then sent as individuals.
    #[must_use]
    pub fn untyped_companies(&self) -> &[(String, u64)] {
        let kind = self.field(Field::Type);
        let is_told = !matches!(kind.source, ProposedSource::Nothing | ProposedSource::Open(_)) || kind.set.is_some();
        if is_told { &[] } else { &self.companies }
    }

    /// Returns whether nothing in the file looks like a customer.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        let required = self.fields.iter().filter(|proposal| proposal.field.is_required());
        let mut sources = required.map(|proposal| &proposal.source);
        sources.all(|source| matches!(source, ProposedSource::Open(candidates) if candidates.is_empty()))
    }

    /// Takes the user's decision for a field.
    pub fn decide(&mut self, field: Field, source: ProposedSource, sample: &FileSample) {
        self.fields[field as usize].source = source;
        self.translate(sample);
    }

    /// Takes one value for all records.
    pub fn decide_value(&mut self, field: Field, value: String) {
        let proposal = &mut self.fields[field as usize];
        proposal.source = ProposedSource::Nothing;
        proposal.set = Some(value);
    }

    /// Takes what a value of a field's column means.
    pub fn decide_meaning(&mut self, field: Field, value: &str, meaning: &'static str) {
        let of_field = self.values.iter_mut().filter(|proposal| proposal.field == field);
        let mut all = of_field.flat_map(|proposal| &mut proposal.meanings);
        if let Some(found) = all.find(|known| known.value == value) {
            found.meaning = Some(meaning);
        }
    }

    fn translate(&mut self, sample: &FileSample) {
        let of = |proposal: &FieldProposal| {
            let name = proposal.only_column()?;
            ValueProposal::of(proposal.field, name, sample.column(name)?, &self.typed_values)
        };
        let kinds = self.fields.iter().filter(|proposal| ValueProposal::choices(proposal.field).is_some());
        self.values = kinds.filter_map(of).collect();
    }

    /// Returns the options that read the file as proposed. An open field has no option.
    ///
    /// # Errors
    /// Returns an error if a column has a name that no option can express.
    pub fn options(&self, typed: &InputOptions) -> Result<InputOptions, RuleError> {
        let map = |proposal: &FieldProposal| Some(MapRule::made(proposal.field, &proposal.recipe()?));
        let set = |proposal: &FieldProposal| Some(SetRule { field: proposal.field, value: proposal.set.clone()? });
        let proposed = self.values.iter().flat_map(ValueProposal::rules);
        let values = typed.values.iter().cloned().map(Ok).chain(proposed);
        Ok(InputOptions {
            preset: self.preset,
            values: values.collect::<Result<_, _>>()?,
            maps: self.fields.iter().filter_map(map).collect::<Result<_, _>>()?,
            sets: self.fields.iter().filter_map(set).collect(),
            ..typed.clone()
        })
    }

    /// Returns the columns that can be named and that no field takes.
    #[must_use]
    pub fn free_columns(&self, sample: &FileSample) -> Vec<String> {
        let used = self.used(sample);
        let is_free = |name: &&String| sample.column(name).is_some() && !used.contains(name);
        sample.names().iter().filter(is_free).cloned().collect()
    }

    fn used(&self, sample: &FileSample) -> Vec<String> {
        self.fields.iter().flat_map(|proposal| columns_of(sample, proposal.field, &proposal.source)).collect()
    }

    /// Returns the columns that no field takes and no option names. They stay in the file.
    #[must_use]
    pub fn unsent(&self, sample: &FileSample, typed: &InputOptions) -> Vec<String> {
        let names = sample.names();
        let mut used = self.used(sample);
        used.extend(typed.extras.iter().map(|rule| rule.column.clone()));
        used.extend(typed.keep.iter().cloned());
        used.extend(typed.where_rules.iter().map(|rule| rule.column.clone()));
        let is_used = |name: &String| is_documented(name) || used.iter().any(|other| is_same(other, name));
        let within =
            |name: &String, other: &String| other.strip_prefix(name.as_str()).is_some_and(|rest| rest.starts_with('.'));
        let is_part = |name: &String| names.iter().any(|outer| within(outer, name));
        let unsent = names.iter().filter(|&name| {
            !name.is_empty()
                && !is_part(name)
                && !is_used(name)
                && !names.iter().any(|inner| within(name, inner) && is_used(inner))
        });
        unsent.cloned().collect()
    }
}

/// Returns the columns that feed a field.
fn columns_of(sample: &FileSample, field: Field, source: &ProposedSource) -> Vec<String> {
    let of_template = |template: &String| -> Vec<String> {
        let source = sourced(&sample.names, field, template);
        source.iter().flat_map(TextSource::columns).map(|column| column.name.clone()).collect()
    };
    match source {
        ProposedSource::Preset(sources) => sources.iter().flat_map(of_template).collect(),
        ProposedSource::Column(column) => vec![column.clone()],
        ProposedSource::Template(template) => of_template(template),
        ProposedSource::Nothing | ProposedSource::Open(_) => Vec::new(),
    }
}

struct Proposer<'a> {
    sample: &'a FileSample,
    options: &'a InputOptions,
    preset: Option<Preset>,
}

impl Proposer<'_> {
    fn field(&self, field: Field) -> Result<FieldProposal, ColumnFault> {
        let set = self.options.sets.iter().find(|rule| rule.field == field).map(|rule| rule.value.clone());
        let source = match self.options.maps.iter().find(|rule| rule.field == field) {
            Some(rule) => self.typed(rule)?,
            None => self.found(field),
        };
        let source = match source {
            ProposedSource::Open(_) if set.is_some() => ProposedSource::Nothing,
            other => other,
        };
        Ok(FieldProposal { field, source, set })
    }

    fn typed(&self, rule: &MapRule) -> Result<ProposedSource, ColumnFault> {
        match &rule.recipe {
            Recipe::Column(typed) => {
                let column = self.sample.names.named(typed, &format!("--map {rule}"))?;
                Ok(ProposedSource::Column(column.name))
            }
            Recipe::Template(_) => Ok(ProposedSource::Template(rule.source().to_owned())),
        }
    }

    /// Returns what the file itself says.
    fn found(&self, field: Field) -> ProposedSource {
        let is_there = |source: &&&str| sourced(&self.sample.names, field, source).is_some();
        let known: Vec<String> = self
            .preset
            .map(|preset| preset.sources(field))
            .unwrap_or_default()
            .iter()
            .filter(is_there)
            .map(|source| (*source).to_owned())
            .collect();
        match self.preset {
            Some(_) if !known.is_empty() => ProposedSource::Preset(known),
            // What such an export calls a type does not mean a type of customer here.
            Some(_) if !field.is_required() => {
                let own = self.sample.names.own(field);
                own.map_or(ProposedSource::Nothing, |column| ProposedSource::Column(column.name))
            }
            _ => self.by_header(field),
        }
    }

    fn by_header(&self, field: Field) -> ProposedSource {
        match self.sample.names.obvious(field) {
            Ok(Some(column)) if self.fits(&column.name, field) => ProposedSource::Column(column.name),
            Ok(None) if field == Field::Name => match self.name_template() {
                Some(template) => template,
                None => self.by_cells(field),
            },
            Err(ColumnFault::Ambiguous { candidates, .. }) => self.one_of(field, &candidates),
            _ => self.by_cells(field),
        }
    }

    /// Returns the template that joins the halves of the name, or `None` if the file does not have
    /// one column for each.
    fn name_template(&self) -> Option<ProposedSource> {
        let names = self.sample.names();
        let english = || {
            let [given, family] = header_words::english_halves(names)?;
            Some(ProposedSource::joined(&[given, family]))
        };
        let other = || header_words::name_template(names).map(ProposedSource::Template);
        let source = other().or_else(english)?;
        let columns = columns_of(self.sample, Field::Name, &source);
        (!columns.is_empty() && columns.iter().all(|column| self.fits(column, Field::Name))).then_some(source)
    }

    /// Returns the only one of several columns with a usual name whose cells fit, or leaves the
    /// field open.
    fn one_of(&self, field: Field, names: &[String]) -> ProposedSource {
        let fit: Vec<&String> = names.iter().filter(|name| self.fits(name, field)).collect();
        match fit[..] {
            [column] => ProposedSource::Column(column.clone()),
            _ => {
                let mut candidates: Vec<_> = fit.into_iter().map(|name| self.candidate(name, field, true)).collect();
                candidates.sort_by_key(|candidate| std::cmp::Reverse(self.filled(&candidate.column)));
                ProposedSource::Open(candidates)
            }
        }
    }

    /// Returns what the cells say if the header does not.
    fn by_cells(&self, field: Field) -> ProposedSource {
        if !field.is_required() {
            return self.by_choices(field);
        }
        let is_open = |name: &&String| {
            let is_unfit = self.preset.is_some_and(|preset| preset.is_unfit(name));
            !is_unfit && !self.is_of_another_field(name, field) && self.sample.column(name).is_some()
        };
        let names: Vec<&String> = self.sample.names().iter().filter(is_open).collect();
        let looks: Vec<&String> = names.iter().copied().filter(|name| self.looks(name, field)).collect();
        if let ([column], Field::Email) = (&looks[..], field)
            && self.sample.column(column).is_some_and(|column| column.is_mostly_different())
        {
            return ProposedSource::Column((*column).clone());
        }
        let sounds = |name: &&String| sounds_like(name, field) && self.fits(name, field);
        let by_name = names.iter().copied().filter(sounds);
        let by_look = looks.iter().copied().filter(|name| !sounds(name));
        let candidates = by_name.map(|name| self.candidate(name, field, true));
        ProposedSource::Open(candidates.chain(by_look.map(|name| self.candidate(name, field, false))).collect())
    }

    /// Returns the only column that holds nothing but both choices of a field.
    fn by_choices(&self, field: Field) -> ProposedSource {
        let holds_both = |name: &&String| {
            !self.is_of_another_field(name, field)
                && self.sample.column(name).is_some_and(|column| are_both_choices(field, column))
        };
        // Yes and no can mean anything, so only the header says that they are about e-mails.
        let names = self.sample.names().iter().filter(|_| field == Field::Type).filter(holds_both);
        match &names.collect::<Vec<_>>()[..] {
            [] => ProposedSource::Nothing,
            [column] => ProposedSource::Column((*column).clone()),
            several => ProposedSource::Open(several.iter().map(|name| self.candidate(name, field, false)).collect()),
        }
    }

    fn candidate(&self, name: &str, field: Field, is_likely: bool) -> Candidate {
        let filled = self.filled(name);
        let percent = self.sample.column(name).map_or(0, |column| column.percent(field));
        let look = match field {
            Field::Email => format!(", {percent} % look like e-mails"),
            Field::Phone => format!(", {percent} % look like phone numbers"),
            Field::Country => format!(", {percent} % are countries"),
            Field::Name | Field::Type | Field::SendKycMail => String::new(),
        };
        let evidence = format!("in {filled} of {} records{look}", self.sample.records());
        Candidate { column: name.to_owned(), evidence, is_likely }
    }

    fn filled(&self, name: &str) -> u64 {
        self.sample.column(name).map_or(0, |column| column.filled)
    }

    /// Whether the cells do not contradict what the header says.
    fn fits(&self, name: &str, field: Field) -> bool {
        let Some(column) = self.sample.column(name) else { return false };
        ValueProposal::choices(field).is_some() || (column.filled > 0 && column.percent(field) >= FITS)
    }

    fn looks(&self, name: &str, field: Field) -> bool {
        field != Field::Name && self.sample.column(name).is_some_and(|column| column.percent(field) >= LOOKS)
    }

    /// Whether a header says that its column is another field, or a half of the name.
    fn is_of_another_field(&self, name: &str, field: Field) -> bool {
        let by_alias = Field::ALL
            .into_iter()
            .any(|other| other != field && (is_same(name, other.as_str()) || aliases(other).contains(&&*fold(name))));
        by_alias || header_words::meaning(name).is_some_and(|meaning| meaning != Meaning::Field(field))
    }

    /// Returns the columns whose header says that they hold the name of a company.
    fn companies(&self) -> Vec<(String, u64)> {
        let names = self.sample.names().iter().filter(|name| header_words::is_company(name));
        names.map(|name| (name.clone(), self.filled(name))).filter(|(_, filled)| *filled > 0).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intake::proposal::sample::tests::sample;

    fn proposal(text: &str) -> Proposal {
        Proposal::of(&sample(text), &InputOptions::default()).unwrap()
    }

    fn shown(text: &str) -> Vec<String> {
        let shown = |proposal: &FieldProposal| match &proposal.source {
            ProposedSource::Preset(sources) => format!("preset {}", sources.join("|")),
            ProposedSource::Column(column) => column.clone(),
            ProposedSource::Template(template) => template.clone(),
            ProposedSource::Nothing => "-".to_owned(),
            ProposedSource::Open(candidates) => {
                let names: Vec<_> = candidates
                    .iter()
                    .map(|candidate| format!("{}{}", candidate.column, if candidate.is_likely { "!" } else { "" }))
                    .collect();
                format!("? {}", names.join("|"))
            }
        };
        proposal(text).fields().iter().map(shown).collect()
    }

    #[test]
    fn headers_in_another_language_and_halves_of_a_name_are_sure() {
        assert_eq!(
            shown("Vorname;Nachname;E-Mail;Telefon;Land;Kundentyp\nAda;King;ada@example.com;030 123456;D;Privat\n"),
            ["{Vorname} {Nachname}", "E-Mail", "Telefon", "Land", "Kundentyp", "-"]
        );
        assert_eq!(
            shown("First Name,Last Name,Email,Phone,Country\nAda,King,ada@example.com,+4930123456,DE\n")[0],
            "{First Name} {Last Name}"
        );
    }

    #[test]
    fn a_known_export_is_read_by_its_preset() {
        let text = "First Name,Last Name,Email,Accepts Email Marketing,Default Address Country Code,Phone\n\
                    Ada,King,ada@example.com,yes,DE,+4930123456\n";
        assert_eq!(
            shown(text),
            [
                "preset {First Name} {Last Name}",
                "preset Email",
                "preset Phone",
                "preset Default Address Country Code",
                "-",
                "-"
            ]
        );
        assert_eq!(proposal(text).preset, Some(Preset::Shopify));
    }

    #[test]
    fn two_columns_for_one_field_are_a_question_unless_only_one_of_them_fits() {
        let both = "Name,Email,Telefon,Handy,Land\nA,a@example.com,030 123456,0151 2345678,D\n\
                    B,b@example.com,,0151 2345679,D\n";
        assert_eq!(shown(both)[2], "? Handy!|Telefon!");
        let one = "Name,Email,Telefon,Handy,Land\nA,a@example.com,030 123456,,D\n";
        assert_eq!(shown(one)[2], "Telefon");
    }

    #[test]
    fn cells_show_an_email_and_only_suggest_a_phone_or_a_country() {
        let text =
            "wer,kontakt,nr,wo\nAda King,ada@example.com,+49 30 123456,DE\nBo Li,bo@example.com,+49 30 123457,FR\n";
        assert_eq!(shown(text), ["? ", "kontakt", "? nr", "? wo", "-", "-"]);
        // The address of the one who looks after them.
        let same = "Name,Betreuer\nA,ada@example.com\nB,ada@example.com\nC,ada@example.com\n";
        assert_eq!(shown(same)[1], "? Betreuer");
    }

    #[test]
    fn a_country_is_never_proposed_for_all_records() {
        let text = "Name,Email,Telefon\nA,a@example.com,030 123456\nB,b@example.com,030 123457\n";
        let proposal = proposal(text);
        assert!(proposal.field(Field::Country).is_open());
        assert_eq!(proposal.field(Field::Country).set, None);
    }

    #[test]
    fn a_header_that_the_cells_contradict_is_not_believed() {
        let text = "Name,Email,Phone,Country\nA,none,a@example.com,DE\nB,none,b@example.com,DE\n";
        assert_eq!(shown(text)[1..3], ["? ", "? "]);
    }

    #[test]
    fn a_column_of_both_types_is_taken_whatever_it_is_called() {
        let rows = "A,a@example.com,+4930123456,DE,Firma,ja\nB,b@example.com,+4930123457,DE,Privat,nein\n";
        assert_eq!(shown(&format!("Name,Email,Phone,Country,Art,Post\n{rows}"))[4..], ["Art", "-"]);
        assert_eq!(shown(&format!("Name,Email,Phone,Country,Art,KYC-Mail\n{rows}"))[5], "KYC-Mail");
    }

    #[test]
    fn companies_without_a_type_are_mentioned() {
        let rows = "A,a@example.com,+4930123456,DE,Muster GmbH,Firma\nB,b@example.com,+4930123457,DE,,Privat\n";
        let without = proposal(&format!("Name,Email,Phone,Country,Firma,Kundentyp 2\n{}", rows.replace("Privat", "x")));
        assert_eq!(without.untyped_companies(), [("Firma".to_owned(), 1)]);
        let with = proposal(&format!("Name,Email,Phone,Country,Firma,Kundentyp\n{rows}"));
        assert!(with.untyped_companies().is_empty());
    }

    #[test]
    fn what_was_typed_is_kept_and_decisions_become_options() {
        let sample = sample("wer,kontakt,nr,wo,art\nAda,ada@example.com,+4930123456,DE,Verein\n");
        let typed = InputOptions {
            maps: vec!["name=WER".parse().unwrap()],
            sets: vec!["country=DE".parse().unwrap()],
            ..InputOptions::default()
        };
        let mut proposal = Proposal::of(&sample, &typed).unwrap();
        proposal.decide(Field::Phone, ProposedSource::Column("nr".to_owned()), &sample);
        proposal.decide(Field::Type, ProposedSource::Column("art".to_owned()), &sample);
        assert_eq!(proposal.values()[0].open().count(), 1);
        proposal.decide_meaning(Field::Type, "Verein", "business");
        assert_eq!(proposal.values()[0].open().count(), 0);
        let options = proposal.options(&typed).unwrap();
        let maps: Vec<_> = options.maps.iter().map(ToString::to_string).collect();
        assert_eq!(maps, ["customer_name=wer", "customer_email=kontakt", "customer_phone=nr", "customer_type=art"]);
        assert_eq!(options.sets[0].to_string(), "customer_country=DE");
        assert_eq!(options.values[0].to_string(), "customer_type:Verein=business");
        assert_eq!(proposal.unsent(&sample, &typed), ["wo"]);
        assert!(Proposal::of(&sample, &InputOptions { maps: vec!["name=x".parse().unwrap()], ..typed }).is_err());
    }

    #[test]
    fn a_file_without_customers_is_blank() {
        assert!(proposal("id,colour\n1,red\n").is_blank());
        assert!(!proposal("id,mail\n1,a@example.com\n").is_blank());
    }
}
