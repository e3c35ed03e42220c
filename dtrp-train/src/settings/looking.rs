//! What settings mean for a network that is used and not trained.

use super::{Cuts, MethodSettings, OptimizerSettings, RateSchedule, ScheduleName, Settings};

impl Settings {
    /// Those of the network when it is only looked at, on as many workers: without what says how it is trained. `samples`
    /// are those of the training part.
    pub(crate) fn only_looking(&mut self, samples: usize) {
        let modules = self.method.modules;
        let cuts = match &self.method.cuts {
            Cuts::At(at) if at.len() + 1 == modules => self.method.cuts.clone(),
            Cuts::Before(places) if places.len() + 1 == modules => self.method.cuts.clone(),
            _ => Cuts::Even,
        };
        self.method = MethodSettings {
            name: "bp".to_owned(),
            modules,
            cuts,
            ..MethodSettings::default()
        };
        self.optimizer = OptimizerSettings {
            // Of the loss that was trained.
            label_smoothing: self.optimizer.label_smoothing,
            lr: 0.0,
            momentum: 0.0,
            weight_decay: 0.0,
            schedule: RateSchedule {
                name: ScheduleName::Constant,
                ..RateSchedule::default()
            },
            ..OptimizerSettings::default()
        };
        self.model.init_sha256 = None;
        self.run.max_steps = None;
        self.run.epochs = 1;
        // No batch of the training part is loaded, so that none can be too small for its norms.
        self.data.batch_size = samples.clamp(1, 2);
        self.data.drop_last = true;
    }
}
