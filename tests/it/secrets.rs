//! Secrets that a server repeats in its answers reach no file, no terminal and no log.

use std::path::Path;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use crate::harness::{HEADER, Lab, Ran};
use crate::world::{Book, Reply, Request, World};

/// `ops@example.org`
const ID: &str = "b3BzQGV4YW1wbGUub3Jn";
const SECRET: &str = "s3cret/of-ops+1";
const TOKEN: &str = "t0ken-That-a-Login-brought";
const LINK: &str = "https://kyc.example.com/for/one-person";

/// What a careless server prints: all that it was sent, in several forms.
fn repeated() -> String {
    let basic = BASE64_STANDARD.encode(format!("{ID}:{SECRET}"));
    format!("{TOKEN} {SECRET} {} {basic} {ID} see {LINK}", BASE64_STANDARD.encode(SECRET))
}

/// Parts of secrets that show that one got out, whatever was cut off around it.
fn traces() -> Vec<String> {
    let encoded = BASE64_STANDARD.encode(SECRET);
    [TOKEN, SECRET, &TOKEN[..14], &SECRET[..10], &encoded[..14], &encoded[6..18], ID, "ops@example.org"]
        .map(str::to_owned)
        .into()
}

#[track_caller]
fn holds_no_secret(what: &str, bytes: &[u8]) {
    let bytes = bytes.to_ascii_lowercase();
    for trace in traces() {
        let found = memchr::memmem::find(&bytes, trace.to_ascii_lowercase().as_bytes());
        assert!(found.is_none(), "{trace} in {what}");
    }
}

/// Looks at all that a run left and said.
#[track_caller]
fn nothing_got_out(lab: &Lab, ran: &Ran) {
    holds_no_secret("stdout", ran.stdout.as_bytes());
    holds_no_secret("stderr", ran.stderr.as_bytes());
    assert!(!format!("{}{}", ran.stdout, ran.stderr).contains("one-person"), "a link: {ran:?}");
    assert!(files(&lab.path(".")) > 1, "there is nothing to look at");
}

/// How many files there are in a folder; none of them holds a secret.
#[track_caller]
fn files(folder: &Path) -> usize {
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if entry.path().is_dir() {
            count += files(&entry.path());
        } else {
            count += 1;
            holds_no_secret(&entry.path().display().to_string(), &std::fs::read(entry.path()).unwrap());
        }
    }
    count
}

fn token_or(request: &Request, book: &Book, reply: impl Fn(&Request, &Book) -> Reply) -> Reply {
    if request.body.get("account_id").is_some() {
        let data = json!({"access_token": TOKEN, "expires_in": 600});
        return Reply::json(200, &json!({"status": "success", "status_code": 200, "data": data}));
    }
    reply(request, book)
}

fn import(lab: &Lab, world: &World, more: &[&str]) -> Ran {
    let ledger = ["--ledger", "l.db", "--rejects", "rejects.csv", "--report", "r.csv", "--report", "r.ndjson"];
    let sending = ["--rate", "500/s", "--settle", "50ms", "--timeout", "10s", "--max-attempts", "2"];
    let args = [&["import", "in.csv", "--base-url", &world.url][..], &ledger, &sending, more].concat();
    let mut command = lab.command(&args);
    command.env_remove("CUSTOMER_IMPORT_TOKEN");
    Ran::of(command.env("CUSTOMER_IMPORT_ACCOUNT_ID", ID).env("CUSTOMER_IMPORT_APP_SECRET", SECRET))
}

