//! Draws the part of a record that a violation is about, with marks below it, as compilers do.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use crate::domain::{InputForm, InputShape, RawRecord, shorten, visible};

/// The longest part of a cell that is shown, in characters.
const CELL: usize = 40;
/// How much of a long NDJSON line is shown on either side of the value, in bytes.
const SIDE: usize = 200;

/// A record on one line, and the range of it that the violation is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Excerpt {
    text: String,
    span: Range<usize>,
}

impl Excerpt {
    /// Returns the excerpt for a violation in `column`. Returns `None` if the record has nothing to
    /// point at: if no column feeds the field, or the line is not an object.
    pub(crate) fn of(shape: &InputShape, raw: &RawRecord, column: &str) -> Option<Self> {
        match (&shape.form, raw) {
            (InputForm::Csv { delimiter, header }, RawRecord::Cells(cells)) => {
                let name = |cell: &Vec<u8>| String::from_utf8_lossy(cell).trim() == column;
                let pointed = if column.is_empty() { None } else { Some(header.iter().position(name)?) };
                Self::of_cells(char::from(*delimiter), cells, pointed)
            }
            (InputForm::Ndjson, RawRecord::Line(line)) => Self::of_line(&String::from_utf8_lossy(line), column),
            _ => None,
        }
    }

    fn of_cells(delimiter: char, cells: &[Vec<u8>], pointed: Option<usize>) -> Option<Self> {
        let (mut text, mut span) = (String::new(), None);
        for (index, cell) in cells.iter().enumerate() {
            if index > 0 {
                text.push(delimiter);
            }
            let begin = text.len();
            text.push_str(&shown_cell(cell, delimiter));
            if pointed == Some(index) {
                span = Some(begin..text.len());
            }
        }
        let span = if pointed.is_none() { 0..text.len() } else { span? };
        Some(Self { text, span })
    }

    fn of_line(line: &str, column: &str) -> Option<Self> {
        let value = value_of(line, column.rsplit('.').next().unwrap_or(column))?;
        let begin = boundary_below(line, value.start.saturating_sub(SIDE));
        let end = boundary_below(line, (value.end.min(value.start + SIDE) + SIDE).min(line.len()));
        let mut text = String::from(if begin > 0 { "…" } else { "" });
        text.extend(line[begin..value.start].chars().flat_map(visible));
        let from = text.len();
        text.extend(line[value.start..value.end.min(end)].chars().flat_map(visible));
        let span = from..text.len();
        text.extend(line[value.end.min(end)..end].chars().flat_map(visible));
        if end < line.len() {
            text.push('…');
        }
        Some(Self { text, span })
    }

    /// Returns the same excerpt with its data masked, because logs and e-mails must not hold
    /// personal data.
    pub(crate) fn masked(&self) -> Self {
        let Self { text, span } = self;
        let [before, pointed, after] = [&text[..span.start], &text[span.clone()], &text[span.end..]].map(masked_cell);
        let span = before.len()..before.len() + pointed.len();
        Self { text: before + &pointed + &after, span }
    }

    /// Returns the excerpt with its marked part cut to `room` columns. The renderer cuts only the
    /// text beside the marked part, so a long one would not fit into a narrow terminal.
    fn narrowed(&self, room: usize) -> Self {
        let pointed = &self.text[self.span.clone()];
        if console::measure_text_width(pointed) <= room {
            return self.clone();
        }
        let shown = console::truncate_str(pointed, room, "…");
        let (before, after) = (&self.text[..self.span.start], &self.text[self.span.end..]);
        Self { text: format!("{before}{shown}{after}"), span: before.len()..before.len() + shown.len() }
    }

    /// Draws the excerpt, at most `width` columns wide, with its line number and the marks below.
    pub(crate) fn draw(&self, line: u64, width: usize, styled: bool) -> String {
        let renderer = if styled { Renderer::styled() } else { Renderer::plain() };
        let number = usize::try_from(line).unwrap_or(usize::MAX);
        let Self { text, span } = self.narrowed(width.saturating_sub(line.to_string().len() + BESIDE));
        let snippet = Snippet::source(&text).line_start(number).annotation(AnnotationKind::Primary.span(span));
        renderer.term_width(width).render(&[Group::with_level(Level::ERROR).element(snippet)])
    }
}

/// Replaces letters and digits by stars of the same width. Punctuation, blanks and delimiters stay,
/// because they show the form of a cell.
pub(crate) fn masked_cell(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_ascii() && !character.is_ascii_alphanumeric() || character == '…' {
            masked.push(character);
        } else {
            let width = console::measure_text_width(character.encode_utf8(&mut [0; 4]));
            masked.extend(std::iter::repeat_n('*', width));
        }
    }
    masked
}

/// Columns that the renderer needs beside the marked part: the margin, and the dots if it cuts the
/// text on both sides.
const BESIDE: usize = 9;

