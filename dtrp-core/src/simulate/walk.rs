//! The walk through a program: when does each step begin and end?
//!
//! Every worker's order is fixed and messages stay in order, so a time is the later of a few earlier times plus a cost,
//! whichever worker is looked at first. There is no queue of events: each worker is advanced as far as what it waits for is
//! known, and wakes the neighbour that waited for it. The work is proportional to the number of steps.

use super::conditions::{Jitter, Links};
use super::error::SimulateError;
use super::link::Link;
use super::tape::{Kind, Tape};
use crate::costs::{ModuleCosts, Share};
use crate::schedule::{Op, Program};

/// Who looks on.
pub(super) trait Observe {
    /// The later of two times was chosen.
    fn choice(&mut self, _one: u64, _other: u64) {}
    /// A worker (from 0) did the next action of its list.
    fn action(&mut self, _worker: usize, _begin: u64, _end: u64) {}
}

/// Nobody looks on.
pub(super) struct Nobody;

impl Observe for Nobody {}

/// Where a worker is.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Worker {
    /// The next step of its tape.
    at: usize,
    /// How often the block before `insert` is still to be repeated, and how many batches later its steps are by now.
    repeats: u64,
    shift: u32,
    /// Actions done.
    pub(super) actions: u64,
    pub(super) clock: u64,
    pub(super) busy: u64,
    /// When its last action ended (the clock also waits at barriers).
    pub(super) finish: u64,
    pub(super) first_backward: Option<u64>,
    pub(super) last_forward: u64,
}

pub(super) struct Walk<'a> {
    tapes: &'a [Tape],
    costs: Vec<[Share; Kind::COMPUTE]>,
    jitter: Option<Jitter>,
    pub(super) workers: Vec<Worker>,
    /// Index k connects workers k and k + 1 (from 0).
    up: Vec<Link>,
    down: Vec<Link>,
    /// The workers that can go on.
    ready: Vec<usize>,
    at_barrier: usize,
    /// Worker 0 does not begin a batch beyond this one.
    gate: u64,
}

impl<'a> Walk<'a> {
    /// A walk through `tapes`, which were made of `program`, with the repeating block `repeats` more times.
    pub(super) fn new(
        program: &Program,
        tapes: &'a [Tape],
        repeats: u64,
        costs: &[ModuleCosts],
        links: &Links,
        capacity: usize,
        jitter: Option<Jitter>,
    ) -> Result<Self, SimulateError> {
        let m = program.micro_batches;
        let module = |(k, costs): (usize, &ModuleCosts)| {
            let own_loss = program.has_own_loss(k + 1);
            // In the order of the kinds. There is one update for all micro-batches.
            [
                (Op::Forward, false, m),
                (Op::Forward, true, m),
                (Op::Recompute, false, m),
                (Op::Backward, false, m),
                (Op::Update, false, 1),
            ]
            .map(|(op, ahead, parts)| Share::new(costs.action_ns(op, ahead, own_loss), parts))
        };
        // What travels over the link between k and k + 1 is as large as the input of k + 1, either way. A link that
        // nobody uses has no places, so it is no part of the state.
        let row = |kind: Kind| -> Result<Vec<Link>, SimulateError> {
            let link = |(k, above): (usize, &ModuleCosts)| {
                let sender = if kind == Kind::SendY { k } else { k + 1 };
                let used = tapes[sender].steps.iter().any(|s| s.kind == kind);
                let capacity = if used { capacity } else { 0 };
                Link::new(links, capacity, above.input_bytes, m)
            };
            costs.iter().skip(1).enumerate().map(link).collect()
        };
        let worker = Worker {
            repeats,
            ..Worker::default()
        };
        Ok(Self {
            tapes,
            costs: costs.iter().enumerate().map(module).collect(),
            jitter,
            workers: vec![worker; tapes.len()],
            up: row(Kind::SendY)?,
            down: row(Kind::SendD)?,
            ready: (0..tapes.len()).rev().collect(),
            at_barrier: 0,
            gate: 0,
        })
    }

    /// Goes on until worker 0 would begin a batch beyond `batch`, and everyone has done what can be done until then.
    pub(super) fn until(&mut self, batch: u64, observer: &mut impl Observe) {
        self.gate = batch;
        // Whoever waits for a neighbour is woken by it; only worker 0 waits for the gate.
        if self.ready.is_empty() && self.at_gate() {
            self.ready.push(0);
        }
        while let Some(worker) = self.ready.pop() {
            self.advance(worker, observer);
        }
    }

    /// The last batch that worker 0 may begin.
    pub(super) fn gate(&self) -> u64 {
        self.gate
    }

    /// A worker (from 0) that has not finished, if there is one.
    pub(super) fn unfinished(&self) -> Option<usize> {
        let left = |(worker, tape): (&Worker, &Tape)| worker.at < tape.steps.len();
        self.workers.iter().zip(self.tapes).position(left)
    }

    /// Whether all that is left to do waits for the gate.
    pub(super) fn at_gate(&self) -> bool {
        let worker = self.workers[0];
        let next = self.tapes[0].steps.get(worker.at);
        next.is_some_and(|s| s.kind.is_first_forward())
    }

