//! `adaptive` learns how far to go from what really came.

use dtrp_predictors::{Context, OptimizerState, Predictor, Probe, Rule, Spec, create};
use proptest::prelude::*;

const RATES: [f64; 2] = [0.1, 0.01];

fn share(predictor: &mut dyn Predictor) -> f64 {
    let optimizer = OptimizerState::Sgd {
        momentum: 0.9,
        nesterov: false,
        weight_decay: 0.0,
    };
    let context = Context {
        module: 1,
        modules: 2,
        update: 5,
        learning_rates: &RATES,
        optimizer,
    };
    match predictor.rule(&context).expect("a rule") {
        Rule::Linear(c) => {
            assert_eq!((c.weights, c.gradient, c.displacement), (1.0, 0.0, 0.0));
            // With no minus zero for an identity.
            c.direction / -RATES.iter().sum::<f64>() + 0.0
        }
        Rule::Custom => panic!("adaptive is linear"),
    }
}

fn probe(dot: f64, norm2: f64) -> Probe {
    Probe {
        horizon: 2,
        realised_dot_direction: dot,
        direction_norm2: norm2,
        ..Probe::default()
    }
}

fn adaptive() -> Box<dyn Predictor> {
    create(&Spec::named("adaptive")).expect("a built-in")
}

#[test]
fn nothing_before_the_first_probe_and_clamped_after() {
    for (probes, expected) in [
        (&[][..], 0.0),
        (&[probe(2.0, 4.0)], 0.5),
        (&[probe(4.0, 4.0), probe(4.0, 4.0)], 1.0),
        (&[probe(40.0, 4.0)], 1.5),
        (&[probe(-1.0, 4.0)], 0.0),
        // Probes that say nothing.
        (&[probe(1.0, 0.0)], 0.0),
        (&[probe(f64::NAN, 1.0), probe(1.0, f64::INFINITY)], 0.0),
        // 0.09·4/(0.09·4 + 0.1·4)
        (&[probe(4.0, 4.0), probe(0.0, 4.0)], 0.9 / 1.9),
    ] {
        let mut predictor = adaptive();
        probes.iter().for_each(|probe| predictor.feedback(probe));
        let c = share(&mut *predictor);
        assert!((c - expected).abs() < 1e-12, "{c} for {expected} after {probes:?}");
    }
}

#[test]
fn wants_what_it_needs() {
    let predictor = adaptive();
    assert!(predictor.wants_feedback() && predictor.inputs().direction && !predictor.wants_observe());
}

#[test]
fn rho_multiplies_the_clamped_share() {
    let mut predictor =
        create(&Spec::named("adaptive").with(serde_json::json!({ "rho": 0.5 }))).expect("valid options");
    predictor.feedback(&probe(40.0, 4.0));
    assert_eq!(share(&mut *predictor), 0.75);
}

#[test]
fn a_state_it_did_not_write_is_refused() {
    let good = adaptive().save();
    let nan = [&good[..1], &f64::NAN.to_le_bytes(), &good[9..]].concat();
    for bad in [&good[1..], &[], &[&[9], &good[1..]].concat(), &nan] {
        assert!(adaptive().load(bad).is_err(), "{bad:?}");
    }
    let mut none = create(&Spec::default()).expect("a built-in");
    assert!(none.load(&[]).is_ok() && none.load(&good).is_err());
}

proptest! {
    #[test]
    fn saved_state_goes_on_with_the_same_bits(probes in prop::collection::vec((-4.0..4.0, 0.0..4.0), 0..20), cut in 0usize..20) {
        let cut = cut.min(probes.len());
        let (mut whole, mut first, mut second) = (adaptive(), adaptive(), adaptive());
        probes.iter().for_each(|&(dot, norm2)| whole.feedback(&probe(dot, norm2)));
        probes[..cut].iter().for_each(|&(dot, norm2)| first.feedback(&probe(dot, norm2)));
        second.load(&first.save())?;
        probes[cut..].iter().for_each(|&(dot, norm2)| second.feedback(&probe(dot, norm2)));
        prop_assert_eq!(share(&mut *whole).to_bits(), share(&mut *second).to_bits());
    }

    /// Never worse than `none`: over the probes it has averaged, Σ‖r − c·e‖² ≤ Σ‖r‖² with their weights.
    #[test]
    fn the_fitted_share_never_adds_error(probes in prop::collection::vec((-4.0..4.0, 0.01..4.0), 1..20)) {
        let mut predictor = adaptive();
        let (mut dot, mut norm2) = (0.0, 0.0);
        for &(d, n) in &probes {
            predictor.feedback(&probe(d, n));
            (dot, norm2) = (0.9 * dot + 0.1 * d, 0.9 * norm2 + 0.1 * n);
        }
        let c = share(&mut *predictor);
        // ‖r − c·e‖² − ‖r‖² = c²⟨e,e⟩ − 2c⟨r,e⟩.
        prop_assert!((0.0..=1.5).contains(&c) && c * c * norm2 - 2.0 * c * dot <= 1e-12);
    }
}
