//! The error for an input that changed while it was read.

/// The input changed while it was read. It is carried inside an [`io::Error`] through the layers
/// that read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the input changed while it was read")]
pub(crate) struct InputChanged;
