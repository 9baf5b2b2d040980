//! Which column, template or fixed value feeds each field.
//!
//! - `rules`: what the user can say: `--map`, `--set`, `--extra`, `--where`; `values`: `--value`
//! - `selection`: which rows are records
//! - `presets`: the columns of other systems' exports
//! - `column_names`: the columns that a file has; `spelling`: when two spellings name the same
//!   column; `header_words`: what columns are called in languages other than English
//! - `sources`: what feeds a field; `template`: a text made of several cells
//! - `mapping`: the result for a whole file
//! - `fault`, `advice`: why columns cannot be matched, and what the user can do about it
//!
//! Rules: columns match by exact name, by a known alias, or by a preset, never by similarity. If
//! two columns match, that is an error. A column that is not matched stays in the file.

pub(super) mod advice;
pub(super) mod column_names;
pub(super) mod fault;
pub(super) mod header_words;
pub(super) mod mapping;
pub(super) mod presets;
pub(super) mod rules;
pub(super) mod selection;
pub(super) mod sources;
pub(super) mod spelling;
pub(super) mod template;
pub(super) mod values;
