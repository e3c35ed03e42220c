//! When each predictor is exact: against really running the optimizer in f64, over random sequences.

use dtrp_predictors::{Context, Inputs, OptimizerState, PredictorError, Spec, Views, create};
use proptest::{collection::vec, prelude::*};
use serde_json::{Value, json};

/// The scalars of one parameter.
#[derive(Debug, Clone, Copy)]
struct State {
    w: f64,
    d: f64,
    g: f64,
    x: f64,
}

fn states() -> impl Strategy<Value = State> {
    (-2.0..2.0, -2.0..2.0, -2.0..2.0, -0.5..0.5).prop_map(|(w, d, g, x)| State { w, d, g, x })
}

/// Learning rates of up to twelve updates, with a milestone (÷10) anywhere among them.
fn rates() -> impl Strategy<Value = Vec<f64>> {
    (vec(1e-4..0.3, 0..12), 0usize..12).prop_map(|(mut rates, milestone)| {
        rates.iter_mut().skip(milestone).for_each(|rate| *rate /= 10.0);
        rates
    })
}

fn sgd() -> impl Strategy<Value = (f64, bool, f64)> {
    (0.0..0.99, any::<bool>(), 0.0..0.01)
}

fn forecast(
    name: &str,
    options: Value,
    optimizer: OptimizerState,
    update: u64,
    rates: &[f64],
    s: State,
) -> Result<f64, PredictorError> {
    let mut predictor = create(&Spec::named(name).with(options))?;
    let context = Context {
        module: 1,
        modules: 4,
        update,
        learning_rates: rates,
        optimizer,
    };
    // Only what it says it reads, the rest poisoned.
    let Inputs {
        direction,
        gradient,
        displacement,
    } = predictor.inputs();
    let view = |value: f64, read: bool| [if read { value } else { f64::NAN }];
    let (d, g, x) = (view(s.d, direction), view(s.g, gradient), view(s.x, displacement));
    let mut out = [f64::NAN];
    let views = Views {
        weights: &[s.w],
        direction: Some(&d),
        gradient: Some(&g),
        displacement: Some(&x),
    };
    predictor.forecast(&context, views, &mut out)?;
    Ok(out[0])
}

/// PyTorch's SGD, given the gradients of the coming updates.
fn run_sgd(
    (momentum, nesterov, weight_decay): (f64, bool, f64),
    rates: &[f64],
    s: State,
    gradient: impl Fn(usize) -> f64,
) -> f64 {
    let (mut w, mut v) = (s.w, s.d);
    for (i, rate) in rates.iter().enumerate() {
        let g = gradient(i) + weight_decay * w;
        v = momentum * v + g;
        w -= rate * if nesterov { g + momentum * v } else { v };
    }
    w
}

fn of((momentum, nesterov, weight_decay): (f64, bool, f64)) -> OptimizerState {
    OptimizerState::Sgd {
        momentum,
        nesterov,
        weight_decay,
    }
}

fn close(a: f64, b: f64) -> Result<(), TestCaseError> {
    prop_assert!((a - b).abs() <= 1e-12 * (1.0 + a.abs().max(b.abs())), "{a} against {b}");
    Ok(())
}

