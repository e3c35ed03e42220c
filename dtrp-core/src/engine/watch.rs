//! What all workers of a run share: where each of them is, whether to go on, and the first failure. And who looks after
//! them: a run in which nothing happens any more is given up, even if a worker never comes back from what it is doing.

use super::doing::Doing;
use super::elsewhere::{Elsewhere, Verdict};
use super::error::{EngineError, StageFailure};
use super::pause::Gate;
use crate::analysis::around;
use crate::schedule::Program;
use crossbeam_channel::{Receiver, RecvTimeoutError};
use std::fmt::Write;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a worker waits for a neighbour before it looks whether the run goes on.
pub(super) const PATIENCE: Duration = Duration::from_millis(100);

/// The longest time between two looks at the workers.
const LONGEST_TICK: Duration = Duration::from_millis(200);

/// In place of the index of an action: the worker has paused.
const PAUSED: usize = usize::MAX - 1;

/// Shared by the workers of a run and by who looks after them.
pub(super) struct Watch<E: std::error::Error + 'static> {
    pub(super) program: Arc<Program>,
    /// Where the run can pause, if it can.
    pub(super) gate: Option<Gate>,
    /// Index of the action that each worker is at; past the end when it has finished or paused.
    at: Arc<[AtomicUsize]>,
    /// The worker whose action has begun last; with one thread for all, the only one that does anything.
    last: AtomicUsize,
    one_thread: bool,
    /// What each worker is busy with inside its action.
    doing: Vec<Doing>,
    /// Grows with everything that happens.
    happened: Arc<AtomicU64>,
    cancelled: AtomicBool,
    /// The workers that other processes execute, if there are any.
    elsewhere: Option<Elsewhere>,
    first: Mutex<Option<Failed<E>>>,
}

/// The failure of worker `worker` (from 0) at its action `at`.
struct Failed<E: std::error::Error + 'static> {
    worker: usize,
    at: usize,
    failure: StageFailure<E>,
}

