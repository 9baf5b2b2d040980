//! Only some rows, and only some records: `--where` and `--hold`.

use crate::harness::{FAST, HEADER, Lab, Ran, Server, fixture, rows};

const USERS: &str = "name,email,phone,country,role,active\n\
                     Ada,ada@kunde.de,+4917612345001,DE,end-user,yes\n\
                     Agent,agent@firma.de,+4917612345002,DE,agent,yes\n\
                     Bea,bea@kunde.de,+4917612345003,DE, end-user ,yes\n\
                     Eva,eva@kunde.de,+4917612345004,DE,end-user,no\n\
                     Admin,nobody,,XX,admin,yes\n\
                     Ida,ida@kunde.de,+4917612345005,DE,End-User,yes\n";

const WHERE: [&str; 2] = ["--where", "role=end-user"];

fn row_numbers(lab: &Lab, report: &str) -> Vec<String> {
    rows(&lab.path(report)).into_iter().map(|row| row["row"].clone()).collect()
}

#[test]
fn only_the_selected_rows_are_records_and_keep_their_numbers() {
    let lab = Lab::with_input(USERS);
    let server = Server::start(&lab, &[]);
    let ran = lab.import(&server, &[&WHERE[..], &["--summary", "json", "--limit", "2"]].concat()).ends(0);
    let summary = ran.summary();
    assert_eq!((summary["records_read"].as_u64(), summary["not_selected"].as_u64()), (Some(3), Some(3)));
    assert_eq!(row_numbers(&lab, "in.report.csv"), ["1", "3", "4"]);
    assert_eq!(lab.statuses(), ["created", "created", "not_attempted"]);

    // The second run knows the rows of the first by their place.
    lab.import(&server, &WHERE).ends(0).says("3  records read").says("3  rows not selected (--where)");
    assert_eq!(lab.statuses(), ["already_imported", "already_imported", "created"]);
    server.has_each_once(["ada", "bea", "eva"].map(|name| format!("{name}@kunde.de")));

    let of_the_run = lab.read("in.report.csv");
    let report = ["report", "in.csv", "--base-url", &server.url, "--report", "again.csv"];
    lab.run(&[&report[..], &WHERE].concat()).ends(0).says("3  rows not selected (--where)");
    assert_eq!(lab.read("again.csv"), of_the_run);
    // The report of a run selects as the run did.
    lab.run(&report).ends(0).says("3  rows not selected (--where)");
    assert_eq!(lab.read("again.csv"), of_the_run);
}

#[test]
fn agents_of_a_help_desk_do_not_go_in_with_the_customers() {
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    let users = std::fs::read_to_string(fixture("exports").join("zendesk-users.ndjson")).unwrap();
    let agent = users.lines().next().unwrap().replace("\"end-user\"", "\"agent\"").replace("ada.", "agent.");
    lab.write("users.ndjson", format!("{agent}\n{users}"));
    let args = ["import", "users.ndjson", "--from", "zendesk", "--set", "country=GB", "--base-url", &server.url];
    lab.run(&[&args, &FAST[..], &WHERE].concat()).ends(0).says("3  created").says("1  row not selected");
    server.has_each_once(["ada.zd", "wanjiru.zd", "jose.zd"].map(|name| format!("{name}@example.com")));
}

#[test]
fn all_conditions_must_hold_and_an_empty_value_is_an_empty_cell() {
    let lab = Lab::with_input(USERS);
    let both = [&["check", "in.csv", "--where", "active=no"], &WHERE[..]].concat();
    lab.run(&both).ends(0).says("1  record read").says("5  rows not selected");
    lab.run(&["check", "in.csv", "--where", "role=customer"]).ends(0).says("no row was selected, of 6");
    lab.write("in.csv", USERS.replace(",no\n", ",\n"));
    lab.run(&["check", "in.csv", "--where", "active="]).ends(0).says("1  record read");
    let mut command = lab.command(&["check", "in.csv"]);
    command.env("CUSTOMER_IMPORT_WHERE", "role=end-user\nactive=yes");
    Ran::of(&mut command).ends(0).says("2  records read");
}

#[test]
fn the_column_of_a_condition_is_named_in_any_case_and_one_that_is_not_there_is_refused() {
    let lab = Lab::with_input(USERS);
    lab.run(&["check", "in.csv", "--where", "ROLE=end-user"]).ends(0).says("3  records read");
    lab.run(&["check", "in.csv", "--where", "rolle=end-user"])
        .ends(65)
        .says("there is no column \"rolle\"; columns found: name, email, phone, country, role, active")
        .says("hint: --where role=end-user; the whole command: ")
        .says("customer-import check in.csv --where role=end-user\n");
    lab.run(&["check", "in.csv", "--where", "role"]).ends(2).says("write COLUMN=VALUE");
}

