//! A proxy between program and sandbox that treats the first request to create a customer as it is
//! instructed, byte by byte, and behaves ever after. It knows just enough HTTP to tell where a
//! message ends.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::harness::Server;

/// What becomes of the request that the harm is meant for.
#[derive(Clone, Debug)]
pub(crate) enum Harm {
    None,
    /// So many bytes of the request reach the server, then both connections end.
    CutRequest(usize, End),
    /// The server does its work, and so many bytes of its answer come back.
    CutAnswer(usize, End),
    /// As before, but the connection stays open and silent.
    Stall(usize),
    /// The server does its work, and its answer comes back in another shape.
    Reshape(fn(Exchange) -> Vec<u8>),
    /// The server is never asked; the proxy answers.
    Forge(Vec<u8>),
    /// The answer comes whole, and once more right behind itself, on a connection that stays open.
    AnswerTwice,
    /// The connection ends as soon as a second request is seen to come on it, unread.
    CloseOnReuse(End),
}

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// With a goodbye (FIN).
    Close,
    /// Without one (RST).
    Reset,
}

/// An answer as the server meant it.
#[derive(Clone, Debug)]
pub(crate) struct Exchange {
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

/// What went through.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// When the program was seen to send a request that creates, whatever became of it.
    pub(crate) posts: Vec<Instant>,
    /// All that the program sent, byte for byte.
    pub(crate) sent: Vec<u8>,
    /// What each request that creates carried.
    pub(crate) bodies: Vec<Vec<u8>>,
    /// Of the last of them, and of its answer.
    pub(crate) request_length: usize,
    pub(crate) answer_length: usize,
}

/// A proxy that ends with this value.
#[derive(Debug)]
pub(crate) struct Proxy {
    pub(crate) url: String,
    plan: Arc<Plan>,
    /// Dropped, it tells the proxy's thread to end.
    _stop: tokio::sync::oneshot::Sender<()>,
}

#[derive(Debug)]
struct Plan {
    server: SocketAddr,
    harm: Mutex<Harm>,
    seen: Mutex<Seen>,
}

impl Proxy {
    pub(crate) fn start(server: &Server, harm: Harm) -> Self {
        let url = url::Url::parse(&server.url).unwrap();
        let server = url.socket_addrs(|| None).unwrap()[0];
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let port = listener.local_addr().unwrap().port();
        let plan = Arc::new(Plan { server, harm: Mutex::new(harm), seen: Mutex::default() });
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let accepting = accept(listener, Arc::clone(&plan));
        std::thread::spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    () = accepting => {}
                    _ = stopped => {}
                }
            });
        });
        Self { url: format!("http://127.0.0.1:{port}{}", url.path()), plan, _stop: stop }
    }

    pub(crate) fn seen<T>(&self, look: impl FnOnce(&Seen) -> T) -> T {
        look(&self.plan.seen.lock().unwrap())
    }
}

impl Plan {
    /// Harm strikes once.
    fn take_harm(&self) -> Harm {
        std::mem::replace(&mut self.harm.lock().unwrap(), Harm::None)
    }

    /// A harm to connections waits for the second request on one.
    fn take_harm_to_reuse(&self) -> Option<End> {
        let mut harm = self.harm.lock().unwrap();
        let &mut Harm::CloseOnReuse(end) = &mut *harm else { return None };
        *harm = Harm::None;
        Some(end)
    }

    fn is_for_reuse(&self) -> bool {
        matches!(*self.harm.lock().unwrap(), Harm::CloseOnReuse(_))
    }

    fn saw(&self, note: impl FnOnce(&mut Seen)) {
        note(&mut self.seen.lock().unwrap());
    }
}

async fn accept(listener: TcpListener, plan: Arc<Plan>) {
    while let Ok((client, _)) = listener.accept().await {
        let plan = Arc::clone(&plan);
        // A connection that breaks is what this is about, so its error is expected.
        tokio::spawn(async move { drop(carry(client, &plan).await) });
    }
}

