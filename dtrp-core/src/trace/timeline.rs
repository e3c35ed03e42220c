//! What each worker does when, whether planned, simulated or executed.

use super::{Event, plan};
use crate::schedule::{Action, Op, Program, Unit};
use std::collections::{HashMap, VecDeque};
use std::time::Duration;

/// What the times of a timeline mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeUnit {
    /// The slots of a plan. Slot t begins at (t − 1) × [`Timeline::SLOT`].
    Slots,
    /// Real or simulated time.
    Nanoseconds,
}

/// The events of every worker, with a title: what the writers draw.
///
/// | made by | times | of |
/// |---|---|---|
/// | [`Timeline::planned`] | slots | a program |
/// | [`Timeline::simulated`] | nanoseconds | the simulator's events |
/// | [`Timeline::executed`], [`Trace::timeline`](super::Trace::timeline) | nanoseconds | a run |
/// | [`Timeline::new`] | either | anything else |
#[derive(Debug, Clone, PartialEq)]
pub struct Timeline {
    title: String,
    unit: TimeUnit,
    workers: Vec<Vec<Event>>,
}

/// A message that was sent and received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message {
    /// The sending worker, from 1.
    pub from: usize,
    /// Index of the send in that worker's events.
    pub send: usize,
    /// The receiving worker, from 1.
    pub to: usize,
    /// Index of the receive in that worker's events.
    pub receive: usize,
}

impl Timeline {
    /// How long a slot of a plan lasts. It stands for no real time; a millisecond reads well in trace viewers.
    pub const SLOT: Duration = Duration::from_millis(1);

    /// A timeline of any origin. The events of worker k = 1..K are at index k−1, in the order in which they begin.
    pub fn new(title: impl Into<String>, unit: TimeUnit, workers: Vec<Vec<Event>>) -> Self {
        Self {
            title: title.into(),
            unit,
            workers,
        }
    }

    /// The plan of a program, in [slots](crate::schedule::Slots).
    ///
    /// The actions that share a slot share its time by nominal costs: a forward or recomputation 1, a backward 2, an
    /// update 1/2, a message next to nothing. In the sweep order, where a batch passes through all workers within one
    /// slot, a forward begins when its input is there.
    pub fn planned(program: &Program) -> Self {
        let title = format!("{}, planned", heading(program));
        Self::new(title, TimeUnit::Slots, plan::events(program))
    }

    /// The events that the simulator made of a program.
    pub fn simulated(program: &Program, workers: Vec<Vec<Event>>) -> Self {
        let title = format!("{}, simulated", heading(program));
        Self::new(title, TimeUnit::Nanoseconds, workers)
    }

    /// The events of a run of a program.
    pub fn executed(program: &Program, workers: Vec<Vec<Event>>) -> Self {
        let title = format!("{}, executed", heading(program));
        Self::new(title, TimeUnit::Nanoseconds, workers)
    }

    /// What it shows, in one line.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// What its times mean.
    pub fn unit(&self) -> TimeUnit {
        self.unit
    }

    /// The events of all workers: those of worker k = 1..K at index k−1.
    pub fn workers(&self) -> &[Vec<Event>] {
        &self.workers
    }

    /// When the first event begins; zero if there is none.
    pub fn begin(&self) -> Duration {
        let begins = self.workers.iter().flatten().map(|e| e.begin);
        begins.min().unwrap_or_default()
    }

    /// When the last event ends; zero if there is none.
    pub fn end(&self) -> Duration {
        let ends = self.workers.iter().flatten().map(|e| e.end);
        ends.max().unwrap_or_default()
    }

    /// How long worker `worker` (from 1) computes, messages and waiting not counted.
    pub fn busy(&self, worker: usize) -> Duration {
        let computations = self.workers[worker - 1].iter().filter(|e| !e.action.op.is_message());
        computations.map(|e| e.end.saturating_sub(e.begin)).sum()
    }

    /// Every message: each receive with its send, in the order of the receiving workers and their receives.
    ///
    /// A send or receive without a partner, which only a faulty program has, is left out.
    pub fn messages(&self) -> Vec<Message> {
        self.messages_between(|_| true)
    }

    /// The messages between workers that `wanted` says yes to.
    pub(super) fn messages_between(&self, wanted: impl Fn(usize) -> bool) -> Vec<Message> {
        type Key = (usize, Op, Unit);
        let mut sent: HashMap<Key, VecDeque<usize>> = HashMap::new();
        for (worker, send, action) in self.actions(&wanted) {
            if action.op.is_message() && !action.op.is_receive() {
                let lane = sent.entry((worker, action.op, action.unit)).or_default();
                lane.push_back(send);
            }
        }
        let receives = self.actions(&wanted).filter(|(_, _, a)| a.op.is_receive());
        let matched = receives.filter_map(|(to, receive, action)| {
            let from = action.op.peer(to)?;
            let key = (from, action.op.counterpart()?, action.unit);
            let send = sent.get_mut(&key)?.pop_front()?;
            Some(Message {
                from,
                send,
                to,
                receive,
            })
        });
        matched.collect()
    }

    /// Worker, index and action of every event of the workers wanted.
    fn actions(&self, wanted: impl Fn(usize) -> bool) -> impl Iterator<Item = (usize, usize, Action)> {
        let workers = (1..).zip(&self.workers).filter(move |(k, _)| wanted(*k));
        workers.flat_map(|(worker, events)| {
            let indexed = events.iter().enumerate();
            indexed.map(move |(index, event)| (worker, index, event.action))
        })
    }
}

/// `dtrp, lockstep: 3 modules, 6 batches`.
fn heading(program: &Program) -> String {
    let count = |n: usize, one: &str, many: &str| match n {
        1 => format!("1 {one}"),
        n => format!("{n} {many}"),
    };
    let mut heading = format!(
        "{}, {}: {}, {}",
        program.method,
        program.order,
        count(program.modules(), "module", "modules"),
        count(program.batches as usize, "batch", "batches"),
    );
    if program.micro_batches > 1 {
        let each = format!(" of {} micro-batches", program.micro_batches);
        heading.push_str(&each);
    }
    heading
}
