//! Where processes meet: keys and values that all of them see, kept by one of them (c10d's `TCPStore`).

use super::ffi::{self, Handle, bytes, checked};
use std::ffi::CString;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener};
use std::os::fd::IntoRawFd;
use std::sync::Arc;
use std::time::Duration;

/// A connection to the store. Calls on one connection wait for each other; [`another`](Self::another) makes one more.
#[derive(Debug, Clone)]
pub struct Store {
    handle: Arc<Handle>,
    /// The first connection of this process, with which the store itself lives if this process has opened it.
    #[expect(dead_code, reason = "it is held, not used")]
    first: Arc<Handle>,
    /// Before every key.
    prefix: String,
    port: u16,
}

/// Why the store did not answer; in libtorch's words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}: {message}")]
pub struct StoreError {
    /// What was asked of it.
    pub what: String,
    /// The answer.
    pub message: String,
    in_use: bool,
}

impl StoreError {
    /// Whether a port was asked for that another program has.
    pub fn is_port_in_use(&self) -> bool {
        self.in_use
    }
}

impl Store {
    /// Opens the store on a port of this machine; 0 takes a free one. Where `host` is an address of this machine, nobody can
    /// reach it at another one; where it is a name, it can be reached at all. It is there until the last connection of this
    /// process is dropped.
    ///
    /// # Errors
    ///
    /// [`StoreError`]: another program has the port.
    pub fn open(host: &str, port: u16, prefix: &str, timeout: Duration) -> Result<Self, StoreError> {
        let listen = || -> io::Result<_> {
            let listener = listen(host, port)?;
            let address = listener.local_addr()?;
            Ok((listener, address))
        };
        let (listener, address) = listen().map_err(|error| StoreError {
            what: format!("the store at {host}:{port}"),
            in_use: error.kind() == io::ErrorKind::AddrInUse,
            message: error.to_string(),
        })?;
        // This process is a client of its store too.
        let way = match address.ip() {
            all if all.is_unspecified() => "localhost".to_owned(),
            one => one.to_string(),
        };
        Self::new(&way, address.port(), prefix, timeout, Some(listener))
    }

    /// Connects to the store that another process opens, or is to open within `timeout`.
    ///
    /// # Errors
    ///
    /// [`StoreError`]: nobody did.
    pub fn connect(host: &str, port: u16, prefix: &str, timeout: Duration) -> Result<Self, StoreError> {
        Self::new(host, port, prefix, timeout, None)
    }

    fn new(
        host: &str,
        port: u16,
        prefix: &str,
        timeout: Duration,
        listener: Option<TcpListener>,
    ) -> Result<Self, StoreError> {
        let what = || format!("the store at {host}:{port}");
        let name = CString::new(host).map_err(|_| told(what(), "the name of the host has a NUL in it".to_owned()))?;
        let listener = listener.map_or(-1, IntoRawFd::into_raw_fd);
        // SAFETY: a NUL-terminated text, a socket that the store takes over, and a place for the store.
        let handle = Handle::new(ffi::dtrp_store_free, |out| unsafe {
            ffi::dtrp_store(name.as_ptr(), port, listener, millis(timeout), out)
        });
        let handle = Arc::new(handle.map_err(|message| told(what(), message))?);
        Ok(Self {
            first: Arc::clone(&handle),
            handle,
            prefix: prefix.to_owned(),
            port,
        })
    }

    /// Another connection, on which no call waits longer than `timeout`.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub fn another(&self, timeout: Duration) -> Result<Self, StoreError> {
        // SAFETY: a live store.
        let handle = Handle::new(ffi::dtrp_store_free, |out| unsafe {
            ffi::dtrp_store_clone(self.handle.raw(), millis(timeout), out)
        });
        let handle = handle.map_err(|message| told("another connection to the store".to_owned(), message))?;
        Ok(Self {
            handle: Arc::new(handle),
            ..self.clone()
        })
    }

    /// The port in use.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Sets a key.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub fn set(&self, key: &str, value: &[u8]) -> Result<(), StoreError> {
        let name = self.name(key)?;
        // SAFETY: a live store, a NUL-terminated text and a slice.
        let error = unsafe { ffi::dtrp_store_set(self.handle.raw(), name.as_ptr(), value.as_ptr(), value.len()) };
        checked(error).map_err(|message| told(format!("setting `{key}` in the store"), message))
    }

    /// The value of a key, as soon as it has one.
    ///
    /// # Errors
    ///
    /// [`StoreError`]: it has none in time.
    pub fn get(&self, key: &str) -> Result<Vec<u8>, StoreError> {
        let name = self.name(key)?;
        // SAFETY: a live store and a NUL-terminated text.
        let value = bytes(|data, size| unsafe { ffi::dtrp_store_get(self.handle.raw(), name.as_ptr(), data, size) });
        value.map_err(|message| told(format!("reading `{key}` from the store"), message))
    }

    /// Whether a key has a value.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub fn has(&self, key: &str) -> Result<bool, StoreError> {
        let name = self.name(key)?;
        let mut there = 0;
        // SAFETY: a live store, a NUL-terminated text, and a place for the answer.
        let error = unsafe { ffi::dtrp_store_check(self.handle.raw(), name.as_ptr(), &raw mut there) };
        checked(error).map_err(|message| told(format!("looking for `{key}` in the store"), message))?;
        Ok(there != 0)
    }

    /// Sets a key that has no value; who comes second gets what the first has set.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub fn claim(&self, key: &str, value: &[u8]) -> Result<Vec<u8>, StoreError> {
        let name = self.name(key)?;
        // SAFETY: a live store, a NUL-terminated text and a slice.
        let kept = bytes(|data, size| unsafe {
            ffi::dtrp_store_claim(
                self.handle.raw(),
                name.as_ptr(),
                value.as_ptr(),
                value.len(),
                data,
                size,
            )
        });
        kept.map_err(|message| told(format!("claiming `{key}` in the store"), message))
    }

    pub(super) fn raw(&self) -> *mut std::ffi::c_void {
        self.handle.raw()
    }

    pub(super) fn prefix(&self) -> &str {
        &self.prefix
    }

    fn name(&self, key: &str) -> Result<CString, StoreError> {
        CString::new(format!("{}/{key}", self.prefix)).map_err(|_| {
            told(
                format!("the key `{}`", key.escape_debug()),
                "it has a NUL in it".to_owned(),
            )
        })
    }
}

