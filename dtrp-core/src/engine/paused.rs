//! A run between two of its actions: where its workers are, and what lies at them.

use super::mail::{self, Mail};
use super::prepared::Prepared;
use super::stage::Stage;
use crate::schedule::{Program, Unit};
use crate::trace::Recorder;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

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
        let positions = mail::check(program, batch, &mail)?;
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

    /// How long it has run in this process, pauses not counted.
    pub fn wall(&self) -> Duration {
        self.past.wall
    }

    /// How long worker `worker` (from 1) has computed in this process, waiting for messages not counted.
    pub fn busy(&self, worker: usize) -> Duration {
        self.past
            .recorders
            .get(worker - 1)
            .map_or(Duration::ZERO, Recorder::busy)
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
            None if mail::check(program, self.batch, &self.mail)? == self.positions => Ok(()),
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
