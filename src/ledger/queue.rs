//! Group commit: the one thread that writes, and the queue in front of it.
//!
//! Every task hands operations in and waits for their answers. The thread takes all that waits in
//! one batch, in the order in which it came, and commits the batch. That order is what keeps the
//! number of open requests small after a kill (I7): an intent that was handed in after an outcome
//! is never durable before it.
//!
//! The queue knows no database; the [`Store`] behind it does.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::LedgerError;
use super::location::LedgerName;
use super::store::{Op, OpReply, Store};
use super::store_link::StoreLink;
use super::watch::{CommitCounter, LedgerWatch};
use crate::limits;

/// How long an outcome may wait for company in its batch. Usually the next intent comes long
/// before.
const COMPANY: Duration = Duration::from_millis(25);

/// The handle of the queue. Dropping it waits until the thread has closed the store.
#[derive(Debug)]
pub(super) struct Queue {
    ledger: LedgerName,
    link: StoreLink,
    commits: Arc<CommitCounter>,
    jobs: Option<Sender<Message>>,
    thread: Option<JoinHandle<()>>,
    failure: Arc<OnceLock<LedgerError>>,
    lost: Arc<OnceLock<LedgerError>>,
}

impl Queue {
    /// Starts the thread that owns the store. `ledger` is only for messages.
    pub(super) fn start(store: impl Store + 'static, ledger: LedgerName) -> Result<Self, LedgerError> {
        let link = store.link();
        let (failure, lost) = (Arc::new(OnceLock::new()), Arc::new(OnceLock::new()));
        let commits = Arc::<CommitCounter>::default();
        let (jobs, queue) = channel();
        let writer = Writer {
            store,
            commits: Arc::clone(&commits),
            failure: Arc::clone(&failure),
            lost: Arc::clone(&lost),
            last_commit: Duration::ZERO,
            pending: None,
        };
        let thread = std::thread::Builder::new()
            .name("ledger".to_owned())
            .spawn(move || writer.work(&queue))
            .map_err(|error| LedgerError::Limit { ledger: ledger.clone(), why: limits::no_thread(&error) })?;
        Ok(Self { ledger, link, commits, jobs: Some(jobs), thread: Some(thread), failure, lost })
    }

    /// Hands an operation in at once; the future waits until it is committed. What was handed in
    /// first is committed first, or together with what follows. Await the future or drop it,
    /// because the answer may carry those of other tasks.
    pub(super) fn hand_in<T>(
        &self,
        needs: Needs,
        urgency: Urgency,
        op: Op,
        read: fn(OpReply) -> Option<T>,
    ) -> impl Future<Output = Result<T, LedgerError>> + use<'_, T> {
        let (answer, answered) = oneshot::channel();
        let sent = self.send(Message::Op(QueuedOp { needs, urgency, op, answer }));
        async move {
            let answer = if sent { received(answered).await } else { None };
            let (reply, _others) = answer.ok_or_else(|| self.failure())?;
            read(reply)
                .ok_or_else(|| LedgerError::io(self.ledger.clone(), "the store gave the answer to another operation"))
        }
    }

    /// See [`Store::copy_to`].
    pub(super) async fn copy_to(&self, to: PathBuf) -> Result<(), LedgerError> {
        let (reply, answer) = oneshot::channel();
        let answer = if self.send(Message::Copy { to, reply }) { received(answer).await } else { None };
        answer.ok_or_else(|| self.failure())?
    }

    pub(super) fn link(&self) -> &StoreLink {
        &self.link
    }

    pub(super) fn watch(&self) -> LedgerWatch {
        LedgerWatch::new(Arc::clone(&self.commits), self.link.clone())
    }

    fn send(&self, message: Message) -> bool {
        self.jobs.as_ref().is_some_and(|jobs| jobs.send(message).is_ok())
    }

    /// Why the writer did not answer. It answers every job or leaves its reason behind.
    fn failure(&self) -> LedgerError {
        let reason = self.failure.get().or_else(|| self.lost.get());
        reason.cloned().unwrap_or_else(|| LedgerError::io(self.ledger.clone(), "its writer is gone"))
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        drop(self.jobs.take());
        self.link.close();
        if let Some(thread) = self.thread.take() {
            // A panic there was reported by the thread itself, and every waiting task saw its
            // answer dropped.
            drop(thread.join());
        }
    }
}

/// When a batch must be committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Urgency {
    /// At once, because a sender waits.
    Now,
    /// Within 25 ms.
    Soon,
    /// Within 25 ms, and the answer may leave before, because it permits nothing.
    Answered,
}

/// What must be true for a job to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Needs {
    /// This process holds the ledger still, because the job permits something new.
    Hold,
    /// Nothing, because the job only completes what was permitted before.
    Nothing,
}

/// The answer to an operation, with those of other tasks.
type Answered = (OpReply, Others);

/// An answer that waits for the commit.
#[derive(Debug)]
struct Waiting {
    /// `None` if the operation failed: as long as this is not dropped, the task that asked waits.
    reply: Option<OpReply>,
    answer: oneshot::Sender<Answered>,
}

