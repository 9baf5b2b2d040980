use std::time::SystemTime;

use super::*;
use crate::api::headers::ResponseHeaders;

fn answer(status: u16, body: &str) -> Response {
    Response {
        status,
        headers: ResponseHeaders::default(),
        body: Body::Whole(body.as_bytes().to_vec()),
        received: SystemTime::UNIX_EPOCH,
        secrets: crate::redact::Redactor::default(),
    }
}

fn row(id: &str, email: &str) -> String {
    format!(
        r#"{{"customer_id":"{id}","customer_name":"Ada","customer_email":"{email}","customer_phone":"+1","customer_kyc_status":"pending"}}"#
    )
}

fn body(rows: &[String], current: u32, last: u32) -> String {
    format!(
        r#"{{"status":"success","status_code":200,"message":"ok","data":[{}],"pagination":{{"total":{},"per_page":100,"current_page":{current},"last_page":{last}}}}}"#,
        rows.join(","),
        rows.len()
    )
}

fn asked(email: &str, rows: &[&str]) -> PageResult {
    let rows: Vec<String> = rows.iter().enumerate().map(|(id, email)| row(&id.to_string(), email)).collect();
    page(&answer(200, &body(&rows, 1, 1)), email, 1)
}

fn ids(page: PageResult) -> Vec<String> {
    let PageResult::Rows { found, .. } = page else { panic!("{page:?}") };
    found.exact.into_iter().filter_map(|customer| customer.receipt.customer_id).collect()
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
    for (typed, found) in
        [("søren@x.org", "soren@x.org"), ("lukasz@x.org", "Łukasz@x.org"), ("strasse@x.org", "straße@x.org")]
    {
        let PageResult::Rows { found: matches, .. } = asked(typed, &[found]) else { panic!("{typed}") };
        assert!(
            matches.exact.is_empty() && matches.lookalike.is_some_and(|it| it.email == EmailKey::of(found)),
            "{typed}"
        );
    }
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
    let PageResult::Rows { found, extent } = asked("ada@example.org", &["ada@example.org"]) else { panic!("no rows") };
    let [customer] = found.exact.as_slice() else { panic!("{found:?}") };
    assert_eq!(customer.name.as_deref(), Some("Ada"));
    assert_eq!(customer.phone.as_deref(), Some("+1"));
    assert_eq!(customer.receipt.kyc_status.as_deref(), Some("pending"));
    assert!(customer.receipt.data.text().is_some_and(|data| data.contains("\"customer_id\":\"0\"")));
    assert_eq!((extent.last_page, extent.rows, extent.total), (Some(1), 1, Some(1)));
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
    let cut = Response { body: Body::Cut, ..answer(200, "") };
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
        PageResult::Rows { extent, .. } => extent.last_page,
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
    FoundCustomer { email: EmailKey::of("a@example.com"), receipt, name: None, phone: None, age: None }
}

/// Returns a page with these customers and another one, unlike any other page.
fn rows(exact: Vec<FoundCustomer>, last_page: Option<u32>, total: Option<u64>, print: u64) -> PageResult {
    let extent = Extent { rows: exact.len() as u64 + 1, last_page, total, print };
    PageResult::Rows { found: Matches { exact, lookalike: None }, extent }
}

fn empty(last_page: Option<u32>, total: Option<u64>) -> PageResult {
    PageResult::Rows { found: Matches::default(), extent: Extent { last_page, total, ..Extent::default() } }
}

