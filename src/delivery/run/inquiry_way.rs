//! Decides in which way an inquiry asks, and in which order it reads pages. Pure.

use crate::api::{Extent, PER_PAGE};

/// So few customers are asked for one by one, without a look at the list.
pub(super) const FEW: usize = 2;

/// How an inquiry asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Page by page of the API's list of all customers.
    Pages,
    OneByOne,
}

/// Returns the way that takes fewer requests once the first page of the list is read, and how many
/// those are at most. `customers` are those that the first page did not have. A list that does not
/// say how many pages it has cannot be compared, so the customers are asked for one by one.
pub(super) fn way(last_page: Option<u32>, customers: usize) -> (Way, usize) {
    let pages = last_page.map(|last| last.saturating_sub(1) as usize);
    match pages {
        Some(pages) if pages <= customers => (Way::Pages, pages),
        _ => (Way::OneByOne, customers),
    }
}

/// Which page comes next: the first one, and then the others from the front, or from the back if an
/// earlier inquiry began at the front.
#[derive(Debug)]
pub(super) struct PageOrder {
    next: Option<u32>,
    from_the_back: bool,
}

impl PageOrder {
    pub(super) const fn new(from_the_back: bool) -> Self {
        Self { next: Some(1), from_the_back }
    }

    /// Returns the page to read, or `None` after the last one.
    pub(super) const fn next_page(&self) -> Option<u32> {
        self.next
    }

    /// Takes note of a page that was read.
    pub(super) fn heard(&mut self, page: u32, extent: &Extent) {
        self.from_the_back &= page > 1 || extent.last_page.is_some();
        self.next = match (self.from_the_back, page, extent.last_page) {
            (true, 1, last) => last.filter(|last| *last > 1),
            (true, page, _) => Some(page - 1).filter(|before| *before > 1),
            (false, page, Some(last)) => Some(page + 1).filter(|next| *next <= last),
            (false, page, None) if extent.rows >= u64::from(PER_PAGE) => Some(page + 1),
            (false, _, None) => None,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cheaper_way_is_taken_and_pages_if_both_cost_the_same() {
        for (last_page, customers, expected) in [
            (Some(10), 1000, (Way::Pages, 9)),
            (Some(10), 9, (Way::Pages, 9)),
            (Some(10), 8, (Way::OneByOne, 8)),
            (Some(1), 5, (Way::Pages, 0)),
            (None, 5000, (Way::OneByOne, 5000)),
        ] {
            assert_eq!(way(last_page, customers), expected, "{last_page:?} pages, {customers} customers");
        }
    }

    fn order(from_the_back: bool, last_page: Option<u32>, rows: impl Fn(u32) -> u64) -> Vec<u32> {
        let (mut order, mut read) = (PageOrder::new(from_the_back), Vec::new());
        while let Some(page) = order.next_page() {
            read.push(page);
            order.heard(page, &Extent { rows: rows(page), last_page, ..Extent::default() });
        }
        read
    }

    #[test]
    fn an_inquiry_that_continues_reads_the_last_pages_first_and_none_twice() {
        let full = |_| u64::from(PER_PAGE);
        assert_eq!(order(false, Some(4), full), [1, 2, 3, 4]);
        assert_eq!(order(true, Some(4), full), [1, 4, 3, 2]);
        assert_eq!(order(true, Some(1), full), [1]);
        assert_eq!(order(true, Some(2), full), [1, 2]);
        let ends_at_three = |page| if page < 3 { u64::from(PER_PAGE) } else { 5 };
        assert_eq!(order(false, None, ends_at_three), [1, 2, 3], "the pages are not counted");
        assert_eq!(order(true, None, ends_at_three), [1, 2, 3]);
    }
}
