//! A scripted server: what a closure says is what a client gets. It is for worlds in which the
//! sandbox does not live, such as a list that compares otherwise than the rule that refuses.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

/// One request, read whole.
#[derive(Clone, Debug)]
pub struct Request {
    pub is_post: bool,
    /// The e-mail in the body of a post, or the text of a look-up.
    pub email: String,
    pub key: String,
    pub body: Value,
    /// Which page of the list a look-up asks for, and how many customers it should have.
    pub page: usize,
    pub per_page: usize,
    /// How many posts for this e-mail came up to now, this one included.
    pub nth: usize,
}

/// What goes back.
#[derive(Clone, Debug)]
pub enum Reply {
    /// Status, headers, body.
    Answer(u16, Vec<(&'static str, String)>, String),
    /// The connection ends without an answer.
    Nothing,
    /// These bytes over and over, with a pause after each time, until the client breaks off.
    Endless(Vec<u8>, Duration),
    /// These bytes so many times, each followed by a pause, and then the customer is created.
    Interim(Vec<u8>, Duration, usize),
}

impl Reply {
    pub fn json(status: u16, body: &Value) -> Self {
        Self::Answer(status, vec![("content-type", "application/json".to_owned())], body.to_string())
    }

    pub fn page(status: u16, title: &str) -> Self {
        let page = format!("<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>");
        Self::Answer(status, vec![("content-type", "text/html".to_owned())], page)
    }

    pub fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        if let Self::Answer(_, headers, _) = &mut self {
            headers.push((name, value.to_string()));
        }
        self
    }
}

/// A customer that the server has.
#[derive(Clone, Debug)]
pub struct Customer {
    pub id: String,
    pub email: String,
    name: String,
    phone: String,
    /// As look-ups tell it, if they do.
    created_at: Option<String>,
}

/// What the server remembers.
#[derive(Default, Debug)]
pub struct Book {
    requests: Mutex<Vec<Request>>,
    customers: Mutex<Vec<Customer>>,
    /// How many bytes of endless answers were written.
    repeated: AtomicUsize,
}

impl Book {
    /// Saves a customer, whether or not the e-mail is taken, and answers as the API does.
    pub fn create(&self, request: &Request) -> Reply {
        let id = self.add(request, None);
        Reply::json(200, &json!({"status": "success", "status_code": 200, "data": {"customer_id": id}}))
    }

    /// Saves a customer without a word, made at a time of its own if one is given. Returns the id.
    pub fn add(&self, request: &Request, created_at: Option<&str>) -> String {
        let text = |field: &str| request.body[field].as_str().unwrap_or_default().to_owned();
        let mut customers = self.customers.lock().unwrap();
        let id = format!("c-{}", customers.len() + 1);
        let (name, phone) = (text("customer_name"), text("customer_phone"));
        let created_at = created_at.map(str::to_owned);
        customers.push(Customer { id: id.clone(), email: request.email.clone(), name, phone, created_at });
        id
    }

    /// The customers that a condition holds for, as a page of the list.
    pub fn list(&self, fits: impl Fn(&Customer) -> bool) -> Reply {
        let row = |customer: &Customer| {
            let mut row = json!({
                "customer_id": customer.id, "customer_email": customer.email, "customer_name": customer.name,
                "customer_phone": customer.phone, "customer_country": "DEU",
            });
            if let Some(time) = &customer.created_at {
                row["created_at"] = json!(time);
            }
            row
        };
        let rows: Vec<_> = self.customers.lock().unwrap().iter().filter(|customer| fits(customer)).map(row).collect();
        let pagination = json!({"total": rows.len(), "per_page": 100, "current_page": 1, "last_page": 1});
        Reply::json(200, &json!({"status": "success", "status_code": 200, "data": rows, "pagination": pagination}))
    }

    /// The list as the API filters it.
    pub fn list_like(&self, request: &Request) -> Reply {
        self.list(|customer| customer.email.contains(&request.email))
    }

    pub fn posts(&self) -> Vec<Request> {
        self.requests.lock().unwrap().iter().filter(|request| request.is_post).cloned().collect()
    }

    pub fn repeated(&self) -> usize {
        self.repeated.load(Ordering::Relaxed)
    }

