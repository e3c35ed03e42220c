//! Networks: blocks as functions of (parameter views, input), modules as runs of blocks, parameters as views of an arena.

mod arena;
mod block;
mod initial;
mod module;
mod precision;
mod sequence;

pub use arena::{Arena, ArenaLayout};
pub use block::{
    Block, BlockSpec, BufferId, BufferSpec, Keep, ListBlock, Mode, ParamId, ParamSpec, Pass, Role, Scope, Start, Vars,
};
pub use initial::{Given, Init};
pub use module::Module;
pub use precision::{Dtype, Precision, allow_tf32};
pub use sequence::Join;

pub(super) use arena::copy;
