//! How processes meet: each says what it is, and none goes on where one of them does not fit.

use super::control::{Claim, FAILURE, left, linger};
use super::gloo::Device;
use super::member::Member;
use super::store::{Store, StoreError};
use crate::engine::{PeerFailure, Placement};
use std::net::{IpAddr, ToSocketAddrs, UdpSocket};
use std::time::{Duration, Instant};

/// Between two looks whether the others are there.
const LOOK: Duration = Duration::from_millis(20);
/// How long the connections between processes that have met may take.
const CONNECTING: Duration = Duration::from_secs(30);

/// What a process brings to a run of several.
#[derive(Debug, Clone)]
pub struct Meeting {
    /// This process, from 0.
    pub rank: usize,
    /// How many there are.
    pub size: usize,
    /// Where they meet: the host of rank 0, and a port there.
    pub host: String,
    /// The port.
    pub port: u16,
    /// Whether this process opens the store there; else another one does. Usually that of rank 0.
    pub opens: bool,
    /// The network interface to use; `None` takes the one that leads to `host`.
    pub interface: Option<String>,
    /// Told apart from runs that met at the same place before.
    pub attempt: String,
    /// Which rank executes which worker.
    pub placement: Placement,
    /// The version of the program. All must have the same.
    pub version: String,
    /// What else all must have the same: a digest of the configuration.
    pub configuration: String,
    /// Where this process computes, for the table.
    pub device: String,
    /// How long to wait for the others.
    pub patience: Duration,
    /// How often a process says that it lives.
    pub beat: Duration,
    /// How long it may say nothing before it is given up; also how long the store may take to answer.
    pub silence: Duration,
}

impl Meeting {
    /// Rank `rank` of as many processes as the placement has, which meet at this place.
    pub fn new(rank: usize, placement: Placement, host: &str, port: u16) -> Self {
        Self {
            rank,
            size: placement.ranks().iter().max().map_or(1, |last| last + 1),
            host: host.to_owned(),
            port,
            opens: rank == 0,
            interface: None,
            attempt: "0".to_owned(),
            placement,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            configuration: String::new(),
            device: "cpu".to_owned(),
            patience: Duration::from_secs(300),
            beat: Duration::from_secs(2),
            silence: Duration::from_secs(30),
        }
    }
}

