//! A stage so simple that everything is exact.

use dtrp_core::engine::Stage;
use dtrp_core::schedule::Unit;
use std::collections::HashMap;
use std::time::Duration;

const PRIME: u64 = 2_147_483_647;

/// One weight w. Forward: y = w·x + k. Backward: the gradient of w is δ·x, of x is δ·w(graph). The last module's δ is its
/// output. Every number depends on every earlier action that the real network would let it depend on.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Exact {
    pub(crate) k: u64,
    pub(crate) modules: u64,
    pub(crate) weight: u64,
    pub(crate) gradient: u64,
    pub(crate) updates: u64,
    pub(crate) inputs: HashMap<Unit, u64>,
    pub(crate) graphs: HashMap<Unit, (u64, u64, u64)>,
    pub(crate) delays: Option<u64>,
    /// Everything that was ever computed, in order.
    pub(crate) history: Vec<u64>,
}

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Failure(pub(crate) String);

impl Exact {
    /// The stages of a network; with a seed they take some time for everything, anew in every run.
    pub(crate) fn network(modules: usize, delays: Option<u64>) -> Vec<Self> {
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
