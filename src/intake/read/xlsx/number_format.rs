//! How a number is shown, as far as it matters for whether the shown number is the stored one.

use super::date::DateParts;

/// How the numbers of a cell are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NumberFormat {
    pub(super) shows: Shows,
    /// Whether negative numbers and zero are shown in another way.
    pub(super) is_for_positive: bool,
}

/// What a number format makes of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shows {
    /// `General` and `@`: the number as it is.
    General,
    /// Digits: `0`, `000`, `0.00`, `#,##0`.
    Digits(Digits),
    Date(DateParts),
    /// A time that runs beyond a day, such as `[h]:mm`.
    Elapsed,
    /// Anything else: signs of currencies, percent, fractions, exponents, words, conditions.
    Other,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Digits {
    /// How many digits the number has at least, with leading zeros.
    pub(super) least: usize,
    /// How many decimals are shown at least.
    pub(super) least_decimals: usize,
    /// How many decimals are shown at most.
    pub(super) most_decimals: usize,
    /// Whether thousands are grouped.
    pub(super) is_grouped: bool,
}

/// One step of a format.
enum FormatToken {
    /// A character with a meaning.
    Sign(char),
    /// Text that is shown as it is.
    Literal,
    /// What is in square brackets.
    Bracket(String),
}

impl NumberFormat {
    pub(super) const GENERAL: Self = Self { shows: Shows::General, is_for_positive: false };
    /// A format of which nothing is known.
    pub(super) const OTHER: Self = Self { shows: Shows::Other, is_for_positive: false };

    /// Returns the format for one of the numbers that every workbook knows, or `None` if it is not
    /// one of them.
    pub(super) fn built_in(id: u32) -> Option<Self> {
        let date = |year, month, day, time| Some(Shows::Date(DateParts { year, month, day, time }));
        let shows = match id {
            0 | 49 => Some(Shows::General),
            1 => return Some(Self::of("0")),
            2 => return Some(Self::of("0.00")),
            3 => return Some(Self::of("#,##0")),
            4 => return Some(Self::of("#,##0.00")),
            14 | 15 => date(true, true, true, false),
            16 => date(false, true, true, false),
            17 => date(true, true, false, false),
            18..=21 | 45 | 47 => date(false, false, false, true),
            22 => date(true, true, true, true),
            46 => Some(Shows::Elapsed),
            // What most of these show depends on the language of the program.
            5..=13 | 23..=44 | 48 | 50..=81 => Some(Shows::Other),
            _ => None,
        };
        shows.map(|shows| Self { shows, is_for_positive: false })
    }

    /// Reads a format. Only its first section counts, which is the one for positive numbers.
    pub(super) fn of(code: &str) -> Self {
        let (first, is_for_positive) = first_section(code);
        Self { shows: Shows::of(&first), is_for_positive }
    }
}

impl Shows {
    fn of(section: &[FormatToken]) -> Self {
        for token in section {
            match token {
                FormatToken::Bracket(content) if is_elapsed(content) => return Self::Elapsed,
                FormatToken::Bracket(content) if !is_color(content) && !is_language(content) => return Self::Other,
                _ => {}
            }
        }
        let sign = |token: &FormatToken| if let FormatToken::Sign(sign) = token { Some(*sign) } else { None };
        let signs: String = section.iter().filter_map(sign).collect();
        if let Some(parts) = date_parts(&signs) {
            return Self::Date(parts);
        }
        if section.iter().any(|token| matches!(token, FormatToken::Literal)) {
            Self::Other
        } else if signs == "general" || signs == "@" {
            Self::General
        } else {
            digits(&signs).map_or(Self::Other, Self::Digits)
        }
    }
}

/// Whether a bracket holds hours, minutes or seconds.
fn is_elapsed(content: &str) -> bool {
    let mut letters = content.chars();
    letters.next().is_some_and(|first| matches!(first, 'h' | 'm' | 's') && letters.all(|letter| letter == first))
}

fn is_color(content: &str) -> bool {
    ["black", "blue", "cyan", "green", "magenta", "red", "white", "yellow"].contains(&content)
        || content.starts_with("color")
}

/// Whether a bracket such as `$-407` names a language, without the sign of a currency before it.
fn is_language(content: &str) -> bool {
    content.strip_prefix("$-").is_some_and(|language| !language.is_empty())
}

/// Returns the first section of a format in lower case, and whether other sections follow.
fn first_section(code: &str) -> (Vec<FormatToken>, bool) {
    let mut section = Vec::new();
    let mut characters = code.chars().map(|character| character.to_ascii_lowercase());
    while let Some(character) = characters.next() {
        match character {
            ';' => return (section, true),
            '\\' => {
                characters.next();
                section.push(FormatToken::Literal);
            }
            // The width of a character, and a character that fills the cell, are only space.
            '_' | '*' => drop(characters.next()),
            '"' => {
                if characters.by_ref().take_while(|next| *next != '"').count() > 0 {
                    section.push(FormatToken::Literal);
                }
            }
            '[' => section.push(FormatToken::Bracket(characters.by_ref().take_while(|next| *next != ']').collect())),
            sign => section.push(FormatToken::Sign(sign)),
        }
    }
    (section, false)
}

