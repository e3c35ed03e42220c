//! One thread and K threads give the same result, shown with a stage so simple that everything is exact: integers modulo a
//! prime, where neither order nor rounding can hide a difference.

mod common;

use dtrp_core::engine::{self, Broken, Channels, EngineError, EngineOptions, Executor, Link, Stage, Unsent};
use dtrp_core::schedule::{Program, Unit};
use proptest::prelude::*;
use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const PRIME: u64 = 2_147_483_647;

/// One weight w. Forward: y = w·x + k. Backward: the gradient of w is δ·x, of x is δ·w(graph). The last module's δ is its
/// output. Every number depends on every earlier action that the real network would let it depend on.
#[derive(Debug, Clone, PartialEq)]
struct Exact {
    k: u64,
    modules: u64,
    weight: u64,
    gradient: u64,
    updates: u64,
    inputs: HashMap<Unit, u64>,
    graphs: HashMap<Unit, (u64, u64, u64)>,
    delays: Option<u64>,
    /// Everything that was ever computed, in order.
    history: Vec<u64>,
}

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Failure(String);

impl Exact {
    fn network(modules: usize, delays: Option<u64>) -> Vec<Self> {
        let stage = |k| Exact {
            k,
            modules: modules as u64,
            weight: 1000 + 7 * k,
            gradient: 0,
            updates: 0,
            inputs: HashMap::new(),
            graphs: HashMap::new(),
            delays,
            history: Vec::new(),
        };
        (1..=modules as u64).map(stage).collect()
    }

    fn compute(&mut self, input: u64, weight: u64) -> u64 {
        if let Some(seed) = &mut self.delays {
            *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(self.k);
            std::thread::sleep(Duration::from_micros((*seed >> 33) % 200));
        }
        let output = (weight * input + self.k) % PRIME;
        self.history.push(output);
        output
    }

    /// As a predictor would, from the horizon and the state of now.
    fn predicted(&self, horizon: Option<u32>) -> u64 {
        (self.weight + horizon.map_or(0, |h| u64::from(h) * (self.gradient + 1))) % PRIME
    }
}

impl Stage for Exact {
    type Up = u64;
    type Down = u64;
    type Error = Failure;

    fn input(&mut self, unit: Unit) -> Result<u64, Failure> {
        Ok(u64::from(unit.batch) * 31 + u64::from(unit.micro))
    }
    fn forward(&mut self, unit: Unit, input: u64, horizon: Option<u32>) -> Result<u64, Failure> {
        self.inputs.insert(unit, input);
        Ok(self.compute(input, self.predicted(horizon)))
    }
    fn forward_graph(&mut self, unit: Unit, input: u64, horizon: Option<u32>) -> Result<Option<u64>, Failure> {
        let weight = self.predicted(horizon);
        let output = self.compute(input, weight);
        self.graphs.insert(unit, (input, weight, output));
        Ok((self.k < self.modules).then_some(output))
    }
    fn recompute(&mut self, unit: Unit) -> Result<(), Failure> {
        let input = self
            .inputs
            .remove(&unit)
            .ok_or_else(|| Failure(format!("no input of {unit}")))?;
        let output = self.compute(input, self.weight);
        self.graphs.insert(unit, (input, self.weight, output));
        Ok(())
    }
    fn backward(&mut self, unit: Unit, delta: Option<u64>) -> Result<Option<u64>, Failure> {
        let (input, weight, output) = self
            .graphs
            .remove(&unit)
            .ok_or_else(|| Failure(format!("no graph of {unit}")))?;
        let delta = delta.unwrap_or(output);
        self.gradient = (self.gradient + delta * input) % PRIME;
        self.history.push(self.gradient);
        Ok((self.k > 1).then_some(delta * weight % PRIME))
    }
    fn update(&mut self, _: u32) -> Result<(), Failure> {
        self.weight = (self.weight * 3 + self.gradient) % PRIME;
        self.gradient = self.gradient * 5 % PRIME;
        self.updates += 1;
        self.history.push(self.weight);
        Ok(())
    }
}

