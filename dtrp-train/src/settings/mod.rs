//! What a run depends on, as plain values: every setting with its default, read and written by serde.
//!
//! A program with a configuration file deserialises into these types; the builders of [`Training`](crate::Training) write
//! them. [`Settings::check`] finds values that make no sense by themselves; which of them a run would not use,
//! [`Trainer::unused`](crate::Trainer::unused) says.

mod check;
mod checkpoint;
mod cuts;
mod data;
mod looking;
mod method;
mod model;
mod optimizer;
mod recompute;
mod run;
#[cfg(feature = "schemas")]
mod schema;

pub use check::SettingError;
pub use checkpoint::CheckpointSettings;
pub use cuts::Cuts;
pub use data::DataSettings;
pub use method::{BatchCompensation, Bytes, MethodSettings, PredictorSpec, RateRule};
pub use model::ModelSettings;
pub use optimizer::{OptimizerName, OptimizerSettings, RateSchedule, ScheduleName};
pub use recompute::Recomputing;
pub use run::{Devices, RunSettings};

use dtrp_core::schedule::{Method, Order};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Everything that a run depends on, but for networks, data, losses and optimizers that are given as objects.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// How the run goes: seed, length, devices, threads.
    #[serde(default)]
    pub run: RunSettings,
    /// What is trained on, and how it is loaded.
    #[serde(default)]
    pub data: DataSettings,
    /// Which network.
    #[serde(default)]
    pub model: ModelSettings,
    /// The training method.
    #[serde(default)]
    pub method: MethodSettings,
    /// The optimizer of every module, and the loss.
    #[serde(default)]
    pub optimizer: OptimizerSettings,
    /// When its state is kept.
    #[serde(default)]
    pub checkpoint: CheckpointSettings,
}

impl Settings {
    /// Puts in what follows from the rest: the data's usual augmentation, the method's usual order, and the model's options
    /// with their defaults. A name that does not exist is left alone: the crate that it belongs to says what is wrong with it.
    #[must_use]
    pub fn resolved(mut self) -> Self {
        if self.data.augment == "auto" {
            self.data.augment = data::usual_augmentation(&self.data.name).to_owned();
        }
        // A program from a file brings its own order.
        if let (None, None, Ok(method)) = (
            &self.method.program,
            self.method.order,
            Method::named(&self.method.name),
        ) {
            self.method.order = usual_order(method, self.method.modules);
        }
        let declared = dtrp_models::defaults(&self.model.name).unwrap_or_default();
        for (name, value) in &declared {
            self.model.options.entry(name).or_insert_with(|| value.clone());
        }
        // In one order, whatever the order in which they were given.
        in_order(&mut self.model.options, declared.keys().map(String::as_str));
        let declared = dtrp_data::find(&self.data.name).map_or(&[][..], |set| set.options);
        in_order(&mut self.data.options, declared.iter().map(|option| option.name));
        if let Value::Object(options) = &mut self.method.predictor.0.options {
            options.sort_keys();
        }
        self
    }
}

/// Options in the order in which they are declared; others after them, by their names.
fn in_order<'a>(options: &mut Map<String, Value>, declared: impl Iterator<Item = &'a str>) {
    options.sort_keys();
    let declared = declared.filter_map(|name| options.shift_remove_entry(name));
    let mut ordered: Map<_, _> = declared.collect::<Vec<_>>().into_iter().collect();
    ordered.append(options);
    *options = ordered;
}

/// The eager order where it is less stale, which is with more than two modules: there it ends ahead (`docs/methods.md`).
pub(crate) fn usual_order(method: &Method, modules: usize) -> Option<Order> {
    if modules > 2 && method.orders.contains(&Order::Eager) {
        return Some(Order::Eager);
    }
    method.orders.first().copied()
}
