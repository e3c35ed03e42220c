//! What a training tells while it goes on.
//!
//! Everything that follows a run (a progress line, a metrics file, a folder, a report) is a [`Subscriber`] of one stream of
//! [`Event`]s, in the order in which they happen:
//!
//! ```text
//! Started  Weights  { { Step … Program } …  Evaluated  Epoch  Weights } …  Ended
//! ```
//!
//! A [`Checkpoint`](Event::Checkpoint) may come after any step and after any epoch's weights.

mod checkpoint;
mod environment;
mod snapshot;
mod spine;
mod summary;
mod tally;

pub use checkpoint::{
    Checkpoint, CheckpointState, FileFacts, InProgram, Keeper, LATEST, MailFacts, Newest, PredictorIdentity, Results,
    RunPosition, Why,
};
pub use environment::Environment;
pub use snapshot::Snapshot;
pub use summary::{
    Compensation, End, GpuSummary, HostReadsSummary, Plugin, Summary, WorkerMemory, WorkerSummary, peak_rss_bytes,
};
pub use tally::Tally;

pub(crate) use checkpoint::{Differences, Taken, listed};
pub(crate) use spine::{Now, Spine};
pub(crate) use tally::{gpus, memory, parameters};

use crate::error::BoxError;
use crate::settings::Settings;
use dtrp_core::schedule::{Order, Program};
use dtrp_core::torch::Evaluation;
use dtrp_core::trace::Trace;
use dtrp_predictors::Provenance;
use dtrp_text::units::{percent, rate};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// Something that happened. Cheap to clone.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Event {
    /// Training begins.
    Started(Arc<Started>),
    /// The loss of a batch is known. On a GPU that may be some batches later. Told by the worker that computes the loss.
    Step(StepReport),
    /// A program has run to its end.
    Program(Arc<ProgramRun>),
    /// The network was evaluated on the test set, after this many batches.
    Evaluated(u64, Evaluation),
    /// A whole epoch is trained and evaluated.
    Epoch(Arc<EpochReport>),
    /// The weights after a whole epoch, and once before the first.
    Weights(Snapshot),
    /// The whole state, where `checkpoint` in the settings says so, and where the run is asked to stop.
    Checkpoint(Checkpoint),
    /// Training has ended, well or not.
    Ended(Arc<Summary>),
}

/// What is going to be trained.
#[derive(Debug, Clone)]
pub struct Started {
    /// The settings in force, with all that was measured put in.
    pub settings: Settings,
    /// The program of the first epoch; what it says of its method holds for the run.
    pub program: Program,
    /// Batches of the whole run.
    pub steps: u64,
    /// Batches of a whole epoch.
    pub batches_per_epoch: u32,
    /// Parameters of each module.
    pub parameters: Vec<usize>,
    /// Where the predictor comes from, if any module predicts.
    pub predictor: Option<Provenance>,
}

impl Started {
    /// The method of the program.
    pub fn method(&self) -> &str {
        &self.program.method
    }

    /// Its order.
    pub fn order(&self) -> Order {
        self.program.order
    }
}

/// The loss of one batch.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct StepReport {
    /// The batch, counted over the whole run, from 1.
    pub step: u64,
    /// The epoch, from 1.
    pub epoch: u64,
    /// The batch's mean loss.
    pub loss: f64,
    /// The learning rate of the last module's next update.
    pub lr: f64,
    /// Since the start of training.
    pub seconds: f64,
}

/// A program that has run, and what its workers did.
#[derive(Debug, Clone)]
pub struct ProgramRun {
    /// Batches of the run before it.
    pub done: u64,
    /// What was planned.
    pub program: Program,
    /// What ran; equal to it.
    pub trace: Trace,
}

/// The results of one epoch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct EpochReport {
    /// The epoch, from 1.
    pub epoch: u64,
    /// Batches trained so far.
    pub step: u64,
    /// Mean over the samples of this epoch, as they were trained.
    pub train_loss: f64,
    /// Mean over the test samples.
    pub test_loss: f64,
    /// Share of the test samples that are classified right, 0..1.
    pub test_accuracy: f64,
    /// Of training; evaluation does not count.
    pub images_per_second: f64,
    /// Most memory that the process has held so far; `None` where the system does not say.
    pub peak_rss_bytes: Option<u64>,
    /// Since the start of training.
    pub seconds: f64,
    /// Module 1's worker first.
    pub workers: Vec<WorkerReport>,
}

/// The part of one worker in an epoch.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct WorkerReport {
    /// Share of the epoch's training time that it computed, 0..1.
    pub busy_share: f64,
    /// Most updates between a batch's forward and its backward, in this epoch.
    pub staleness_max: u32,
    /// Most bytes of stored inputs at once, so far.
    pub stored_input_peak_bytes: u64,
    /// Mean prediction error so far; `None` if nothing was measured.
    pub prediction_gain: Option<f64>,
}

impl fmt::Display for EpochReport {
    /// `epoch  12  step    276  train loss 0.0412  test accuracy 98.61 %    6,171 images/s  busy 94 %, 86 %`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shares = self.workers.iter();
        let busy: Vec<_> = shares.map(|worker| percent(Some(worker.busy_share), 0)).collect();
        write!(
            f,
            "epoch {:>3}  step {:>6}  train loss {:.4}  test accuracy {:>7}  {:>7} images/s  busy {}",
            self.epoch,
            self.step,
            self.train_loss,
            percent(Some(self.test_accuracy), 2),
            rate(self.images_per_second),
            busy.join(", "),
        )
    }
}

impl fmt::Display for Event {
    /// A line for people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::Started(started) => write!(
                f,
                "training {} with {} ({}) on {} workers, {} steps",
                started.settings.model.name,
                started.method(),
                started.order(),
                started.program.modules(),
                started.steps,
            ),
            Event::Step(step) => write!(f, "epoch {}, step {}: loss {:.4}", step.epoch, step.step, step.loss),
            Event::Program(run) => write!(f, "{} batches trained", run.done + u64::from(run.program.batches)),
            Event::Evaluated(step, evaluation) => write!(
                f,
                "step {step}: test loss {:.4}, test accuracy {}",
                evaluation.loss,
                percent(Some(evaluation.accuracy), 2),
            ),
            Event::Epoch(epoch) => epoch.fmt(f),
            Event::Weights(snapshot) => write!(f, "weights after epoch {}", snapshot.epoch()),
            Event::Checkpoint(checkpoint) => {
                let why = checkpoint.state().why;
                write!(f, "checkpoint after {} batches ({why})", checkpoint.step())
            }
            Event::Ended(summary) => write!(f, "{} after {} epochs", summary.end, summary.epochs),
        }
    }
}

/// Whoever follows a training. A closure of events is one.
pub trait Subscriber: Send {
    /// Takes note of an event. Called from the thread that trains, and for steps from that of the last worker, one event at a
    /// time; training goes on when it returns.
    ///
    /// # Errors
    ///
    /// What makes going on pointless, such as a file that cannot be written: it ends the run with
    /// [`TrainError::Subscriber`](crate::TrainError::Subscriber).
    fn event(&mut self, event: &Event) -> Result<(), BoxError>;
}

impl<F: FnMut(&Event) + Send> Subscriber for F {
    fn event(&mut self, event: &Event) -> Result<(), BoxError> {
        self(event);
        Ok(())
    }
}
