//! The scalar test vectors: weights that others computed, by predictor and horizon.

use dtrp_predictors::{Context, OptimizerState, Spec, Views, create};

/// w = 0.5, predicted `horizon` updates ahead at learning rate `rate`, from direction `d` after `update` updates.
fn check(
    name: &str,
    optimizer: OptimizerState,
    (d, rate, update): (f64, f64, u64),
    table: &[(usize, f64)],
    tolerance: f64,
) {
    let mut predictor = create(&Spec::named(name)).expect("a built-in");
    for &(horizon, expected) in table {
        let rates = vec![rate; horizon];
        let context = Context {
            module: 1,
            modules: 2,
            update,
            learning_rates: &rates,
            optimizer,
        };
        let mut out = [f64::NAN];
        let views = Views {
            direction: Some(&[d]),
            ..Views::of(&[0.5])
        };
        predictor.forecast(&context, views, &mut out).expect("a prediction");
        assert!(
            (out[0] - expected).abs() < tolerance,
            "{name}, horizon {horizon}: {} for {expected}",
            out[0]
        );
    }
}

#[test]
fn sgd() {
    let sgd = OptimizerState::Sgd {
        momentum: 0.9,
        nesterov: false,
        weight_decay: 5e-4,
    };
    let check = |name, table: &[(usize, f64)]| check(name, sgd, (0.2, 0.1, 10), table, 1e-9);
    check("none", &[(0, 0.5), (1, 0.5), (6, 0.5)]);
    check(
        "momentum",
        &[(0, 0.5), (1, 0.48), (2, 0.46), (3, 0.44), (4, 0.42), (6, 0.38)],
    );
    check(
        "damped",
        &[
            (0, 0.5),
            (1, 0.482),
            (2, 0.4658),
            (3, 0.45122),
            (4, 0.438098),
            (6, 0.41565938),
        ],
    );
    check(
        "decayed",
        &[
            (0, 0.5),
            (1, 0.481975),
            (2, 0.465728401),
            (3, 0.451083176),
            (4, 0.437879919),
            (6, 0.415239452),
        ],
    );
}

#[test]
fn adam() {
    // m = 0.02, v = 9e-4 after t = 10 updates.
    let (beta1, beta2, epsilon, t): (f64, f64, f64, i32) = (0.9, 0.999, 1e-8, 10);
    let d = 0.02 / (1.0 - beta1.powi(t)) / ((9e-4 / (1.0 - beta2.powi(t))).sqrt() + epsilon);
    let adam = OptimizerState::Adam {
        beta1,
        beta2,
        epsilon,
        weight_decay: 0.0,
        decoupled: false,
    };
    let check = |name, table: &[(usize, f64)]| check(name, adam, (d, 1e-3, 10), table, 6e-10);
    let ftpipe = [(1, 0.499908522), (2, 0.499826311), (3, 0.499752236), (4, 0.499685348)];
    check("adam", &ftpipe);
    check("adamw", &ftpipe);
    // Under Adam `momentum` is PipeOptim's predictor.
    check(
        "momentum",
        &[(1, 0.499897874), (2, 0.499795748), (3, 0.499693622), (4, 0.499591496)],
    );
}
