//! What `init` asks, and what an answer changes. Pure but for the person who answers.
//!
//! Only what is open is asked. Enter takes the default, if there is one; `s` skips the question,
//! and what it is about stays commented out in the file.

use std::fmt::Write as _;

use crate::domain::{Country, Field, counted, shorten};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::intake::{Candidate, FieldProposal, FileSample, Proposal, ProposedSource, ValueProposal};

/// Answers questions: the user at a terminal, or a list in a test.
pub(super) trait Person {
    /// Returns the line that was typed, or `None` if there will be no more.
    fn answer(&mut self, question: &str) -> Option<String>;
}

/// Asks everything that is open.
///
/// # Errors
/// Returns an error if the person leaves.
pub(super) fn ask(proposal: &mut Proposal, sample: &FileSample, person: &mut impl Person) -> Result<(), Failure> {
    for field in Field::ALL {
        let open = proposal.field(field).clone();
        if let ProposedSource::Open(candidates) = &open.source {
            ask_source(proposal, sample, &open, candidates, person)?;
        }
    }
    for values in proposal.values().to_vec() {
        ask_values(proposal, &values, person)?;
    }
    Ok(())
}

/// What an answer to a numbered question is.
#[derive(Debug, PartialEq, Eq)]
enum Reply {
    Skip,
    /// The indices of the chosen lines.
    Chosen(Vec<usize>),
}

/// Understands an answer, or returns `None` if it is not one. `most` is how many numbers it can
/// have.
fn understood(answer: &str, lines: usize, default: Option<usize>, most: usize) -> Option<Reply> {
    let words: Vec<&str> = answer.split([' ', ',', '\t', '\n', '\r']).filter(|word| !word.is_empty()).collect();
    match &words[..] {
        [] => Some(default.map_or(Reply::Skip, |index| Reply::Chosen(vec![index]))),
        ["s" | "S" | "skip"] => Some(Reply::Skip),
        numbers if numbers.len() <= most => {
            let index = |word: &&str| word.parse::<usize>().ok()?.checked_sub(1).filter(|index| *index < lines);
            numbers.iter().map(index).collect::<Option<_>>().map(Reply::Chosen)
        }
        _ => None,
    }
}

/// Asks until the answer is understood.
fn choose(
    question: &str,
    lines: &[String],
    default: Option<usize>,
    most: usize,
    person: &mut impl Person,
) -> Result<Reply, Failure> {
    let mut text = format!("\n{question}\n");
    for (index, line) in lines.iter().enumerate() {
        let _ = writeln!(text, "  {}  {line}", index + 1);
    }
    let standard = default.map_or_else(|| "s".to_owned(), |index| (index + 1).to_string());
    let numbers = if most > 1 { "a number, or two for given and family name" } else { "a number" };
    let prompt = format!("  {numbers}, or s to skip [{standard}] ");
    text.push_str(&prompt);
    loop {
        let answer = person.answer(&text).ok_or_else(left)?;
        if let Some(reply) = understood(&answer, lines.len(), default, most) {
            return Ok(reply);
        }
        text.clone_from(&prompt);
    }
}

/// How many columns are listed if none of them seems right.
const LISTED: usize = 40;

fn ask_source(
    proposal: &mut Proposal,
    sample: &FileSample,
    open: &FieldProposal,
    candidates: &[Candidate],
    person: &mut impl Person,
) -> Result<(), Failure> {
    let field = open.field;
    let columns: Vec<String> = match candidates {
        [] if field.is_required() => proposal.free_columns(sample).into_iter().take(LISTED).collect(),
        some => some.iter().map(|candidate| candidate.column.clone()).collect(),
    };
    let line = |column: &String| {
        let known = candidates.iter().find(|candidate| candidate.column == *column);
        let evidence = known.map_or_else(String::new, |candidate| format!(" ({})", candidate.evidence));
        format!("{}{evidence}", shorten(column, 60))
    };
    let mut lines: Vec<String> = columns.iter().map(line).collect();
    if field == Field::Country {
        lines.push("the same country for all customers".to_owned());
    }
    let default = candidates.first().filter(|candidate| candidate.is_likely).map(|_| 0);
    let note = proposal.preset_note().map_or_else(String::new, |note| format!(" ({note})"));
    let most = if field == Field::Name { 2 } else { 1 };
    match choose(&format!("Which column is {field}?{note}"), &lines, default, most, person)? {
        Reply::Skip => {}
        Reply::Chosen(chosen) => match chosen[..] {
            [index] if index == columns.len() => {
                if let Some(country) = ask_country(person)? {
                    proposal.decide_value(field, country.alpha3().to_owned());
                }
            }
            [index] => proposal.decide(field, ProposedSource::Column(columns[index].clone()), sample),
            _ => {
                let parts: Vec<&str> = chosen.iter().map(|&index| columns[index].as_str()).collect();
                proposal.decide(field, ProposedSource::joined(&parts), sample);
            }
        },
    }
    Ok(())
}

/// Returns `None` if the question was skipped.
fn ask_country(person: &mut impl Person) -> Result<Option<Country>, Failure> {
    let mut question = "  country of all customers, such as DE or Germany [s] ".to_owned();
    loop {
        let answer = person.answer(&question).ok_or_else(left)?;
        match answer.trim() {
            "" | "s" | "S" | "skip" => return Ok(None),
            typed => match Country::parse(typed) {
                Ok(country) => return Ok(Some(country)),
                Err(flaw) => question = format!("  {}: {}\n  country [s] ", shorten(typed, 40), flaw.hint),
            },
        }
    }
}

