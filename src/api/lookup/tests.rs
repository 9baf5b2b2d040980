use std::time::SystemTime;

use super::super::AnswerHeaders;
use super::*;

fn answer(status: u16, body: &str) -> Answer {
    Answer {
        status,
        headers: AnswerHeaders::default(),
        body: Body::Whole(body.as_bytes().to_vec()),
        received: SystemTime::UNIX_EPOCH,
    }
}

fn row(id: &str, email: &str) -> String {
    format!(
        r#"{{"customer_id":"{id}","customer_name":"Ada","customer_email":"{email}","customer_phone":"+1","customer_kyc_status":"pending"}}"#
    )
}

fn body(rows: &[String], current: u32, last: u32) -> String {
    format!(
        r#"{{"status":"success","status_code":200,"message":"ok","data":[{}],"pagination":{{"total":1,"per_page":100,"current_page":{current},"last_page":{last}}}}}"#,
        rows.join(",")
    )
}

fn asked(email: &str, rows: &[&str]) -> PageResult {
    let rows: Vec<String> = rows.iter().enumerate().map(|(id, email)| row(&id.to_string(), email)).collect();
    page(&answer(200, &body(&rows, 1, 1)), email, 1)
}

fn ids(page: PageResult) -> Vec<String> {
    let PageResult::Rows { found, .. } = page else { panic!("{page:?}") };
    found.into_iter().filter_map(|customer| customer.receipt.customer_id).collect()
}

#[test]
fn the_whole_email_is_compared() {
    let rows = ["adam@example.org", "ADA@Example.org", "xada@example.organic"];
    assert_eq!(ids(asked("ada@example.org", &["xada@example.org", "ADA@Example.org", "ada@example.organic"])), ["1"]);
    assert_eq!(asked("ada@example.org", &rows), PageResult::FilterIgnored, "`adam@…` does not contain `ada@…`");
    assert_eq!(ids(asked("ada@example.org", &[])), [""; 0]);
    assert_eq!(ids(asked("ada@example.org", &["ada@example.org", "Ada@example.org"])), ["0", "1"]);
}

#[test]
fn wildcards_of_the_servers_filter_are_no_sign_of_a_missing_filter() {
    assert_eq!(ids(asked("a_b@example.org", &["axb@example.org", "a_b@example.org"])), ["1"]);
    assert_eq!(ids(asked("a%b@example.org", &["a.lot.b@example.org", "ab@example.org"])), [""; 0]);
    assert_eq!(asked("a_b@example.org", &["ab@example.org"]), PageResult::FilterIgnored);
    assert_eq!(ids(asked("jose@example.org", &["josé@example.org"])), [""; 0]);
}

#[test]
fn patterns_match_like_the_servers() {
    for (found, asked, expected) in [
        ("abc", "b", true),
        ("abc", "abc", true),
        ("abc", "abcd", false),
        ("aXbXc", "a_b_c", true),
        ("aabaab", "ab%b", true),
        ("aab", "a%c", false),
        ("", "", true),
        ("", "a", false),
        ("aaaaaaaaab", "aab", true),
        ("STRASSE@x", "strasse@X", true),
    ] {
        assert_eq!(is_like(found, asked), expected, "{found} like {asked}");
    }
    assert!(!is_like(&"a".repeat(100_000), "a"));
}

