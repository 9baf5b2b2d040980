//! Every command that the program prints works when it is pasted into a shell, and what it is about
//! is settled then.

use crate::harness::{FAST, HEADER, Lab, Ran, Server, customers, program};

/// The commands that were printed: each from the program's name to the end of its line.
fn commands(ran: &Ran) -> Vec<String> {
    let program = program().to_string_lossy().into_owned();
    let printed = format!("{}\n{}", ran.stderr, ran.stdout);
    printed.lines().filter_map(|line| Some(line[line.find(&program)?..].to_owned())).collect()
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
    let text = format!("{HEADER}\nJürgen,p0@example.com,+4917612345001,Österreich\n");
    let latin: Vec<u8> = text.chars().map(|letter| u8::try_from(u32::from(letter)).unwrap()).collect();
    let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    for bytes in [latin, wide] {
        lab.write("in.csv", bytes);
        let refused = lab.run(&["check", "in.csv"]).ends(65);
        lab.shell(&command(&refused)).ends(0).says("1  to send");
    }
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
