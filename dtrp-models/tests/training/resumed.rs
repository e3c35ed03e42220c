//! A run that is saved and restored between any two actions of its program is the same run, bit for bit.

use crate::hand::check;
use crate::run::{MakeOptimizer, Run};
use dtrp_core::schedule::{Method, Order};
use dtrp_core::torch::{Adam, BlockSpec, Pass, Precision, Vars};
use dtrp_models::layers::{Dropout, Linear};
use dtrp_models::{build, option_values};
use dtrp_predictors::{
    Arrays, Context, Definition, Description, Inputs, Options, Output, Predictor, PredictorError, Probe, Registration,
    Rule, Views,
};
use tch::{Kind, Tensor};

/// Predicts by itself, with a share that it learns from updates and from feedback.
struct Learning {
    share: f64,
    seen: u64,
}

impl Learning {
    fn forecast<T: dtrp_predictors::Real + Into<f64> + Copy>(
        &self,
        context: &Context<'_>,
        views: Views<'_, T>,
        out: &mut [T],
        from: impl Fn(f64) -> T,
    ) {
        for (index, (out, w)) in out.iter_mut().zip(views.weights).enumerate() {
            let d: f64 = views.direction.map_or(0.0, |d| d[index].into());
            *out = from((*w).into() - self.share * context.rate_sum() * d);
        }
    }
}

impl Predictor for Learning {
    fn name(&self) -> &str {
        Self::DESCRIPTION.name
    }

    fn inputs(&self) -> Inputs {
        Inputs {
            direction: true,
            gradient: true,
            displacement: true,
        }
    }

    fn rule(&mut self, _: &Context<'_>) -> Result<Rule, PredictorError> {
        Ok(Rule::Custom)
    }

    fn predict(&mut self, context: &Context<'_>, arrays: Arrays<'_>, out: Output<'_>) -> Result<(), PredictorError> {
        match (arrays, out) {
            (Arrays::F32(views), Output::F32(out)) => self.forecast(context, views, out, |x| x as f32),
            (Arrays::F64(views), Output::F64(out)) => self.forecast(context, views, out, |x| x),
            _ => return Err(arrays.unsupported("org.example.learning")),
        }
        Ok(())
    }

    fn wants_observe(&self) -> bool {
        true
    }

    fn observe(&mut self, context: &Context<'_>, _: Arrays<'_>) -> Result<(), PredictorError> {
        self.seen += context.update;
        self.share *= 0.99;
        Ok(())
    }

    fn wants_feedback(&self) -> bool {
        true
    }

    fn feedback(&mut self, probe: &Probe) {
        if probe.direction_norm2 > 0.0 {
            self.share = 0.5 * self.share + 0.5 * probe.realised_dot_direction / probe.direction_norm2;
        }
    }

    fn save(&self) -> Vec<u8> {
        [self.share.to_bits(), self.seen].map(u64::to_le_bytes).concat()
    }

    fn load(&mut self, state: &[u8]) -> Result<(), PredictorError> {
        let word = |at: usize| u64::from_le_bytes(state[at..at + 8].try_into().unwrap());
        (self.share, self.seen) = (f64::from_bits(word(0)), word(8));
        Ok(())
    }
}

impl Definition for Learning {
    const DESCRIPTION: Description = Description {
        name: "org.example.learning",
        version: "1.0.0",
        summary: "for this test",
        formula: "as much of the way of momentum as was right before",
        licence: "MIT OR Apache-2.0",
        kind: dtrp_predictors::Kind::Custom,
        options: &[],
    };

    fn build(_: &Options<'_>) -> Result<Self, PredictorError> {
        Ok(Self { share: 1.0, seen: 0 })
    }
}

dtrp_predictors::inventory::submit! { Registration::of::<Learning>() }

/// Every optimizer, with predictors that it can be predicted by.
fn optimizers() -> Vec<(Option<MakeOptimizer>, Vec<&'static str>)> {
    let all = [
        "none",
        "damped",
        "decayed",
        "difference",
        "adaptive",
        "org.example.learning",
    ];
    let with = |own: &'static str| [&[own][..], &all].concat();
    vec![
        (None, with("momentum")),
        (
            Some(|run| Box::new(run.sgd().momentum(0.0))),
            vec!["none", "difference"],
        ),
        (Some(|run| Box::new(run.sgd().nesterov(true))), with("momentum")),
        (Some(|run| Box::new(run.sgd().spike_compensation(2))), with("momentum")),
        (
            Some(|_| Box::new(Adam::new())),
            vec!["adam", "none", "difference", "org.example.learning"],
        ),
        (
            Some(|_| Box::new(Adam::decoupled().weight_decay(0.1).decay_bias_and_norm(false))),
            vec!["adamw", "none", "difference", "org.example.learning"],
        ),
    ]
}

