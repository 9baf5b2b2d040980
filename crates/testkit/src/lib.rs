//! What the tests, benches and examples share: a lab for the real program, servers, and the judge
//! of whole runs.
//!
//! This crate does not depend on the program that it tests, so that a mistake in the program cannot
//! hide in its judge.

pub mod checker;
pub mod crash;
pub mod database_proxy;
pub mod delay_proxy;
pub mod door;
pub mod fast_server;
pub mod harness;
pub mod hosts;
pub mod import;
pub mod postgres;
pub mod program;
pub mod scan;
pub mod takeovers;
pub mod witness;
pub mod world;
pub mod zombie;
