//! A terminal without a screen: what the program prints on it can be read, and answers can be
//! typed. `Screen` is one with a screen, as a person sees it.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::num::NonZero;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::harness::{exit_code, wait_until};

/// The side of the person and the side of the program.
pub(crate) fn open() -> (File, File) {
    let person = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&person).unwrap();
    unlockpt(&person).unwrap();
    let name = ptsname(&person, Vec::new()).unwrap().into_string().unwrap();
    (File::from(person), File::options().read(true).write(true).open(name).unwrap())
}

/// The command as the leader of a session of its own, which the terminal at its standard input
/// controls. Otherwise it would ask on the terminal on which the tests run.
pub(crate) fn controlled(command: &Command) -> Command {
    led(command, &["--ctty"])
}

/// The command as the leader of a session of its own, made with these options.
pub(crate) fn led(command: &Command, options: &[&str]) -> Command {
    let mut leader = Command::new("setsid");
    leader.args(options).arg(command.get_program()).args(command.get_args());
    leader.current_dir(command.get_current_dir().unwrap_or(Path::new(".")));
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => leader.env(name, value),
            None => leader.env_remove(name),
        };
    }
    leader
}

/// Ctrl-D at the beginning of a line ends the input.
pub(crate) const CTRL_D: &str = "\u{4}";

/// Runs a command on a terminal on which this line was typed. Returns its exit code and all that
/// stands there then.
pub(crate) fn run(command: &mut Command, typed: &str) -> (i32, String) {
    talk(command, typed, "")
}

/// Does the same, and the line is typed when a question is there that wants a yes or a no.
pub(crate) fn answered(command: &mut Command, answer: &str) -> (i32, String) {
    talk(command, "", answer)
}

/// Runs a command on a terminal on which a line was typed before, and answers its question.
pub(crate) fn talk(command: &mut Command, typed: &str, answer: &str) -> (i32, String) {
    let (mut person, program) = open();
    let enter = |person: &mut File, line: &str| match line {
        "" => {}
        CTRL_D => write!(person, "{line}").unwrap(),
        line => writeln!(person, "{line}").unwrap(),
    };
    enter(&mut person, typed);
    let mut is_answered = false;
    let mut command = controlled(command);
    command.stdin(program.try_clone().unwrap()).stdout(program.try_clone().unwrap()).stderr(program);
    let mut child = command.spawn().unwrap();
    // The command holds the program's side open. Without it, reading ends with the program.
    drop(command);
    let mut printed = Vec::new();
    let mut piece = [0; 4096];
    // Linux reports the end as an error.
    while let Ok(length @ 1..) = person.read(&mut piece) {
        printed.extend(&piece[..length]);
        if !is_answered && String::from_utf8_lossy(&printed).contains("[y/N] ") {
            is_answered = true;
            enter(&mut person, answer);
        }
    }
    let printed = String::from_utf8(printed).unwrap().replace("\r\n", "\n");
    (exit_code(child.wait().unwrap()), printed)
}

/// A terminal of some size, and what stands on it.
pub(crate) struct Screen {
    person: File,
    program: Option<File>,
    picture: Arc<Mutex<vt100::Parser>>,
}

fn cells(number: u16) -> NonZero<u16> {
    NonZero::new(number).unwrap()
}

/// As many lines above the visible ones can be read.
const SCROLLBACK: usize = 1000;

impl Screen {
    pub(crate) fn new(columns: u16, rows: u16) -> Self {
        let (person, program) = open();
        let picture = Arc::new(Mutex::new(vt100::Parser::new(cells(rows), cells(columns), SCROLLBACK)));
        let screen = Self { person, program: Some(program), picture };
        screen.set_size(columns, rows);
        screen.watch();
        screen
    }

    /// Draws what the program prints, until it ends.
    fn watch(&self) {
        let (mut person, picture) = (self.person.try_clone().unwrap(), Arc::clone(&self.picture));
        std::thread::spawn(move || {
            let mut piece = [0; 4096];
            while let Ok(length @ 1..) = person.read(&mut piece) {
                picture.lock().unwrap().process(&piece[..length]);
            }
        });
    }

    /// Makes the window wider or narrower. This terminal cuts lines off that are too long, and does
    /// not wrap them.
    pub(crate) fn set_size(&self, columns: u16, rows: u16) {
        let size = Winsize { ws_col: columns, ws_row: rows, ws_xpixel: 0, ws_ypixel: 0 };
        self.picture.lock().unwrap().screen_mut().set_size(cells(rows), cells(columns));
        tcsetwinsize(&self.person, size).unwrap();
    }

    /// Starts a command whose three streams are this terminal.
    pub(crate) fn start(&mut self, command: &Command) -> Child {
        let program = self.program.take().unwrap();
        let stream = || Stdio::from(program.try_clone().unwrap());
        controlled(command).stdin(stream()).stdout(stream()).stderr(stream()).spawn().unwrap()
    }

    pub(crate) fn press(&mut self, keys: &str) {
        self.person.write_all(keys.as_bytes()).unwrap();
    }

    /// What a person sees who scrolls up, without the empty lines at the end.
    pub(crate) fn text(&self) -> String {
        let mut picture = self.picture.lock().unwrap();
        let screen = picture.screen_mut();
        let (rows, columns) = screen.size();
        let (rows, columns) = (rows.get(), columns.get());
        screen.set_scrollback(SCROLLBACK);
        let above = screen.scrollback();
        let mut lines = Vec::new();
        for offset in (1..=above).rev() {
            screen.set_scrollback(offset);
            lines.extend(screen.rows(0, columns).next());
        }
        screen.set_scrollback(0);
        lines.extend(screen.rows(0, columns).take(rows.into()));
        let lines: Vec<_> = lines.iter().map(|line| line.trim_end()).collect();
        lines.join("\n").trim_end().to_owned()
    }

    /// Whether no frame is half drawn: the program leaves the cursor in the first cell of a line.
    fn is_whole(&self) -> bool {
        self.picture.lock().unwrap().screen().cursor_position().1 == 0
    }

    /// Waits until these words stand there in a whole picture, and returns everything that does. A
    /// terminal may get a frame in several pieces, and a busy machine takes its time between them.
    #[track_caller]
    pub(crate) fn shows(&self, words: &str) -> String {
        let mut text = String::new();
        let what = format!("{words:?} never stood on the screen");
        wait_until(&what, || {
            text = self.text();
            std::thread::sleep(Duration::from_millis(30));
            text.contains(words) && text == self.text() && self.is_whole()
        });
        text
    }
}