fn run(program: &Program, executor: Executor, capacity: usize, delays: Option<u64>) -> Vec<Exact> {
    let mut stages = Exact::network(program.modules(), delays);
    let capacity = NonZeroUsize::new(capacity).unwrap();
    let options = EngineOptions {
        executor,
        capacity,
        ..EngineOptions::default()
    };
    let outcome = engine::run(program, &mut stages, &options).unwrap_or_else(|e| panic!("{e}\n{program}"));
    for k in 1..=program.modules() {
        assert_eq!(outcome.trace.logical(k), program.workers[k - 1]);
        assert_eq!(outcome.trace.events(k).len(), program.workers[k - 1].len());
    }
    for stage in &mut stages {
        assert!(
            stage.inputs.is_empty() && stage.graphs.is_empty(),
            "something was left behind"
        );
        stage.delays = None;
    }
    stages
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn all_executors_agree((_, _, program) in common::programs(6, 20, 4), seed in any::<u64>()) {
        let reference = run(&program, Executor::Sequential, 1, None);
        prop_assert_eq!(&run(&program, Executor::Sequential, 5, None), &reference);
        prop_assert_eq!(&run(&program, Executor::Threads, 1, Some(seed)), &reference);
        prop_assert_eq!(&run(&program, Executor::Threads, 3, None), &reference);
    }
}

/// Guards the test above: results must depend on the schedule, or equality would mean nothing.
#[test]
fn different_schedules_give_different_results() {
    let weights = |name: &str| {
        let method = dtrp_core::schedule::Method::named(name).unwrap();
        let program = method.program(&dtrp_core::schedule::Plan::new(3, 9)).unwrap();
        run(&program, Executor::Sequential, 1, None)[0].weight
    };
    let all: std::collections::HashSet<_> = ["bp", "dtrp", "dsp", "fdg", "pipedream", "spectrain"]
        .map(weights)
        .into();
    assert_eq!(all.len(), 6);
}

/// Links of another kind: they count what they carry, and pass it on.
struct Counting {
    inner: Channels<u64, u64>,
    carried: Arc<AtomicUsize>,
}

impl Link<u64, u64> for Counting {
    fn send_up(&mut self, unit: Unit, activation: u64, patience: Duration) -> Result<(), Unsent<u64>> {
        self.carried.fetch_add(1, Ordering::Relaxed);
        self.inner.send_up(unit, activation, patience)
    }
    fn receive_up(&mut self, patience: Duration) -> Result<(Unit, u64), Broken> {
        self.inner.receive_up(patience)
    }
    fn send_down(&mut self, unit: Unit, gradient: u64, patience: Duration) -> Result<(), Unsent<u64>> {
        self.carried.fetch_add(1, Ordering::Relaxed);
        self.inner.send_down(unit, gradient, patience)
    }
    fn receive_down(&mut self, patience: Duration) -> Result<(Unit, u64), Broken> {
        self.inner.receive_down(patience)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 50, ..ProptestConfig::default() })]

    /// The result is the same over any links, and every message goes over them.
    #[test]
    fn workers_meet_over_any_links((_, _, program) in common::programs(5, 12, 3)) {
        let reference = run(&program, Executor::Sequential, 1, None);
        let mut stages = Exact::network(program.modules(), None);
        let carried = Arc::new(AtomicUsize::new(0));
        let options = EngineOptions::default();
        let link = |inner| Counting { inner, carried: Arc::clone(&carried) };
        let links = Channels::row(program.modules(), options.capacity).into_iter().map(link).collect();
        let done = engine::run_over(&program, &mut stages, links, &options).unwrap();
        prop_assert_eq!(&stages, &reference);
        let messages: usize = done.report.workers.iter().map(|worker| worker.messages).sum();
        prop_assert_eq!(carried.load(Ordering::Relaxed), messages);
    }
}

#[test]
fn there_is_one_link_for_each_worker() {
    let program = dtrp_core::schedule::Dtrp::new(3).program().unwrap();
    let mut stages = Exact::network(3, None);
    let links = Channels::row(2, NonZeroUsize::MIN);
    let error = engine::run_over(&program, &mut stages, links, &EngineOptions::default()).unwrap_err();
    assert!(matches!(error, EngineError::Links { links: 2, modules: 3 }), "{error}");
}
