//! The files of `docs/deploy/`, shown to the tools that read them, and compared with the program.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::harness::{Lab, Ran, skipped};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/deploy")
}

const MANIFESTS: [&str; 2] = ["cronjob.yaml", "accounts.yaml"];

/// The oldest version whose jobs have a policy of failures for each index, one between, and the
/// newest that the tool knows.
const VERSIONS: [&[&str]; 3] = [&["-k", "1.29"], &["-k", "1.33"], &[]];

fn validate(version: &[&str], file: &Path) -> Option<Ran> {
    Command::new("kubernetes-validate").args(version).arg("--strict").arg(file).output().ok().map(Ran::from)
}

#[test]
fn kubernetes_takes_the_manifests_and_the_check_can_fail() {
    let lab = Lab::new();
    for name in MANIFESTS {
        let text = std::fs::read_to_string(folder().join(name)).unwrap();
        let misspelt = lab.write(name, text.replacen("podFailurePolicy", "podFailuresPolicy", 1));
        for version in VERSIONS {
            let Some(ran) = validate(version, &folder().join(name)) else {
                return skipped(
                    "kubernetes_takes_the_manifests_and_the_check_can_fail: there is no kubernetes-validate here \
                     (pip install kubernetes-validate)",
                );
            };
            ran.ends(0).says(" passed ");
            assert_ne!(validate(version, &misspelt).unwrap().code, 0, "{name} with a misspelt policy");
        }
    }
}

#[test]
fn systemd_takes_the_units() {
    let lab = Lab::new();
    let units = ["customer-import.service", "customer-import.timer"].map(|name| {
        let text = std::fs::read_to_string(folder().join(name)).unwrap();
        lab.write(name, text.replace("/usr/local/bin/customer-import", "/bin/true"))
    });
    match Command::new("systemd-analyze").arg("verify").args(&units).output() {
        Ok(output) => {
            let ran = Ran::from(output).ends(0);
            assert!(!ran.stderr.contains("customer-import."), "{}", ran.stderr);
        }
        Err(_) => skipped("systemd-analyze is not installed"),
    }
}

/// The codes after the beginning of a line, and before its end.
fn codes(text: &str, beginning: &str) -> Vec<BTreeSet<u8>> {
    let lines = text.lines().filter_map(|line| line.trim().strip_prefix(beginning));
    lines.map(|line| line.split(|c: char| !c.is_ascii_digit()).filter_map(|code| code.parse().ok()).collect()).collect()
}

#[test]
fn another_attempt_is_made_for_the_same_exit_codes_everywhere_and_they_are_all_there_are() {
    let again = BTreeSet::from([0, 5, 69, 74, 129, 130, 143]);
    let read = |name: &str| std::fs::read_to_string(folder().join(name)).unwrap();
    let all: BTreeSet<u8> = include_str!("../../docs/reference/exit-codes.md")
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`')?.0.parse().ok())
        .collect();
    let given_up: BTreeSet<u8> = all.difference(&again).copied().collect();
    assert!(again.is_subset(&all) && given_up.len() == 6, "{all:?}");
    for name in MANIFESTS {
        assert_eq!(codes(&read(name), "values: ["), std::slice::from_ref(&given_up), "{name}");
    }
    assert_eq!(codes(&read("customer-import.service"), "RestartPreventExitStatus="), [given_up]);
}

#[test]
fn every_option_and_variable_of_the_files_is_one_of_the_program() {
    let lab = Lab::new();
    let help = lab.run(&["import", "--help"]).ends(0).stdout;
    let reference = include_str!("../../docs/reference/options.md");
    let (mut options, mut variables) = (0, 0);
    for name in [MANIFESTS[0], MANIFESTS[1], "customer-import.service"] {
        let text = std::fs::read_to_string(folder().join(name)).unwrap();
        let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
        for word in lines.flat_map(|line| line.split(|c: char| !(c.is_ascii_alphanumeric() || "-_".contains(c)))) {
            if word.starts_with("--") {
                assert!(help.contains(&format!("{word} ")) || help.contains(&format!("{word}\n")), "{word} in {name}");
                options += 1;
            } else if let Some(option) = word.strip_prefix("CUSTOMER_IMPORT_") {
                let option = format!("--{}", option.to_lowercase().replace('_', "-"));
                assert!(reference.contains(&option) || word == "CUSTOMER_IMPORT_HOLDER", "{word} in {name}");
                variables += 1;
            }
        }
    }
    assert!(options > 20 && variables > 8, "{options} options and {variables} variables");
}
