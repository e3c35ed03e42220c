//! Predicted weights: applying a predictor to an arena, and measuring what the prediction was worth.

use super::apply::{State, apply, observe};
use super::probe::{self, OpenProbe};
use crate::engine::Doing;
use crate::schedule::Unit;
use crate::torch::TorchError;
use crate::torch::device::{HostReads, Readback};
use crate::torch::network::copy;
use dtrp_predictors::{Context, Inputs, Predictor, Rule};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tch::{Device, Tensor};

/// Mean results of the closed probes of one module.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Gain {
    /// Mean of ρ_err = ‖W_R − Ŵ‖ / ‖W_R − W_F‖: 1 is no better than no prediction, 0 is perfect.
    pub error: f64,
    /// Mean cosine between predicted and realised displacement; NaN if nothing was ever predicted.
    pub cosine: f64,
    /// Number of probes.
    pub probes: u64,
}

/// A predictor at work in one module, and its probe.
///
/// A probe keeps W_F and Ŵ of one forward until the same unit is recomputed. One is open at a time, so it costs two spare
/// copies of the weights.
pub struct Forecaster {
    pub(super) predictor: Box<dyn Predictor>,
    /// How it is called where someone asks what the stage is busy with.
    label: Arc<str>,
    doing: Doing,
    inputs: Inputs,
    pub(super) probe: Option<OpenProbe>,
    probe_every: u32,
    pub(super) since_probe: u32,
    pub(super) errors: f64,
    pub(super) cosines: f64,
    pub(super) probes: u64,
    pub(super) cosine_probes: u64,
    /// Closed probes of these horizons.
    pub(super) readback: Readback<u32>,
    /// Whether it has been said that weights go through host memory.
    said: bool,
    pub(super) spent: Duration,
}

impl Forecaster {
    /// Uses `predictor`; every `probe_every`-th prediction may open a probe (0: never).
    pub fn new(predictor: Box<dyn Predictor>, probe_every: u32) -> Self {
        Self {
            inputs: predictor.inputs(),
            label: predictor.label().into(),
            doing: Doing::default(),
            predictor,
            probe: None,
            probe_every,
            since_probe: probe_every,
            errors: 0.0,
            cosines: 0.0,
            probes: 0,
            cosine_probes: 0,
            readback: Readback::default(),
            said: false,
            spent: Duration::ZERO,
        }
    }

    /// Says there when the predictor is at work.
    pub(crate) fn says(&mut self, doing: &Doing) {
        self.doing = doing.clone();
    }

    /// What the predictor reads besides the weights.
    pub fn inputs(&self) -> Inputs {
        self.inputs
    }

    /// How many tensors as large as the weights it keeps at most, beside Ŵ: what the predictor reads of the last update, and
    /// an open probe.
    pub(crate) fn copies(&self) -> usize {
        let read = usize::from(self.inputs.gradient) + usize::from(self.inputs.displacement);
        match self.probe_every {
            0 => read,
            _ => read + 2 + usize::from(self.predictor.wants_feedback()),
        }
    }

    /// The results so far; `None` before the first probe has closed.
    pub fn gain(&self) -> Option<Gain> {
        (self.probes > 0).then(|| Gain {
            error: self.errors / self.probes as f64,
            cosine: self.cosines / self.cosine_probes as f64,
            probes: self.probes,
        })
    }

    /// Time spent on predicting so far: on the rule, on writing Ŵ, on keeping what the predictor reads and on showing it
    /// every update. Probes measure predictions and are not counted. On a GPU it is the time to enqueue the work.
    pub fn spent(&self) -> Duration {
        self.spent
    }

    /// Counts the time since `start` as spent on predicting.
    pub(crate) fn spend(&mut self, start: Instant) {
        self.spent += start.elapsed();
    }

    /// How the prediction is to be made; `None` if it is the current weights themselves.
    pub(crate) fn rule(&mut self, context: &Context<'_>) -> Result<Option<Rule>, TorchError> {
        if context.horizon() == 0 {
            return Ok(None);
        }
        let busy = self.doing.now("in `rule` of", Some(&self.label));
        let rule = self.predictor.rule(context)?;
        drop(busy);
        Ok(Some(rule).filter(|rule| !matches!(rule, Rule::Linear(c) if c.is_identity())))
    }

