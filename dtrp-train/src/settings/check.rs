//! Values that are of the right type but make no sense.

use super::{
    CheckpointSettings, Cuts, DataSettings, MethodSettings, ModelSettings, OptimizerName, OptimizerSettings,
    Recomputing, RunSettings, ScheduleName, Settings,
};
use dtrp_core::schedule::Method;
use dtrp_core::torch::{Dtype, Precision};
use std::fmt::Display;
use std::ops::RangeInclusive;

/// A setting that makes no sense, by itself or beside others.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key} is {value}, but must be {expected}")]
pub struct SettingError {
    /// Its path, such as `optimizer.lr`.
    pub key: &'static str,
    /// Its value, as one would write it.
    pub value: String,
    /// What it may be.
    pub expected: String,
}

// Far above what anybody trains, and far below what fills a machine before anything is said.
const MOST_MODULES: u64 = 1 << 14;
const MOST_BATCH: u64 = 1 << 20;
const MOST_ACCUMULATED: u64 = 1 << 20;
const MOST_THREADS: u64 = 256;
const MOST_PREFETCHED: u64 = 1 << 12;
const MOST_EPOCHS: u64 = 1 << 32;
const MOST_STEPS: u64 = 1 << 48;
const MOST_MINUTES: f64 = 1e6;
const MOST_KEPT: u64 = 1 << 20;
/// What a rate may be multiplied by at a milestone.
const MOST_FACTOR: f64 = 1e6;
// Below the largest f32, into which it must fit.
const MOST_RATE: f64 = 1e38;

impl Settings {
    /// Checks every value that can be checked without opening anything.
    ///
    /// # Errors
    ///
    /// The first that is of the right type but makes no sense.
    pub fn check(&self) -> Result<(), SettingError> {
        let Settings {
            run,
            data,
            model,
            method,
            optimizer,
            checkpoint,
        } = self;
        check_run(run, method.modules)?;
        check_model(model)?;
        check_data(data)?;
        check_method(method)?;
        check_spike(method, optimizer)?;
        check_cuts(method)?;
        check_optimizer(optimizer)?;
        check_checkpoint(checkpoint)
    }
}

fn check_run(run: &RunSettings, modules: usize) -> Result<(), SettingError> {
    count("run.epochs", run.epochs, MOST_EPOCHS)?;
    if let Some(steps) = run.max_steps {
        that(steps > 0, "run.max_steps", steps, "at least 1, or null")?;
        at_most("run.max_steps", steps, MOST_STEPS)?;
    }
    count("run.threads_per_worker", run.threads_per_worker, MOST_THREADS)?;
    let seconds = run.watchdog_seconds;
    // In less time a healthy run may well do nothing.
    let sound = (1e-3..=1e9).contains(&seconds);
    that(sound, "run.watchdog_seconds", seconds, "from 0.001 to 1e9")?;
    let devices = run.device.names();
    let fits = devices.len() == 1 || devices.len() == modules;
    let shown = format!("[{}]", devices.join(", "));
    let expected = format!("one device, or one for each of the {modules} modules");
    that(fits, "run.device", shown, &expected)?;
    let sound = run.precision == Precision::F32 || run.dtype == Dtype::F32;
    let expected = "f32 where run.dtype is f64: it says how f32 numbers are multiplied";
    that(sound, "run.precision", run.precision, expected)?;
    let sound = run.precision != Precision::Tf32 || devices.iter().all(|name| name.starts_with("cuda"));
    let expected = "f32 or bf16 on a CPU: tf32 is a number format of GPUs";
    that(sound, "run.precision", run.precision, expected)
}

fn check_model(model: &ModelSettings) -> Result<(), SettingError> {
    let Some(hash) = &model.init_sha256 else {
        return Ok(());
    };
    let digits = hash.len() == 64 && hash.chars().all(|c| c.is_ascii_hexdigit());
    that(digits, "model.init_sha256", hash, "64 hexadecimal digits, or null")?;
    let expected = "null where model.init_from is";
    that(model.init_from.is_some(), "model.init_sha256", hash, expected)
}

