//! Asks the API what it says of customers now, in pages of its list or one by one, whichever takes
//! fewer requests. It creates nothing, and requests one page after the other.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::give_up::GiveUpTimer;
pub use super::inquiry_way::Way;
use super::inquiry_way::{FEW, PageOrder, way};
use crate::api::{Extent, LookupScan, PageResult};
use crate::delivery::auth::admission::Admission;
use crate::delivery::backoff::{backoff, jitter};
use crate::delivery::note::TaskMessage;
use crate::delivery::pages::{PageReply, PageRequest, ask_for_page};
use crate::delivery::rate::pacer::Pacer;
use crate::delivery::rate::rate_option::Rate;
use crate::delivery::server::Server;
use crate::delivery::shutdown::Shutdown;
use crate::domain::{EmailKey, FoundCustomer, LookupResult, StopReason};
use crate::event::Event;
use crate::ledger::CheckedStatus;
use crate::redact::masked;

/// A customer for whom the API failed so often is left out.
const TRIES: u32 = 5;
/// So many pages are read of a list that does not say how many it has: a million customers.
const MOST_UNCOUNTED: usize = 10_000;

/// A customer to ask for.
#[derive(Clone)]
pub struct AskedCustomer {
    pub email: EmailKey,
    /// The e-mail as the input has it, if that is not its key.
    pub typed: Option<Box<str>>,
    /// The id that the ledger knows. A customer with another id is somebody else.
    pub customer_id: Option<Box<str>>,
}

/// Shows nothing, because it is a person.
impl std::fmt::Debug for AskedCustomer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AskedCustomer(..)")
    }
}

/// What to ask, and how.
#[derive(Debug)]
pub struct Inquiry<S> {
    pub server: S,
    pub customers: Vec<AskedCustomer>,
    /// An earlier inquiry read some of the pages, so the last pages come first.
    pub continues: bool,
    pub rate: Rate,
    /// How long to go on without a conclusive answer.
    pub give_up_after: Duration,
    pub shutdown: Shutdown,
}

/// What an inquiry is about to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InquiryPlan {
    pub way: Way,
    /// The most requests that it takes from here on.
    pub requests: u64,
}

/// Keeps what an inquiry learns, and tells people how far it is.
pub trait InquiryKeeper {
    type Error;

    /// Called before the first request, and again when the first page has shown how long the list
    /// is.
    fn planned(&mut self, plan: InquiryPlan);

    /// The API asked for a pause.
    fn paused(&mut self, pause: Duration);

    /// Takes the answers of one request; `left` customers are still to be found. An error ends the
    /// inquiry.
    fn keep(
        &mut self,
        answers: Vec<(EmailKey, CheckedStatus)>,
        left: usize,
    ) -> impl Future<Output = Result<(), Self::Error>>;
}

/// How an inquiry ended. What it learnt before a stop was given to its keeper.
#[derive(Debug)]
pub struct Inquired<E> {
    pub answered: u64,
    /// Customers that the API does not have: it finds none by their e-mail, or one with another id.
    /// If it does not find by e-mail, its whole list lacks them.
    pub not_found: u64,
    /// Customers for which the API failed again and again.
    pub unanswered: u64,
    pub requests: u64,
    pub throttled: u64,
    pub end: Result<(), InquiryStop<E>>,
}

#[derive(Debug)]
pub enum InquiryStop<E> {
    Interrupted,
    Stop(StopReason),
    Keeper(E),
}

/// Asks for all customers, and gives the answers of each request to the keeper before it sends the
/// next one.
pub async fn inquire<S: Server, K: InquiryKeeper>(inquiry: Inquiry<S>, keeper: &mut K) -> Inquired<K::Error> {
    let Inquiry { server, customers, continues, rate, give_up_after, shutdown } = inquiry;
    let (events, _unread) = mpsc::unbounded_channel();
    let (messages, mut noted) = mpsc::unbounded_channel();
    let (server, pacer) = (Arc::new(server), Pacer::start(rate, events));
    let admission = Admission::new(Arc::clone(&server), pacer.clone(), shutdown.clone(), messages, give_up_after);
    let mut inquiring = Inquiring {
        server,
        pacer,
        admission,
        shutdown,
        keeper,
        continues,
        left: customers.into_iter().enumerate().map(|(place, one)| (one.email.clone(), (place, one))).collect(),
        give_up: GiveUpTimer::new(give_up_after),
        failures: 0,
        was_answered: false,
        inquired: Inquired { answered: 0, not_found: 0, unanswered: 0, requests: 0, throttled: 0, end: Ok(()) },
    };
    let end = inquiring.ask_all().await;
    let mut inquired = Inquired { end, ..inquiring.inquired };
    while let Ok(note) = noted.try_recv() {
        inquired.requests += u64::from(matches!(note, TaskMessage::Event(Event::Request(_))));
    }
    inquired
}

