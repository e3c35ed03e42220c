//! What is wrong with a program, and where.

use crate::schedule::Program;

/// A fault in a program.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("worker {worker}, action {}: {message}\n{around}", index + 1)]
pub struct Fault {
    /// The worker, from 1.
    pub worker: usize,
    /// Index of the action in the worker's list; its length if something is missing at the end.
    pub index: usize,
    /// What is wrong.
    pub message: String,
    /// The actions around the place, with an arrow.
    pub around: String,
}

impl Fault {
    pub(crate) fn at(program: &Program, worker: usize, index: usize, message: impl Into<String>) -> Self {
        Self {
            worker,
            index,
            message: message.into(),
            around: around(program, worker, index),
        }
    }
}

/// A few actions of a worker around one of them, with an arrow under it.
pub(crate) fn around(program: &Program, worker: usize, index: usize) -> String {
    const BEFORE: usize = 6;
    const AFTER: usize = 4;
    let actions = program.workers.get(worker - 1).map_or(&[][..], Vec::as_slice);
    let from = index.saturating_sub(BEFORE);
    let to = actions.len().min(index + 1 + AFTER);
    let mut line = format!("  worker {worker}: ");
    let mut arrow = 0;
    if from > 0 {
        line.push_str("... ");
    }
    for (i, action) in actions.iter().enumerate().take(to).skip(from) {
        if i == index {
            arrow = line.len();
        }
        line.push_str(&format!("{action} "));
    }
    if index >= actions.len() {
        arrow = line.len();
        line.push_str("(end)");
    } else if to < actions.len() {
        line.push_str("...");
    }
    format!("{}\n{}^", line.trim_end(), " ".repeat(arrow))
}
