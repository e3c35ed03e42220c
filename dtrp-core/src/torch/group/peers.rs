//! The processes of a run, seen from one of them.

use super::carry::Carried;
use super::control::{self, Claim, Monitor, Note, Shared, done, left, state};
use super::ferry::Here;
use super::gloo::Group;
use super::hello::{self, MeetError, Meeting};
use super::member::Member;
use super::store::{Store, StoreError};
use crate::engine::{self, Elsewhere, EngineError, EngineOptions, Execution, PeerFailure, Placement, Stage, Verdict};
use crate::schedule::Program;
use crossbeam_channel::{Sender, unbounded};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// Between two looks whether the others have done their part.
const LOOK: Duration = Duration::from_millis(10);
/// A verdict may take so much longer than the store.
const VERDICT: Duration = Duration::from_secs(10);

/// The processes that execute the workers of a run, seen from one of them. They have met, and are connected.
///
/// Programs are run one after another, by all processes in the same order. The first failure, of whichever process, ends the run
/// in all of them; nothing can be run afterwards.
#[derive(Debug)]
pub struct Peers {
    meeting: Meeting,
    rank: usize,
    placement: Placement,
    members: Vec<Member>,
    store: Store,
    group: Group,
    notes: Sender<Note>,
    shared: Shared,
    /// How long a verdict may take.
    patience: Duration,
    programs: AtomicU64,
    monitor: Option<JoinHandle<()>>,
    feelers: Vec<JoinHandle<()>>,
}

impl Peers {
    /// Meets the other processes of a run.
    ///
    /// # Errors
    ///
    /// [`MeetError`]: one of them has not come, or does not fit. All processes that are there get the same.
    pub fn meet(meeting: &Meeting) -> Result<Self, MeetError> {
        let met = hello::meet(meeting)?;
        let hello::Met { store, members, device } = met;
        let rank = meeting.rank;
        let group = Group::new(&store, rank, meeting.size, &device, hello::connecting(meeting));
        let group = group.map_err(|error| {
            let error = hello::unconnected(&store, rank, &members[rank], &device, &error);
            if let MeetError::Refused(failure) = &error {
                hello::part(meeting, &store, failure);
            }
            error
        })?;
        let (notes, noted) = unbounded();
        let shared = Shared::default();
        let monitor = Monitor {
            own: rank,
            members: members.clone(),
            store: store.another(meeting.silence)?,
            group: group.clone(),
            notes: noted,
            shared: Shared::clone(&shared),
            beat: meeting.beat,
            silence: meeting.silence,
        };
        let mut peers = Self {
            meeting: meeting.clone(),
            rank,
            placement: meeting.placement.clone(),
            members,
            store,
            group,
            notes,
            shared,
            patience: meeting.silence + VERDICT,
            programs: AtomicU64::new(0),
            monitor: Some(monitor.start()?),
            feelers: Vec::new(),
        };
        for peer in neighbours(&peers.placement, rank) {
            peers.feelers.push(control::feel(&peers.group, peer, &peers.notes)?);
        }
        Ok(peers)
    }

    /// This process.
    pub fn rank(&self) -> usize {
        self.rank
    }

    /// All processes, by rank.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// Which rank executes which worker.
    pub fn placement(&self) -> &Placement {
        &self.placement
    }

    /// The store in which they have met, for what else they want to tell each other. `failure`, and keys that begin with `hello/`, `at/`, `gather/`, `done/` and
    /// `left/`, are taken.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Runs this process's workers of a program, which all processes run now, over its stages, one for each of these workers in order.
    ///
    /// # Errors
    ///
    /// As [`engine::run_placed`].
    pub fn run<S>(
        &self,
        program: &Program,
        stages: &mut Vec<S>,
        options: &EngineOptions,
    ) -> Result<Execution, EngineError<S::Error>>
    where
        S: Stage,
        S::Up: Carried,
        S::Down: Carried,
    {
        let modules = program.modules();
        if modules != self.placement.ranks().len() {
            let stages = self.placement.ranks().len();
            return Err(EngineError::Stages { stages, modules });
        }
        let number = self.next_program();
        let notes = self.notes.clone();
        let elsewhere = Elsewhere::new(
            modules,
            self.placement.own(self.rank),
            self.patience,
            move |worker, text| {
                // Who is told waits for the verdict, and where there is none any more, goes on after a time.
                let _ = notes.send(Note::Failed(worker, text));
            },
        );
        if let Some(failure) = self.failure() {
            return Err(EngineError::Peer(failure));
        }
        state(&self.shared).enter(number, &elsewhere);
        let here = Here {
            group: &self.group,
            placement: &self.placement,
            rank: self.rank,
            program: number,
            capacity: options.capacity,
            notes: &self.notes,
        };
        let ran = match here.connect::<S::Up, S::Down>() {
            Ok((links, ferries)) => {
                let ran = engine::run_placed(program, stages, links, &elsewhere, options);
                if ran.is_err() {
                    // Whatever is under way is for nobody.
                    self.group.abort();
                }
                // A worker that hangs keeps its ends, and who carries from and to them hangs with it.
                if !stages.is_empty() {
                    ferries.join();
                }
                ran
            }
            Err(error) => Err(EngineError::Peer(
                self.own_failure(format!("cannot start a thread: {error}")),
            )),
        };
        state(&self.shared).leave();
        if let Some(failure) = self.failure().filter(|_| ran.is_err()) {
            // All hear of it before the store goes.
            self.part(&failure);
        }
        ran
    }

