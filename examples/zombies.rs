//! Stops hosts at the worst points of a request, lets another one take the shared ledger over, and
//! wakes the stopped one in the moment in which its successor sends the same request.
//!
//! `cargo run --release --example zombies -- --trials 40 [--jobs N]`
//!
//! The last row is what the program does not promise to prevent: a token that lasts, and a stop
//! within the microseconds between the last check and the first byte.

#![allow(clippy::print_stdout, clippy::expect_used, reason = "a tool for developers, not part of the program")]

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use clap::Parser;
use testkit::postgres::Cluster;
use testkit::program;
use testkit::zombie::{self, Point, Tokens};

#[derive(Parser)]
struct Options {
    /// How many trials for each point.
    #[arg(long, default_value_t = 40)]
    trials: usize,
    /// How many at a time; most of a trial is waiting.
    #[arg(long, default_value_t = 6)]
    jobs: usize,
    /// The program, if it is built already.
    #[arg(long)]
    program: Option<PathBuf>,
}

/// What came of the trials of a row.
#[derive(Default)]
struct Row {
    doubled: usize,
    /// Requests of stopped hosts that left after all and were refused for their token.
    refused: usize,
    /// How the stopped hosts ended.
    zombies: std::collections::BTreeMap<i32, usize>,
    /// Successors that did not end well.
    failed: usize,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let program = options.program.clone().unwrap_or_else(program::build);
    let cluster = Cluster::of_this_process().expect("PostgreSQL (apt-get install postgresql)");
    assert!(zombie::has_debugger(), "gdb on x86-64 (apt-get install gdb)");
    let guarded = Point::ALL.map(|point| (point, Tokens::End));
    let mut doubled = 0;
    for (point, tokens) in guarded.into_iter().chain([(Point::Writing, Tokens::Last)]) {
        let row = trials(&program, cluster, &options, point, tokens);
        let (name, tokens) = (format!("{point:?}"), format!("{tokens:?}"));
        let Row { doubled: twice, refused, zombies, failed } = &row;
        println!(
            "{name:<10} tokens {tokens:<4} {twice} of {} doubled; {refused} refused for their token; \
             exit codes of the stopped: {zombies:?}; successors that failed: {failed}",
            options.trials
        );
        if tokens == "End" {
            doubled += twice + failed;
        }
    }
    if doubled == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn trials(program: &Path, cluster: &'static Cluster, options: &Options, point: Point, tokens: Tokens) -> Row {
    let (next, row) = (AtomicUsize::new(0), Mutex::new(Row::default()));
    std::thread::scope(|scope| {
        for _ in 0..options.jobs.max(1) {
            scope.spawn(|| {
                while next.fetch_add(1, Ordering::Relaxed) < options.trials {
                    let outcome = zombie::run(program, &cluster.database(), point, tokens);
                    let mut row = row.lock().expect("no trial panicked");
                    row.doubled += usize::from(outcome.customers != 1);
                    row.refused += usize::from(outcome.is_refused);
                    *row.zombies.entry(outcome.zombie.code).or_default() += 1;
                    row.failed += usize::from(outcome.successor.code != 0);
                }
            });
        }
    });
    row.into_inner().expect("no trial panicked")
}
