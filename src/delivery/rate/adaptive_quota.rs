//! Computes the pace of `--rate auto` from the limit that the server announces. Pure: responses and
//! instants go in, a pace and a moment come out.
//!
//! # What the server does
//! The server counts all requests of the account in a fixed window, which opens with its first
//! request and lasts a minute. Each response states the limit and how much of it remained when its
//! request was counted; it rarely states when the window ends.
//!
//! # The rules
//! - The pace is 55/60 of the limit, but at most 6,000 per minute, or what others leave of it. Use
//!   by others shows in what remains: whatever it dropped by beyond our own requests was theirs.
//!   Others are assumed to be active at once, and to leave gradually, by half per window.
//! - If no more than a small reserve is left, nothing is sent before the window ends, because the
//!   next request might be one too many.
//! - A window ends at the latest a minute after its first response. If the remainder rises, it
//!   ended before.
//! - Responses overtake each other. So a response counts as later than another one only if its
//!   request was sent after that one had arrived.
//! - A 429 despite all this shows that the server limits more than its headers say. From then on at
//!   most half of what was sent is sent, and a quarter more after each minute without a 429.
//! - A remainder above the limit, or one that never changes, is not a remainder; then only the
//!   limit counts.

use std::num::NonZeroU32;
use std::time::Duration;

use tokio::time::Instant;

use crate::api::Allowance;

/// Share of the limit that is used; the rest is for others who use the account.
const SHARE: f64 = 55.0 / 60.0;
/// Share that is reserved if others use more than the rest.
const RESERVE: f64 = 1.0 / 20.0;
/// Share that is always ours, because a run must finish whatever others do.
const LEAST: f64 = 1.0 / 12.0;
/// Assumed limit in requests per minute until the server announces one.
const UNSEEN_LIMIT: f64 = 60.0;
/// Highest pace in requests per minute, whatever the limit is, because a header must not remove the
/// brake. A higher pace needs `--rate`.
const HIGHEST: f64 = 6000.0;
const MINUTE: Duration = Duration::from_secs(60);
/// Added to resets, which are given in whole seconds.
const RESET_ROUNDING: Duration = Duration::from_secs(1);
/// A shorter observation says little about a minute.
const TELLING: Duration = Duration::from_secs(15);
/// No real counter shows the same value so often in a row.
const STUCK: u32 = 3;
/// Factor for the pace after a 429, and for each minute without one.
const AFTER_429: f64 = 0.5;
const RECOVERY: f64 = 1.25;

#[derive(Debug)]
pub(crate) struct AdaptiveQuota {
    limit: Option<NonZeroU32>,
    window: Option<Window>,
    /// Responses to requests that were sent before this may describe a window that is over.
    counts_from: Instant,
    /// Our requests in flight.
    under_way: u32,
    /// Requests per minute of others, as the previous windows showed.
    others: f64,
    last: Option<SeenRemainder>,
    /// Highest pace after 429s, in requests per minute. `None` without them.
    most: Option<f64>,
    /// Since when there was no 429; in the future while the server asked for a pause.
    unthrottled_since: Instant,
    sent: SentCounts,
}

/// What is known about the current window of the server.
#[derive(Clone, Copy, Debug)]
struct Window {
    first: u32,
    first_at: Instant,
    lowest: u32,
    lowest_at: Instant,
    /// Our requests that the server may have counted since the first response.
    ours: u32,
    ends_by: Instant,
}

/// The last remainder, and how often in a row it was seen.
#[derive(Clone, Copy, Debug)]
struct SeenRemainder {
    remaining: u32,
    at: Instant,
    times: u32,
}

/// How many requests we sent in this minute and in the one before.
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

    /// Returns the pace in requests per minute.
    pub(crate) fn per_minute(&self) -> f64 {
        let (limit, others) = (self.limit(), self.others_now());
        let share = (limit * SHARE).min(limit - limit * RESERVE - others).max(limit * LEAST);
        share.min(self.most.unwrap_or(HIGHEST)).min(HIGHEST)
    }

    /// Returns when the remainder allows the next request.
    pub(crate) fn not_before(&self, now: Instant) -> Instant {
        let scarce =
            |window: &&Window| now < window.ends_by && self.left(window, now) <= (self.limit() * RESERVE).floor();
        self.window.as_ref().filter(scarce).map_or(now, |window| window.ends_by)
    }

    /// Records that a request is sent.
    pub(crate) fn leaves(&mut self, now: Instant) {
        self.close_if_over(now);
        self.sent.leaves(now);
        self.under_way += 1;
        if let Some(window) = &mut self.window {
            window.ours += 1;
        }
    }

    /// Records that a request that was sent at `left` is finished, with or without a response.
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

    /// Records that the server asked for a pause: its window is used up, and another one opens
    /// after it.
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

    /// Returns what is left in the worst case: requests in flight may not be counted yet, and
    /// others have gone on sending.
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

    /// Takes a reset only if it brings the end nearer, because a wrong one must not block a run for
    /// an hour.
    fn take_reset(&mut self, reset: Option<Duration>, now: Instant) {
        if let (Some(window), Some(reset)) = (&mut self.window, reset) {
            window.ends_by = window.ends_by.min(now + reset + RESET_ROUNDING);
        }
    }

    /// Returns whether the remainder is a counter at all: each of our requests must change it.
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

    /// Closes the window. Only requests sent from `end` on are sure to be counted in the next one.
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
    /// Returns how many requests were surely not ours. Assumes that all of ours were counted, so
    /// that none is blamed on others.
    fn others(&self) -> f64 {
        f64::from((self.first - self.lowest).saturating_sub(self.ours))
    }

    /// Returns the same per minute, or `None` if it was observed too briefly.
    fn rate_of_others(&self) -> Option<f64> {
        let seen = self.lowest_at.saturating_duration_since(self.first_at);
        (seen >= TELLING).then(|| self.others() / seen.div_duration_f64(MINUTE))
    }
}

#[cfg(test)]
mod tests;