    /// The failure with which the run has ended, if it has.
    pub fn failure(&self) -> Option<PeerFailure> {
        match state(&self.shared).verdict()? {
            Verdict::Peer(failure) => Some(failure.clone()),
            Verdict::Here => Some(self.own_failure("has failed before".to_owned())),
        }
    }

    /// Waits until all processes have done their part, and leaves.
    ///
    /// # Errors
    ///
    /// The failure of one of them.
    pub fn close(mut self) -> Result<(), PeerFailure> {
        let told =
            |_: StoreError| Claim::new(self.rank, &self.members[0], control::gone(&self.members[0])).into_failure();
        self.store.set(&done(self.rank), b"1").map_err(told)?;
        for rank in 0..self.members.len() {
            while !self.store.has(&done(rank)).map_err(told)? {
                if let Some(failure) = self.failure() {
                    return Err(failure);
                }
                std::thread::sleep(LOOK);
            }
        }
        self.end_monitor();
        // The store goes with the process that has opened it: it is the last to leave.
        if self.meeting.opens {
            control::linger(&self.store, (0..self.members.len()).filter(|rank| *rank != self.rank));
        } else {
            // All have done their part: whether it is heard or not, nothing is lost.
            let _ = self.store.set(&left(self.rank), b"1");
        }
        Ok(())
    }

    /// The number of the program that begins, the same in all processes.
    pub(super) fn next_program(&self) -> u64 {
        self.programs.fetch_add(1, Ordering::Relaxed)
    }

    pub(super) fn group(&self) -> &Group {
        &self.group
    }

    pub(super) fn patience(&self) -> Duration {
        self.patience
    }

    /// Tells who looks after the run.
    pub(super) fn tell(&self, note: Option<Note>) {
        if let Some(note) = note {
            // Nobody listens any more where the run has ended.
            let _ = self.notes.send(note);
        }
    }

    /// Leaves after a failure.
    pub(super) fn part(&self, failure: &PeerFailure) {
        hello::part(&self.meeting, &self.store, failure);
    }

    pub(super) fn own_failure(&self, text: String) -> PeerFailure {
        let own = &self.members[self.rank];
        PeerFailure {
            rank: self.rank,
            host: own.host.clone(),
            worker: None,
            text,
        }
    }

    fn end_monitor(&mut self) {
        let _ = self.notes.send(Note::Close);
        if let Some(monitor) = self.monitor.take() {
            // A panic of it has been told.
            let _ = monitor.join();
        }
    }
}

impl Drop for Peers {
    fn drop(&mut self) {
        self.end_monitor();
        self.group.abort();
        for feeler in std::mem::take(&mut self.feelers) {
            // A panic of it has been told.
            let _ = feeler.join();
        }
    }
}

/// The ranks that this one exchanges messages with.
fn neighbours(placement: &Placement, rank: usize) -> Vec<usize> {
    let pairs = placement.ranks().windows(2);
    let others = pairs.filter_map(|pair| match pair {
        [a, b] if a == b => None,
        [a, b] if *a == rank => Some(*b),
        [a, b] if *b == rank => Some(*a),
        _ => None,
    });
    let mut others: Vec<usize> = others.collect();
    others.sort_unstable();
    others.dedup();
    others
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_those_that_messages_come_from() {
        let of = |ranks: &[usize], rank| neighbours(&Placement::new(ranks.to_vec()), rank);
        assert_eq!(of(&[0, 1, 2], 1), [0, 2]);
        assert_eq!(of(&[0, 0, 1], 0), [1]);
        assert_eq!(of(&[0, 1, 0, 2], 0), [1, 2]);
        assert_eq!(of(&[0], 0), [0; 0]);
    }
}
