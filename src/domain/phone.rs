//! Telephone numbers. The only module that knows the phone library.

/// A number in E.164 (`+2349039395114`).
#[derive(Clone, PartialEq, Eq)]
pub struct Phone(String);

impl Phone {
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
