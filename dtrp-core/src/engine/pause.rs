//! Pausing a program: all workers stop at one consistent cut of it, and what is in flight is kept.

use super::stage::Stage;
use crate::analysis::Cuts;
use crate::schedule::{Op, Program, Unit};
use crate::trace::Recorder;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A handle with which a program that runs can be asked to pause. Clones share the request.
///
/// A program pauses at the cut after a batch ([`Cuts`]): every worker has made all its updates up to that batch, and what some
/// have done beyond is kept.
#[derive(Debug, Clone, Default)]
pub struct Pause(Arc<Mutex<Asked>>);

#[derive(Debug, Default)]
struct Asked {
    /// The last batch whose cut a worker has passed.
    passed: u32,
    /// To stop at the cut after this batch.
    after: Option<u32>,
}

impl Pause {
    /// Asks for a pause as soon as may be: at the first cut that no worker has passed. If there is none any more, the program
    /// runs to its end.
    pub fn request(&self) {
        let mut asked = self.lock();
        let next = asked.passed.saturating_add(1);
        asked.stop_after(next);
    }

    /// Asks for a pause at the cut after batch `batch` of the program, from 1. Where a worker has passed it already, it is too
    /// late, and nothing happens. Of several requests the earliest counts.
    pub fn after(&self, batch: u32) {
        let mut asked = self.lock();
        if batch > asked.passed {
            asked.stop_after(batch);
        }
    }

    /// Takes back what was asked for.
    pub fn clear(&self) {
        self.lock().after = None;
    }

    /// Prepares for a program of which every worker has passed the cut after `batch`.
    pub(super) fn begin(&self, batch: u32) {
        let mut asked = self.lock();
        asked.passed = batch;
        // It has been there.
        asked.after = asked.after.filter(|after| *after > batch);
    }

    /// A worker comes to the cut after `batch`: whether it is to stop there.
    pub(super) fn comes_to(&self, batch: u32) -> bool {
        let mut asked = self.lock();
        if asked.after == Some(batch) {
            return true;
        }
        asked.passed = asked.passed.max(batch);
        false
    }

    /// At which cut it has stopped.
    pub(super) fn stopped_after(&self) -> Option<u32> {
        self.lock().after
    }

    fn lock(&self) -> MutexGuard<'_, Asked> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Asked {
    fn stop_after(&mut self, batch: u32) {
        self.after = Some(self.after.map_or(batch, |earlier| earlier.min(batch)));
    }
}

/// What lies at one worker between two of its actions, by unit. What was on the links lies at the receiver.
pub struct Mail<S: Stage> {
    /// Activations from below that have not been used.
    pub arrived_up: Vec<(Unit, S::Up)>,
    /// Gradients from above that have not been used.
    pub arrived_down: Vec<(Unit, S::Down)>,
    /// Activations for the worker above that have not been sent.
    pub ready_up: Vec<(Unit, S::Up)>,
    /// Gradients for the worker below that have not been sent.
    pub ready_down: Vec<(Unit, S::Down)>,
}

impl<S: Stage> Default for Mail<S> {
    /// Nothing.
    fn default() -> Self {
        Self {
            arrived_up: Vec::new(),
            arrived_down: Vec::new(),
            ready_up: Vec::new(),
            ready_down: Vec::new(),
        }
    }
}

impl<S: Stage> fmt::Debug for Mail<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.kinds()).finish()
    }
}

impl<S: Stage> Mail<S> {
    /// The units of each kind, in the order of the fields.
    fn kinds(&self) -> [BTreeSet<Unit>; 4] {
        fn units<T>(mail: &[(Unit, T)]) -> BTreeSet<Unit> {
            mail.iter().map(|(unit, _)| *unit).collect()
        }
        [
            units(&self.arrived_up),
            units(&self.arrived_down),
            units(&self.ready_up),
            units(&self.ready_down),
        ]
    }
}

/// A program that has been paused, beside its stages.
pub struct Paused<S: Stage> {
    pub(super) batch: u32,
    /// For each worker, the number of its actions that have been done.
    pub(super) positions: Vec<usize>,
    pub(super) mail: Vec<Mail<S>>,
    /// What ran, if that was in this process.
    pub(super) recorders: Vec<Recorder>,
    /// How long that took.
    pub(super) elapsed: Duration,
}

