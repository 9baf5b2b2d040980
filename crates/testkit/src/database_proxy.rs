//! A way to a PostgreSQL server that tests can hold, cut, and cut right before an acknowledgement.
//!
//! It speaks no TLS, so it sees where the messages of the server begin and end.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex};

/// A proxy on a port of this machine. Its threads end with the connections and the process.
#[derive(Debug)]
pub struct DatabaseProxy {
    pub port: u16,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Nothing is carried, and nothing is lost: as in a network that has come apart.
    is_held: bool,
    /// Connections are refused.
    is_shut: bool,
    /// How many more acknowledged commits are carried before one is lost with its connection.
    commits_left: Option<u32>,
    /// How many acknowledgements were lost.
    lost: u32,
    /// Where new connections lead to.
    socket: PathBuf,
    open: Vec<(TcpStream, UnixStream)>,
}

impl DatabaseProxy {
    /// A proxy to the server with this socket.
    pub fn before(socket: PathBuf) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared { state: Mutex::new(State { socket, ..State::default() }), ..Shared::default() });
        let carrying = Arc::clone(&shared);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                carrying.carry(client);
            }
        });
        Self { port, shared }
    }

    /// Carries nothing any more, in either direction, until [`release`](Self::release).
    pub fn hold(&self) {
        self.shared.change(|state| state.is_held = true);
    }

    pub fn release(&self) {
        self.shared.change(|state| state.is_held = false);
    }

    /// Cuts all connections, and refuses new ones until [`open`](Self::open).
    pub fn shut(&self) {
        self.shared.change(|state| state.is_shut = true);
        self.cut();
    }

    pub fn open(&self) {
        self.shared.change(|state| state.is_shut = false);
    }

    /// Cuts all connections.
    pub fn cut(&self) {
        self.shared.change(|state| state.open.drain(..).for_each(|(client, server)| end(&client, &server)));
    }

    /// Cuts all connections, and leads new ones to another server.
    pub fn lead_to(&self, socket: PathBuf) {
        self.shared.change(|state| state.socket = socket);
        self.cut();
    }

    /// Lets so many commits be acknowledged. The connection of the next one is cut after the server
    /// has committed and before the client hears of it.
    pub fn lose_commit_after(&self, commits: u32) {
        self.shared.change(|state| state.commits_left = Some(commits));
    }

    /// How many acknowledgements were lost.
    pub fn lost(&self) -> u32 {
        self.shared.state.lock().unwrap().lost
    }
}

impl Shared {
    fn change(&self, how: impl FnOnce(&mut State)) {
        how(&mut self.state.lock().unwrap());
        self.changed.notify_all();
    }

    fn carry(self: &Arc<Self>, client: TcpStream) {
        let mut state = self.state.lock().unwrap();
        let server = if state.is_shut {
            Err(io::ErrorKind::ConnectionRefused.into())
        } else {
            UnixStream::connect(&state.socket)
        };
        let Ok(server) = server else { return };
        client.set_nodelay(true).unwrap();
        state.open.push((client.try_clone().unwrap(), server.try_clone().unwrap()));
        drop(state);
        let (to_client, to_server) = (client.try_clone().unwrap(), server.try_clone().unwrap());
        let (up, down) = (Arc::clone(self), Arc::clone(self));
        std::thread::spawn(move || {
            drop(up.pump(&client, &to_server));
            end(&client, &to_server);
        });
        std::thread::spawn(move || {
            drop(down.answer(&server, &to_client));
            end(&to_client, &server);
        });
    }

    /// Waits for as long as nothing is carried.
    fn wait(&self) {
        let state = self.state.lock().unwrap();
        drop(self.changed.wait_while(state, |state| state.is_held).unwrap());
    }

    fn pump(&self, mut from: &TcpStream, mut to: &UnixStream) -> io::Result<()> {
        let mut buffer = [0; 1 << 14];
        loop {
            let length = from.read(&mut buffer)?;
            if length == 0 {
                return Ok(());
            }
            self.wait();
            to.write_all(&buffer[..length])?;
        }
    }

    /// Carries the server's messages one by one: a letter, a length, and the rest.
    fn answer(&self, mut from: &UnixStream, mut to: &TcpStream) -> io::Result<()> {
        loop {
            let mut head = [0; 5];
            from.read_exact(&mut head)?;
            let [kind, length @ ..] = head;
            let mut rest = vec![0; u32::from_be_bytes(length) as usize - length.len()];
            from.read_exact(&mut rest)?;
            self.wait();
            let message = [&head[..], &rest].concat();
            if kind == b'C' && rest.starts_with(b"COMMIT\0") && self.loses() {
                return Ok(());
            }
            to.write_all(&message)?;
        }
    }

    fn loses(&self) -> bool {
        let mut state = self.state.lock().unwrap();
        let is_lost = state.commits_left == Some(0);
        state.commits_left = state.commits_left.and_then(|left| left.checked_sub(1));
        state.lost += u32::from(is_lost);
        is_lost
    }
}

fn end(client: &TcpStream, server: &UnixStream) {
    drop(client.shutdown(Shutdown::Both));
    drop(server.shutdown(Shutdown::Both));
}
