//! Programs that no method makes, but somebody might write.

use crate::common;
use dtrp_core::analysis::analyse;
use dtrp_core::schedule::Program;
use proptest::prelude::*;
use proptest::sample::Index;
use std::num::NonZeroUsize;

/// Programs of up to these sizes whose actions have been moved wherever the analysis allows: sends that are put off, receives
/// long before their time, forwards ahead of all others.
pub(crate) fn programs(modules: usize, batches: u32, micro: u16) -> impl Strategy<Value = Program> {
    let moves = proptest::collection::vec((any::<Index>(), any::<Index>(), -8..8isize), 0..24);
    let made = common::programs(modules, batches, micro);
    (made, moves).prop_map(|((_, _, mut program), moves)| {
        for (worker, from, by) in moves {
            let worker = worker.index(program.modules());
            if !program.workers[worker].is_empty() {
                let from = from.index(program.workers[worker].len());
                shift(&mut program, worker, from, by);
            }
        }
        program
    })
}

/// Moves an action as far as the program stays right, and `by` places at most.
fn shift(program: &mut Program, worker: usize, from: usize, by: isize) {
    let mut at = from;
    for _ in 0..by.unsigned_abs() {
        let to = at.wrapping_add_signed(by.signum());
        if to >= program.workers[worker].len() {
            return;
        }
        program.workers[worker].swap(at, to);
        if analyse(program, NonZeroUsize::MIN).is_err() {
            program.workers[worker].swap(at, to);
            return;
        }
        at = to;
    }
}
