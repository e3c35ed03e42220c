//! The stage that trains with libtorch. Knows nothing of schedules.
//!
//! All parameters of a module are views into one flat tensor, its [`Arena`]; so are gradients and the optimizer's state.
//! Which weights a pass uses is which arena it is given. [`TorchStage`] ties it together as the engine's
//! [`Stage`](crate::engine::Stage).

mod apply;
mod arena;
mod batch;
mod block;
mod device;
mod error;
mod evaluate;
mod fault;
mod initial;
mod lane;
mod learning_rate;
mod loss;
mod losses;
mod message;
mod module;
mod optimizer;
mod precision;
mod prediction;
mod probe;
mod readback;
mod shim;
mod stage;
mod versions;
mod worker;

pub use arena::{Arena, Layout};
pub use batch::{Activation, Input, LossEvent, Source};
pub use block::{Block, BlockSpec, BufferId, BufferSpec, Mode, ParamId, ParamSpec, Pass, Role, Scope, Vars};
pub use device::{DeviceMemory, OnSynchronize};
pub use error::TorchError;
pub use evaluate::{Evaluation, evaluate};
pub use fault::{GpuFault, OutOfMemory};
pub use initial::Init;
pub use learning_rate::{Curve, LearningRate, RateError, Rescale, Warmup};
pub use loss::Loss;
pub use message::{Message, Upload};
pub use module::Module;
pub use optimizer::{Adam, Optimizer, Sgd};
pub use precision::{Precision, allow_tf32};
pub use prediction::{Forecaster, Gain};
pub use readback::HostReads;
pub use shim::{build_information, flush_denormals, parallel_information};
pub use stage::{Metrics, StageOptions, TorchStage};
pub use worker::Worker;