struct Inquiring<'a, S, K: InquiryKeeper> {
    server: Arc<S>,
    pacer: Pacer,
    admission: Admission<S>,
    shutdown: Shutdown,
    keeper: &'a mut K,
    continues: bool,
    /// Who has no answer yet, and their places in the input.
    left: HashMap<EmailKey, (usize, AskedCustomer)>,
    give_up: GiveUpTimer,
    /// Failed requests since the last answer.
    failures: u32,
    /// The API has answered any request.
    was_answered: bool,
    inquired: Inquired<K::Error>,
}

/// Whether look-ups answered.
#[derive(Clone, Copy, PartialEq, Eq)]
enum LookUps {
    Work,
    /// The API ignores the e-mail that it is asked for.
    AreNoUse,
}

impl<S: Server, K: InquiryKeeper> Inquiring<'_, S, K> {
    async fn ask_all(&mut self) -> Result<(), InquiryStop<K::Error>> {
        if self.left.len() <= FEW {
            self.plan(Way::OneByOne, self.left.len());
            if self.ask_one_by_one().await? == LookUps::Work {
                return Ok(());
            }
        }
        self.plan(Way::Pages, self.left.len() + 1);
        self.read_list().await
    }

    fn plan(&mut self, way: Way, requests: usize) {
        self.keeper.planned(InquiryPlan { way, requests: requests as u64 });
    }

    /// Reads the first page, and goes on in the cheaper way.
    async fn read_list(&mut self) -> Result<(), InquiryStop<K::Error>> {
        let mut order = PageOrder::new(self.continues);
        let mut seen = SeenRows::default();
        while let Some(page) = order.next_page() {
            let extent = self.read_page(page).await?;
            if self.left.is_empty() {
                return Ok(());
            }
            let is_first = page == 1 && seen.rows == 0;
            order.heard(page, &extent);
            if !seen.add(&extent) {
                break;
            }
            if is_first {
                let (chosen, requests) = way(extent.last_page, self.left.len());
                self.plan(chosen, requests);
                if chosen == Way::OneByOne {
                    if self.ask_one_by_one().await? == LookUps::Work {
                        return Ok(());
                    }
                    self.plan(
                        Way::Pages,
                        extent.last_page.map_or(self.left.len(), |last| last.saturating_sub(1) as usize),
                    );
                }
            }
        }
        // While pages are read, others move between them. So those who were in none are asked for.
        self.plan(Way::OneByOne, self.left.len());
        match self.ask_one_by_one().await? {
            LookUps::Work => Ok(()),
            LookUps::AreNoUse if seen.is_whole() => {
                self.inquired.not_found += self.left.drain().count() as u64;
                Ok(())
            }
            LookUps::AreNoUse => Err(InquiryStop::Stop(StopReason::Unreachable(
                "the API lists fewer customers than it reports, and does not find them by e-mail".into(),
            ))),
        }
    }

    async fn read_page(&mut self, page: u32) -> Result<Extent, InquiryStop<K::Error>> {
        loop {
            match self.request(PageRequest::List { page }).await? {
                PageResult::Rows { found, extent } => {
                    self.conclusive();
                    self.keep(found.exact).await?;
                    return Ok(extent);
                }
                PageResult::FilterIgnored => return Err(unclear("the list has rows without an e-mail")),
                other => self.go_on(other).await?,
            }
        }
    }

    /// Looks up each customer that is left. Those that fail come last, so that one of them does not
    /// hold up the others.
    async fn ask_one_by_one(&mut self) -> Result<LookUps, InquiryStop<K::Error>> {
        let mut left: Vec<_> = self.left.values().cloned().collect();
        left.sort_by_key(|(place, _)| *place);
        let mut waiting: VecDeque<_> = left.into_iter().map(|(_, customer)| (customer, 0)).collect();
        while let Some((customer, tries)) = waiting.pop_front() {
            match self.look_up(&customer).await? {
                LookedUp::Found(found) => {
                    self.conclusive();
                    self.keep(found).await?;
                    if self.left.remove(&customer.email).is_some() {
                        self.inquired.not_found += 1;
                    }
                }
                LookedUp::NoUse => return Ok(LookUps::AreNoUse),
                // An API that never answered is not said to have failed for this customer.
                LookedUp::Failed if tries + 1 >= TRIES && self.was_answered => {
                    self.left.remove(&customer.email);
                    self.inquired.unanswered += 1;
                }
                LookedUp::Failed => waiting.push_back((customer, tries + 1)),
            }
        }
        Ok(LookUps::Work)
    }

    /// Asks for one customer as typed and, if that finds nobody, by the key.
    async fn look_up(&mut self, customer: &AskedCustomer) -> Result<LookedUp, InquiryStop<K::Error>> {
        let spellings = [customer.typed.as_deref(), Some(customer.email.as_str())];
        for email in spellings.into_iter().flatten() {
            let mut scan = LookupScan::new();
            let found = loop {
                let result = self.request(PageRequest::LookUp { email, page: scan.next_page() }).await?;
                if matches!(result, PageResult::Failed { .. }) {
                    self.go_on(result).await?;
                    return Ok(LookedUp::Failed);
                }
                if !matches!(result, PageResult::Rows { .. } | PageResult::FilterIgnored) {
                    self.go_on(result).await?;
                    continue;
                }
                match scan.add(result) {
                    Some(LookupResult::Customers(matches)) => break matches.exact,
                    Some(LookupResult::FilterIgnored) => return Ok(LookedUp::NoUse),
                    Some(LookupResult::Failed { cause }) => {
                        self.failed(false, &cause).await?;
                        return Ok(LookedUp::Failed);
                    }
                    _ => {}
                }
            };
            if !found.is_empty() {
                return Ok(LookedUp::Found(found));
            }
        }
        Ok(LookedUp::Found(Vec::new()))
    }

    /// Sends one request at the pace.
    async fn request(&mut self, request: PageRequest<'_>) -> Result<PageResult, InquiryStop<K::Error>> {
        if self.shutdown.is_draining() {
            return Err(InquiryStop::Interrupted);
        }
        let admitted = self.admission.admit().await.map_err(InquiryStop::Stop)?.ok_or(InquiryStop::Interrupted)?;
        let requests = &mut self.inquired.requests;
        let asked = ask_for_page(&*self.server, admitted, request, || *requests += 1);
        // Nothing depends on the answer, so a signal need not wait for it.
        let reply = self.shutdown.unless_draining(asked).await.ok_or(InquiryStop::Interrupted)?;
        let PageReply { result, token, .. } = reply;
        match &result {
            PageResult::Rows { .. } => self.admission.accepted(&token),
            PageResult::Unauthorized => drop(self.admission.refused(&token)),
            _ => {}
        }
        Ok(result)
    }

    /// Waits as long as a result without customers demands. Fails if it ends the inquiry.
    async fn go_on(&mut self, result: PageResult) -> Result<(), InquiryStop<K::Error>> {
        match result {
            PageResult::Throttled { pause } => {
                self.inquired.throttled += 1;
                self.keeper.paused(pause);
                self.pacer.throttled(pause);
                let now = Instant::now();
                self.give_up.throttled(pause, now);
                self.give_up_if_over(now)
            }
            PageResult::Failed { cause, is_down } => self.failed(is_down, &cause).await,
            PageResult::NotOffered { http_status } => {
                Err(unclear(&format!("the API does not list its customers ({http_status})")))
            }
            PageResult::Stop(reason) => Err(InquiryStop::Stop(reason)),
            PageResult::Rows { .. } | PageResult::FilterIgnored | PageResult::Unauthorized => Ok(()),
        }
    }

    async fn failed(&mut self, is_down: bool, cause: &str) -> Result<(), InquiryStop<K::Error>> {
        self.failures += 1;
        tracing::debug!(cause = masked(cause), "a page failed");
        let now = Instant::now();
        self.give_up.failed(is_down, cause, now);
        self.give_up_if_over(now)?;
        let wait = tokio::time::sleep(backoff(self.failures, jitter()));
        self.shutdown.unless_draining(wait).await.ok_or(InquiryStop::Interrupted)
    }

    fn give_up_if_over(&self, now: Instant) -> Result<(), InquiryStop<K::Error>> {
        let why = self.give_up.is_over(now);
        why.map_or(Ok(()), |why| Err(InquiryStop::Stop(StopReason::Unreachable(why.into()))))
    }

    fn conclusive(&mut self) {
        (self.failures, self.was_answered) = (0, true);
        self.give_up.conclusive();
    }

    /// Hands in what the API says of those that were asked for.
    async fn keep(&mut self, found: Vec<FoundCustomer>) -> Result<(), InquiryStop<K::Error>> {
        let checked_at = Timestamp::now();
        let mut answers = Vec::new();
        for FoundCustomer { email, receipt, .. } in found {
            if !self.left.get(&email).is_some_and(|(_, asked)| asked.is_same(receipt.customer_id.as_deref())) {
                continue;
            }
            self.left.remove(&email);
            let (kyc_status, tos_status) = (receipt.kyc_status, receipt.tos_status);
            answers.push((email, CheckedStatus { kyc_status, tos_status, checked_at }));
        }
        self.inquired.answered += answers.len() as u64;
        self.keeper.keep(answers, self.left.len()).await.map_err(InquiryStop::Keeper)
    }
}