impl Waiting {
    fn send(self, others: Others) {
        // The task that asked may be gone; what was written stays true, and the others' answers go
        // out when the value that could not be sent is dropped.
        if let Some(reply) = self.reply {
            drop(self.answer.send((reply, others)));
        }
    }
}

/// The answers of the same batch to all other tasks. Waking a task on another thread takes a system
/// call, and waking one on the same thread takes none. So the writer wakes one task, which passes
/// the others' answers on. They go out when this is dropped, even if that task is gone already.
#[derive(Debug, Default)]
struct Others(Vec<Waiting>);

impl Drop for Others {
    fn drop(&mut self) {
        self.0.drain(..).for_each(|waiting| waiting.send(Self::default()));
    }
}

/// Something to write. The tasks of records and the run fill the queue, and the writer drains it.
/// Each of them waits for its answer before it sends another job, so the queue is never longer than
/// there are tasks.
#[derive(Debug)]
struct QueuedOp {
    needs: Needs,
    urgency: Urgency,
    op: Op,
    answer: oneshot::Sender<Answered>,
}

#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "nearly every message is a job; a copy is asked for once a run at most")]
enum Message {
    Op(QueuedOp),
    /// Waits for the end of the open batch.
    Copy {
        to: PathBuf,
        reply: oneshot::Sender<Result<(), LedgerError>>,
    },
}

/// The reason is in [`Writer::failure`].
struct Failed;

struct Writer<S> {
    store: S,
    commits: Arc<CommitCounter>,
    failure: Arc<OnceLock<LedgerError>>,
    /// The ledger is not held any more. It stays so, even if the store takes it back.
    lost: Arc<OnceLock<LedgerError>>,
    /// How long the last commit took, its sync above all.
    last_commit: Duration,
    /// Came while a batch was open, and waits for its end.
    pending: Option<Message>,
}

impl<S: Store> Writer<S> {
    /// Writes until no task can ask any more, or until the first error: what a failed sync left on
    /// the disk is unknown, so nothing is written after it. Tasks that wait then see their answer
    /// dropped.
    fn work(mut self, queue: &Receiver<Message>) {
        while let Some(message) = self.pending.take().or_else(|| queue.recv().ok()) {
            let done = match message {
                Message::Op(first) => self.batch(first, queue),
                Message::Copy { to, reply } => {
                    drop(reply.send(self.store.copy_to(&to)));
                    Ok(())
                }
            };
            if done.is_err() {
                break;
            }
        }
    }

    /// An error is written down before the answers of its jobs are dropped, because each task that
    /// sees its answer dropped asks for the reason.
    fn batch(&mut self, first: QueuedOp, queue: &Receiver<Message>) -> Result<(), Failed> {
        let mut batch = Batch::new(self.last_commit);
        if let Err(error) = self.commit(&mut batch, first, queue) {
            drop(self.failure.set(error));
            return Err(Failed);
        }
        batch.answer();
        Ok(())
    }

    fn commit(&mut self, batch: &mut Batch, first: QueuedOp, queue: &Receiver<Message>) -> Result<(), LedgerError> {
        batch.take(first, &mut self.store, &self.lost)?;
        while let Some(message) = batch.next(queue) {
            match message {
                Message::Op(job) => batch.take(job, &mut self.store, &self.lost)?,
                Message::Copy { .. } => {
                    self.pending = Some(message);
                    break;
                }
            }
        }
        let begun = Instant::now();
        self.store.commit()?;
        self.last_commit = begun.elapsed();
        self.commits.add(self.last_commit);
        Ok(())
    }
}

/// The jobs of one batch whose answers wait for the commit.
struct Batch {
    waiting: Vec<Waiting>,
    /// `None` if a task waits: commit as soon as nothing more is in the queue.
    until: Option<Instant>,
    /// How long its jobs may still work.
    patience: Duration,
    /// Whether the store was asked if it holds the ledger. Once a batch is enough.
    is_hold_checked: bool,
}

impl Batch {
    /// Under load the queue is never empty. Jobs are then taken for as long as the last commit
    /// took. So no sender waits for much longer than two commits, and at most half of the time
    /// passes without one, however fast the disk is.
    fn new(patience: Duration) -> Self {
        Self { waiting: Vec::new(), until: Some(Instant::now() + COMPANY), patience, is_hold_checked: false }
    }

    /// Does the job, or drops it with its answer if it needs a hold that is lost.
    fn take(&mut self, job: QueuedOp, store: &mut impl Store, lost: &OnceLock<LedgerError>) -> Result<(), LedgerError> {
        if job.needs == Needs::Hold && self.is_lost(store, lost) {
            return Ok(());
        }
        let begun = Instant::now();
        let (reply, failure) = match store.apply(job.op) {
            Ok(reply) => (Some(reply), None),
            Err(error) => (None, Some(error)),
        };
        let waiting = Waiting { reply, answer: job.answer };
        self.patience = self.patience.saturating_sub(begun.elapsed());
        match job.urgency {
            Urgency::Answered if failure.is_none() => waiting.send(Others::default()),
            _ => self.waiting.push(waiting),
        }
        if let Some(error) = failure {
            return Err(error);
        }
        if job.urgency == Urgency::Now {
            self.until = None;
        }
        Ok(())
    }

