//! Every command that the program prints works when it is pasted into a shell, and what it is about
//! is settled then.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use crate::harness::{FAST, HEADER, Lab, Ran, Server, customers, program, rows};

/// The commands that were printed: each from the program's name to the end of its line.
fn all_commands(ran: &Ran) -> Vec<String> {
    let program = program().to_string_lossy().into_owned();
    let printed = format!("{}\n{}", ran.stderr, ran.stdout);
    printed.lines().filter_map(|line| Some(line[line.find(&program)?..].to_owned())).collect()
}

/// Whether a command is the one that looks for columns, which is offered beside others.
fn is_proposal(line: &str) -> bool {
    line.contains(" init ")
}

/// The commands that were printed, without the one that looks for columns.
pub(crate) fn commands(ran: &Ran) -> Vec<String> {
    all_commands(ran).into_iter().filter(|line| !is_proposal(line)).collect()
}

/// The only command that was printed.
#[track_caller]
fn command(ran: &Ran) -> String {
    let found = commands(ran);
    assert_eq!(found.len(), 1, "{}{}", ran.stderr, ran.stdout);
    found.into_iter().next().unwrap()
}

/// A file, and what a person writes for the placeholders of the command.
struct Unread {
    text: &'static str,
    written: &'static [(&'static str, &'static str)],
}

#[test]
fn a_command_for_columns_that_were_not_found_reads_the_file() {
    let person = "p0@example.com,+4917612345001";
    let lab = Lab::new();
    for Unread { text, written } in [
        Unread { text: "Vorname,Nachname,E-Mail,Telefon,Land\nAda,King,PERSON,DE\n", written: &[] },
        Unread { text: "First Name,Last Name,My e-mail,Phone's $HOME,Country\nAda,King,PERSON,DE\n", written: &[] },
        Unread { text: "\"The\nfull name\",email,\"Phone\r\nat work\",country\nAda,PERSON,DE\n", written: &[] },
        Unread { text: "Wer? (Name),email,Rufnummer `x`,\"Land \"\"ISO\"\"\"\nAda,PERSON,DE\n", written: &[] },
        Unread { text: "name,email,phone,Straße & Länderkürzel\nAda,PERSON,DE\n", written: &[] },
        Unread { text: "name,email,phone,{Country} of birth\nAda,PERSON,DE\n", written: &[] },
        Unread { text: "name,email,phone,Ländle\nAda,PERSON,DE\n", written: &[] },
        Unread { text: "name,email,x,country\nAda,PERSON,DE\n", written: &[("COLUMN", "x")] },
        Unread { text: "name,email,phone,mobile,country\nAda,PERSON,+4917612345002,DE\n", written: &[] },
        Unread { text: "name,email,phone,note\nAda,PERSON,x\n", written: &[("COLUMN", "note"), ("CODE", "DE")] },
        Unread { text: "name^email^phone^country\nAda^p0@example.com^+4917612345001^DE\n", written: &[] },
    ] {
        lab.write("the list.csv", text.replace("PERSON", person));
        let refused = lab.run(&["check", "the list.csv"]);
        if refused.code == 0 {
            continue;
        }
        let refused = refused.ends(65);
        let commands = commands(&refused);
        let last = commands.last().unwrap_or_else(|| panic!("no command: {}", refused.stderr));
        let line = written.iter().fold(last.clone(), |line, (place, word)| line.replace(place, word));
        lab.shell(&line).ends(0).says("1  to send");
        for line in &commands {
            let line = written.iter().fold(line.clone(), |line, (place, word)| line.replace(place, word));
            let ran = lab.shell(&line);
            assert!([0, 1, 65].contains(&ran.code), "{line}\n{}", ran.stderr);
        }
        let Some(proposal) = all_commands(&refused).into_iter().find(|line| is_proposal(line)) else {
            // Another delimiter or a choice between two columns is not what it finds.
            assert_eq!(commands.len(), if text.contains('^') { 1 } else { 2 }, "{}", refused.stderr);
            continue;
        };
        let proposed = lab.shell(&proposal);
        let checked = lab.run(&["check", "the list.csv", "--config", "the list.toml"]);
        assert_eq!((proposed.code, checked.code), if proposed.code == 0 { (0, 0) } else { (65, 65) });
        std::fs::remove_file(lab.path("the list.toml")).unwrap();
    }
}