fn found_in(result: Option<LookupResult>) -> Vec<FoundCustomer> {
    match result {
        Some(LookupResult::Customers(matches)) => matches.exact,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_scan_reads_all_pages_and_keeps_each_customer_once() {
    let mut scan = LookupScan::new();
    assert_eq!(scan.next_page(), 1);
    assert_eq!(scan.add(rows(vec![some("1")], Some(3), None, 1)), None);
    assert_eq!(scan.add(rows(vec![some("1")], Some(3), None, 2)), None);
    assert_eq!(scan.next_page(), 3);
    assert_eq!(found_in(scan.add(rows(vec![some("1")], Some(3), None, 3))), [some("1")]);
}

#[test]
fn a_scan_stops_at_the_second_match() {
    let mut scan = LookupScan::new();
    assert_eq!(scan.add(rows(vec![some("1")], Some(900), None, 1)), None);
    assert_eq!(found_in(scan.add(rows(vec![some("2")], Some(900), None, 2))), [some("1"), some("2")]);
}

#[test]
fn a_scan_proves_absence_only_when_it_knows_that_it_saw_everything() {
    assert_eq!(found_in(LookupScan::new().add(empty(Some(1), None))), []);
    assert_eq!(found_in(LookupScan::new().add(rows(vec![], Some(1), Some(1), 1))), []);
    let after_a_page = |next: PageResult| {
        let mut scan = LookupScan::new();
        assert_eq!(scan.add(rows(vec![], Some(3), None, 1)), None);
        scan.add(next)
    };
    for (unsure, what) in [
        (LookupScan::new().add(empty(None, None)), "a full page without pagination"),
        (LookupScan::new().add(rows(vec![], Some(1), Some(2), 1)), "fewer rows than the total"),
        (LookupScan::new().add(empty(Some(1), Some(1))), "no row of one"),
        (LookupScan::new().add(empty(Some(2), None)), "an empty page before the last"),
        (after_a_page(rows(vec![], Some(3), None, 1)), "the same page again"),
        (after_a_page(empty(Some(3), None)), "a missing page"),
    ] {
        assert!(matches!(unsure, Some(LookupResult::Failed { .. })), "{what}: {unsure:?}");
    }
}

#[test]
fn a_customer_is_as_old_as_its_date_says_by_the_servers_own_clock() {
    let now = "Sun, 29 Nov 2026 12:00:00 GMT";
    for (created_at, seconds) in [
        ("2026-11-29T11:59:50.392Z", Some(9)),
        ("2026-11-29T12:59:50+01:00", Some(10)),
        ("2025-11-29T12:00:00.000000Z", Some(365 * 24 * 3600)),
        ("2026-11-29T12:00:05Z", Some(0)),
        // A time without a zone is old only if it is old in every zone.
        ("2026-11-29 11:59:50", None),
        ("2026-11-28 12:00:00", Some(12 * 3600)),
        ("yesterday", None),
        ("", None),
    ] {
        let now = httpdate::parse_http_date(now).unwrap();
        assert_eq!(age(created_at, now).map(|age| age.as_secs()), seconds, "{created_at}");
    }
    let row = r#"{"customer_id":"1","customer_email":"a@b.c","created_at":"2026-11-29T11:59:50Z"}"#;
    let headers = ResponseHeaders { date: Some(now.to_owned()), ..ResponseHeaders::default() };
    let answer = Response { headers, ..answer(200, &body(&[row.to_owned()], 1, 1)) };
    let PageResult::Rows { found, .. } = page(&answer, "a@b.c", 1) else { panic!() };
    assert_eq!(found.exact[0].age, Some(Duration::from_secs(10)));
}

#[test]
fn a_scan_ends_with_whatever_a_page_could_not_tell() {
    let pause = Duration::from_secs(17);
    for (page, expected) in [
        (PageResult::FilterIgnored, LookupResult::FilterIgnored),
        (PageResult::NotOffered { http_status: 404 }, LookupResult::NotOffered { http_status: 404 }),
        (PageResult::Unauthorized, LookupResult::Unauthorized),
        (PageResult::Throttled { pause }, LookupResult::Throttled { pause }),
        (PageResult::Failed { cause: "x".into(), is_down: true }, LookupResult::Failed { cause: "x".into() }),
    ] {
        assert_eq!(LookupScan::new().add(page), Some(expected));
    }
}

#[test]
fn a_scan_of_a_thousand_pages_gives_up() {
    let mut scan = LookupScan::new();
    let pages = (1..).find(|page| scan.add(rows(vec![], Some(u32::MAX), None, *page)).is_some());
    assert_eq!(pages, Some(1000));
}

/// One megabyte of customers, each as bad as can be. A test build reads such a page in some hundred
/// milliseconds. When the code compared each customer with each other one, it took forty seconds.
#[test]
fn a_page_full_of_hostile_rows_costs_no_time_that_anybody_would_see() {
    const ENOUGH: std::time::Duration = std::time::Duration::from_secs(10);
    let almost = format!("{}@example.org", "a".repeat(240));
    let large = r#""more":"xxxxxxxx""#;
    for (case, asked, email) in [
        ("all match", "ada@example.org", "ada@example.org".to_owned()),
        ("all are look-alikes", "ada@example.org", "áda@example.org".to_owned()),
        ("the end differs", almost.as_str(), format!("{}@example.or", "a".repeat(900))),
        ("wild cards", &format!("{}@example.org", "%a".repeat(100)), "a".repeat(900)),
        ("letters that stand for many", almost.as_str(), "\u{fdfa}".repeat(300)),
        ("one e-mail of 1 MB", "ada@example.org", "a".repeat(1_000_000)),
    ] {
        let row = format!(r#"{{"customer_id":"1","email":"{email}",{large}}}"#);
        let rows = vec![row.clone(); 1_000_000 / row.len()];
        let answer = answer(200, &body(&rows, 1, 1));
        let begun = std::time::Instant::now();
        let result = page(&answer, asked, 1);
        assert!(begun.elapsed() < ENOUGH, "{case}: {:?}", begun.elapsed());
        assert!(matches!(result, PageResult::Rows { .. } | PageResult::FilterIgnored), "{case}: {result:?}");
        if let PageResult::Rows { found, .. } = result {
            assert!(found.exact.len() <= 2, "{case}: a third match tells nothing new");
        }
    }
}
