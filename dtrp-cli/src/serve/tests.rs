//! A server, and clients that mean well or ill.

use super::*;

/// A server that answers with what it was asked for, as long as this lives.
struct Running {
    address: String,
    port: u16,
    stop: Stop,
    thread: Option<thread::JoinHandle<()>>,
}

impl Running {
    fn new() -> Self {
        let server = Server::new(None).unwrap();
        let (address, port, stop) = (server.address(), server.port, Stop::new());
        let until = stop.clone();
        let pages: Arc<Pages> = Arc::new(|path, query| match path {
            "large" => Answer::html("x".repeat(20 << 20)),
            path => Answer::html(format!("{path}|{query}")).with("X-Version", 3),
        });
        let thread = Some(thread::spawn(move || server.run(&pages, &until)));
        Self {
            address,
            port,
            stop,
            thread,
        }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream
    }

    fn path(&self) -> &str {
        let host = format!("http://127.0.0.1:{}", self.port);
        self.address.strip_prefix(&host).unwrap()
    }

    fn ask(&self, first: &str) -> String {
        let mut stream = self.connect();
        let request = format!("{first} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n\r\n", self.port);
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.request();
        let _ = self.thread.take().map(thread::JoinHandle::join);
    }
}

#[test]
fn pages_behind_the_token() {
    let server = Running::new();
    let answer = server.ask(&format!("GET {}body?7", server.path()));
    assert!(
        answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\nbody|7"),
        "{answer}"
    );
    assert!(
        answer.contains("X-Version: 3\r\n") && answer.contains("Cache-Control: no-store"),
        "{answer}"
    );
    assert!(server.ask("GET /").starts_with("HTTP/1.1 404 "));
    let other = Server::new(None).unwrap();
    assert_ne!(other.token, server.path().trim_matches('/'));
    assert_eq!(other.token.len(), 32);
    assert_eq!(other.listener.local_addr().unwrap().ip(), Ipv4Addr::LOCALHOST);
    let taken = Server::new(Some(other.port)).unwrap_err();
    assert_eq!(taken.exit_code(), 9, "{taken}");
}

#[test]
fn what_is_too_long_is_refused() {
    let server = Running::new();
    let answer = server.ask(&format!("GET /{}", "x".repeat(LONGEST + 2000)));
    assert!(answer.starts_with("HTTP/1.1 4"), "{answer}");
}

#[test]
fn slow_clients_hold_up_nobody() {
    let server = Running::new();
    // Some say nothing, some begin to ask, some do not read what they are told.
    let mut slow: Vec<_> = (0..MOST_CONNECTIONS / 2).map(|_| server.connect()).collect();
    slow[0].write_all(b"GET /").unwrap();
    let large = format!(
        "GET {}large HTTP/1.1\r\nHost: localhost:{}\r\n\r\n",
        server.path(),
        server.port
    );
    slow[1].write_all(large.as_bytes()).unwrap();
    let start = Instant::now();
    let answer = server.ask(&format!("GET {}", server.path()));
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    assert!(start.elapsed() < REQUEST_TIME, "{:?}", start.elapsed());
}

#[test]
fn too_many_are_sent_away_and_silent_ones_cut_off() {
    let server = Running::new();
    let mut silent: Vec<_> = (0..MOST_CONNECTIONS).map(|_| server.connect()).collect();
    thread::sleep(10 * LOOK);
    let mut answer = String::new();
    server.connect().read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    let mut told = String::new();
    silent[0].read_to_string(&mut told).unwrap();
    assert!(told.starts_with("HTTP/1.1 408 "), "{told}");
    drop(silent);
    thread::sleep(10 * LOOK);
    let answer = server.ask(&format!("GET {}", server.path()));
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
}
