//! The rows of the table: those that need a person, and with `--include-links` those with a link.

use askama::Template;

use super::bounds::{KYC_WIDTH, LINK_WIDTH, MOST_BYTES, MOST_ROWS, NAME_WIDTH, REASON_WIDTH};
use crate::domain::{ReportLine, Status, on_one_line, shorten};
use crate::report::human::utc;

/// Which columns the table has beside those of every page.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::report::formats) struct PageColumns {
    /// KYC links, and with them the rows of customers that have one.
    pub links: bool,
    /// KYC statuses and when the API said them.
    pub checks: bool,
}

/// The rows of a page, already as HTML, in bounded memory.
#[derive(Debug, Default)]
pub(super) struct PageRows {
    columns: PageColumns,
    rows: Vec<String>,
    bytes: usize,
    /// Rows for which there was no room, by status.
    left_out: Vec<(Status, u64)>,
}

#[derive(Template)]
#[template(path = "row.html")]
struct RowTemplate<'a> {
    row: u64,
    line: u64,
    name: String,
    email: String,
    status: &'static str,
    code: &'a str,
    reason: String,
    kyc: String,
    checked_at: String,
    link: Option<&'a str>,
    columns: PageColumns,
}

impl PageRows {
    pub(super) fn new(columns: PageColumns) -> Self {
        Self { columns, ..Self::default() }
    }

    /// Takes a line up if the table shows it and has room. Rows come in the order of the input.
    pub(super) fn add(&mut self, line: &ReportLine) -> askama::Result<()> {
        if !needs_person(line.status) && self.link(line).is_none() {
            return Ok(());
        }
        if self.rows.len() < MOST_ROWS {
            let row = self.row(line).render()?;
            if self.bytes + row.len() <= MOST_BYTES {
                self.bytes += row.len();
                self.rows.push(row);
                return Ok(());
            }
        }
        match self.left_out.iter_mut().find(|(status, _)| *status == line.status) {
            Some((_, number)) => *number += 1,
            None => self.left_out.push((line.status, 1)),
        }
        Ok(())
    }

    fn row<'a>(&self, line: &'a ReportLine) -> RowTemplate<'a> {
        let reason = if line.error.is_empty() { &line.warning } else { &line.error };
        RowTemplate {
            row: line.position.row,
            line: line.position.line,
            name: shorten(line.name.as_deref().unwrap_or_default(), NAME_WIDTH),
            email: shorten(&line.email, NAME_WIDTH),
            status: line.status.as_str(),
            code: &line.error_code,
            reason: shorten(reason, REASON_WIDTH),
            kyc: shorten(line.receipt.kyc_status.as_deref().unwrap_or_default(), KYC_WIDTH),
            checked_at: line.kyc_checked_at.map(utc).unwrap_or_default(),
            link: self.link(line),
            columns: self.columns,
        }
    }

    /// Returns the link of a customer, if the page shows links and the whole link fits.
    fn link<'a>(&self, line: &'a ReportLine) -> Option<&'a str> {
        let link = line.receipt.kyc_link.as_deref().filter(|_| self.columns.links)?;
        (link.len() <= LINK_WIDTH && on_one_line(link) == link).then_some(link)
    }

    pub(super) fn rows(&self) -> &[String] {
        &self.rows
    }

    pub(super) fn left_out(&self) -> &[(Status, u64)] {
        &self.left_out
    }

    pub(super) const fn columns(&self) -> PageColumns {
        self.columns
    }
}

/// Returns whether no later run ends such a record well by itself, or a person should know of it.
pub(super) const fn needs_person(status: Status) -> bool {
    matches!(status, Status::Invalid | Status::Rejected | Status::Failed | Status::InDoubt | Status::Changed)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::Receipt;
    use crate::report::formats::html::bounds::tests::line;

    fn shown(with_links: bool, line: &ReportLine) -> String {
        let mut rows = PageRows::new(PageColumns { links: with_links, checks: true });
        rows.add(line).unwrap();
        rows.rows().concat()
    }

    #[test]
    fn markup_in_any_cell_is_text() {
        for hostile in ["<script>alert(1)</script>", "\"><img src=x onerror=y>", "'onclick=x", "</td></table>", "&lt;"]
        {
            let cell = || hostile.to_owned();
            let receipt = Receipt { kyc_link: Some(cell()), ..Receipt::default() };
            let hostile_line = ReportLine {
                email: cell(),
                name: Some(hostile.into()),
                error_code: cell(),
                receipt,
                ..line(1, Status::Invalid, hostile)
            };
            let (hostile_row, plain) = (shown(true, &hostile_line), shown(true, &line(1, Status::Invalid, "x")));
            assert!(!hostile_row.contains(hostile) || hostile == "&lt;", "{hostile_row}");
            let tags = |row: &str| row.matches('<').count();
            assert!(tags(&hostile_row) <= tags(&plain) + 6, "{hostile_row}");
            assert!(!hostile_row.contains("<script") && !hostile_row.contains("<img"), "{hostile_row}");
        }
    }

    #[test]
    fn a_link_is_shown_only_if_it_is_asked_for_and_makes_a_created_row_worth_showing() {
        let link = "https://kyc.example/?a=1".to_owned();
        let receipt = Receipt { kyc_link: Some(link.clone()), ..Receipt::default() };
        let created = ReportLine { receipt, ..line(1, Status::Created, "") };
        assert_eq!(shown(false, &created), "");
        assert!(shown(true, &created).contains(&link));
    }

    #[test]
    fn rows_without_room_are_counted_by_status() {
        let mut rows = PageRows::default();
        for row in 0..MOST_ROWS as u64 + 10 {
            let status = if row % 2 == 0 { Status::Invalid } else { Status::Rejected };
            rows.add(&line(row, status, "")).unwrap();
            rows.add(&line(row, Status::Created, "")).unwrap();
        }
        assert_eq!(rows.rows().len(), MOST_ROWS);
        assert_eq!(rows.left_out(), [(Status::Invalid, 5), (Status::Rejected, 5)]);
    }

    proptest! {
        #[test]
        fn rows_are_bounded_whatever_they_hold(parts in prop::collection::vec(prop::sample::select(vec!["&", "<", "\"", "é", "x", "\u{202e}", "\u{2028}", "\n", "😀"]), 0..600)) {
            let cell = parts.concat();
            let mut rows = PageRows::default();
            let long = ReportLine { name: Some(cell.clone().into()), ..line(1, Status::Invalid, &cell) };
            for _ in 0..3 {
                rows.add(&long).unwrap();
            }
            let one = rows.rows().first().map_or(0, String::len);
            prop_assert!(one < 12_000 && rows.bytes <= MOST_BYTES);
            let is_hidden = rows.rows().concat().contains(['\u{202e}', '\u{2028}']);
            prop_assert!(!is_hidden);
        }
    }
}