    /// Advances a worker as far as what it waits for is known.
    fn advance(&mut self, k: usize, observer: &mut impl Observe) {
        let tape = &self.tapes[k];
        let insert = tape.section.map_or(usize::MAX, |s| s.insert);
        let mut worker = self.workers[k];
        let mut parked = false;
        while let Some(&step) = tape.steps.get(worker.at) {
            let begin = worker.clock;
            let mut later = |one: u64, other: u64| {
                observer.choice(one, other);
                one.max(other)
            };
            // What happened to the link, and to the neighbour at its other end.
            let (end, link, peer) = match step.kind {
                Kind::SendY => {
                    let link = &mut self.up[k];
                    (link.send(begin, step.micro, &mut later), link, k + 1)
                }
                Kind::SendD => {
                    let link = &mut self.down[k - 1];
                    (link.send(begin, step.micro, &mut later), link, k - 1)
                }
                Kind::RecvY => {
                    let link = &mut self.up[k - 1];
                    (link.receive(begin, &mut later), link, k - 1)
                }
                Kind::RecvD => {
                    let link = &mut self.down[k];
                    (link.receive(begin, &mut later), link, k + 1)
                }
                Kind::Barrier => {
                    parked = true;
                    break;
                }
                compute => {
                    let batch = u64::from(step.batch) + u64::from(worker.shift);
                    if k == 0 && compute.is_first_forward() && batch > self.gate {
                        break;
                    }
                    let mut time = self.costs[k][compute as usize].of(step.micro);
                    if let Some(jitter) = &self.jitter {
                        let micro = u64::from(step.micro);
                        time = jitter.apply(time, k as u64, compute as u64, batch, micro);
                    }
                    worker.clock += time;
                    worker.busy += time;
                    if compute.is_first_forward() {
                        worker.last_forward = worker.clock;
                    } else if compute == Kind::Backward && worker.first_backward.is_none() {
                        worker.first_backward = Some(worker.clock);
                    }
                    observer.action(k, begin, worker.clock);
                    worker.step(tape, insert);
                    continue;
                }
            };
            let sends = matches!(step.kind, Kind::SendY | Kind::SendD);
            let (mine, theirs) = if sends {
                (&mut link.sender_waits, &mut link.receiver_waits)
            } else {
                (&mut link.receiver_waits, &mut link.sender_waits)
            };
            let Some(end) = end else {
                *mine = true;
                break;
            };
            if std::mem::take(theirs) {
                self.ready.push(peer);
            }
            worker.clock = end;
            observer.action(k, begin, end);
            worker.step(tape, insert);
        }
        self.workers[k] = worker;
        if parked {
            self.at_barrier += 1;
            if self.at_barrier == self.workers.len() {
                self.open_barrier(observer);
            }
        }
    }

    fn open_barrier(&mut self, observer: &mut impl Observe) {
        let mut time = 0;
        for worker in &self.workers {
            observer.choice(time, worker.clock);
            time = time.max(worker.clock);
        }
        for worker in &mut self.workers {
            worker.clock = time;
            worker.at += 1;
        }
        for (worker, tape) in self.workers.iter_mut().zip(self.tapes) {
            worker.repeat(tape, tape.section.map_or(usize::MAX, |s| s.insert));
        }
        self.at_barrier = 0;
        self.ready.extend((0..self.workers.len()).rev());
    }

    /// All times of the present state, in a fixed order: those of the workers, then those of the links.
    pub(super) fn times(&mut self) -> impl Iterator<Item = &mut u64> {
        let clocks = self.workers.iter_mut().map(|w| &mut w.clock);
        let links = self.up.iter_mut().chain(&mut self.down);
        clocks.chain(links.flat_map(Link::times))
    }

    /// What the present state is but for its times: the actions that each worker has done, the messages in each link.
    pub(super) fn shape(&self) -> Vec<u64> {
        let links = self.up.iter().chain(&self.down);
        let actions = self.workers.iter().map(|w| w.actions);
        actions.chain(links.map(|link| link.in_flight() as u64)).collect()
    }

    /// How many more blocks every worker could go through inside its section; `None` if one is not inside.
    ///
    /// The step after them must still be inside, for it is what the worker then waits at.
    pub(super) fn room(&self) -> Option<u64> {
        let room = |(worker, tape): (&Worker, &Tape)| {
            let section = tape.section?;
            let inside = (section.start..section.end).contains(&worker.at);
            let blocks = section.end.checked_sub(worker.at + 1)? / section.block;
            inside.then_some(worker.repeats + blocks as u64)
        };
        let mut rooms = self.workers.iter().zip(self.tapes).map(room);
        rooms.try_fold(u64::MAX, |least, room| Some(least.min(room?)))
    }

    /// Actions that each worker has in a block; barriers are none.
    pub(super) fn block_actions(&self) -> Vec<u64> {
        let actions = |tape: &Tape| {
            let block = tape.section.map_or(0..0, |s| s.insert - s.block..s.insert);
            tape.actions(block) as u64
        };
        self.tapes.iter().map(actions).collect()
    }

    /// Puts every worker `blocks` blocks of `batches` batches further, without doing them. At most [`Walk::room`].
    pub(super) fn skip(&mut self, blocks: u64, batches: u32) {
        for (worker, tape) in self.workers.iter_mut().zip(self.tapes) {
            let Some(section) = tape.section else {
                continue;
            };
            let repeated = blocks.min(worker.repeats);
            worker.repeats -= repeated;
            // Both are bounded by the number of batches, a u32, and by the length of the tape.
            worker.shift += repeated as u32 * batches;
            worker.at += (blocks - repeated) as usize * section.block;
        }
        self.gate += blocks * u64::from(batches);
    }
}

impl Worker {
    fn step(&mut self, tape: &Tape, insert: usize) {
        self.actions += 1;
        self.finish = self.clock;
        self.at += 1;
        self.repeat(tape, insert);
    }

    /// Goes back to the beginning of the block that is repeated, if it has just ended and is to be done again.
    fn repeat(&mut self, tape: &Tape, insert: usize) {
        if self.at == insert
            && self.repeats > 0
            && let Some(section) = tape.section
        {
            self.at -= section.block;
            self.repeats -= 1;
            self.shift += section.batches;
        }
    }
}
