//! A terminal without a screen: what the program prints on it can be read, and answers can be
//! typed.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::harness::exit_code;

/// The side of the person and the side of the program.
pub(crate) fn open() -> (File, File) {
    let person = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&person).unwrap();
    unlockpt(&person).unwrap();
    let name = ptsname(&person, Vec::new()).unwrap().into_string().unwrap();
    (File::from(person), File::options().read(true).write(true).open(name).unwrap())
}

/// Runs a command on a terminal on which this line was typed. Returns its exit code and all that
/// stands there then.
pub(crate) fn run(command: &mut Command, typed: &str) -> (i32, String) {
    let (mut person, program) = open();
    writeln!(person, "{typed}").unwrap();
    command.stdin(program.try_clone().unwrap()).stdout(program.try_clone().unwrap()).stderr(program);
    let mut child = command.spawn().unwrap();
    // The command holds the program's side open. Without it, reading ends with the program.
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut printed = Vec::new();
    let mut piece = [0; 4096];
    // Linux reports the end as an error.
    while let Ok(length @ 1..) = person.read(&mut piece) {
        printed.extend(&piece[..length]);
    }
    let printed = String::from_utf8(printed).unwrap().replace("\r\n", "\n");
    (exit_code(child.wait().unwrap()), printed)
}
