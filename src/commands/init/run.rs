//! The steps of `init`. The file is written last, so an `init` that is stopped leaves nothing
//! behind.

use std::io::{self, IsTerminal as _, Write as _};

use super::config_text::config_text;
use super::preview::Preview;
use super::proposal_text::{Printed, proposal_text};
use super::questions::{self, Person};
use crate::atomic_file::AtomicFile;
use crate::domain::{Field, shown};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::intake::{FileSample, IntakeError, Proposal};
use crate::limits;
use crate::process::confirm::AskingTerminal;
use crate::process::stdout;
use crate::reconcile::input::InputHandle;
use crate::settings::InitSettings;
use crate::shell::quoted;
use crate::style::{Paint, Tone};

/// Returns `Exit::Input` if a required field is still open, because `check` stops with the same.
pub(in crate::commands) fn run(settings: &InitSettings) -> Result<Exit, Failure> {
    let input = InputHandle::open(settings.input.clone())?;
    let done = init(&input, settings);
    // Nothing will read it again.
    if input.is_piped() {
        input.forget();
    }
    done
}

fn init(input: &InputHandle, settings: &InitSettings) -> Result<Exit, Failure> {
    let typed = &settings.input.options;
    let sample = FileSample::read(input.file(), typed)?;
    let columns = |fault| IntakeError::Columns { path: input.path().to_owned(), fault };
    let mut proposal = Proposal::of(&sample, typed).map_err(columns)?;
    if proposal.is_blank() || !sample.has_header() {
        // Fails with what is wrong with the file.
        input.feed(false)?;
    }
    if let (Ok(terminal), false) = (AskingTerminal::open(), input.is_piped()) {
        questions::ask(&mut proposal, &sample, &mut Terminal(terminal))?;
    }
    let options = proposal.options(typed).map_err(|error| Failure::of(Exit::Input, error))?;
    let preview = Preview::of(input, &options, sample.records())?;
    let command = next_command(settings);
    write(settings, &config_text(&proposal, &sample, settings, &command))?;
    let is_open = Field::ALL.into_iter().any(|field| field.is_required() && proposal.field(field).is_open());
    let printed = Printed {
        proposal: &proposal,
        sample: &sample,
        preview: preview.as_ref(),
        typed,
        input: input.shown(),
        output: shown(&settings.output).to_string(),
        command,
        masks: !io::stdout().is_terminal(),
    };
    stdout::write(proposal_text(&printed).as_bytes());
    Ok(if is_open { Exit::Input } else { Exit::Done })
}

struct Terminal(AskingTerminal);

impl Person for Terminal {
    /// A new question begins with an empty line; its own line is a heading.
    fn answer(&mut self, question: &str) -> Option<String> {
        match question.strip_prefix('\n').and_then(|question| question.split_once('\n')) {
            Some((heading, rest)) => {
                let heading = Paint::stderr().paint(Tone::Heading, heading);
                self.0.answer(&format!("\n{heading}\n{rest}"))
            }
            None => self.0.answer(question),
        }
    }
}

fn write(settings: &InitSettings, text: &str) -> Result<(), Failure> {
    let write = || -> io::Result<()> {
        let mut file = AtomicFile::create(&settings.output)?;
        file.write_all(text.as_bytes())?;
        if settings.may_replace { file.commit() } else { file.commit_new() }
    };
    write().map_err(|error| match error.kind() {
        // It was made while the questions were asked.
        io::ErrorKind::AlreadyExists if !settings.may_replace => settings.exists(),
        _ => Failure::new(Exit::Io, limits::told(&error)).context(format!("cannot write {}", shown(&settings.output))),
    })
}

/// Returns the command that checks the input as it is read now.
fn next_command(settings: &InitSettings) -> String {
    let program = std::env::args_os().next().unwrap_or_default();
    let [input, output] = [&settings.typed_input, &settings.output].map(|path| path.to_string_lossy());
    let words = [&program.to_string_lossy(), "check", &input, "--config", &output];
    words.map(quoted).join(" ")
}
