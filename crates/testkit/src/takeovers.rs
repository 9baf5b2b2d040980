//! Who held the lease of a shared ledger, as a trigger of the tests' own wrote it down, and what
//! must not have been sent because of that.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::postgres::Database;
use crate::witness::Sent;

/// A lease that came to another process.
#[derive(Clone, Debug)]
pub struct Takeover {
    /// Milliseconds since the Unix epoch, just before the commit.
    pub at: f64,
    pub epoch: i64,
    pub who: String,
    /// The last holder had given it back.
    pub was_free: bool,
    /// The requests of earlier holders whose effect was unknown.
    pub open: Vec<Open>,
}

#[derive(Clone, Debug)]
pub struct Open {
    pub email: String,
    /// Its process has ended for sure.
    pub is_over: bool,
    /// When its token ends, in milliseconds since the Unix epoch.
    pub token_until: Option<f64>,
}

/// Runs in the transaction that takes the lease, right before its commit.
const TRIGGER: &str = r"
CREATE TABLE public.takeovers (n bigserial, at double precision, epoch bigint, who text, was_free boolean, open text);
CREATE FUNCTION public.note_takeover() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO public.takeovers (at, epoch, who, was_free, open)
  SELECT extract(epoch FROM clock_timestamp()) * 1000, NEW.epoch, NEW.holder->>'host', OLD.term IS NULL,
         coalesce((SELECT string_agg(concat_ws(' ', i.email_key,
                       i.is_orphan OR EXISTS (SELECT 1 FROM customer_import.runs s WHERE s.account = i.account
                                              AND s.number = i.run AND s.ended_at IS NOT NULL),
                       coalesce(extract(epoch FROM i.token_until) * 1000, 0)), ',')
                   FROM customer_import.intents i WHERE i.account = NEW.id AND i.epoch < NEW.epoch), '');
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER note_takeover AFTER UPDATE ON customer_import.accounts DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW WHEN (OLD.epoch IS DISTINCT FROM NEW.epoch) EXECUTE FUNCTION public.note_takeover();
";

/// Lets a ledger write its takeovers down. Its schema must be there.
pub fn watch(database: &Database) {
    database.sql(TRIGGER);
}

/// What [`parse`] reads, to be asked at the server that the ledger is at.
pub const QUESTION: &str = "SELECT at, epoch, who, was_free, open FROM public.takeovers ORDER BY n";

/// Reads the answer to [`QUESTION`].
pub fn parse(answer: &str) -> Vec<Takeover> {
    let takeover = |line: &str| {
        let cells: Vec<_> = line.split('|').collect();
        let open = |text: &str| {
            let words: Vec<_> = text.split(' ').collect();
            let token_until = words[2].parse().ok().filter(|until| *until > 0.0);
            Open { email: words[0].to_owned(), is_over: words[1] == "t", token_until }
        };
        Takeover {
            at: cells[0].parse().unwrap(),
            epoch: cells[1].parse().unwrap(),
            who: cells[2].to_owned(),
            was_free: cells[3] == "t",
            open: cells[4].split(',').filter(|text| !text.is_empty()).map(open).collect(),
        }
    };
    answer.lines().map(takeover).collect()
}

/// The waits of the clients, and how late a request can be seen on a machine that is busy.
#[derive(Clone, Copy, Debug)]
pub struct Waits {
    pub settle: Duration,
    pub grace: Duration,
    pub connect: Duration,
    pub lateness: Duration,
    /// No token of the clients ends further ahead than this.
    pub furthest_token_end: Duration,
}

/// What was sent although the lease was another's.
#[derive(Debug, Default)]
pub struct Trespasses {
    /// Requests of a client that held an older epoch, after the takeover and the grace, and of
    /// clients that never held the lease.
    pub outlived: Vec<String>,
    /// Requests of a later holder for an e-mail whose earlier request could still have left.
    pub too_soon: Vec<String>,
}

