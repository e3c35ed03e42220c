//! A program that is ready to run, with what is known of it.

use super::cuts::CutTable;
use crate::analysis::{self, Fault, ProgramReport};
use crate::schedule::Program;
use std::num::NonZeroUsize;
use std::sync::Arc;

/// A program that was found right for links of this capacity, and where it can pause. Made once for a run, and kept over its
/// pauses: finding it out takes a time that grows with the program.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) program: Arc<Program>,
    pub(super) report: ProgramReport,
    pub(super) cuts: Arc<CutTable>,
    capacity: NonZeroUsize,
}

impl Prepared {
    /// To be run with pauses, or without.
    pub(super) fn new(program: &Program, capacity: NonZeroUsize, pauses: bool) -> Result<Self, Fault> {
        let report = analysis::analyse(program, capacity)?;
        let cuts = if pauses {
            CutTable::of_program(program)
        } else {
            CutTable::default()
        };
        Ok(Self {
            report,
            cuts: Arc::new(cuts),
            program: Arc::new(program.clone()),
            capacity,
        })
    }

    /// Whether the program was found right for links that hold no more than this.
    pub(super) fn holds_for(&self, capacity: NonZeroUsize) -> bool {
        self.capacity <= capacity
    }
}
