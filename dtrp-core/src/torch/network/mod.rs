//! Networks: blocks as functions of (parameter views, input), modules as runs of blocks, parameters as views of an arena.

mod arena;
mod block;
mod initial;
mod module;
mod precision;
mod sequence;

pub use arena::{Arena, ArenaLayout};
pub use block::{Block, BlockSpec, BufferId, BufferSpec, ListBlock, Mode, ParamId, ParamSpec, Pass, Role, Scope, Vars};
pub use initial::Init;
pub use module::Module;
pub use precision::{Dtype, Precision, allow_tf32};

pub(super) use arena::copy;
