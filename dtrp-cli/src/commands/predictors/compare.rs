//! `dtrp predictors compare`: one configuration trained with one predictor after another.

use super::measured::{Measured, table};
use crate::commands::runs::{Form, Outcome, Runs, folder_name};
use crate::config::{Config, DIGITS, Layers, parse_yaml, path_argument};
use crate::error::{Error, of_predictor};
use crate::output;
use crate::run::CONFIG;
use crate::stop;
use clap::Args;
use dtrp_core::schedule::{Method, Order, Plan};
use dtrp_predictors::{Context, PredictorError, Spec};
use dtrp_text::to_json;
use dtrp_train::{Settings, TrainError};
use serde::Serialize;
use std::cell::OnceCell;
use std::path::PathBuf;
use std::str::FromStr;

const EXAMPLES: &str = "\
Examples:
  dtrp predictors compare
      every built-in predictor that goes with the optimizer, 300 steps each, on the digits
  dtrp predictors compare --set method.modules=4 --order lockstep --order eager --format markdown
      the same on four modules in both orders, as a table for a page
  dtrp predictors compare --predictor none --predictor '{name: decayed, options: {rho: 0.5}}' \\
                          --predictor '{plugin: ./libmy_rule.so}' --steps 1000
      one of your own beside two others";

/// `dtrp predictors compare`
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Compare {
    #[command(flatten)]
    layers: Layers,
    /// A predictor, as in a configuration: NAME, {name: .., options: ..} or {plugin: FILE, ..} [default: all that go with the
    /// optimizer]
    #[arg(short, long = "predictor", value_name = "PREDICTOR")]
    predictors: Vec<Choice>,
    /// Train in this order, lockstep or eager; several give several rows [default: the configuration's]
    #[arg(long = "order", value_name = "ORDER")]
    orders: Vec<Order>,
    /// Training steps (batches) of each run
    #[arg(long, value_name = "S", default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..))]
    steps: u64,
    /// Where the runs' folders go
    #[arg(long, default_value = "runs/predictors", value_parser = path_argument())]
    dir: PathBuf,
    /// How to print the table
    #[arg(long, value_enum, default_value_t = Form::Text)]
    format: Form,
}

/// A predictor on the command line.
#[derive(Debug, Clone)]
struct Choice(Spec);

impl FromStr for Choice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let spec = Spec::from_value(&parse_yaml(text)?);
        spec.map(Self).map_err(|error| error.to_string())
    }
}

/// A predictor that is not trained, and why.
#[derive(Debug, Serialize)]
pub(super) struct LeftOut {
    pub(super) predictor: &'static str,
    pub(super) reason: String,
}

/// Trains with every predictor and prints the table.
pub(super) fn run(args: &Compare) -> Result<(), Error> {
    let stop = stop::at_signals()?;
    let mut runs = Runs::new(&args.layers, &args.dir, &stop)?;
    let config = args.layers.load(DIGITS)?;
    let orders = orders(&config, &args.orders)?;
    let (chosen, left_out) = if args.predictors.is_empty() {
        all_that_fit(&config)?
    } else {
        (args.predictors.iter().map(|c| c.0.clone()).collect(), Vec::new())
    };
    let names = names(&config, &chosen)?;
    // Cuts and batch sizes that are measured are measured once: what came of it is in the first run's configuration.
    let resolved = OnceCell::new();
    let (mut rows, mut failed, mut stopped) = (Vec::new(), None, None);
    'all: for (spec, name) in chosen.iter().zip(&names) {
        for order in &orders {
            tracing::info!("{name}, {order}");
            let sets = [
                format!("method.predictor={}", spec.to_value()),
                format!("method.order={order}"),
                format!("run.max_steps={}", args.steps),
                // Enough for the steps, however few batches an epoch has.
                format!("run.epochs={}", args.steps),
                "run.log_every=1".to_owned(),
            ];
            let run = match runs.train(&folder_name(&format!("{name} {order}")), &sets) {
                Ok(Outcome::Ended(run)) => run,
                Ok(Outcome::Failed(failure)) => {
                    let error = failure.of_run(&format!("{name}, {order}"));
                    tracing::warn!("{error}");
                    rows.push(Measured::failed(name, *order, failure));
                    failed.get_or_insert(error);
                    continue;
                }
                Err(error) => {
                    stopped = Some(error);
                    break 'all;
                }
            };
            rows.push(Measured::of(name, *order, &run)?);
            let resolved = resolved.get_or_init(|| Layers {
                config: Some(run.folder.join(CONFIG)),
                sets: Vec::new(),
            });
            runs = Runs::new(resolved, &args.dir, &stop)?;
        }
    }
    if stopped.is_none() || !rows.is_empty() {
        output::print(&match args.format {
            Form::Json => json(&config, args.steps, &rows, &left_out),
            form => table(form, &config, &rows, &left_out),
        })?;
    }
    match stopped {
        Some(Error::Train(TrainError::Stopped(_))) => {
            let all = names
                .iter()
                .flat_map(|name| orders.iter().map(move |order| format!("{name}, {order}")));
            let missing: Vec<_> = all.skip(rows.len()).collect();
            let text = format!("; these runs are missing: {}", missing.join("; "));
            Err(Error::Train(TrainError::Stopped(text)))
        }
        Some(error) => Err(error),
        None => failed.map_or(Ok(()), Err),
    }
}

