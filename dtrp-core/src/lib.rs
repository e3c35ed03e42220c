//! Decoupled training of neural networks: the scheduler and the engine.
//!
//! * [`schedule`] says what happens in which order: programs as data, and the methods that make them;
//! * [`analysis`] says whether a program is right, and what it costs in staleness and memory;
//! * [`costs`] says what it costs in time and bytes, for given blocks;
//! * [`simulate`] says when it would happen, over given costs;
//! * [`partition`] says where to cut a network for it;
//! * [`engine`] makes it happen: workers interpret a program over a [`engine::Stage`] and links;
//! * [`trace`] says what happened;
//! * `torch` (feature `torch`) is the stage that trains with libtorch.
//!
//! The data's way is straight: method → program → analysis → engine and stages → events → traces and metrics.

pub mod analysis;
pub mod costs;
pub mod engine;
pub mod partition;
pub mod schedule;
pub mod simulate;
pub mod trace;

#[cfg(feature = "torch")]
mod random;
#[cfg(feature = "torch")]
pub mod torch;

pub use inventory;
