//! Of the optimizer, and of the schedule of its rate.

use super::{Facts, List};
use crate::assembly::Length;
use crate::settings::{OptimizerName, ScheduleName};

pub(super) fn of_optimizer(list: &mut List<'_>, facts: Facts<'_>) {
    let name = list.settings.optimizer.name;
    if facts.own_loss {
        let why = "the loss was given as an object".to_owned();
        list.add("optimizer.label_smoothing", why, |s| s.optimizer.label_smoothing);
    }
    let own = facts.own_optimizer;
    let why = |what: &str| {
        if own {
            "the optimizers were given as objects".to_owned()
        } else {
            what.to_owned()
        }
    };
    if own || name != OptimizerName::Sgd {
        list.add("optimizer.momentum", why("it is of sgd"), |s| s.optimizer.momentum);
        list.add("optimizer.nesterov", why("it is of sgd"), |s| s.optimizer.nesterov);
    }
    if own || name == OptimizerName::Sgd {
        list.add("optimizer.betas", why("they are of adam and adamw"), |s| {
            s.optimizer.betas
        });
        list.add("optimizer.epsilon", why("it is of adam and adamw"), |s| {
            s.optimizer.epsilon
        });
    }
    if own {
        list.add("optimizer.name", why(""), |s| s.optimizer.name);
        list.add("optimizer.weight_decay", why(""), |s| s.optimizer.weight_decay);
    }
    if own || list.settings.optimizer.weight_decay == 0.0 {
        list.add(
            "optimizer.decay_bias_and_norm",
            why("optimizer.weight_decay is 0"),
            |s| s.optimizer.decay_bias_and_norm,
        );
    }
}

pub(super) fn of_schedule(list: &mut List<'_>, facts: Facts<'_>) {
    let schedule = list.settings.optimizer.schedule.clone();
    let name = schedule.name;
    let length = facts.length;
    let warming = length.updates_in(schedule.warmup_epochs);
    let only_warm = warming >= length.updates;
    let whole = || "the warm-up lasts to the end of the run".to_owned();
    if only_warm {
        list.add("optimizer.schedule.name", whole(), |s| s.optimizer.schedule.name);
    }
    if name != ScheduleName::MultiStep || only_warm {
        let why = || {
            if only_warm {
                whole()
            } else {
                "it is of the schedule multi-step".to_owned()
            }
        };
        list.add("optimizer.schedule.milestones", why(), |s| {
            s.optimizer.schedule.milestones.clone()
        });
        list.add("optimizer.schedule.gamma", why(), |s| s.optimizer.schedule.gamma);
    } else {
        of_milestones(list, length, &schedule.milestones);
    }
    let ends = matches!(name, ScheduleName::Cosine | ScheduleName::Exponential);
    if !ends || only_warm {
        let why = if only_warm {
            whole()
        } else {
            "it is of the schedules cosine and exponential".to_owned()
        };
        list.add("optimizer.schedule.final_lr", why, |s| s.optimizer.schedule.final_lr);
    }
    let key = "optimizer.schedule.warmup_epochs";
    if schedule.warmup_epochs > 0.0 && warming == 0 {
        list.note(key, false, "that is less than one update".to_owned());
    } else if warming > length.updates {
        let why = format!(
            "the run ends after {} epochs, before the warm-up: optimizer.lr is never reached",
            length.epochs()
        );
        list.note(key, true, why);
    }
    if warming == 0 {
        list.add(
            "optimizer.schedule.warmup_from",
            "there is no warm-up".to_owned(),
            |s| s.optimizer.schedule.warmup_from,
        );
    }
}

/// Milestones that the run never comes to.
fn of_milestones(list: &mut List<'_>, length: &Length, milestones: &[f64]) {
    let beyond = |at: &&f64| length.updates_in(**at) >= length.updates;
    let beyond: Vec<_> = milestones.iter().filter(beyond).map(ToString::to_string).collect();
    if !beyond.is_empty() {
        let (names, are) = (beyond.join(", "), if beyond.len() > 1 { "are" } else { "is" });
        let epochs = length.epochs();
        let why = format!("{names} {are} beyond the {epochs} epochs of the run (milestones are epochs)");
        list.note("optimizer.schedule.milestones", beyond.len() < milestones.len(), why);
    }
    if beyond.len() == milestones.len() {
        let why = "there is no milestone in the run, so the rate stays".to_owned();
        list.add("optimizer.schedule.gamma", why, |s| s.optimizer.schedule.gamma);
    }
}
