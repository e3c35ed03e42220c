//! What a process of a run says of itself, and in what it may not differ from the others.

use super::ffi;
use super::hello::Meeting;
use super::wire;
use serde::{Deserialize, Serialize};

/// A process of the run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// From 0.
    pub rank: usize,
    /// The name of its machine.
    pub host: String,
    /// Its number there.
    pub pid: u32,
    /// The address at which the others reach it.
    pub address: String,
    /// Where it computes.
    pub device: String,
    /// Its workers, from 1.
    pub workers: Vec<usize>,
    size: usize,
    dtrp: String,
    libtorch: String,
    wire: i64,
    configuration: String,
    placement: Vec<usize>,
}

impl Member {
    pub(super) fn of(meeting: &Meeting, address: &str) -> Self {
        Self {
            rank: meeting.rank,
            host: host_name(),
            pid: std::process::id(),
            address: address.to_owned(),
            device: meeting.device.clone(),
            workers: meeting.placement.own(meeting.rank).into_iter().map(|k| k + 1).collect(),
            size: meeting.size,
            dtrp: meeting.version.clone(),
            libtorch: ffi::version(),
            wire: wire::VERSION,
            configuration: meeting.configuration.clone(),
            placement: meeting.placement.ranks().to_vec(),
        }
    }

    pub(super) fn read(written: &[u8]) -> Option<Self> {
        serde_json::from_slice(written).ok()
    }

    /// In what it differs from rank 0 that all must have the same.
    pub(super) fn differs(&self, first: &Self) -> Option<String> {
        let what = [
            ("runs dtrp", &self.dtrp, &first.dtrp),
            ("runs libtorch", &self.libtorch, &first.libtorch),
        ];
        for (runs, own, theirs) in what {
            if own != theirs {
                return Some(format!(
                    "{runs} {own}, but rank 0 on {} {runs} {theirs}: run the same everywhere",
                    first.host
                ));
            }
        }
        if self.wire != first.wire {
            return Some(format!(
                "speaks version {} of the format of messages, but rank 0 on {} version {}: run the same dtrp everywhere",
                self.wire, first.host, first.wire
            ));
        }
        if self.size != first.size {
            return Some(format!(
                "was started as one of {} processes, but rank 0 on {} as one of {} (WORLD_SIZE)",
                self.size, first.host, first.size
            ));
        }
        if self.placement != first.placement {
            return Some(format!(
                "places workers on ranks {:?}, but rank 0 on {} on {:?}: give all processes the same configuration",
                self.placement, first.host, first.placement
            ));
        }
        (self.configuration != first.configuration).then(|| {
            format!(
                "has another configuration than rank 0 on {} ({} instead of {}): give all processes the same",
                first.host, self.configuration, first.configuration
            )
        })
    }
}

/// Its workers as the subject of a sentence, with a verb for one and for several.
pub(super) fn workers(member: &Member, one: &str, several: &str) -> String {
    let names: Vec<String> = member.workers.iter().map(ToString::to_string).collect();
    match &names[..] {
        [] => format!("a process without workers {one}"),
        [worker] => format!("worker {worker} {one}"),
        [first @ .., last] => format!("workers {} and {last} {several}", first.join(", ")),
    }
}

/// As the kernel knows it.
fn host_name() -> String {
    let name =
        std::fs::read_to_string("/proc/sys/kernel/hostname").or_else(|_| std::fs::read_to_string("/etc/hostname"));
    let name = name.unwrap_or_default().trim().to_owned();
    if name.is_empty() {
        "this machine".to_owned()
    } else {
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Placement;

    #[test]
    fn members_are_named_by_their_workers() {
        let named = |ranks: &[usize]| {
            let meeting = Meeting::new(0, Placement::new(ranks.to_vec()), "127.0.0.1", 1);
            workers(&Member::of(&meeting, "127.0.0.1"), "is", "are")
        };
        assert_eq!(named(&[1, 0]), "worker 2 is");
        assert_eq!(named(&[0, 1, 0, 0]), "workers 1, 3 and 4 are");
        assert_eq!(named(&[1]), "a process without workers is");
    }
}
