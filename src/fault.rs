//! Bugs in this program: what a panic prints, and how the process ends after one.
//!
//! A panic anywhere prints one message like all others, as JSON if JSON is requested, and the exit
//! code is 74 instead of the standard library's 101. The ledger needs no clean-up: everything that
//! was sent is in it, so the same command continues from there.

use std::any::Any;
use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};

use serde_json::json;

use crate::output::{self, Weight};
use crate::style::Paint;

const HINT: &str = "what was sent is in the ledger: run the same command again, and report this bug";

/// Installs a hook that prints every panic in the format of all other messages.
pub fn show_panics() {
    std::panic::set_hook(Box::new(|panic| output::show(rendered(panic, output::is_json()).as_bytes(), Weight::Needed)));
}

/// Does the work and returns its value, or `None` if it panics.
pub fn caught<T>(work: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(work)).ok()
}

fn rendered(panic: &PanicHookInfo<'_>, in_json: bool) -> String {
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    let message = format!("internal error: {}", words(panic.payload()));
    if in_json {
        let timestamp = format!("{:.6}", jiff::Timestamp::now());
        let line = json!({"timestamp": timestamp, "level": "ERROR", "message": message, "place": place, "hint": HINT});
        return format!("{line}\n");
    }
    let trace = Backtrace::capture();
    let trace = if trace.status() == BacktraceStatus::Captured { format!("{trace}\n") } else { String::new() };
    Paint::stderr().failure(&format!("{message} ({place})"), Some(HINT)) + &trace
}

/// Returns the message of a panic without the values in it, because they may be people's data: such
/// values come after a colon or in quotes.
pub(crate) fn words(payload: &(dyn Any + Send)) -> String {
    if let Some(fixed) = payload.downcast_ref::<&'static str>() {
        return (*fixed).to_owned();
    }
    let made = payload.downcast_ref::<String>().map_or("a panic", String::as_str);
    let made = made.split_once(": ").map_or(made, |(before, _)| before);
    let quote = made.find(['"', '\'']).or_else(|| made.find(" of `").map(|at| at + " of".len()));
    let made = quote.map_or(made, |at| &made[..at]).trim_end();
    if made.is_empty() { "a panic".to_owned() } else { made.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_tells_what_happened_and_no_value() {
        for (made, shown) in [
            ("index out of bounds: the len is 3 but the index is 5", "index out of bounds"),
            ("called `Result::unwrap()` on an `Err` value: \"Ada\"", "called `Result::unwrap()` on an `Err` value"),
            ("end byte index 9 is out of bounds of `Ada Lovelace`", "end byte index 9 is out of bounds of"),
            (
                "byte index 1 is not a char boundary; it is inside 'é' (bytes 0..2) of `é`",
                "byte index 1 is not a char boundary; it is inside",
            ),
            ("\"Ada\"", "a panic"),
        ] {
            assert_eq!(words(&made.to_owned()), shown);
        }
        assert_eq!(words(&"a fixed text: of ours"), "a fixed text: of ours");
        assert_eq!(words(&7), "a panic");
    }
}
