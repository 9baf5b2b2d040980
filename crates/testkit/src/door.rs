//! A door before the server that can be shut: its connections end, new ones are refused, and the
//! server, which forgets nothing, knows nothing of it.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// A door that goes with this value.
#[derive(Debug)]
pub struct Door {
    pub url: String,
    is_open: watch::Sender<bool>,
}

impl Door {
    /// An open door to this server.
    pub fn before(server_url: &str) -> Self {
        let url = url::Url::parse(server_url).unwrap();
        let server = url.socket_addrs(|| None).unwrap()[0];
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let (is_open, orders) = watch::channel(true);
        std::thread::spawn(move || runtime.block_on(keep(listener, server, orders)));
        Self { url: format!("http://{address}{}", url.path()), is_open }
    }

    pub fn shut(&self) {
        self.is_open.send_replace(false);
    }

    pub fn open(&self) {
        self.is_open.send_replace(true);
    }
}

/// Until the door is gone.
async fn keep(mut listener: TcpListener, server: SocketAddr, mut orders: watch::Receiver<bool>) {
    let address = listener.local_addr().unwrap();
    loop {
        let mut carried = JoinSet::new();
        tokio::select! {
            shut = orders.wait_for(|open| !open) => if shut.is_err() { return },
            () = let_in(&listener, server, &mut carried) => {}
        }
        drop(listener);
        carried.shutdown().await;
        if orders.wait_for(|open| *open).await.is_err() {
            return;
        }
        listener = bind(address).await;
    }
}

async fn let_in(listener: &TcpListener, server: SocketAddr, carried: &mut JoinSet<()>) {
    while let Ok((mut client, _)) = listener.accept().await {
        carried.spawn(async move {
            if let Ok(mut server) = TcpStream::connect(server).await {
                // A connection that breaks is what this is about, so its error is expected.
                drop(tokio::io::copy_bidirectional(&mut client, &mut server).await);
            }
        });
    }
}

/// What the old connections left behind may hold the port for a moment.
async fn bind(address: SocketAddr) -> TcpListener {
    loop {
        match TcpListener::bind(address).await {
            Ok(listener) => return listener,
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}
