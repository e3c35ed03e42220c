//! What a run leaves behind: the actions that ran, in order, and when.

use super::timeline::Timeline;
use crate::schedule::{Action, Program};
use dtrp_text::words;
use std::time::Duration;

/// What is kept of every action that runs. Busy times are always added up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Recording {
    /// The actions, in order.
    #[default]
    Logical,
    /// The actions with the times at which they began and ended.
    Timed,
}

words!(Recording, "recording", [Logical "logical", Timed "timed"]);

/// One action that ran.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Event {
    /// What ran.
    pub action: Action,
    /// When it began, from the start of the run.
    pub begin: Duration,
    /// When it ended, from the start of the run.
    pub end: Duration,
}

/// What one worker did.
#[derive(Debug, Clone, Default)]
pub struct Recorder {
    recording: Recording,
    logical: Vec<Action>,
    events: Vec<Event>,
    busy: Duration,
}

impl Recorder {
    /// An empty record.
    pub fn new(recording: Recording) -> Self {
        Self {
            recording,
            ..Self::default()
        }
    }

    /// Notes that an action ran.
    pub fn record(&mut self, action: Action, begin: Duration, end: Duration) {
        if !action.op.is_message() {
            self.busy += end.saturating_sub(begin);
        }
        self.logical.push(action);
        if self.recording == Recording::Timed {
            self.events.push(Event { action, begin, end });
        }
    }

    /// How long it computed, waiting for messages not counted.
    pub(crate) fn busy(&self) -> Duration {
        self.busy
    }

    /// Number of actions noted.
    pub fn actions(&self) -> usize {
        self.logical.len()
    }
}

/// What all workers of a run did.
#[derive(Debug, Clone)]
pub struct Trace {
    workers: Vec<Recorder>,
    wall: Duration,
}

impl Trace {
    pub(crate) fn new(workers: Vec<Recorder>, wall: Duration) -> Self {
        Self { workers, wall }
    }

    /// K, the number of workers.
    pub fn modules(&self) -> usize {
        self.workers.len()
    }

    /// How long the run took.
    pub fn wall(&self) -> Duration {
        self.wall
    }

    /// How long worker `worker` (from 1) computed, waiting for messages not counted.
    pub fn busy(&self, worker: usize) -> Duration {
        self.workers[worker - 1].busy
    }

    /// How much of the time from `from` to `to` worker `worker` (from 1) computed; zero unless recorded with
    /// [`Recording::Timed`].
    pub fn busy_between(&self, worker: usize, from: Duration, to: Duration) -> Duration {
        let events = self.events(worker).iter();
        let computing = events.filter(|event| !event.action.op.is_message());
        computing
            .map(|event| event.end.min(to).saturating_sub(event.begin.max(from)))
            .sum()
    }

    /// What worker `worker` (from 1) did, in order.
    pub fn logical(&self, worker: usize) -> &[Action] {
        &self.workers[worker - 1].logical
    }

    /// What worker `worker` (from 1) did, with times; empty unless recorded with [`Recording::Timed`].
    pub fn events(&self, worker: usize) -> &[Event] {
        &self.workers[worker - 1].events
    }

    /// The logical trace as a program with the header of `planned`, to be printed, compared or snapshotted:
    /// `insta::assert_snapshot!(outcome.trace.to_program(&program).table())`.
    pub fn to_program(&self, planned: &Program) -> Program {
        Program {
            method: planned.method.clone(),
            order: planned.order,
            batches: planned.batches,
            micro_batches: planned.micro_batches,
            workers: self.workers.iter().map(|w| w.logical.clone()).collect(),
        }
    }

    /// The timed trace as a timeline, titled like `program`; `None` unless recorded with [`Recording::Timed`].
    pub fn timeline(&self, program: &Program) -> Option<Timeline> {
        let timed = |w: &Recorder| w.events.len() == w.logical.len();
        let events = || self.workers.iter().map(|w| w.events.clone()).collect();
        let complete = self.workers.iter().all(timed);
        complete.then(|| Timeline::executed(program, events()))
    }

    /// Whether the logical trace equals the program from these positions on (one for each worker); if not, where it first
    /// differs.
    pub(crate) fn check_against(&self, program: &Program, begin: &[usize]) -> Result<(), String> {
        for (k, (ran, planned)) in (1..).zip(self.workers.iter().zip(&program.workers)) {
            let begin = begin[k - 1];
            let planned = &planned[begin..];
            if ran.logical == *planned {
                continue;
            }
            let at = ran
                .logical
                .iter()
                .zip(planned)
                .position(|(a, b)| a != b)
                .unwrap_or(ran.logical.len());
            let show = |action: Option<&Action>| action.map_or("nothing".to_owned(), ToString::to_string);
            let (planned, ran) = (show(planned.get(at)), show(ran.logical.get(at)));
            let number = begin + at + 1;
            return Err(format!("worker {k}, action {number}: planned {planned}, ran {ran}"));
        }
        Ok(())
    }
}