impl<E: std::error::Error + 'static> Watch<E> {
    /// For a thread for every worker, or `one_thread` for all.
    pub(super) fn new(
        program: &Arc<Program>,
        positions: &[usize],
        doing: Vec<Doing>,
        one_thread: bool,
        gate: Option<Gate>,
    ) -> Self {
        Self {
            doing,
            last: AtomicUsize::new(0),
            one_thread,
            program: Arc::clone(program),
            gate,
            at: positions.iter().map(|at| AtomicUsize::new(*at)).collect(),
            happened: Arc::default(),
            cancelled: AtomicBool::new(false),
            elsewhere: None,
            first: Mutex::new(None),
        }
    }

    /// For the threads of workers of which other processes execute some.
    pub(super) fn placed(program: &Arc<Program>, doing: Vec<Doing>, elsewhere: &Elsewhere) -> Self {
        let (at, happened) = elsewhere.counters();
        Self {
            at,
            happened,
            elsewhere: Some(elsewhere.clone()),
            ..Self::new(program, &[], doing, false, None)
        }
    }

    /// Worker `worker` (from 0) comes to its action `at`.
    pub(super) fn begin(&self, worker: usize, at: usize) {
        self.at[worker].store(at, Ordering::Release);
        self.last.store(worker, Ordering::Release);
        self.happened.fetch_add(1, Ordering::Relaxed);
    }

    /// Worker `worker` has come to the end of its list.
    pub(super) fn finish(&self, worker: usize) {
        self.begin(worker, usize::MAX);
    }

    /// The batch whose cut workers come to first.
    pub(super) fn first_cut(&self) -> u32 {
        self.gate.as_ref().map_or(0, Gate::first)
    }

    /// Whether worker `index`, which has done so many actions of its list, pauses here. `next` is the batch whose cut it comes
    /// to next; if it pauses, that of the cut at which.
    pub(super) fn stops(&self, next: &mut u32, index: usize, done: usize) -> bool {
        self.gate.as_ref().is_some_and(|gate| gate.stops(next, index, done))
    }

    /// Worker `worker` has paused, and takes what still comes to it.
    pub(super) fn pause(&self, worker: usize) {
        self.begin(worker, PAUSED);
    }

    /// A message has come to a worker that has paused.
    pub(super) fn came(&self) {
        self.happened.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether everyone is to stop.
    pub(super) fn cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Acquire) || self.elsewhere.as_ref().is_some_and(Elsewhere::cancelled)
    }

    /// Keeps the failure if it is the first, and tells everyone to stop.
    pub(super) fn fail(&self, worker: usize, at: usize, failure: StageFailure<E>) {
        let mut first = self.first.lock().unwrap_or_else(PoisonError::into_inner);
        let told = match (&*first, &self.elsewhere) {
            (None, Some(elsewhere)) => {
                let action = self.program.workers[worker].get(at);
                let action = action.map_or(String::new(), |action| format!(" at {action}"));
                Some((elsewhere, format!("worker {} failed{action}: {failure}", worker + 1)))
            }
            _ => None,
        };
        first.get_or_insert(Failed { worker, at, failure });
        self.cancelled.store(true, Ordering::Release);
        drop(first);
        if let Some((elsewhere, text)) = told {
            elsewhere.tell(worker + 1, text);
        }
    }

    /// What the run came to.
    pub(super) fn outcome(&self) -> Result<(), EngineError<E>> {
        let first = self.first.lock().unwrap_or_else(PoisonError::into_inner).take();
        let first = self.first_of_all(first)?;
        match first {
            None => Ok(()),
            Some(Failed { worker, at, failure }) => Err(EngineError::Worker {
                worker: worker + 1,
                action: self.program.workers[worker][at],
                failure: Box::new(failure),
                around: around(&self.program, worker + 1, at),
            }),
        }
    }

    /// The failure that counts, given that of this process: the first one of all processes.
    fn first_of_all(&self, first: Option<Failed<E>>) -> Result<Option<Failed<E>>, EngineError<E>> {
        let Some(elsewhere) = &self.elsewhere else {
            return Ok(first);
        };
        let own = elsewhere.own().iter().copied();
        let at = |worker: usize| self.at[worker].load(Ordering::Acquire);
        // A worker that stops without a failure of its own does so because of one that another process tells.
        let stopped = own
            .clone()
            .find(|worker| at(*worker) < self.program.workers[*worker].len());
        match elsewhere.verdict(first.is_some() || stopped.is_some()) {
            Some(Verdict::Peer(peer)) => Err(EngineError::Peer(peer)),
            Some(Verdict::Here) => Ok(first),
            None => Ok(first.or_else(|| {
                stopped.map(|worker| Failed {
                    worker,
                    at: at(worker),
                    failure: StageFailure::Stalled(format!(
                        "a neighbour in another process has stopped, and nobody has said why for {} s",
                        elsewhere.patience().as_secs_f64()
                    )),
                })
            })),
        }
    }

    /// Gathers what `jobs` workers (or one thread that executes all) hand back. Gives the run up when nothing has happened
    /// for `watchdog`, and those who still do not come back for half of that again. Time in which the whole process was
    /// stopped, or the machine slept, does not count.
    pub(super) fn gather<T>(&self, results: &Receiver<T>, jobs: usize, watchdog: Duration) -> Vec<T> {
        let tick = (watchdog / 8).clamp(Duration::from_millis(1), LONGEST_TICK);
        let mut back = Vec::with_capacity(jobs);
        let mut silent = Duration::ZERO;
        let mut given_up = false;
        let mut happened = self.happened.load(Ordering::Relaxed);
        while back.len() < jobs {
            let begin = Instant::now();
            match results.recv_timeout(tick) {
                Ok(result) => {
                    back.push(result);
                    silent = Duration::ZERO;
                    continue;
                }
                // A thread has ended without handing anything back.
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {}
            }
            let now = self.happened.load(Ordering::Relaxed);
            if now != happened {
                (happened, silent) = (now, Duration::ZERO);
                continue;
            }
            // A tick that took much longer is one in which the process was stopped.
            silent += begin.elapsed().min(2 * tick);
            if given_up && silent >= watchdog / 2 {
                break;
            }
            if !given_up && silent >= watchdog {
                self.give_up(watchdog);
                (given_up, silent) = (true, Duration::ZERO);
            }
        }
        back
    }

    /// Names the worker that is to blame: one that computes, since the others wait for it; else the first that waits.
    fn give_up(&self, watchdog: Duration) {
        let place = |worker: usize| {
            let at = self.at[worker].load(Ordering::Acquire);
            let action = self.program.workers[worker].get(at)?;
            Some((worker, at, action.op.is_message()))
        };
        let places: Vec<_> = (0..self.at.len()).filter_map(place).collect();
        let last = self.last.load(Ordering::Acquire);
        let computing =
            |(worker, _, message): &&(usize, usize, bool)| !message && (!self.one_thread || *worker == last);
        let computing = places.iter().find(computing);
        let Some((worker, at, _)) = computing.or(places.first()).copied() else {
            return;
        };
        let seconds = watchdog.as_secs_f64();
        let table = self.table();
        let message = format!("nothing happened for {seconds} s, so the run is given up{table}");
        self.fail(worker, at, StageFailure::Stalled(message));
    }

    /// What each worker is doing.
    fn table(&self) -> String {
        let mut table = String::new();
        for (k, actions) in (1..).zip(&self.program.workers) {
            let at = self.at[k - 1].load(Ordering::Acquire);
            let state = match actions.get(at) {
                None if at == PAUSED => "has paused".to_owned(),
                None => "has finished".to_owned(),
                Some(a) if self.one_thread && self.last.load(Ordering::Acquire) != k - 1 => {
                    format!("comes to {a} in its turn")
                }
                Some(a) => match (a.op.peer(k), a.op.is_receive()) {
                    (Some(peer), true) => format!("waits for {} from worker {peer}", a.short()),
                    (Some(peer), false) => format!("waits for worker {peer} to take {}", a.short()),
                    (None, _) => format!("is executing {a}{}", self.doing[k - 1]),
                },
            };
            let _ = write!(table, "\n  worker {k} {state}");
        }
        table
    }
}