/// The orders to train in: all of them must be orders of the method, with something to predict.
fn orders(config: &Config, chosen: &[Order]) -> Result<Vec<Order>, Error> {
    let section = &config.settings.method;
    let method = Method::named(&section.name)?;
    let plan = Plan::new(section.modules, section.accumulate)
        .micro_batches(section.micro_batches)
        .accumulate(section.accumulate);
    let orders = match chosen {
        [] => vec![section.order.unwrap_or(method.orders[0])],
        chosen => chosen.to_vec(),
    };
    for order in &orders {
        let program = method.program(&plan.clone().order(*order))?;
        let mut actions = program.workers.iter().flatten();
        if !actions.any(|action| action.horizon.is_some()) {
            return Err(Error::Fit(format!(
                "{} on method.modules={} predicts nothing: compare predictors with method.name=dtrp or spectrain, on at least 2 modules",
                section.name, section.modules
            )));
        }
    }
    Ok(orders)
}

/// Every predictor that is linked into this program and has a meaning for the optimizer; and the others.
fn all_that_fit(config: &Config) -> Result<(Vec<Spec>, Vec<LeftOut>), Error> {
    let (mut fit, mut left_out) = (Vec::new(), Vec::new());
    for description in dtrp_predictors::list() {
        let spec = Spec::named(description.name);
        match try_rule(config, &spec) {
            Ok(()) => fit.push(spec),
            Err(PredictorError::Optimizer { needs, got, .. }) => left_out.push(LeftOut {
                predictor: description.name,
                reason: format!("it needs {needs}, but the optimizer is {got}"),
            }),
            Err(error) => return Err(of_predictor(error, false)),
        }
    }
    // What the others are measured against comes first.
    fit.sort_by_key(|spec| spec.name != "none");
    Ok((fit, left_out))
}

/// Makes the predictor and asks it once how it would predict under the configuration's optimizer.
fn try_rule(config: &Config, spec: &Spec) -> Result<(), PredictorError> {
    let context = Context {
        module: 1,
        modules: config.settings.method.modules,
        update: 1,
        learning_rates: &[config.settings.optimizer.lr],
        optimizer: config.settings.optimizer.build(None).state(),
    };
    dtrp_predictors::create(spec)?.rule(&context).map(drop)
}

