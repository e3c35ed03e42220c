//! A custom predictor that learns while training: it watches every update, and keeps for each parameter a moving average
//! m of how far one unit of learning rate moves it, Δ/η. It predicts Ŵ = w + (Σ η_i)·m.
//!
//! So it needs to know nothing about the optimizer, and sees a milestone of the learning rate coming.

use dtrp_predictors::{
    Arrays, Context, Definition, Description, Inputs, Kind, OptionSpec, Options, Output, Predictor, PredictorError,
    Real, Rule, Views, export_predictor,
};

struct Online {
    /// Decay of the moving average, per update.
    memory: f64,
    /// 1 − memory^n after n updates: corrects for the average's start at 0.
    filled: f64,
    /// The moving average, one number a parameter; empty before the first update.
    average: Vec<f64>,
}

impl Online {
    fn learn<T: Real>(&mut self, context: &Context<'_>, views: Views<'_, T>) {
        let (Some(displacement), rate) = (views.displacement, context.rate_sum()) else {
            return;
        };
        if rate == 0.0 {
            return;
        }
        self.average.resize(displacement.len(), 0.0);
        self.filled = self.memory * self.filled + (1.0 - self.memory);
        for (m, &x) in self.average.iter_mut().zip(displacement) {
            *m = self.memory * *m + (1.0 - self.memory) * (x.into() / rate);
        }
    }

    fn forecast<T: Real>(&self, context: &Context<'_>, views: Views<'_, T>, out: &mut [T]) {
        // Horizon 0 must give the weights bit for bit, and −0 + 0 would not.
        if self.average.is_empty() || context.horizon() == 0 {
            out.copy_from_slice(views.weights);
            return;
        }
        let way = context.rate_sum() / self.filled;
        for ((o, &w), m) in out.iter_mut().zip(views.weights).zip(&self.average) {
            *o = T::from_f64(w.into() + way * m);
        }
    }

    fn error(message: String) -> PredictorError {
        PredictorError::State {
            predictor: Self::DESCRIPTION.name.into(),
            reason: message,
        }
    }
}

impl Predictor for Online {
    fn name(&self) -> &str {
        Self::DESCRIPTION.name
    }

    fn inputs(&self) -> Inputs {
        Inputs::DISPLACEMENT
    }

    fn rule(&mut self, _: &Context<'_>) -> Result<Rule, PredictorError> {
        Ok(Rule::Custom)
    }

    fn predict(&mut self, context: &Context<'_>, arrays: Arrays<'_>, out: Output<'_>) -> Result<(), PredictorError> {
        match (arrays, out) {
            (Arrays::F32(views), Output::F32(out)) => self.forecast(context, views, out),
            (Arrays::F64(views), Output::F64(out)) => self.forecast(context, views, out),
            _ => return Err(arrays.unsupported(self.name())),
        }
        Ok(())
    }

    fn wants_observe(&self) -> bool {
        true
    }

    fn observe(&mut self, context: &Context<'_>, arrays: Arrays<'_>) -> Result<(), PredictorError> {
        match arrays {
            Arrays::F32(views) => self.learn(context, views),
            Arrays::F64(views) => self.learn(context, views),
            Arrays::Device(_) => return Err(arrays.unsupported(self.name())),
        }
        Ok(())
    }

    fn save(&self) -> Vec<u8> {
        std::iter::once(&self.filled)
            .chain(&self.average)
            .flat_map(|x| x.to_le_bytes())
            .collect()
    }

    fn load(&mut self, state: &[u8]) -> Result<(), PredictorError> {
        let (numbers, rest) = state.as_chunks::<8>();
        let Some((filled, average)) = numbers.split_first().filter(|_| rest.is_empty()) else {
            return Err(Self::error(format!("{} bytes are no list of f64", state.len())));
        };
        self.filled = f64::from_le_bytes(*filled);
        self.average = average.iter().map(|x| f64::from_le_bytes(*x)).collect();
        Ok(())
    }
}

impl Definition for Online {
    const DESCRIPTION: Description = Description {
        name: "org.example.online",
        version: env!("CARGO_PKG_VERSION"),
        summary: "learns how far one unit of learning rate moves each parameter",
        formula: "Ŵ = w + (Σ η_i)·EMA(Δ/η)",
        licence: env!("CARGO_PKG_LICENSE"),
        kind: Kind::Custom,
        options: &[OptionSpec::number(
            "memory",
            0.8,
            0.0..=0.9999,
            "decay of the moving average, per update",
        )],
    };

    fn build(options: &Options<'_>) -> Result<Self, PredictorError> {
        Ok(Self {
            memory: options.number("memory"),
            filled: 0.0,
            average: Vec::new(),
        })
    }
}

export_predictor!(Online);

#[cfg(test)]
mod tests {
    use super::*;
    use dtrp_predictors::{OptimizerState, conformance, loader::Library};

    #[test]
    fn conforms() {
        let report = conformance::check_entry(&dtrp_predictor_entry);
        assert!(report.passed(), "{report}");
    }

    fn at(update: u64, learning_rates: &[f64]) -> Context<'_> {
        let optimizer = OptimizerState::Sgd {
            momentum: 0.9,
            nesterov: false,
            weight_decay: 0.0,
        };
        Context {
            module: 1,
            modules: 2,
            update,
            learning_rates,
            optimizer,
        }
    }

    /// Where every update moves by η·slope, the forecast is exact from the first update on, through a milestone too.
    #[test]
    fn learns_a_constant_slope() {
        let library = Library::linked(&dtrp_predictor_entry).expect("a plug-in");
        let mut online = library.create("", &serde_json::Value::Null).expect("a predictor");
        let slope = [-2.0f64, 0.5, 0.0];
        let mut w = [1.0; 3];
        for update in 1..=5 {
            let rate = 0.1 / f64::from(update as u32);
            let step = slope.map(|s| rate * s);
            w.iter_mut().zip(step).for_each(|(w, x)| *w += x);
            let views = Views {
                displacement: Some(&step[..]),
                ..Views::of(&w)
            };
            online.observe(&at(update, &[rate]), Arrays::F64(views)).expect("seen");
            let mut out = [f64::NAN; 3];
            online
                .forecast(&at(update, &[0.1, 0.1, 0.01]), Views::of(&w), &mut out)
                .expect("a forecast");
            for i in 0..3 {
                assert!(
                    (out[i] - (w[i] + 0.21 * slope[i])).abs() < 1e-12,
                    "{out:?} after {update}"
                );
            }
        }
    }
}