fn told(what: String, message: String) -> StoreError {
    StoreError {
        what,
        message,
        in_use: false,
    }
}

/// Listens at an address that is given as one, else at all of this machine.
fn listen(host: &str, port: u16) -> io::Result<TcpListener> {
    let address = match host {
        "localhost" => Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        host => host.parse().ok(),
    };
    match address.map(|address| TcpListener::bind((address, port))) {
        // An address that leads here from elsewhere, but is not this machine's own.
        Some(Err(error)) if error.kind() == io::ErrorKind::AddrNotAvailable => {}
        Some(bound) => return bound,
        None => {}
    }
    TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)).or_else(|error| match error.kind() {
        io::ErrorKind::AddrInUse => Err(error),
        // A machine without IPv6.
        _ => TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)),
    })
}

pub(super) fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_secs(5);

    #[test]
    fn the_first_claim_stands() {
        let store = Store::open("127.0.0.1", 0, "test", SOON).unwrap();
        let other = Store::connect("127.0.0.1", store.port(), "test", SOON).unwrap();
        let third = other.another(SOON).unwrap();
        assert!(!store.has("key").unwrap());
        assert_eq!(other.claim("key", b"first").unwrap(), b"first");
        assert_eq!(third.claim("key", b"second").unwrap(), b"first");
        assert_eq!(store.get("key").unwrap(), b"first");
        store.set("empty", b"").unwrap();
        assert_eq!(other.get("empty").unwrap(), b"");
        // Another prefix has keys of its own.
        let apart = Store::connect("127.0.0.1", store.port(), "apart", SOON).unwrap();
        assert!(!apart.has("key").unwrap());
    }

    #[test]
    fn the_store_lives_as_long_as_a_connection_of_who_has_opened_it() {
        let opened = Store::open("127.0.0.1", 0, "test", SOON).unwrap();
        let store = opened.another(SOON).unwrap();
        drop(opened);
        let other = Store::connect("127.0.0.1", store.port(), "test", SOON).unwrap();
        other.set("key", b"1").unwrap();
        assert!(store.has("key").unwrap());
        drop(store);
        assert!(other.has("key").is_err());
    }

    #[test]
    fn the_store_is_reached_where_it_was_opened() {
        let can = |store: &Store, host: &str| std::net::TcpStream::connect((host, store.port())).is_ok();
        let own = Store::open("127.0.0.1", 0, "test", SOON).unwrap();
        assert!(can(&own, "127.0.0.1") && !can(&own, "127.0.0.2"));
        // No address, and one that is not of this machine.
        for host in ["any name", "192.0.2.1"] {
            let all = Store::open(host, 0, "test", SOON).unwrap();
            assert!(can(&all, "127.0.0.1") && can(&all, "127.0.0.2"), "{host}");
        }
    }

    #[test]
    fn errors_are_one_line() {
        let store = Store::open("127.0.0.1", 0, "test", SOON).unwrap();
        let error = Store::open("127.0.0.1", store.port(), "test", SOON).unwrap_err();
        assert!(error.is_port_in_use(), "{error}");
        let hasty = store.another(Duration::from_millis(50)).unwrap();
        let error = hasty.get("never").unwrap_err();
        assert!(
            error.to_string().starts_with("reading `never` from the store: "),
            "{error}"
        );
        assert!(!error.is_port_in_use() && !error.to_string().contains('\n'), "{error}");
        assert!(store.set("a\0b", b"").is_err());
    }
}
