//! Where a program can be interrupted.

use crate::schedule::{Action, Op, Program};

/// The cut of a batch: for each worker the number of its first actions that belong to the least *consistent* prefix of the
/// program in which every worker has done all its `B` and `U` of batches up to `batch` (numbered from 1).
///
/// Consistent means that whatever has been received has been sent: for each `<Y` and `<D` of a prefix the neighbour's prefix
/// has the `>Y` or `>D`. The reverse need not hold; what was sent and not received is in transit, and belongs to the state at
/// the cut. (K. M. Chandy, L. Lamport: *Distributed Snapshots: Determining Global States of Distributed Systems*, ACM
/// Transactions on Computer Systems 3(1), 1985.)
///
/// The cut of batch 0 is the beginning, that of the last batch the end of all lists. The program must be one that
/// [`analyse`](super::analyse) finds right; of another one the result is within the lists, and means nothing. Takes a time that
/// grows with the prefix; for all batches use [`Cuts`].
///
/// ```
/// use dtrp_core::analysis::cut_after;
/// use dtrp_core::schedule::Dtrp;
///
/// let program = Dtrp::new(2).batches(3).program()?;
/// let cut = cut_after(&program, 1);
/// assert_eq!(program.workers[0][cut[0] - 1].to_string(), "U1@1");
/// assert_eq!(program.workers[1][cut[1] - 1].to_string(), "U1@1");
/// # Ok::<(), dtrp_core::schedule::ScheduleError>(())
/// ```
pub fn cut_after(program: &Program, batch: u32) -> Vec<usize> {
    let mut cuts = Cuts::new(program);
    cuts.advance(batch);
    cuts.positions()
}

/// The cuts of all batches of a program, from batch 1 to the last: what [`cut_after`] gives for each. All of them together
/// take a time that grows with the length of the program.
#[derive(Debug, Clone)]
pub struct Cuts<'a> {
    program: &'a Program,
    batch: u32,
    workers: Vec<Prefix<'a>>,
    /// Indices of workers whose prefixes may lack something.
    growing: Vec<usize>,
}

/// The prefix of one worker, what it has sent and received, and what the neighbours want of it.
#[derive(Debug, Clone)]
struct Prefix<'a> {
    actions: &'a [Action],
    position: usize,
    sent: Messages,
    received: Messages,
    /// So many messages must have been sent.
    wanted: Messages,
    /// So many actions must belong to it.
    at_least: usize,
    /// Batch and index of every `B` and `U`, by batch, and how many of them have been looked at.
    marks: Vec<(u32, usize)>,
    looked_at: usize,
}

/// Numbers of messages. Links deliver in the order in which was sent, so the n-th receive is that of the n-th send.
#[derive(Debug, Clone, Copy, Default)]
struct Messages {
    up: usize,
    down: usize,
}

impl<'a> Cuts<'a> {
    /// The cuts of this program.
    pub fn new(program: &'a Program) -> Self {
        Self {
            program,
            batch: 0,
            workers: program.workers.iter().map(|actions| Prefix::new(actions)).collect(),
            growing: Vec::new(),
        }
    }

    fn positions(&self) -> Vec<usize> {
        self.workers.iter().map(|worker| worker.position).collect()
    }

    /// Grows the prefixes to the cut of this batch.
    fn advance(&mut self, batch: u32) {
        self.batch = batch;
        for (index, worker) in self.workers.iter_mut().enumerate() {
            worker.mark(batch);
            self.growing.push(index);
        }
        while let Some(index) = self.growing.pop() {
            self.grow(index);
        }
    }

    /// Grows one prefix by what is wanted of it. What it receives on the way is wanted of its neighbours.
    fn grow(&mut self, index: usize) {
        while let Some(op) = self.workers[index].step() {
            let Messages { up, down } = self.workers[index].received;
            match op {
                Op::RecvY if index > 0 => {
                    self.workers[index - 1].wanted.up = up;
                    self.growing.push(index - 1);
                }
                Op::RecvD if index + 1 < self.workers.len() => {
                    self.workers[index + 1].wanted.down = down;
                    self.growing.push(index + 1);
                }
                _ => {}
            }
        }
    }
}

impl Iterator for Cuts<'_> {
    /// For each worker the number of its actions before the cut.
    type Item = Vec<usize>;

    fn next(&mut self) -> Option<Vec<usize>> {
        if self.batch >= self.program.batches {
            return None;
        }
        self.advance(self.batch + 1);
        Some(self.positions())
    }
}

impl<'a> Prefix<'a> {
    fn new(actions: &'a [Action]) -> Self {
        let marks = actions.iter().enumerate();
        let marks = marks.filter(|(_, action)| matches!(action.op, Op::Backward | Op::Update));
        let mut marks: Vec<_> = marks.map(|(index, action)| (action.unit.batch, index)).collect();
        marks.sort_by_key(|(batch, _)| *batch);
        Self {
            actions,
            position: 0,
            sent: Messages::default(),
            received: Messages::default(),
            wanted: Messages::default(),
            at_least: 0,
            marks,
            looked_at: 0,
        }
    }

    /// Every `B` and `U` up to this batch must belong to it.
    fn mark(&mut self, batch: u32) {
        let rest = &self.marks[self.looked_at..];
        for (_, index) in rest.iter().take_while(|(of, _)| *of <= batch) {
            self.at_least = self.at_least.max(index + 1);
            self.looked_at += 1;
        }
    }

    /// Takes in the next action if it does not hold yet what must belong to it.
    fn step(&mut self) -> Option<Op> {
        let Messages { up, down } = self.sent;
        if self.position >= self.at_least && up >= self.wanted.up && down >= self.wanted.down {
            return None;
        }
        let op = self.actions.get(self.position)?.op;
        self.position += 1;
        match op {
            Op::SendY => self.sent.up += 1,
            Op::SendD => self.sent.down += 1,
            Op::RecvY => self.received.up += 1,
            Op::RecvD => self.received.down += 1,
            _ => {}
        }
        Some(op)
    }
}
