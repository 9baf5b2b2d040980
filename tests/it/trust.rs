//! Servers that are not where they should be, or not who they should be: the run stops at once,
//! no other server gets anything, and no record is spent.

use std::io;
use std::net::{SocketAddr, TcpListener as Door};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use crate::harness::{Lab, Ran, Server, email};
use crate::proxy::{Harm, Proxy};
use crate::world::{Reply, World};

const ROWS: usize = 5;

fn emails() -> impl Iterator<Item = String> {
    (0..ROWS).map(email)
}

/// Another machine, as far as the program can see. It counts connections.
struct Elsewhere(Door);

impl Elsewhere {
    fn new() -> Self {
        let door = Door::bind("127.0.0.1:0").unwrap();
        door.set_nonblocking(true).unwrap();
        Self(door)
    }

    fn address(&self) -> SocketAddr {
        self.0.local_addr().unwrap()
    }

    #[track_caller]
    fn heard_nothing(&self) {
        let knocked = self.0.accept().map(|(_, from)| from);
        assert!(matches!(&knocked, Err(error) if error.kind() == io::ErrorKind::WouldBlock), "{knocked:?}");
    }
}

#[test]
fn a_wrong_base_url_ends_with_78_after_one_request() {
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    lab.customers(ROWS);
    let wrong = server.url.replace("/v1", "/v2");
    lab.run(&["import", "in.csv", "--base-url", &wrong]).ends(78).says("404");
    assert_eq!(lab.statuses(), ["not_attempted"; ROWS]);
    assert_eq!(server.requests(), 1);
    lab.import(&server, &[]).ends(0);
    server.has_each_once(emails());
}

#[test]
fn a_redirect_ends_with_78_after_one_request_and_nothing_reaches_the_other_host() {
    for status in [301, 302, 303, 307, 308] {
        let (lab, elsewhere) = (Lab::new(), Elsewhere::new());
        let server = Server::start(&lab, &[]);
        lab.customers(ROWS);
        let location = format!("http://{}/api/v1/customer", elsewhere.address());
        let answer = format!("HTTP/1.1 {status} Moved\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n");
        let proxy = Proxy::start(&server, Harm::Forge(answer.into_bytes()));
        let import = |more: &[&str]| {
            let args = ["import", "in.csv", "--base-url", &proxy.url, "--settle", "300ms", "--rate", "500/s"];
            lab.run(&[&args, more].concat())
        };
        import(&[]).ends(78).says(&status.to_string());
        elsewhere.heard_nothing();
        assert_eq!((proxy.seen(|seen| seen.posts.len()), server.requests()), (1, 0), "{status}");
        // 307 and 308 say that nothing was done; the others may follow a customer that was saved.
        let first = if status < 307 { "in_doubt" } else { "not_attempted" };
        assert_eq!(lab.statuses()[0], first, "{status}");
        assert!(lab.statuses()[1..].iter().all(|status| status == "not_attempted"), "{status}");
        import(&["--require-ledger"]).ends(0);
        elsewhere.heard_nothing();
        server.has_each_once(emails());
    }
}

/// A certificate authority of our own, with its file.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    file: PathBuf,
}

impl Authority {
    pub(crate) fn new(lab: &Lab, file: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // Two of one name would differ by their signatures only.
        params.distinguished_name.push(DnType::CommonName, file);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let file = lab.write(file, issuer.pem());
        Self { issuer, file }
    }

    pub(crate) fn certify(&self, params: &CertificateParams) -> Arc<ServerConfig> {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        served(certificate.der().clone(), &key)
    }

    fn file(&self) -> &str {
        self.file.to_str().unwrap()
    }
}

fn served(certificate: tokio_rustls::rustls::pki_types::CertificateDer<'static>, key: &KeyPair) -> Arc<ServerConfig> {
    let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    Arc::new(ServerConfig::builder().with_no_client_auth().with_single_cert(vec![certificate], key).unwrap())
}

