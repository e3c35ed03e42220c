//! The training methods that are here, one file each. Each is a pure function from a [`Plan`](super::Plan) to the
//! computations of every worker; the passes that all of them share add messages, weight versions and horizons.
//!
//! To add one: write a file like `bp.rs`, with one [`Method`] constant, and name it in [`BUILT_IN`].

mod bp;
mod ddg;
mod dsp;
mod dtrp;
mod fdg;
mod features_replay;
mod gpipe;
mod local;
mod one_forward_one_backward;
mod pipedream;
mod spectrain;

use super::method::Method;

/// In the order in which they are listed, plain backpropagation first.
pub(super) static BUILT_IN: [&Method; 11] = [
    &bp::METHOD,
    &gpipe::METHOD,
    &one_forward_one_backward::METHOD,
    &ddg::METHOD,
    &features_replay::METHOD,
    &fdg::METHOD,
    &dsp::METHOD,
    &dtrp::METHOD,
    &pipedream::METHOD,
    &spectrain::METHOD,
    &local::METHOD,
];
