//! What happens, in which order: programs as data and the methods that make them.
//!
//! Knows nothing of time, tensors or threads.

mod action;
mod builder;
mod json;
pub mod methods;
mod passes;
mod program;
mod slots;
mod table;
mod text;

pub use action::{Action, ActionParseError, Op, Unit};
pub use builder::{Bp, Ddg, Dsp, Dtrp, Fdg, FeaturesReplay, Gpipe, Local, OneForwardOneBackward, Pipedream, Spectrain};
pub use json::JsonError;
pub use methods::{Method, Plan, ScheduleError};
pub use program::{Order, Program};
pub use slots::Slots;
pub use text::TextError;
