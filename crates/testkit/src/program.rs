//! The program that an example drives.

use std::path::PathBuf;
use std::process::Command;

/// The program as its sources are now, built as this example was and where it was.
pub fn build() -> PathBuf {
    let example = std::env::current_exe().unwrap();
    let [_, _, profile, target] = [0, 1, 2, 3].map(|up| example.ancestors().nth(up).unwrap());
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo)
        .args(["build", "--quiet", "--bin", "customer-import"])
        .args(["--profile", if cfg!(debug_assertions) { "dev" } else { "release" }])
        .args(["--manifest-path", concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.toml")])
        .arg("--target-dir")
        .arg(target)
        .status()
        .unwrap();
    assert!(built.success(), "the program does not build");
    profile.join(format!("customer-import{}", std::env::consts::EXE_SUFFIX))
}
