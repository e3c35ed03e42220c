//! Looks after the other processes of a run, in one thread: hears where their workers are and says where ours are, notices one
//! that is gone or says nothing any more, and sees to it that all processes end with the same failure, the first one.

use super::ferry::CONTROL;
use super::gloo::{Group, TransferError};
use super::member::{Member, workers};
use super::store::{Store, StoreError};
use crate::engine::{Elsewhere, PeerFailure, Verdict};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use serde::{Deserialize, Serialize};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};
use tch::{Device, Kind, Tensor};

/// How often the failure of another process is looked for.
const TICK: Duration = Duration::from_millis(100);

/// The key that the first failure claims.
pub(super) const FAILURE: &str = "failure";

/// What threads of this process tell the one that looks after the others.
#[derive(Debug)]
pub(super) enum Note {
    /// A worker has failed, as seen from this process: the worker from 1, and a line.
    Failed(usize, String),
    /// The connection to this rank has ended.
    Gone(usize),
    /// What has come from this rank cannot be used; why.
    Unreadable(usize, String),
    /// The run has ended well.
    Close,
}

/// A failure as it stands in the store.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Claim {
    /// The rank that tells it.
    pub(super) by: usize,
    /// The rank that failed.
    pub(super) rank: usize,
    pub(super) host: String,
    pub(super) worker: Option<usize>,
    pub(super) text: String,
}

impl Claim {
    /// Of this member's process, told by rank `by`.
    pub(super) fn new(by: usize, member: &Member, text: String) -> Self {
        Self {
            by,
            rank: member.rank,
            host: member.host.clone(),
            worker: match member.workers[..] {
                [worker] => Some(worker),
                _ => None,
            },
            text,
        }
    }

    /// Makes it the failure of all, unless there is one already; gives the one that counts.
    pub(super) fn settle(&self, store: &Store) -> Result<Self, StoreError> {
        let written = serde_json::to_vec(self).unwrap_or_default();
        Ok(Self::read(&store.claim(FAILURE, &written)?).unwrap_or_else(|| self.clone()))
    }

    pub(super) fn read(written: &[u8]) -> Option<Self> {
        serde_json::from_slice(written).ok()
    }

    pub(super) fn into_failure(self) -> PeerFailure {
        let Self {
            rank,
            host,
            worker,
            text,
            ..
        } = self;
        PeerFailure {
            rank,
            host,
            worker,
            text,
        }
    }
}

/// What a process that has gone leaves to say.
pub(super) fn gone(member: &Member) -> String {
    format!(
        "{} gone without a word: the process (pid {}) was killed or has crashed, or its machine or the network has failed",
        workers(member, "is", "are"),
        member.pid
    )
}

/// What threads of this process share about the run.
#[derive(Debug, Default)]
pub(super) struct State {
    /// The program that is running: its number, and where its workers are.
    current: Option<(u64, Elsewhere)>,
    verdict: Option<Verdict>,
}

pub(super) type Shared = Arc<Mutex<State>>;

pub(super) fn state(shared: &Shared) -> MutexGuard<'_, State> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    /// A program begins.
    pub(super) fn enter(&mut self, program: u64, elsewhere: &Elsewhere) {
        if let Some(verdict) = &self.verdict {
            elsewhere.decide(verdict.clone());
        }
        self.current = Some((program, elsewhere.clone()));
    }

    /// It has ended.
    pub(super) fn leave(&mut self) {
        self.current = None;
    }

    /// Whose failure the run has ended with.
    pub(super) fn verdict(&self) -> Option<&Verdict> {
        self.verdict.as_ref()
    }
}

/// The thread's own.
pub(super) struct Monitor {
    pub(super) own: usize,
    pub(super) members: Vec<Member>,
    pub(super) store: Store,
    pub(super) group: Group,
    pub(super) notes: Receiver<Note>,
    pub(super) shared: Shared,
    /// How often it says that this process lives.
    pub(super) beat: Duration,
    /// How long another one may say nothing.
    pub(super) silence: Duration,
}

/// What was last heard of another process.
struct Heard {
    words: Vec<u8>,
    when: Instant,
}

impl Monitor {
    pub(super) fn start(self) -> io::Result<JoinHandle<()>> {
        Builder::new().name("control".to_owned()).spawn(|| self.watch())
    }

    fn watch(self) {
        let now = Instant::now();
        let mut heard: Vec<Heard> = Vec::new();
        heard.resize_with(self.members.len(), || Heard {
            words: Vec::new(),
            when: now,
        });
        let mut next_beat = now;
        let mut beats = 0u64;
        loop {
            let note = self.notes.recv_timeout(TICK);
            if let Ok(Note::Close) | Err(RecvTimeoutError::Disconnected) = note {
                return;
            }
            if state(&self.shared).verdict.is_some() {
                continue;
            }
            let looked = self.hear(note.ok()).and_then(|()| {
                if Instant::now() < next_beat {
                    return Ok(());
                }
                next_beat = Instant::now() + self.beat;
                beats += 1;
                self.beat(beats)?;
                self.listen(&mut heard)
            });
            if let Err(error) = looked {
                self.without_store(&error);
            }
        }
    }

