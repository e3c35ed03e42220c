//! The trait that every predictor implements.

use crate::{Coefficients, Context, GpuArrays, PredictorError, Probe, Real, Views};
use std::ffi::c_void;

/// What a predictor reads besides the weights, so that a host keeps only that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Inputs {
    /// d, the optimizer's direction.
    pub direction: bool,
    /// g, the last gradient.
    pub gradient: bool,
    /// Δ, the last displacement.
    pub displacement: bool,
}

impl Inputs {
    /// Nothing but the weights.
    pub const NONE: Self = Self {
        direction: false,
        gradient: false,
        displacement: false,
    };

    /// The direction alone.
    pub const DIRECTION: Self = Self {
        direction: true,
        ..Self::NONE
    };

    /// The last displacement alone.
    pub const DISPLACEMENT: Self = Self {
        displacement: true,
        ..Self::NONE
    };
}

/// How one prediction is to be made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rule {
    /// The host applies these coefficients, on whatever device the weights are.
    Linear(Coefficients),
    /// The host calls [`Predictor::predict_f32`] or [`Predictor::predict_f64`].
    Custom,
}

/// Forecasts the weights a module will have s updates from now.
///
/// A host makes one instance for each module and uses it from one thread at a time, so an instance needs no locks.
/// For horizon 0 every predictor gives the current weights, bit for bit. The same calls in the same order give the
/// same bytes.
pub trait Predictor: Send {
    /// The name it is chosen by.
    fn name(&self) -> &str;

    /// What it reads besides the weights. Constant over the life of an instance.
    fn inputs(&self) -> Inputs;

