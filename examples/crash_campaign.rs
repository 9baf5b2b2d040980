//! Kills the real program again and again, and lets an independent checker say what came of it.
//!
//! `cargo run --release --example crash_campaign -- --trials 3000 [--seed N] [--jobs N]`
//!
//! Each trial is made from a seed (the first is `--seed`, 1 unless given) and can be repeated alone
//! with `--trials 1 --seed N`.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a tool for developers, not part of the program"
)]

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use clap::Parser;
use testkit::{checker, crash, program};

#[derive(Parser)]
struct Options {
    /// How many worlds to try.
    #[arg(long, default_value_t = 300)]
    trials: u64,
    /// The seed of the first.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many at a time; most of a trial is waiting.
    #[arg(long, default_value_t = 8)]
    jobs: usize,
}

/// Short enough for a thousand trials.
const SETTLE: Duration = Duration::from_millis(250);

#[derive(Default)]
struct Sum {
    trials: u64,
    kills: usize,
    unanswered: Vec<usize>,
    most_over: Option<String>,
    faults: BTreeMap<&'static str, usize>,
    unfinished: u64,
    unresolved: usize,
}

impl Sum {
    fn add(&mut self, outcome: &crash::Outcome) {
        self.trials += 1;
        self.kills += outcome.kills;
        self.unanswered.extend(&outcome.unanswered);
        self.unfinished += u64::from(!outcome.completed);
        self.unresolved += outcome.verdicts.iter().map(|verdict| verdict.unresolved.len()).sum::<usize>();
        if outcome.unanswered.iter().any(|unanswered| *unanswered > outcome.concurrency) {
            self.most_over = Some(format!("seed {}: more unanswered than in flight", outcome.seed));
        }
        for (kind, found) in outcome.verdicts.iter().flat_map(checker::Verdict::counts) {
            *self.faults.entry(kind).or_default() += found;
        }
    }

    fn is_clean(&self) -> bool {
        self.unfinished == 0 && self.most_over.is_none() && self.faults.values().all(|found| *found == 0)
    }

    #[expect(clippy::cast_precision_loss, reason = "a mean for people")]
    fn print(&self, options: &Options) {
        let (first, last) = (options.seed, options.seed + options.trials - 1);
        println!("trials                     {} (seeds {first} to {last})", self.trials);
        println!("kills of a living process  {}", self.kills);
        for (kind, found) in &self.faults {
            println!("{kind:<26} {found}");
        }
        println!("not finished in five runs  {}", self.unfinished);
        println!("left in doubt, unknowable  {} (no fault: these worlds let nobody find out)", self.unresolved);
        let mean = self.unanswered.iter().sum::<usize>() as f64 / self.unanswered.len().max(1) as f64;
        let most = self.unanswered.iter().max().copied().unwrap_or_default();
        println!("unanswered after a kill    {mean:.2} on average, {most} at most (at most 8 in flight)");
        if let Some(over) = &self.most_over {
            println!("{over}");
        }
        if self.is_clean() {
            let bound = 300.0 / self.kills.max(1) as f64;
            println!(
                "none in {} kills: with 95 % confidence, less than {bound:.2} % of kills do harm (rule of three)",
                self.kills
            );
        }
    }
}

fn main() -> ExitCode {
    let options = Options::parse();
    let program = program::build();
    let (next, sum, begun) = (AtomicU64::new(0), Mutex::new(Sum::default()), Instant::now());
    std::thread::scope(|scope| {
        for _ in 0..options.jobs.max(1) {
            scope.spawn(|| {
                loop {
                    let trial = next.fetch_add(1, Ordering::Relaxed);
                    if trial >= options.trials {
                        return;
                    }
                    let outcome = crash::run(&program, options.seed + trial, SETTLE);
                    let mut sum = sum.lock().unwrap();
                    sum.add(&outcome);
                    if !outcome.is_clean() {
                        eprintln!("FAULT: {outcome}repeat with --trials 1 --seed {}", outcome.seed);
                    }
                    if sum.trials % 100 == 0 {
                        eprintln!("{} trials, {} kills, {:.0} s", sum.trials, sum.kills, begun.elapsed().as_secs_f32());
                    }
                }
            });
        }
    });
    let sum = sum.into_inner().unwrap();
    sum.print(&options);
    if sum.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
