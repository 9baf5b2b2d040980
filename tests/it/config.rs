//! A file of options.

use crate::harness::{Lab, Server, rows};

const FILE: &str = r#"
# What every import of ours has in common.
rate = "500/s"
settle = "300ms"
concurrency = 2
report = ["a.csv", "b.ndjson"]
keep = ["legacy"]

[map]
name = "{First} {Last}"
"#;

#[test]
fn options_of_a_file_count_until_the_environment_or_the_command_line_say_otherwise() {
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    lab.write("in.csv", "First,Last,Email,Phone,Country,legacy,old\nAda,Byron,ada@example.com,+447911123456,GB,7,8\n");
    lab.write("c.toml", format!("base-url = \"{}\"\n{FILE}", server.url));
    lab.run(&["import", "in.csv", "--config", "c.toml"]).ends(0);
    assert_eq!(rows(&lab.path("a.csv"))[0]["legacy"], "7");
    assert!(lab.read("b.ndjson").contains("\"status\":\"created\""));

    let args = ["check", "in.csv", "--config", "c.toml", "--report", "c.csv"];
    let mut command = lab.command(&args);
    command.env("CUSTOMER_IMPORT_KEEP", "old");
    crate::harness::Ran::of(&mut command).ends(0);
    let row = &rows(&lab.path("c.csv"))[0];
    assert_eq!((row["old"].as_str(), row.get("legacy"), row["status"].as_str()), ("8", None, "already_imported"));
}

#[test]
fn no_file_is_read_unless_named_and_a_wrong_one_is_refused_with_its_line() {
    let lab = Lab::new();
    lab.customers(1);
    lab.write("customer-import.toml", "nonsense");
    lab.run(&["check", "in.csv"]).ends(0);
    lab.run(&["check", "in.csv", "--config", "none.toml"]).ends(2).says("none.toml");
    for (file, words) in [
        ("\nregoin = \"DE\"", "c.toml, line 2: no option is called regoin"),
        ("region = \"DE\"\nstrict = 1", "c.toml, line 2: strict: write true or false"),
        ("rate = \"fast\"", "c.toml, line 1: rate: invalid value 'fast'"),
        ("token = \"abc\"", "token-file"),
        ("= 5", "c.toml, line 1"),
    ] {
        lab.write("c.toml", file);
        let ran = lab.run(&["check", "in.csv", "--config", "c.toml"]).ends(2).says(words);
        assert!(!ran.stderr.contains("abc"), "{}", ran.stderr);
    }
}

#[test]
fn the_file_can_be_named_in_the_environment() {
    let lab = Lab::new();
    lab.customers(1);
    lab.write("c.toml", "summary = \"json\"\n");
    let mut command = lab.command(&["check", "in.csv"]);
    command.env("CUSTOMER_IMPORT_CONFIG", "c.toml");
    crate::harness::Ran::of(&mut command).ends(0).summary();
}