    /// Linear rules return their coefficients, others [`Rule::Custom`].
    ///
    /// # Errors
    ///
    /// Where the rule has no meaning in this context, such as [`PredictorError::Optimizer`].
    fn rule(&mut self, context: &Context<'_>) -> Result<Rule, PredictorError>;

    /// Writes Ŵ into `out`, which has the length of the weights and arbitrary content. Called only after
    /// [`rule`](Self::rule) returned [`Rule::Custom`] for the same context.
    ///
    /// # Errors
    ///
    /// [`PredictorError::NotCustom`] unless implemented.
    fn predict_f32(
        &mut self,
        context: &Context<'_>,
        views: Views<'_, f32>,
        out: &mut [f32],
    ) -> Result<(), PredictorError> {
        let _ = (context, views, out);
        Err(PredictorError::NotCustom {
            predictor: self.name().into(),
            dtype: f32::NAME,
        })
    }

    /// As [`predict_f32`](Self::predict_f32), in double precision.
    ///
    /// # Errors
    ///
    /// [`PredictorError::NotCustom`] unless implemented.
    fn predict_f64(
        &mut self,
        context: &Context<'_>,
        views: Views<'_, f64>,
        out: &mut [f64],
    ) -> Result<(), PredictorError> {
        let _ = (context, views, out);
        Err(PredictorError::NotCustom {
            predictor: self.name().into(),
            dtype: f64::NAME,
        })
    }

    /// Whether it predicts and observes in the memory of a GPU. If not, a host with its weights there passes copies in its own
    /// memory. Constant over the life of an instance.
    fn on_gpu(&self) -> bool {
        false
    }

    /// As [`predict_f32`](Self::predict_f32) and its sibling, for arrays in the memory of a GPU: enqueues the work on their
    /// stream and does not wait for it. `out` overlaps no input.
    ///
    /// # Safety
    ///
    /// The pointers are to `arrays.len` elements each on that GPU, or null where an input does not exist; work on that
    /// stream may use them.
    ///
    /// # Errors
    ///
    /// [`PredictorError::NotCustom`] unless implemented.
    unsafe fn predict_gpu(
        &mut self,
        context: &Context<'_>,
        arrays: &GpuArrays,
        out: *mut c_void,
    ) -> Result<(), PredictorError> {
        let _ = (context, arrays, out);
        Err(PredictorError::NotCustom {
            predictor: self.name().into(),
            dtype: "an array of a GPU",
        })
    }

    /// As [`observe_f32`](Self::observe_f32) and its sibling, for arrays in the memory of a GPU.
    ///
    /// # Safety
    ///
    /// As for [`predict_gpu`](Self::predict_gpu).
    ///
    /// # Errors
    ///
    /// Whatever the predictor cannot work with; it ends the run.
    unsafe fn observe_gpu(&mut self, context: &Context<'_>, arrays: &GpuArrays) -> Result<(), PredictorError> {
        let _ = (context, arrays);
        Ok(())
    }

    /// Whether the host should call `observe` after each update. Constant over the life of an instance.
    fn wants_observe(&self) -> bool {
        false
    }

    /// Sees the state right after an update: w^u, the direction and the gradient that made it, Δ = w^u − w^{u−1}.
    /// `context.update` is u; `context.learning_rates` holds the one rate that the update used.
    ///
    /// # Errors
    ///
    /// Whatever the predictor cannot work with; it ends the run.
    fn observe_f32(&mut self, context: &Context<'_>, views: Views<'_, f32>) -> Result<(), PredictorError> {
        let _ = (context, views);
        Ok(())
    }

    /// As [`observe_f32`](Self::observe_f32), in double precision.
    ///
    /// # Errors
    ///
    /// Whatever the predictor cannot work with; it ends the run.
    fn observe_f64(&mut self, context: &Context<'_>, views: Views<'_, f64>) -> Result<(), PredictorError> {
        let _ = (context, views);
        Ok(())
    }

    /// Whether the host must fill ⟨r,e⟩ and ⟨e,e⟩ of its probes, which costs it a copy of e = −(Σ η_i)·d while a
    /// probe is open. Constant over the life of an instance.
    fn wants_feedback(&self) -> bool {
        false
    }

    /// Hears how a prediction turned out.
    fn feedback(&mut self, probe: &Probe) {
        let _ = probe;
    }

    /// What it has learned so far, for a checkpoint. Empty if nothing.
    fn save(&self) -> Vec<u8> {
        Vec::new()
    }

    /// Takes up what [`save`](Self::save) wrote; both then predict the same bytes.
    ///
    /// # Errors
    ///
    /// [`PredictorError::State`] for bytes that `save` of this predictor did not write.
    fn load(&mut self, state: &[u8]) -> Result<(), PredictorError> {
        if state.is_empty() {
            return Ok(());
        }
        Err(PredictorError::State {
            predictor: self.name().into(),
            reason: format!("it keeps no state, but {} bytes were given", state.len()),
        })
    }
}

impl dyn Predictor + '_ {
    /// Makes one prediction from slices in host memory: horizon 0 copies the weights, a linear rule is applied in one
    /// pass, anything else predicts by itself.
    ///
    /// # Errors
    ///
    /// Those of the predictor; [`PredictorError::Length`] if the slices differ in length;
    /// [`PredictorError::NonFinite`] if a coefficient is infinite or NaN.
    pub fn forecast<T: Real>(
        &mut self,
        context: &Context<'_>,
        views: Views<'_, T>,
        out: &mut [T],
    ) -> Result<(), PredictorError> {
        check_lengths(self.name(), &views, out.len())?;
        if context.horizon() == 0 {
            out.copy_from_slice(views.weights);
            return Ok(());
        }
        match self.rule(context)? {
            Rule::Linear(coefficients) if coefficients.is_finite() => {
                coefficients.apply(views, out);
                Ok(())
            }
            Rule::Linear(_) => Err(PredictorError::NonFinite {
                predictor: self.name().into(),
                what: "a coefficient of the rule",
            }),
            Rule::Custom => T::predict(self, context, views, out),
        }
    }
}

pub(crate) fn check_lengths<T>(name: &str, views: &Views<'_, T>, n: usize) -> Result<(), PredictorError> {
    let lengths = [
        ("weights", Some(views.weights)),
        ("direction", views.direction),
        ("gradient", views.gradient),
        ("displacement", views.displacement),
    ];
    for (what, input) in lengths {
        if let Some(input) = input
            && input.len() != n
        {
            return Err(PredictorError::Length {
                predictor: name.into(),
                what,
                expected: n,
                got: input.len(),
            });
        }
    }
    Ok(())
}