enum LookedUp {
    Found(Vec<FoundCustomer>),
    NoUse,
    Failed,
}

impl AskedCustomer {
    fn is_same(&self, found: Option<&str>) -> bool {
        self.customer_id.as_deref().zip(found).is_none_or(|(known, found)| known == found)
    }
}

/// What the pages so far have together.
#[derive(Debug, Default)]
struct SeenRows {
    rows: u64,
    total: Option<u64>,
    pages: HashSet<u64>,
    /// How many pages the list has at most, by the first one.
    most: Option<usize>,
    is_endless: bool,
}

impl SeenRows {
    /// Adds a page. Returns false if the list leads nowhere: a page comes once more, or the list
    /// has grown beyond all measure since the first one.
    fn add(&mut self, extent: &Extent) -> bool {
        let most = *self.most.get_or_insert_with(|| most_pages(extent));
        let is_new = extent.rows == 0 || self.pages.insert(extent.print);
        if !is_new || self.pages.len() > most {
            self.is_endless = true;
            return false;
        }
        self.total = extent.total;
        self.rows += extent.rows;
        true
    }

    /// Returns whether these are all rows, as far as the API says how many there are.
    fn is_whole(&self) -> bool {
        !self.is_endless && self.total.is_none_or(|total| self.rows >= total)
    }
}

