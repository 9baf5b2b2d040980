//! The key store: a repeated key gets the response that it got before, failures too.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use std::sync::Mutex as StdMutex;
use tokio::{
    sync::{Mutex, OwnedMutexGuard},
    time::Instant,
};

use super::{
    config::{Config, Dialect},
    reply::Reply,
    sync::lock_ignoring_poison,
};

/// The stored response to a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) reply: Reply,
    pub(super) customer_id: Option<String>,
}

/// Responses by key. Account and body play no part, as in the public source.
#[derive(Debug)]
pub(super) struct KeyStore {
    life: Duration,
    /// Whether an expired key is refused rather than forgotten.
    refuses_expired: bool,
    /// Whether all overlapping requests with one key run.
    racy: bool,
    slots: StdMutex<BTreeMap<String, Slot>>,
}

type Slot = Arc<Mutex<Option<Stored>>>;

#[derive(Debug)]
pub(super) struct Stored {
    answer: Answer,
    since: Instant,
}

/// What may happen with a key.
#[derive(Debug)]
pub(super) enum Verdict {
    /// The key has no response yet: do the work, then keep the response.
    Run(Turn),
    /// The key has this response.
    Replay(Answer),
    /// The key has expired.
    Expired,
}

/// The right to work for a key. Unless the store is racy, other requests with the key wait until
/// this is dropped.
#[derive(Debug)]
pub(super) enum Turn {
    Alone(OwnedMutexGuard<Option<Stored>>),
    Racing(Slot),
}

impl KeyStore {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            life: config.key_life,
            refuses_expired: config.dialect == Dialect::Docs,
            racy: config.racy,
            slots: StdMutex::default(),
        }
    }

    /// Returns what may happen with a key. May wait for another request with the same key.
    pub(super) async fn open(&self, key: &str) -> Verdict {
        let slot = Arc::clone(lock_ignoring_poison(&self.slots).entry(key.to_owned()).or_default());
        let stored = Arc::clone(&slot).lock_owned().await;
        match stored.as_ref() {
            Some(kept) if kept.since.elapsed() < self.life => Verdict::Replay(kept.answer.clone()),
            Some(_) if self.refuses_expired => Verdict::Expired,
            _ if self.racy => Verdict::Run(Turn::Racing(slot)),
            _ => Verdict::Run(Turn::Alone(stored)),
        }
    }
}

impl Turn {
    /// Keeps the response to the key.
    pub(super) async fn keep(self, answer: Answer) {
        let stored = Some(Stored { answer, since: Instant::now() });
        match self {
            Self::Alone(mut slot) => *slot = stored,
            Self::Racing(slot) => *slot.lock().await = stored,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn store(dialect: Dialect, racy: bool) -> KeyStore {
        KeyStore::new(&Config { dialect, racy, key_life: Duration::from_secs(60), ..Config::default() })
    }

    fn answer(status: u16) -> Answer {
        Answer { reply: Reply::json(status, &json!({"answer": status})), customer_id: None }
    }

    async fn turn(store: &KeyStore, key: &str) -> Turn {
        match store.open(key).await {
            Verdict::Run(turn) => turn,
            other => panic!("expected a turn, got {other:?}"),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_repeated_key_replays_even_a_failure() {
        let store = store(Dialect::Seed, false);
        turn(&store, "k").await.keep(answer(422)).await;
        assert!(matches!(store.open("k").await, Verdict::Replay(kept) if kept == answer(422)));
        assert!(matches!(store.open("other").await, Verdict::Run(_)));
    }

    #[tokio::test(start_paused = true)]
    async fn an_old_key_is_refused_by_the_docs_and_forgotten_by_the_others() {
        for (dialect, refused) in [(Dialect::Docs, true), (Dialect::Seed, false), (Dialect::Laravel, false)] {
            let store = store(dialect, false);
            turn(&store, "k").await.keep(answer(200)).await;
            tokio::time::advance(Duration::from_secs(60)).await;
            assert_eq!(matches!(store.open("k").await, Verdict::Expired), refused, "{dialect}");
            assert_eq!(matches!(store.open("k").await, Verdict::Run(_)), !refused, "{dialect}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_overlapping_request_waits_for_the_answer() {
        let store = Arc::new(store(Dialect::Seed, false));
        let first = turn(&store, "k").await;
        let second = tokio::spawn({
            let store = Arc::clone(&store);
            async move { store.open("k").await }
        });
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(!second.is_finished());
        first.keep(answer(200)).await;
        assert!(matches!(second.await.unwrap(), Verdict::Replay(kept) if kept == answer(200)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_racy_store_lets_overlapping_requests_run() {
        let store = store(Dialect::Seed, true);
        let first = turn(&store, "k").await;
        let second = turn(&store, "k").await;
        first.keep(answer(200)).await;
        second.keep(answer(422)).await;
        assert!(matches!(store.open("k").await, Verdict::Replay(kept) if kept == answer(422)));
    }
}
