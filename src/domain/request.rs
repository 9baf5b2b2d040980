//! The kinds of requests, and how one can end, as far as a plot over time shows it.

use super::attempt::{AttemptResult, DoubtCause};

/// The kind of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Request {
    /// `POST /customer`.
    Create,
    /// `GET /customer`.
    LookUp,
    /// A login or a refresh.
    Credentials,
}

impl Request {
    pub const ALL: [Self; 3] = [Self::Create, Self::LookUp, Self::Credentials];
}

/// How a request ended. A small fixed set, because each minute of a run counts every class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ResponseClass {
    /// A customer was created, a page was read, a token was obtained.
    Success,
    /// The API understood the request and did not do it.
    Rejected,
    /// 429.
    Throttled,
    /// 5xx, of the application or of a gateway.
    ServerError,
    /// No response, or one that means nothing.
    Silence,
    /// Surely nothing was sent.
    NotSent,
    /// Anything else, such as a token that was refused.
    Other,
}

impl ResponseClass {
    pub const ALL: [Self; 7] =
        [Self::Success, Self::Rejected, Self::Throttled, Self::ServerError, Self::Silence, Self::NotSent, Self::Other];

    /// Returns the class of the result of a `POST /customer`.
    #[must_use]
    pub const fn of_attempt(result: &AttemptResult) -> Self {
        match result {
            AttemptResult::Created { .. } => Self::Success,
            AttemptResult::EmailRefused { .. } | AttemptResult::Rejected(_) | AttemptResult::Refused { .. } => {
                Self::Rejected
            }
            AttemptResult::Throttled { .. } => Self::Throttled,
            AttemptResult::ServerError(_) | AttemptResult::Unanswered { cause: DoubtCause::Gateway, .. } => {
                Self::ServerError
            }
            AttemptResult::Unanswered { .. } => Self::Silence,
            AttemptResult::NotSent { .. } => Self::NotSent,
            AttemptResult::KeyExpired
            | AttemptResult::InProgress(_)
            | AttemptResult::Unauthorized
            | AttemptResult::Stop(_) => Self::Other,
        }
    }

    /// Whether a response came, so that its latency says something about the server.
    #[must_use]
    pub const fn is_answered(self) -> bool {
        !matches!(self, Self::Silence | Self::NotSent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Complaint, ComplaintCode};

    #[test]
    fn a_gateways_failure_is_a_server_error_and_a_lost_answer_is_silence() {
        let complaint = Complaint { code: ComplaintCode::NoAnswer, message: String::new() };
        for (cause, class) in [
            (DoubtCause::Gateway, ResponseClass::ServerError),
            (DoubtCause::Silence, ResponseClass::Silence),
            (DoubtCause::Unintelligible, ResponseClass::Silence),
        ] {
            let result = AttemptResult::Unanswered { cause, complaint: complaint.clone(), pause: None };
            assert_eq!(ResponseClass::of_attempt(&result), class);
        }
        assert_eq!(ResponseClass::of_attempt(&AttemptResult::ServerError(complaint)), ResponseClass::ServerError);
    }
}
