//! Files that must be the user's alone: who may own and write them, and what the program makes.
#![cfg(target_os = "linux")]

use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::harness::{Lab, Ran, Server, skipped, wait_until};

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
    let warned = lab.import(&server, &["--ledger", "l.db"]).ends(0);
    let command = warned.stderr.lines().find_map(|line| Some(&line[line.find("chmod g-w ")?..])).unwrap();
    lab.shell(command).ends(0);
    let ran = lab.import(&server, &["--ledger", "l.db"]).ends(0);
    assert!(!ran.stderr.contains("chmod"), "{command}: {}", ran.stderr);
    allow(&folder, 0o777);
    is_refused_by_all(&lab, &server, "chmod o-w ");
    lab.import(&server, &["--ledger", "new.db"]).ends(78);
    assert!(!lab.path("new.db").exists(), "a refused command leaves no ledger");
    allow(&folder, 0o1777);
    let sticky = lab.import(&server, &["--ledger", "l.db"]).ends(0);
    assert!(!sticky.stderr.contains("chmod"), "{}", sticky.stderr);
}

/// The command between two words of the hint.
fn command_of<'a>(ran: &'a Ran, before: &str, after: &str) -> &'a str {
    let (_, rest) = ran.stderr.split_once(before).unwrap_or_else(|| panic!("{ran:?}"));
    rest.split_once(after).unwrap_or_else(|| panic!("{ran:?}")).0
}

#[test]
fn a_volume_that_everybody_may_write_can_keep_a_ledger_in_a_folder_of_its_own_as_the_hint_says() {
    for is_new in [true, false] {
        let lab = Lab::new();
        let server = Server::start(&lab, &[]);
        lab.customers(2);
        let volume = lab.path("a volume");
        std::fs::create_dir(&volume).unwrap();
        if !is_new {
            lab.import(&server, &["--ledger", "a volume/l.db"]).ends(0);
        }
        allow(&volume, 0o777);
        let refused = lab.import(&server, &["--ledger", "a volume/l.db"]).ends(78).says("can be written by every user");
        let typed = command_of(&refused, "a folder of its own in it: ", ", and from then on");
        let shell = Command::new("sh").args(["-c", typed]).current_dir(lab.path("")).status().unwrap();
        assert!(shell.success(), "{typed}");
        let (_, options) = refused.stderr.split_once("from then on --ledger ").unwrap();
        let ledger = options.trim().trim_matches('\'');
        lab.import(&server, &["--ledger", ledger]).ends(0);
        assert_eq!(server.posts().len(), 2, "the ledger's memory moved with it");
        assert!(!lab.path("a volume/l.db").exists() && mode(&volume) == 0o777);
    }
}

#[test]
fn a_folder_in_the_place_of_a_ledger_is_refused_as_such_with_the_name_of_a_file_in_it() {
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    lab.customers(1);
    std::fs::create_dir_all(lab.path("my data/more")).unwrap();
    for command in [&["import", "in.csv"][..], &["check", "in.csv"], &["report", "in.csv"], &["ledger", "show"]] {
        let target = ["--base-url", &server.url, "--ledger", "my data"];
        let ran = lab.run(&[command, &target].concat()).ends(78).says("the ledger my data is a folder");
        let (_, option) = ran.stderr.split_once("hint: name a file in it: ").unwrap();
        let typed = format!("{} {} --base-url {}", crate::harness::program().display(), command.join(" "), server.url);
        let ran = lab.shell(&format!("{typed} {}", option.trim()));
        // Only an import makes a ledger, and the report of another command needs one.
        assert!([0, 1].contains(&ran.code), "{typed}: {ran:?}");
    }
    assert!(lab.path("my data/customers.db").exists());
}

#[test]
fn a_link_to_a_ledger_that_is_yet_to_be_made_leaves_nothing_in_a_folder_that_is_refused() {
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    lab.customers(1);
    let open = lab.path("open");
    std::fs::create_dir(&open).unwrap();
    symlink("open/l.db", lab.path("l.db")).unwrap();
    symlink("l.db", lab.path("second.db")).unwrap();
    allow(&open, 0o777);
    for link in ["l.db", "second.db"] {
        lab.import(&server, &["--ledger", link]).ends(78).says("can be written by every user");
        assert_eq!(std::fs::read_dir(&open).unwrap().count(), 0);
    }
    allow(&open, 0o700);
    lab.import(&server, &["--ledger", "second.db"]).ends(0);
    assert!(lab.path("open/l.db").exists());
    symlink("round.db", lab.path("round.db")).unwrap();
    lab.import(&server, &["--ledger", "round.db"]).ends(74).says("links");
}