fn here() -> CertificateParams {
    CertificateParams::new(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap()
}

/// HTTPS in front of a server, with a certificate that can be changed.
pub(crate) struct Front {
    url: String,
    certificate: Mutex<Arc<ServerConfig>>,
    server: SocketAddr,
    connections: AtomicUsize,
    /// Of requests, after decryption.
    bytes: AtomicUsize,
}

impl Front {
    pub(crate) fn start(server: &str, certificate: Arc<ServerConfig>) -> Arc<Self> {
        let url = url::Url::parse(server).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let front = Arc::new(Self {
            url: format!("https://127.0.0.1:{}{}", listener.local_addr().unwrap().port(), url.path()),
            certificate: Mutex::new(certificate),
            server: url.socket_addrs(|| None).unwrap()[0],
            connections: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
        });
        let accepting = Arc::clone(&front);
        // It ends with the process of the tests.
        std::thread::spawn(move || runtime.block_on(accepting.accept(listener)));
        front
    }

    pub(crate) fn address(&self) -> SocketAddr {
        url::Url::parse(&self.url).unwrap().socket_addrs(|| None).unwrap()[0]
    }

    async fn accept(self: Arc<Self>, listener: TcpListener) {
        while let Ok((client, _)) = listener.accept().await {
            self.connections.fetch_add(1, Ordering::SeqCst);
            let front = Arc::clone(&self);
            // A handshake that fails is what this is about.
            tokio::spawn(async move { drop(front.carry(client).await) });
        }
    }

    async fn carry(&self, client: TcpStream) -> io::Result<()> {
        let certificate = Arc::clone(&self.certificate.lock().unwrap());
        let client = TlsAcceptor::from(certificate).accept(client).await?;
        let (mut from_client, mut to_client) = tokio::io::split(client);
        let (mut from_server, mut to_server) = TcpStream::connect(self.server).await?.into_split();
        tokio::spawn(async move { tokio::io::copy(&mut from_server, &mut to_client).await });
        let mut buffer = [0; 4096];
        loop {
            let read = from_client.read(&mut buffer).await?;
            if read == 0 {
                return Ok(());
            }
            self.bytes.fetch_add(read, Ordering::SeqCst);
            to_server.write_all(&buffer[..read]).await?;
        }
    }

    fn shows(&self, certificate: Arc<ServerConfig>) {
        *self.certificate.lock().unwrap() = certificate;
        self.connections.store(0, Ordering::SeqCst);
        self.bytes.store(0, Ordering::SeqCst);
    }

    fn seen(&self) -> (usize, usize) {
        (self.connections.load(Ordering::SeqCst), self.bytes.load(Ordering::SeqCst))
    }

    fn import(&self, lab: &Lab, more: &[&str]) -> Ran {
        let args = ["import", "in.csv", "--base-url", &self.url, "--ledger", "l.db", "--rate", "500/s"];
        lab.run(&[&args, more].concat())
    }

    #[track_caller]
    fn is_refused(&self, lab: &Lab, more: &[&str], words: &str) {
        self.import(lab, more).ends(78).says("certificate").says(words);
        assert_eq!(self.seen(), (1, 0), "one connection, and not a byte of a request: {words}");
        assert_eq!(lab.statuses(), ["not_attempted"; ROWS]);
    }
}

#[test]
fn a_certificate_that_cannot_be_trusted_ends_with_78_before_a_byte_of_a_request() {
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    lab.customers(ROWS);
    let (ours, other) = (Authority::new(&lab, "ours.pem"), Authority::new(&lab, "other.pem"));
    let trusting_ours = ["--ca-file", ours.file()];
    let front = Front::start(&server.url, ours.certify(&here()));

    front.is_refused(&lab, &[], "--ca-file");
    front.shows(ours.certify(&here()));
    front.is_refused(&lab, &["--ca-file", other.file()], "UnknownIssuer");

    let key = KeyPair::generate().unwrap();
    let self_signed = here().self_signed(&key).unwrap();
    for more in [&[][..], &trusting_ours] {
        front.shows(served(self_signed.der().clone(), &key));
        front.is_refused(&lab, more, "certificate");
    }

    let mut expired = here();
    (expired.not_before, expired.not_after) = (date_time_ymd(2019, 1, 1), date_time_ymd(2020, 1, 1));
    let mut early = here();
    early.not_before = date_time_ymd(4000, 1, 1);
    let elsewhere = CertificateParams::new(["api.example.com".to_owned()]).unwrap();
    for (params, words) in [(expired, "expired"), (early, "not valid yet"), (elsewhere, "not valid for name")] {
        for more in [&[][..], &trusting_ours] {
            front.shows(ours.certify(&params));
            // The library chooses which of two faults it names.
            front.is_refused(&lab, more, if more.is_empty() { "" } else { words });
        }
    }

    assert_eq!(server.requests(), 0);
    front.shows(ours.certify(&here()));
    front.import(&lab, &[&trusting_ours[..], &["--require-ledger"]].concat()).ends(0);
    assert_eq!(lab.statuses(), ["created"; ROWS]);
    server.has_each_once(emails());
}

#[test]
fn a_notification_is_posted_over_tls_to_a_server_that_the_ca_file_vouches_for_and_to_no_other() {
    let lab = Lab::new();
    lab.customers(1);
    let hook = World::start(|_, _| Reply::Answer(204, Vec::new(), String::new()));
    let (ours, other) = (Authority::new(&lab, "ours.pem"), Authority::new(&lab, "other.pem"));
    let front = Front::start(&hook.url, ours.certify(&here()));
    let address = lab.write("hook", format!("{}/T0-s3cret\n", front.url));
    std::fs::set_permissions(address, std::fs::Permissions::from_mode(0o600)).unwrap();
    let import = |more: &[&str]| {
        let args = ["import", "in.csv", "--sandbox", "--report", "r.csv", "--notify-url-file", "hook"];
        lab.run(&[&args[..], more].concat()).ends(0)
    };
    import(&["--ca-file", ours.file()]);
    let posts = hook.book.posts();
    assert!(posts.len() == 1 && posts[0].body["exit_code"] == 0, "{posts:?}");
    for more in [&[][..], &["--ca-file", other.file()]] {
        front.shows(ours.certify(&here()));
        let ran = import(more).says("the notification was not posted (--notify-url-file)");
        assert_eq!(front.seen().1, 0, "not a byte of a request");
        assert!(!ran.stderr.contains("s3cret"), "{}", ran.stderr);
    }
    assert_eq!(hook.book.posts().len(), 1);
}

#[test]
fn doctor_says_until_when_a_certificate_is_valid_and_what_is_wrong_with_it_before_a_byte_of_a_request() {
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    let ours = Authority::new(&lab, "ours.pem");
    let mut lasting = here();
    lasting.not_after = date_time_ymd(2120, 3, 4);
    let front = Front::start(&server.url, ours.certify(&lasting));
    let doctor = |more: &[&str]| lab.run(&[&["doctor", "--base-url", &front.url, "--rate", "500/s"], more].concat());
    doctor(&[]).ends(78).says("the server cannot be trusted").says("--ca-file");
    assert_eq!(front.seen(), (1, 0));
    doctor(&["--ca-file", ours.file()]).ends(0).says("valid until 2120-03-04");
    doctor(&["--ca-file", "none.pem"]).ends(78).says("none.pem");
}

#[test]
fn a_file_without_a_certificate_is_refused_before_anybody_is_asked() {
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    lab.customers(ROWS);
    let authority = Authority::new(&lab, "ours.pem");
    let front = Front::start(&server.url, authority.certify(&here()));
    for file in ["in.csv", "none.pem"] {
        front.import(&lab, &["--ca-file", file]).ends(78).says(file);
    }
    assert_eq!(front.seen(), (0, 0));
}

#[test]
fn a_binary_certificate_is_refused_with_the_command_that_converts_it() {
    let lab = Lab::new();
    let server = Server::start(&lab, &[]);
    lab.customers(ROWS);
    let authority = Authority::new(&lab, "ours.pem");
    let front = Front::start(&server.url, authority.certify(&here()));
    if lab.shell("openssl x509 -outform der -in ours.pem -out 'ca 1.der'").code != 0 {
        return crate::harness::skipped("openssl is not installed");
    }
    let refused = front.import(&lab, &["--ca-file", "ca 1.der"]).ends(78);
    let (_, command) = refused.stderr.split_once("convert a binary certificate with: ").unwrap();
    lab.shell(command.lines().next().unwrap()).ends(0);
    front.import(&lab, &["--ca-file", "ca.pem"]).ends(0);
}
