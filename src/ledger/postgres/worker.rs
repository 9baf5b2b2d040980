//! A thread that has a connection and does what is asked, one thing after the other.
//!
//! The thread has a runtime of its own, because those who ask may be inside another one, where they
//! must not start a second, and because a runtime that is busy with a report must not make a
//! heartbeat late.

use std::sync::mpsc::sync_channel;
use std::thread::JoinHandle;

use futures::FutureExt as _;
use futures::future::LocalBoxFuture;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::Instant;

use crate::ledger::{LedgerError, LedgerName};
use crate::limits;

/// What lives in the thread.
pub(super) trait Resident {
    /// Returns when [`beat`](Self::beat) is due. `None`: never.
    fn next_beat(&self) -> Option<Instant> {
        None
    }

    /// Does what must be done from time to time.
    async fn beat(&mut self) {}

    /// Called when nothing can be asked any more.
    async fn end(&mut self) {}
}

type WorkerJob<R> = Box<dyn for<'a> FnOnce(&'a mut R) -> LocalBoxFuture<'a, ()> + Send>;

/// The handle of the thread. Dropping it waits until the resident has ended.
#[derive(Debug)]
pub(super) struct Worker<R> {
    /// Those who ask wait for each answer, so it holds no more jobs than there are askers.
    jobs: Option<UnboundedSender<WorkerJob<R>>>,
    thread: Option<JoinHandle<()>>,
}

impl<R: Resident + 'static> Worker<R> {
    /// Starts the thread, and returns when its resident is there.
    pub(super) fn start(
        ledger: &LedgerName,
        make: impl AsyncFnOnce() -> Result<R, LedgerError> + Send + 'static,
    ) -> Result<Self, LedgerError> {
        let (jobs, queue) = unbounded_channel();
        let (made, is_made) = sync_channel(1);
        let name = ledger.clone();
        let thread = std::thread::Builder::new()
            .name("ledger link".to_owned())
            .spawn(move || {
                let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
                    Ok(runtime) => runtime,
                    Err(error) => return drop(made.send(Err(LedgerError::io(name, limits::told(&error))))),
                };
                runtime.block_on(async {
                    match make().await {
                        Ok(resident) => {
                            drop(made.send(Ok(())));
                            live(resident, queue).await;
                        }
                        Err(error) => drop(made.send(Err(error))),
                    }
                });
            })
            .map_err(|error| LedgerError::Limit { ledger: ledger.clone(), why: limits::no_thread(&error) })?;
        let worker = Self { jobs: Some(jobs), thread: Some(thread) };
        is_made.recv().map_err(|_| gone(ledger))??;
        Ok(worker)
    }

    /// Waits until the resident has done the work. Fails if the thread is gone.
    pub(super) fn ask<T: Send + 'static>(
        &self,
        ledger: &LedgerName,
        work: impl AsyncFnOnce(&mut R) -> Result<T, LedgerError> + Send + 'static,
    ) -> Result<T, LedgerError> {
        let (reply, answer) = sync_channel(1);
        let job: WorkerJob<R> = Box::new(move |resident| {
            async move {
                // The asker waits, so this fails only if its thread panicked.
                drop(reply.send(work(resident).await));
            }
            .boxed_local()
        });
        let sent = self.jobs.as_ref().is_some_and(|jobs| jobs.send(job).is_ok());
        if sent { answer.recv().map_err(|_| gone(ledger))? } else { Err(gone(ledger)) }
    }
}

impl<R> Drop for Worker<R> {
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take() {
            // A panic there was reported by the thread itself.
            drop(thread.join());
        }
    }
}

async fn live<R: Resident>(mut resident: R, mut queue: UnboundedReceiver<WorkerJob<R>>) {
    loop {
        let due = resident.next_beat();
        let beat = async {
            match due {
                Some(due) => tokio::time::sleep_until(due).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = beat => resident.beat().await,
            job = queue.recv() => match job {
                Some(job) => job(&mut resident).await,
                None => break,
            },
        }
    }
    resident.end().await;
}

fn gone(ledger: &LedgerName) -> LedgerError {
    LedgerError::io(ledger.clone(), "the thread of its connection is gone")
}