fn check_data(data: &DataSettings) -> Result<(), SettingError> {
    count("data.batch_size", data.batch_size as u64, MOST_BATCH)?;
    for (key, limit) in [("data.limit", data.limit), ("data.test_limit", data.test_limit)] {
        if let Some(limit) = limit {
            that(limit > 0, key, limit, "at least 1, or null")?;
        }
    }
    at_most("data.threads", data.threads as u64, MOST_THREADS)?;
    at_most("data.prefetch", data.prefetch as u64, MOST_PREFETCHED)
}

fn check_method(method: &MethodSettings) -> Result<(), SettingError> {
    count("method.modules", method.modules as u64, MOST_MODULES)?;
    count("method.micro_batches", method.micro_batches, u16::MAX.into())?;
    count("method.accumulate", method.accumulate, MOST_ACCUMULATED)?;
    for (key, value) in [
        ("method.gradient_shrink", method.gradient_shrink),
        ("method.lr_shrink", method.lr_shrink),
    ] {
        that(value > 0.0 && value <= 1.0, key, value, "above 0, and at most 1")?;
    }
    number("method.rescale_epochs", method.rescale_epochs, 0.0..=MOST_EPOCHS as f64)
}

/// Spike compensation takes the place of the momentum of plain SGD.
fn check_spike(method: &MethodSettings, optimizer: &OptimizerSettings) -> Result<(), SettingError> {
    let plain = optimizer.name == OptimizerName::Sgd && !optimizer.nesterov && optimizer.momentum > 0.0;
    let expected = "false unless the optimizer is sgd with momentum and without Nesterov";
    that(!method.spike || plain, "method.spike", method.spike, expected)
}

/// Where costs, a budget and batch compensation mean something.
fn check_cuts(method: &MethodSettings) -> Result<(), SettingError> {
    let compensation = &method.batch_compensation;
    // A name that does not exist is told as such, later.
    let known = Method::named(&method.name);
    let compensates = known.as_ref().map_or(true, |known| known.compensation);
    let able = Method::all().into_iter().filter(|method| method.compensation);
    let able: Vec<_> = able.map(|method| method.name).collect();
    let expected = format!("false unless method.name is {}", able.join(" or "));
    for (key, on) in [
        ("method.batch_compensation.balance", compensation.balance),
        ("method.batch_compensation.fill", compensation.fill),
    ] {
        that(!on || compensates, key, on, &expected)?;
    }
    let able: Vec<_> = Method::all()
        .into_iter()
        .filter(|method| method.recompute.is_some())
        .map(|method| method.name)
        .collect();
    let can = known.as_ref().map_or(true, |known| known.recompute.is_some()) || method.program.is_some();
    let expected = format!("null unless method.name is {}", able.join(", "));
    let said = || serde_json::Value::from(method.recompute.clone());
    that(
        can || method.recompute == Recomputing::Usual,
        "method.recompute",
        said(),
        &expected,
    )?;
    if let Recomputing::Each(choices) = &method.recompute {
        let expected = format!("a list of {}, one for each of method.modules", method.modules);
        that(choices.len() == method.modules, "method.recompute", said(), &expected)?;
    }
    let balance = compensation.balance;
    let sound = !balance || !matches!(method.cuts, Cuts::At(_) | Cuts::Before(_));
    let expected = "false where method.cuts is a list";
    that(sound, "method.batch_compensation.balance", balance, expected)?;
    let chosen = method.recompute == Recomputing::Auto;
    let expected = "false where method.recompute is auto";
    that(
        !chosen || !balance,
        "method.batch_compensation.balance",
        balance,
        expected,
    )?;
    that(
        !chosen || !compensation.fill,
        "method.batch_compensation.fill",
        compensation.fill,
        expected,
    )?;
    let auto = method.goes_by_costs() || balance;
    if let Some(path) = &method.costs {
        let expected = "null unless method.cuts or method.recompute is auto";
        that(auto, "method.costs", path.display(), expected)?;
    }
    if let Some(budget) = method.memory_budget {
        let sound = auto || compensation.fill;
        let expected = "null unless method.cuts or method.recompute is auto or method.batch_compensation.fill is true";
        that(sound, "method.memory_budget", budget.0, expected)?;
    }
    Ok(())
}

