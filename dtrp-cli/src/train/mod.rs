//! From a configuration to a trained network.
//!
//! [`Data`] opens what is trained on, [`Trainer`] holds the network as stages and knows how to run programs on them,
//! [`epochs::train`] is the loop over them.

mod compensation;
mod cuts;
mod data;
mod device;
mod epochs;
mod parts;
mod plan;
mod profile;
mod programs;
mod rate;
mod source;
mod stop;
mod tally;
mod trainer;

pub(crate) use compensation::{Compensation, compensate};
pub(crate) use cuts::place as place_cuts;
pub(crate) use data::Data;
pub(crate) use device::why_not;
pub(crate) use epochs::train;
pub(crate) use parts::optimizer;
pub(crate) use plan::describe;
pub(crate) use profile::profile;
pub(crate) use stop::Stop;
pub(crate) use tally::Tally;
pub(crate) use trainer::Trainer;
