//! Accepts connections, and breaks them as faults require.
//!
//! hyper handles HTTP. This module wraps each socket below it. The wrapper shares an order with the
//! task that answers on the connection, so the task can cut a response in the middle of its
//! headers, or reset the connection.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::{
    body::{Body, Bytes},
    extract::connect_info::Connected,
    http::header,
    response::Response,
    serve::{IncomingStream, Listener},
};
use futures::stream;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
};
use tokio_util::sync::CancellationToken;

use super::{
    exchange::World,
    reply::{Ending, Reply},
    sync::lock_ignoring_poison,
};

/// The bytes that are sent of a response that is cut in its headers: past the status line, before
/// the end of the first header.
const PART_OF_HEAD: usize = 30;

/// Long enough for the first half of a body to be sent before the connection closes.
const HALFWAY_PAUSE: Duration = Duration::from_millis(20);

/// A listener that resets some connections as they arrive.
#[derive(Debug)]
pub(super) struct Door {
    listener: TcpListener,
    world: Arc<World>,
}

impl Door {
    pub(super) fn new(listener: TcpListener, world: Arc<World>) -> Self {
        Self { listener, world }
    }
}

impl Listener for Door {
    type Io = Wire;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Wire, SocketAddr) {
        loop {
            let (stream, address) = Listener::accept(&mut self.listener).await;
            if self.world.refuses() {
                reset(&stream);
                continue;
            }
            // Small responses must not wait for one another. A socket that cannot do this is merely
            // slower.
            let _ = stream.set_nodelay(true);
            return (Wire { stream, line: Line::default() }, address);
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// What happens to the bytes that are written from now on.
#[derive(Debug, Clone, Copy, Default)]
enum Order {
    #[default]
    Pass,
    /// So many bytes pass, then the connection closes.
    PassOnly(usize),
    Reset,
}

/// The handler's end of a connection.
#[derive(Debug, Clone, Default)]
pub(super) struct Line(Arc<Mutex<Order>>);

impl Connected<IncomingStream<'_, Door>> for Line {
    fn connect_info(stream: IncomingStream<'_, Door>) -> Self {
        stream.io().line.clone()
    }
}

impl Line {
    /// Returns the response to write, and orders what happens to it on the connection.
    pub(super) async fn answer(&self, reply: Reply, ending: Ending, stopping: &CancellationToken) -> Response {
        match ending {
            Ending::Whole => reply.into_response(None),
            Ending::CutBody => cut_in_half(reply),
            Ending::CutHead => {
                self.order(Order::PassOnly(PART_OF_HEAD));
                reply.into_response(None)
            }
            Ending::Reset => {
                self.order(Order::Reset);
                reply.into_response(None)
            }
            Ending::Never => {
                // If the client leaves first, hyper drops this future.
                stopping.cancelled().await;
                self.order(Order::Reset);
                reply.into_response(None)
            }
        }
    }

    fn order(&self, order: Order) {
        *lock_ignoring_poison(&self.0) = order;
    }
}

/// Returns a response that announces its whole length and breaks off halfway.
fn cut_in_half(reply: Reply) -> Response {
    let half = reply.body.slice(..reply.body.len() / 2);
    let length = reply.body.len() as u64;
    let body = stream::unfold(Some(half), |half| async move {
        match half {
            Some(half) => Some((Ok::<Bytes, io::Error>(half), None)),
            None => {
                tokio::time::sleep(HALFWAY_PAUSE).await;
                Some((Err(io::ErrorKind::ConnectionAborted.into()), None))
            }
        }
    });
    reply.with(header::CONTENT_LENGTH, length).into_response(Some(Body::from_stream(body)))
}

/// Closes this socket with a reset, so that the client does not learn what was done.
fn reset(stream: &TcpStream) {
    if let Err(error) = stream.set_zero_linger() {
        tracing::warn!(%error, "the sandbox failed to reset a connection");
    }
}

/// A socket that follows the orders of its line.
#[derive(Debug)]
pub(super) struct Wire {
    stream: TcpStream,
    line: Line,
}

impl AsyncRead for Wire {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let order = *lock_ignoring_poison(&self.line.0);
        match order {
            Order::Pass => Pin::new(&mut self.stream).poll_write(cx, bytes),
            Order::PassOnly(0) => Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into())),
            Order::PassOnly(left) => {
                let part = &bytes[..bytes.len().min(left)];
                let written = ready!(Pin::new(&mut self.stream).poll_write(cx, part))?;
                self.line.order(Order::PassOnly(left - written));
                Poll::Ready(Ok(written))
            }
            Order::Reset => {
                reset(&self.stream);
                Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()))
            }
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let order = *lock_ignoring_poison(&self.line.0);
        match order {
            // An orderly shutdown before the reset would hide the reset.
            Order::Reset => Poll::Ready(Ok(())),
            Order::Pass | Order::PassOnly(_) => Pin::new(&mut self.stream).poll_shutdown(cx),
        }
    }
}
