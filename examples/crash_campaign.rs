//! Kills the real program again and again, and lets an independent checker say what came of it.
//!
//! `cargo run --release --example crash_campaign -- --trials 3000 [--seed N] [--jobs N]`
//! `cargo run --release --example crash_campaign -- --ledger postgres --hosts 2..3 --trials 500
//! [--kill kill|stop|partition|restart|promote]…`
//!
//! Each trial is made from a seed (the first is `--seed`, 1 unless given) and can be repeated alone
//! with `--trials 1 --seed N`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a tool for developers, not part of the program"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use clap::{Parser, ValueEnum};
use customer_import::sandbox::parse_duration;
use testkit::hosts::{self, Blow};
use testkit::postgres::Cluster;
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
    /// Where the ledger is: a file that one run after the other opens, or a database that several
    /// hosts use at once.
    #[arg(long, value_enum, default_value_t = LedgerKind::Sqlite)]
    ledger: LedgerKind,
    /// How many hosts: N, or the fewest and the most of a world. With `--ledger postgres` only, as
    /// are the options below but for `--settle`.
    #[arg(long, value_name = "N..M", default_value = "2..3", value_parser = parse_range)]
    hosts: [u64; 2],
    /// What befalls them: kill, stop, partition, restart or promote. Repeatable.
    #[arg(long, default_values = ["kill", "stop", "partition", "restart", "promote"])]
    kill: Vec<Blow>,
    /// The settle time of the imports. It must be longer than the server ever works on a request,
    /// and short enough for a thousand trials.
    #[arg(long, value_parser = parse_duration, default_value = "250ms")]
    settle: Duration,
    #[arg(long, value_parser = parse_duration, default_value = "500ms")]
    grace: Duration,
    #[arg(long, value_parser = parse_duration, default_value = "6s")]
    lease: Duration,
    /// The program, if it is built already.
    #[arg(long)]
    program: Option<PathBuf>,
    /// Tell the story of every world, also if nothing is wrong.
    #[arg(long)]
    verbose: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum LedgerKind {
    Sqlite,
    Postgres,
}

fn parse_range(text: &str) -> Result<[u64; 2], String> {
    let number = |text: &str| text.parse::<u64>().map_err(|error| format!("{text:?}: {error}"));
    let (fewest, most) = text.split_once("..").unwrap_or((text, text));
    let range = [number(fewest)?, number(most)?];
    if (1..=range[1]).contains(&range[0]) { Ok(range) } else { Err(format!("{text:?} holds no number")) }
}

/// What a trial brought, of either kind.
struct Trial<'a> {
    seed: u64,
    kills: usize,
    unanswered: &'a [usize],
    /// The most that a kill may leave unanswered.
    bound: usize,
    completed: bool,
    verdicts: &'a [checker::Verdict],
}

#[derive(Default)]
struct Sum {
    trials: u64,
    kills: usize,
    unanswered: Vec<usize>,
    most_over: Option<String>,
    faults: BTreeMap<&'static str, usize>,
    unfinished: u64,
    unresolved: usize,
    blows: BTreeMap<Blow, usize>,
    strange: usize,
    takeovers: usize,
    waits: BTreeMap<Blow, Vec<Duration>>,
}

impl Sum {
    fn add(&mut self, trial: &Trial<'_>) {
        self.trials += 1;
        self.kills += trial.kills;
        self.unanswered.extend(trial.unanswered);
        self.unfinished += u64::from(!trial.completed);
        self.unresolved += trial.verdicts.iter().map(|verdict| verdict.unresolved.len()).sum::<usize>();
        if trial.unanswered.iter().any(|unanswered| *unanswered > trial.bound) {
            self.most_over = Some(format!("seed {}: more unanswered than there can be intents", trial.seed));
        }
        for (kind, found) in trial.verdicts.iter().flat_map(checker::Verdict::counts) {
            *self.faults.entry(kind).or_default() += found;
        }
    }

    fn add_hosts(&mut self, outcome: &hosts::Outcome) {
        self.add(&Trial {
            seed: outcome.seed,
            kills: outcome.blows.values().sum(),
            unanswered: &outcome.unanswered,
            bound: outcome.concurrency,
            completed: outcome.completed,
            verdicts: std::slice::from_ref(&outcome.verdict),
        });
        for (blow, times) in &outcome.blows {
            *self.blows.entry(*blow).or_default() += times;
        }
        self.strange += outcome.strange.len();
        self.takeovers += outcome.takeovers;
        for (blow, wait) in &outcome.waits {
            self.waits.entry(*blow).or_default().push(*wait);
        }
    }

