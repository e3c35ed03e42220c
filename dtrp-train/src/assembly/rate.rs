//! The learning-rate schedule: epochs in the settings, updates in the engine.

use super::length::Length;
use crate::error::{Result, TrainError};
use crate::settings::{OptimizerSettings, RateSchedule, ScheduleName};
use dtrp_core::torch::{Curve, LearningRate, Warmup};

/// The schedule of a run of this length.
pub(crate) fn learning_rate(optimizer: &OptimizerSettings, length: &Length) -> Result<LearningRate> {
    let RateSchedule {
        name,
        milestones,
        gamma,
        final_lr,
        warmup_epochs,
        warmup_from,
    } = &optimizer.schedule;
    let updates = |epochs: f64| length.updates_in(epochs);
    let curve = match name {
        ScheduleName::Constant => Curve::Constant,
        ScheduleName::MultiStep => Curve::MultiStep {
            milestones: milestones.iter().map(|at| updates(*at)).collect(),
            gamma: *gamma,
        },
        ScheduleName::Cosine => Curve::Cosine {
            total: length.updates,
            floor: *final_lr,
        },
        ScheduleName::Exponential => Curve::Exponential {
            total: length.updates,
            last: *final_lr,
        },
    };
    let warmup = (*warmup_epochs > 0.0).then(|| Warmup {
        updates: updates(*warmup_epochs),
        from: *warmup_from,
    });
    LearningRate::new(optimizer.lr, curve, warmup)
        .map_err(|error| TrainError::Fit(format!("optimizer.schedule: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn epochs_become_updates() {
        let length = Length {
            batches_per_epoch: 10,
            steps: 40,
            updates_per_epoch: 10,
            updates: 40,
        };
        let mut optimizer = OptimizerSettings::default();
        let mut rates = |schedule| {
            optimizer.schedule = schedule;
            let rate = learning_rate(&optimizer, &length).unwrap();
            [0, 5, 20, 39].map(|u| rate.at(u))
        };
        let constant = RateSchedule {
            name: ScheduleName::Constant,
            warmup_epochs: 1.0,
            warmup_from: 0.5,
            ..RateSchedule::default()
        };
        // 10 updates of warm-up: the first is a tenth of the way up.
        let rising = [0.1 * (0.5 + 0.5 * 1.0 / 10.0), 0.1 * (0.5 + 0.5 * 6.0 / 10.0)];
        assert_eq!(rates(constant.clone()), [rising[0], rising[1], 0.1, 0.1]);
        let steps = RateSchedule {
            name: ScheduleName::MultiStep,
            milestones: vec![0.5, 2.0],
            warmup_epochs: 0.0,
            gamma: 0.5,
            ..constant
        };
        assert_eq!(rates(steps.clone()), [0.1, 0.05, 0.025, 0.025]);
        let cosine = RateSchedule {
            name: ScheduleName::Cosine,
            ..steps
        };
        let [first, .., last] = rates(cosine.clone());
        assert!(first == 0.1 && last < 1e-3, "{first} {last}");
        // The cosine runs over the 30 updates after the warm-up: in their middle, after 15 of them, it is half of the rate.
        let warmed = RateSchedule {
            warmup_epochs: 1.0,
            ..cosine
        };
        optimizer.schedule = warmed;
        let rate = learning_rate(&optimizer, &length).unwrap();
        assert_eq!((rate.at(9), rate.at(10)), (0.1, 0.1));
        assert!((rate.at(25) - 0.05).abs() < 1e-15, "{}", rate.at(25));
    }
}
