//! What the terminal shows below everything that was printed: a few lines that are drawn anew as
//! time passes. Pure: text and lines go in, bytes for the terminal come out.
//!
//! Between two drawings the cursor stays in the first cell of these lines. So whatever is printed
//! next first erases everything below the cursor, and no remains of older lines can stay: not even
//! if the terminal was made narrower and wrapped them, because it moves the cursor with its line.

use crate::terminal::TerminalSize;

/// Moves to the first cell of the line and erases everything from there on.
const ERASE: &str = "\r\u{1b}[J";
/// While these are in effect, a line that is too long is cut off and not continued below. The
/// terminal may have become narrower since its size was asked.
const NO_WRAP: &str = "\u{1b}[?7l";
const WRAP: &str = "\u{1b}[?7h";

#[derive(Debug, Default)]
pub(super) struct Screen {
    /// The lines below the text, and the size for which they were drawn. `None` if there are none.
    drawn: Option<(Vec<String>, TerminalSize)>,
    /// The last text has no line end, so the next one continues its line.
    is_mid_line: bool,
}

impl Screen {
    pub(super) fn has_lines(&self) -> bool {
        self.drawn.is_some()
    }

    /// Returns the bytes that print the text and then leave these lines below it: nothing if that
    /// changes nothing.
    pub(super) fn update(&mut self, text: &[u8], lines: Vec<String>, size: TerminalSize) -> Vec<u8> {
        // A terminal of one row still shows the first line.
        let lines: Vec<_> = lines.into_iter().take(size.rows.saturating_sub(1).max(1)).collect();
        let wanted = (!lines.is_empty()).then_some((lines, size));
        if text.is_empty() && wanted == self.drawn {
            return Vec::new();
        }
        let mut bytes = Vec::with_capacity(text.len() + 256);
        if self.drawn.take().is_some() {
            bytes.extend_from_slice(ERASE.as_bytes());
        }
        bytes.extend_from_slice(text);
        if let Some(last) = text.last() {
            self.is_mid_line = *last != b'\n';
        }
        if let Some((lines, size)) = wanted.filter(|_| !self.is_mid_line) {
            bytes.extend_from_slice(drawing(&lines).as_bytes());
            self.drawn = Some((lines, size));
        }
        bytes
    }
}

/// Returns the bytes that draw the lines and return to their first cell.
fn drawing(lines: &[String]) -> String {
    let up = lines.len() - 1;
    let up = if up > 0 { format!("\u{1b}[{up}A") } else { String::new() };
    format!("{NO_WRAP}{}\r{up}{WRAP}", lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: TerminalSize = TerminalSize { columns: 40, rows: 10 };

    fn lines(lines: &[&str]) -> Vec<String> {
        lines.iter().map(|line| (*line).to_owned()).collect()
    }

    fn updated(screen: &mut Screen, text: &str, below: &[&str]) -> String {
        String::from_utf8(screen.update(text.as_bytes(), lines(below), SIZE)).unwrap()
    }

    #[test]
    fn text_is_printed_above_the_lines_and_without_lines_it_is_as_it_was() {
        let mut screen = Screen::default();
        assert_eq!(updated(&mut screen, "a\n", &[]), "a\n");
        assert_eq!(updated(&mut screen, "", &["one", "two"]), "\u{1b}[?7lone\ntwo\r\u{1b}[1A\u{1b}[?7h");
        assert_eq!(updated(&mut screen, "b\n", &["one"]), "\r\u{1b}[Jb\n\u{1b}[?7lone\r\u{1b}[?7h");
        assert_eq!(updated(&mut screen, "", &[]), "\r\u{1b}[J");
        assert_eq!(updated(&mut screen, "c\n", &[]), "c\n");
    }

    #[test]
    fn what_is_shown_already_is_drawn_anew_only_if_the_size_changes() {
        let mut screen = Screen::default();
        updated(&mut screen, "", &["one"]);
        assert_eq!(updated(&mut screen, "", &["one"]), "");
        let narrower = TerminalSize { columns: 20, ..SIZE };
        assert_ne!(screen.update(b"", lines(&["one"]), narrower), b"");
    }

    #[test]
    fn no_line_is_drawn_behind_an_unfinished_one() {
        let mut screen = Screen::default();
        assert_eq!(updated(&mut screen, "Go on? ", &["one"]), "Go on? ");
        assert!(!screen.has_lines());
        assert!(updated(&mut screen, "y\n", &["one"]).starts_with("y\n"));
        assert!(screen.has_lines());
    }

    #[test]
    fn a_terminal_with_few_rows_keeps_one_for_the_text() {
        let mut screen = Screen::default();
        for (rows, shown) in [(1, "one"), (2, "one"), (3, "one\ntwo")] {
            let bytes = screen.update(b"", lines(&["one", "two", "three"]), TerminalSize { rows, ..SIZE });
            let drawn = String::from_utf8(bytes).unwrap();
            assert!(drawn.contains(&format!("\u{1b}[?7l{shown}\r")), "{rows}: {drawn:?}");
        }
    }
}