/// Why processes did not come together.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MeetError {
    /// What this process was told makes no sense.
    #[error("{0}")]
    Meeting(String),
    /// Another program has the port.
    #[error(
        "port {port} is in use on this machine, so rank 0 cannot open it for the others: take another one (MASTER_PORT), or end \
         the program that has it"
    )]
    PortInUse {
        /// The port.
        port: u16,
    },
    /// The place where they meet cannot be reached.
    #[error("rank {rank} cannot reach rank 0 at {host}:{port} ({error}): is it running, and is the address right?")]
    Unreachable {
        /// Who wants to.
        rank: usize,
        /// The host.
        host: String,
        /// The port.
        port: u16,
        /// Why not.
        error: StoreError,
    },
    /// What has been there before is not there any more.
    #[error("rank 0, which held the run together, is gone: {0}")]
    Store(#[from] StoreError),
    /// One of them does not fit, or has failed.
    #[error("{0}")]
    Refused(PeerFailure),
    /// A thread cannot be started.
    #[error("cannot start a thread: {0}")]
    Thread(#[from] std::io::Error),
}

/// The store, and who is there, by rank; then this process's device.
pub(super) struct Met {
    pub(super) store: Store,
    pub(super) members: Vec<Member>,
    pub(super) device: Device,
}

/// Meets the others. Where one does not fit, all that are there hear of it.
pub(super) fn meet(meeting: &Meeting) -> Result<Met, MeetError> {
    check(meeting)?;
    let (route, store) = open(meeting)?;
    let met = gather(meeting, &store, &route.to_string());
    if let Err(MeetError::Refused(failure)) = &met {
        part(meeting, &store, failure);
    }
    let device = match &meeting.interface {
        Some(interface) => Device::Interface(interface.clone()),
        None => Device::Address(route.to_string()),
    };
    Ok(Met {
        members: met?,
        store,
        device,
    })
}

/// Leaves after a failure: who has opened the store last.
pub(super) fn part(meeting: &Meeting, store: &Store, failure: &PeerFailure) {
    if meeting.opens {
        let others = (0..meeting.size).filter(|rank| *rank != meeting.rank && *rank != failure.rank);
        // Those that have not come yet will hear nothing.
        linger(store, others.filter(|rank| store.has(&hello(*rank)).unwrap_or(false)));
    } else {
        // Who cannot be told is gone.
        let _ = store.set(&left(meeting.rank), b"1");
    }
}

/// The address of this process, and the store.
fn open(meeting: &Meeting) -> Result<(IpAddr, Store), MeetError> {
    let Meeting {
        rank,
        host,
        port,
        patience,
        ..
    } = meeting;
    let route = route(host, *port).map_err(|error| {
        MeetError::Meeting(format!(
            "the host `{host}`, where rank 0 is to be, cannot be found: {error}; MASTER_ADDR is its name or address"
        ))
    })?;
    let prefix = format!("dtrp/{}", meeting.attempt);
    let store = if meeting.opens {
        Store::open(host, *port, &prefix, *patience)
    } else {
        Store::connect(host, *port, &prefix, *patience)
    };
    let store = store.map_err(|error| match error {
        error if meeting.opens && error.is_port_in_use() => MeetError::PortInUse { port: *port },
        error => MeetError::Unreachable {
            rank: *rank,
            host: host.clone(),
            port: *port,
            error,
        },
    })?;
    Ok((route, store.another(meeting.silence)?))
}

/// All of them, by rank.
fn gather(meeting: &Meeting, store: &Store, address: &str) -> Result<Vec<Member>, MeetError> {
    let Meeting {
        rank, size, patience, ..
    } = meeting;
    let own = Member::of(meeting, address);
    let kept = store.claim(&hello(*rank), &serde_json::to_vec(&own).unwrap_or_default())?;
    if let Some(other) = Member::read(&kept).filter(|other| *other != own) {
        let text = format!(
            "there are two processes of rank {rank}: pid {} on {} and pid {} on {}; give each a rank of its own (RANK)",
            other.pid, other.host, own.pid, own.host
        );
        return Err(refuse(store, *rank, &own, text));
    }
    let begin = Instant::now();
    let mut members: Vec<Member> = Vec::with_capacity(*size);
    // Rank 0 first: it says what the others are compared with.
    while members.len() < *size {
        let next = members.len();
        if store.has(FAILURE)?
            && let Some(first) = Claim::read(&store.get(FAILURE)?)
        {
            return Err(MeetError::Refused(first.into_failure()));
        }
        if store.has(&hello(next))? {
            let member = Member::read(&store.get(&hello(next))?).ok_or_else(|| {
                let what = format!("what rank {next} says of itself cannot be read: run the same dtrp everywhere");
                refuse(store, *rank, &own, what)
            })?;
            let first = members.first().unwrap_or(&member);
            if let Some(text) = member.differs(first).or_else(|| own.differs(first)) {
                let blamed = if member.differs(first).is_some() { &member } else { &own };
                return Err(refuse(store, *rank, blamed, text));
            }
            members.push(member);
            continue;
        }
        if begin.elapsed() > *patience {
            let mut missing = Vec::new();
            for rank in next..*size {
                if !store.has(&hello(rank))? {
                    missing.push(rank.to_string());
                }
            }
            let (are, their) = if missing.len() == 1 {
                ("rank", "it has")
            } else {
                ("ranks", "they have")
            };
            let text = format!(
                "waits for {are} {}, but {their} not come within {} s: start {size} processes, with ranks 0 to {}",
                missing.join(", "),
                patience.as_secs_f64(),
                size - 1
            );
            return Err(refuse(store, *rank, &own, text));
        }
        std::thread::sleep(LOOK);
    }
    Ok(members)
}

/// Why the connections between processes that have met could not be made.
pub(super) fn unconnected(store: &Store, rank: usize, own: &Member, device: &Device, error: &str) -> MeetError {
    let at = match device {
        Device::Address(address) => format!("at address {address}"),
        Device::Interface(interface) => format!("over interface {interface}"),
    };
    refuse(
        store,
        rank,
        own,
        format!("cannot be connected with the others {at}: {error}"),
    )
}

pub(super) fn connecting(meeting: &Meeting) -> Duration {
    CONNECTING.min(meeting.patience)
}

fn check(meeting: &Meeting) -> Result<(), MeetError> {
    let Meeting { rank, size, .. } = meeting;
    let ranks = meeting.placement.ranks();
    let wrong = |what: String| Err(MeetError::Meeting(what));
    if rank >= size {
        return wrong(format!(
            "there is no rank {rank} among {size} processes: ranks are 0 to {}",
            size.saturating_sub(1)
        ));
    }
    if let Some(beyond) = ranks.iter().find(|rank| *rank >= size) {
        return wrong(format!(
            "a worker is placed on rank {beyond}, but there are {size} processes"
        ));
    }
    match (0..*size).find(|rank| !ranks.contains(rank)) {
        Some(idle) => wrong(format!(
            "rank {idle} has no worker: {} workers are placed on {size} processes",
            ranks.len()
        )),
        None => Ok(()),
    }
}

/// Tells all, and gives the failure that counts.
fn refuse(store: &Store, by: usize, blamed: &Member, text: String) -> MeetError {
    let claim = Claim::new(by, blamed, text);
    let first = claim.settle(store).unwrap_or(claim);
    MeetError::Refused(first.into_failure())
}

fn hello(rank: usize) -> String {
    format!("hello/{rank}")
}

/// The address of this machine on the way to `host`. Nothing is sent.
fn route(host: &str, port: u16) -> std::io::Result<IpAddr> {
    let mut last = None;
    for target in (host, port.max(1)).to_socket_addrs()? {
        let any: IpAddr = match target {
            std::net::SocketAddr::V4(_) => [0; 4].into(),
            std::net::SocketAddr::V6(_) => [0; 16].into(),
        };
        let connected = UdpSocket::bind((any, 0)).and_then(|socket| {
            socket.connect(target)?;
            socket.local_addr()
        });
        match connected {
            Ok(address) => return Ok(address.ip()),
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(|| std::io::Error::other("it has no address")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_to_this_machine_is_its_own_address() {
        assert_eq!(route("127.0.0.1", 1).unwrap().to_string(), "127.0.0.1");
        assert!(route("no such host", 1).is_err());
    }

    #[test]
    fn meetings_that_make_no_sense_are_refused_at_once() {
        let told = |rank, size, ranks: &[usize], host: &str| {
            let mut meeting = Meeting::new(rank, Placement::new(ranks.to_vec()), host, 1);
            meeting.size = size;
            meet(&meeting).err().unwrap().to_string()
        };
        let here = "127.0.0.1";
        assert!(told(2, 2, &[0, 1], here).starts_with("there is no rank 2 among 2 processes"));
        assert!(told(0, 2, &[0, 2], here).starts_with("a worker is placed on rank 2"));
        assert!(told(0, 2, &[0, 0], here).starts_with("rank 1 has no worker: 2 workers"));
        assert!(told(0, 2, &[0, 1], "no such host").starts_with("the host `no such host`"));
    }

    #[test]
    fn rank_0_that_is_not_there_is_named() {
        // A port that was free a moment ago.
        let port = std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let mut meeting = Meeting::new(1, Placement::even(2, 2), "127.0.0.1", port);
        meeting.patience = Duration::from_millis(300);
        let error = meet(&meeting).err().unwrap().to_string();
        assert!(
            error.starts_with(&format!("rank 1 cannot reach rank 0 at 127.0.0.1:{port} (")),
            "{error}"
        );
        assert!(error.ends_with("is it running, and is the address right?"), "{error}");
    }
}