/// Carries one connection's exchanges until it ends, by itself or by harm.
async fn carry(mut client: TcpStream, plan: &Plan) -> io::Result<()> {
    client.set_nodelay(true)?;
    let mut server = TcpStream::connect(plan.server).await?;
    server.set_nodelay(true)?;
    for exchanges in 0_u32.. {
        client.readable().await?;
        let is_reused = exchanges > 0 && client.peek(&mut [0]).await? > 0;
        if let Some(how) = is_reused.then(|| plan.take_harm_to_reuse()).flatten() {
            plan.saw(|seen| seen.posts.push(Instant::now()));
            return end(client, how);
        }
        let Some(request) = message(&mut client).await? else { return Ok(()) };
        plan.saw(|seen| seen.sent.extend_from_slice(&request));
        let creates = request.starts_with(b"POST");
        if creates {
            plan.saw(|seen| {
                seen.posts.push(Instant::now());
                seen.request_length = request.len();
                seen.bodies.push(Exchange::of(&request).body);
            });
        }
        let harm = if creates && !plan.is_for_reuse() { plan.take_harm() } else { Harm::None };
        if let Harm::CutRequest(bytes, how) = harm {
            server.write_all(&request[..bytes.min(request.len())]).await?;
            end(server, how)?;
            return end(client, how);
        }
        if let Harm::Forge(answer) = harm {
            client.write_all(&answer).await?;
            return end(client, End::Close);
        }
        server.write_all(&request).await?;
        let Some(answer) = message(&mut server).await? else { return Ok(()) };
        if creates {
            plan.saw(|seen| seen.answer_length = answer.len());
        }
        match harm {
            Harm::CutAnswer(bytes, how) => {
                deliver(&mut client, &answer[..bytes.min(answer.len())]).await?;
                return end(client, how);
            }
            Harm::Stall(bytes) => {
                client.write_all(&answer[..bytes.min(answer.len())]).await?;
                // Until the program goes.
                return message(&mut client).await.map(drop);
            }
            Harm::Reshape(shape) => {
                client.write_all(&shape(Exchange::of(&answer))).await?;
                return end(client, End::Close);
            }
            Harm::AnswerTwice => client.write_all(&[&answer[..], &answer].concat()).await?,
            _ => client.write_all(&answer).await?,
        }
    }
    Ok(())
}

/// Writes and gives the program the chance to read: a reset throws away what was not read yet, and
/// the cut would be elsewhere.
async fn deliver(client: &mut TcpStream, bytes: &[u8]) -> io::Result<()> {
    client.write_all(bytes).await?;
    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    Ok(())
}

fn end(stream: TcpStream, how: End) -> io::Result<()> {
    if how == End::Reset {
        stream.set_zero_linger()?;
    }
    Ok(())
}

/// One request or answer, whole; `None` where the stream ends instead.
async fn message(stream: &mut TcpStream) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    let head = loop {
        if stream.read_buf(&mut bytes).await? == 0 {
            return Ok(None);
        }
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
    };
    let whole = head + content_length(&bytes[..head]);
    while bytes.len() < whole {
        if stream.read_buf(&mut bytes).await? == 0 {
            return Ok(None);
        }
    }
    Ok(Some(bytes))
}

fn content_length(head: &[u8]) -> usize {
    let head = String::from_utf8_lossy(head).to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    length.map_or(0, |length| length.trim().parse().unwrap())
}

impl Exchange {
    fn of(answer: &[u8]) -> Self {
        let end = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
        Self { head: String::from_utf8(answer[..end].to_vec()).unwrap(), body: answer[end..].to_vec() }
    }

    /// The status line and the type, without a word on where the body ends.
    pub(crate) fn bare_head(&self) -> String {
        let status = self.head.lines().next().unwrap();
        format!("{status}\r\ncontent-type: application/json\r\n")
    }

    /// The answer with these framing headers and these bytes after them.
    pub(crate) fn framed(&self, framing: &str, rest: impl AsRef<[u8]>) -> Vec<u8> {
        [format!("{}{framing}\r\n\r\n", self.bare_head()).as_bytes(), rest.as_ref()].concat()
    }
}