fn check_optimizer(optimizer: &OptimizerSettings) -> Result<(), SettingError> {
    let schedule = &optimizer.schedule;
    for (key, value, most) in [
        ("optimizer.lr", optimizer.lr, MOST_RATE),
        ("optimizer.weight_decay", optimizer.weight_decay, MOST_RATE),
        ("optimizer.schedule.gamma", schedule.gamma, MOST_FACTOR),
        ("optimizer.schedule.final_lr", schedule.final_lr, MOST_RATE),
        (
            "optimizer.schedule.warmup_epochs",
            schedule.warmup_epochs,
            MOST_EPOCHS as f64,
        ),
    ] {
        number(key, value, 0.0..=most)?;
    }
    for (key, value) in [
        ("optimizer.momentum", optimizer.momentum),
        ("optimizer.label_smoothing", optimizer.label_smoothing),
        ("optimizer.betas", optimizer.betas[0]),
        ("optimizer.betas", optimizer.betas[1]),
    ] {
        that((0.0..1.0).contains(&value), key, value, "from 0 to below 1")?;
    }
    let sound = schedule.name != ScheduleName::Exponential || schedule.final_lr > 0.0;
    let expected = "above 0 where optimizer.schedule.name is exponential";
    that(sound, "optimizer.schedule.final_lr", schedule.final_lr, expected)?;
    let epsilon = optimizer.epsilon;
    let sound = epsilon > 0.0 && epsilon < 1.0;
    that(sound, "optimizer.epsilon", epsilon, "above 0, and small")?;
    let from = schedule.warmup_from;
    let sound = (0.0..=1.0).contains(&from);
    that(sound, "optimizer.schedule.warmup_from", from, "from 0 to 1")?;
    let sound = !optimizer.nesterov || optimizer.momentum > 0.0;
    let expected = "false where optimizer.momentum is 0";
    that(sound, "optimizer.nesterov", true, expected)?;
    let milestones = &schedule.milestones;
    let ascending = milestones.windows(2).all(|pair| pair[0] < pair[1]);
    let sound = ascending && milestones.iter().all(|at| *at > 0.0 && *at <= MOST_EPOCHS as f64);
    let shown = format!("{milestones:?}");
    let expected = "ascending numbers of epochs above 0 (and at most 2^32)";
    that(sound, "optimizer.schedule.milestones", shown, expected)
}

fn check_checkpoint(checkpoint: &CheckpointSettings) -> Result<(), SettingError> {
    for (key, every, most) in [
        ("checkpoint.every_epochs", checkpoint.every_epochs, MOST_EPOCHS),
        ("checkpoint.every_steps", checkpoint.every_steps, MOST_STEPS),
    ] {
        if let Some(every) = every {
            that(every > 0, key, every, "at least 1, or null")?;
            at_most(key, every, most)?;
        }
    }
    if let Some(minutes) = checkpoint.every_minutes {
        let sound = minutes > 0.0 && minutes <= MOST_MINUTES;
        that(
            sound,
            "checkpoint.every_minutes",
            minutes,
            "above 0 and at most 1e6, or null",
        )?;
    }
    at_most("checkpoint.keep_last", checkpoint.keep_last, MOST_KEPT)?;
    at_most("checkpoint.keep_best", checkpoint.keep_best, MOST_KEPT)
}

fn that(holds: bool, key: &'static str, value: impl Display, expected: &str) -> Result<(), SettingError> {
    if holds {
        return Ok(());
    }
    Err(SettingError {
        key,
        value: value.to_string(),
        expected: expected.to_owned(),
    })
}

/// A whole number from 1 to `most`.
fn count(key: &'static str, value: impl Into<u64>, most: u64) -> Result<(), SettingError> {
    let value = value.into();
    that(value > 0, key, value, "at least 1")?;
    at_most(key, value, most)
}

fn at_most(key: &'static str, value: u64, most: u64) -> Result<(), SettingError> {
    that(value <= most, key, value, &format!("at most {most}"))
}

fn number(key: &'static str, value: f64, range: RangeInclusive<f64>) -> Result<(), SettingError> {
    let expected = if value > *range.end() && value.is_finite() {
        format!("at most {:e}", range.end())
    } else {
        "a finite number from 0".to_owned()
    };
    that(range.contains(&value), key, value, &expected)
}