    fn is_clean(&self) -> bool {
        self.unfinished == 0
            && self.strange == 0
            && self.most_over.is_none()
            && self.faults.values().all(|found| *found == 0)
    }

    #[expect(clippy::cast_precision_loss, reason = "a mean for people")]
    fn print(&self, options: &Options) {
        let (first, last) = (options.seed, options.seed + options.trials - 1);
        println!("trials                     {} (seeds {first} to {last})", self.trials);
        match options.ledger {
            LedgerKind::Sqlite => println!("kills of a living process  {}", self.kills),
            LedgerKind::Postgres => self.print_hosts(),
        }
        for (kind, found) in &self.faults {
            println!("{kind:<26} {found}");
        }
        println!("not finished in five runs  {}", self.unfinished);
        println!("left in doubt, unknowable  {} (no fault: these worlds let nobody find out)", self.unresolved);
        let mean = self.unanswered.iter().sum::<usize>() as f64 / self.unanswered.len().max(1) as f64;
        let most = self.unanswered.iter().max().copied().unwrap_or_default();
        println!(
            "unanswered after a kill    {mean:.2} on average, {most} at most (at most 8 in flight; in a ledger file up to 16 more written ahead)"
        );
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

    fn print_hosts(&self) {
        for (blow, times) in &self.blows {
            println!("{:<26} {times}", blow.name());
        }
        println!("takeovers                  {}", self.takeovers);
        for (blow, waits) in &self.waits {
            let mut seconds: Vec<_> = waits.iter().map(Duration::as_secs_f32).collect();
            seconds.sort_by(f32::total_cmp);
            let [least, middle, most] = [0, seconds.len() / 2, seconds.len() - 1].map(|place| seconds[place]);
            let (name, count) = (blow.name(), seconds.len());
            println!("taken over after {name:<9} {least:.1} – {middle:.1} – {most:.1} s ({count} times)");
        }
        println!("strange ends               {}", self.strange);
    }
}

fn main() -> ExitCode {
    let options = Options::parse();
    let program = options.program.clone().unwrap_or_else(program::build);
    let (next, sum, begun) = (AtomicU64::new(0), Mutex::new(Sum::default()), Instant::now());
    std::thread::scope(|scope| {
        for _ in 0..options.jobs.max(1) {
            scope.spawn(|| {
                let mut cluster = None;
                loop {
                    let trial = next.fetch_add(1, Ordering::Relaxed);
                    if trial >= options.trials {
                        return;
                    }
                    let seed = options.seed + trial;
                    let add: Box<dyn FnOnce(&mut Sum)> = match options.ledger {
                        LedgerKind::Sqlite => one_host(&program, seed, &options),
                        LedgerKind::Postgres => {
                            let own = || Cluster::own().expect("PostgreSQL (apt-get install postgresql)");
                            several_hosts(&program, seed, cluster.get_or_insert_with(own), &options)
                        }
                    };
                    let mut sum = sum.lock().unwrap();
                    add(&mut sum);
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

fn one_host(program: &Path, seed: u64, options: &Options) -> Box<dyn FnOnce(&mut Sum)> {
    let outcome = crash::run(program, seed, options.settle);
    if !outcome.is_clean() {
        eprintln!("FAULT: {outcome}repeat with --trials 1 --seed {seed}");
    }
    Box::new(move |sum| {
        sum.add(&Trial {
            seed,
            kills: outcome.kills,
            unanswered: &outcome.unanswered,
            bound: outcome.bound(),
            completed: outcome.completed,
            verdicts: &outcome.verdicts,
        });
    })
}

fn several_hosts(program: &Path, seed: u64, cluster: &'static Cluster, options: &Options) -> Box<dyn FnOnce(&mut Sum)> {
    let plan = hosts::Plan {
        hosts: options.hosts,
        blows: options.kill.clone(),
        settle: options.settle,
        grace: options.grace,
        lease: options.lease,
    };
    let outcome = hosts::run(program, seed, cluster, &plan);
    if !outcome.is_clean() {
        eprintln!("FAULT: {outcome:#?}\nrepeat with --trials 1 --seed {seed}");
    } else if options.verbose {
        eprintln!("seed {seed}: {}\n  {}", outcome.world, outcome.story.join("\n  "));
    }
    Box::new(move |sum| sum.add_hosts(&outcome))
}
