//! Workers of the same program that other processes execute.

use super::doing::Doing;
use super::stage::Stage;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// Which process executes which worker: ranks from 0, one for each worker, worker 1 first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placement(Vec<usize>);

impl Placement {
    /// Worker k on `ranks[k - 1]`. A rank may have several workers, neighbours or not.
    pub fn new(ranks: Vec<usize>) -> Self {
        Self(ranks)
    }

    /// Neighbours together, as many workers on each of `ranks` processes as on the others, or one more on the first ones.
    pub fn even(modules: usize, ranks: usize) -> Self {
        let ranks = ranks.max(1);
        let (each, more) = (modules / ranks, modules % ranks);
        let share = |rank| std::iter::repeat_n(rank, each + usize::from(rank < more));
        Self((0..ranks).flat_map(share).collect())
    }

    /// The rank of every worker, worker 1 first.
    pub fn ranks(&self) -> &[usize] {
        &self.0
    }

    /// The workers of a rank, from 0, in order.
    pub fn own(&self, rank: usize) -> Vec<usize> {
        (0..self.0.len()).filter(|worker| self.0[*worker] == rank).collect()
    }
}

/// How a run failed in another process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerFailure {
    /// The process, from 0.
    pub rank: usize,
    /// Where it runs.
    pub host: String,
    /// The worker that failed, from 1; `None` where the process failed as a whole and has several workers, or none.
    pub worker: Option<usize>,
    /// What has happened, naming the workers.
    pub text: String,
}

impl fmt::Display for PeerFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rank {} on {}: {}", self.rank, self.host, self.text)
    }
}

/// Whose failure counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The one that this process has told.
    Here,
    /// One of another process, which was first.
    Peer(PeerFailure),
}

type Tell = Box<dyn Fn(usize, String) + Send + Sync>;

/// What the workers of this process and those of others need to know of each other in one run of a program. Whoever hears from
/// other processes writes it, the engine reads it, and the reverse. Clones share it.
#[derive(Clone)]
pub struct Elsewhere(Arc<Shared>);

struct Shared {
    own: Vec<usize>,
    /// As the watch keeps it, for all workers of the program.
    at: Arc<[AtomicUsize]>,
    happened: Arc<AtomicU64>,
    cancelled: AtomicBool,
    verdict: Mutex<Option<Verdict>>,
    decided: Condvar,
    patience: Duration,
    tell: Tell,
}

impl Elsewhere {
    /// For a program of `modules` workers, of which this process executes `own` (from 0, in order). `tell` is called with the
    /// first failure of one of them (the worker from 1, and a line that names worker and action); whoever is told must
    /// [decide](Self::decide) within `patience`.
    pub fn new(
        modules: usize,
        own: Vec<usize>,
        patience: Duration,
        tell: impl Fn(usize, String) + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(Shared {
            own,
            at: (0..modules).map(|_| AtomicUsize::new(0)).collect(),
            happened: Arc::default(),
            cancelled: AtomicBool::new(false),
            verdict: Mutex::new(None),
            decided: Condvar::new(),
            patience,
            tell: Box::new(tell),
        }))
    }

    /// The workers that this process executes, from 0.
    pub fn own(&self) -> &[usize] {
        &self.0.own
    }

    /// How far each of the program's workers is, as far as is known here: the index of its action; past the end of its list
    /// when it has finished.
    pub fn positions(&self) -> Vec<usize> {
        self.0.at.iter().map(|at| at.load(Ordering::Acquire)).collect()
    }

    /// Worker `worker` (from 0) of another process is at its action `at`. It has done something if that is news.
    pub fn heard(&self, worker: usize, at: usize) {
        let Some(place) = self.0.at.get(worker).filter(|_| !self.0.own.contains(&worker)) else {
            return;
        };
        if place.swap(at, Ordering::AcqRel) != at {
            self.0.happened.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Says whose failure counts. The first verdict stands; workers of this process end where it is a peer's.
    pub fn decide(&self, verdict: Verdict) {
        let mut place = self.0.verdict.lock().unwrap_or_else(PoisonError::into_inner);
        place.get_or_insert(verdict);
        self.0.cancelled.store(true, Ordering::Release);
        self.0.decided.notify_all();
    }

    pub(super) fn cancelled(&self) -> bool {
        self.0.cancelled.load(Ordering::Acquire)
    }

    pub(super) fn tell(&self, worker: usize, text: String) {
        (self.0.tell)(worker, text);
    }

    /// The verdict; where a failure is `due`, waits for it.
    pub(super) fn verdict(&self, due: bool) -> Option<Verdict> {
        let verdict = self.0.verdict.lock().unwrap_or_else(PoisonError::into_inner);
        let patience = if due { self.0.patience } else { Duration::ZERO };
        let waited = self
            .0
            .decided
            .wait_timeout_while(verdict, patience, |verdict| verdict.is_none());
        let (verdict, _) = waited.unwrap_or_else(PoisonError::into_inner);
        verdict.clone()
    }

    pub(super) fn patience(&self) -> Duration {
        self.0.patience
    }

    /// What the watch counts in.
    pub(super) fn counters(&self) -> (Arc<[AtomicUsize]>, Arc<AtomicU64>) {
        (Arc::clone(&self.0.at), Arc::clone(&self.0.happened))
    }

    /// What each worker of the program is busy with, as far as this process knows.
    pub(super) fn doing<S: Stage>(&self, stages: &[S]) -> Vec<Doing> {
        let mut all = vec![Doing::default(); self.0.at.len()];
        for (worker, stage) in self.0.own.iter().zip(stages) {
            all[*worker] = stage.doing();
        }
        all
    }
}

impl fmt::Debug for Elsewhere {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Elsewhere")
            .field("own", &self.0.own)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_are_spread_evenly() {
        let of = |modules, ranks| Placement::even(modules, ranks).ranks().to_vec();
        assert_eq!(of(4, 2), [0, 0, 1, 1]);
        assert_eq!(of(5, 2), [0, 0, 0, 1, 1]);
        assert_eq!(of(2, 2), [0, 1]);
        assert_eq!(of(3, 0), [0, 0, 0]);
        assert_eq!(Placement::new(vec![0, 1, 0]).own(0), [0, 2]);
    }

    #[test]
    fn the_first_verdict_stands() {
        let elsewhere = Elsewhere::new(2, vec![0], Duration::ZERO, |_, _| {});
        assert_eq!(elsewhere.verdict(true), None);
        elsewhere.decide(Verdict::Here);
        elsewhere.decide(Verdict::Peer(PeerFailure {
            rank: 1,
            host: "h".to_owned(),
            worker: None,
            text: String::new(),
        }));
        assert_eq!(elsewhere.verdict(false), Some(Verdict::Here));
        assert!(elsewhere.cancelled());
    }

    #[test]
    fn only_news_of_others_is_something_that_happened() {
        let elsewhere = Elsewhere::new(2, vec![0], Duration::ZERO, |_, _| {});
        let (_, happened) = elsewhere.counters();
        for (worker, at) in [(0, 5), (1, 0), (7, 1), (1, 4), (1, 4)] {
            elsewhere.heard(worker, at);
        }
        assert_eq!(happened.load(Ordering::Relaxed), 1);
        assert_eq!(elsewhere.positions(), [0, 4]);
    }
}
