//! Values that are of the right type but make no sense.

use super::error::ConfigError;
use super::method::CutsAt;
use super::sections::{Config, Dtype, Method, OptimizerName, Precision};
use std::fmt::Display;

/// Checks every value that can be checked by itself.
pub(super) fn values(config: &Config, origin: &dyn Fn(&str) -> String) -> Result<(), ConfigError> {
    let check = Check { origin };
    let Config {
        run,
        data,
        method,
        optimizer,
        ..
    } = config;
    if let Some(name) = &run.name {
        let plain = !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\0']);
        check.that(plain, "run.name", name, "a name for a folder")?;
    }
    check.that(run.epochs > 0, "run.epochs", run.epochs, AT_LEAST_1)?;
    let max_steps = run.max_steps.unwrap_or(1);
    check.that(max_steps > 0, "run.max_steps", max_steps, "at least 1, or null")?;
    let threads = run.threads_per_worker;
    check.that(threads > 0, "run.threads_per_worker", threads, AT_LEAST_1)?;
    check.that(run.log_every > 0, "run.log_every", run.log_every, AT_LEAST_1)?;
    let seconds = run.watchdog_seconds;
    let some = seconds > 0.0 && seconds <= 1e9;
    check.that(some, "run.watchdog_seconds", seconds, "above 0 (and below 1e9)")?;

    check.that(data.batch_size > 0, "data.batch_size", data.batch_size, AT_LEAST_1)?;
    for (key, limit) in [("data.limit", data.limit), ("data.test_limit", data.test_limit)] {
        let limit = limit.unwrap_or(1);
        check.that(limit > 0, key, limit, "at least 1, or null")?;
    }

    check.that(method.modules > 0, "method.modules", method.modules, AT_LEAST_1)?;
    let micro = method.micro_batches;
    check.that(micro > 0, "method.micro_batches", micro, AT_LEAST_1)?;
    check.that(
        method.accumulate > 0,
        "method.accumulate",
        method.accumulate,
        AT_LEAST_1,
    )?;
    for (key, value) in [
        ("method.gradient_shrink", method.gradient_shrink),
        ("method.lr_shrink", method.lr_shrink),
    ] {
        check.that(value > 0.0 && value <= 1.0, key, value, "above 0, and at most 1")?;
    }
    let rescale = method.rescale_epochs;
    let sound = rescale.is_finite() && rescale >= 0.0;
    check.that(sound, "method.rescale_epochs", rescale, "a finite number from 0")?;
    let sgd = optimizer.name == OptimizerName::Sgd;
    let plain = sgd && !optimizer.nesterov && optimizer.momentum > 0.0;
    check.that(
        !method.spike || plain,
        "method.spike",
        method.spike,
        "false unless the optimizer is sgd with momentum and without Nesterov",
    )?;
    cuts(&check, method)?;
    let devices = &run.device.0;
    let fits = devices.len() == 1 || devices.len() == method.modules;
    let expected = format!("one device, or one for each of the {} modules", method.modules);
    check.that(fits, "run.device", format!("[{}]", devices.join(", ")), &expected)?;

    let exact = run.precision == Precision::F32;
    check.that(
        exact || run.dtype == Dtype::F32,
        "run.precision",
        run.precision,
        "f32 where run.dtype is f64: it says how f32 numbers are multiplied",
    )?;
    let on_gpus = devices.iter().all(|name| name.starts_with("cuda"));
    check.that(
        on_gpus || run.precision != Precision::Tf32,
        "run.precision",
        run.precision,
        "f32 or bf16 on a CPU: tf32 is a number format of GPUs",
    )?;

    let schedule = &optimizer.schedule;
    for (key, value) in [
        ("optimizer.lr", optimizer.lr),
        ("optimizer.weight_decay", optimizer.weight_decay),
        ("optimizer.schedule.gamma", schedule.gamma),
        ("optimizer.schedule.final_lr", schedule.final_lr),
        ("optimizer.schedule.warmup_epochs", schedule.warmup_epochs),
    ] {
        let sound = value.is_finite() && value >= 0.0;
        check.that(sound, key, value, "a finite number from 0")?;
    }
    for (key, value) in [
        ("optimizer.momentum", optimizer.momentum),
        ("optimizer.label_smoothing", optimizer.label_smoothing),
    ] {
        check.that((0.0..1.0).contains(&value), key, value, "from 0 to below 1")?;
    }
    for beta in optimizer.betas {
        check.that((0.0..1.0).contains(&beta), "optimizer.betas", beta, "from 0 to below 1")?;
    }
    let epsilon = optimizer.epsilon;
    check.that(
        epsilon > 0.0 && epsilon < 1.0,
        "optimizer.epsilon",
        epsilon,
        "above 0, and small",
    )?;
    let from = schedule.warmup_from;
    let share = (0.0..=1.0).contains(&from);
    check.that(share, "optimizer.schedule.warmup_from", from, "from 0 to 1")?;
    let nesterov = !optimizer.nesterov || optimizer.momentum > 0.0;
    check.that(
        nesterov,
        "optimizer.nesterov",
        true,
        "false where optimizer.momentum is 0",
    )?;
    let milestones = &schedule.milestones;
    let ascending =
        milestones.windows(2).all(|pair| pair[0] < pair[1]) && milestones.iter().all(|at| at.is_finite() && *at > 0.0);
    let shown = format!("{milestones:?}");
    check.that(
        ascending,
        "optimizer.schedule.milestones",
        shown,
        "ascending numbers of epochs above 0",
    )
}

/// Where costs, a budget and batch compensation mean something.
fn cuts(check: &Check<'_>, method: &Method) -> Result<(), ConfigError> {
    let compensation = &method.batch_compensation;
    for (key, on) in [
        ("method.batch_compensation.balance", compensation.balance),
        ("method.batch_compensation.fill", compensation.fill),
    ] {
        let sound = !on || method.name == "dtrp";
        check.that(sound, key, on, "false unless method.name is dtrp")?;
    }
    let balance = compensation.balance;
    check.that(
        !balance || !matches!(method.cuts, CutsAt::At(_)),
        "method.batch_compensation.balance",
        balance,
        "false where method.cuts is a list",
    )?;
    let auto = method.cuts == CutsAt::Auto || balance;
    let costs = method.costs.as_ref();
    check.that(
        auto || costs.is_none(),
        "method.costs",
        costs.map_or("null".into(), |path| path.display().to_string()),
        "null unless method.cuts is auto",
    )?;
    let budget = method.memory_budget;
    check.that(
        auto || compensation.fill || budget.is_none(),
        "method.memory_budget",
        budget.map_or("null".into(), |budget| budget.0.to_string()),
        "null unless method.cuts is auto or method.batch_compensation.fill is true",
    )
}

const AT_LEAST_1: &str = "at least 1";

struct Check<'a> {
    origin: &'a dyn Fn(&str) -> String,
}

impl Check<'_> {
    fn that(&self, holds: bool, path: &str, value: impl Display, expected: &str) -> Result<(), ConfigError> {
        if holds {
            return Ok(());
        }
        Err(ConfigError::Value {
            origin: (self.origin)(path),
            path: path.to_owned(),
            value: value.to_string(),
            expected: expected.to_owned(),
        })
    }
}
