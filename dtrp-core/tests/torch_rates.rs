//! Learning rates against formulas written down on their own, as `docs/algorithms.md` has them.
#![cfg(feature = "torch")]

use dtrp_core::torch::{Curve, LearningRate, Rescale, Warmup};
use proptest::prelude::*;

#[derive(Debug, Clone)]
struct Case {
    lr: f64,
    curve: Curve,
    warmup: Option<Warmup>,
    /// γ^(K−k) of `lr_shrink`.
    shrink: f64,
    /// Staleness, and over how many updates it fades.
    rescale: Option<(f64, u64)>,
}

/// η of update u, from 0.
fn formula(case: &Case, u: u64) -> f64 {
    let lr = case.lr * case.shrink;
    let n = case.warmup.map_or(0, |warmup| warmup.updates);
    let eta = if u < n {
        let from = case.warmup.unwrap().from;
        lr * (from + (1.0 - from) * (u as f64 + 1.0) / n as f64)
    } else {
        match &case.curve {
            Curve::Constant => lr,
            Curve::MultiStep { milestones, gamma } => {
                lr * gamma.powi(milestones.iter().filter(|milestone| u >= **milestone).count() as i32)
            }
            Curve::Cosine { total, floor } => {
                let left = total.saturating_sub(n).max(1);
                let x = ((u - n) as f64 / left as f64).min(1.0);
                let floor = floor * case.shrink;
                floor + (lr - floor) * (1.0 + (std::f64::consts::PI * x).cos()) / 2.0
            }
            Curve::Exponential { total, last } => {
                let steps = total.saturating_sub(n).saturating_sub(1).max(1);
                let x = ((u - n) as f64 / steps as f64).min(1.0);
                lr.powf(1.0 - x) * (last * case.shrink).powf(x)
            }
        }
    };
    match case.rescale {
        Some((staleness, updates)) if u < updates => eta / staleness.max(1.0).powf(1.0 - u as f64 / updates as f64),
        _ => eta,
    }
}

fn rate(case: &Case) -> LearningRate {
    let rate = LearningRate::new(case.lr, case.curve.clone(), case.warmup).unwrap();
    let rate = rate.scaled(case.shrink);
    match case.rescale {
        Some((staleness, updates)) => rate.rescaled(Rescale { staleness, updates }),
        None => rate,
    }
}

fn cases() -> impl Strategy<Value = Case> {
    let milestones = proptest::collection::btree_set(1u64..200, 0..5);
    let curve = prop_oneof![
        Just(Curve::Constant),
        (milestones, 0.0..2.0).prop_map(|(milestones, gamma)| Curve::MultiStep {
            milestones: milestones.into_iter().collect(),
            gamma,
        }),
        (1u64..200, 0.0..0.2).prop_map(|(total, floor)| Curve::Cosine { total, floor }),
        (1u64..200, 1e-8..10.0).prop_map(|(total, last)| Curve::Exponential { total, last }),
    ];
    let warmup = proptest::option::of((1u64..220, 0.0..=1.0).prop_map(|(updates, from)| Warmup { updates, from }));
    let rescale = proptest::option::of((0.0..20.0, 1u64..100));
    (0.0..1.0, curve, warmup, 0.1..=1.0, rescale).prop_map(|(lr, curve, warmup, shrink, rescale)| Case {
        lr,
        curve,
        warmup,
        shrink,
        rescale,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn rates_are_those_of_the_formulas(case in cases()) {
        let rate = rate(&case);
        for u in 0..260 {
            let expected = formula(&case, u);
            prop_assert!((rate.at(u) - expected).abs() <= 1e-12 * expected.abs(), "update {}: {} {}", u, rate.at(u), expected);
        }
    }

    #[test]
    fn a_warm_up_teaches_from_the_first_update_and_reaches_the_rate(case in cases()) {
        let case = Case { rescale: None, ..case };
        let rate = rate(&case);
        if let Some(Warmup { updates: n, .. }) = case.warmup {
            let lr = case.lr * case.shrink;
            prop_assert!(case.lr == 0.0 || rate.at(0) > 0.0);
            prop_assert!((rate.at(n - 1) - lr).abs() <= 1e-12 * lr);
            prop_assert!((1..n).all(|u| rate.at(u) >= rate.at(u - 1)));
            // The cosine begins where the warm-up ends.
            if let Curve::Cosine { total, .. } = case.curve && total > n {
                prop_assert!((rate.at(n) - lr).abs() <= 1e-12 * lr);
            }
        }
    }

    #[test]
    fn the_coming_rates_are_those_of_the_coming_updates(case in cases(), u in 0u64..250, s in 0u32..40) {
        let rate = rate(&case);
        let expected: Vec<f64> = (0..u64::from(s)).map(|i| rate.at(u + i)).collect();
        prop_assert_eq!(rate.coming(u, s), expected);
    }
}
