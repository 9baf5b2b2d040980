//! Files that must be the user's alone: who may own and write them, and what the program makes.
#![cfg(target_os = "linux")]

use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::path::Path;

use crate::harness::{Lab, Ran, Server, skipped};

const NOBODY: u32 = 65534;

fn allow(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

/// Gives a file to another user, which only root can.
fn give_away(path: &Path) -> bool {
    let given = chown(path, Some(NOBODY), None).is_ok();
    if !given {
        skipped("only root can give a file away");
    }
    given
}

/// A lab with a ledger of two customers, and its server.
fn imported() -> (Lab, Server) {
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    lab.customers(2);
    lab.import(&server, &["--ledger", "l.db"]).ends(0);
    (lab, server)
}

/// What every command that opens the ledger says.
fn every_command(lab: &Lab, server: &Server) -> Vec<Ran> {
    let target = ["--base-url", &server.url, "--ledger", "l.db"];
    [&["import", "in.csv"][..], &["check", "in.csv"], &["report", "in.csv"], &["ledger", "show"]]
        .into_iter()
        .map(|command| lab.run(&[command, &target].concat()))
        .collect()
}

#[track_caller]
fn is_refused_by_all(lab: &Lab, server: &Server, words: &str) {
    let before = server.requests();
    for ran in every_command(lab, server) {
        ran.ends(78).says(words);
    }
    assert_eq!(server.requests(), before);
}

#[test]
fn a_ledger_or_a_name_beside_it_that_another_user_owns_is_refused_by_every_command() {
    for ending in ["", "-wal", "-shm", "-journal", ".lock"] {
        let (lab, server) = imported();
        let path = lab.path(&format!("l.db{ending}"));
        std::fs::File::options().create(true).append(true).open(&path).unwrap();
        if !give_away(&path) {
            return;
        }
        is_refused_by_all(&lab, &server, "belongs to user 65534");
        is_refused_by_all(&lab, &server, "chown 0 ");
    }
}

#[test]
fn a_ledger_that_everybody_may_write_is_refused_until_the_command_in_the_hint_is_typed() {
    let (lab, server) = imported();
    allow(&lab.path("l.db"), 0o666);
    is_refused_by_all(&lab, &server, "can be written by every user");
    is_refused_by_all(&lab, &server, "chmod o-w ");
    allow(&lab.path("l.db"), 0o664);
    lab.import(&server, &["--ledger", "l.db"]).ends(0).says("mode 664");
    assert_eq!(mode(&lab.path("l.db")), 0o600);
    let again = lab.import(&server, &["--ledger", "l.db"]).ends(0);
    assert!(!again.stderr.contains("mode"), "{}", again.stderr);
}

#[test]
fn another_programs_file_keeps_its_mode() {
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    lab.customers(1);
    let other = lab.write("l.db", "name,email\n".repeat(100));
    allow(&other, 0o664);
    lab.import(&server, &["--ledger", "l.db"]).ends(78).says("not a ledger");
    assert_eq!(mode(&other), 0o664);
}

#[test]
fn a_lock_file_that_is_a_link_to_nothing_is_refused_and_makes_no_file_elsewhere() {
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    lab.customers(1);
    symlink(lab.path("elsewhere"), lab.path("l.db.lock")).unwrap();
    lab.import(&server, &["--ledger", "l.db"]).ends(78).says("is a link");
    assert!(!lab.path("elsewhere").exists());
    assert_eq!(server.requests(), 0);
}

#[test]
fn a_folder_that_the_group_may_write_is_told_of_and_one_that_everybody_may_write_is_refused() {
    let (lab, server) = imported();
    let folder = lab.path("");
    allow(&folder, 0o770);
    lab.import(&server, &["--ledger", "l.db"]).ends(0).says("chmod g-w ");
    allow(&folder, 0o777);
    is_refused_by_all(&lab, &server, "chmod o-w ");
    lab.import(&server, &["--ledger", "new.db"]).ends(78);
    assert!(!lab.path("new.db").exists(), "a refused command leaves no ledger");
    allow(&folder, 0o1777);
    let sticky = lab.import(&server, &["--ledger", "l.db"]).ends(0);
    assert!(!sticky.stderr.contains("chmod"), "{}", sticky.stderr);
}
