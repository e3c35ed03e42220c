//! Predicted weights: applying a predictor to an arena, and measuring what the prediction was worth.

use super::arena::copy;
use super::error::TorchError;
use super::probe::{self, OpenProbe};
use super::readback::{HostReads, Readback};
use super::shim::add_scaled;
use crate::schedule::Unit;
use dtrp_predictors::{
    Coefficients, Context, Inputs, Predictor, PredictorError, Real, Rule, Views,
};
use std::time::{Duration, Instant};
use tch::{Device, Kind, Tensor};

/// The flat tensors a predictor may read.
pub(super) struct State<'a> {
    pub(super) weights: &'a Tensor,
    pub(super) direction: Option<&'a Tensor>,
    pub(super) gradient: Option<&'a Tensor>,
    pub(super) displacement: Option<&'a Tensor>,
}

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
    predictor: Box<dyn Predictor>,
    inputs: Inputs,
    probe: Option<OpenProbe>,
    probe_every: u32,
    since_probe: u32,
    errors: f64,
    cosines: f64,
    probes: u64,
    cosine_probes: u64,
    /// Closed probes of these horizons.
    readback: Readback<u32>,
    spent: Duration,
}

impl Forecaster {
    /// Uses `predictor`; every `probe_every`-th prediction may open a probe (0: never).
    pub fn new(predictor: Box<dyn Predictor>, probe_every: u32) -> Self {
        Self {
            inputs: predictor.inputs(),
            predictor,
            probe: None,
            probe_every,
            since_probe: probe_every,
            errors: 0.0,
            cosines: 0.0,
            probes: 0,
            cosine_probes: 0,
            readback: Readback::default(),
            spent: Duration::ZERO,
        }
    }

    /// What the predictor reads besides the weights.
    pub fn inputs(&self) -> Inputs {
        self.inputs
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
    pub(super) fn spend(&mut self, start: Instant) {
        self.spent += start.elapsed();
    }

    /// How the prediction is to be made; `None` if it is the current weights themselves.
    pub(super) fn rule(&mut self, context: &Context<'_>) -> Result<Option<Rule>, TorchError> {
        if context.horizon() == 0 {
            return Ok(None);
        }
        let rule = self.predictor.rule(context)?;
        Ok(Some(rule).filter(|rule| !matches!(rule, Rule::Linear(c) if c.is_identity())))
    }

    /// Writes Ŵ into `out`, by a rule from [`rule`](Self::rule).
    pub(super) fn write(
        &mut self,
        rule: Rule,
        context: &Context<'_>,
        state: &State<'_>,
        out: &mut Tensor,
    ) -> Result<(), TorchError> {
        tch::no_grad(|| apply(&mut *self.predictor, rule, context, state, out))
    }

    /// Whether the predictor looks at every update.
    pub(super) fn wants_observe(&self) -> bool {
        self.predictor.wants_observe()
    }

    /// Shows the predictor an update that was just made.
    pub(super) fn observe(
        &mut self,
        context: &Context<'_>,
        state: &State<'_>,
    ) -> Result<(), TorchError> {
        let host = Staged::new(state)?;
        let state = host.state();
        match state.weights.f_kind()? {
            Kind::Double => f64::observe(&mut *self.predictor, context, state.views())?,
            _ => f32::observe(&mut *self.predictor, context, state.views())?,
        }
        Ok(())
    }

    /// Takes note of what was predicted for this unit, if a probe is due.
    pub(super) fn predicted(
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
            Some(d) if self.predictor.wants_feedback() => {
                Some(d.f_mul_scalar(-context.rate_sum())?)
            }
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
    pub(super) fn realised(&mut self, unit: Unit, weights: &Tensor) -> Result<(), TorchError> {
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
    pub(super) fn finish(&mut self) -> Result<(), TorchError> {
        self.measure(true)
    }

    /// How the host has read the probes.
    pub(super) fn reads(&self) -> HostReads {
        self.readback.reads()
    }

    fn measure(&mut self, all: bool) -> Result<(), TorchError> {
        while let Some((horizon, numbers)) = self.readback.next(all)? {
            self.take(horizon, &numbers);
        }
        Ok(())
    }

    fn take(&mut self, horizon: u32, numbers: &[f64]) {
        let probe = probe::of_numbers(horizon, numbers);
        if let Some(gain) = probe.gain() {
            self.errors += gain;
            self.probes += 1;
        }
        if let Some(cosine) = probe.cosine() {
            self.cosines += cosine;
            self.cosine_probes += 1;
        }
        self.predictor.feedback(&probe);
    }
}

/// Writes Ŵ into `out`: on the CPU in one fused pass over slices, elsewhere with a tensor operation for each input.
fn apply(
    predictor: &mut dyn Predictor,
    rule: Rule,
    context: &Context<'_>,
    state: &State<'_>,
    out: &mut Tensor,
) -> Result<(), TorchError> {
    match (rule, out.device(), out.f_kind()?) {
        (_, Device::Cpu, Kind::Float) => apply_slices::<f32>(predictor, rule, context, state, out),
        (_, Device::Cpu, Kind::Double) => apply_slices::<f64>(predictor, rule, context, state, out),
        (Rule::Linear(coefficients), ..) => {
            finite(predictor, &coefficients)?;
            apply_tensors(&coefficients, state, out)
        }
        (Rule::Custom, ..) => {
            let staged = Staged::new(state)?;
            let mut result = copy(&staged.weights)?;
            apply(predictor, rule, context, &staged.state(), &mut result)?;
            Ok(out.f_copy_(&result)?)
        }
    }
}

/// The tensors a predictor reads, in host memory: the same tensors if they are there already.
struct Staged {
    weights: Tensor,
    direction: Option<Tensor>,
    gradient: Option<Tensor>,
    displacement: Option<Tensor>,
}

impl Staged {
    fn new(state: &State<'_>) -> Result<Self, TorchError> {
        let host = |tensor: &Tensor| tensor.f_to_device(Device::Cpu);
        Ok(Self {
            weights: host(state.weights)?,
            direction: state.direction.map(host).transpose()?,
            gradient: state.gradient.map(host).transpose()?,
            displacement: state.displacement.map(host).transpose()?,
        })
    }

    fn state(&self) -> State<'_> {
        State {
            weights: &self.weights,
            direction: self.direction.as_ref(),
            gradient: self.gradient.as_ref(),
            displacement: self.displacement.as_ref(),
        }
    }
}

impl State<'_> {
    /// The elements of tensors in host memory, of element type T.
    fn views<T: Real>(&self) -> Views<'_, T> {
        Views {
            weights: slice(self.weights),
            direction: self.direction.map(slice),
            gradient: self.gradient.map(slice),
            displacement: self.displacement.map(slice),
        }
    }
}

