//! Pages for a browser on this machine.
//!
//! ```text
//! accept ─> one thread a connection, few at once ─> request (checked) ─> answer ─> closed
//! ```
//!
//! Nobody else is served: it listens on 127.0.0.1, every address begins with a random token, and a request that names another
//! host is refused, so that a page from elsewhere cannot have a name of its own lead here. Whoever sends or reads slowly
//! holds up nobody, and is cut off in the end.

mod request;

use crate::error::Error;
use dtrp_train::Stop;
use request::{Request, Status};
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Connections that are served at once; who comes then is sent away.
const MOST_CONNECTIONS: usize = 32;

/// The longest request, in bytes.
const LONGEST: usize = 8 << 10;

/// How long a request may take to come, and an answer to be read.
const REQUEST_TIME: Duration = Duration::from_secs(5);
const ANSWER_TIME: Duration = Duration::from_secs(30);

/// How often is looked whether somebody comes, or the program is to end.
const LOOK: Duration = Duration::from_millis(20);

/// What is sent back.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    status: Status,
    /// Further headers.
    headers: Vec<(&'static str, String)>,
    body: Arc<str>,
}

impl Answer {
    /// A page, or a part of one.
    pub(crate) fn html(body: impl Into<Arc<str>>) -> Self {
        Self {
            status: Status::Ok,
            headers: Vec::new(),
            body: body.into(),
        }
    }

    /// There is nothing new.
    pub(crate) fn nothing() -> Self {
        Self::short(Status::NothingNew)
    }

    /// There is nothing of that name.
    pub(crate) fn unknown() -> Self {
        Self::short(Status::NotFound)
    }

    /// With a header.
    pub(crate) fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.headers.push((name, value.to_string()));
        self
    }

    fn short(status: Status) -> Self {
        let body = if status == Status::NothingNew {
            ""
        } else {
            status.text()
        };
        Self {
            status,
            headers: Vec::new(),
            body: body.into(),
        }
    }

    fn head(&self) -> String {
        let kind = if self.status == Status::Ok {
            "text/html"
        } else {
            "text/plain"
        };
        let mut head = format!(
            "HTTP/1.1 {}\r\nContent-Type: {kind}; charset=utf-8\r\nContent-Length: {}\r\nConnection: close\r\n\
             Cache-Control: no-store\r\nReferrer-Policy: no-referrer\r\nX-Content-Type-Options: nosniff\r\n\
             X-Frame-Options: DENY\r\nCross-Origin-Resource-Policy: same-origin\r\n",
            self.status.text(),
            self.body.len(),
        );
        if self.status == Status::NotGet {
            head.push_str("Allow: GET\r\n");
        }
        for (name, value) in &self.headers {
            let _ = write!(head, "{name}: {value}\r\n");
        }
        head + "\r\n"
    }
}

/// Answers what comes after the token: the path, and what stands behind its `?`.
pub(crate) type Pages = dyn Fn(&str, &str) -> Answer + Send + Sync;

/// Listens on this machine, for this machine.
#[derive(Debug)]
pub(crate) struct Server {
    listener: TcpListener,
    port: u16,
    token: String,
}

impl Server {
    /// On this port, or on one that is free.
    ///
    /// # Errors
    ///
    /// [`Error::File`] where the port is taken.
    pub(crate) fn new(port: Option<u16>) -> Result<Self, Error> {
        let place = format!("port {}", port.unwrap_or(0));
        let failed = |error: io::Error| Error::file("listen", Path::new(&place))(error);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port.unwrap_or(0))).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let port = listener.local_addr().map_err(failed)?.port();
        Ok(Self {
            listener,
            port,
            token: token()?,
        })
    }

    /// Where the pages are.
    pub(crate) fn address(&self) -> String {
        format!("http://127.0.0.1:{}/{}/", self.port, self.token)
    }

    /// Serves `pages` until `stop` is requested.
    pub(crate) fn run(&self, pages: &Arc<Pages>, stop: &Stop) {
        let open = Arc::new(AtomicUsize::new(0));
        while !stop.requested() {
            let Ok((stream, _)) = self.listener.accept() else {
                thread::sleep(LOOK);
                continue;
            };
            let place = Place::take(&open);
            let (pages, port, token) = (Arc::clone(pages), self.port, self.token.clone());
            let serve = move || {
                // A browser that has gone is none of our business.
                let _ = serve(stream, place.is_some(), port, &token, &*pages);
                drop(place);
            };
            let _ = thread::Builder::new().name("page".to_owned()).spawn(serve);
        }
    }
}

/// A place among the connections, given back when dropped.
struct Place(Arc<AtomicUsize>);

impl Place {
    fn take(open: &Arc<AtomicUsize>) -> Option<Self> {
        let place = Self(Arc::clone(open));
        (open.fetch_add(1, Ordering::SeqCst) < MOST_CONNECTIONS).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

fn serve(mut stream: TcpStream, has_place: bool, port: u16, token: &str, pages: &Pages) -> io::Result<()> {
    stream.set_nonblocking(false)?;
    if !has_place {
        // At once, or not at all.
        stream.set_write_timeout(Some(LOOK))?;
        return stream.write_all(Answer::short(Status::Busy).head().as_bytes());
    }
    let answer = match read(&mut stream)? {
        Ok(request) => match request.check(port, token) {
            Ok((path, query)) => pages(path, query),
            Err(status) => Answer::short(status),
        },
        Err(status) => Answer::short(status),
    };
    write(&mut stream, &answer)?;
    stream.shutdown(Shutdown::Write)
}

/// Reads a request's head, in the time for it.
fn read(stream: &mut TcpStream) -> io::Result<Result<Request, Status>> {
    let start = Instant::now();
    let mut bytes = Vec::new();
    let mut piece = [0; 1024];
    loop {
        let left = REQUEST_TIME.saturating_sub(start.elapsed());
        if left.is_zero() {
            return Ok(Err(Status::TooSlow));
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut piece) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(count) => bytes.extend_from_slice(&piece[..count]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => continue,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        }
        match Request::parse(&bytes) {
            Ok(Some(request)) => return Ok(Ok(request)),
            Ok(None) if bytes.len() > LONGEST => return Ok(Err(Status::TooLong)),
            Ok(None) => {}
            Err(status) => return Ok(Err(status)),
        }
    }
}

/// Writes an answer, in the time for it.
fn write(stream: &mut TcpStream, answer: &Answer) -> io::Result<()> {
    let start = Instant::now();
    for mut bytes in [answer.head().as_bytes(), answer.body.as_bytes()] {
        while !bytes.is_empty() {
            let left = ANSWER_TIME.saturating_sub(start.elapsed());
            if left.is_zero() {
                return Err(ErrorKind::TimedOut.into());
            }
            stream.set_write_timeout(Some(left))?;
            match stream.write(bytes) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => bytes = &bytes[count..],
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(())
}

/// 128 bits that nobody guesses.
fn token() -> Result<String, Error> {
    let path = Path::new("/dev/urandom");
    let mut bytes = [0; 16];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut bytes));
    read.map_err(Error::read(path))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests;