    fn is_lost(&mut self, store: &impl Store, lost: &OnceLock<LedgerError>) -> bool {
        if !std::mem::replace(&mut self.is_hold_checked, true)
            && let Err(error) = store.check_held()
        {
            drop(lost.set(error));
        }
        lost.get().is_some()
    }

    /// The next job that may join the batch.
    fn next(&self, queue: &Receiver<Message>) -> Option<Message> {
        if self.patience.is_zero() {
            return None;
        }
        match self.until {
            None => queue.try_recv().ok(),
            Some(until) => queue.recv_timeout(until.saturating_duration_since(Instant::now())).ok(),
        }
    }

    fn answer(self) {
        let mut waiting = self.waiting.into_iter();
        if let Some(first) = waiting.next() {
            first.send(Others(waiting.collect()));
        }
    }
}

#[cfg(not(test))]
async fn received<T: Send + 'static>(answer: oneshot::Receiver<T>) -> Option<T> {
    answer.await.ok()
}

/// A paused clock runs ahead while its runtime waits for another thread, unless that wait is a
/// blocking task of its own.
#[cfg(test)]
async fn received<T: Send + 'static>(answer: oneshot::Receiver<T>) -> Option<T> {
    tokio::task::spawn_blocking(move || answer.blocking_recv().ok()).await.ok().flatten()
}

#[cfg(test)]
mod tests {
    use super::super::memory::MemoryLedger;
    use super::*;

    fn job(urgency: Urgency) -> (QueuedOp, oneshot::Receiver<Answered>) {
        let (answer, answered) = oneshot::channel();
        (QueuedOp { needs: Needs::Nothing, urgency, op: Op::HasCreated, answer }, answered)
    }

    /// A task that saw its answer dropped asks at once for the reason.
    #[test]
    fn the_reason_of_a_failed_transaction_is_there_before_a_reply_is_dropped() {
        for fails_in_apply in [true, false] {
            for _ in 0..20 {
                let ledger = MemoryLedger::default();
                let store = ledger.open(&super::super::conformance::target());
                let queue = Queue::start(store, LedgerName::from(std::path::Path::new("memory"))).unwrap();
                // After a commit there is time for company.
                let (first, committed) = job(Urgency::Now);
                assert!(queue.send(Message::Op(first)));
                committed.blocking_recv().unwrap();
                if fails_in_apply {
                    ledger.fail_to_apply()
                } else {
                    ledger.crash_after(0)
                }
                let ((first, mut dropped), (second, _)) = (job(Urgency::Soon), job(Urgency::Now));
                assert!(queue.send(Message::Op(first)));
                // The first may have ended the writer.
                queue.send(Message::Op(second));
                while matches!(dropped.try_recv(), Err(oneshot::error::TryRecvError::Empty)) {
                    std::hint::spin_loop();
                }
                assert!(queue.failure.get().is_some(), "its writer is gone, and nothing says why");
            }
        }
    }

    #[test]
    fn a_reply_brings_those_of_the_others_even_where_nobody_waits_for_it() {
        for is_awaited in [true, false] {
            let [(first, waiting), (second, mut heard), (third, mut too)] = std::array::from_fn(|_| {
                let (answer, answered) = oneshot::channel();
                (Waiting { reply: Some(OpReply::Done), answer }, answered)
            });
            let waiting = is_awaited.then_some(waiting);
            let batch = Batch { waiting: vec![first, second, third], ..Batch::new(Duration::ZERO) };
            batch.answer();
            let [early, late] = [heard.try_recv(), too.try_recv()].map(|answer| answer.is_ok());
            assert_eq!((early, late), (!is_awaited, !is_awaited));
            drop(waiting.map(|answer| answer.blocking_recv().unwrap()));
            let [now, too] = [heard.try_recv(), too.try_recv()].map(|answer| answer.is_ok());
            assert_eq!((now, too), (is_awaited, is_awaited));
        }
    }

    #[test]
    fn a_transaction_takes_jobs_for_no_longer_than_the_last_commit_took() {
        let (jobs, queue) = channel();
        let mut answers = Vec::new();
        for _ in 0..100 {
            let (job, answered) = job(Urgency::Now);
            answers.push(answered);
            jobs.send(Message::Op(job)).unwrap();
        }
        let (mut store, lost) = (MemoryLedger::default().open(&super::super::conformance::target()), OnceLock::new());
        let mut taken = |patience| {
            let mut batch = Batch::new(patience);
            let mut first = Some(queue.recv().unwrap());
            while let Some(Message::Op(job)) = first.take().or_else(|| batch.next(&queue)) {
                batch.take(job, &mut store, &lost).unwrap();
            }
            batch.waiting.len()
        };
        assert_eq!(taken(Duration::ZERO), 1);
        assert_eq!(taken(Duration::from_secs(3600)), 99);
    }
}
