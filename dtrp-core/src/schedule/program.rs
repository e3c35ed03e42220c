//! A program: for each worker, the finite list of its actions for N batches.

use super::action::{Action, Op};
use dtrp_text::words;
use std::fmt;

/// How a method arranges its actions in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Order {
    /// A slot holds one backward and one forward of every worker; a message arrives one slot later.
    Lockstep,
    /// One forward, one backward in turn, each as soon as its message is there.
    Eager,
    /// All workers finish a batch before the next one starts.
    Synchronous,
    /// A slot holds the forward of one batch through all modules, then one backward of every worker.
    Sweep,
}

words!(Order, "order", [Lockstep "lockstep", Eager "eager", Synchronous "synchronous", Sweep "sweep"]);

/// What every worker does, action by action.
///
/// `Display` writes the text form and `FromStr` reads it (see `docs/schedules.md`); [`Program::table`] draws it with
/// slots down and workers across.
#[derive(Clone, PartialEq, Eq)]
pub struct Program {
    /// The name of the method that made it (any single word, for a program written by hand).
    pub method: String,
    /// How its actions are arranged.
    pub order: Order,
    /// N, the number of batches, numbered from 1.
    pub batches: u32,
    /// m, the number of micro-batches in a batch; 1 means that batches are not split.
    pub micro_batches: u16,
    /// The actions of worker k = 1..K at index k−1.
    pub workers: Vec<Vec<Action>>,
}

impl Program {
    /// K, the number of modules and of workers.
    pub fn modules(&self) -> usize {
        self.workers.len()
    }

    /// Actions of all workers together.
    pub fn len(&self) -> usize {
        self.workers.iter().map(Vec::len).sum()
    }

    /// Whether no worker has anything to do.
    pub fn is_empty(&self) -> bool {
        self.workers.iter().all(Vec::is_empty)
    }

    /// Whether worker `worker` (from 1) has a loss of its own: below the last worker, one that waits for no gradient.
    pub fn has_own_loss(&self, worker: usize) -> bool {
        worker < self.modules() && self.count(worker, Op::RecvD) == 0
    }

    /// How many actions of this kind worker `worker` (from 1) has.
    pub fn count(&self, worker: usize, op: Op) -> usize {
        self.workers[worker - 1].iter().filter(|a| a.op == op).count()
    }
}

impl fmt::Debug for Program {
    /// The text form: thousands of nested structs would help nobody who reads a failed assertion.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
