//! What operations that ask need to know, and the effects that follow from it.
//!
//! Questions are asked in the open transaction, after the effects of earlier operations were
//! written, so they see those. An answer is given once: if the commit has to be repeated, only the
//! effects are written again, so a claim never finds itself claimed.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use super::batch::{Account, key, keys};
use super::clocks::later_of;
use super::connect::Connected;
use super::effect::{Effect, Numbering};
use super::rows::{SentRow, read_minute, read_one, read_open, read_state};
use super::sql;
use super::trouble::DatabaseTrouble;
use crate::clock::Clock;
use crate::domain::{EmailKey, Ending, MinuteTraffic, Moment, Outcome, Receipt};
use crate::ledger::claim::{Claim, ClaimPolicy, ClaimRequest, Decision, Ticket, decide};
use crate::ledger::keyed_hasher::KeyedHasher;
use crate::ledger::minute_codec;
use crate::ledger::model::{CheckedStatus, RunStart, learnt, unheard};
use crate::ledger::record_state::RecordState;
use crate::ledger::store::{NEVER_SENT, Op, OpReply, Settlement};

/// The end of a token that is further away than this is not waited for.
const FURTHEST_TOKEN_END: Duration = Duration::from_secs(15 * 60);

/// When this process took the lease, and for how long the requests of the last holder may still
/// leave.
#[derive(Clone, Copy, Debug)]
pub(super) struct Takeover {
    /// When the lease was surely this process's.
    pub at: Moment,
    pub grace: Duration,
}

impl Takeover {
    /// Returns the moment from which the settle time of an open request counts.
    ///
    /// The holder of an older epoch may not know yet that its lease is gone. What it had written
    /// down before may leave until the grace is over (S3), or until its token is (S4), whatever its
    /// clocks say. If that process has surely ended, the time in the intent holds.
    fn sent_at(self, sent: &SentRow, epoch: i64, now: Moment) -> Moment {
        let sent_at = sent.sent_at.seen_at(now);
        if sent.is_over || sent.epoch >= epoch {
            return sent_at;
        }
        let clamped = later_of(sent_at, self.at.later(self.grace));
        let token_end = sent.token_until.map(|until| until.seen_at(now));
        let awaited = token_end.filter(|end| end.surely_since(now) <= FURTHEST_TOKEN_END);
        awaited.map_or(clamped, |end| later_of(clamped, end))
    }
}

/// What a question needs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asking<'a> {
    pub connected: &'a Connected,
    pub account: Account,
    pub takeover: Takeover,
    pub clock: &'a Clock,
    pub hasher: &'a KeyedHasher,
}

type Reaction = (OpReply, Vec<Effect>);

/// Returns the effects of an operation that asks nothing, or the operation.
pub(super) fn effects_of(op: Op, numbering: &mut Numbering) -> Result<Vec<Effect>, Box<Op>> {
    Ok(match op {
        Op::Intend { run, email, row, intent } => vec![Effect::Intend { run, email, row, intent }],
        Op::Settle { run, email, settlement } => numbering.settle(run, &email, Arc::unwrap_or_clone(settlement)),
        Op::Release { email } => vec![Effect::Erase(email)],
        Op::HoldBack { until } => vec![Effect::HoldBack(until)],
        Op::EndRun { run, end } => vec![Effect::EndRun { run, end }],
        asks => return Err(Box::new(asks)),
    })
}

