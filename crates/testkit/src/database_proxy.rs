//! A way to a PostgreSQL server that tests can hold, cut, and cut right before an acknowledgement,
//! and that answers commits for the server.
//!
//! It speaks no TLS, so it sees where messages begin and end.

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};

/// What a client hears of a commit instead of the server's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommitAnswer {
    /// The transaction was rolled back, with an error of this SQLSTATE.
    Failed(&'static str),
    /// It was committed, with a warning.
    Warned,
}

/// What is under way on a connection.
#[derive(Debug, Default)]
struct Conversation {
    /// What its commits will be answered, in their order.
    answers: Mutex<VecDeque<Option<CommitAnswer>>>,
    /// The open transaction writes a request down.
    has_intent: AtomicBool,
}

/// The statement that writes requests down.
const INTEND: &[u8] = b"INSERT INTO customer_import.intents";

/// A proxy on a port of this machine. It goes with the value, and its connections with it.
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

/// Something to be done once.
#[derive(Default)]
struct Hook(Option<Box<dyn FnOnce() + Send>>);

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Hook").field(&self.0.is_some()).finish()
    }
}

#[derive(Debug, Default)]
struct State {
    /// To be done when an open request is committed, before the client hears of it.
    at_intent: Hook,
    /// Nothing is carried, and nothing is lost: as in a network that has come apart.
    is_held: bool,
    /// Connections are refused.
    is_shut: bool,
    /// The proxy is gone.
    is_over: bool,
    refused: u32,
    carried: u32,
    /// How many more acknowledged commits are carried before one is lost with its connection.
    commits_left: Option<u32>,
    /// All is held before a message of the client that holds this is carried.
    held_before: Option<&'static [u8]>,
    /// How many more times the server may say that it is ready for a question before all is held.
    ready_left: Option<u32>,
    /// What the next commits are answered.
    answers: VecDeque<Option<CommitAnswer>>,
    /// How many commits were answered for the server.
    answered: u32,
    /// Connections are refused from the lost acknowledgement on.
    shuts_when_lost: bool,
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
                if carrying.state.lock().unwrap().is_over {
                    return;
                }
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

    /// The same, and new connections are refused from then on, until [`open`](Self::open).
    pub fn lose_commit_and_shut_after(&self, commits: u32) {
        self.shared.change(|state| (state.commits_left, state.shuts_when_lost) = (Some(commits), true));
    }

    /// Does this once, when the next request that the client writes down is committed, and before
    /// the client hears of it.
    pub fn at_intent(&self, hook: impl FnOnce() + Send + 'static) {
        self.shared.change(|state| state.at_intent = Hook(Some(Box::new(hook))));
    }

    /// Holds everything after the server has been ready for so many more questions, and has read
    /// the next one.
    pub fn hold_after(&self, questions: u32) {
        self.shared.change(|state| state.ready_left = Some(questions));
    }

    /// Holds everything when the client first sends a message that holds this text.
    pub fn hold_before(&self, text: &'static str) {
        self.shared.change(|state| state.held_before = Some(text.as_bytes()));
    }

    pub fn is_held(&self) -> bool {
        self.shared.state.lock().unwrap().is_held
    }

    /// Lets so many commits pass, and answers those after them for the server.
    pub fn answer_commits_after(&self, commits: usize, answers: &[CommitAnswer]) {
        let passed = std::iter::repeat_n(None, commits);
        self.shared.change(|state| state.answers = passed.chain(answers.iter().copied().map(Some)).collect());
    }

    /// How many commits were answered for the server.
    pub fn answered(&self) -> u32 {
        self.shared.state.lock().unwrap().answered
    }

    /// How many connections were carried.
    pub fn carried(&self) -> u32 {
        self.shared.state.lock().unwrap().carried
    }

    /// How many connections were refused.
    pub fn refused(&self) -> u32 {
        self.shared.state.lock().unwrap().refused
    }

    /// How many acknowledgements were lost.
    pub fn lost(&self) -> u32 {
        self.shared.state.lock().unwrap().lost
    }
}

impl Drop for DatabaseProxy {
    fn drop(&mut self) {
        self.shared.change(|state| {
            state.is_over = true;
            state.is_held = false;
            state.open.drain(..).for_each(|(client, server)| end(&client, &server));
        });
        // Wakes the thread that accepts connections.
        drop(TcpStream::connect(("127.0.0.1", self.port)));
    }
}

impl Shared {
    fn change(&self, how: impl FnOnce(&mut State)) {
        how(&mut self.state.lock().unwrap());
        self.changed.notify_all();
    }

