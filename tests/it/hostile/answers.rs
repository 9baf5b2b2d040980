//! Answers that are well-formed and absurd: they cost the program no time and take off no brake.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::Lab;
use crate::machine::limited;
use crate::world::{Reply, World};

/// Each page of the look-up has as many customers with the e-mail as fit into a response. To
/// compare each with all before it costs the square of their number.
#[cfg(target_os = "linux")]
#[test]
fn pages_full_of_customers_with_one_e_mail_cost_neither_look_ups_nor_time() {
    const ROWS: usize = 5000;
    const PAGES: usize = 10;
    // A page costs a tenth of a second of a debug build, and 50,000 customers compared with each
    // other a minute.
    const CPU_SECONDS: &str = "-t 8";
    let lab = Lab::new();
    lab.customers(1);
    let world = World::start(|request, book| {
        if request.is_post {
            return Reply::Nothing;
        }
        let page = book.lookups();
        let row = |n: usize| json!({"customer_id": format!("c-{page}-{n}"), "customer_email": request.email});
        let rows: Vec<_> = (0..ROWS).map(row).collect();
        let pagination = json!({"total": ROWS * PAGES, "per_page": ROWS, "current_page": page, "last_page": PAGES});
        Reply::json(200, &json!({"status": "success", "status_code": 200, "data": rows, "pagination": pagination}))
    });
    let args = ["import", "in.csv", "--base-url", &world.url, "--rate", "500/s", "--settle", "300ms"];
    let ran = limited(&lab, &lab.command(&args), CPU_SECONDS).ends(4);
    assert_eq!(lab.statuses(), ["in_doubt"], "{ran:?}");
    assert!(world.book.lookups() <= 2, "two customers are enough to ask a person: {}", world.book.lookups());
}

#[test]
fn a_limit_without_end_takes_no_brake_off_the_automatic_rate() {
    const ROWS: usize = 400;
    // No second has more than 101 requests (6000/m, and the sliding window's half a percent).
    const LEAST: Duration = Duration::from_millis(2900);
    let lab = Lab::new();
    lab.customers(ROWS);
    let last = Arc::new(Mutex::new(None));
    let seen = Arc::clone(&last);
    let world = World::start(move |request, book| {
        *seen.lock().unwrap() = Some(Instant::now());
        let reply = if request.is_post { book.create(request) } else { book.list_like(request) };
        reply.with("x-ratelimit-limit", u32::MAX).with("x-ratelimit-remaining", u32::MAX - 1)
    });
    let begun = Instant::now();
    lab.run(&["import", "in.csv", "--base-url", &world.url, "--rate", "auto"]).ends(0);
    assert_eq!(world.book.posts().len(), ROWS);
    let took = last.lock().unwrap().expect("no request came").duration_since(begun);
    assert!(took >= LEAST, "{ROWS} requests in {took:?}");
}