/// What the rows are called. Each predictor is tried out on the way, so that all errors come before the first run.
fn names(config: &Config, chosen: &[Spec]) -> Result<Vec<String>, Error> {
    let name = |spec: &Spec| {
        try_rule(config, spec)?;
        let mut name = dtrp_predictors::provenance(spec)?.name;
        if let Some(options) = spec.options.as_object().filter(|o| !o.is_empty()) {
            let options = options.iter().map(|(key, value)| format!("{key}={value}"));
            let options: Vec<_> = options.collect();
            name = format!("{name} {}", options.join(" "));
        }
        Ok(name)
    };
    let named = |spec: &Spec| name(spec).map_err(|error| of_predictor(error, spec.plugin.is_some()));
    let mut names = chosen.iter().map(named).collect::<Result<Vec<_>, _>>()?;
    let all = names.clone();
    for (name, spec) in names.iter_mut().zip(chosen) {
        let alike = all.iter().filter(|other| *other == name).count() > 1;
        if let Some(path) = spec.plugin.as_ref().filter(|_| alike) {
            *name = format!("{name} ({})", path.display());
        }
    }
    Ok(names)
}

fn json(config: &Config, steps: u64, rows: &[Measured], left_out: &[LeftOut]) -> String {
    let Settings {
        run,
        data,
        model,
        method,
        optimizer,
        ..
    } = &config.settings;
    to_json(&serde_json::json!({
        "data": data.name,
        "model": model.name,
        "method": method.name,
        "modules": method.modules,
        "optimizer": optimizer.name,
        "seed": run.seed,
        "steps": steps,
        "runs": rows,
        "left_out": left_out,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(sets: &[&str]) -> Config {
        let layers = Layers {
            config: None,
            sets: sets.iter().map(|set| set.parse().unwrap()).collect(),
        };
        layers.load(DIGITS).unwrap()
    }

    #[test]
    fn what_has_no_meaning_for_the_optimizer_is_left_out() {
        let check = |optimizer: &str, expected: &[&str], without: &[&str]| {
            let set = format!("optimizer.name={optimizer}");
            let (fit, left_out) = all_that_fit(&config(&[&set])).unwrap();
            let fit: Vec<_> = fit.iter().map(|spec| spec.name.as_str()).collect();
            let left_out: Vec<_> = left_out.iter().map(|left| left.predictor).collect();
            assert_eq!((&fit[..], &left_out[..]), (expected, without), "{optimizer}");
        };
        let sgd = ["none", "adaptive", "damped", "decayed", "difference", "momentum"];
        check("sgd", &sgd, &["adam", "adamw"]);
        let adamw = ["none", "adam", "adamw", "adaptive", "difference", "momentum"];
        check("adamw", &adamw, &["damped", "decayed"]);
        // With coupled decay, which is the default's.
        let adam = ["none", "adam", "adaptive", "difference", "momentum"];
        check("adam", &adam, &["adamw", "damped", "decayed"]);
    }

    #[test]
    fn orders_are_the_methods_own() {
        let of = |sets: &[&str], chosen: &[Order]| orders(&config(sets), chosen);
        assert_eq!(of(&[], &[]).unwrap(), [Order::Lockstep]);
        assert_eq!(of(&["method.order=eager"], &[]).unwrap(), [Order::Eager]);
        let both = [Order::Eager, Order::Lockstep];
        assert_eq!(of(&[], &both).unwrap(), both);
        assert_eq!(of(&["method.name=spectrain"], &[]).unwrap(), [Order::Eager]);
        for (sets, says) in [
            (&["method.name=spectrain"][..], "has no order `lockstep`"),
            (&["method.name=fdg"], "predicts nothing"),
            (&["method.modules=1"], "predicts nothing"),
        ] {
            let error = of(sets, &[Order::Lockstep]).unwrap_err();
            assert!(error.to_string().contains(says), "{error}");
            assert_eq!(error.exit_code(), 5);
        }
    }

    #[test]
    fn rows_have_names_of_their_own() {
        let specs = ["none", "{name: damped, options: {rho: 0.5}}"];
        let specs = specs.map(|text| text.parse::<Choice>().unwrap().0);
        let found = names(&config(&[]), &specs).unwrap();
        assert_eq!(found, ["none", "damped rho=0.5"]);
        // One that was asked for by name is no longer left out, but refused.
        let error = names(&config(&[]), &[Spec::named("adam")]).unwrap_err();
        assert!(error.to_string().contains("needs adam or adamw"), "{error}");
        assert!("{nam: x}".parse::<Choice>().is_err());
    }
}
