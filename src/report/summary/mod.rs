//! The summary of a run, printed on stdout when it has ended.
//!
//! - `facts` is what a run did, whatever form says it; `error_groups` what went wrong, counted.
//! - `headline` is the first line of every form, and of a page.
//! - `text` is for a terminal and for mail, `markdown` to forward, `json` for programs. All three
//!   say the same.

mod error_groups;
mod facts;
mod headline;
mod json;
mod markdown;
mod text;

pub use error_groups::ErrorGroups;
pub use facts::{AllRuns, Summary};
pub use headline::Unended;

pub(in crate::report) use headline::Headline;
pub(in crate::report) use text::meaning;
