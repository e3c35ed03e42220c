//! From a configuration to a trained network.
//!
//! [`Data`] opens what is trained on, [`Trainer`] holds the network as stages and knows how to run programs on them,
//! [`epochs::train`] is the loop over them.

mod data;
mod device;
mod epochs;
mod parts;
mod plan;
mod rate;
mod source;
mod stop;
mod tally;
mod trainer;

pub(crate) use data::Data;
pub(crate) use device::why_not;
pub(crate) use epochs::train;
pub(crate) use plan::describe;
pub(crate) use stop::Stop;
pub(crate) use tally::Tally;
pub(crate) use trainer::Trainer;
