//! Fits the parts of a line into a width. Pure.

use console::{measure_text_width, truncate_str};

use crate::style::Tone;

/// A part of a line, with a shorter text for a narrow terminal.
#[derive(Clone, Debug)]
pub(super) struct Part {
    long: String,
    short: Option<String>,
    tone: Option<Tone>,
    /// Parts with higher ranks are shortened and left out first. A part of rank 0 always stays.
    rank: u8,
}

impl Part {
    pub(super) fn new(rank: u8, text: impl Into<String>) -> Self {
        Self { long: text.into(), short: None, tone: None, rank }
    }

    #[must_use]
    pub(super) fn or(mut self, short: impl Into<String>) -> Self {
        self.short = Some(short.into());
        self
    }

    #[must_use]
    pub(super) fn of(mut self, tone: Tone) -> Self {
        self.tone = Some(tone);
        self
    }
}

/// Between two parts.
const GAP: usize = 2;

/// Returns the width of the parts with a gap between them, in cells.
pub(super) fn width_of(parts: &[(String, Option<Tone>)], gap: usize) -> usize {
    parts.iter().map(|(text, _)| measure_text_width(text)).sum::<usize>() + gap * parts.len().saturating_sub(1)
}

/// Returns the parts that fit, in their order. If they do not fit as they are, all are shortened
/// one by one, and then left out one by one. A part that must stay and is still too long is cut
/// off.
pub(super) fn fitted(mut parts: Vec<Part>, width: usize) -> Vec<(String, Option<Tone>)> {
    while total(&parts) > width {
        let Some(part) = last_of_highest_rank(&mut parts, |part| part.short.is_some()) else { break };
        part.long = part.short.take().unwrap_or_default();
    }
    while total(&parts) > width {
        let highest = parts.iter().map(|part| part.rank).max().unwrap_or_default();
        if highest == 0 || parts.len() == 1 {
            break;
        }
        let last = parts.iter().rposition(|part| part.rank == highest).unwrap_or_default();
        parts.remove(last);
    }
    if let [only] = &mut parts[..] {
        only.long = truncate_str(&only.long, width, "…").into_owned();
    }
    parts.into_iter().map(|part| (part.long, part.tone)).collect()
}

fn total(parts: &[Part]) -> usize {
    parts.iter().map(|part| measure_text_width(&part.long)).sum::<usize>() + GAP * parts.len().saturating_sub(1)
}

fn last_of_highest_rank(parts: &mut [Part], is_wanted: impl Fn(&Part) -> bool) -> Option<&mut Part> {
    parts.iter_mut().filter(|part| is_wanted(part)).max_by_key(|part| part.rank)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(parts: Vec<Part>, width: usize) -> String {
        fitted(parts, width).into_iter().map(|(text, _)| text).collect::<Vec<_>>().join("  ")
    }

    #[test]
    fn the_least_important_parts_are_shortened_and_then_left_out_first() {
        let parts = || vec![Part::new(0, "aaaa"), Part::new(2, "bbbb").or("b"), Part::new(1, "cccc").or("cc")];
        for (width, expected) in [
            (16, "aaaa  bbbb  cccc"),
            (15, "aaaa  b  cccc"),
            (12, "aaaa  b  cc"),
            (10, "aaaa  cc"),
            (7, "aaaa"),
            (3, "aa…"),
        ] {
            assert_eq!(texts(parts(), width), expected, "{width}");
        }
    }

    #[test]
    fn wide_letters_count_twice() {
        for (width, expected) in [(6, "王小明"), (5, "王小…"), (4, "王…")] {
            assert_eq!(texts(vec![Part::new(0, "王小明")], width), expected);
        }
    }
}