#[test]
fn a_configuration_that_others_own_or_may_write_is_not_obeyed_and_one_that_they_may_read_is() {
    let (lab, server) = imported();
    let config = lab.write("c.toml", "token-command = \"touch obeyed; echo test-token\"\n");
    let import = || {
        let args = lab.import_args(&server, &["--ledger", "l.db", "--config", "c.toml"]);
        Ran::of(lab.command(&args).env_remove("CUSTOMER_IMPORT_TOKEN"))
    };
    allow(&config, 0o666);
    import().ends(78).says("can be written by every user").says("chmod o-w ");
    allow(&config, 0o644);
    if give_away(&config) {
        import().ends(78).says("belongs to user 65534").says("chown 0 ");
        chown(&config, Some(0), None).unwrap();
    }
    assert!(!lab.path("obeyed").exists());
    import().ends(0);
    assert!(lab.path("obeyed").exists());
}

#[test]
fn a_token_command_is_run_by_the_shell_of_the_system_and_not_of_the_path() {
    let (lab, server) = imported();
    std::fs::create_dir(lab.path("bin")).unwrap();
    let planted = lab.write("bin/sh", "#!/bin/sh\ntouch obeyed\necho test-token\n");
    allow(&planted, 0o755);
    let args = lab.import_args(&server, &["--ledger", "l.db", "--token-command", "echo test-token"]);
    let mut import = lab.command(&args);
    let path = format!("{}:{}", lab.path("bin").display(), std::env::var("PATH").unwrap());
    Ran::of(import.env_remove("CUSTOMER_IMPORT_TOKEN").env("PATH", path)).ends(0);
    assert!(!lab.path("obeyed").exists());
}

#[test]
fn what_a_token_command_started_ends_when_a_signal_ends_the_program() {
    use rustix::process::{Pid, Signal, kill_process};
    let lab = Lab::new();
    lab.customers(1);
    let command = "sleep 600 & echo $! > started.new; mv started.new started; wait";
    let args = ["import", "in.csv", "--base-url", "http://127.0.0.1:9/api", "--token-command", command];
    let mut import = lab.command(&args);
    let run = import.env_remove("CUSTOMER_IMPORT_TOKEN").stderr(Stdio::null()).spawn().unwrap();
    wait_until("the command never began", || lab.path("started").exists());
    kill_process(Pid::from_child(&run), Signal::TERM).unwrap();
    Ran::from(run.wait_with_output().unwrap()).ends(143);
    let process = lab.read("started").trim().to_owned();
    wait_until("it outlived the program", || !is_at_work(&process));
}

/// One that ended can stay in the list until its parent asks for its end.
fn is_at_work(process: &str) -> bool {
    let state = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    state.rsplit_once(") ").is_some_and(|(_, state)| !state.starts_with(['Z', 'X']))
}

#[test]
fn a_named_pipe_in_the_place_of_a_file_is_refused_at_once() {
    for (name, args, code) in [
        ("l.db", &[][..], 78),
        ("l.db.lock", &[], 78),
        ("l.db-wal", &[], 78),
        ("c.toml", &["--config", "c.toml"], 78),
        ("ca.pem", &["--ca-file", "ca.pem"], 78),
        ("token", &["--token-file", "token"], 77),
        ("secret", &["--account-id", "YWRh", "--app-secret-file", "secret"], 77),
    ] {
        let lab = Lab::new();
        lab.customers(1);
        assert!(Command::new("mkfifo").args(["-m", "600"]).arg(lab.path(name)).status().unwrap().success());
        let target = ["import", "in.csv", "--base-url", "https://127.0.0.1:9/api", "--ledger", "l.db"];
        let mut import = lab.command(&[&target, args].concat());
        if code == 77 {
            import.env_remove("CUSTOMER_IMPORT_TOKEN");
        }
        let begun = Instant::now();
        Ran::of(&mut import).ends(code).says("is a named pipe");
        assert!(begun.elapsed() < Duration::from_secs(20), "{name}: {:?}", begun.elapsed());
    }
}