/// Holds the requests against the takeovers. Both are in their order.
pub fn check(takeovers: &[Takeover], sent: &[Sent], waits: Waits) -> Trespasses {
    let millis = |time: Duration| time.as_secs_f64() * 1000.0;
    let mut found = Trespasses::default();
    // A client has one term at most, and is named after it.
    let terms: BTreeMap<_, _> = takeovers.iter().map(|takeover| (takeover.who.as_str(), takeover)).collect();
    let last_moment = millis(waits.grace) + millis(waits.connect) + millis(waits.lateness);
    for Sent { at, who, email } in sent {
        let Some(term) = terms.get(who.as_str()) else {
            found.outlived.push(format!("{email}: {who} never held the lease"));
            continue;
        };
        let next = takeovers.iter().find(|takeover| takeover.epoch > term.epoch);
        if let Some(next) = next.filter(|next| *at > next.at + last_moment) {
            let late = at - next.at;
            found.outlived.push(format!("{email}: {who} sent it {late:.0} ms after {} took over", next.who));
        }
    }
    for takeover in takeovers {
        for open in takeover.open.iter().filter(|open| !open.is_over) {
            let grace_end = takeover.at + millis(waits.grace);
            let nearby = |end: &f64| *end < takeover.at + millis(waits.furthest_token_end);
            let token_end = open.token_until.filter(nearby).unwrap_or(0.0);
            let earliest = grace_end.max(token_end) + millis(waits.settle);
            let is_later = |who: &str| terms.get(who).is_some_and(|term| term.epoch >= takeover.epoch);
            let again =
                sent.iter().find(|sent| sent.email == open.email && is_later(&sent.who) && sent.at > takeover.at);
            if let Some(again) = again.filter(|again| again.at + millis(waits.lateness) < earliest) {
                let early = earliest - again.at;
                found.too_soon.push(format!("{}: {} sent it {early:.0} ms too early", open.email, again.who));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const WAITS: Waits = Waits {
        settle: Duration::from_millis(1000),
        grace: Duration::from_millis(500),
        connect: Duration::from_millis(100),
        lateness: Duration::from_millis(50),
        furthest_token_end: Duration::from_secs(900),
    };

    fn takeovers(open: &str) -> Vec<Takeover> {
        parse(&format!("1000|1|a|t|\n5000|2|b|f|{open}\n"))
    }

    fn found(open: &str, who: &str, at: f64) -> (usize, usize) {
        let sent = Sent { at, who: who.to_owned(), email: "p@example.com".to_owned() };
        let Trespasses { outlived, too_soon } = check(&takeovers(open), &[sent], WAITS);
        (outlived.len(), too_soon.len())
    }

    #[test]
    fn a_holder_of_an_older_epoch_sends_nothing_after_the_grace_and_a_stranger_nothing_at_all() {
        assert_eq!(found("", "a", 5640.0), (0, 0));
        assert_eq!(found("", "a", 5660.0), (1, 0));
        assert_eq!(found("", "b", 9000.0), (0, 0));
        assert_eq!(found("", "c", 100.0), (1, 0));
    }

    #[test]
    fn a_successor_waits_for_the_grace_the_token_and_the_settle_time() {
        let open = |rest: &str| format!("p@example.com {rest}");
        assert_eq!(found(&open("f 0"), "b", 6400.0), (0, 1));
        assert_eq!(found(&open("f 0"), "b", 6500.0), (0, 0));
        assert_eq!(found(&open("t 0"), "b", 5001.0), (0, 0), "its process has ended");
        assert_eq!(found(&open("f 8000"), "b", 8900.0), (0, 1));
        assert_eq!(found(&open("f 8000"), "b", 9000.0), (0, 0));
        assert_eq!(found(&open("f 9990000"), "b", 6500.0), (0, 0), "too far away to wait for");
        assert_eq!(found("q@example.com f 0", "b", 5001.0), (0, 0), "another e-mail");
        assert_eq!(found(&open("f 0"), "a", 5100.0), (0, 0), "the older holder's own");
    }
}
