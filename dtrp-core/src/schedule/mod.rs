//! What happens, in which order: programs as data and the methods that make them.
//!
//! Knows nothing of time, tensors or threads.

mod action;
mod builder;
mod error;
mod json;
mod method;
mod methods;
mod passes;
mod plan;
mod program;
pub mod shapes;
mod slots;
mod table;
mod text;

pub use action::{Action, ActionParseError, Op, Unit};
pub use builder::{Bp, Ddg, Dsp, Dtrp, Fdg, FeaturesReplay, Gpipe, Local, OneForwardOneBackward, Pipedream, Spectrain};
pub use error::ScheduleError;
pub use json::JsonError;
pub use method::Method;
pub use passes::Predict;
pub use plan::{Plan, Recompute, Schedule};
pub use program::{Order, Program};
pub use slots::Slots;
pub use text::TextError;
