//! In which slot each action falls when every pass takes one slot: the time axis of tables and figures.

use super::action::{Action, Op, Unit};
use super::program::{Order, Program};
use std::collections::HashMap;

/// The slot, from 1, of every action of a program.
///
/// What a slot holds depends on the order ([`Order`]): in lockstep and sweep one forward and one backward of each worker,
/// otherwise one of the two. A recomputation, its backward and its update belong together. A message arrives one slot
/// after it was sent (in a sweep, an activation in the same slot). Actions run as early as these rules allow. A receive
/// that nothing answers is taken not to wait, so that tables of faulty programs can be drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slots {
    of: Vec<Vec<u32>>,
    last: u32,
}

impl Slots {
    /// Lays the program out in slots.
    pub fn of(program: &Program) -> Self {
        Layout::new(program).run()
    }

    /// The slot of action `index` of worker `worker` (from 1).
    pub fn slot(&self, worker: usize, index: usize) -> u32 {
        self.of[worker - 1][index]
    }

    /// The number of slots, which is the last slot in use.
    pub fn count(&self) -> u32 {
        self.last
    }
}

#[derive(Clone, Default)]
struct Clock {
    /// The first action that has no slot yet.
    next: usize,
    slot: u32,
    forward: bool,
    backward: bool,
    /// How far the next computation has waited.
    wait: Option<Wait>,
}

/// The messages that a computation waits for. What has been looked at is not looked at again, so that a program takes a time
/// that grows with its length.
#[derive(Clone, Copy)]
struct Wait {
    /// The computation.
    compute: usize,
    /// Up to which index its receives stand, and up to which they are there.
    until: usize,
    at: usize,
    /// When the last of them arrives.
    earliest: u32,
}

struct Layout<'a> {
    program: &'a Program,
    clocks: Vec<Clock>,
    slots: Vec<Vec<u32>>,
    sent: HashMap<(usize, Op, Unit), u32>,
    forced: bool,
    /// Workers to look at, each once.
    ready: Vec<usize>,
    is_ready: Vec<bool>,
}

impl<'a> Layout<'a> {
    fn new(program: &'a Program) -> Self {
        let modules = program.modules();
        let clock = Clock {
            slot: 1,
            ..Clock::default()
        };
        Self {
            program,
            clocks: vec![clock; modules],
            slots: program.workers.iter().map(|w| vec![0; w.len()]).collect(),
            sent: HashMap::new(),
            forced: false,
            ready: (0..modules).rev().collect(),
            is_ready: vec![true; modules],
        }
    }

    fn run(mut self) -> Slots {
        let mut first = 0;
        loop {
            // Each worker goes on until it has to wait, and is looked at again when a neighbour has sent something.
            while let Some(worker) = self.ready.pop() {
                self.is_ready[worker] = false;
                while self.step(worker) {}
            }
            let done = |k: usize| self.clocks[k].next == self.program.workers[k].len();
            while first < self.clocks.len() && done(first) {
                first += 1;
            }
            if first == self.clocks.len() {
                break;
            }
            // Nothing can move: a faulty program. Let one computation pass without its messages.
            self.forced = true;
            self.step(first);
            self.forced = false;
            self.wake(first);
        }
        let last = self.slots.iter().flatten().copied().max().unwrap_or(0);
        Slots { of: self.slots, last }
    }

    fn wake(&mut self, worker: usize) {
        if !std::mem::replace(&mut self.is_ready[worker], true) {
            self.ready.push(worker);
        }
    }