/// The answers to a request for a customer, by kind. Each repeats everything.
fn careless(kind: &str, request: &Request, book: &Book) -> Reply {
    let words = repeated();
    let failed = |status: u16, data: Value| {
        Reply::json(status, &json!({"status": "failed", "status_code": status, "message": words, "data": data}))
    };
    match kind {
        "created" => {
            let note = json!({"deep": [words], "kyc_link": LINK});
            let status = format!("pending {words}");
            let data = json!({"customer_id": "c-1", "kyc_link": LINK, "kyc_status": status, "created_at": words, "note": note});
            Reply::json(200, &json!({"status": "success", "status_code": 200, "data": data}))
        }
        "other" => {
            let data = json!({"customer_id": "c-2", "customer_email": format!("{TOKEN}@example.com")});
            Reply::json(200, &json!({"status": "success", "status_code": 200, "data": data}))
        }
        "field" => failed(422, json!({"customer_name": [words]})),
        "rejected" => failed(400, json!({"error": words})),
        "nested" => failed(400, json!({"error": json!({"app_secret": SECRET, "token": TOKEN}).to_string()})),
        "long" => failed(400, json!({"error": format!("{}{words}", "x".repeat(185))})),
        "exists" if request.is_post => failed(409, json!({"error": format!("email already exists {words}")})),
        "exists" => book.list_like(request),
        "server" => failed(500, json!({"error": words})),
        "forbidden" => failed(403, json!({"error": words})),
        "missing" => failed(404, json!({"error": words})),
        "large" => failed(413, json!({"error": words})),
        "busy" if request.nth == 1 => failed(409, json!({"error": format!("request in progress {words}")})),
        "gateway" if request.nth == 1 => Reply::page(502, &words),
        _ => {
            Reply::json(200, &json!({"status": "success", "status_code": 200, "data": {"customer_id": request.email}}))
        }
    }
}

const KINDS: [&str; 13] = [
    "created",
    "other",
    "field",
    "rejected",
    "nested",
    "long",
    "exists",
    "server",
    "forbidden",
    "missing",
    "large",
    "busy",
    "gateway",
];

#[test]
fn secrets_that_a_server_repeats_in_any_kind_of_answer_are_kept_and_shown_nowhere() {
    for format in ["text", "json"] {
        let lab = Lab::new();
        let row = |kind: &&str| {
            format!("Ada,{kind}@example.com,+4917612345678,DEU\nBo,fine-{kind}@example.com,+4917612345678,DEU\n")
        };
        lab.write("in.csv", format!("{HEADER}\n{}", KINDS.iter().map(row).collect::<String>()));
        let world = World::start(|request, book| {
            token_or(request, book, |request, book| {
                let kind = request.email.split('@').next().unwrap_or_default();
                careless(kind, request, book)
            })
        });
        let ran = import(&lab, &world, &["-vv", "--log-format", format, "--concurrency", "1"]);
        assert!([1, 4].contains(&ran.code), "{ran:?}");
        nothing_got_out(&lab, &ran);
        let report = lab.read("r.csv");
        assert!(report.matches("***").count() >= 7, "the words are there without the secrets: {report}");
        assert!(report.contains(LINK), "links are not touched: {report}");
        assert!(lab.read("r.ndjson").contains(r#""deep":["***"#), "the data are there without the secrets");
    }
}

#[test]
fn secrets_in_a_redirect_or_in_the_words_of_a_refused_login_are_not_shown() {
    for is_login in [true, false] {
        let lab = Lab::new();
        lab.customers(1);
        let world = World::start(move |request, book| {
            if is_login {
                // There is no token yet that it could repeat.
                let words = repeated().replace(TOKEN, "");
                return Reply::json(401, &json!({"status": "failed", "status_code": 401, "message": words}));
            }
            token_or(request, book, |_, _| {
                let place = format!("https://{TOKEN}.example.com/{SECRET}");
                Reply::Answer(302, vec![("location", place)], String::new())
            })
        });
        let ran = import(&lab, &world, &["-vv"]).ends(if is_login { 77 } else { 78 });
        nothing_got_out(&lab, &ran);
    }
}

#[test]
fn secrets_in_the_rows_that_a_pull_or_a_look_up_brings_are_not_kept() {
    let lab = Lab::new();
    let world = World::start(|request, book| {
        token_or(request, book, |_, _| {
            let row = json!({"customer_id": "c-1", "customer_email": "a@example.com", "kyc_status": repeated(), "note": repeated()});
            let pages = json!({"total": 1, "per_page": 100, "current_page": 1, "last_page": 1});
            Reply::json(200, &json!({"status": "success", "status_code": 200, "data": [row], "pagination": pages}))
        })
    });
    let args = ["ledger", "pull", "--base-url", &world.url, "--ledger", "l.db", "--rate", "500/s"];
    let mut command = lab.command(&args);
    command.env_remove("CUSTOMER_IMPORT_TOKEN");
    let pull = command.env("CUSTOMER_IMPORT_ACCOUNT_ID", ID).env("CUSTOMER_IMPORT_APP_SECRET", SECRET);
    let ran = Ran::of(pull).ends(0).says("1 customer seen");
    nothing_got_out(&lab, &ran);
}
