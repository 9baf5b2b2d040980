//! Tells a quote that was written `\"` from a cell that ends with a backslash.
//!
//! In CSV a quote within a quoted cell is written twice, and a backslash is a letter like any
//! other. Programs that write `\"` instead leave something that no correct writer makes: after the
//! quote comes neither another one, a delimiter nor a line end.

/// Where the next byte of a record is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum QuoteState {
    CellStart,
    Plain,
    Quoted,
    /// After a quote in a quoted cell: its end, or the first of two.
    AfterQuote,
}

/// Returns the index of the first cell of a record with `\"` in quotes, or `None` if there is none
/// or all quotes of the record are where a correct writer puts them. `raw` is the record as it was
/// read, of which everything after the first stray quote may belong to another cell.
pub(super) fn first_escaped_quote(raw: &[u8], delimiter: u8) -> Option<usize> {
    let (mut state, mut cell, mut found) = (QuoteState::CellStart, 0, None);
    let mut before = 0;
    for &byte in raw {
        let is_delimiter = byte == delimiter;
        state = match (state, byte) {
            (QuoteState::Quoted, b'"') => {
                if before == b'\\' {
                    found = found.or(Some(cell));
                }
                QuoteState::AfterQuote
            }
            (QuoteState::Quoted, _) | (QuoteState::AfterQuote, b'"') => QuoteState::Quoted,
            (QuoteState::CellStart, b'"') => QuoteState::Quoted,
            _ if is_delimiter => {
                cell += 1;
                QuoteState::CellStart
            }
            (_, b'\r' | b'\n') => QuoteState::CellStart,
            // A quote that is not at the beginning of its cell, or a letter after the last quote.
            (QuoteState::Plain, b'"') | (QuoteState::AfterQuote, _) if found.is_some() => return found,
            _ => QuoteState::Plain,
        };
        before = byte;
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_quote_after_a_backslash_is_escaped_if_its_cell_goes_on_after_it() {
        for (raw, cell) in [
            (r#"a,"Dwayne \"Rock\" Jay",b"#, Some(1)),
            (r#""\"Rock\" Jay""#, Some(0)),
            (r#""Ada \"King\"""#, Some(0)),
            (r#""Screen 15\" wide""#, Some(0)),
            (r#""Ada \"King, Countess\"""#, Some(0)),
            // Two cells either way; a correct writer would not leave the last quote.
            (r#""5\"",",b""#, Some(0)),
            (r#"a,"C:\""#, None),
            (r#""C:\",b"#, None),
            (r#""\""",b"#, None),
            (r#""a\b""","#, None),
            (r#""{""a"":""b\""c\""""}",x"#, None),
            (r#"5\" wide,15\""#, None),
            (r#""Dwayne "Rock" Jay",AC\DC"#, None),
        ] {
            assert_eq!(first_escaped_quote(raw.as_bytes(), b','), cell, "{raw}");
        }
    }

    proptest! {
        #[test]
        fn a_correct_writer_never_escapes_a_quote(
            rows in prop::collection::vec(prop::collection::vec("[a\"\\\\,; \n\r]{0,8}", 3), 1..4),
            delimiter in prop::sample::select(b",;\t|".to_vec()),
        ) {
            let mut writer = csv::WriterBuilder::new().delimiter(delimiter).from_writer(Vec::new());
            for row in &rows {
                writer.write_record(row).unwrap();
            }
            prop_assert_eq!(first_escaped_quote(&writer.into_inner().unwrap(), delimiter), None);
        }
    }
}
