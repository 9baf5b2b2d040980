//! The bar on a terminal. The only file that knows how it is drawn.

use std::time::Instant;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::counts::Counts;

const TEMPLATE: &str = "{wide_bar} {pos}/{len}\n{msg}";

#[derive(Debug)]
pub(super) struct Bar(ProgressBar);

impl Bar {
    pub(super) fn start(counts: &Counts) -> Self {
        let (_, all) = counts.reached();
        let bar = ProgressBar::with_draw_target(Some(all), ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template(TEMPLATE) {
            bar.set_style(style);
        }
        Self(bar)
    }

    pub(super) fn show(&self, counts: &Counts, now: Instant) {
        let (done, _) = counts.reached();
        self.0.set_position(done);
        let trouble = counts.trouble.as_deref().unwrap_or_default();
        self.0.set_message(format!("{}  {}  {trouble}", counts.outcomes(), counts.pace(now)));
    }

    /// A line above the bar.
    pub(super) fn note(&self, line: &str) {
        self.0.println(line);
    }

    pub(super) fn finish(&self) {
        self.0.finish_and_clear();
    }
}
