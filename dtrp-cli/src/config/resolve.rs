//! Puts in what follows from the rest, so that the resolved configuration says all that a run depends on.
//!
//! A name that does not exist is left alone: the crate that it belongs to says what is wrong with it.

use super::sections::{self, Config};
use super::yaml;
use dtrp_core::schedule::{Method, Order};

/// Fills in the run's name, the data's usual augmentation, the usual order, and the model's options.
pub(super) fn fill(mut config: Config) -> Config {
    if config.data.augment == "auto" {
        config.data.augment = usual_augmentation(&config.data.name).to_owned();
    }
    if let (None, Ok(method)) = (&config.method.order, Method::named(&config.method.name)) {
        let order = usual_order(method, config.method.modules);
        config.method.order = order.map(|order| order.name().to_owned());
    }
    let families = dtrp_models::list();
    if let Some(family) = families.iter().find(|f| f.name == config.model.name) {
        for option in family.options {
            if let (false, Ok(default)) = (
                config.model.options.contains_key(option.name),
                yaml::parse(option.default),
            ) {
                config.model.options.insert(option.name.to_owned(), default);
            }
        }
    }
    if config.run.name.is_none() {
        let (data, model, method) = (&config.data.name, &config.model.name, &config.method);
        let name = format!("{data}-{model}-{}-k{}", method.name, method.modules);
        config.run.name = Some(name.replace('/', "-"));
    }
    config
}

/// The eager order where it is less stale, which is with more than two modules: there it ends ahead (`docs/methods.md`).
fn usual_order(method: &Method, modules: usize) -> Option<Order> {
    match modules > 2 && method.orders.contains(&Order::Eager) {
        true => Some(Order::Eager),
        false => method.orders.first().copied(),
    }
}

/// The order in a file is that of the method in that file, and a resolved configuration always has one: it must not be in the
/// way of another method, chosen later, that cannot be laid out in it.
pub(super) fn drop_foreign_order(method: &mut sections::Method) {
    let order = method.order.as_deref().and_then(|order| order.parse().ok());
    if let (Ok(named), Some(order)) = (Method::named(&method.name), order)
        && !named.orders.contains(&order)
    {
        method.order = None;
    }
}

/// What is customary for a data set: no flips where left and right matter.
fn usual_augmentation(data: &str) -> &'static str {
    match data {
        "digits" => "crop:1",
        "mnist" => "crop:2",
        "cifar10" | "cifar100" | "fashion-mnist" => "crop-flip",
        "image-folder" => "random-resized-crop,flip",
        _ => "none",
    }
}
