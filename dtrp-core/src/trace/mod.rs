//! What happens when: one vocabulary for planned, simulated and executed runs.
//!
//! A run records a [`Trace`]. Its *logical* part (what ran, in order) equals the program and is the same on every
//! machine; its *timed* part adds wall time. A [`Timeline`] holds the events of a plan, a simulation or a run, and writes
//! them as Chrome/Perfetto JSON ([`Timeline::to_chrome`]), which [`Timeline::from_chrome`] reads back, or as an SVG Gantt
//! chart ([`Timeline::to_svg`]).
//!
//! Knows nothing of tensors or threads.

mod chrome;
mod plan;
mod read;
mod record;
mod svg;
mod timeline;

pub use read::ChromeError;
pub use record::{Event, Recorder, Recording, Trace};
pub use timeline::{Message, TimeUnit, Timeline};
