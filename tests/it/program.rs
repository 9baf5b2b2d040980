//! Which program the tests run.

use std::path::Path;

#[test]
fn the_program_that_is_tested_is_the_one_that_cargo_built_with_the_tests() {
    assert_eq!(crate::harness::program(), Path::new(env!("CARGO_BIN_EXE_customer-import")));
}
