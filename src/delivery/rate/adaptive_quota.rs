//! What `--rate auto` makes of the limit that the server announces. Pure: answers and instants go
//! in, a pace and a moment come out.
//!
//! # What the server does
//! It counts all requests of the account in a fixed window, which opens at its first request and
//! lasts a minute. Each answer tells the limit and how much of it remained when that request was
//! counted; it rarely says when the window ends.
//!
//! # The rules
//! - The pace is 55 of 60 parts of the limit, but at most 6,000 a minute, or what others leave of
//!   it. Others are seen by what remains: whatever it fell by beyond our own requests was theirs.
//!   They are believed to be there at once, and to be gone only by halves, a window at a time.
//! - With no more left than a small reserve nothing is sent before the window's end, because the
//!   next request might be one too many.
//! - A window ends, at the latest, a minute after its first answer came. A remainder that rises
//!   shows that it ended before.
//! - Answers overtake each other, so only an answer to a request that left after another answer had
//!   come is sure to be the later one.
//! - A 429 in spite of all that shows that there is more to it than the headers tell: half of what
//!   was sent is the most that is sent from then on, and a quarter more with each minute without
//!   one.
//! - A remainder above the limit, and one that never moves, are not remainders: then the limit
//!   alone counts.

use std::num::NonZeroU32;
use std::time::Duration;

use tokio::time::Instant;

use crate::api::Allowance;

/// The share of the limit that is used; the rest is for others who use the account.
const SHARE: f64 = 55.0 / 60.0;
/// The share that is kept back when others use more than the rest.
const RESERVE: f64 = 1.0 / 20.0;
/// The share that is ours whatever others do: a run must come to its end.
const LEAST: f64 = 1.0 / 12.0;
/// The limit, in requests a minute, until one is seen.
const UNSEEN_LIMIT: f64 = 60.0;
/// The highest pace, in requests a minute, whatever the limit: a header must not take the brake
/// off. A higher one needs `--rate`.
const HIGHEST: f64 = 6000.0;
const MINUTE: Duration = Duration::from_secs(60);
/// Resets are given in whole seconds.
const RESET_ROUNDING: Duration = Duration::from_secs(1);
/// What was seen for a shorter time says little of a minute.
const TELLING: Duration = Duration::from_secs(15);
/// No counter shows the same so often in a row.
const STUCK: u32 = 3;
/// What a 429 leaves of the pace, and how it grows with each minute without one.
const AFTER_429: f64 = 0.5;
const RECOVERY: f64 = 1.25;

#[derive(Debug)]
pub(crate) struct AdaptiveQuota {
    limit: Option<NonZeroU32>,
    window: Option<Window>,
    /// Answers to requests that left before this may speak of a window that is over.
    counts_from: Instant,
    /// Requests of ours whose answers are waited for.
    under_way: u32,
    /// What others take in a minute, as the windows before this one showed.
    others: f64,
    last: Option<SeenRemainder>,
    /// The most that 429s allow, in requests a minute.
    most: Option<f64>,
    /// Since when none has come; in the future while the server wants silence.
    unthrottled_since: Instant,
    sent: SentCounts,
}

/// What is known of the window that the server counts in.
#[derive(Clone, Copy, Debug)]
struct Window {
    first: u32,
    first_at: Instant,
    lowest: u32,
    lowest_at: Instant,
    /// Requests of ours that the server may have counted since the first answer.
    ours: u32,
    ends_by: Instant,
}

/// A remainder that was seen, and how often in a row.
#[derive(Clone, Copy, Debug)]
struct SeenRemainder {
    remaining: u32,
    at: Instant,
    times: u32,
}

/// How many requests of ours left in this minute, and in the one before.
#[derive(Clone, Copy, Debug)]
struct SentCounts {
    since: Instant,
    count: u32,
    before: u32,
}

