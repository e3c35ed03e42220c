//! The cuts at which a program can pause, all of them.

use crate::analysis::Cuts;
use crate::schedule::Program;

/// The cuts of a program from batch 1 on, up to the last one that is not its end.
#[derive(Debug, Default)]
pub(super) struct CutTable {
    modules: usize,
    /// For every batch the positions of all workers.
    positions: Vec<usize>,
}

impl CutTable {
    pub(super) fn of_program(program: &Program) -> Self {
        let ends: Vec<_> = program.workers.iter().map(Vec::len).collect();
        Self {
            modules: program.modules(),
            positions: Cuts::new(program).take_while(|cut| *cut != ends).flatten().collect(),
        }
    }

    /// For each worker how many actions it has done at the cut of this batch; nothing for a batch whose cut is no place to
    /// pause at.
    pub(super) fn of(&self, batch: u32) -> Option<&[usize]> {
        let begin = (batch as usize).checked_sub(1)? * self.modules;
        self.positions
            .get(begin..begin + self.modules)
            .filter(|cut| !cut.is_empty())
    }
}