#[test]
fn a_row_without_an_email_proves_that_nothing_was_filtered() {
    let page = page(&answer(200, r#"{"status":"success","data":[{"customer_id":"1"}]}"#), "a@b.c", 1);
    assert_eq!(page, PageResult::FilterIgnored);
}

#[test]
fn a_found_customer_carries_what_the_row_has() {
    let PageResult::Rows { found, last_page } = asked("ada@example.org", &["ada@example.org"]) else {
        panic!("no rows")
    };
    let [customer] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!(customer.name.as_deref(), Some("Ada"));
    assert_eq!(customer.phone.as_deref(), Some("+1"));
    assert_eq!(customer.receipt.kyc_status.as_deref(), Some("pending"));
    assert!(customer.receipt.data.as_deref().is_some_and(|data| data.contains("\"customer_id\":\"0\"")));
    assert_eq!(last_page, Some(1));
}

#[test]
fn statuses_of_a_page_have_their_class() {
    let ok = body(&[], 1, 1);
    for (status, body, expected) in [
        (401, "", "Unauthorized"),
        (403, "", "NotOffered"),
        (404, r#"{"message":"Not Found"}"#, "NotOffered"),
        (405, "", "NotOffered"),
        (429, "<html></html>", "Throttled"),
        (302, "", "Stop"),
        (500, ok.as_str(), "Failed"),
        (503, "", "Failed"),
        (200, "", "Failed"),
        (200, "<html></html>", "Failed"),
        (200, r#"{"status":"success","data":"none"}"#, "Failed"),
        (200, r#"{"status":"success","data":null}"#, "Failed"),
        (200, r#"{"status":"success","data":["a"]}"#, "Failed"),
        (200, r#"{"status":"failed","data":[]}"#, "Failed"),
        (200, r#"{"status":"failed","status_code":401,"data":[]}"#, "Unauthorized"),
        (200, ok.as_str(), "Rows"),
        (201, ok.as_str(), "Rows"),
        (200, &body(&[], 2, 3), "Failed"),
    ] {
        let page = page(&answer(status, body), "a@b.c", 1);
        assert!(format!("{page:?}").starts_with(expected), "{status} {body}: {page:?}");
    }
    let cut = Answer { body: Body::Cut, ..answer(200, "") };
    assert!(matches!(page(&cut, "a@b.c", 1), PageResult::Failed { .. }));
    for status in 100..=599 {
        for body in ["", "{", &ok, "<html></html>", "{}"] {
            let _ = page(&answer(status, body), "a@b.c", 1);
        }
    }
}

#[test]
fn pages_are_counted_in_every_usual_shape() {
    let last = |body: &str| match page(&answer(200, body), "a@b.c", 1) {
        PageResult::Rows { last_page, .. } => last_page,
        other => panic!("{other:?}"),
    };
    assert_eq!(last(&body(&[], 1, 7)), Some(7));
    assert_eq!(last(r#"{"data":[],"meta":{"current_page":1,"last_page":"3"}}"#), Some(3));
    assert_eq!(last(r#"{"data":{"data":[],"current_page":1,"last_page":0}}"#), Some(1));
    assert_eq!(last(r#"{"data":[]}"#), Some(1));
    let full = vec![row("1", "a@b.c"); PER_PAGE as usize].join(",");
    assert_eq!(last(&format!(r#"{{"data":[{full}]}}"#)), None);
}

fn some(id: &str) -> FoundCustomer {
    let receipt = Receipt { customer_id: Some(id.to_owned()), ..Receipt::default() };
    FoundCustomer { email: EmailKey::of("a@example.com"), receipt, name: None, phone: None }
}

#[test]
fn a_scan_reads_all_pages_and_keeps_each_customer_once() {
    let mut scan = LookupScan::new();
    assert_eq!(scan.next_page(), 1);
    assert_eq!(scan.add(PageResult::Rows { found: vec![some("1")], last_page: Some(3) }), None);
    assert_eq!(scan.add(PageResult::Rows { found: vec![some("1")], last_page: Some(3) }), None);
    assert_eq!(scan.next_page(), 3);
    let end = scan.add(PageResult::Rows { found: vec![some("2")], last_page: Some(3) });
    assert_eq!(end, Some(LookupResult::Customers(vec![some("1"), some("2")])));
}

#[test]
fn a_scan_proves_absence_only_when_it_knows_that_it_saw_everything() {
    let absent = LookupScan::new().add(PageResult::Rows { found: vec![], last_page: Some(1) });
    assert_eq!(absent, Some(LookupResult::Customers(vec![])));
    let unknown = LookupScan::new().add(PageResult::Rows { found: vec![], last_page: None });
    assert!(matches!(unknown, Some(LookupResult::Failed { .. })));
}

#[test]
fn a_scan_ends_with_whatever_a_page_could_not_tell() {
    let pause = Duration::from_secs(17);
    for (page, expected) in [
        (PageResult::FilterIgnored, LookupResult::FilterIgnored),
        (PageResult::NotOffered { http_status: 404 }, LookupResult::NotOffered { http_status: 404 }),
        (PageResult::Unauthorized, LookupResult::Unauthorized),
        (PageResult::Throttled { pause }, LookupResult::Throttled { pause }),
        (PageResult::Failed { cause: "x".into() }, LookupResult::Failed { cause: "x".into() }),
    ] {
        assert_eq!(LookupScan::new().add(page), Some(expected));
    }
}

#[test]
fn a_scan_of_a_thousand_pages_gives_up() {
    let mut scan = LookupScan::new();
    let page = || PageResult::Rows { found: vec![], last_page: Some(u32::MAX) };
    let pages = (1..).find(|_| scan.add(page()).is_some());
    assert_eq!(pages, Some(1000));
}
