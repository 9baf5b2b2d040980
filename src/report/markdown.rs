//! Text in Markdown.
//!
//! No renderer finds markup, a link or HTML in code, and the fence of a code is longer than any row
//! of backticks in its text, so that the text cannot end it.

use crate::domain::on_one_line;

/// Returns a text from outside as a code span on one line.
pub(super) fn code_span(text: &str) -> String {
    let text = on_one_line(text);
    if text.trim().is_empty() {
        return "(empty)".to_owned();
    }
    let fence = "`".repeat(longest_run(&text) + 1);
    // Renderers take one blank away at both ends if both have one, and a backtick at an end would
    // lengthen the fence.
    let edges = |sign| text.starts_with(sign) || text.ends_with(sign);
    let pad = if edges('`') || edges(' ') { " " } else { "" };
    format!("{fence}{pad}{text}{pad}{fence}")
}

/// Returns lines as a code block that can be copied.
pub(super) fn code_block(language: &str, lines: &str) -> String {
    let fence = "`".repeat((longest_run(lines) + 1).max(3));
    format!("{fence}{language}\n{}\n{fence}", lines.trim_end_matches('\n'))
}

/// Returns the length of the longest row of backticks.
fn longest_run(text: &str) -> usize {
    text.split(|character| character != '`').map(str::len).max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_from_outside_is_a_code_span_that_it_cannot_end() {
        for (text, expected) in [
            ("plain", "`plain`"),
            ("a|b", "`a|b`"),
            ("<img src=x onerror=alert(1)>", "`<img src=x onerror=alert(1)>`"),
            (
                "[here](https://evil.example) https://evil.example",
                "`[here](https://evil.example) https://evil.example`",
            ),
            ("a`b", "``a`b``"),
            ("`a` and ``b``", "``` `a` and ``b`` ```"),
            (" a ", "`  a  `"),
            ("\n# heading\n\n- item", "`\\n# heading\\n\\n- item`"),
            ("\u{202e}txt.exe", "`\\u{202e}txt.exe`"),
            ("", "(empty)"),
        ] {
            assert_eq!(code_span(text), expected);
        }
        assert_eq!(code_block("sh", "x '```' y\n"), "````sh\nx '```' y\n````");
    }
}
