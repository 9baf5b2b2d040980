//! A way to a PostgreSQL server as long as that to another machine: each byte arrives later, in
//! either direction, and none waits for another one.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// A proxy on a port of this machine. Its threads end with the connections and the process.
#[derive(Debug)]
pub struct DelayProxy {
    pub port: u16,
}

impl DelayProxy {
    /// A proxy to the server with this socket, so long for each way.
    pub fn before(socket: PathBuf, each_way: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = UnixStream::connect(&socket) else { continue };
                client.set_nodelay(true).unwrap();
                let (from, to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                carry(from, to, each_way, |server| server.shutdown(Shutdown::Both));
                carry(server, client, each_way, |client| client.shutdown(Shutdown::Both));
            }
        });
        Self { port }
    }
}

/// Carries what one side says to the other one until either ends.
fn carry<W: Write + Send + 'static>(
    mut from: impl Read + Send + 'static,
    mut to: W,
    delay: Duration,
    end: fn(&W) -> std::io::Result<()>,
) {
    let (under_way, arriving): (_, Receiver<(Instant, Vec<u8>)>) = channel();
    std::thread::spawn(move || {
        let mut buffer = vec![0; 1 << 16];
        while let Ok(length @ 1..) = from.read(&mut buffer) {
            if under_way.send((Instant::now() + delay, buffer[..length].to_vec())).is_err() {
                return;
            }
        }
    });
    std::thread::spawn(move || {
        for (due, bytes) in arriving {
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            if to.write_all(&bytes).is_err() {
                break;
            }
        }
        drop(end(&to));
    });
}