impl AdaptiveQuota {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            limit: None,
            window: None,
            counts_from: now,
            under_way: 0,
            others: 0.0,
            last: None,
            most: None,
            unthrottled_since: now,
            sent: SentCounts { since: now, count: 0, before: 0 },
        }
    }

    /// The pace, in requests a minute.
    pub(crate) fn per_minute(&self) -> f64 {
        let (limit, others) = (self.limit(), self.others_now());
        let share = (limit * SHARE).min(limit - limit * RESERVE - others).max(limit * LEAST);
        share.min(self.most.unwrap_or(HIGHEST)).min(HIGHEST)
    }

    /// From when on a request may leave, as far as what remains is concerned.
    pub(crate) fn not_before(&self, now: Instant) -> Instant {
        let scarce =
            |window: &&Window| now < window.ends_by && self.left(window, now) <= (self.limit() * RESERVE).floor();
        self.window.as_ref().filter(scarce).map_or(now, |window| window.ends_by)
    }

    /// A request of ours leaves.
    pub(crate) fn leaves(&mut self, now: Instant) {
        self.close_if_over(now);
        self.sent.leaves(now);
        self.under_way += 1;
        if let Some(window) = &mut self.window {
            window.ours += 1;
        }
    }

    /// A request that left at `left` is done with, answered or not.
    pub(crate) fn returns(&mut self, allowance: Allowance, left: Instant, now: Instant) {
        self.under_way = self.under_way.saturating_sub(1);
        self.close_if_over(now);
        self.recover(now);
        self.take_limit(allowance.limit, now);
        if let (Some(remaining), Some(limit)) = (allowance.remaining, self.limit)
            && remaining <= limit.get()
            && self.moves(remaining, left, now)
        {
            self.take_remaining(remaining, left, now);
            self.take_reset(allowance.reset, now);
        }
    }

    /// The server asked for silence: its window is used up, and another one is open afterwards.
    pub(crate) fn throttled(&mut self, pause: Duration, now: Instant) {
        if now >= self.unthrottled_since {
            let sent = f64::from(self.sent.in_a_minute()).max(UNSEEN_LIMIT);
            self.most = Some((self.per_minute().min(sent) * AFTER_429).max(UNSEEN_LIMIT * LEAST));
        }
        self.unthrottled_since = self.unthrottled_since.max(now + pause);
        self.close(now + pause);
    }

    fn limit(&self) -> f64 {
        self.limit.map_or(UNSEEN_LIMIT, |limit| f64::from(limit.get()))
    }

    fn others_now(&self) -> f64 {
        let seen = self.window.map_or(0.0, |window| window.rate_of_others().unwrap_or_default().max(window.others()));
        self.others.max(seen)
    }

    /// What is left at worst: what is under way may not have been counted yet, and others have not
    /// stood still.
    fn left(&self, window: &Window, now: Instant) -> f64 {
        let silent = now.saturating_duration_since(window.lowest_at).div_duration_f64(MINUTE);
        f64::from(window.lowest) - f64::from(self.under_way) - self.others_now() * silent
    }

    fn take_limit(&mut self, limit: Option<NonZeroU32>, now: Instant) {
        if limit.is_some_and(|limit| self.limit.replace(limit).is_some_and(|before| before != limit)) {
            (self.window, self.counts_from) = (None, now);
        }
    }

    fn take_remaining(&mut self, remaining: u32, left: Instant, now: Instant) {
        match &mut self.window {
            None if left >= self.counts_from => self.open(remaining, now),
            Some(window) if remaining > window.lowest && left >= window.lowest_at => {
                self.close(now);
                self.open(remaining, now);
            }
            Some(window) if remaining < window.lowest && left >= window.first_at => {
                (window.lowest, window.lowest_at) = (remaining, now);
            }
            Some(_) | None => {}
        }
    }

    /// A reset can only bring the end nearer: a false one must not hold a run for an hour.
    fn take_reset(&mut self, reset: Option<Duration>, now: Instant) {
        if let (Some(window), Some(reset)) = (&mut self.window, reset) {
            window.ends_by = window.ends_by.min(now + reset + RESET_ROUNDING);
        }
    }

    /// Whether this is a counter at all: each of our requests must move it.
    fn moves(&mut self, remaining: u32, left: Instant, now: Instant) -> bool {
        let times = match self.last {
            Some(last) if last.remaining == remaining && left >= last.at => last.times + 1,
            Some(last) if last.remaining == remaining => last.times,
            Some(_) | None => 1,
        };
        self.last = Some(SeenRemainder { remaining, at: now, times });
        if times >= STUCK {
            (self.window, self.others) = (None, 0.0);
        }
        times < STUCK
    }

    fn open(&mut self, remaining: u32, now: Instant) {
        self.window = Some(Window {
            first: remaining,
            first_at: now,
            lowest: remaining,
            lowest_at: now,
            ours: self.under_way,
            ends_by: now + MINUTE,
        });
    }

    fn close_if_over(&mut self, now: Instant) {
        if let Some(Window { ends_by, .. }) = self.window
            && now >= ends_by
        {
            self.close(ends_by);
        }
    }

    /// Only what leaves from `end` on is sure to be counted in the next window.
    fn close(&mut self, end: Instant) {
        if let Some(rate) = self.window.take().and_then(|window| window.rate_of_others()) {
            self.others = rate.max((self.others + rate) / 2.0);
        }
        self.counts_from = end;
    }

    fn recover(&mut self, now: Instant) {
        if now >= self.unthrottled_since + MINUTE {
            self.most = self.most.map(|most| most * RECOVERY).filter(|most| *most < self.limit());
            self.unthrottled_since = now;
        }
    }
}

impl SentCounts {
    fn leaves(&mut self, now: Instant) {
        if now >= self.since + MINUTE {
            *self = Self { since: now, count: 0, before: self.count };
        }
        self.count += 1;
    }

    fn in_a_minute(&self) -> u32 {
        self.count.max(self.before)
    }
}

impl Window {
    /// How many requests were surely not ours. Of ours, all are taken for counted, so that none is
    /// ever blamed on others.
    fn others(&self) -> f64 {
        f64::from((self.first - self.lowest).saturating_sub(self.ours))
    }

    /// The same as requests a minute, if it was seen for long enough.
    fn rate_of_others(&self) -> Option<f64> {
        let seen = self.lowest_at.saturating_duration_since(self.first_at);
        (seen >= TELLING).then(|| self.others() / seen.div_duration_f64(MINUTE))
    }
}

#[cfg(test)]
mod tests;