#[test]
fn a_country_for_all_is_offered_only_if_no_column_looks_like_a_country() {
    let lab = Lab::new();
    let rows =
        "Ada;ada@example.com;030 1234567;DE\nBo;bo@example.com;01 5330000;AT\nCy;cy@example.com;044 6681800;CH\n";
    for country in ["Land des Wohnsitzes", "País (residencia)", "Ländle", "Herkunft"] {
        lab.write("in.csv", format!("Name;E-Mail;Telefon;{country}\n{rows}"));
        let refused = lab.run(&["check", "in.csv"]).ends(65);
        assert!(!refused.stderr.contains("--set"), "{}", refused.stderr);
        lab.shell(&command(&refused)).ends(0).says("3  to send");
    }
    let line = |name: &str, home: &str| {
        format!(r#"{{"name":"{name}","email":"{name}@example.com","phone":"+4917612345001","home":"{home}"}}"#)
    };
    lab.write("in.ndjson", format!("{}\n{}\n", line("Ada", "Deutschland"), line("Bo", "AT")));
    let refused = lab.run(&["check", "in.ndjson"]).ends(65);
    assert!(!refused.stderr.contains("--set"), "{}", refused.stderr);
    lab.shell(&command(&refused)).ends(0).says("2  to send");
    let notes = "Ada;ada@example.com;030 1234567;regular\nBo;bo@example.com;+4315330000;new\n";
    lab.write("in.csv", format!("Name;E-Mail;Telefon;Notiz\n{notes}"));
    let refused = lab.run(&["check", "in.csv"]).ends(65).says("by which phones without + are then read");
    lab.shell(&commands(&refused)[1].replace("CODE", "DE")).ends(0).says("2  to send");
}

#[test]
fn a_command_for_another_encoding_reads_the_file() {
    let lab = Lab::new();
    let text = format!(
        "{HEADER}\nJürgen Groß,p0@example.com,+4917612345001,Österreich\n\
         Jörg Müller,p1@example.com,+4917612345002,Österreich\nHélène Bäcker,p2@example.com,+4917612345003,DE\n"
    );
    let latin: Vec<u8> = text.chars().map(|letter| u8::try_from(u32::from(letter)).unwrap()).collect();
    let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let mac = encoding_rs::MACINTOSH.encode(&text).0.into_owned();
    for bytes in [latin, wide, mac] {
        lab.write("in.csv", bytes);
        let refused = lab.run(&["check", "in.csv"]).ends(65);
        let command = command(&refused) + " --report r.csv --keep customer_name";
        lab.shell(&command).ends(0).says("3  to send");
        let names: Vec<_> = rows(&lab.path("r.csv")).iter().map(|row| row["customer_name"].clone()).collect();
        assert_eq!(names, ["Jürgen Groß", "Jörg Müller", "Hélène Bäcker"]);
    }
    // No encoding that can be named reads "CSV (MS-DOS)".
    let dos = [("ü", 0x81), ("ß", 0xe1), ("ö", 0x94), ("é", 0x82), ("è", 0x8a), ("ä", 0x84), ("Ö", 0x99)];
    let dos = text.chars().map(|letter| {
        let known = dos.iter().find(|(known, _)| known.starts_with(letter)).map(|(_, byte)| *byte);
        known.unwrap_or_else(|| u8::try_from(u32::from(letter)).unwrap())
    });
    lab.write("in.csv", dos.collect::<Vec<_>>());
    let refused = lab.run(&["check", "in.csv"]).ends(65).says("save the file as UTF-8");
    assert!(!refused.stderr.contains("windows"), "{}", refused.stderr);
}

#[test]
fn a_command_for_an_export_of_another_system_reads_it() {
    let lab = Lab::new();
    for file in ["hubspot-contacts.csv", "shopify-customers.csv", "google-contacts.csv", "okta-users.ndjson"] {
        lab.write(file, std::fs::read(crate::harness::fixture("exports").join(file)).unwrap());
        let refused = lab.run(&["check", file]).ends(65);
        lab.shell(&commands(&refused)[0]).ends(0).says("3  to send");
    }
}

#[test]
fn a_condition_that_is_advised_selects_the_customers() {
    let lab = Lab::new();
    let users = std::fs::read_to_string(crate::harness::fixture("exports").join("zendesk-users.ndjson")).unwrap();
    let agent = users.lines().next().unwrap().replace("end-user", "agent");
    lab.write("the users.ndjson", format!("{users}{agent}\n"));
    let typed = ["check", "the users.ndjson", "--from", "zendesk", "--set", "customer_country=GB"];
    lab.run(&typed[..2]).ends(65).says("import the customers alone with --where role=end-user");
    lab.run(&typed).ends(0).says("4  records read");
    // Typed as it is advised, and with an error that the command corrects.
    lab.run(&[&typed[..], &["--where", "role=end-user"]].concat()).ends(0).says("3  records read");
    let refused = lab.run(&[&typed[..], &["--where", "rolle=end-user"]].concat()).ends(65);
    lab.shell(&command(&refused)).ends(0).says("3  records read");
}

#[test]
fn the_command_that_looks_for_columns_keeps_what_it_needs_and_is_not_offered_for_a_pipe() {
    let lab = Lab::new();
    lab.write("the list.csv", "Wer;E-Mail;Telefon;Land\nAda;p0@example.com;+4917612345001;DE\n");
    let typed = ["import", "the list.csv", "--delimiter", ";", "--sandbox", "--report", "r.csv", "--rate=5/s"];
    let refused = lab.run(&typed).ends(65);
    let proposal = all_commands(&refused).into_iter().find(|line| is_proposal(line)).unwrap();
    assert!(proposal.ends_with(" init 'the list.csv' --delimiter ';'"), "{proposal}");
    lab.shell(&proposal).ends(65).says("where you fill in customer_name");
    let open = std::fs::File::open(lab.path("the list.csv")).unwrap();
    let piped = Ran::of(lab.command(&["check", "-"]).stdin(open)).ends(65);
    assert!(!all_commands(&piped).iter().any(|line| is_proposal(line)), "{}", piped.stderr);
}

#[test]
fn a_column_that_does_not_exist_is_corrected_in_the_command() {
    let lab = Lab::new();
    lab.write("in.csv", "name,email,My phone,country,id\nAda,p0@example.com,+4917612345001,DE,7\n");
    for wrong in [&["--map", "customer_phone=My fone"][..], &["--map=customer_phone=My fone"]] {
        let refused = lab.run(&[&["check", "in.csv"], wrong].concat()).ends(65).says("perhaps \"My phone\"");
        lab.shell(&command(&refused)).ends(0).says("1  to send");
    }
    let phone = ["--map", "customer_phone=My phone"];
    let refused = lab.run(&[&["check", "in.csv", "--extra", "legacy.id=idd"], &phone[..]].concat()).ends(65);
    lab.shell(&command(&refused)).ends(0).says("1  to send");
    // The name is in a template or a list, or several columns are near: no command is sure.
    for wrong in [["--map", "customer_name={name} {My fone}"], ["--keep", "idd"]] {
        let refused = lab.run(&[&["check", "in.csv"], &wrong[..], &phone].concat()).ends(65).says("perhaps");
        assert_eq!(all_commands(&refused), Vec::<String>::new());
    }
}

#[test]
fn a_command_for_a_sheet_reads_it() {
    let lab = Lab::new();
    let mut workbook = rust_xlsxwriter::Workbook::new();
    for (name, email) in [("It's one", "p0@example.com"), ("Two", "p1@example.com")] {
        let sheet = workbook.add_worksheet();
        sheet.set_name(name).unwrap();
        for (column, (header, cell)) in
            (0..).zip([("name", "Ada"), ("email", email), ("phone", "+4917612345001"), ("country", "DE")])
        {
            sheet.write(0, column, header).unwrap().write(1, column, cell).unwrap();
        }
    }
    workbook.save(lab.path("in.xlsx")).unwrap();
    let refused = lab.run(&["check", "in.xlsx"]).ends(65);
    assert_eq!(commands(&refused).len(), 2, "{}", refused.stderr);
    for line in commands(&refused) {
        lab.shell(&line).ends(0).says("1  to send");
    }
    lab.run(&["check", "in.xlsx", "--sheet", "three"]).ends(65).says("\"It's one\", \"Two\"");
}

/// The options about phones are printed beside each number, where a command would be too long.
#[test]
fn what_is_advised_for_phones_makes_their_column_readable() {
    let lab = Lab::new();
    lab.write("in.csv", "name,email,Tel No,country\nAda,p0@example.com,491761234501,DE\n");
    let typed = ["check", "in.csv", "--map", "customer_phone=Tel No", "--report", "out.csv"];
    let said = lab.run(&typed).ends(1).stderr;
    let (_, option) = said.split_once("if the whole column lacks it: ").unwrap();
    let option = option.split_once(')').unwrap().0.replace("COLUMN", "Tel No");
    lab.shell(&format!("{} check in.csv {option}", program().display())).ends(0).says("1  to send");
}

#[test]
fn a_region_that_is_advised_makes_national_numbers_readable() {
    let lab = Lab::new();
    // Antarctica has no calling code of its own.
    for (number, advice) in [
        ("030 1234567", "write it with + and the country code, or give --region"),
        ("0049 30 1234567", "write + instead of 00"),
    ] {
        lab.write("in.csv", format!("{HEADER}\nAda,p0@example.com,{number},AQ\n"));
        lab.run(&["check", "in.csv"]).ends(1).says("phone.no_country_code").says(advice);
        lab.run(&["check", "in.csv", "--region", "DE"]).ends(0).says("1  to send");
        lab.write("in.toml", "region = \"DE\"\n");
        lab.run(&["check", "in.csv", "--config", "in.toml"]).ends(0).says("1  to send");
        lab.write("in.csv", lab.read("in.csv").replace("0049", "+49").replace("030", "+4930"));
        lab.run(&["check", "in.csv"]).ends(0).says("1  to send");
    }
    lab.run(&["check", "in.csv", "--region", "Atlantis"]).ends(2).says("give a country code such as DE");
}

#[test]
fn what_is_advised_for_a_database_makes_a_file_that_is_read() {
    if std::process::Command::new("sqlite3").arg("--version").output().is_err() {
        return crate::harness::skipped("sqlite3 is not installed");
    }
    let lab = Lab::new();
    let database = std::fs::read(crate::harness::fixture("foreign").join("customers.sqlite")).unwrap();
    lab.write("the list.sqlite", database);
    let refused = lab.run(&["check", "the list.sqlite"]).ends(65);
    let (_, command) = refused.stderr.split_once("export the table as CSV: ").unwrap();
    let command = command.lines().next().unwrap().replace("TABLE", "customers");
    lab.shell(&format!("{command} > customers.csv")).ends(0);
    let read = lab.run(&["check", "customers.csv"]);
    assert!([0, 1].contains(&read.code), "{}", read.stderr);
}

/// The command of another tool that was printed.
#[track_caller]
fn tool_command(ran: &Ran) -> String {
    const OUTPUT: &str = "customers.ndjson";
    let said = format!("{}{}", ran.stderr, ran.stdout);
    let start = ["jq -c", "sed 's", "tr -d"].iter().filter_map(|tool| said.find(tool)).min();
    let command = &said[start.unwrap_or_else(|| panic!("no command:\n{said}"))..];
    let end = command.find(&format!("> {OUTPUT}")).unwrap() + OUTPUT.len() + 2;
    command[..end].to_owned()
}

#[test]
fn what_is_advised_for_other_json_makes_a_file_that_is_read() {
    if std::process::Command::new("jq").arg("--version").output().is_err() {
        return crate::harness::skipped("jq is not installed");
    }
    let lab = Lab::new();
    let person =
        |n: usize| format!(r#"{{"name":"Ada","email":"p{n}@example.com","phone":"+4917612345001","country":"DE"}}"#);
    let (one, two) = (person(0), person(1));
    for text in [
        format!("[\n{one},\n{two}\n]\n"),
        format!("{}\n{}\n", one.replace(',', ",\n"), two.replace(',', ",\n")),
        format!("{{\"page\":1,\"customers\":[{one},{two}]}}\n"),
        format!("{{\"customers\": [\n{one},\n{two}\n]}}\n"),
        format!("\u{1e}{one}\n\u{1e}{two}\n"),
        format!("{one}{two}\n"),
        format!("{one},\n{two},\n"),
        format!("{one},{two}\n"),
    ] {
        lab.write("the list.json", &text);
        lab.write("customers.ndjson", "");
        lab.shell(&tool_command(&lab.run(&["check", "the list.json"]))).ends(0);
        let mut ran = lab.run(&["check", "customers.ndjson"]);
        if ran.code == 65 {
            // The list was within an object over several lines: the next advice takes it out.
            std::fs::rename(lab.path("customers.ndjson"), lab.path("the list.json")).unwrap();
            lab.shell(&tool_command(&lab.run(&["check", "the list.json"]))).ends(0);
            ran = lab.run(&["check", "customers.ndjson"]);
        }
        ran.ends(0).says("2  to send");
    }
    // A good line comes first, so the file is read, and the others are listed.
    lab.write("the list.json", format!("{one}\n{two}{two}\n"));
    lab.shell(&tool_command(&lab.run(&["check", "the list.json"]).ends(1))).ends(0);
    lab.run(&["check", "customers.ndjson"]).ends(0).says("3  records read");
    lab.write("the list.json", "[\"Ada\",\"p0@example.com\"]\n[\"Bo\",\"p1@example.com\"]\n");
    lab.shell(&tool_command(&lab.run(&["check", "the list.json"]))).ends(0);
    lab.run(&["check", "customers.ndjson"]).ends(65).says("columns found: name, email");
}

#[cfg(unix)]
#[test]
fn the_command_that_resumes_finishes_the_run_after_a_signal_and_after_a_kill() {
    use rustix::process::{Pid, Signal, kill_process};
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    lab.write("the list.csv", customers(60));
    let args = ["import", "the list.csv", "--base-url", &server.url, "--rate", "30/s", "--settle", "300ms"];
    let mut first = lab.command(&args);
    let first = first.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
    server.wait_for_posts(3);
    kill_process(Pid::from_child(&first), Signal::TERM).unwrap();
    let resume = command(&Ran::from(first.wait_with_output().unwrap()));

    let mut second = lab.shell_command(&format!("exec {resume}"));
    let mut second = second.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().unwrap();
    server.wait_for_posts(server.posts().len() + 3);
    second.kill().unwrap();
    second.wait().unwrap();
    lab.shell(&resume).ends(0);
    server.has_each_once((0..60).map(crate::harness::email));
}

#[test]
fn an_import_without_a_server_is_led_to_one_and_other_commands_not_to_the_sandbox() {
    let lab = Lab::new();
    lab.customers(2);
    let refused = lab.run(&["import", "in.csv"]).ends(2);
    let [named, tried] = &commands(&refused)[..] else { panic!("{}", refused.stderr) };
    assert!(named.ends_with("import in.csv --base-url https://api.yativo.com/api/v1"), "{named}");
    lab.shell(tried).ends(0).says("2  created");
    for args in [&["report", "in.csv"][..], &["ledger", "show"], &["ledger", "pull"], &["ledger", "forget", "--target"]]
    {
        let refused = lab.run(args).ends(2);
        assert!(!refused.stderr.contains("sandbox"), "{}", refused.stderr);
        assert!(command(&refused).contains(&args.join(" ")), "{}", refused.stderr);
    }
}

#[test]
fn the_command_that_resumes_finishes_the_run() {
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    let text = customers(5);
    lab.write("the list.csv", text);
    let args = ["import", "the list.csv", "--base-url", &server.url, "--limit", "3"];
    let first = lab.run(&[&args, &FAST[..]].concat()).ends(0);
    lab.shell(&command(&first)).ends(0).says("2  created");
    server.has_each_once((0..5).map(crate::harness::email));
}

#[test]
fn the_commands_about_a_doubt_end_it() {
    let lab = Lab::new();
    let server = Server::start(&lab, &["--no-lookup", "--fault", "reset-after:p1@example.com:first=1"]);
    lab.customers(3);
    let doubtful = lab.import(&server, &["--max-attempts", "1", "--ledger", "the ledger.db"]).ends(4);
    let [.., settle] = &commands(&doubtful)[..] else { panic!("{}", doubtful.stdout) };
    let target = ["--ledger", "the ledger.db", "--base-url", &server.url];
    let show = [&["ledger", "show"], &target[..]].concat();
    let resolve = command(&lab.run(&show).ends(0).says("p1@example.com"));
    let forget = [&["ledger", "forget", "p1@example.com"], &target[..]].concat();
    let refused = lab.run(&forget).ends(2);
    let [first, confirmed] = &commands(&refused)[..] else { panic!("{}", refused.stderr) };
    assert_eq!(*first, resolve);
    assert!(confirmed.ends_with("--yes"), "{confirmed}");
    let erased =
        lab.shell(&format!("cp 'the ledger.db' copy.db && {}", confirmed.replace("'the ledger.db'", "copy.db")));
    erased.ends(0).says("is forgotten");
    lab.shell(&settle.replace("EMAIL", "p1@example.com").replace("ID", "c-1")).ends(0).says("is settled");
    let refused = lab.run(&[&["ledger", "settle", "p1@example.com", "--absent"], &target[..]].concat()).ends(2);
    let shown = lab.shell(&command(&refused)).ends(0);
    assert!(!shown.stdout.contains("in doubt"), "{}", shown.stdout);
    lab.shell(&format!("{resolve} --rate 500/s --settle 300ms")).ends(0);
}

#[cfg(unix)]
#[test]
fn a_command_for_the_rights_of_a_file_makes_it_acceptable() {
    use std::os::unix::fs::PermissionsExt as _;
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    lab.customers(1);
    let token = lab.write("my token", "test-token");
    let config = lab.write("my settings.toml", "rate = \"500/s\"\n");
    let import = |more: &[&str]| {
        let mut command = lab.command(&lab.import_args(&server, more));
        Ran::of(command.env_remove("CUSTOMER_IMPORT_TOKEN"))
    };
    let given = ["--token-file", "my token", "--ledger", "my ledger.db", "--config", "my settings.toml"];
    let allow = |path: &std::path::Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    for (path, mode) in [(&token, 0o644), (&config, 0o666), (&lab.path("my ledger.db"), 0o666)] {
        allow(&token, 0o600);
        allow(&config, 0o600);
        import(&given).ends(0);
        allow(path, mode);
        let refused = import(&given);
        assert!(refused.code >= 77, "{}", refused.stderr);
        let said = format!("{}{}", refused.stderr, refused.stdout);
        let line = said.lines().find_map(|line| Some(&line[line.find("chmod ")?..])).unwrap();
        lab.shell(line.trim_end_matches('.')).ends(0);
        import(&given).ends(0);
    }
}

#[cfg(unix)]
#[test]
fn a_command_for_the_owner_of_a_file_makes_it_acceptable() {
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    lab.customers(1);
    let config = lab.write("my settings.toml", "rate = \"500/s\"\n");
    if std::os::unix::fs::chown(&config, Some(65_534), None).is_err() {
        crate::harness::skipped("only root can give a file to another user");
        return;
    }
    let refused = lab.import(&server, &["--config", "my settings.toml"]);
    assert_eq!(refused.code, 78, "{}", refused.stderr);
    let line = refused.stderr.lines().find_map(|line| Some(&line[line.find("chown ")?..])).unwrap();
    lab.shell(line).ends(0);
    lab.import(&server, &["--config", "my settings.toml"]).ends(0);
}

#[test]
fn a_name_that_is_advised_for_another_account_keeps_both_accounts_in_one_ledger() {
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    lab.customers(1);
    let import = |line: &str, subject: &str| {
        let token = format!("e30.{}.x", BASE64_URL_SAFE_NO_PAD.encode(format!("{{\"sub\":\"{subject}\"}}")));
        Ran::of(lab.shell_command(line).env("CUSTOMER_IMPORT_TOKEN", token))
    };
    let program = program();
    let line =
        format!("{} import in.csv --ledger l.db --base-url {} {}", program.display(), server.url, FAST.join(" "));
    import(&line, "one").ends(0).says("1  created");
    let refused = import(&line, "other").ends(78);
    let (_, option) = refused.stderr.split_once("a name of its own: ").unwrap();
    let option = option.lines().next().unwrap().replace("NAME", "other");
    // To this server both are one account, so the customer exists.
    import(&format!("{line} {option}"), "other").ends(0).says("1  exists");
    import(&line, "one").ends(0).says("1  already_imported");
}

#[test]
fn a_command_for_lists_within_an_export_makes_a_file_that_is_read() {
    if std::process::Command::new("jq").arg("--version").output().is_err() {
        return crate::harness::skipped("jq is not installed");
    }
    let export = |file: &str| std::fs::read_to_string(crate::harness::fixture("exports").join(file)).unwrap();
    let in_list = |users: &str| format!("{{\n  \"users\": [\n{}\n]}}\n", users.trim_end().replace('\n', ",\n"));
    let country = ["--set", "customer_country=GB"];

    // One user a line, and the whole realm.
    let users = export("keycloak-users.ndjson");
    for text in [users.clone(), in_list(&users)] {
        let lab = Lab::new();
        lab.write("the realm.json", &text);
        let (mut input, mut steps) = ("the realm.json", 0);
        let mut refused = lab.run(&["check", input]).ends(65);
        while !refused.stderr.contains("attributes of Keycloak") {
            assert!(steps < 3, "{}", refused.stderr);
            lab.shell(&tool_command(&refused)).ends(0);
            std::fs::rename(lab.path("customers.ndjson"), lab.path("users.ndjson")).unwrap();
            (input, steps) = ("users.ndjson", steps + 1);
            refused = lab.run(&["check", input]).ends(65);
        }
        // It also works with the realm that the users are from.
        let command = tool_command(&refused);
        for command in [command.replace("users.ndjson", "'the realm.json'"), command] {
            lab.shell(&command).ends(0);
            let args = ["check", "customers.ndjson", "--from", "keycloak", "--map", "customer_phone=phone"];
            lab.run(&[&args, &country[..]].concat()).ends(0).says("3  to send");
        }
    }

    let lab = Lab::new();
    let row = format!("invented,ada@example.com,true,h,s,Ada{},1767323045000,,+447911123456,false,,\n", ",".repeat(17));
    lab.write("users.csv", row.repeat(2));
    let refused = lab.run(&["check", "users.csv"]).ends(65);
    lab.write("users.json", in_list(&export("firebase-auth-users.ndjson")));
    lab.shell(&tool_command(&refused)).ends(0);
    lab.run(&[&["check", "customers.ndjson", "--from", "firebase"], &country[..]].concat()).ends(0).says("3  to send");
}

#[test]
fn a_command_in_a_report_or_a_log_names_the_file() {
    let lab = Lab::new();
    let person = r#"{"name":"Ada","email":"p0@example.com","phone":"+4917612345001","country":"DE"}"#;
    lab.write("the FILE list.json", format!("{person}\n{person}{person}\n"));
    let named = "jq -c . 'the FILE list.json' > customers.ndjson";
    let args = ["check", "the FILE list.json", "--report", "r.csv", "--report", "r.html", "--rejects", "mend.ndjson"];
    lab.run(&args).ends(1).says(named);
    assert!(lab.read("r.csv").contains(named), "{}", lab.read("r.csv"));
    assert!(lab.read("mend.ndjson").contains(named), "{}", lab.read("mend.ndjson"));
    assert!(!lab.read("r.html").contains("jq -c . FILE"), "{}", lab.read("r.html"));
    let logged = lab.run(&[&args[..], &["--log-format", "json"]].concat()).ends(1);
    assert!(logged.stderr.contains(named), "{}", logged.stderr);
}

#[test]
fn a_command_never_writes_over_the_input_that_it_reads() {
    let lab = Lab::new();
    let person = r#"{"name":"Ada","email":"p0@example.com","phone":"+4917612345001","country":"DE"}"#;
    let text = format!("[{person}]\n");
    lab.write("customers.ndjson", &text);
    lab.run(&["check", "customers.ndjson"]).ends(65).says("jq -c '.[]' customers.ndjson > customers2.ndjson");
    // Standard input has no name.
    let open = std::fs::File::open(lab.path("customers.ndjson")).unwrap();
    Ran::of(lab.command(&["check", "-"]).stdin(open)).ends(65).says("jq -c '.[]' FILE > customers.ndjson");
}

#[test]
#[cfg(unix)]
fn a_command_for_a_file_whose_name_controls_the_terminal_reads_it_in_a_plain_shell() {
    let lab = Lab::new();
    for name in ["a\u{1b}[2J 'b' %s.csv", "\u{202e}vsc.x.csv", "-x\ty!.csv"] {
        lab.write(name, "name,email,x,country\nAda,p0@example.com,+4917612345001,DE\n");
        let typed = format!("./{name}");
        let refused = lab.run(&["check", &typed]).ends(65);
        assert!(!refused.stderr.contains(['\u{1b}', '\u{202e}', '\t']), "{}", refused.stderr);
        let line = commands(&refused).last().unwrap().replace("COLUMN", "x");
        lab.shell(&line).ends(0).says("1  to send");
    }
}

#[test]
fn a_folder_that_is_advised_for_a_report_lets_it_be_written() {
    let lab = Lab::new();
    lab.customers(1);
    let args = ["check", "in.csv", "--report", "my reports/of today/r.csv"];
    let refused = lab.run(&args);
    assert!([2, 74, 78].contains(&refused.code), "{refused:?}");
    let line = refused.stderr.lines().find_map(|line| Some(&line[line.find("mkdir -p ")?..])).unwrap();
    lab.shell(line).ends(0);
    lab.run(&args).ends(0);
}

#[cfg(unix)]
#[test]
fn the_other_names_of_a_ledger_are_found_by_the_command_in_the_hint() {
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    lab.customers(1);
    lab.import(&server, &["--ledger", "my ledger.db"]).ends(0);
    std::fs::hard_link(lab.path("my ledger.db"), lab.path("other name.db")).unwrap();
    let refused = lab.import(&server, &["--ledger", "my ledger.db"]).ends(78);
    let (_, line) = refused.stderr.split_once("which this lists: ").unwrap();
    // Only this folder, because all of a disk takes long.
    let line = line.lines().next().unwrap().replace("find / ", "find . ");
    let found = lab.shell(&line).ends(0);
    let mut found: Vec<_> = found.stdout.lines().collect();
    found.sort_unstable();
    assert_eq!(found, ["./my ledger.db", "./other name.db"]);
}

#[test]
fn doubts_that_are_not_in_an_input_are_resolved_by_the_command_of_its_plan() {
    let lab = Lab::new();
    let server = Server::start(&lab, &["--fault", "reset-after:p1@example.com:first=1"]);
    lab.customers(3);
    lab.import(&server, &["--max-attempts", "1", "--no-lookup", "--ledger", "l.db"]).ends(4);
    lab.write("new.csv", format!("{HEADER}\nNew,new@example.com,+4917612345001,DEU\n"));
    let plan = lab.run(&["check", "new.csv", "--base-url", &server.url, "--ledger", "l.db"]).ends(0);
    lab.shell(&format!("{} --rate 500/s --settle 300ms", command(&plan))).ends(0).says("1 in doubt, 1 created");
}

#[test]
fn the_command_in_a_proposal_checks_the_file_with_it() {
    let lab = Lab::new();
    lab.write("the list.csv", "Name;E-Mail;Telefon;Land\nAda;p0@example.com;+4917612345001;DE\n");
    lab.run(&["init", "the list.csv"]).ends(0);
    let text = lab.read("the list.toml");
    let (_, line) = text.split_once("# Check the file with: ").unwrap();
    lab.shell(line.lines().next().unwrap()).ends(0).says("1  to send");
}