fn apply_slices<T: Real>(
    predictor: &mut dyn Predictor,
    rule: Rule,
    context: &Context<'_>,
    state: &State<'_>,
    out: &mut Tensor,
) -> Result<(), TorchError> {
    let views = state.views::<T>();
    let len = out.numel();
    // SAFETY: a flat, contiguous CPU tensor of element type T (see `apply`), which nobody else holds while `out` is
    // borrowed mutably; it is an arena of its own, so it overlaps none of the views.
    let out = unsafe { std::slice::from_raw_parts_mut(out.data_ptr().cast::<T>(), len) };
    match rule {
        Rule::Linear(coefficients) => {
            finite(predictor, &coefficients)?;
            coefficients.apply(views, out);
        }
        Rule::Custom => T::predict(predictor, context, views, out)?,
    }
    Ok(())
}

fn finite(predictor: &dyn Predictor, coefficients: &Coefficients) -> Result<(), PredictorError> {
    if coefficients.is_finite() {
        return Ok(());
    }
    Err(PredictorError::NonFinite {
        predictor: predictor.name().into(),
        what: "a coefficient of the rule",
    })
}

/// The elements of a flat CPU tensor.
fn slice<T: Real>(flat: &Tensor) -> &[T] {
    // SAFETY: arenas and optimizer state are flat, contiguous and of one element type, which `apply` has matched with T;
    // the tensor is borrowed for as long as the slice, and no other thread writes to this module's tensors.
    unsafe { std::slice::from_raw_parts(flat.data_ptr().cast::<T>(), flat.numel()) }
}

fn apply_tensors(
    coefficients: &Coefficients,
    state: &State<'_>,
    out: &mut Tensor,
) -> Result<(), TorchError> {
    out.f_copy_(state.weights)?;
    if coefficients.weights != 1.0 {
        let _ = out.f_mul_scalar_(coefficients.weights)?;
    }
    let terms = [
        (coefficients.direction, state.direction),
        (coefficients.gradient, state.gradient),
        (coefficients.displacement, state.displacement),
    ];
    for (coefficient, input) in terms {
        if let Some(input) = input.filter(|_| coefficient != 0.0) {
            add_scaled(out, input, coefficient)?;
        }
    }
    Ok(())
}