#[test]
fn a_token_can_come_through_a_pipe_that_a_shell_made() {
    use std::io::Write as _;
    let (lab, server) = imported();
    let args = lab.import_args(&server, &["--ledger", "l.db", "--token-file", "/dev/stdin"]);
    let mut import = lab.command(&args);
    import.env_remove("CUSTOMER_IMPORT_TOKEN").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut run = import.spawn().unwrap();
    run.stdin.take().unwrap().write_all(b"test-token\n").unwrap();
    Ran::from(run.wait_with_output().unwrap()).ends(0);
}

/// Everything in a folder and below, with its mode.
fn modes(folder: &Path) -> Vec<(String, bool, u32)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let (path, kind) = (entry.path(), entry.file_type().unwrap());
        if kind.is_dir() {
            found.extend(modes(&path));
        }
        // SQLite may have removed it since.
        let mode = std::fs::symlink_metadata(&path).map(|file| file.permissions().mode() & 0o777);
        found.extend(mode.ok().map(|mode| (path.display().to_string(), kind.is_dir(), mode)));
    }
    found
}

#[test]
fn whatever_the_umask_folders_are_0700_and_files_0600() {
    use rustix::process::{Pid, Signal, kill_process};
    let lab = Lab::new();
    let server = Server::start(&lab, &["--latency", "100ms"]);
    lab.customers(50);
    let program = lab.command(&[]).get_program().to_str().unwrap().to_owned();
    let script = format!(
        "umask 000; exec '{program}' import - --base-url '{}' --rate 500/s --settle 300ms --concurrency 1 \
         --report out.csv --report out.ndjson --rejects rejects.csv < in.csv",
        server.url
    );
    // The environment of the lab, for a shell.
    let mut shell = Command::new("sh");
    shell.args(["-c", &script]).current_dir(lab.path("")).stdout(Stdio::null()).stderr(Stdio::null());
    for (name, value) in lab.command(&[]).get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    let run = shell.spawn().unwrap();
    server.wait_for_posts(3);
    let made = modes(&lab.path("state"));
    kill_process(Pid::from_child(&run), Signal::TERM).unwrap();
    Ran::from(run.wait_with_output().unwrap()).ends(143);
    for ending in [".db", ".db-wal", ".db-shm", ".db.lock", "spool"] {
        assert!(made.iter().any(|(path, ..)| path.ends_with(ending)), "{ending}: {made:?}");
    }
    let outputs = ["out.csv", "out.ndjson", "rejects.csv"].map(|name| (name.to_owned(), false, mode(&lab.path(name))));
    for (path, is_folder, mode) in made.into_iter().chain(modes(&lab.path("state"))).chain(outputs) {
        assert_eq!(mode, if is_folder { 0o700 } else { 0o600 }, "{path} is {mode:o}");
    }
}

#[test]
fn an_output_that_could_not_be_written_at_the_end_is_refused_before_anything_is_sent() {
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    lab.customers(2);
    let (too_long, longest) = (format!("{}.csv", "a".repeat(252)), format!("{}.csv", "a".repeat(251)));
    for option in ["--report", "--rejects", "--metrics-file"] {
        lab.import(&server, &["--ledger", "l.db", option, &too_long]).ends(74).says("File name too long");
    }
    assert_eq!(server.requests(), 0);
    lab.import(&server, &["--ledger", "l.db", "--report", &longest]).ends(0);
    assert!(lab.path(&longest).exists());
}

#[test]
fn an_output_in_a_folder_that_cannot_be_read_is_refused_before_anything_is_sent() {
    use std::os::unix::process::CommandExt as _;
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    lab.customers(1);
    let folder = lab.path("drop");
    std::fs::create_dir(&folder).unwrap();
    allow(&folder, 0o300);
    let args = lab.import_args(&server, &["--ledger", "own/l.db", "--report", "drop/r.csv"]);
    let mut import = lab.command(&args);
    // Root can read it all the same, so another user must run this.
    if rustix::process::geteuid().is_root() {
        std::fs::create_dir(lab.path("own")).unwrap();
        for path in ["", "drop", "own", "in.csv"] {
            chown(lab.path(path), Some(NOBODY), Some(NOBODY)).unwrap();
        }
        let program = lab.path("program");
        std::fs::copy(import.get_program(), &program).unwrap();
        allow(&program, 0o755);
        let envs: Vec<_> =
            import.get_envs().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned()))).collect();
        import = Command::new(program);
        import.args(&args).current_dir(lab.path("")).stdin(Stdio::null()).envs(envs).uid(NOBODY).gid(NOBODY);
    }
    Ran::of(&mut import).ends(74).says("cannot write drop/r.csv").says("Permission denied");
    assert_eq!(server.requests(), 0);
}
