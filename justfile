# The recipes are the steps of `.ci/run`, which is what every machine runs before a change lands.
# `just` is a convenience: `.ci/run STEP` does the same.

# List the recipes.
default:
    @just --list --unsorted

# Everything that must hold before a change lands.
ci:
    .ci/run

# Check the format; `just format` writes it.
fmt:
    .ci/run fmt

format:
    cargo fmt

# Find comment lines that are wider than 100 columns.
comment-width:
    .ci/comment-width

typos:
    .ci/run typos

# Check licenses, origins and the one TLS provider of all dependencies.
deny:
    .ci/run deny

# Look for known vulnerabilities. Needs a network.
advisories:
    .ci/run advisories

clippy:
    .ci/run clippy

doc:
    .ci/run doc

# All tests, or those whose names contain FILTER.
test FILTER="":
    cargo test {{FILTER}}

# The long form of the tests: every point of failure instead of a choice. Takes hours.
test-long:
    CUSTOMER_IMPORT_LONG=1 cargo test

# Write docs/reference/ anew from the program.
reference:
    UPDATE=1 cargo test --test it reference::

# Print the figures of the repository's prose and shape.
figures:
    .ci/figures

# Kill the program at random times in TRIALS made-up worlds and check that no customer is lost or doubled.
campaign TRIALS="100":
    cargo run --release --example crash_campaign -- --trials {{TRIALS}}

# Import into the sandbox, as the README shows it.
trial:
    cargo run --release -- import fixtures/customers.csv --sandbox