    /// Writes Ŵ into `out`, by a rule from [`rule`](Self::rule).
    pub(crate) fn write(
        &mut self,
        rule: Rule,
        context: &Context<'_>,
        state: &State<'_>,
        out: &mut Tensor,
    ) -> Result<(), TorchError> {
        if rule == Rule::Custom {
            self.stages(out);
        }
        let _busy = self.doing.now("in `predict` of", Some(&self.label));
        tch::no_grad(|| apply(&mut *self.predictor, rule, context, state, out))
    }

    /// Takes note that the predictor is about to get copies on the host, where it cannot work on the GPU of `tensor`.
    fn stages(&mut self, tensor: &Tensor) {
        if tensor.device() == Device::Cpu || self.predictor.on_gpu() {
            return;
        }
        self.readback.waits_for(tensor);
        if !std::mem::replace(&mut self.said, true) {
            let name = self.predictor.name();
            tracing::info!("predictor {name} does not run on GPUs: weights go through host memory");
        }
    }

    /// Whether the predictor looks at every update.
    pub(crate) fn wants_observe(&self) -> bool {
        self.predictor.wants_observe()
    }

    /// Shows the predictor an update that was just made.
    pub(crate) fn observe(&mut self, context: &Context<'_>, state: &State<'_>) -> Result<(), TorchError> {
        self.stages(state.weights);
        let _busy = self.doing.now("in `observe` of", Some(&self.label));
        observe(&mut *self.predictor, context, state)
    }

    /// Takes note of what was predicted for this unit, if a probe is due.
    pub(crate) fn predicted(
        &mut self,
        unit: Unit,
        context: &Context<'_>,
        state: &State<'_>,
        predicted: &Tensor,
    ) -> Result<(), TorchError> {
        if context.horizon() == 0 || self.probe_every == 0 {
            return Ok(());
        }
        self.since_probe = self.since_probe.saturating_add(1);
        if self.since_probe < self.probe_every || self.probe.is_some() {
            return Ok(());
        }
        let direction = match state.direction {
            Some(d) if self.predictor.wants_feedback() => Some(d.f_mul_scalar(-context.rate_sum())?),
            _ => None,
        };
        self.since_probe = 0;
        self.probe = Some(OpenProbe {
            unit,
            horizon: context.horizon(),
            at_forward: copy(state.weights)?,
            predicted: copy(predicted)?,
            direction,
        });
        Ok(())
    }

    /// Closes the probe of this unit, if it has one: these are the weights that were predicted.
    pub(crate) fn realised(&mut self, unit: Unit, weights: &Tensor) -> Result<(), TorchError> {
        let Some(open) = self.probe.take_if(|open| open.unit == unit) else {
            return Ok(());
        };
        let numbers = tch::no_grad(|| open.close(weights))?;
        if self.predictor.wants_feedback() {
            // What it learns must not depend on when the device got there: the run could not be repeated.
            let numbers = self.readback.read(&numbers)?;
            self.take(open.horizon, &numbers);
            return Ok(());
        }
        self.readback.send_for(open.horizon, &numbers)?;
        self.measure(false)
    }

    /// Waits for the probes that have been closed.
    pub(crate) fn finish(&mut self) -> Result<(), TorchError> {
        self.measure(true)
    }

    /// How the host has read the probes.
    pub(crate) fn reads(&self) -> HostReads {
        self.readback.reads()
    }

    fn measure(&mut self, all: bool) -> Result<(), TorchError> {
        while let Some((horizon, numbers)) = self.readback.next(all)? {
            self.take(horizon, &numbers);
        }
        Ok(())
    }

    fn take(&mut self, horizon: u32, numbers: &[f64]) {
        let probe = probe::result(horizon, numbers);
        if let Some(gain) = probe.gain() {
            self.errors += gain;
            self.probes += 1;
        }
        if let Some(cosine) = probe.cosine() {
            self.cosines += cosine;
            self.cosine_probes += 1;
        }
        let _busy = self.doing.now("in `feedback` of", Some(&self.label));
        self.predictor.feedback(&probe);
    }
}
