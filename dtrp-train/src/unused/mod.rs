//! Settings that a run would not use: whoever set one is told, not left to wonder.
//!
//! Whether a key means something is decided here by what the run is made of; a test changes every key, trains, and compares
//! (`dtrp-train/tests/suite/effects.rs`).

mod method;
mod optimizer;
#[cfg(test)]
mod tests;

use crate::assembly::Length;
use crate::settings::Settings;
use dtrp_core::schedule::Program;
use dtrp_core::torch::Init;
use dtrp_models::Network;
use std::borrow::Cow;

/// A setting without effect, or without that of its whole value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unused {
    /// Its path, such as `method.auxiliary`.
    pub key: Cow<'static, str>,
    /// Why it has none.
    pub why: String,
    /// Whether its value differs from the default: then somebody must have set it.
    pub set: bool,
    /// Whether it has some effect, but not the one that its value promises.
    pub partly: bool,
}

impl std::fmt::Display for Unused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Unused { key, why, partly, .. } = self;
        if *partly {
            write!(f, "{key}: {why}")
        } else {
            write!(f, "{key} has no effect: {why}")
        }
    }
}

/// What a run is made of, as far as it decides which settings mean something.
#[derive(Clone, Copy)]
pub(crate) struct Facts<'a> {
    /// A program that shows the steady state.
    pub(crate) program: &'a Program,
    /// Of each module, in updates.
    pub(crate) staleness: &'a [u32],
    /// How long it is.
    pub(crate) length: &'a Length,
    /// The network.
    pub(crate) network: &'a Network,
    /// Samples that there are, whatever the limit: to train and to test on.
    pub(crate) samples: [usize; 2],
    /// Whether it computes its losses by itself.
    pub(crate) own_loss: bool,
    /// Whether optimizers were given as objects.
    pub(crate) own_optimizer: bool,
}

/// The settings that have no effect in a run like this, whatever their values.
pub(crate) fn unused(settings: &Settings, facts: Facts<'_>) -> Vec<Unused> {
    let mut list = List {
        default: Settings::default(),
        settings,
        unused: Vec::new(),
    };
    of_run(&mut list, facts);
    of_data(&mut list, facts);
    of_model(&mut list, facts);
    method::of_method(&mut list, facts);
    method::of_delays(&mut list, facts);
    optimizer::of_optimizer(&mut list, facts);
    optimizer::of_schedule(&mut list, facts);
    of_checkpoint(&mut list, facts);
    list.unused
}

fn of_run(list: &mut List<'_>, facts: Facts<'_>) {
    let run = &list.settings.run;
    let Length {
        steps,
        batches_per_epoch,
        ..
    } = *facts.length;
    let all = run.epochs.saturating_mul(batches_per_epoch.into());
    match run.max_steps {
        Some(most) if most > all => {
            let why = format!("the {} epochs of the run are over after {steps} steps", run.epochs);
            list.add("run.max_steps", why, |s| s.run.max_steps);
        }
        Some(most) if most < all => {
            let why = format!("run.max_steps ends the run after {steps} steps, before that");
            list.add("run.epochs", why, |s| s.run.epochs);
        }
        _ => {}
    }
}

fn of_checkpoint(list: &mut List<'_>, facts: Facts<'_>) {
    let checkpoint = &list.settings.checkpoint;
    if !checkpoint.on() {
        let why = || "with checkpoint.keep_last: 0 and keep_best: 0 none is made".to_owned();
        list.add("checkpoint.every_epochs", why(), |s| s.checkpoint.every_epochs);
        list.add("checkpoint.every_steps", why(), |s| s.checkpoint.every_steps);
        list.add("checkpoint.every_minutes", why(), |s| s.checkpoint.every_minutes);
        return;
    }
    let Length { steps, .. } = *facts.length;
    let epochs = facts.length.epochs().ceil() as u64;
    if checkpoint.every_epochs.is_some_and(|every| every > epochs) {
        let why = format!("the run has {epochs} epochs; there is a checkpoint at its end");
        list.note("checkpoint.every_epochs", false, why);
    }
    if checkpoint.every_steps.is_some_and(|every| every > steps) {
        let why = format!("the run has {steps} steps; there is a checkpoint at its end");
        list.note("checkpoint.every_steps", false, why);
    }
}

fn of_data(list: &mut List<'_>, facts: Facts<'_>) {
    let data = &list.settings.data;
    let [train, test] = facts.samples;
    for (key, limit, samples) in [
        ("data.limit", data.limit, train),
        ("data.test_limit", data.test_limit, test),
    ] {
        if limit.is_some_and(|limit| limit >= samples) {
            list.note(key, false, format!("there are {samples} samples"));
        }
    }
    if data.threads == 0 {
        let why = "with data.threads: 0 nothing is loaded ahead".to_owned();
        list.add("data.prefetch", why, |s| s.data.prefetch);
    }
    let samples = train.min(data.limit.unwrap_or(usize::MAX));
    if data.batch_size > samples {
        list.note(
            "data.batch_size",
            true,
            format!("there are {samples} samples: they are one batch"),
        );
    }
}

fn of_model(list: &mut List<'_>, facts: Facts<'_>) {
    let settings = &list.settings.model;
    let defaults = dtrp_models::defaults(&settings.name).unwrap_or_default();
    for option in &facts.network.unread {
        let given = settings.options.get(*option);
        list.unused.push(Unused {
            key: format!("model.{option}").into(),
            why: format!("with its other options {} has no use for it", settings.name),
            set: given.is_some() && given != defaults.get(*option),
            partly: false,
        });
    }
    let params = facts.network.blocks.iter().flat_map(|block| &block.params);
    let mut with_weights = params.filter(|param| matches!(param.init, Init::Given(_)));
    if settings.init_from.is_none() && with_weights.next().is_none() {
        let why = "without model.init_from all of the network starts anew".to_owned();
        list.add("model.fresh", why, |s| s.model.fresh.clone());
    }
}

struct List<'a> {
    settings: &'a Settings,
    default: Settings,
    unused: Vec<Unused>,
}

impl List<'_> {
    /// A setting that means nothing here.
    fn add<T: PartialEq>(&mut self, key: &'static str, why: String, value: impl Fn(&Settings) -> T) {
        let set = value(self.settings) != value(&self.default);
        self.unused.push(Unused {
            key: key.into(),
            why,
            set,
            partly: false,
        });
    }

    /// A value that means nothing here, or less than it says, whoever set it.
    fn note(&mut self, key: &'static str, partly: bool, why: String) {
        self.unused.push(Unused {
            key: key.into(),
            why,
            set: true,
            partly,
        });
    }
}
