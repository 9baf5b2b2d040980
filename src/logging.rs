//! Logs, on standard error and nowhere else.
//!
//! Libraries that speak of headers and bodies are held at warnings whatever is asked for: a token or a person must not get out that way.

use std::borrow::Cow;
use std::io::{self, Write};

use tracing::{Level, Metadata};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::cli::{LogArgs, LogFormat};
use crate::output::{self, Weight};

/// What only programs want to know, for people see it elsewhere: which run a line belongs to, and how that ended. Off in text.
pub const FOR_PROGRAMS: &str = "for_programs";

const HELD_BACK: &str = "hyper=warn,hyper_util=warn,h2=warn,reqwest=warn,rustls=warn,axum=warn";

/// Starts logging for the whole process.
pub fn start(args: &LogArgs) {
    output::start(args.log_format == LogFormat::Json);
    let programs = if args.log_format == LogFormat::Json { level(args) } else { "off" };
    let filter = EnvFilter::new(format!("{},{HELD_BACK},{FOR_PROGRAMS}={programs}", level(args)));
    let logs =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(Stderr(Weight::Ordinary)).with_target(false);
    // Only a second start in one process can fail, and then the first one holds.
    match args.log_format {
        LogFormat::Json => drop(logs.json().flatten_event(true).with_span_list(false).try_init()),
        LogFormat::Text => drop(logs.with_ansi(io::IsTerminal::is_terminal(&io::stderr())).try_init()),
    }
}

const fn level(args: &LogArgs) -> &'static str {
    match (args.quiet, args.verbose) {
        (true, _) => "error",
        (false, 0) => "info",
        (false, 1) => "debug",
        (false, _) => "trace",
    }
}

/// Standard error that never fails and never blocks.
#[derive(Clone, Copy, Debug)]
struct Stderr(Weight);

impl Write for Stderr {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        output::show(bytes, self.0);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Stderr {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        *self
    }

    /// Errors are few, and the last of them says why a run stopped.
    fn make_writer_for(&'a self, event: &Metadata<'_>) -> Self {
        Self(if *event.level() == Level::ERROR { Weight::Needed } else { Weight::Ordinary })
    }
}

/// Words of others, with every e-mail in them cut down to what helps a person recognise it: `j***@e***`.
#[must_use]
pub fn masked(text: &str) -> String {
    text.split_inclusive(char::is_whitespace).map(masked_word).collect()
}

/// So many digits in a row may be a phone number.
const PHONE: usize = 7;

/// Words without the phone numbers in them.
#[must_use]
pub fn without_numbers(text: &str) -> Cow<'_, str> {
    let is_digit = |c: char| c.is_ascii_digit();
    if !text.split(|c| !is_digit(c)).any(|digits| digits.len() >= PHONE) {
        return Cow::Borrowed(text);
    }
    let (mut kept, mut rest) = (String::new(), text);
    while let Some(start) = rest.find(is_digit) {
        let end = rest[start..].find(|c| !is_digit(c)).map_or(rest.len(), |length| start + length);
        kept.push_str(&rest[..start]);
        kept.push_str(if end - start >= PHONE { "***" } else { &rest[start..end] });
        rest = &rest[end..];
    }
    Cow::Owned(kept + rest)
}

fn masked_word(word: &str) -> String {
    match word.split_once('@') {
        Some((local, domain)) => {
            let first = |part: &str| part.chars().find(|c| c.is_alphanumeric()).map(String::from).unwrap_or_default();
            format!("{}***@{}*** ", first(local), first(domain))
        }
        None => word.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{masked, without_numbers};

    #[test]
    fn emails_in_the_words_of_others_are_masked() {
        assert_eq!(masked("the mail \"jane.doe@example.com\" is bad"), "the mail j***@e*** is bad");
        assert_eq!(masked("nothing to hide"), "nothing to hide");
    }

    #[test]
    fn numbers_that_may_be_a_phones_are_masked_and_others_stay() {
        assert_eq!(
            without_numbers("may mean +4917612345678 or +123456 (ISO 3166-1)"),
            "may mean +*** or +123456 (ISO 3166-1)"
        );
        assert_eq!(without_numbers("1234567"), "***");
        assert_eq!(without_numbers("line 12"), "line 12");
    }
}
