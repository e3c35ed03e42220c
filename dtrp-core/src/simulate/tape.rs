//! A worker's list in the form that the walk reads: compact steps, the slots of a sweep made explicit, and the section
//! that repeats itself batch after batch.

use crate::schedule::{Action, Op, Order, Program, Slots};
use std::ops::Range;

/// What a step does: an [`Op`], told apart by what it costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    Forward,
    /// A forward, with or without graph, whose weights are predicted at least one update ahead.
    Predicted,
    Recompute,
    Backward,
    Update,
    SendY,
    RecvY,
    SendD,
    RecvD,
    /// Waits until every worker is at its barrier.
    Barrier,
}

impl Kind {
    /// The kinds that compute come first: so many.
    pub(super) const COMPUTE: usize = 5;

    fn of(action: &Action) -> Self {
        match action.op {
            Op::Forward | Op::ForwardGraph if action.is_ahead() => Kind::Predicted,
            Op::Forward | Op::ForwardGraph => Kind::Forward,
            Op::Recompute => Kind::Recompute,
            Op::Backward => Kind::Backward,
            Op::Update => Kind::Update,
            Op::SendY => Kind::SendY,
            Op::RecvY => Kind::RecvY,
            Op::SendD => Kind::SendD,
            Op::RecvD => Kind::RecvD,
        }
    }

    pub(super) fn is_first_forward(self) -> bool {
        matches!(self, Kind::Forward | Kind::Predicted)
    }
}

/// One step of a tape; 8 bytes, because a big run has tens of millions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) kind: Kind,
    /// From 1, also where batches are not split.
    pub(super) micro: u16,
    /// From 1; 0 for a barrier.
    pub(super) batch: u32,
}

const BARRIER: Step = Step {
    kind: Kind::Barrier,
    micro: 0,
    batch: 0,
};

impl Step {
    /// The same step `batches` batches later.
    fn later(self, batches: u32) -> Self {
        match self.kind {
            Kind::Barrier => self,
            _ => Self {
                batch: self.batch.saturating_add(batches),
                ..self
            },
        }
    }
}

/// The steps of one worker.
#[derive(Debug)]
pub(super) struct Tape {
    pub(super) steps: Vec<Step>,
    /// Where the steps repeat themselves, if they do.
    pub(super) section: Option<Section>,
}

impl Tape {
    /// How many of these steps are actions: all but the barriers.
    pub(super) fn actions(&self, steps: Range<usize>) -> usize {
        let steps = self.steps[steps].iter();
        steps.filter(|s| s.kind != Kind::Barrier).count()
    }
}

/// The part of a tape where step i + `block` is step i, `batches` batches later: between fill and drain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Section {
    /// The first step of the section.
    pub(super) start: usize,
    /// One past its last step.
    pub(super) end: usize,
    /// Steps in a block.
    pub(super) block: usize,
    /// Batches in a block: 1, or M where gradients are accumulated over M batches.
    pub(super) batches: u32,
    /// Where a longer program has more blocks: before this step, the last block again, so many times.
    pub(super) insert: usize,
}

/// The tapes of all workers.
pub(super) fn tapes(program: &Program) -> Vec<Tape> {
    let group = group(program);
    let mut steps = match program.order {
        Order::Sweep => with_barriers(program),
        _ => program.workers.iter().map(|w| plain(w)).collect(),
    };
    let tape = |steps: Vec<Step>| Tape {
        section: section(&steps, program, group),
        steps,
    };
    steps.drain(..).map(tape).collect()
}

fn step(action: &Action) -> Step {
    Step {
        kind: Kind::of(action),
        micro: action.unit.micro.max(1),
        batch: action.unit.batch,
    }
}

fn plain(actions: &[Action]) -> Vec<Step> {
    actions.iter().map(step).collect()
}

/// The sweep order is forward-locked: all workers wait until the slot's batch has passed through all modules, then all do
/// their backward, and the next slot begins when the last of them is done. So there are two barriers in a slot:
///
/// ```text
/// worker 1   F4 · · | B2 U |          slot 4 of `ddg`, K = 3
/// worker 2   · F4 · | B3 U |
/// worker 3   · · G4 | B4 U |
/// ```
fn with_barriers(program: &Program) -> Vec<Vec<Step>> {
    let slots = Slots::of(program);
    let worker = |(k, actions): (usize, &Vec<Action>)| {
        let mut steps = Vec::with_capacity(actions.len() + 2 * slots.count() as usize);
        let mut phase = 2;
        for (index, action) in actions.iter().enumerate() {
            let forward = action.op.is_first_forward() || matches!(action.op, Op::SendY | Op::RecvY);
            let due = 2 * slots.slot(k, index) + u32::from(!forward);
            while phase < due {
                steps.push(BARRIER);
                phase += 1;
            }
            steps.push(step(action));
        }
        let rest = (2 * slots.count() + 1).saturating_sub(phase);
        steps.extend(std::iter::repeat_n(BARRIER, rest as usize));
        steps
    };
    (1..).zip(&program.workers).map(worker).collect()
}

/// For how many batches there is one update: the distance of two updates of worker 1, the last one (which may apply the
/// rest of a group) left aside.
fn group(program: &Program) -> Option<u32> {
    let updates = program.workers.first()?.iter().rev();
    let mut updates = updates.filter(|a| a.op == Op::Update).skip(1);
    let (later, earlier) = (updates.next()?, updates.next()?);
    later
        .unit
        .batch
        .checked_sub(earlier.unit.batch)
        .filter(|group| *group > 0)
}

/// Finds the section around the forwards of the last batches: two blocks of `group` batches that are alike, in which as
/// much is back-propagated as is forwarded, so that the worker could go on like that for ever.
fn section(steps: &[Step], program: &Program, group: Option<u32>) -> Option<Section> {
    let batches = group?;
    let last = program.batches;
    let from = last.checked_sub(2 * batches).filter(|b| *b > 0)?;
    let first_forward = |batch: u32| {
        let begins = |s: &Step| s.kind.is_first_forward() && s.micro == 1 && s.batch == batch;
        steps.iter().rposition(begins)
    };
    let (a, b, c) = (
        first_forward(from)?,
        first_forward(from + batches)?,
        first_forward(last)?,
    );
    let block = c.checked_sub(b).filter(|block| *block > 0)?;
    let repeats = |i: usize| steps.get(i + block).is_some_and(|s| *s == steps[i].later(batches));
    if a + block != b || !(a..b).all(repeats) {
        return None;
    }
    let count = |wanted: fn(Kind) -> bool| steps[b..c].iter().filter(|s| wanted(s.kind)).count();
    let forwards = count(Kind::is_first_forward);
    if forwards != count(|kind| kind == Kind::Backward) || count(|kind| kind == Kind::Update) != 1 {
        return None;
    }
    let start = (0..a).rev().find(|i| !repeats(*i)).map_or(0, |differs| differs + 1);
    let end = (b..).find(|i| !repeats(*i)).unwrap_or(b) + block;
    Some(Section {
        start,
        end,
        block,
        batches,
        insert: c,
    })
}
