//! How exactly `--rate` is kept, as the server sees it: `cargo bench --bench pace`.
//!
//! The real program imports for 20 seconds at each rate, into a sandbox that answers at once; the
//! sandbox's log says when each request came.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a tool for developers, not part of the program"
)]

use testkit::harness::{Lab, Server};

const SECONDS: usize = 20;

fn main() {
    println!(
        "{:>8}  {:>14}  {:>13}  {:>22}  {:>20}",
        "rate", "of the rate", "first second", "most in a whole second", "most in any second"
    );
    for rate in [1, 50, 1000] {
        let lab = Lab::new();
        let server = Server::start(&lab, &[]);
        lab.customers(rate * SECONDS + 1);
        let rate_option = format!("{rate}/s");
        lab.run(&["import", "in.csv", "--base-url", &server.url, "--rate", &rate_option, "--concurrency", "64"])
            .ends(0);
        let times: Vec<f64> = server.posts().iter().map(|post| post["t"].as_f64().unwrap() / 1000.0).collect();
        println!(
            "{rate_option:>8}  {:>12.2} %  {:>13}  {:>22}  {:>20}",
            100.0 * achieved(&times) / rate as f64,
            times.iter().filter(|at| **at < times[0] + 1.0).count(),
            most_in_whole_seconds(&times),
            most_in_any_second(&times),
        );
    }
}

/// Requests a second, from the first to the last.
fn achieved(times: &[f64]) -> f64 {
    (times.len() - 1) as f64 / (times[times.len() - 1] - times[0])
}

/// Seconds as a server with a fixed window counts them, from the first request on.
fn most_in_whole_seconds(times: &[f64]) -> usize {
    let second = |at: &f64| (at - times[0]).floor();
    times.chunk_by(|one, next| second(one) == second(next)).map(<[f64]>::len).max().unwrap_or_default()
}

fn most_in_any_second(times: &[f64]) -> usize {
    let within = |start: &f64| times.iter().skip_while(|at| *at < start).take_while(|at| **at < start + 1.0).count();
    times.iter().map(within).max().unwrap_or_default()
}