/// Returns how many pages are read at most. A list grows while it is read, because others create
/// customers.
fn most_pages(first: &Extent) -> usize {
    first.last_page.map_or(MOST_UNCOUNTED, |last| (last as usize).saturating_mul(2).saturating_add(10))
}

fn unclear<E>(what: &str) -> InquiryStop<E> {
    InquiryStop::Stop(StopReason::Configuration(what.into()))
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::api::{Allowance, GrantResult, PER_PAGE, Token};
    use crate::delivery::server::{CreateReply, LookupReply, Outgoing, TokenRequest};
    use crate::domain::{Matches, Receipt};

    /// Answers by a script, and remembers what it was asked for: a page, or an e-mail.
    struct Scripted<F> {
        script: F,
        asked: Arc<Mutex<Vec<String>>>,
    }

    impl<F: Fn(&str, usize) -> PageResult + Send + Sync + 'static> Scripted<F> {
        fn answer(&self, asked: String) -> LookupReply {
            let mut all = self.asked.lock().unwrap();
            let before = all.iter().filter(|earlier| **earlier == asked).count();
            all.push(asked.clone());
            LookupReply { page: (self.script)(&asked, before), allowance: Allowance::default() }
        }
    }

    impl<F: Fn(&str, usize) -> PageResult + Send + Sync + 'static> Server for Scripted<F> {
        async fn create(&self, _: &Token, _: Outgoing<'_>) -> CreateReply {
            unreachable!("an inquiry creates nobody")
        }

        async fn look_up(&self, _: &Token, email: &str, _: u32) -> LookupReply {
            self.answer(email.to_owned())
        }

        async fn list(&self, _: &Token, page: u32) -> LookupReply {
            self.answer(format!("page {page}"))
        }

        fn logs_in(&self) -> bool {
            false
        }

        async fn obtain(&self, _: &TokenRequest) -> GrantResult {
            GrantResult::Granted { token: Token::parse("token").unwrap(), life: None }
        }
    }

    #[derive(Default)]
    struct Kept {
        plans: Vec<InquiryPlan>,
        pauses: Vec<Duration>,
        emails: Vec<EmailKey>,
    }

    impl InquiryKeeper for Kept {
        type Error = ();

        fn planned(&mut self, plan: InquiryPlan) {
            self.plans.push(plan);
        }

        fn paused(&mut self, pause: Duration) {
            self.pauses.push(pause);
        }

        async fn keep(&mut self, answers: Vec<(EmailKey, CheckedStatus)>, _left: usize) -> Result<(), ()> {
            self.emails.extend(answers.into_iter().map(|(email, _)| email));
            Ok(())
        }
    }

    struct Asked {
        inquired: Inquired<()>,
        kept: Kept,
        requests: Vec<String>,
    }

    fn person(n: usize) -> String {
        format!("p{n}@example.com")
    }

    fn row(n: usize) -> FoundCustomer {
        let receipt = Receipt { kyc_status: Some("approved".to_owned()), ..Receipt::default() };
        FoundCustomer { email: EmailKey::of(&person(n)), receipt, name: None, phone: None, age: None }
    }

    /// A page with these customers, of a list of so many.
    fn rows(numbers: impl IntoIterator<Item = usize>, total: u64) -> PageResult {
        let exact: Vec<_> = numbers.into_iter().map(row).collect();
        let last_page = u32::try_from(total.div_ceil(u64::from(PER_PAGE)).max(1)).ok();
        let print = exact.first().map_or(0, |first| first.email.as_str().len() as u64 * 7 + exact.len() as u64);
        let extent = Extent { rows: exact.len() as u64, last_page, total: Some(total), print };
        PageResult::Rows { found: Matches { exact, lookalike: None }, extent }
    }

    /// Asks for `p0` to `p{count - 1}`.
    async fn ask(count: usize, script: impl Fn(&str, usize) -> PageResult + Send + Sync + 'static) -> Asked {
        let requests = Arc::default();
        let customer = |n| AskedCustomer { email: EmailKey::of(&person(n)), typed: None, customer_id: None };
        let inquiry = Inquiry {
            server: Scripted { script, asked: Arc::clone(&requests) },
            customers: (0..count).map(customer).collect(),
            continues: false,
            rate: "100/s".parse().unwrap(),
            give_up_after: Duration::from_secs(600),
            shutdown: Shutdown::default(),
        };
        let mut kept = Kept::default();
        let inquired = inquire(inquiry, &mut kept).await;
        let requests = requests.lock().unwrap().clone();
        Asked { inquired, kept, requests }
    }

    fn number(email: &str) -> usize {
        email.trim_start_matches('p').split('@').next().unwrap().parse().unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_moved_between_two_pages_is_asked_for_before_it_counts_as_not_found() {
        let Asked { inquired, kept, requests } = ask(200, |asked, _| match asked {
            "page 1" => rows(0..100, 200),
            // p100 moved to the first page when another customer was deleted; p101 is gone.
            "page 2" => rows(102..200, 198),
            email if number(email) == 100 => rows([100], 1),
            _ => rows([], 0),
        })
        .await;
        assert_eq!((inquired.answered, inquired.not_found, inquired.unanswered), (199, 1, 0));
        assert_eq!(requests, ["page 1", "page 2", "p100@example.com", "p101@example.com"]);
        assert_eq!(kept.plans.last(), Some(&InquiryPlan { way: Way::OneByOne, requests: 2 }));
        assert!(inquired.end.is_ok() && inquired.requests == 4);
    }

    #[tokio::test(start_paused = true)]
    async fn an_api_that_ignores_the_email_is_asked_by_pages_and_its_whole_list_proves_who_is_missing() {
        let script = |asked: &str, _| match asked {
            "page 1" => rows(0..100, 350),
            "page 2" => rows(100..200, 350),
            "page 3" => rows(200..300, 350),
            "page 4" => rows(300..350, 350),
            _ => PageResult::FilterIgnored,
        };
        let Asked { inquired, requests, .. } = ask(102, script).await;
        assert_eq!(requests, ["page 1", "p100@example.com", "page 2"], "all are found");
        assert_eq!((inquired.answered, inquired.end.is_ok()), (102, true));
        let incomplete = |asked: &str, _| match asked {
            "page 1" => rows(1..101, 350),
            page if page.starts_with("page") => rows([500], 350),
            _ => PageResult::FilterIgnored,
        };
        let Asked { inquired, .. } = ask(5, incomplete).await;
        assert!(matches!(inquired.end, Err(InquiryStop::Stop(StopReason::Unreachable(_)))), "{inquired:?}");
        assert_eq!((inquired.answered, inquired.not_found), (4, 0), "a list that repeats proves nothing");
    }

    #[tokio::test(start_paused = true)]
    async fn a_list_that_never_ends_is_left() {
        let page = |asked: &str| asked.strip_prefix("page ").map(|page| page.parse::<u64>().unwrap());
        let list = |print, last_page| {
            let extent = Extent { rows: 100, last_page: Some(last_page), total: Some(1_000_000), print };
            PageResult::Rows { found: Matches::default(), extent }
        };
        let alternates = move |asked: &str, _| match page(asked) {
            Some(page) => list(page % 2, 10_000),
            None => PageResult::FilterIgnored,
        };
        let grows = move |asked: &str, _| match page(asked) {
            Some(page) => list(page, u32::try_from(page).unwrap() + 1),
            None => PageResult::FilterIgnored,
        };
        for asked in [ask(5, alternates).await, ask(5, grows).await] {
            assert!(asked.requests.len() < 20, "{:?}", asked.requests);
            assert_eq!((asked.inquired.not_found, asked.inquired.end.is_ok()), (0, false), "it proves nothing");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_customer_that_fails_comes_last_and_is_left_out_after_five_tries() {
        let failed = || PageResult::Failed { cause: "HTTP 500".to_owned(), is_down: false };
        let Asked { inquired, requests, .. } = ask(4, move |asked, before| match asked {
            // So long a list that it is cheaper to ask one by one.
            "page 1" => rows(1000..1100, 100_000),
            "p1@example.com" => failed(),
            "p2@example.com" if before == 0 => failed(),
            email => rows([number(email)], 1),
        })
        .await;
        assert_eq!((inquired.answered, inquired.unanswered, inquired.end.is_ok()), (3, 1, true));
        let short: Vec<_> = requests[1..].iter().map(|asked| number(asked)).collect();
        assert_eq!(short, [0, 1, 2, 3, 1, 2, 1, 1, 1]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_is_waited_out_and_an_api_that_never_answers_is_given_up() {
        let begun = Instant::now();
        let pause = Duration::from_secs(30);
        let Asked { inquired, kept, .. } = ask(1, move |_, before| match before {
            0 => PageResult::Throttled { pause },
            _ => rows([0], 1),
        })
        .await;
        assert_eq!((inquired.answered, inquired.throttled, kept.pauses), (1, 1, vec![pause]));
        assert!(begun.elapsed() >= pause);
        let begun = Instant::now();
        let dead = |_: &str, _| PageResult::Failed { cause: "connection refused".to_owned(), is_down: true };
        let Asked { inquired, .. } = ask(1, dead).await;
        assert!(matches!(inquired.end, Err(InquiryStop::Stop(StopReason::Unreachable(_)))), "{inquired:?}");
        assert!(begun.elapsed() >= Duration::from_secs(600) && inquired.unanswered == 0);
    }
}
