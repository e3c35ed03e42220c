//! A run between two of its actions: where its workers are, and what lies at them.

use super::prepared::Prepared;
use super::stage::Stage;
use crate::analysis::cut_after;
use crate::schedule::{Op, Program, Unit};
use crate::trace::Recorder;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// What lies at one worker of a run that has paused, everything sorted by unit. Nothing is on the links: what was is at the
/// receiver.
pub struct Mail<S: Stage> {
    /// Activations from the worker below that no `F` or `G` has used yet.
    pub arrived_up: Vec<(Unit, S::Up)>,
    /// Gradients from the worker above that no `B` has used yet.
    pub arrived_down: Vec<(Unit, S::Down)>,
    /// Activations that `>Y` is still to send.
    pub ready_up: Vec<(Unit, S::Up)>,
    /// Gradients that `>D` is still to send.
    pub ready_down: Vec<(Unit, S::Down)>,
}

impl<S: Stage> Mail<S> {
    pub(super) fn sort(&mut self) {
        self.arrived_up.sort_by_key(|(unit, _)| *unit);
        self.arrived_down.sort_by_key(|(unit, _)| *unit);
        self.ready_up.sort_by_key(|(unit, _)| *unit);
        self.ready_down.sort_by_key(|(unit, _)| *unit);
    }

    /// The units of its four lists.
    fn units(&self) -> [Vec<Unit>; 4] {
        [
            units(&self.arrived_up),
            units(&self.arrived_down),
            units(&self.ready_up),
            units(&self.ready_down),
        ]
    }
}

fn units<T>(list: &[(Unit, T)]) -> Vec<Unit> {
    list.iter().map(|(unit, _)| *unit).collect()
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

impl<S: Stage<Up: Clone, Down: Clone>> Clone for Mail<S> {
    fn clone(&self) -> Self {
        Self {
            arrived_up: self.arrived_up.clone(),
            arrived_down: self.arrived_down.clone(),
            ready_up: self.ready_up.clone(),
            ready_down: self.ready_down.clone(),
        }
    }
}

impl<S: Stage> fmt::Debug for Mail<S> {
    /// The units alone.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mail")
            .field("arrived_up", &units(&self.arrived_up))
            .field("arrived_down", &units(&self.arrived_down))
            .field("ready_up", &units(&self.ready_up))
            .field("ready_down", &units(&self.ready_down))
            .finish()
    }
}

/// A run that has paused at the cut of a batch. [`go_on`](super::go_on) goes on with it; everything else that there is to the
/// run is in its stages.
///
/// To go on in another process, keep [`batch`](Paused::batch), [`mail`](Paused::mail) and the stages, and make one of them with
/// [`new`](Paused::new).
pub struct Paused<S: Stage> {
    pub(super) batch: u32,
    pub(super) positions: Vec<usize>,
    pub(super) mail: Vec<Mail<S>>,
    pub(super) past: Past,
}

/// What of a run has run in this process.
#[derive(Default)]
pub(super) struct Past {
    /// The batch of the cut at which it began, and how many actions of each worker were done there.
    pub(super) after: u32,
    pub(super) begin: Vec<usize>,
    /// One for each worker; none if nothing has run yet.
    pub(super) recorders: Vec<Recorder>,
    /// How long it ran, pauses not counted.
    pub(super) wall: Duration,
    /// The program, with what is known of it.
    pub(super) prepared: Option<Arc<Prepared>>,
}

impl<S: Stage> Paused<S> {
    /// A run of `program` that has paused at the cut of `batch` (from 1; 0 is the beginning) with this mail, worker 1 first, in
    /// any order.
    ///
    /// # Errors
    ///
    /// [`PausedError`] where the mail is not what lies at the workers at this cut: some is missing, or there is too much.
    pub fn new(program: &Program, batch: u32, mut mail: Vec<Mail<S>>) -> Result<Self, PausedError> {
        mail.iter_mut().for_each(Mail::sort);
        let positions = check(program, batch, &mail)?;
        Ok(Self {
            batch,
            past: Past {
                after: batch,
                begin: positions.clone(),
                ..Past::default()
            },
            positions,
            mail,
        })
    }

    /// Before the first action.
    pub(super) fn beginning(modules: usize) -> Self {
        Self {
            batch: 0,
            positions: vec![0; modules],
            mail: (0..modules).map(|_| Mail::default()).collect(),
            past: Past {
                begin: vec![0; modules],
                ..Past::default()
            },
        }
    }

    /// The batch at whose cut it has paused (numbered within the program, from 1): every worker has done all its `B` and `U` up
    /// to it, and nothing that these do not need.
    pub fn batch(&self) -> u32 {
        self.batch
    }

    /// For each worker, worker 1 first, how many actions of its list are done:
    /// [`cut_after`](crate::analysis::cut_after) of the batch.
    pub fn positions(&self) -> &[usize] {
        &self.positions
    }

    /// What lies at each worker, worker 1 first.
    pub fn mail(&self) -> &[Mail<S>] {
        &self.mail
    }

    /// What lies at each worker, worker 1 first.
    pub fn into_mail(self) -> Vec<Mail<S>> {
        self.mail
    }