fn ask_values(proposal: &mut Proposal, values: &ValueProposal, person: &mut impl Person) -> Result<(), Failure> {
    let Some(choices) = ValueProposal::choices(values.field) else { return Ok(()) };
    for open in values.open() {
        let question = format!(
            "{}: what does {:?} mean, in {} of column {:?}?",
            values.field,
            shorten(&open.value, 40),
            counted(open.records, "record"),
            shorten(&values.column, 40)
        );
        let reply = choose(&question, &choices.map(str::to_owned), None, 1, person)?;
        if let Reply::Chosen(chosen) = reply
            && let [index] = chosen[..]
        {
            proposal.decide_meaning(values.field, &open.value, choices[index]);
        }
    }
    Ok(())
}

fn left() -> Failure {
    Failure::new(Exit::SomeFailed, "stopped at a question; nothing was written")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intake::InputOptions;
    use crate::reconcile::input::{InputHandle, InputKind, InputSettings};

    /// Answers from a list and keeps the questions.
    struct Scripted {
        answers: Vec<&'static str>,
        asked: Vec<String>,
    }

    impl Person for Scripted {
        fn answer(&mut self, question: &str) -> Option<String> {
            self.asked.push(question.to_owned());
            (!self.answers.is_empty()).then(|| format!("{}\n", self.answers.remove(0)))
        }
    }

    fn asked(text: &str, answers: &[&'static str]) -> (Result<(), Failure>, Proposal, Vec<String>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("in.csv");
        std::fs::write(&path, text).unwrap();
        let options = InputOptions::default();
        let input =
            InputHandle::open(InputSettings { kind: InputKind::File(path), name: None, options: options.clone() })
                .unwrap();
        let sample = FileSample::read(input.file(), &options).unwrap();
        let mut proposal = Proposal::of(&sample, &options).unwrap();
        let mut person = Scripted { answers: answers.to_vec(), asked: Vec::new() };
        let done = ask(&mut proposal, &sample, &mut person);
        (done, proposal, person.asked)
    }

    #[test]
    fn nothing_is_asked_if_nothing_is_open() {
        let (done, _, asked) = asked("Name,Email,Phone,Country\nAda,ada@example.com,+4930123456,DE\n", &[]);
        assert!(done.is_ok() && asked.is_empty(), "{asked:?}");
    }

    const TWO_PHONES: &str = "Name,Email,Telefon,Handy,Land\nAda,ada@example.com,030 123456,0151 2345678,D\n";

    #[test]
    fn enter_takes_the_default_and_a_number_another_one() {
        for (answer, column) in [("", "Telefon"), ("1", "Telefon"), ("2", "Handy")] {
            let (done, proposal, asked) = asked(TWO_PHONES, &[answer]);
            assert!(done.is_ok());
            assert_eq!(proposal.field(Field::Phone).recipe().as_deref(), Some(column));
            assert!(asked[0].contains("Which column is customer_phone?\n  1  Telefon (in 1 of 1 records"), "{asked:?}");
            assert!(asked[0].ends_with("[1] "), "{asked:?}");
        }
    }

    #[test]
    fn what_is_not_an_answer_is_asked_again_and_s_leaves_it_open() {
        let (done, proposal, asked) = asked(TWO_PHONES, &["3", "x", "0", "1 2", "s"]);
        assert!(done.is_ok() && proposal.field(Field::Phone).is_open());
        assert_eq!(asked.len(), 5);
    }

    #[test]
    fn who_leaves_gets_nothing() {
        let (done, ..) = asked(TWO_PHONES, &[]);
        assert_eq!(done.unwrap_err().exit, Exit::SomeFailed);
    }

    #[test]
    fn one_country_for_all_is_taken_only_if_it_is_said() {
        let text = "Name,Email,Telefon\nAda,ada@example.com,030 123456\n";
        let (_, proposal, asked) = asked(text, &[""]);
        assert!(proposal.field(Field::Country).is_open());
        assert!(
            asked[0].contains("  1  the same country for all customers") && asked[0].ends_with("[s] "),
            "{asked:?}"
        );
        let (_, proposal, questions) = self::asked(text, &["1", "Atlantis", "Deutschland"]);
        assert_eq!(proposal.field(Field::Country).set.as_deref(), Some("DEU"));
        assert!(questions[2].contains("Atlantis: is not a country"), "{questions:?}");
    }

    #[test]
    fn a_name_can_be_made_of_two_columns() {
        let text = "vn,nn,Email,Phone,Country\nAda,King,ada@example.com,+4930123456,DE\n";
        let (_, proposal, _) = asked(text, &["1, 2"]);
        assert_eq!(proposal.field(Field::Name).recipe().as_deref(), Some("{vn} {nn}"));
    }

    #[test]
    fn a_value_that_is_not_known_is_asked_for() {
        let text = "Name,Email,Phone,Country,Type\nAda,ada@example.com,+4930123456,DE,Verein\n\
                    Bo,bo@example.com,+4930123457,DE,Privat\n";
        let (_, proposal, asked) = asked(text, &["2"]);
        assert_eq!(asked.len(), 1);
        assert!(asked[0].contains("customer_type: what does \"Verein\" mean, in 1 record of"), "{asked:?}");
        assert_eq!(proposal.values()[0].open().count(), 0);
    }
}