/// Returns the last character boundary at or before `at`.
fn boundary_below(text: &str, at: usize) -> usize {
    (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

fn shown_cell(cell: &[u8], delimiter: char) -> String {
    let shown = shorten(&String::from_utf8_lossy(cell), CELL);
    if shown.contains([delimiter, '"']) { format!("\"{}\"", shown.replace('"', "\"\"")) } else { shown }
}

/// Returns the range of a key's value in a line of JSON, or `None` if the line does not have the
/// key. A key of the same name at another depth may be found first; that is good enough because the
/// range is only shown.
fn value_of(line: &str, key: &str) -> Option<Range<usize>> {
    let quoted = serde_json::to_string(key).ok()?;
    let mut from = 0;
    while let Some(found) = line[from..].find(&quoted) {
        let after = from + found + quoted.len();
        let rest = line[after..].trim_start();
        if let Some(value) = rest.strip_prefix(':') {
            let value = value.trim_start();
            let begin = line.len() - value.len();
            return Some(begin..begin + length_of_value(value));
        }
        from = after;
    }
    None
}

/// Returns the length of the JSON value at the start of `text`, or of the text up to the next `,`
/// or `}` if it is not JSON.
fn length_of_value(text: &str) -> usize {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<serde::de::IgnoredAny>();
    match values.next() {
        Some(Ok(_)) => values.byte_offset(),
        _ => text.find([',', '}']).unwrap_or(text.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn csv(cells: &[&str], column: &str) -> Option<Excerpt> {
        let form = InputForm::Csv { delimiter: b',', header: vec![b"name".to_vec(), b" phone ".to_vec()] };
        let cells = cells.iter().map(|cell| cell.as_bytes().to_vec()).collect();
        Excerpt::of(&shaped(form), &RawRecord::Cells(cells), column)
    }

    fn shaped(form: InputForm) -> InputShape {
        InputShape { form, byte_order_mark: false }
    }

    fn json(line: &str, column: &str) -> Option<Excerpt> {
        Excerpt::of(&shaped(InputForm::Ndjson), &RawRecord::Line(line.as_bytes().to_vec()), column)
    }

    fn pointed(excerpt: &Excerpt) -> &str {
        &excerpt.text[excerpt.span.clone()]
    }

    #[test]
    fn the_cell_is_marked_under_its_line() {
        let drawn = csv(&["Ann", "030 1"], "phone").unwrap().draw(13, 80, false);
        assert_eq!(drawn, "   |\n13 | Ann,030 1\n   |     ^^^^^");
    }

    #[test]
    fn a_masked_record_keeps_its_shape_and_its_marks_and_none_of_its_letters_and_digits() {
        let excerpt = csv(&["王 Ånn-e\u{301}", "+49 (30) 1234@x.y"], "phone").unwrap().masked();
        assert_eq!(excerpt.text, "** ***-*,+** (**) ****@*.*");
        assert_eq!(pointed(&excerpt), "+** (**) ****@*.*");
        let excerpt = json(r#"{"name":"Ada","phone":"030"}"#, "phone").unwrap().masked();
        assert_eq!((excerpt.text.as_str(), pointed(&excerpt)), (r#"{"****":"***","*****":"***"}"#, r#""***""#));
    }

    #[test]
    fn a_wide_record_is_cut_to_the_width_around_its_cell() {
        let header: Vec<_> = (0..100).map(|n| format!("column {n}").into_bytes()).collect();
        let cells = (0..100).map(|n| format!("value {n}").into_bytes()).collect();
        let shape = shaped(InputForm::Csv { delimiter: b';', header });
        let drawn = Excerpt::of(&shape, &RawRecord::Cells(cells), "column 60").unwrap().draw(2, 60, false);
        assert!(drawn.contains("value 60"), "{drawn}");
        assert!(drawn.lines().all(|line| console::measure_text_width(line) <= 66), "{drawn}");
    }

    #[test]
    fn marks_stand_under_their_cell_whatever_the_width_and_the_script() {
        for name in ["Ada", "王小明", "김민준", "ｶﾀｶﾅ", "e\u{301}va", "हिन्दी", "👩‍👩‍👧", "naïve", &"長".repeat(200)]
        {
            for width in [40, 80, 200] {
                let drawn = csv(&[name, "030 1"], "phone").unwrap().draw(7, width, false);
                let [_, line, marks] = drawn.lines().collect::<Vec<_>>()[..] else { panic!("{drawn}") };
                let (before, _) = line.split_once("030 1").unwrap();
                let (blank, _) = marks.split_once("^^^^^").unwrap();
                assert_eq!(console::measure_text_width(before), console::measure_text_width(blank), "{drawn}");
                assert!(console::measure_text_width(line) <= width + 6, "{width}\n{drawn}");
            }
        }
    }

    #[test]
    fn control_characters_and_long_cells_do_not_reach_the_terminal() {
        let excerpt = csv(&["a\u{1b}[2J\nb", &"x".repeat(500)], "phone").unwrap();
        assert!(excerpt.text.starts_with(r"a\u{1b}[2J\nb,"), "{excerpt:?}");
        assert_eq!(pointed(&excerpt), format!("{}…", "x".repeat(CELL)));
    }

    #[test]
    fn the_whole_record_is_meant_where_no_column_is_named_and_nothing_where_none_has_the_name() {
        assert_eq!(pointed(&csv(&["a", "b", "c"], "").unwrap()), "a,b,c");
        assert_eq!(csv(&["a", "b"], "country"), None);
        assert_eq!(csv(&["a"], "phone"), None);
    }

    #[test]
    fn a_value_of_json_is_found_however_it_is_written() {
        assert_eq!(pointed(&json(r#"{"x":"phone", "phone" : "+49 \" 1", "y":2}"#, "phone").unwrap()), r#""+49 \" 1""#);
        assert_eq!(pointed(&json(r#"{"address":{"country":null}}"#, "address.country").unwrap()), "null");
        assert_eq!(json(r#"{"name":1}"#, "phone"), None);
    }

    #[test]
    fn a_long_line_of_json_is_cut_on_both_sides() {
        let line = format!(r#"{{"a":"{0}","phone":"{0}","z":"{0}"}}"#, "é".repeat(5000));
        let excerpt = json(&line, "phone").unwrap();
        assert!(excerpt.text.len() < 1000 && excerpt.text.starts_with('…') && excerpt.text.ends_with('…'));
        assert!(pointed(&excerpt).starts_with("\"é"));
    }
}
