//! `man`: manual pages, made of the help texts.

use clap::CommandFactory as _;
use clap::builder::Resettable;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};

use crate::cli::{Cli, after_help};
use crate::exit::Exit;
use crate::failure::Failure;

/// Returns the page of a command, or of the program if no command is named. Fails if there is no
/// such command.
pub(super) fn page(words: &[String]) -> Result<Vec<u8>, Failure> {
    let mut program = Cli::command();
    program.build();
    let mut command = &program;
    for word in words {
        command = command.find_subcommand(word).ok_or_else(|| {
            Failure::new(Exit::Usage, format!("there is no command {:?}", words.join(" ")))
                .hint("`customer-import help` lists the commands")
        })?;
    }
    render(command).map_err(|error| Failure::of(Exit::Io, error))
}

fn render(command: &clap::Command) -> std::io::Result<Vec<u8>> {
    let mut page = Vec::new();
    // The library would print the lines of examples as one paragraph.
    let options = command.clone().after_help(Resettable::Reset);
    let source = concat!("customer-import ", env!("CARGO_PKG_VERSION"));
    Man::new(options).source(source).manual("customer-import").render(&mut page)?;
    let after = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    if let Some(examples) = after.strip_prefix(after_help::EXAMPLES) {
        section("EXAMPLES", examples).to_writer(&mut page)?;
    }
    if let Some(codes) = after_help::PROGRAM.strip_prefix(after_help::EXIT_CODES) {
        section("EXIT STATUS", codes).to_writer(&mut page)?;
    }
    Ok(page)
}

/// Returns a section whose lines stay as they are.
fn section(title: &str, text: &str) -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", [title]).control("nf", []);
    text.lines().for_each(|line| {
        roff.text([roman(line)]);
    });
    roff.control("fi", []);
    roff
}
