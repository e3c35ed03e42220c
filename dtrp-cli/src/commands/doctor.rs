//! `dtrp doctor`.
use crate::error::Error;
pub(crate) fn run() -> Result<(), Error> { Ok(()) }
