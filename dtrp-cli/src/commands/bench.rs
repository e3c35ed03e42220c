//! `dtrp bench`.
use crate::{cli, error::Error};
pub(crate) fn run(_: &cli::Bench) -> Result<(), Error> { Ok(()) }
