//! Of the method: what it predicts, and what it makes of late gradients.

use super::{Facts, List};
use crate::settings::{Cuts, OptimizerName, OptimizerSettings, Settings};
use dtrp_core::schedule::{Method, Op};
use dtrp_predictors::{Context, OptimizerState, Rule};

pub(super) fn of_method(list: &mut List<'_>, facts: Facts<'_>) {
    let Facts { program, .. } = facts;
    let section = &list.settings.method;
    let name = &program.method;
    let modules = program.modules();
    let actions = || program.workers.iter().flatten();
    let alone = modules == 1;
    let of_one = || "there is one module only".to_owned();
    let local = !alone && !actions().any(|action| action.op == Op::RecvD);
    if !actions().any(|action| action.horizon.is_some()) {
        let why = || format!("{name} on {modules} modules predicts no weights");
        list.add("method.predictor", why(), |s| s.method.predictor.clone());
        list.add("method.probe_every", why(), |s| s.method.probe_every);
    } else if !actions().any(|action| action.horizon.is_some_and(|horizon| horizon > 0)) {
        let why =
            || format!("no update of {name} comes between the forwards of a batch, so there is nothing to predict");
        list.add("method.predictor", why(), |s| s.method.predictor.clone());
        list.add("method.probe_every", why(), |s| s.method.probe_every);
    } else if !facts.own_optimizer && predicts_nothing(list.settings) {
        let why = "without momentum the optimizer keeps no direction to go on in: the weights are predicted to stay"
            .to_owned();
        list.note("method.predictor", false, why);
    }
    if !local {
        let why = format!("{name} has no local losses");
        list.add("method.auxiliary", why, |s| s.method.auxiliary.clone());
    }
    if alone {
        list.add("method.recompute", of_one(), |s| s.method.recompute.clone());
        list.add("method.cuts", of_one(), |s| s.method.cuts.clone());
        list.add("method.order", of_one(), |s| {
            s.method.order.filter(|order| *order != program.order)
        });
    } else if facts.network.blocks.len() == modules && !matches!(section.cuts, Cuts::Before(_)) {
        let why = format!("the network has {modules} blocks: there is one way to cut it into as many modules");
        list.add("method.cuts", why, |s| s.method.cuts.clone());
    }
    let own = Method::named(name).ok().and_then(|method| method.recompute);
    let chosen = section.recompute.of(modules);
    if !alone && !chosen.is_empty() && chosen.iter().take(modules - 1).all(|choice| Some(*choice) == own) {
        list.add("method.recompute", format!("{name} does so by itself"), |s| {
            s.method.recompute.clone()
        });
    }
    if !section.batch_compensation.fill {
        let why = "method.batch_compensation.fill is false".to_owned();
        list.add("method.batch_compensation.rate", why, |s| {
            s.method.batch_compensation.rate
        });
    }
    let batches = facts.length.batches_per_epoch;
    if section.program.is_some() {
        let why = || "the program comes from a file".to_owned();
        if section.name != *name {
            list.add("method.name", format!("the program is one of {name}"), |s| {
                s.method.name.clone()
            });
        }
        if section.order.is_some_and(|order| order != program.order) {
            list.add("method.order", why(), |s| s.method.order);
        }
        list.add("method.accumulate", why(), |s| s.method.accumulate);
        list.add("method.recompute", why(), |s| s.method.recompute.clone());
    } else if section.accumulate > batches {
        let why = format!("an epoch has {batches} batches: there is one update for all of them");
        list.note("method.accumulate", true, why);
    }
}

/// What is made of late gradients.
pub(super) fn of_delays(list: &mut List<'_>, facts: Facts<'_>) {
    let Facts { program, .. } = facts;
    let (name, modules) = (&program.method, program.modules());
    let alone = modules == 1;
    let of_one = || "there is one module only".to_owned();
    if alone {
        list.add("method.lr_shrink", of_one(), |s| s.method.lr_shrink);
        list.add("method.gradient_shrink", of_one(), |s| s.method.gradient_shrink);
    } else if !program.workers.iter().flatten().any(|action| action.op == Op::RecvD) {
        let why = format!("with {name} no gradient arrives from above");
        list.add("method.gradient_shrink", why, |s| s.method.gradient_shrink);
    }
    let latest = facts.staleness.iter().copied().max().unwrap_or(0);
    if facts.own_optimizer {
        let why = "the optimizers were given as objects".to_owned();
        list.add("method.spike", why, |s| s.method.spike);
    } else if latest == 0 {
        let why = format!("no gradient of {name} on {modules} modules is late");
        list.add("method.spike", why, |s| s.method.spike);
    }
    let rescale = list.settings.method.rescale_epochs;
    if latest <= 1 {
        let why = format!("no gradient of {name} on {modules} modules is more than {latest} updates late");
        list.add("method.rescale_epochs", why, |s| s.method.rescale_epochs);
    } else if rescale > 0.0 && facts.length.updates_in(rescale) == 0 {
        list.note(
            "method.rescale_epochs",
            false,
            "that is less than one update".to_owned(),
        );
    }
}

/// Whether the predictor goes by the optimizer's direction alone, and the optimizer has none.
fn predicts_nothing(settings: &Settings) -> bool {
    let OptimizerSettings {
        name,
        momentum,
        weight_decay,
        ..
    } = settings.optimizer;
    if name != OptimizerName::Sgd || momentum != 0.0 {
        return false;
    }
    let Ok(mut predictor) = dtrp_predictors::create(&settings.method.predictor.0) else {
        return false;
    };
    let context = Context {
        module: 1,
        modules: 2,
        update: 1,
        learning_rates: &[settings.optimizer.lr.max(1e-3)],
        optimizer: OptimizerState::Sgd {
            momentum,
            nesterov: false,
            weight_decay,
        },
    };
    let inputs = predictor.inputs();
    let of_direction = inputs.direction && !inputs.gradient && !inputs.displacement;
    let rule = predictor.rule(&context);
    of_direction && matches!(rule, Ok(Rule::Linear(rule)) if rule.weights == 1.0)
}