    fn carry(self: &Arc<Self>, client: TcpStream) {
        let mut state = self.state.lock().unwrap();
        state.refused += u32::from(state.is_shut);
        let server = if state.is_shut {
            Err(io::ErrorKind::ConnectionRefused.into())
        } else {
            UnixStream::connect(&state.socket)
        };
        let Ok(server) = server else { return };
        client.set_nodelay(true).unwrap();
        state.carried += 1;
        // A stream without a peer has ended.
        state.open.retain(|(client, _)| client.peer_addr().is_ok());
        state.open.push((client.try_clone().unwrap(), server.try_clone().unwrap()));
        drop(state);
        let (to_client, to_server) = (client.try_clone().unwrap(), server.try_clone().unwrap());
        let (up, down) = (Arc::clone(self), Arc::clone(self));
        let asked = Arc::new(Conversation::default());
        let answers = Arc::clone(&asked);
        std::thread::spawn(move || {
            drop(up.ask(&client, &to_server, &asked));
            end(&client, &to_server);
        });
        std::thread::spawn(move || {
            drop(down.answer(&server, &to_client, &answers));
            end(&to_client, &server);
        });
    }

    /// Waits for as long as nothing is carried.
    fn wait(&self) {
        let state = self.state.lock().unwrap();
        drop(self.changed.wait_while(state, |state| state.is_held).unwrap());
    }

    /// Carries the client's messages: a length and the rest, and then each with a letter before its
    /// length.
    fn ask(&self, mut from: &TcpStream, mut to: &UnixStream, conversation: &Conversation) -> io::Result<()> {
        let mut message = rest_of_message(from, Vec::new())?;
        loop {
            if message == COMMIT {
                let answer = self.state.lock().unwrap().answers.pop_front().flatten();
                conversation.answers.lock().unwrap().push_back(answer);
                if matches!(answer, Some(CommitAnswer::Failed(_))) {
                    message = ROLLBACK.to_vec();
                }
            }
            let holds = |text: &[u8]| message.windows(text.len()).any(|window| window == text);
            if holds(INTEND) {
                conversation.has_intent.store(true, Ordering::Relaxed);
            }
            self.change(|state| state.is_held |= state.held_before.take_if(|text| holds(text)).is_some());
            self.wait();
            to.write_all(&message)?;
            let mut kind = [0];
            from.read_exact(&mut kind)?;
            message = rest_of_message(from, kind.to_vec())?;
        }
    }

    /// Carries the server's messages.
    fn answer(&self, mut from: &UnixStream, mut to: &TcpStream, conversation: &Conversation) -> io::Result<()> {
        loop {
            let mut kind = [0];
            from.read_exact(&mut kind)?;
            let message = rest_of_message(from, kind.to_vec())?;
            self.wait();
            let ends = |tag: &[u8]| message[0] == b'C' && message[5..].starts_with(tag);
            if ends(b"COMMIT\0") || ends(b"ROLLBACK\0") {
                let answer = conversation.answers.lock().unwrap().pop_front().flatten();
                if conversation.has_intent.swap(false, Ordering::Relaxed) {
                    let hook = self.state.lock().unwrap().at_intent.0.take();
                    hook.into_iter().for_each(|hook| hook());
                }
                self.state.lock().unwrap().answered += u32::from(answer.is_some());
                match answer {
                    Some(CommitAnswer::Failed(code)) => {
                        to.write_all(&notice(b'E', "ERROR", code))?;
                        continue;
                    }
                    Some(CommitAnswer::Warned) => to.write_all(&notice(b'N', "WARNING", "01000"))?,
                    None => {}
                }
            }
            if ends(b"COMMIT\0") && self.loses() {
                return Ok(());
            }
            to.write_all(&message)?;
            if message[0] == b'Z' {
                self.change(|state| {
                    state.is_held |= state.ready_left == Some(0);
                    state.ready_left = state.ready_left.and_then(|left| left.checked_sub(1));
                });
            }
        }
    }

    fn loses(&self) -> bool {
        let mut state = self.state.lock().unwrap();
        let is_lost = state.commits_left == Some(0);
        state.commits_left = state.commits_left.and_then(|left| left.checked_sub(1));
        state.lost += u32::from(is_lost);
        state.is_shut |= is_lost && state.shuts_when_lost;
        is_lost
    }
}

/// Simple queries, as the program sends them.
const COMMIT: &[u8] = b"Q\0\0\0\x0bCOMMIT\0";
const ROLLBACK: &[u8] = b"Q\0\0\0\x0dROLLBACK\0";

/// Reads the length of a message and the rest of it.
fn rest_of_message(mut from: impl Read, mut message: Vec<u8>) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    message.extend_from_slice(&length);
    let begun = message.len();
    message.resize(begun + u32::from_be_bytes(length) as usize - length.len(), 0);
    from.read_exact(&mut message[begun..])?;
    Ok(message)
}

/// An error or a notice of the server.
fn notice(kind: u8, severity: &str, code: &str) -> Vec<u8> {
    let fields = format!("S{severity}\0V{severity}\0C{code}\0Msaid by the proxy of the tests\0\0");
    let length = u32::try_from(fields.len() + 4).unwrap().to_be_bytes();
    [&[kind], &length[..], fields.as_bytes()].concat()
}

fn end(client: &TcpStream, server: &UnixStream) {
    drop(client.shutdown(Shutdown::Both));
    drop(server.shutdown(Shutdown::Both));
}
