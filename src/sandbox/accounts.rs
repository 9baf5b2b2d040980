//! The customers of the one account, and the e-mails that the server sent them.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;
use unicode_normalization::{UnicodeNormalization as _, char::is_combining_mark};
use uuid::Uuid;

use super::{form::Form, pattern::like};

/// A saved customer.
#[derive(Debug)]
pub(super) struct Customer {
    pub(super) id: String,
    pub(super) customer_id: String,
    pub(super) name: String,
    pub(super) email: String,
    pub(super) phone: String,
    pub(super) country: String,
    pub(super) kind: String,
    pub(super) created_at: Timestamp,
}

/// All customers in the order in which they were saved. The tables are trees, because a hash table
/// that doubles in size holds up every waiting client.
#[derive(Debug, Default)]
pub(super) struct Accounts {
    customers: Vec<Arc<Customer>>,
    /// Customers per e-mail. If `racy`, there can be more than one.
    per_email: BTreeMap<String, usize>,
    by_id: BTreeMap<String, Arc<Customer>>,
    mails: BTreeMap<String, usize>,
    /// Whether the comparison ignores accents and width too.
    folded: bool,
}

/// One page of the customers that were asked for, and how many there are in all.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) rows: Vec<Arc<Customer>>,
    pub(super) total: usize,
    pub(super) per_page: usize,
    pub(super) number: usize,
}

impl Page {
    /// Returns the number of the last page; there is always a first one.
    pub(super) fn last(&self) -> usize {
        self.total.div_ceil(self.per_page).max(1)
    }
}

impl Accounts {
    /// Creates an account without customers. If `folded`, e-mails that differ only in accents and
    /// width are equal.
    pub(super) fn new(folded: bool) -> Self {
        Self { folded, ..Self::default() }
    }

    /// Saves a customer without checking whether the e-mail is free, and counts the e-mail to the
    /// customer if one is sent.
    pub(super) fn add(&mut self, form: &Form) -> Arc<Customer> {
        let customer = Arc::new(Customer {
            id: Uuid::now_v7().to_string(),
            customer_id: Uuid::now_v7().to_string(),
            name: form.name.clone(),
            email: form.email.clone(),
            phone: form.phone.clone(),
            country: form.country.clone(),
            kind: form.kind.clone(),
            created_at: Timestamp::now(),
        });
        let key = self.key(&form.email);
        if form.mail {
            *self.mails.entry(key.clone()).or_default() += 1;
        }
        *self.per_email.entry(key).or_default() += 1;
        self.by_id.insert(customer.customer_id.clone(), Arc::clone(&customer));
        self.customers.push(Arc::clone(&customer));
        customer
    }

    /// Returns the number of customers.
    pub(super) fn len(&self) -> usize {
        self.customers.len()
    }

    /// Returns the number of customers with this e-mail.
    pub(super) fn with_email(&self, email: &str) -> usize {
        self.per_email.get(&self.key(email)).copied().unwrap_or_default()
    }

    /// Returns the number of e-mails that were sent to this address.
    pub(super) fn mails_to(&self, email: &str) -> usize {
        self.mails.get(&self.key(email)).copied().unwrap_or_default()
    }

    pub(super) fn by_id(&self, customer_id: &str) -> Option<Arc<Customer>> {
        self.by_id.get(customer_id).cloned()
    }

    /// Returns one page of the customers whose e-mail is `LIKE '%text%'`, or of all customers.
    pub(super) fn page(&self, text: Option<&str>, per_page: usize, number: usize) -> Page {
        let (per_page, number) = (per_page.max(1), number.max(1));
        let wanted =
            |customer: &&Arc<Customer>| text.is_none_or(|text| like(&self.key(&customer.email), &self.key(text)));
        let found: Vec<_> = self.customers.iter().filter(wanted).collect();
        let rows = found.iter().skip((number - 1).saturating_mul(per_page)).take(per_page);
        Page { rows: rows.map(|row| Arc::clone(row)).collect(), total: found.len(), per_page, number }
    }

    /// Returns the form in which e-mails are compared: without case, as the usual collations do.
    /// Most of them ignore accents and width too.
    fn key(&self, email: &str) -> String {
        if self.folded { email.nfkd().filter(|c| !is_combining_mark(*c)).collect::<String>() } else { email.to_owned() }
            .to_lowercase()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(email: &str) -> Form {
        Form {
            name: "Ann Lee".into(),
            email: email.into(),
            phone: "+2349039395114".into(),
            country: "NGA".into(),
            kind: "individual".into(),
            mail: true,
        }
    }

    fn accounts(count: usize) -> Accounts {
        let mut accounts = Accounts::default();
        for n in 1..=count {
            accounts.add(&form(&format!("c{n}@example.com")));
        }
        accounts
    }

    #[test]
    fn pages_cut_the_customers_in_the_order_they_came() {
        let accounts = accounts(45);
        let page = accounts.page(None, 20, 3);
        assert_eq!((page.rows.len(), page.total, page.last()), (5, 45, 3));
        assert_eq!(page.rows[0].email, "c41@example.com");
        assert!(accounts.page(None, 20, 4).rows.is_empty());
        assert_eq!(accounts.page(None, 0, 0).rows.len(), 1, "nonsense is read as one");
        assert_eq!(Accounts::default().page(None, 20, 1).last(), 1);
    }

    #[test]
    fn a_lookup_finds_every_email_that_contains_the_text() {
        let accounts = accounts(12);
        let page = accounts.page(Some("c1"), 20, 1);
        let found: Vec<_> = page.rows.iter().map(|row| row.email.as_str()).collect();
        assert_eq!(found, ["c1@example.com", "c10@example.com", "c11@example.com", "c12@example.com"]);
    }

    #[test]
    fn customers_and_mails_are_counted_per_person_without_regard_to_case() {
        let mut accounts = accounts(1);
        accounts.add(&Form { mail: false, ..form("C1@Example.com") });
        assert_eq!(accounts.with_email("c1@example.COM"), 2);
        assert_eq!(accounts.mails_to("c1@example.com"), 1);
        assert_eq!(accounts.with_email("c2@example.com"), 0);
        assert_eq!(accounts.len(), 2);
    }
}
