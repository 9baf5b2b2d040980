//! The server: binds the loopback interface and serves until it is stopped.

use std::{io, net::Ipv4Addr, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{ConnectInfo, Request, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use tokio::{net::TcpListener, task::JoinHandle, time::timeout};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{
    accounts::Accounts,
    call::{BASE, Call},
    config::Config,
    connection::{Door, Line},
    exchange::World,
    outcome::Outcome,
    record::{Event, Record},
};

/// How long a stop waits for the requests under way.
const PATIENCE: Duration = Duration::from_secs(1);

/// A running sandbox. Dropping it stops it.
#[derive(Debug)]
pub struct Sandbox {
    world: Arc<World>,
    stopping: CancellationToken,
    task: JoinHandle<io::Result<()>>,
    _stop_when_dropped: DropGuard,
}

/// The state that every handler needs.
#[derive(Debug, Clone)]
struct House {
    world: Arc<World>,
    stopping: CancellationToken,
}

/// Starts a sandbox on the loopback interface. Port 0 picks a free one.
///
/// # Errors
/// If the port is taken, or the log cannot be opened for appending.
pub async fn start(config: Config, port: u16) -> io::Result<Sandbox> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    let base_url = format!("http://{}{BASE}", listener.local_addr()?);
    let world = Arc::new(World::new(config, base_url)?);
    let stopping = CancellationToken::new();
    let task = tokio::spawn(serve(listener, House { world: Arc::clone(&world), stopping: stopping.clone() }));
    Ok(Sandbox { world, task, _stop_when_dropped: stopping.clone().drop_guard(), stopping })
}

async fn serve(listener: TcpListener, house: House) -> io::Result<()> {
    let door = Door::new(listener, Arc::clone(&house.world));
    let stopped = house.stopping.clone().cancelled_owned();
    // One handler for every path, because the log must also have requests to unknown paths.
    let app = Router::new().fallback(handle).with_state(house);
    axum::serve(door, app.into_make_service_with_connect_info::<Line>()).with_graceful_shutdown(stopped).await
}

/// Reads a request and works on it in a task of its own: as on a real server, the work goes on if
/// the client leaves.
async fn handle(State(house): State<House>, ConnectInfo(line): ConnectInfo<Line>, request: Request) -> Response {
    let call = Call::read(request, house.world.body_limit()).await;
    let (world, n) = (Arc::clone(&house.world), house.world.number());
    let presence = Presence { world: &house.world, n, is_over: false };
    let response = match tokio::spawn(exchange(world, n, call)).await {
        Ok(outcome) => line.answer(outcome.reply, outcome.ending, &house.stopping).await,
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    };
    presence.ends();
    response
}

/// Serves a request, then continues its work if a gateway gave up on it.
async fn exchange(world: Arc<World>, n: u64, call: Call) -> Outcome {
    let outcome = world.serve(n, &call).await;
    if let Some(time) = outcome.unfinished {
        tokio::spawn(async move { world.work_on(n, &call, time).await });
    }
    outcome
}

/// A client that waits for its response. If the client leaves, hyper drops the handler, and this
/// logs it.
#[derive(Debug)]
struct Presence<'a> {
    world: &'a World,
    n: u64,
    is_over: bool,
}

impl Presence<'_> {
    fn ends(mut self) {
        self.is_over = true;
    }
}

impl Drop for Presence<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            self.world.log.write(Event::Left { n: self.n });
        }
    }
}

impl Sandbox {
    /// Returns the base URL, for example `http://127.0.0.1:8080/api/v1`.
    #[must_use]
    pub fn base_url(&self) -> String {
        self.world.base_url().to_owned()
    }

    /// Returns the latest lines of the request log, at most 100,000.
    #[must_use]
    pub fn records(&self) -> Vec<Record> {
        self.world.records()
    }

    /// Returns the number of customers.
    #[must_use]
    pub fn customers(&self) -> usize {
        self.world.ask_accounts(Accounts::len)
    }

    /// Returns the number of customers with this e-mail. More than one is a duplicate.
    #[must_use]
    pub fn customers_with(&self, email: &str) -> usize {
        self.world.ask_accounts(|accounts| accounts.with_email(email))
    }

    /// Returns the number of e-mails that were sent to this address.
    #[must_use]
    pub fn mails_to(&self, email: &str) -> usize {
        self.world.ask_accounts(|accounts| accounts.mails_to(email))
    }

    /// Returns the number of requests over the limit.
    #[must_use]
    pub fn throttled(&self) -> u64 {
        self.world.throttled()
    }

    /// Serves until the server ends. To end it, drop the future.
    pub async fn wait(self) {
        let _ = self.task.await;
    }

    /// Stops listening, resets stalled connections, and gives the requests under way a second to
    /// finish.
    pub async fn stop(mut self) {
        self.stopping.cancel();
        if timeout(PATIENCE, &mut self.task).await.is_err() {
            self.task.abort();
        }
    }
}
