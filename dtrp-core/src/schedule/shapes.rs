//! The arrangements that methods are made of. Each lays out the computations of worker k = 1..K at index k−1 for a plan with
//! at least one module; a method is mostly one call of one of them.

use super::action::{Action, Op, Unit};
use super::plan::{Plan, Recompute};

/// The computations of one worker, appended one by one.
#[derive(Debug, Clone)]
pub struct Computations<'a> {
    plan: &'a Plan,
    actions: Vec<Action>,
}

impl<'a> Computations<'a> {
    /// Nothing yet.
    pub fn new(plan: &'a Plan) -> Self {
        Self {
            plan,
            actions: Vec::new(),
        }
    }

    /// Appends a computation.
    pub fn push(&mut self, op: Op, unit: Unit) {
        self.actions.push(Action::new(op, unit));
    }

    /// The backward of a unit, by way of a recomputation if the worker recomputes, and the update where one is due:
    /// after the last micro-batch of the last batch of every group of M.
    pub fn backward(&mut self, unit: Unit, recompute: bool) {
        if recompute {
            self.push(Op::Recompute, unit);
        }
        self.push(Op::Backward, unit);
        let last_micro = unit.micro == 0 || unit.micro == self.plan.micro_batches;
        let group_ends = unit.batch.is_multiple_of(self.plan.accumulate) || unit.batch == self.plan.batches;
        if last_micro && group_ends {
            self.push(Op::Update, Unit::batch(unit.batch));
        }
    }

    /// All of them.
    pub fn done(self) -> Vec<Action> {
        self.actions
    }
}

/// The parts that travel on their own, in order: batches, or the micro-batches of all batches.
pub fn units(plan: &Plan) -> Vec<Unit> {
    match plan.micro_batches {
        1 => (1..=plan.batches).map(Unit::batch).collect(),
        m => (1..=plan.batches)
            .flat_map(|batch| (1..=m).map(move |micro| Unit::micro(batch, micro)))
            .collect(),
    }
}

/// What the workers below the last do with a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// `F`, then `R B`: only the input is kept.
    Input,
    /// `G`, then `B`: the graph is kept.
    Graph,
}

impl Keep {
    /// What worker `k` keeps, where the plan says so; else this.
    fn of(self, plan: &Plan, k: usize) -> Self {
        match plan.recompute.get(k - 1) {
            Some(Recompute::Full) => Self::Input,
            Some(Recompute::None) => Self::Graph,
            None => self,
        }
    }

    fn first_forward(self, last: bool) -> Op {
        if last || self == Keep::Graph {
            Op::ForwardGraph
        } else {
            Op::Forward
        }
    }

    fn recomputes(self, last: bool) -> bool {
        !last && self == Keep::Input
    }
}

/// Every worker is `lag(k)` units ahead of its backward: in each step a backward of unit i − lag, and a forward of unit
/// i, in the order given. All the delayed methods are this with another lag. Workers keep what the plan says, and `keep` where
/// it says nothing.
///
/// ```text
/// lag 2, backward first:   F1 · F2 · B1 F3 · B2 F4 · B3 · B4
/// lag 1, forward first:    F1 · F2 B1 · F3 B2 · F4 B3 · B4
/// ```
pub fn staggered(
    plan: &Plan,
    keep: Keep,
    lag: impl Fn(usize) -> usize,
    backward_first: impl Fn(usize) -> bool,
) -> Vec<Vec<Action>> {
    let units = units(plan);
    let worker = |k: usize| {
        let last = k == plan.modules;
        let lag = lag(k);
        let keep = keep.of(plan, k);
        let mut worker = Computations::new(plan);
        for step in 0..units.len() + lag {
            let due = step.checked_sub(lag).map(|i| units[i]);
            if backward_first(k)
                && let Some(unit) = due
            {
                worker.backward(unit, keep.recomputes(last));
            }
            if let Some(unit) = units.get(step) {
                worker.push(keep.first_forward(last), *unit);
            }
            if !backward_first(k)
                && let Some(unit) = due
            {
                worker.backward(unit, keep.recomputes(last));
            }
        }
        worker.done()
    };
    (1..=plan.modules).map(worker).collect()
}

/// The published order: a unit comes back to worker k after 2(K−k) slots, and a slot is backward, then forward (forward,
/// then backward at the last worker, for which both are of the same unit).
pub fn lockstep(plan: &Plan, keep: Keep) -> Vec<Vec<Action>> {
    let modules = plan.modules;
    staggered(plan, keep, |k| 2 * (modules - k), |k| k < modules)
}

/// One forward, one backward: forwards of the first K−k+1 units, then backward and forward in turn.
pub fn eager(plan: &Plan, keep: Keep) -> Vec<Vec<Action>> {
    let modules = plan.modules;
    staggered(plan, keep, |k| modules - k, |_| false)
}

/// A forward of every unit through all modules in turn; the backwards of worker k run K−k batches late.
pub fn sweep(plan: &Plan, keep: Keep) -> Vec<Vec<Action>> {
    let modules = plan.modules;
    staggered(plan, keep, |k| modules - k, |_| false)
}

/// Batch by batch with an empty pipeline between them; inside a batch worker k is at most `lag(k)` micro-batches ahead of
/// its backward.
pub fn flushed(plan: &Plan, lag: impl Fn(usize) -> usize) -> Vec<Vec<Action>> {
    let units = units(plan);
    let worker = |k: usize| {
        let mut worker = Computations::new(plan);
        for batch in units.chunks(usize::from(plan.micro_batches)) {
            let lag = lag(k).min(batch.len() - 1);
            for step in 0..batch.len() + lag {
                if let Some(unit) = batch.get(step) {
                    worker.push(Op::ForwardGraph, *unit);
                }
                if let Some(due) = step.checked_sub(lag) {
                    worker.backward(batch[due], false);
                }
            }
        }
        worker.done()
    };
    (1..=plan.modules).map(worker).collect()
}