impl<S: Stage> fmt::Debug for Paused<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Paused")
            .field("batch", &self.batch)
            .field("positions", &self.positions)
            .field("mail", &self.mail)
            .finish_non_exhaustive()
    }
}

impl<S: Stage> Paused<S> {
    /// A program that was paused after `batch` in another process, with what lay at each worker.
    ///
    /// # Errors
    ///
    /// Where that is not what the program makes it, in words.
    pub fn new(program: &Program, batch: u32, mail: Vec<Mail<S>>) -> Result<Self, String> {
        if batch > program.batches {
            return Err(format!("it has {} batches, and not {batch}", program.batches));
        }
        if mail.len() != program.modules() {
            return Err(format!("it has {} workers, and not {}", program.modules(), mail.len()));
        }
        let positions = Cuts::of(program).after(batch);
        for (worker, mail) in mail.iter().enumerate() {
            let expected = expected(program, &positions, worker);
            let kinds = ["activations from below", "gradients from above", "activations to send", "gradients to send"];
            for ((kind, expected), found) in kinds.iter().zip(expected).zip(mail.kinds()) {
                if expected != found {
                    let list = |units: &BTreeSet<Unit>| {
                        let units: Vec<_> = units.iter().map(ToString::to_string).collect();
                        format!("[{}]", units.join(", "))
                    };
                    return Err(format!(
                        "after batch {batch} worker {} holds the {kind} of batches {}, and not of {}",
                        worker + 1,
                        list(&expected),
                        list(&found)
                    ));
                }
            }
        }
        Ok(Self {
            batch,
            positions,
            mail,
            recorders: Vec::new(),
            elapsed: Duration::ZERO,
        })
    }

    /// Every worker has made all its updates up to this batch.
    pub fn batch(&self) -> u32 {
        self.batch
    }

    /// For each worker, the number of its actions that have been done.
    pub fn positions(&self) -> &[usize] {
        &self.positions
    }

    /// What lies at each worker.
    pub fn mail(&self) -> &[Mail<S>] {
        &self.mail
    }

    /// How long it ran, in this process.
    pub fn elapsed(&self) -> Duration {
        self.elapsed
    }

    /// How long worker `worker` (from 1) computed, in this process.
    pub fn busy(&self, worker: usize) -> Duration {
        self.recorders.get(worker - 1).map_or(Duration::ZERO, Recorder::busy)
    }
}

/// The units of each kind of mail that lie at a worker at a cut, in the order of [`Mail`]'s fields.
pub(super) fn expected(program: &Program, positions: &[usize], worker: usize) -> [BTreeSet<Unit>; 4] {
    let [mut arrived_up, mut arrived_down, mut ready_up, mut ready_down] = <[BTreeSet<Unit>; 4]>::default();
    // What the neighbours have sent has arrived.
    for (neighbour, op, arrived) in [
        (worker.checked_sub(1), Op::SendY, &mut arrived_up),
        (Some(worker + 1), Op::SendD, &mut arrived_down),
    ] {
        let Some(neighbour) = neighbour.filter(|neighbour| *neighbour < program.modules()) else {
            continue;
        };
        let sent = program.workers[neighbour][..positions[neighbour]].iter();
        arrived.extend(sent.filter(|action| action.op == op).map(|action| action.unit));
    }
    let actions = &program.workers[worker];
    let sends = |op: Op| actions.iter().any(move |action| action.op == op);
    let (up, down) = (sends(Op::SendY), sends(Op::SendD));
    for action in &actions[..positions[worker]] {
        let unit = action.unit;
        match action.op {
            Op::Forward | Op::ForwardGraph => {
                arrived_up.remove(&unit);
                if up {
                    ready_up.insert(unit);
                }
            }
            Op::Backward => {
                arrived_down.remove(&unit);
                if down {
                    ready_down.insert(unit);
                }
            }
            Op::SendY => drop(ready_up.remove(&unit)),
            Op::SendD => drop(ready_down.remove(&unit)),
            _ => {}
        }
    }
    [arrived_up, arrived_down, ready_up, ready_down]
}
