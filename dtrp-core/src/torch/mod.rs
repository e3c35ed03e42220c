//! The stage that trains with libtorch. Knows nothing of methods.
//!
//! | room | holds |
//! |---|---|
//! | `network` | blocks, modules, and the flat tensors ([`Arena`]) that their parameters are views of |
//! | `operators` | any operator of libtorch, by name |
//! | `saved` | tensors and numbers as files keep them |
//! | `device` | streams, messages and backward threads of a GPU; on a CPU they are nothing |
//! | `group` | workers in several processes: how they meet, what they send each other, how all end together |
//! | `optimizer` | optimizers on flat tensors, and learning-rate schedules |
//! | `prediction` | predicted weights, and probes of what they are worth |
//! | `stage` | [`TorchStage`], which ties it together as the engine's [`Stage`](crate::engine::Stage); losses, evaluation, saving |
//!
//! All parameters of a module are views into one flat tensor, its [`Arena`]; so are gradients and the optimizer's state.
//! Which weights a pass uses is which arena it is given. Rooms use those above them in this table, and the shim.

mod device;
mod error;
pub mod group;
mod network;
mod operators;
mod optimizer;
mod prediction;
mod saved;
mod shim;
mod stage;

pub use device::{DeviceMemory, DeviceRoom, GpuFault, HostReads, Message, OnSynchronize, OutOfMemory, Upload};
pub use error::TorchError;
pub use network::{
    Arena, ArenaLayout, Block, BlockSpec, BufferId, BufferSpec, Dtype, Given, Init, Join, Keep, ListBlock, Mode,
    Module, ParamId, ParamSpec, Pass, Precision, Role, Scope, Start, Vars, allow_tf32,
};
pub use operators::{Argument, Operator, Returned, Signature, Value};
pub use optimizer::{Adam, Curve, LearningRate, Optimizer, OptimizerMemory, RateError, Rescale, Sgd, Warmup};
pub use prediction::{Forecaster, Gain, PredictorFacts, ProbeFacts};
pub use saved::{Exact, SavedTensor, Tensors};
pub use shim::{build_information, flush_denormals, parallel_information};
pub use stage::{
    Activation, ActivationFacts, CrossEntropy, Evaluation, FlightFacts, GradientFacts, Gradients, GraphFacts, Input,
    Loss, LossEvent, ModuleFacts, OnOutput, OptimizerFacts, SavedStage, SavedTensors, Source, StageFacts, StageMetrics,
    StageOptions, TorchStage, WorkerThread, evaluate, evaluate_among, evaluate_with,
};