    pub fn lookups(&self) -> usize {
        self.requests.lock().unwrap().iter().filter(|request| !request.is_post).count()
    }

    pub fn customers(&self) -> Vec<Customer> {
        self.customers.lock().unwrap().clone()
    }

    /// The keys that came, each once.
    pub fn keys(&self) -> std::collections::BTreeSet<String> {
        self.posts().into_iter().map(|post| post.key).collect()
    }
}

/// A running server. Its threads end with the process of the tests.
#[derive(Debug)]
pub struct World {
    pub url: String,
    pub book: Arc<Book>,
}

impl World {
    /// Serves every request with what the script says to it. Scripts run side by side.
    pub fn start(script: impl Fn(&Request, &Book) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/api/v1", listener.local_addr().unwrap());
        let (book, script) = (Arc::new(Book::default()), Arc::new(script));
        let shared = Arc::clone(&book);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (book, script) = (Arc::clone(&shared), Arc::clone(&script));
                std::thread::spawn(move || serve(&stream, &book, &*script));
            }
        });
        Self { url, book }
    }

    /// `import` of `in.csv` into this server, with short waits.
    pub fn import(&self, lab: &crate::harness::Lab, more: &[&str]) -> crate::harness::Ran {
        lab.run(&[&["import", "in.csv", "--base-url", &self.url], &crate::harness::FAST[..], more].concat())
    }
}

/// One exchange, on a connection of its own. A client that breaks off is not an error.
fn serve(stream: &TcpStream, book: &Book, script: &(impl Fn(&Request, &Book) -> Reply + ?Sized)) -> Option<()> {
    stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
    let mut request = read(stream)?;
    {
        let mut requests = book.requests.lock().unwrap();
        let before = requests.iter().filter(|one| one.is_post && one.email == request.email);
        request.nth = before.count() + usize::from(request.is_post);
        requests.push(request.clone());
    }
    let (status, headers, body) = match script(&request, book) {
        Reply::Answer(status, headers, body) => (status, headers, body),
        Reply::Nothing => return None,
        Reply::Endless(bytes, pause) => return repeat(stream, book, &bytes, pause, usize::MAX),
        Reply::Interim(bytes, pause, times) => {
            repeat(stream, book, &bytes, pause, times)?;
            match book.create(&request) {
                Reply::Answer(status, headers, body) => (status, headers, body),
                _ => return None,
            }
        }
    };
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let head =
        format!("HTTP/1.1 {status} Scripted\r\n{headers}content-length: {}\r\nconnection: close\r\n", body.len());
    let mut stream = stream;
    stream.write_all(format!("{head}\r\n{body}").as_bytes()).ok()
}

fn repeat(mut stream: &TcpStream, book: &Book, bytes: &[u8], pause: Duration, times: usize) -> Option<()> {
    for _ in 0..times {
        stream.write_all(bytes).ok()?;
        book.repeated.fetch_add(bytes.len(), Ordering::Relaxed);
        std::thread::sleep(pause);
    }
    Some(())
}

fn read(stream: &TcpStream) -> Option<Request> {
    let mut reader = BufReader::new(stream);
    let mut first = String::new();
    reader.read_line(&mut first).ok()?;
    let (mut key, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        match name.to_ascii_lowercase().as_str() {
            "idempotency-key" => key = value.to_owned(),
            "content-length" => length = value.parse().ok()?,
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let target = first.split(' ').nth(1)?;
    let query = target.split_once('?').map(|(_, query)| query).unwrap_or_default();
    let value = |wanted: &str| url::form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == wanted);
    let number = |wanted: &str, default| value(wanted).and_then(|(_, text)| text.parse().ok()).unwrap_or(default);
    let (asked, page, per_page) = (value("email"), number("page", 1), number("per_page", 100));
    let is_post = first.starts_with("POST");
    // A request for the whole list counts as a look-up of the empty text.
    // A login has no e-mail.
    let email = if is_post {
        body["customer_email"].as_str().unwrap_or_default()
    } else {
        asked.as_ref().map_or("", |(_, text)| text)
    };
    let email = email.to_owned();
    Some(Request { is_post, email, key, body, page, per_page, nth: 0 })
}
