//! The trait that every predictor implements.

use crate::{Arrays, Coefficients, Context, Output, PredictorError, Probe, Real, Views};

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

    /// The last gradient alone.
    pub const GRADIENT: Self = Self {
        gradient: true,
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
    /// The host calls [`Predictor::predict`].
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

    /// How messages call it; that of a plug-in names its file too.
    fn label(&self) -> String {
        format!("predictor `{}`", self.name())
    }

    /// What it reads besides the weights. Constant over the life of an instance.
    fn inputs(&self) -> Inputs;

    /// Linear rules return their coefficients, others [`Rule::Custom`].
    ///
    /// # Errors
    ///
    /// Where the rule has no meaning in this context, such as [`PredictorError::Optimizer`].
    fn rule(&mut self, context: &Context<'_>) -> Result<Rule, PredictorError>;

    /// Writes Ŵ into `out`. Called only after [`rule`](Self::rule) returned [`Rule::Custom`] for the same context. In the
    /// memory of a GPU it enqueues the work on the arrays' stream and does not wait for it.
    ///
    /// ```
    /// # use dtrp_predictors::{Arrays, Context, Output, PredictorError, Real, Views};
    /// # struct Mine;
    /// # impl Mine {
    /// # fn forecast<T: Real>(&mut self, _: &Context<'_>, views: Views<'_, T>, out: &mut [T]) {
    /// #     out.copy_from_slice(views.weights);
    /// # }
    /// fn predict(&mut self, context: &Context<'_>, arrays: Arrays<'_>, out: Output<'_>) -> Result<(), PredictorError> {
    ///     match (arrays, out) {
    ///         (Arrays::F32(views), Output::F32(out)) => self.forecast(context, views, out),
    ///         (Arrays::F64(views), Output::F64(out)) => self.forecast(context, views, out),
    ///         _ => return Err(arrays.unsupported("mine")),
    ///     }
    ///     Ok(())
    /// }
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`PredictorError::Unsupported`] for arrays that it cannot work on: all of them, unless implemented.
    fn predict(&mut self, context: &Context<'_>, arrays: Arrays<'_>, out: Output<'_>) -> Result<(), PredictorError> {
        let _ = (context, out);
        Err(arrays.unsupported(self.name()))
    }

    /// Whether it predicts and observes in the memory of a GPU, from [`Arrays::Device`]. If not, a host with its weights there
    /// passes copies in its own memory. Constant over the life of an instance.
    fn on_gpu(&self) -> bool {
        false
    }

    /// Whether the host should call `observe` after each update. Constant over the life of an instance.
    fn wants_observe(&self) -> bool {
        false
    }

    /// Sees the state right after an update: w^u, the direction and the gradient that made it, Δ = w^u − w^{u−1}.
    /// `context.update` is u; `context.learning_rates` holds the one rate that the update used. In the memory of a GPU it
    /// enqueues its work and does not wait for it.
    ///
    /// # Errors
    ///
    /// Whatever the predictor cannot work with; it ends the run.
    fn observe(&mut self, context: &Context<'_>, arrays: Arrays<'_>) -> Result<(), PredictorError> {
        let _ = (context, arrays);
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
            Rule::Custom => self.predict(context, T::arrays(views), T::output(out)),
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
