//! A server in front of the API that knows which client sent what, and can cut one client off.
//!
//! The API's own log names no client, and must not: all of them have the same account. Here each
//! client has a token of its own, or a secret of its own to log in with, and the witness writes
//! down whose request it was and when it had read it whole.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A request to create a customer.
#[derive(Clone, Debug)]
pub struct Sent {
    /// Milliseconds since the Unix epoch.
    pub at: f64,
    /// The token or the secret of the client. Empty if the witness does not know the token.
    pub who: String,
    pub email: String,
}

/// The witness. It goes with the value, and its connections with it.
#[derive(Debug)]
pub struct Witness {
    pub url: String,
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    sent: Vec<Sent>,
    /// Who logged in to get a token.
    tokens: BTreeMap<String, String>,
    cut_off: BTreeSet<String>,
    /// Connections by the client that used them last.
    open: Vec<(String, TcpStream)>,
    is_over: bool,
}

impl Witness {
    /// A witness in front of this server.
    pub fn before(server_url: &str) -> Self {
        let url = url::Url::parse(server_url).unwrap();
        let server = url.socket_addrs(|| None).unwrap()[0];
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        let seeing = Arc::clone(&shared);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if seeing.state.lock().unwrap().is_over {
                    return;
                }
                let Ok(server) = TcpStream::connect(server) else { continue };
                client.set_nodelay(true).unwrap();
                server.set_nodelay(true).unwrap();
                seeing.carry(client, server);
            }
        });
        Self { url: format!("http://{address}{}", url.path()), address, shared }
    }

    /// All requests to create a customer so far, in the order in which they were read.
    pub fn sent(&self) -> Vec<Sent> {
        self.shared.state.lock().unwrap().sent.clone()
    }

    /// How many requests to create a customer this client has sent.
    pub fn sent_by(&self, who: &str) -> usize {
        self.shared.state.lock().unwrap().sent.iter().filter(|sent| sent.who == who).count()
    }

    /// Ends the connections of a client, and every new one at its first request.
    pub fn cut_off(&self, who: &str) {
        let mut state = self.shared.state.lock().unwrap();
        state.cut_off.insert(who.to_owned());
        state.open.retain(|(client, stream)| {
            let stays = client != who;
            if !stays {
                drop(stream.shutdown(Shutdown::Both));
            }
            stays
        });
    }

    pub fn let_in(&self, who: &str) {
        self.shared.state.lock().unwrap().cut_off.remove(who);
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        let mut state = self.shared.state.lock().unwrap();
        state.is_over = true;
        state.open.drain(..).for_each(|(_, stream)| drop(stream.shutdown(Shutdown::Both)));
        drop(state);
        // Wakes the thread that accepts connections.
        drop(TcpStream::connect(self.address));
    }
}

impl Shared {
    fn carry(self: &Arc<Self>, client: TcpStream, server: TcpStream) {
        let (to_client, to_server) = (client.try_clone().unwrap(), server.try_clone().unwrap());
        // Whoever logs in on this connection gets the token that comes back on it.
        let login = Arc::new(Mutex::new(None));
        let (up, down, asked) = (Arc::clone(self), Arc::clone(self), Arc::clone(&login));
        std::thread::spawn(move || {
            drop(up.requests(&client, &to_server, &asked));
            end(&client, &to_server);
        });
        std::thread::spawn(move || {
            drop(down.answers(&server, &to_client, &login));
            end(&to_client, &server);
        });
    }

    fn requests(&self, mut from: &TcpStream, mut to: &TcpStream, login: &Mutex<Option<String>>) -> io::Result<()> {
        let (mut read, mut buffer) = (Vec::new(), [0; 1 << 14]);
        loop {
            let length = from.read(&mut buffer)?;
            if length == 0 {
                return Ok(());
            }
            read.extend_from_slice(&buffer[..length]);
            while let Some(whole) = length_of_request(&read) {
                let request: Vec<u8> = read.drain(..whole).collect();
                if !self.sees(&request, from, login) {
                    return Ok(());
                }
                to.write_all(&request)?;
            }
        }
    }

    /// Writes a request down. Returns false if its client is cut off.
    fn sees(&self, request: &[u8], stream: &TcpStream, login: &Mutex<Option<String>>) -> bool {
        let text = String::from_utf8_lossy(request);
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_default();
        let body: serde_json::Value = serde_json::from_str(body).unwrap_or_default();
        let token = header(head, "authorization").and_then(|value| value.strip_prefix("Bearer "));
        let mut state = self.state.lock().unwrap();
        let who = match (body["app_secret"].as_str(), token) {
            (Some(secret), _) => {
                *login.lock().unwrap() = Some(secret.to_owned());
                secret.to_owned()
            }
            (None, Some(token)) => state.tokens.get(token).cloned().unwrap_or_else(|| token.to_owned()),
            (None, None) => String::new(),
        };
        if head.starts_with("GET") && head.lines().next().is_some_and(|line| line.contains("/auth/refresh-token")) {
            *login.lock().unwrap() = Some(who.clone());
        }
        if state.cut_off.contains(&who) {
            return false;
        }
        if let Ok(stream) = stream.try_clone() {
            let peer = stream.peer_addr().ok();
            // A stream without a peer has ended.
            state.open.retain(|(_, other)| other.peer_addr().is_ok_and(|other| Some(other) != peer));
            state.open.push((who.clone(), stream));
        }
        if let (true, Some(email)) = (head.starts_with("POST"), body["customer_email"].as_str()) {
            state.sent.push(Sent { at: now(), who, email: email.to_lowercase() });
        }
        true
    }

    fn answers(&self, mut from: &TcpStream, mut to: &TcpStream, login: &Mutex<Option<String>>) -> io::Result<()> {
        let mut buffer = [0; 1 << 14];
        loop {
            let length = from.read(&mut buffer)?;
            if length == 0 {
                return Ok(());
            }
            if let Some(who) = login.lock().unwrap().clone() {
                let text = String::from_utf8_lossy(&buffer[..length]);
                let tokens = text.split('"').filter(|word| word.starts_with("sandbox-"));
                let mut state = self.state.lock().unwrap();
                state.tokens.extend(tokens.map(|token| (token.to_owned(), who.clone())));
            }
            to.write_all(&buffer[..length])?;
        }
    }
}

/// How long the request at the start of the bytes is, or `None` if it is not there whole.
fn length_of_request(bytes: &[u8]) -> Option<usize> {
    let head = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let text = String::from_utf8_lossy(&bytes[..head]);
    let body = header(&text, "content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let whole = head + 4 + body;
    (bytes.len() >= whole).then_some(whole)
}

fn header<'a>(head: &'a str, wanted: &str) -> Option<&'a str> {
    head.lines()
        .filter_map(|line| line.split_once(": "))
        .find(|(name, _)| name.eq_ignore_ascii_case(wanted))
        .map(|(_, value)| value)
}

fn end(client: &TcpStream, server: &TcpStream) {
    drop(client.shutdown(Shutdown::Both));
    drop(server.shutdown(Shutdown::Both));
}

/// Milliseconds since the Unix epoch.
pub fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs_f64() * 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_ends_where_its_length_says() {
        let post = b"POST /customer HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcGET / HTTP/1.1\r\n\r\n";
        let first = length_of_request(post).unwrap();
        assert!(post[..first].ends_with(b"\r\n\r\nabc"));
        assert_eq!(length_of_request(&post[first..]), Some(post.len() - first));
        assert_eq!(length_of_request(&post[..first - 1]), None);
    }
}
