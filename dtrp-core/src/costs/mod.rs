//! What does it cost? Time and bytes of a block, and from them of a module, of a worker, of a program.
//!
//! [`Costs`] hold what each block costs; [`ModuleCosts`] are the sums over the blocks of a module. A program's [`Load`] says
//! how often a worker does what; with the costs of its module that gives the time of a batch. [`Memory`] says what a worker
//! holds, by kind: the peak as its list has it, or a bound from the load. Which times an action takes
//! ([`ModuleCosts::action_ns`]) and which bytes there are (`Memory::at`) is said once, here.
//!
//! Knows nothing of tensors, threads or clocks.

mod block;
mod error;
mod load;
mod memory;
mod module;
mod share;

pub use block::{BlockCost, Costs};
pub use error::CostsError;
pub use load::Load;
pub use memory::Memory;
pub use module::ModuleCosts;

pub(crate) use module::Sums;
pub(crate) use share::Share;
