//! Decoupled training as a library: a network and data in, events and trained weights out.
//!
//! A [`Training`] describes what is to be trained, with a default for everything; [`Training::build`] proves all that can be
//! proven before a thread starts and gives a [`Trainer`]; [`Trainer::fit`] trains, and tells every [`Event`] to whoever
//! listens. This is a whole program:
//!
//! ```
#![doc = include_str!("../examples/digits.rs")]
//! ```
//!
//! ```text
//! Training ─ build ─> Trainer ─ fit ─> Event, Event, … ─> subscribers (yours)
//!    │                   │
//! Settings            stages over a program
//! ```
//!
//! There is no file format of a configuration here, no terminal and no folder of results: the `dtrp` program is made of
//! this crate and adds them. [`settings::Settings`] is what its YAML deserialises into.
//!
//! Networks come from [`models::build`] or are blocks of your own, data from [`Data::open`] or any iterator, losses and
//! optimizers may be objects of your own; networks, data sets and predictors of your own can be registered under names
//! ([`models::Family`], [`datasets::DatasetInfo`], [`predictors::Registration`]). `examples/` shows each, and `docs/library.md`
//! how a program of your own begins.

mod answers;
mod assembly;
mod data;
mod error;
mod events;
mod key;
mod measure;
mod optimizers;
pub mod settings;
mod stop;
mod trainer;
mod training;
mod unused;

pub use answers::{Answer, Answers, Confusion, Model, Part, Predictions, Sample};
pub use assembly::{Length, OptimizerContext, OptimizerFactory, parse_program, read_program, why_no_gpu};
pub use data::Data;
pub use error::{BoxError, CheckpointError, Place, Result, TrainError};
pub use events::{
    Checkpoint, CheckpointState, Compensation, End, Environment, EpochReport, Event, FileFacts, GpuSummary,
    HostReadsSummary, InProgram, Keeper, LATEST, MailFacts, Newest, Plugin, PredictorIdentity, ProgramRun, Results,
    RunPosition, Snapshot, Started, StepReport, Subscriber, Summary, Tally, Why, WorkerMemory, WorkerReport,
    WorkerSummary, peak_rss_bytes,
};
pub use measure::{RangeEnd, RateCurve, RatePoint, RateRange, best_cuts};
pub use optimizers::{Adam, AdamW, Constant, Cosine, Exponential, MultiStep, Optimize, Rate, Sgd};
pub use settings::{Cuts, Settings};
pub use stop::Stop;
pub use trainer::{ModulePlan, Rehearsal, RunPlan, Trainer};
pub use training::Training;
pub use unused::Unused;

pub use dtrp_core::{schedule, torch};

/// Whether a worker or a plug-in of this process has never come back from what it was doing. Its thread goes on for as long
/// as the process, so that what usually comes at the end of one may hang or crash: write what is to be written, and call
/// [`predictors::loader::end`].
pub fn left_behind() -> bool {
    dtrp_core::engine::left_behind() || dtrp_predictors::loader::left_behind()
}

pub use dtrp_data::{DataSpec, ImageShape};
pub use dtrp_models::{ModelInput, Network};
// The crates below, so that a program needs this one alone, and the `tch` that it uses is the one that its blocks speak to.
#[doc(no_inline)]
pub use dtrp_data as datasets;
#[doc(no_inline)]
pub use dtrp_models as models;
#[doc(no_inline)]
pub use dtrp_predictors as predictors;
#[doc(no_inline)]
pub use tch;

/// The page for who trains from Rust; its programs are run with the tests of the documentation.
#[cfg(doctest)]
#[doc = include_str!("../../docs/library.md")]
pub struct Page;