    /// Follows a note, and looks whether another process has failed.
    fn hear(&self, note: Option<Note>) -> Result<(), StoreError> {
        let claim = match note {
            Some(Note::Failed(worker, text)) => {
                // The watchdog of this process may blame a worker of another one.
                let has = |member: &&Member| member.workers.contains(&worker);
                let member = self.members.iter().find(has).unwrap_or(&self.members[self.own]);
                Some(Claim {
                    worker: Some(worker),
                    ..Claim::new(self.own, member, text)
                })
            }
            // A process that has done all its part closes its connections.
            Some(Note::Gone(rank)) if self.store.has(&done(rank))? => None,
            Some(Note::Gone(rank)) => Some(self.claim_of(rank, gone(&self.members[rank]))),
            Some(Note::Unreadable(rank, why)) => {
                let member = &self.members[rank];
                let text = format!("between {} and this process: {why}", workers(member, "", "").trim_end());
                Some(Claim::new(self.own, &self.members[self.own], text))
            }
            Some(Note::Close) | None => None,
        };
        if let Some(claim) = claim {
            let first = claim.settle(&self.store)?;
            self.settle(first);
        } else if self.store.has(FAILURE)?
            && let Some(first) = Claim::read(&self.store.get(FAILURE)?)
        {
            self.settle(first);
        }
        Ok(())
    }

    fn claim_of(&self, rank: usize, text: String) -> Claim {
        Claim::new(self.own, &self.members[rank], text)
    }

    /// Ends the run here, with this failure.
    fn settle(&self, claim: Claim) {
        let verdict = if claim.by == self.own && claim.rank == self.own {
            Verdict::Here
        } else {
            Verdict::Peer(claim.into_failure())
        };
        let current = {
            let mut state = state(&self.shared);
            let verdict = state.verdict.get_or_insert(verdict).clone();
            state.current.clone().map(|(_, elsewhere)| (elsewhere, verdict))
        };
        if let Some((elsewhere, verdict)) = current {
            elsewhere.decide(verdict);
        }
        self.group.abort();
    }

    /// The store does not answer, so rank 0, which holds it, is gone, and nobody can be asked who was first.
    fn without_store(&self, error: &StoreError) {
        tracing::debug!("the store of the run: {error}");
        self.settle(self.claim_of(0, gone(&self.members[0])));
    }

    /// Says that this process lives, and where its workers are.
    fn beat(&self, beats: u64) -> Result<(), StoreError> {
        let current = state(&self.shared).current.clone();
        let at = current.map(|(program, elsewhere)| {
            let at = elsewhere.positions();
            let own = elsewhere.own().iter().map(|worker| (*worker, at[*worker])).collect();
            (program, own)
        });
        let words = serde_json::to_vec(&Beat { beats, at }).unwrap_or_default();
        self.store.set(&at_key(self.own), &words)
    }

    /// Hears where the workers of the others are, and notices who says nothing any more.
    fn listen(&self, heard: &mut [Heard]) -> Result<(), StoreError> {
        let current = state(&self.shared).current.clone();
        for (rank, heard) in heard.iter_mut().enumerate().filter(|(rank, _)| *rank != self.own) {
            if self.store.has(&at_key(rank))? {
                let words = self.store.get(&at_key(rank))?;
                if words != heard.words {
                    (heard.words, heard.when) = (words, Instant::now());
                }
            }
            let beat = serde_json::from_slice::<Beat>(&heard.words).ok();
            if let (Some((number, elsewhere)), Some((program, at))) = (&current, beat.and_then(|beat| beat.at))
                && *number == program
            {
                at.into_iter().for_each(|(worker, at)| elsewhere.heard(worker, at));
            }
            if heard.when.elapsed() > self.silence && !self.store.has(&done(rank))? {
                let member = &self.members[rank];
                let text = format!(
                    "{} given no sign of life for {} s: the process (pid {}) is stopped or hangs, or the network is cut",
                    workers(member, "has", "have"),
                    self.silence.as_secs_f64(),
                    member.pid
                );
                let first = self.claim_of(rank, text).settle(&self.store)?;
                self.settle(first);
                return Ok(());
            }
        }
        Ok(())
    }
}

/// That a process lives, and where its workers are in which program: worker and action, from 0.
#[derive(Debug, Serialize, Deserialize)]
struct Beat {
    beats: u64,
    at: Option<(u64, Vec<(usize, usize)>)>,
}

/// Where a process says that it lives.
fn at_key(rank: usize) -> String {
    format!("at/{rank}")
}

/// Where a process says that it has done all its part.
pub(super) fn done(rank: usize) -> String {
    format!("done/{rank}")
}

/// Where a process says that it asks nothing more of the store.
pub(super) fn left(rank: usize) -> String {
    format!("left/{rank}")
}

/// How long who has opened the store waits for the others to have heard how the run has ended.
const LEAVING: Duration = Duration::from_secs(1);

/// Waits until these ranks need the store no more.
pub(super) fn linger(store: &Store, ranks: impl Iterator<Item = usize>) {
    let begin = Instant::now();
    for rank in ranks {
        while begin.elapsed() < LEAVING && !store.has(&left(rank)).unwrap_or(true) {
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// Waits for the connection to a rank to end. Nothing is ever sent there; who is gone in the middle of a transfer is noticed
/// by this alone.
pub(super) fn feel(group: &Group, peer: usize, notes: &Sender<Note>) -> io::Result<JoinHandle<()>> {
    let (group, notes) = (group.clone(), notes.clone());
    let body = move || {
        let mut nothing = Tensor::zeros([1], (Kind::Uint8, Device::Cpu));
        let ended = group.receive(&mut nothing, peer, CONTROL).and_then(|work| work.wait());
        if ended != Err(TransferError::Aborted) {
            // Nobody listens any more where the run has ended.
            let _ = notes.send(Note::Gone(peer));
        }
    };
    Builder::new().name(format!("rank {peer} lives")).spawn(body)
}