    /// Places the next action of a worker, with all messages before and after it; false if it has to wait.
    fn step(&mut self, worker: usize) -> bool {
        let actions = &self.program.workers[worker];
        let start = self.clocks[worker].next;
        let Some(mut wait) = self.clocks[worker].wait.take().or_else(|| self.next_wait(worker)) else {
            let slot = self.clocks[worker].slot;
            return self.finish(worker, start, actions.len(), slot);
        };
        for receive in actions[wait.at..wait.until].iter() {
            if receive.op.is_receive() {
                match self.arrival(worker, receive) {
                    Some(slot) => wait.earliest = wait.earliest.max(slot),
                    None if self.forced => {}
                    None => {
                        self.clocks[worker].wait = Some(wait);
                        return false;
                    }
                }
            }
            wait.at += 1;
        }
        let Wait { compute, earliest, .. } = wait;
        let action = actions[compute];
        let follows = compute > 0 && joins(actions, compute);
        let clock = &mut self.clocks[worker];
        if earliest > clock.slot {
            (clock.slot, clock.forward, clock.backward) = (earliest, false, false);
        }
        let forward = action.op.is_first_forward();
        let both = matches!(self.program.order, Order::Lockstep | Order::Sweep);
        let taken = if both {
            if forward { clock.forward } else { clock.backward }
        } else {
            clock.forward || clock.backward
        };
        if taken && !follows {
            (clock.slot, clock.forward, clock.backward) = (clock.slot + 1, false, false);
        }
        if forward {
            clock.forward = true;
        } else {
            clock.backward = true;
        }
        let slot = clock.slot;
        let sends = actions[compute + 1..]
            .iter()
            .take_while(|a| a.op.is_message() && !a.op.is_receive())
            .count();
        self.finish(worker, start, compute + 1 + sends, slot)
    }

    fn finish(&mut self, worker: usize, start: usize, end: usize, slot: u32) -> bool {
        for index in start..end {
            self.slots[worker][index] = slot;
            let action = self.program.workers[worker][index];
            if matches!(action.op, Op::SendY | Op::SendD) {
                self.sent.insert((worker + 1, action.op, action.unit), slot);
                if let Some(peer) = action.op.peer(worker + 1)
                    && (1..=self.clocks.len()).contains(&peer)
                {
                    self.wake(peer - 1);
                }
            }
        }
        self.clocks[worker].next = end;
        end > start
    }

    /// The next computation of a worker; none where only messages are left.
    fn next_wait(&self, worker: usize) -> Option<Wait> {
        let Clock { next, slot, .. } = self.clocks[worker];
        let actions = &self.program.workers[worker];
        let compute = next + actions[next..].iter().position(|a| !a.op.is_message())?;
        Some(Wait {
            compute,
            until: self.waits_until(worker, compute),
            at: next,
            earliest: slot,
        })
    }

    /// Up to which index a computation's receives stand: a recomputation waits with its backward for the gradient.
    fn waits_until(&self, worker: usize, compute: usize) -> usize {
        let actions = &self.program.workers[worker];
        if actions[compute].op != Op::Recompute {
            return compute;
        }
        let mut rest = actions[compute + 1..].iter().enumerate();
        match rest.find(|(_, a)| !a.op.is_receive()) {
            Some((ahead, a)) if a.op == Op::Backward && a.unit == actions[compute].unit => compute + 1 + ahead,
            _ => compute,
        }
    }

    /// The slot from which a receive finds its message; `None` while it is not sent.
    fn arrival(&self, worker: usize, receive: &Action) -> Option<u32> {
        let peer = receive.op.peer(worker + 1)?;
        let sent = *self.sent.get(&(peer, receive.op.counterpart()?, receive.unit))?;
        let same_slot = self.program.order == Order::Sweep && receive.op == Op::RecvY;
        Some(if same_slot { sent } else { sent + 1 })
    }
}

/// Whether a computation belongs to the one before it: the backward to its recomputation, the update to its backward,
/// in the lockstep order also the last worker's backward to its forward.
fn joins(actions: &[Action], index: usize) -> bool {
    let Some(before) = actions[..index].iter().rev().find(|a| !a.op.is_message()) else {
        return false;
    };
    match actions[index].op {
        Op::Update => before.op == Op::Backward,
        Op::Backward => before.op == Op::Recompute && before.unit == actions[index].unit,
        _ => false,
    }
}
