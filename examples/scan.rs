//! Counts the records of a CSV file and does nothing else; `benches/compare.sh` holds other
//! programs against it.
//!
//! `cargo run --release --example scan -- FILE`

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a tool for developers, not part of the program")]

use std::path::Path;

fn main() {
    let file = std::env::args_os().nth(1).unwrap();
    println!("{}", testkit::scan::scan(Path::new(&file)));
}
