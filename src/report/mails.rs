//! How many KYC e-mails a run asked for.

use crate::domain::{counted, grouped};

/// KYC e-mails, by what is known of the customers that a run created.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MailCounts {
    /// Created customers whose row asks for an e-mail.
    pub asked: u64,
    /// Created customers of whom it is unknown, because their row cannot be read any more.
    pub unknown: u64,
}

impl MailCounts {
    /// Counts a created customer.
    pub const fn add(&mut self, send_kyc_mail: Option<bool>) {
        match send_kyc_mail {
            Some(true) => self.asked += 1,
            Some(false) => {}
            None => self.unknown += 1,
        }
    }

    /// Returns the number for people, and a note that explains it, which is empty if no customer
    /// was created. `created` is the number of created customers.
    pub(super) fn in_words(self, created: u64) -> (String, String) {
        match self.unknown {
            0 if created == 0 => (grouped(self.asked), String::new()),
            0 => (grouped(self.asked), format!("asked for with {}", counted(created, "created customer"))),
            unknown if unknown == created => {
                ("unknown".to_owned(), "because the input could not be read again".to_owned())
            }
            unknown => (
                format!("at least {}", grouped(self.asked)),
                format!("and unknown for {}", counted(unknown, "customer")),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_number_of_mails_is_not_called_none() {
        let words = |asked, unknown, created| {
            let (number, note) = MailCounts { asked, unknown }.in_words(created);
            format!("{number} {note}")
        };
        assert_eq!(words(0, 0, 0), "0 ");
        assert_eq!(words(2, 0, 3), "2 asked for with 3 created customers");
        assert_eq!(words(0, 3, 3), "unknown because the input could not be read again");
        assert_eq!(words(1, 2, 4), "at least 1 and unknown for 2 customers");
    }
}