fn network() -> Vec<BlockSpec> {
    let choice = option_values([("depth", 8.into()), ("width", 4.into())]);
    build("resnet-cifar", &choice, &crate::run::INPUT).unwrap().blocks
}

/// With dropout in the middle.
fn with_dropout() -> Vec<BlockSpec> {
    let mut blocks = network();
    let dropout = BlockSpec::build("dropout", |_| {
        let dropout = Dropout::new(0.3, 0);
        move |vars: &Vars<'_>, x: &Tensor, pass: &Pass| dropout.forward(vars, x.shallow_clone(), pass)
    });
    blocks.insert(2, dropout);
    blocks
}

/// With a block without parameters whose gradient repeats one number in memory.
fn with_a_sum() -> Vec<BlockSpec> {
    let mut blocks = network();
    blocks.truncate(3);
    blocks.push(BlockSpec::build("sum", |_| {
        |_: &Vars<'_>, x: &Tensor, _: &Pass| x.f_sum_dim_intlist([2i64, 3].as_slice(), false, None::<Kind>)
    }));
    blocks.push(BlockSpec::build("fc", |scope| {
        let linear = Linear::torch(&mut scope.sub("fc"), 8, 5);
        move |vars: &Vars<'_>, x: &Tensor, _: &Pass| linear.forward(vars, x)
    }));
    blocks
}

/// Every method in every order, each with another optimizer, predictor, type, and number of batches under one update.
#[test]
fn every_method_goes_on_from_any_moment() {
    let optimizers = optimizers();
    let mut turn = 0;
    for method in Method::all() {
        for order in method.orders {
            for modules in 1..=3 {
                turn += 1;
                let (optimizer, predictors) = &optimizers[turn % optimizers.len()];
                check(&Run {
                    order: Some(*order),
                    predictor: predictors[turn % predictors.len()],
                    batches: 5,
                    micro_batches: if method.micro_batches { 1 + (turn % 3) as u16 } else { 1 },
                    accumulate: if method.accumulate { 1 + (turn % 2) as u32 } else { 1 },
                    seed: turn as u64,
                    kind: [Kind::Float, Kind::Double][turn / 2 % 2],
                    optimizer: *optimizer,
                    probe_every: [1, 3][turn / 3 % 2],
                    milestone: Some(2),
                    gradient_shrink: [1.0, 0.5][turn / 5 % 2],
                    ..Run::new(method.name, modules)
                });
            }
        }
    }
}

#[test]
fn every_optimizer_and_predictor_goes_on_from_any_moment() {
    for (optimizer, predictors) in optimizers() {
        for predictor in predictors {
            check(&Run {
                optimizer,
                predictor,
                batches: 5,
                order: Some(Order::Lockstep),
                ..Run::new("dtrp", 2)
            });
        }
    }
}

#[test]
fn micro_batches_go_on_from_any_moment() {
    for method in Method::all().iter().filter(|method| method.micro_batches) {
        check(&Run {
            micro_batches: 3,
            accumulate: if method.accumulate { 2 } else { 1 },
            batches: 4,
            ..Run::new(method.name, 2)
        });
    }
}

#[test]
fn networks_of_all_sorts_go_on_from_any_moment() {
    for method in ["dtrp", "fdg", "spectrain"] {
        let run = Run {
            batches: 5,
            ..Run::new(method, 3)
        };
        check(&Run {
            network: Some(with_dropout),
            ..run.clone()
        });
        // The block without parameters is a module of its own.
        check(&Run {
            network: Some(with_a_sum),
            modules: 5,
            batches: 7,
            ..run.clone()
        });
        check(&Run {
            channels_last: true,
            precision: Precision::Bf16,
            ..run.clone()
        });
        // Two tensors cross.
        check(&Run {
            places: vec!["layer1.0/conv2", "layer2.0/conv2"],
            ..run
        });
    }
}