#[test]
fn objects_are_selected_by_dotted_paths_and_by_values_of_any_type() {
    let lab = Lab::new();
    let line = |name: &str, role: &str| {
        format!(
            r#"{{"name":"{name}","email":"{name}@kunde.de","phone":"+4917612345001","country":"DE","user":{role}}}"#
        )
    };
    let lines = [
        line("a", r#"{"role":"end-user","level":1}"#),
        line("b", r#"{"role":"agent","level":1}"#),
        line("c", r#"{"level":1}"#),
        "not json".to_owned(),
        line("d", r#"{"role":["end-user"],"level":2}"#),
    ];
    lab.write("in.ndjson", lines.join("\n"));
    let check = |condition: &str| lab.run(&["check", "in.ndjson", "--report", "r.csv", "--where", condition]).ends(1);
    // A line that is not an object may be anybody, so it stays a record.
    check("user.role=end-user");
    assert_eq!(row_numbers(&lab, "r.csv"), ["1", "4"]);
    check("user.level=1");
    assert_eq!(row_numbers(&lab, "r.csv"), ["1", "2", "3", "4"]);
    check("user.role=");
    assert_eq!(row_numbers(&lab, "r.csv"), ["3", "4"]);
}

#[test]
fn a_row_whose_cell_cannot_be_trusted_stays_a_record_with_its_problem() {
    let lab = Lab::new();
    let head = format!("{HEADER},role\n");
    let good = |name: &str, role: &str| format!("{name},{name}@kunde.de,+4917612345001,DEU,{role}\n");
    let text = [head.clone(), good("a", "end-user"), "b,b@kunde.de,+49,1,DEU,agent\n".to_owned(), good("c", "agent")];
    lab.write("in.csv", text.concat());
    let args = [&["check", "in.csv", "--report", "r.csv"], &WHERE[..]].concat();
    lab.run(&args).ends(1).says("1  row.column_count").says("1  row not selected");
    assert_eq!(row_numbers(&lab, "r.csv"), ["1", "2"]);

    // A cell that is not text is no value; a cell beside it does not matter.
    let mut bytes = head.into_bytes();
    for number in 0..200 {
        bytes.extend(good(&format!("p{number}"), "end-user").into_bytes());
    }
    bytes.extend(b"x,x@kunde.de,+4917612345001,DEU,end-us\xe9r\nJos\xe9,y@kunde.de,+4917612345001,DEU,agent\n");
    lab.write("in.csv", bytes);
    lab.run(&args).ends(1).says("1  row.encoding").says("201  records read").says("1  row not selected");
}

#[test]
fn a_row_that_a_pipe_may_have_cut_off_stays_a_record() {
    let lab = Lab::new();
    let input = lab.write("cut.csv", USERS.trim_end().strip_suffix("s").unwrap());
    let mut command = lab.command(&["check", "-", "--where", "active=yes"]);
    command.stdin(std::fs::File::open(input).unwrap());
    Ran::of(&mut command).ends(1).says("1  row.column_count").says("5  records read").says("1  row not selected");
}

#[test]
fn a_header_in_another_order_is_refused_also_among_rows_that_are_not_selected() {
    let lab = Lab::new();
    lab.write("in.csv", format!("{USERS}{USERS}"));
    lab.run(&[&["check", "in.csv"], &WHERE[..]].concat()).ends(0).says("1  repeated header skipped");
    let other = USERS.replacen("name,email", "email,name", 1);
    lab.write("in.csv", format!("{USERS}{other}"));
    lab.run(&[&["check", "in.csv"], &WHERE[..]].concat()).ends(65).says("line 8: the header appears again");
}

#[test]
fn an_email_of_a_row_that_is_not_selected_makes_no_duplicate() {
    let lab = Lab::new();
    lab.write("in.csv", USERS.replace("agent@firma.de", "bea@kunde.de"));
    let server = Server::start(&lab, &[]);
    lab.import(&server, &WHERE).ends(0);
    assert_eq!(lab.statuses(), ["created"; 3]);
}

#[test]
fn a_warning_that_holds_its_records_is_a_problem_in_everything_that_is_said() {
    let lab = Lab::new();
    let good = "Bea,bea@kunde.de,+4917612345002,DEU\n";
    lab.write("in.csv", format!("{HEADER}\nJosÃ©,jose@kunde.de,+4917612345001,DEU\n{good}"));
    lab.run(&["check", "in.csv"]).ends(0).says("1  name.looks_garbled (warning");
    let server = Server::start(&lab, &[]);
    let hold = ["--hold", "name.looks_garbled", "--rejects", "r.csv"];
    lab.import(&server, &hold).ends(1).says("1  name.looks_garbled (problem").says("1  invalid");
    let report = lab.report();
    assert_eq!((report[0]["status"].as_str(), report[0]["error_code"].as_str()), ("invalid", "name.looks_garbled"));
    assert_eq!((report[0]["warning"].as_str(), report[1]["status"].as_str()), ("", "created"));
    assert_eq!(rows(&lab.path("r.csv"))[0]["customer_email"], "jose@kunde.de");
    server.has_each_once(["bea@kunde.de".to_owned()]);
    lab.run(&[&["import", "in.csv", "--base-url", &server.url, "--strict"], &hold[..2], &FAST].concat())
        .ends(1)
        .says("--strict");
}

#[test]
fn only_a_warning_can_hold_and_the_refusal_lists_them() {
    let lab = Lab::with_input(USERS);
    for wrong in ["name.missing", "duplicate.differs", "garbled"] {
        lab.run(&["check", "in.csv", "--hold", wrong]).ends(2).says("phone.not_assigned, phone.other_country, ");
    }
}
