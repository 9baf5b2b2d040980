//! Which column, template or fixed value feeds each field.
//!
//! - `mapping`: the result for a whole file
//! - `presets`: the columns of other systems' exports

pub(super) mod mapping;
pub(super) mod presets;
