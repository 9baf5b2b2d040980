//! An import as one sentence: how many customers, into which server, with which options, and how it
//! ends.
//!
//! `Import::of(3).fault("422:p1@example.com").ends(1).reports(["created", "rejected", "created"])`

use crate::harness::{Lab, Ran, Server, email};

/// An import that is still to be run.
#[must_use]
pub struct Import {
    customers: usize,
    server: Vec<String>,
    options: Vec<String>,
}

/// What an import left, to look into and to go on with.
pub struct Imported {
    // Dropped in this order: the server goes before the folder of its log.
    pub ran: Ran,
    pub server: Server,
    pub lab: Lab,
    customers: usize,
    /// What the server was started with, to be named if something is wrong.
    world: String,
}

impl Import {
    /// Of so many good customers, `p0@example.com` and so on, into a sandbox without faults.
    pub fn of(customers: usize) -> Self {
        Self { customers, server: Vec::new(), options: Vec::new() }
    }

    /// One more fault of the server.
    pub fn fault(self, fault: &str) -> Self {
        self.server(&["--fault", fault])
    }

    /// More options of the server.
    pub fn server(mut self, options: &[&str]) -> Self {
        self.server.extend(options.iter().map(|option| (*option).to_owned()));
        self
    }

    /// More options of the import.
    pub fn with(mut self, options: &[&str]) -> Self {
        self.options.extend(options.iter().map(|option| (*option).to_owned()));
        self
    }

    /// Runs it. Fails if it ends with another code.
    #[track_caller]
    pub fn ends(self, code: i32) -> Imported {
        let lab = Lab::new();
        let server = Server::start(&lab, &strs(&self.server));
        lab.customers(self.customers);
        let ran = lab.import(&server, &strs(&self.options)).ends(code);
        Imported { lab, server, ran, customers: self.customers, world: self.server.join(" ") }
    }
}

impl Imported {
    /// Fails unless these are the statuses of the report, in input order.
    #[track_caller]
    pub fn reports(self, statuses: impl AsRef<[&'static str]>) -> Self {
        assert_eq!(self.lab.statuses(), statuses.as_ref(), "{}", self.world);
        self
    }

    /// Fails unless the server has each customer of the input once, and no other.
    #[track_caller]
    pub fn each_once(self) -> Self {
        self.server.has_each_once((0..self.customers).map(email));
        self
    }

    #[track_caller]
    pub fn says(self, words: &str) -> Self {
        Self { ran: self.ran.says(words), ..self }
    }

    /// Imports the same file into the same server.
    pub fn again(&self, options: &[&str]) -> Ran {
        self.lab.import(&self.server, options)
    }
}

fn strs(options: &[String]) -> Vec<&str> {
    options.iter().map(String::as_str).collect()
}