    /// Whether it can go on with this program.
    pub(super) fn fits(&self, program: &Program) -> Result<(), PausedError> {
        match &self.past.prepared {
            Some(prepared) if *prepared.program == *program => Ok(()),
            Some(_) => Err(PausedError::Program),
            None if check(program, self.batch, &self.mail)? == self.positions => Ok(()),
            None => Err(PausedError::Program),
        }
    }
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

/// Why a run cannot go on from where it is said to have paused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PausedError {
    /// The program has no such batch.
    #[error(
        "a run cannot have paused after batch {batch} of a program of {batches} batches: go on with the program that paused"
    )]
    Batch {
        /// The batch.
        batch: u32,
        /// Batches of the program.
        batches: u32,
    },
    /// There must be mail of each worker, if only an empty one.
    #[error(
        "the program has {modules} modules, but there is mail of {workers} workers: go on with the program that paused"
    )]
    Workers {
        /// Workers with mail.
        workers: usize,
        /// Modules of the program.
        modules: usize,
    },
    /// Something is missing at a worker.
    #[error(
        "worker {worker} lacks {what} of batch {unit}, which lies there when a run pauses after batch {batch}: go on with the \
         program that paused, and with everything that it left"
    )]
    Missing {
        /// The worker, from 1.
        worker: usize,
        /// What is missing: `an activation from below`.
        what: &'static str,
        /// Its unit.
        unit: Unit,
        /// The batch after which the run paused.
        batch: u32,
    },
    /// Something lies at a worker that does not belong there, or twice.
    #[error(
        "worker {worker} has {what} of batch {unit} too much: it does not lie there, or not twice, when a run pauses after \
         batch {batch}. Go on with the program that paused, and with nothing but what it left"
    )]
    Surplus {
        /// The worker, from 1.
        worker: usize,
        /// What it is: `an activation from below`.
        what: &'static str,
        /// Its unit.
        unit: Unit,
        /// The batch after which the run paused.
        batch: u32,
    },
    /// It is another program.
    #[error("this is not the program that paused: its workers are not where those of this one pause")]
    Program,
}

/// The four lists of a [`Mail`], in order.
const LISTS: [&str; 4] = [
    "an activation from below",
    "a gradient from above",
    "an activation that it is to send",
    "a gradient that it is to send",
];

/// Compares what lies at the workers with what the program says of this cut. Gives its positions.
fn check<S: Stage>(program: &Program, batch: u32, mail: &[Mail<S>]) -> Result<Vec<usize>, PausedError> {
    if batch > program.batches {
        let batches = program.batches;
        return Err(PausedError::Batch { batch, batches });
    }
    if mail.len() != program.modules() {
        return Err(PausedError::Workers {
            workers: mail.len(),
            modules: program.modules(),
        });
    }
    let positions = cut_after(program, batch);
    for ((worker, mail), due) in (1..).zip(mail).zip(lying(program, &positions)) {
        for ((has, due), what) in mail.units().into_iter().zip(due).zip(LISTS) {
            let mut left = due;
            if let Some(unit) = has.into_iter().find(|unit| !left.remove(unit)) {
                return Err(PausedError::Surplus {
                    worker,
                    what,
                    unit,
                    batch,
                });
            }
            if let Some(unit) = left.pop_first() {
                return Err(PausedError::Missing {
                    worker,
                    what,
                    unit,
                    batch,
                });
            }
        }
    }
    Ok(positions)
}

/// Which units lie at each worker when it has done so many actions, in the order of [`LISTS`].
fn lying(program: &Program, positions: &[usize]) -> Vec<[BTreeSet<Unit>; 4]> {
    let done = |k: usize| program.workers[k].iter().take(positions[k]);
    // What an action has done to a unit at worker k, and nothing where there is no such worker.
    let units = |k: Option<usize>, ops: &'static [Op]| {
        let actions = k.filter(|k| *k < positions.len()).map(done);
        let actions = actions.into_iter().flatten();
        actions
            .filter(|action| ops.contains(&action.op))
            .map(|action| action.unit)
    };
    let without = |all: BTreeSet<Unit>, used: BTreeSet<Unit>| &all - &used;
    let worker = |k: usize| {
        let forwarded = || units(Some(k), &[Op::Forward, Op::ForwardGraph]).collect::<BTreeSet<_>>();
        let backward = || units(Some(k), &[Op::Backward]).collect::<BTreeSet<_>>();
        let sends = |op: Op| program.workers[k].iter().any(|action| action.op == op);
        let up = if sends(Op::SendY) { forwarded() } else { BTreeSet::new() };
        let down = if sends(Op::SendD) { backward() } else { BTreeSet::new() };
        [
            without(units(k.checked_sub(1), &[Op::SendY]).collect(), forwarded()),
            without(units(Some(k + 1), &[Op::SendD]).collect(), backward()),
            without(up, units(Some(k), &[Op::SendY]).collect()),
            without(down, units(Some(k), &[Op::SendD]).collect()),
        ]
    };
    (0..positions.len()).map(worker).collect()
}
