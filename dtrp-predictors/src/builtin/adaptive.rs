//! `adaptive`: how far to go is fitted while training.

use super::{RHO, describe};
use crate::{
    Coefficients, Context, Definition, Description, Inputs, OptionSpec, Options, Predictor, PredictorError, Probe,
    Registration, Rule,
};

/// Ŵ = w + c·e with e = −(Σ η_i)·d and c fitted online, per module, to what really came.
///
/// Each closed [`Probe`] brings ⟨r,e⟩ and ⟨e,e⟩, with r the realised displacement over the same horizon. Their ratio is the c that would have
/// made ‖r − c·e‖ least; c is the ratio of their exponential moving averages, clamped to [0, 1.5], and 0 until the first
/// probe closes. So in the long run it is never worse than `none`, and where `momentum` is right c becomes 1.
///
/// Probes in which nothing was predicted to move (⟨e,e⟩ = 0), or that are not finite, are left out.
#[derive(Debug, Clone, Copy)]
pub struct Adaptive {
    rho: f64,
    memory: f64,
    /// Moving averages of ⟨r,e⟩ and ⟨e,e⟩. Both start at 0, so that the bias of the start cancels in the ratio.
    realised_dot_direction: f64,
    direction_norm2: f64,
}

const MAX: f64 = 1.5;
/// Of the saved state: one byte of format, two f64 in little-endian order.
const STATE: usize = 1 + 2 * size_of::<f64>();
const FORMAT: u8 = 1;

impl Adaptive {
    /// The c in use: 0 … 1.5.
    pub fn share(&self) -> f64 {
        if self.direction_norm2 > 0.0 {
            (self.realised_dot_direction / self.direction_norm2).clamp(0.0, MAX)
        } else {
            0.0
        }
    }
}

impl Predictor for Adaptive {
    fn name(&self) -> &str {
        Self::DESCRIPTION.name
    }

    fn inputs(&self) -> Inputs {
        Inputs::DIRECTION
    }

    fn rule(&mut self, context: &Context<'_>) -> Result<Rule, PredictorError> {
        let rule = Coefficients::along(-self.share() * context.rate_sum());
        Ok(Rule::Linear(rule.scaled(self.rho)))
    }

    fn wants_feedback(&self) -> bool {
        true
    }

    fn feedback(&mut self, probe: &Probe) {
        let usable = probe.realised_dot_direction.is_finite() && probe.direction_norm2.is_finite();
        if usable && probe.direction_norm2 > 0.0 {
            let blend = |average: f64, new: f64| self.memory * average + (1.0 - self.memory) * new;
            self.realised_dot_direction = blend(self.realised_dot_direction, probe.realised_dot_direction);
            self.direction_norm2 = blend(self.direction_norm2, probe.direction_norm2);
        }
    }

    fn save(&self) -> Vec<u8> {
        let mut state = vec![FORMAT];
        state.extend(self.realised_dot_direction.to_le_bytes());
        state.extend(self.direction_norm2.to_le_bytes());
        state
    }

    fn load(&mut self, state: &[u8]) -> Result<(), PredictorError> {
        let fail = |reason: String| {
            Err(PredictorError::State {
                predictor: Self::DESCRIPTION.name.into(),
                reason,
            })
        };
        let state: [u8; STATE] = match state.try_into() {
            Ok(state) => state,
            Err(_) => return fail(format!("it has {} bytes, not {STATE}", state.len())),
        };
        if state[0] != FORMAT {
            return fail(format!("its format is {}, not {FORMAT}", state[0]));
        }
        let number = |at: usize| f64::from_le_bytes(std::array::from_fn(|i| state[at + i]));
        let (dot, norm2) = (number(1), number(1 + size_of::<f64>()));
        if !dot.is_finite() || !norm2.is_finite() || norm2 < 0.0 {
            return fail("its numbers are not finite".into());
        }
        (self.realised_dot_direction, self.direction_norm2) = (dot, norm2);
        Ok(())
    }
}

impl Definition for Adaptive {
    const DESCRIPTION: Description = describe(
        "adaptive",
        "momentum's prediction, scaled by what really came (fitted online, per module)",
        "Ŵ = w − c·(Σ η_i)·d with c = EMA⟨r,e⟩/EMA⟨e,e⟩ in [0, 1.5], e = −(Σ η_i)·d, r what came; c = 0 until the first probe",
        &[
            RHO,
            OptionSpec::number(
                "memory",
                0.9,
                0.0..=0.9999,
                "decay of the moving averages, per closed probe",
            ),
        ],
    );

    fn build(options: &Options<'_>) -> Result<Self, PredictorError> {
        let (rho, memory) = (options.number("rho"), options.number("memory"));
        Ok(Self {
            rho,
            memory,
            realised_dot_direction: 0.0,
            direction_norm2: 0.0,
        })
    }
}

inventory::submit! { Registration::of::<Adaptive>() }
