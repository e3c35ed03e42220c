//! `decayed`: the real optimizer, run ahead with gradient 0.

use super::{RHO, describe};
use crate::{
    Coefficients, Context, Definition, Description, Inputs, OptimizerState, OptionSpec, Options, Predictor,
    PredictorError, Registration, Rule,
};

/// s steps of SGD with gradient 0 (or with the last gradient in the first step), weight decay included.
///
/// FTPipe's "aggmsnag" (Eliad et al., ATC 2021), without its cap of the horizon. Exact when all coming gradients are 0,
/// with Nesterov or without. One step is linear in (w, v, g):
///
/// ```text
/// p ← λw (+ g in the first step, if asked for)
/// v ← μv + p
/// w ← w − η·v, with Nesterov w ← w − η·(p + μv)
/// ```
///
/// so that s steps are too: the same recurrence, run on the coefficients of w, d and g, gives those of the prediction.
/// Running it costs a dozen scalar operations a step.
#[derive(Debug, Clone, Copy)]
pub struct Decayed {
    rho: f64,
    last_gradient: bool,
}

impl Predictor for Decayed {
    fn name(&self) -> &str {
        Self::DESCRIPTION.name
    }

    fn inputs(&self) -> Inputs {
        Inputs {
            direction: true,
            gradient: self.last_gradient,
            displacement: false,
        }
    }

    fn rule(&mut self, context: &Context<'_>) -> Result<Rule, PredictorError> {
        let OptimizerState::Sgd {
            momentum,
            nesterov,
            weight_decay,
        } = context.optimizer
        else {
            return Err(PredictorError::Optimizer {
                predictor: self.name().into(),
                needs: "sgd",
                got: context.optimizer.to_string(),
                instead: "`adam`, `adamw`, `momentum` or `difference`",
            });
        };
        // Coefficients of (w, d, g) in what stands for w and for v.
        let mut w = [1.0, 0.0, 0.0];
        let mut v = [0.0, 1.0, 0.0];
        for (i, rate) in context.learning_rates.iter().enumerate() {
            let last = if i == 0 && self.last_gradient { 1.0 } else { 0.0 };
            let p = [weight_decay * w[0], weight_decay * w[1], weight_decay * w[2] + last];
            for j in 0..3 {
                v[j] = momentum * v[j] + p[j];
                let step = if nesterov { p[j] + momentum * v[j] } else { v[j] };
                w[j] -= rate * step;
            }
        }
        let [weights, direction, gradient] = w;
        Ok(Rule::Linear(
            Coefficients {
                weights,
                direction,
                gradient,
                displacement: 0.0,
            }
            .scaled(self.rho),
        ))
    }
}

impl Definition for Decayed {
    const DESCRIPTION: Description = describe(
        "decayed",
        "the real optimizer, run ahead with gradient 0, weight decay included (FTPipe aggmsnag); SGD only",
        "Ŵ = c_w·w + c_d·d + c_g·g; exact when all coming gradients are 0",
        &[
            RHO,
            OptionSpec::flag(
                "last_gradient",
                false,
                "use the last gradient again in the first of the coming steps",
            ),
        ],
    );

    fn build(options: &Options<'_>) -> Result<Self, PredictorError> {
        Ok(Self {
            rho: options.number("rho"),
            last_gradient: options.flag("last_gradient"),
        })
    }
}

inventory::submit! { Registration::of::<Decayed>() }