/// Returns the parts of a date that the signs of a format show, or `None` if it is not a date.
fn date_parts(signs: &str) -> Option<DateParts> {
    if signs == "general" || !signs.contains(['y', 'm', 'd', 'h', 's']) {
        return None;
    }
    let mut parts = DateParts::default();
    let letters: Vec<char> =
        signs.replace("am/pm", "").replace("a/p", "").chars().filter(|sign| "ymdhsbge".contains(*sign)).collect();
    let mut runs = letters.chunk_by(|one, other| one == other).peekable();
    let mut before = ' ';
    while let Some(run) = runs.next() {
        let (sign, next) = (run[0], runs.peek().map_or(' ', |run| run[0]));
        match sign {
            // Minutes stand beside hours or seconds.
            'm' if before == 'h' || next == 's' => parts.time = true,
            'm' => parts.month = true,
            'y' | 'e' | 'b' | 'g' => parts.year = true,
            'd' if run.len() <= 2 => parts.day = true,
            'd' => {}
            _ => parts.time = true,
        }
        before = sign;
    }
    (parts != DateParts::default()).then_some(parts)
}

/// Returns what a format of digits shows, or `None` if it shows anything else.
fn digits(text: &str) -> Option<Digits> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let is_placeholder = |sign: char| matches!(sign, '0' | '#');
    let is_grouped = whole.contains(',');
    let only = |text: &str| text.chars().all(is_placeholder);
    let zeros = |text: &str| text.chars().filter(|sign| *sign == '0').count();
    // A comma at the end divides by a thousand.
    let is_scaled = whole.starts_with(',') || whole.ends_with(',');
    let is_plain =
        !text.is_empty() && !whole.is_empty() && only(&whole.replace(',', "")) && only(decimals) && !is_scaled;
    is_plain.then(|| Digits {
        least: zeros(whole),
        least_decimals: zeros(decimals),
        most_decimals: decimals.len(),
        is_grouped,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(year: bool, month: bool, day: bool, time: bool) -> Shows {
        Shows::Date(DateParts { year, month, day, time })
    }

    #[test]
    fn formats_are_known_by_what_they_show() {
        let digits = |least, least_decimals, most_decimals, is_grouped| {
            Shows::Digits(Digits { least, least_decimals, most_decimals, is_grouped })
        };
        for (code, shows) in [
            ("General", Shows::General),
            ("@", Shows::General),
            ("[Red]General", Shows::General),
            ("0", digits(1, 0, 0, false)),
            ("00000", digits(5, 0, 0, false)),
            ("#,##0.00", digits(1, 2, 2, true)),
            ("0.0#", digits(1, 1, 2, false)),
            ("0_ ", digits(1, 0, 0, false)),
            ("0;-0", digits(1, 0, 0, false)),
            ("_-* #,##0_-;-* #,##0_-;_-* \"-\"_-;_-@_-", digits(1, 0, 0, true)),
            ("yyyy-mm-dd;@", date(true, true, true, false)),
            (";;;", Shows::Other),
            ("", Shows::Other),
            ("0%", Shows::Other),
            ("0.00E+00", Shows::Other),
            ("# ?/?", Shows::Other),
            ("0,", Shows::Other),
            ("\"+\"0", Shows::Other),
            ("\\+0", Shows::Other),
            ("+0", Shows::Other),
            ("[$€-407] 0", Shows::Other),
            ("0 \"km\"", Shows::Other),
            ("[<=9999999]###\\-####;\\(###\\)\\ ###\\-####", Shows::Other),
            ("000-000", Shows::Other),
            ("yyyy\\-mm\\-dd", date(true, true, true, false)),
            ("dd.mm.yyyy", date(true, true, true, false)),
            ("[$-F800]dddd, mmmm dd, yyyy", date(true, true, true, false)),
            ("d-mmm", date(false, true, true, false)),
            ("mmm-yy", date(true, true, false, false)),
            ("dddd mmmm yyyy", date(true, true, false, false)),
            ("hh:mm", date(false, false, false, true)),
            ("mm:ss", date(false, false, false, true)),
            ("h:mm AM/PM", date(false, false, false, true)),
            ("yyyy-mm-dd hh:mm:ss.000", date(true, true, true, true)),
            ("yyyy\"年\"m\"月\"d\"日\"", date(true, true, true, false)),
            ("[h]:mm:ss", Shows::Elapsed),
            ("[mm]:ss", Shows::Elapsed),
            ("dddd", Shows::Other),
        ] {
            assert_eq!(NumberFormat::of(code).shows, shows, "{code}");
        }
    }

    #[test]
    fn a_format_of_several_sections_is_for_positive_numbers() {
        for (code, is_for_positive) in [("0", false), ("0;-0", true), ("0\";\"", false), ("0;;;@", true)] {
            assert_eq!(NumberFormat::of(code).is_for_positive, is_for_positive, "{code}");
        }
    }
}