impl Asking<'_> {
    /// Answers an operation, and returns the effects that it has.
    pub(super) async fn answer(&self, op: &Op, numbering: &mut Numbering) -> Result<Reaction, DatabaseTrouble> {
        let id = self.account.id;
        Ok(match op {
            Op::BeginRun { name, start } => self.begin_run(name, start).await?,
            Op::AddMinute { run, traffic } => (OpReply::Done, vec![self.add_minute(*run, traffic).await?]),
            Op::HasCreated => (OpReply::Is(self.one(&sql::HAS_CREATED).await?), Vec::new()),
            Op::SentWithin { time, now } => (OpReply::Sent(self.sent_within(*time, *now).await?), Vec::new()),
            Op::Claim { run, requests, policy } => self.claim(*run, requests, *policy, numbering).await?,
            Op::Learn { run, customers } => self.learn(*run, customers, numbering).await?,
            Op::SettleByHand { run, email, ending } => self.settle_by_hand(*run, email, ending, numbering).await?,
            Op::LearnStatus { customers } => self.learn_status(customers).await?,
            Op::ForgetEmail { email, person } => {
                let known: i64 = read_one(&self.connected.rows(&sql::COUNT_KNOWN, &[&id, &vec![key(email)]]).await?)?;
                (OpReply::Is(known > 0), vec![Effect::Forget { email: email.clone(), person: *person }])
            }
            Op::ForgetTarget => {
                let records: i64 = self.one(&sql::COUNT_RECORDS).await?;
                (OpReply::Count(records.unsigned_abs()), vec![Effect::ForgetAll])
            }
            Op::CheckOwner { owner } => {
                let known: Option<Vec<u8>> = self.one(&sql::OWNER).await?;
                let is_owner = known.as_ref().is_none_or(|known| known == owner);
                let first = known.is_none().then(|| Effect::SetOwner(owner.clone()));
                (OpReply::Is(is_owner), first.into_iter().collect())
            }
            // These have effects alone.
            Op::Intend { .. } | Op::Settle { .. } | Op::Release { .. } | Op::HoldBack { .. } | Op::EndRun { .. } => {
                (OpReply::Done, Vec::new())
            }
        })
    }

    /// Asks for one value of the account.
    async fn one<T: for<'b> tokio_postgres::types::FromSql<'b>>(
        &self,
        question: &sql::Statement,
    ) -> Result<T, DatabaseTrouble> {
        read_one(&self.connected.rows(question, &[&self.account.id]).await?)
    }

    async fn begin_run(&self, name: &str, start: &RunStart) -> Result<Reaction, DatabaseTrouble> {
        let newest: i64 = self.one(&sql::NEWEST_RUN).await?;
        let number = newest + 1;
        let begin = Effect::BeginRun { number, name: name.to_owned(), start: start.clone() };
        Ok((OpReply::Run(number), vec![begin]))
    }

    /// Adds to what is known of a minute, because a wall clock that was set back shows it twice.
    async fn add_minute(&self, run: i64, traffic: &MinuteTraffic) -> Result<Effect, DatabaseTrouble> {
        let rows = self.connected.rows(&sql::MINUTE, &[&self.account.id, &run, &traffic.minute]).await?;
        let mut traffic = traffic.clone();
        if let Some(row) = rows.first() {
            traffic.merge(&read_minute(row)?);
        }
        Ok(Effect::SetMinute { run, minute: traffic.minute, encoded: minute_codec::encode(&traffic) })
    }

    async fn sent_within(&self, time: Duration, now: Moment) -> Result<Vec<(EmailKey, Moment)>, DatabaseTrouble> {
        let rows = self.connected.rows(&sql::OPEN, &[&self.account.id]).await?;
        let (mut sent, after) = (Vec::new(), self.clock.now());
        for row in &rows {
            let (email, row) = read_open(row)?;
            let sent_at = self.takeover.sent_at(&row, self.account.epoch, after);
            if now.surely_since(sent_at) < time {
                sent.push((EmailKey::of(&email), sent_at));
            }
        }
        Ok(sent)
    }

    /// Returns the states of the records that are known, as of a run. What they say of time is by
    /// this host's clocks.
    async fn states(
        &self,
        emails: impl IntoIterator<Item = &EmailKey>,
        as_of: i64,
    ) -> Result<HashMap<EmailKey, RecordState>, DatabaseTrouble> {
        let emails: Vec<_> = emails.into_iter().collect();
        let before = self.clock.now();
        let rows =
            self.connected.rows(&sql::STATES, &[&self.account.id, &keys(emails.iter().copied()), &as_of]).await?;
        let after = self.clock.now();
        let mut states = HashMap::with_capacity(rows.len());
        for row in &rows {
            let mut found = read_state(row)?;
            if let (Some((_, intent)), Some(sent)) = (found.state.open.as_deref_mut(), &found.sent) {
                // A key must not look younger than it is, and a request not older.
                intent.key_since = sent.key_since.map_or(intent.key_since, |since| since.seen_at(before));
                intent.sent_at = self.takeover.sent_at(sent, self.account.epoch, after);
            }
            let email = emails.get(found.index).ok_or_else(|| DatabaseTrouble::damaged("a row without a question"))?;
            states.insert((*email).clone(), found.state);
        }
        Ok(states)
    }

    async fn claim(
        &self,
        run: i64,
        requests: &[ClaimRequest],
        policy: ClaimPolicy,
        numbering: &mut Numbering,
    ) -> Result<Reaction, DatabaseTrouble> {
        let states = self.states(requests.iter().map(|request| &request.email), run).await?;
        let (mut claims, mut effects, mut rows) = (Vec::new(), Vec::new(), HashMap::new());
        for request in requests {
            let ClaimRequest { email, position, .. } = request;
            if let Some(of_row) = rows.get(email) {
                claims.push(Claim::Duplicate { of_row: *of_row });
                continue;
            }
            let known = states.get(email);
            let decision = decide(known, request, run, policy);
            if let Decision::Duplicate { of_row } = decision {
                claims.push(Claim::Duplicate { of_row });
                continue;
            }
            rows.insert(email, position.row);
            effects.push(Effect::Claim { run, email: email.clone(), row: position.row });
            match decision {
                Decision::Duplicate { of_row } => claims.push(Claim::Duplicate { of_row }),
                Decision::Settled(status) => claims.push(Claim::Settled(status)),
                Decision::Deliver { generation, resumed } => {
                    if let Some((sent_by, intent)) = known.and_then(|known| known.untold_doubt(run)) {
                        // From now on the request is this run's; a report of the other one must
                        // still know how it left the record.
                        let settlement = Settlement::unread(intent.payload, unheard());
                        effects.extend(numbering.settle(sent_by, email, settlement));
                    }
                    let (email, position) = (email.clone(), *position);
                    claims.push(Claim::Deliver(Ticket { email, position, generation, resumed }));
                }
            }
        }
        Ok((OpReply::Claims(claims), effects))
    }

    async fn learn(
        &self,
        run: i64,
        customers: &[(EmailKey, Receipt)],
        numbering: &mut Numbering,
    ) -> Result<Reaction, DatabaseTrouble> {
        let states = self.states(customers.iter().map(|(email, _)| email), i64::MAX).await?;
        let (mut new, mut effects) = (HashSet::new(), Vec::new());
        for (email, receipt) in customers {
            let is_settled = states.get(email).is_some_and(RecordState::is_settled);
            if is_settled || !new.insert(email) {
                continue;
            }
            effects.push(Effect::Learn { run, email: email.clone() });
            effects.extend(numbering.settle(run, email, Settlement::unread(NEVER_SENT, learnt(receipt.clone()))));
        }
        Ok((OpReply::Count(new.len() as u64), effects))
    }

    async fn settle_by_hand(
        &self,
        run: i64,
        email: &EmailKey,
        ending: &Ending,
        numbering: &mut Numbering,
    ) -> Result<Reaction, DatabaseTrouble> {
        let state = self.states([email], i64::MAX).await?.remove(email);
        let Some(((sent_by, intent), state)) = state.as_ref().and_then(|state| Some((state.open.as_deref()?, state)))
        else {
            return Ok((OpReply::Is(false), Vec::new()));
        };
        let mut effects = Vec::new();
        if state.untold_doubt(run).is_some() {
            effects.extend(numbering.settle(*sent_by, email, Settlement::unread(intent.payload, unheard())));
        }
        // A report as of the run that sent the request says how it ended, too.
        for run in [*sent_by, run] {
            let (ending, attempts) = (ending.clone(), intent.attempt);
            let outcome = Outcome { ending, http_status: None, attempts, warnings: Vec::new() };
            let fields = self.hasher.fields(email, &intent.body);
            effects.extend(numbering.settle(run, email, Settlement { payload: intent.payload, fields, outcome }));
        }
        effects.push(Effect::Erase(email.clone()));
        Ok((OpReply::Is(true), effects))
    }

    async fn learn_status(&self, customers: &[(EmailKey, CheckedStatus)]) -> Result<Reaction, DatabaseTrouble> {
        let emails = keys(customers.iter().map(|(email, _)| email));
        let known: i64 = read_one(&self.connected.rows(&sql::COUNT_KNOWN, &[&self.account.id, &emails]).await?)?;
        Ok((OpReply::Count(known.unsigned_abs()), vec![Effect::SetChecks(customers.to_vec())]))
    }
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};

    use super::super::clocks::KeptMoment;
    use super::*;
    use crate::domain::BootTime;

    fn moment(second: i64) -> Moment {
        let boot = Some(BootTime { boot: 1, uptime: Duration::from_secs(1_000_000 + second.unsigned_abs()) });
        Moment { wall: Timestamp::from_second(1_700_000_000 + second).unwrap(), boot }
    }

    fn kept(second: i64) -> KeptMoment {
        KeptMoment { written: moment(second), age: SignedDuration::ZERO }
    }

    /// The lease was taken at second 100 with a grace of 10 s, and it is second 101.
    fn counts_from(epoch: i64, is_over: bool, token_end: Option<i64>) -> Moment {
        let sent = SentRow { epoch, is_over, key_since: None, sent_at: kept(50), token_until: token_end.map(kept) };
        Takeover { at: moment(100), grace: Duration::from_secs(10) }.sent_at(&sent, 7, moment(101))
    }

    #[test]
    fn s3_the_settle_time_of_an_older_epochs_request_counts_from_the_takeover_and_the_grace() {
        assert_eq!(counts_from(6, false, None), moment(110));
        assert_eq!(counts_from(2, false, None), moment(110), "however old the epoch is");
        assert_eq!(counts_from(7, false, None), moment(50), "its own");
        assert_eq!(counts_from(6, true, None), moment(50), "its process has ended");
    }

    #[test]
    fn s4_the_settle_time_counts_from_the_end_of_the_token_if_that_is_near() {
        assert_eq!(counts_from(6, false, Some(600)), moment(600));
        assert_eq!(counts_from(6, false, Some(105)), moment(110), "over before the grace is");
        assert_eq!(counts_from(6, false, Some(101 + 15 * 60)), moment(101 + 15 * 60));
        assert_eq!(counts_from(6, false, Some(102 + 15 * 60)), moment(110), "too far away to wait for");
        assert_eq!(counts_from(6, true, Some(600)), moment(50));
    }
}
