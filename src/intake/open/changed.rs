//! The error of an input that changed while it was read.

/// Says that an input is not what it was. It travels within an [`io::Error`] through the layers
/// that read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the input changed while it was read")]
pub(crate) struct InputChanged;
