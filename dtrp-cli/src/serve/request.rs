//! What a browser asks for, and whether it may.

use httparse::{EMPTY_HEADER, Request as Parsed};

/// The most headers of a request.
const MOST_HEADERS: usize = 64;

/// How an answer begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    Ok,
    NothingNew,
    Bad,
    NotFound,
    NotGet,
    TooSlow,
    /// For another host than this one.
    Misdirected,
    TooLong,
    Busy,
}

impl Status {
    /// The number with its words.
    pub(super) fn text(self) -> &'static str {
        match self {
            Status::Ok => "200 OK",
            Status::NothingNew => "204 No Content",
            Status::Bad => "400 Bad Request",
            Status::NotFound => "404 Not Found",
            Status::NotGet => "405 Method Not Allowed",
            Status::TooSlow => "408 Request Timeout",
            Status::Misdirected => "421 Misdirected Request",
            Status::TooLong => "431 Request Header Fields Too Large",
            Status::Busy => "503 Service Unavailable",
        }
    }
}

/// The head of a request.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Request {
    method: String,
    target: String,
    /// Every `Host` that it names.
    hosts: Vec<String>,
}

impl Request {
    /// Reads a head; `None` where it is not whole yet.
    pub(super) fn parse(bytes: &[u8]) -> Result<Option<Self>, Status> {
        let mut headers = [EMPTY_HEADER; MOST_HEADERS];
        let mut parsed = Parsed::new(&mut headers);
        let whole = parsed.parse(bytes).map_err(|error| match error {
            httparse::Error::TooManyHeaders => Status::TooLong,
            _ => Status::Bad,
        })?;
        if whole.is_partial() {
            return Ok(None);
        }
        let hosts = parsed
            .headers
            .iter()
            .filter(|header| header.name.eq_ignore_ascii_case("host"));
        Ok(Some(Self {
            hosts: hosts
                .map(|header| String::from_utf8_lossy(header.value).into_owned())
                .collect(),
            method: parsed.method.unwrap_or_default().to_owned(),
            target: parsed.path.unwrap_or_default().to_owned(),
        }))
    }

    /// The path after the token and what stands behind its `?`, where the request is for us.
    pub(super) fn check(&self, port: u16, token: &str) -> Result<(&str, &str), Status> {
        let [host] = self.hosts.as_slice() else {
            return Err(Status::Bad);
        };
        let ours = ["127.0.0.1", "localhost"].map(|name| format!("{name}:{port}"));
        if !ours.iter().any(|ours| host.trim().eq_ignore_ascii_case(ours)) {
            return Err(Status::Misdirected);
        }
        if self.method != "GET" {
            return Err(Status::NotGet);
        }
        let (path, query) = self.target.split_once('?').unwrap_or((&self.target, ""));
        let rest = path.strip_prefix('/').and_then(|path| path.split_once('/'));
        match rest {
            Some((given, rest)) if same(given, token) => Ok((rest, query)),
            _ => Err(Status::NotFound),
        }
    }
}

/// In a time that does not depend on where they differ.
fn same(given: &str, token: &str) -> bool {
    let pairs = given.bytes().zip(token.bytes());
    given.len() == token.len() && pairs.fold(0, |differ, (a, b)| differ | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(text: &str) -> Result<(String, String), Status> {
        let request = Request::parse(text.as_bytes())?.ok_or(Status::TooSlow)?;
        let (path, query) = request.check(80, "secret")?;
        Ok((path.to_owned(), query.to_owned()))
    }

    #[test]
    fn only_what_is_for_us() {
        let with =
            |first: &str, host: &str| checked(&format!("{first} HTTP/1.1\r\nHost: {host}\r\nAccept: */*\r\n\r\n"));
        let ours = "127.0.0.1:80";
        assert_eq!(with("GET /secret/", ours), Ok((String::new(), String::new())));
        assert_eq!(
            with("GET /secret/body?7", "localhost:80"),
            Ok(("body".to_owned(), "7".to_owned()))
        );
        for (first, host, status) in [
            ("GET /secret/", "evil.example:80", Status::Misdirected),
            ("GET /secret/", "127.0.0.1", Status::Misdirected),
            ("GET /secret/", "127.0.0.1:81", Status::Misdirected),
            ("POST /secret/", ours, Status::NotGet),
            ("HEAD /secret/", ours, Status::NotGet),
            ("GET /secret", ours, Status::NotFound),
            ("GET /secre7/", ours, Status::NotFound),
            ("GET /", ours, Status::NotFound),
            ("GET http://127.0.0.1:80/secret/", ours, Status::NotFound),
        ] {
            assert_eq!(with(first, host), Err(status), "{first} {host}");
        }
        assert_eq!(checked("GET /secret/ HTTP/1.1\r\n\r\n"), Err(Status::Bad));
        assert_eq!(
            checked("GET /secret/ HTTP/1.1\r\nHost: localhost:80\r\nHost: x\r\n\r\n"),
            Err(Status::Bad)
        );
        assert_eq!(checked("\u{0}\u{1}\r\n\r\n"), Err(Status::Bad));
        let many = "a: b\r\n".repeat(100);
        assert_eq!(checked(&format!("GET / HTTP/1.1\r\n{many}\r\n")), Err(Status::TooLong));
        assert_eq!(Request::parse(b"GET /secret/ HTTP/1.1\r\nHost: loc"), Ok(None));
    }
}
