//! Which column, template or fixed value feeds each field.
//!
//! - `rules`: what the user may say: `--map`, `--set`, `--extra`
//! - `presets`: the columns of other systems' exports
//! - `column_names`: the columns that a file has; `spelling`: when two spellings name the same one;
//!   `header_words`: what columns are called in other languages than English
//! - `sources`: what feeds a field; `template`: a text made of several cells
//! - `mapping`: the result for a whole file
//! - `fault`, `advice`: why columns cannot be matched, and what to do about it

mod advice;
pub(super) mod column_names;
pub(super) mod fault;
mod header_words;
pub(super) mod mapping;
pub(super) mod presets;
pub(super) mod rules;
pub(super) mod sources;
mod spelling;
pub(super) mod template;
