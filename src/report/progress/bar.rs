//! The bar of a run, on a terminal.

use super::bar_text;
use super::counts::Counts;
use crate::output::{self, Footer};
use crate::style::Paint;

/// The bar, for as long as this value lives.
#[derive(Debug)]
pub(crate) struct Bar(());

impl Bar {
    pub(crate) fn start(counts: &Counts) -> Self {
        let bar = Self(());
        bar.show(counts);
        bar
    }

    /// Shows these counts from now on. Counts down by itself until the next ones.
    pub(crate) fn show(&self, counts: &Counts) {
        let counts = counts.clone();
        let lines = move |width, now| bar_text::lines(&counts, width, now, Paint::stderr());
        output::set_footer(Some(Footer::new(lines)));
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        output::set_footer(None);
    }
}