proptest! {
    #[test]
    fn momentum_in_its_steady_state((momentum, nesterov, _) in sgd(), rates in rates(), s in states()) {
        let sgd = (momentum, nesterov, 0.0);
        let really = run_sgd(sgd, &rates, s, |_| (1.0 - momentum) * s.d);
        close(forecast("momentum", Value::Null, of(sgd), 9, &rates, s)?, really)?;
    }

    #[test]
    fn damped_without_gradients_or_decay((momentum, nesterov, _) in sgd(), rates in rates(), s in states()) {
        let sgd = (momentum, nesterov, 0.0);
        close(forecast("damped", Value::Null, of(sgd), 9, &rates, s)?, run_sgd(sgd, &rates, s, |_| 0.0))?;
    }

    #[test]
    fn decayed_without_gradients(sgd in sgd(), rates in rates(), s in states()) {
        close(forecast("decayed", Value::Null, of(sgd), 9, &rates, s)?, run_sgd(sgd, &rates, s, |_| 0.0))?;
    }

    #[test]
    fn decayed_with_the_last_gradient_once_more(sgd in sgd(), rates in rates(), s in states()) {
        let really = run_sgd(sgd, &rates, s, |i| if i == 0 { s.g } else { 0.0 });
        close(forecast("decayed", json!({ "last_gradient": true }), of(sgd), 9, &rates, s)?, really)?;
    }

    #[test]
    fn difference_of_constant_displacement(sgd in sgd(), rates in rates(), s in states()) {
        let really = rates.iter().fold(s.w, |w, _| w + s.x);
        close(forecast("difference", Value::Null, of(sgd), 9, &rates, s)?, really)?;
    }

    /// `adam` and `adamw` against the optimizer itself with gradient 0 and its second moment held: exact for ε = 0,
    /// and with ε never further off than the documented factor.
    #[test]
    fn adam_and_adamw_with_the_second_moment_frozen(
        (beta1, beta2, weight_decay) in (0.5..0.95, 0.9..0.9999, 0.0..0.1),
        (m, v) in (-1.0f64..1.0, 1e-6f64..1.0),
        epsilon in prop_oneof![Just(0.0), Just(1e-8), Just(1e-3)],
        t in 1i32..5000,
        rates in rates(),
        w in -2.0f64..2.0,
    ) {
        let root = |i: i32| (v / (1.0 - f64::powi(beta2, t + i))).sqrt();
        let d = m / (1.0 - f64::powi(beta1, t)) / (root(0) + epsilon);
        let run = |weight_decay: f64| {
            let (mut w, mut m) = (w, m);
            for (i, rate) in (1..).zip(&rates) {
                m *= beta1;
                w -= rate * weight_decay * w;
                w -= rate * m / (1.0 - f64::powi(beta1, t + i)) / (root(i) + epsilon);
            }
            w
        };
        let s = State { w, d, g: 0.0, x: 0.0 };
        let last = rates.len() as i32;
        let kappa = root(0) / root(last);
        let slack = (kappa - 1.0) * epsilon / (root(0) + epsilon);
        for (name, weight_decay, decoupled) in [("adam", 0.0, false), ("adamw", weight_decay, true), ("adamw", 0.0, false)] {
            let optimizer = OptimizerState::Adam { beta1, beta2, epsilon, weight_decay, decoupled };
            let (guess, really) = (forecast(name, Value::Null, optimizer, t as u64, &rates, s)?, run(weight_decay));
            let way = (guess - rates.iter().fold(w, |w, rate| w - rate * weight_decay * w)).abs();
            prop_assert!((guess - really).abs() <= 1e-11 + slack * way, "{name}: {guess} against {really}");
        }
    }

    /// Going the share ρ of the way, for every predictor; and none of the way for ρ = 0 or horizon 0, bit for bit.
    #[test]
    fn rho_and_horizon(sgd in sgd(), rates in rates(), s in states(), rho in 0.0..1.0) {
        for name in ["momentum", "damped", "decayed", "difference", "adam", "adamw", "adaptive"] {
            let optimizer = match name {
                "adam" | "adamw" => OptimizerState::Adam { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: sgd.2, decoupled: true },
                _ => of(sgd),
            };
            let at = |rho: f64, rates: &[f64]| forecast(name, json!({ "rho": rho }), optimizer, 9, rates, s);
            close(at(rho, &rates)?, s.w + rho * (at(1.0, &rates)? - s.w))?;
            prop_assert_eq!(at(0.0, &rates)?.to_bits(), s.w.to_bits());
            prop_assert_eq!(at(1.0, &[])?.to_bits(), s.w.to_bits());
        }
    }

    /// A module that has made no update has no direction, gradient or displacement: only weight decay can move it.
    #[test]
    fn before_the_first_update(sgd in sgd(), rates in rates(), s in states()) {
        for name in ["none", "momentum", "damped", "decayed", "difference", "adaptive"] {
            let mut predictor = create(&Spec::named(name))?;
            let context = Context { module: 1, modules: 2, update: 0, learning_rates: &rates, optimizer: of(sgd) };
            let mut out = [f64::NAN];
            predictor.forecast(&context, Views::of(&[s.w]), &mut out)?;
            let empty = State { d: 0.0, ..s };
            close(out[0], if name == "decayed" { run_sgd(sgd, &rates, empty, |_| 0.0) } else { s.w })?;
        }
        let adam = OptimizerState::Adam { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.0, decoupled: false };
        prop_assert_eq!(forecast("adam", Value::Null, adam, 0, &rates, State { d: 0.0, ..s })?, s.w);
    }
}
