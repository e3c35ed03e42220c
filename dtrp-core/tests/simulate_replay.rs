//! The order of a simulated run, played over real stages, gives what the engines give.

mod common;

use dtrp_core::costs::ModuleCosts;
use dtrp_core::engine::{self, EngineOptions, Executor, Stage};
use dtrp_core::schedule::{Action, Op, Program, Unit};
use dtrp_core::simulate::{Jitter, SimulationOptions, simulate};
use dtrp_core::trace::Event;
use proptest::prelude::*;
use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::num::NonZeroUsize;

/// A stage in which everything depends on everything before: each verb stirs its arguments into the state, and every
/// result is the state.
#[derive(Debug, Clone, PartialEq)]
struct Stirred {
    state: u64,
    last: bool,
    first: bool,
    kept: HashMap<Unit, u64>,
}

impl Stirred {
    fn network(modules: usize) -> Vec<Self> {
        let stage = |k| Stirred {
            state: k as u64,
            last: k + 1 == modules,
            first: k == 0,
            kept: HashMap::new(),
        };
        (0..modules).map(stage).collect()
    }

    fn stir(&mut self, verb: u64, unit: Unit, values: &[u64]) -> u64 {
        let what = [verb, u64::from(unit.batch), u64::from(unit.micro)];
        for value in what.iter().chain(values) {
            self.state = (self.state.rotate_left(7) ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        }
        self.state
    }
}

impl Stage for Stirred {
    type Up = u64;
    type Down = u64;
    type Error = Infallible;

    fn input(&mut self, unit: Unit) -> Result<u64, Infallible> {
        Ok(u64::from(unit.batch) * 31 + u64::from(unit.micro))
    }
    fn forward(&mut self, unit: Unit, input: u64, horizon: Option<u32>) -> Result<u64, Infallible> {
        self.kept.insert(unit, input);
        Ok(self.stir(1, unit, &[input, horizon.map_or(99, u64::from)]))
    }
    fn forward_graph(&mut self, unit: Unit, input: u64, horizon: Option<u32>) -> Result<Option<u64>, Infallible> {
        let output = self.stir(2, unit, &[input, horizon.map_or(99, u64::from)]);
        Ok((!self.last).then_some(output))
    }
    fn recompute(&mut self, unit: Unit) -> Result<(), Infallible> {
        let input = self.kept.remove(&unit).expect("the input is kept");
        self.stir(3, unit, &[input]);
        Ok(())
    }
    fn backward(&mut self, unit: Unit, delta: Option<u64>) -> Result<Option<u64>, Infallible> {
        let gradient = self.stir(4, unit, &[delta.unwrap_or(5)]);
        Ok((!self.first).then_some(gradient))
    }
    fn update(&mut self, batch: u32) -> Result<(), Infallible> {
        self.stir(5, Unit::batch(batch), &[]);
        Ok(())
    }
}

/// The stages, and what lies between them.
struct Replay {
    stages: Vec<Stirred>,
    capacity: usize,
    /// By (receiving worker from 0, whether it goes up).
    queues: HashMap<(usize, bool), VecDeque<(Unit, u64)>>,
    ready: HashMap<(usize, bool, Unit), u64>,
    arrived: HashMap<(usize, bool, Unit), u64>,
}

impl Replay {
    /// Does one action if it can be done now.
    fn execute(&mut self, k: usize, action: &Action) -> bool {
        let unit = action.unit;
        match action.op {
            Op::SendY | Op::SendD => {
                let up = action.op == Op::SendY;
                let to = if up { k + 1 } else { k - 1 };
                let queue = self.queues.entry((to, up)).or_default();
                if queue.len() == self.capacity {
                    return false;
                }
                let value = self.ready.remove(&(k, up, unit)).expect("it was computed");
                queue.push_back((unit, value));
            }
            Op::RecvY | Op::RecvD => {
                let up = action.op == Op::RecvY;
                let Some((sent, value)) = self.queues.entry((k, up)).or_default().pop_front() else {
                    return false;
                };
                assert_eq!(sent, unit);
                self.arrived.insert((k, up, unit), value);
            }
            _ => self.compute(k, action),
        }
        true
    }

    fn compute(&mut self, k: usize, action: &Action) {
        let (unit, horizon) = (action.unit, action.horizon);
        let stage = &mut self.stages[k];
        let output = match action.op {
            Op::Forward | Op::ForwardGraph => {
                let input = match self.arrived.remove(&(k, true, unit)) {
                    Some(input) => Ok(input),
                    None => stage.input(unit),
                };
                let Ok(output) = input.and_then(|input| match action.op {
                    Op::Forward => stage.forward(unit, input, horizon).map(Some),
                    _ => stage.forward_graph(unit, input, horizon),
                });
                output.map(|output| (true, output))
            }
            Op::Backward => {
                let delta = self.arrived.remove(&(k, false, unit));
                let Ok(down) = stage.backward(unit, delta);
                down.map(|gradient| (false, gradient))
            }
            other => {
                let Ok(()) = match other {
                    Op::Recompute => stage.recompute(unit),
                    _ => stage.update(unit.batch),
                };
                None
            }
        };
        if let Some((up, value)) = output {
            self.ready.insert((k, up, unit), value);
        }
    }
}

/// Plays the events in the order in which they end; those that end together in any order that is possible.
fn replay(program: &Program, events: &[Vec<Event>], capacity: usize) -> Vec<Stirred> {
    let mut replay = Replay {
        stages: Stirred::network(program.modules()),
        capacity,
        queues: HashMap::new(),
        ready: HashMap::new(),
        arrived: HashMap::new(),
    };
    let mut next = vec![0; events.len()];
    loop {
        let now = events.iter().zip(&next).filter_map(|(e, i)| Some(e.get(*i)?.end)).min();
        let Some(now) = now else {
            return replay.stages;
        };
        let mut progress = false;
        for k in 0..events.len() {
            while let Some(event) = events[k].get(next[k]).filter(|e| e.end == now)
                && replay.execute(k, &event.action)
            {
                next[k] += 1;
                progress = true;
            }
        }
        assert!(progress, "at {now:?} something happens that cannot happen yet");
    }
}

fn engine(program: &Program, executor: Executor, capacity: NonZeroUsize) -> Vec<Stirred> {
    let mut stages = Stirred::network(program.modules());
    let options = EngineOptions {
        executor,
        capacity,
        ..EngineOptions::default()
    };
    engine::run(program, &mut stages, &options).expect("the program is right");
    stages
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn one_thread_many_threads_and_the_simulated_order_agree(
        (_, _, program) in common::programs(6, 20, 4),
        times in proptest::collection::vec((0u64..50, 0u64..50), 6),
        capacity in 1usize..4,
        seed in any::<u64>(),
        latency_ns in 0u64..100,
    ) {
        let costs: Vec<_> = times[..program.modules()].iter().map(|(f, b)| ModuleCosts::times(*f, *b)).collect();
        let bound = NonZeroUsize::new(capacity).unwrap();
        let mut options = SimulationOptions { capacity: bound, timeline: true, ..SimulationOptions::default() };
        options.links.latency_ns = latency_ns;
        options.jitter = Some(Jitter { seed, relative_std: 0.3, straggler_probability: 0.05, straggler_factor: 10.0 });
        let timeline = simulate(&program, &costs, &options).unwrap().timeline.unwrap();
        let reference = engine(&program, Executor::Sequential, bound);
        prop_assert_eq!(&engine(&program, Executor::Threads, bound), &reference);
        prop_assert_eq!(&replay(&program, timeline.workers(), capacity), &reference);
    }
}
