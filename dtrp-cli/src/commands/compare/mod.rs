//! `dtrp compare`: the same training run with a few keys varied, as one table.

mod seeds;
mod table;
mod variants;

use super::runs::{Form, Outcome, Runs, folder_name};
use crate::config::{Config, DIGITS, Layers, path_argument};
use crate::error::{Error, Failure};
use crate::output;
use crate::stop;
use clap::Args;
use dtrp_train::TrainError;
use seeds::Seeds;
use std::path::PathBuf;
use table::{Row, json, table};
use variants::{Given, Variant, chosen};

const EXAMPLES: &str = "\
Examples:
  dtrp compare
      every method in each of its orders, on the digits
  dtrp compare --variant 'bp: method.name=bp' --variant 'dtrp: method.name=dtrp method.modules=2' --seeds 3
      two variants, the mean over the seeds 1, 2 and 3 (with --set run.seed=5 over 5, 6 and 7)
  dtrp compare --config configs/cifar10-resnet20-dtrp-k4.yaml --set run.epochs=4 --format markdown \\
               --variant 'lockstep: method.order=lockstep' --variant 'eager: method.order=eager'
      two orders on CIFAR-10, as a table for a page
  dtrp compare --variant 'tiny: model={name: tiny, depth: 3}' --variant more.yaml --seeds 7,8,9
      values are YAML; a file has names, and below each the keys that it sets

Every variant is tried out before the first is trained. One that cannot be trained, diverges or fails is a row that says
so. At Ctrl-C the run that goes on ends in good order, and the table so far is printed.";

/// `dtrp compare`
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Compare {
    #[command(flatten)]
    layers: Layers,
    /// A run: a name, and the keys that it sets; or a YAML file of several [default: every method in each of its orders]
    #[arg(long = "variant", value_name = "NAME: PATH=VALUE ... | FILE.yaml")]
    variants: Vec<Given>,
    /// Train every variant with so many seeds, counted from run.seed, or with those of a list such as 7,8,9; show the mean
    #[arg(long, value_name = "N | LIST", default_value = "1")]
    seeds: Seeds,
    /// Where the runs' folders go
    #[arg(long, default_value = "runs/compare", value_parser = path_argument())]
    dir: PathBuf,
    /// How to print the table
    #[arg(long, value_enum, default_value_t = Form::Text)]
    format: Form,
}

/// Trains all variants and prints the table.
pub(super) fn run(args: &Compare) -> Result<(), Error> {
    let stop = stop::at_signals()?;
    let runs = Runs::new(&args.layers, &args.dir, &stop)?;
    let variants = chosen(&args.variants)?;
    let mut rows = planned(args, &variants)?;
    let result = train_all(&runs, &variants, &mut rows);
    if result.is_ok() || rows.iter().any(|row| !row.runs.is_empty()) {
        output::print(&match args.format {
            Form::Text => table(&rows).to_string(),
            Form::Markdown => table(&rows).markdown(),
            Form::Json => json(&rows),
        })?;
    }
    result.map_err(|error| with_missing(error, &rows))?;
    let failed = rows.iter().find_map(|row| Some((row, row.failure()?)));
    match failed {
        Some((row, failure)) => Err(failure.of_run(&row.name)),
        None => Ok(()),
    }
}

/// Loads and checks every variant's configuration, and says with which seeds it is trained. What is wrong with one of the user's
/// own is told at once; a method that does not go with the configuration is a row.
fn planned(args: &Compare, variants: &[Variant]) -> Result<Vec<Row>, Error> {
    let base = args.layers.load(DIGITS)?;
    let mut rows = Vec::new();
    for variant in variants {
        let (config, fault) = match configured(&args.layers, variant) {
            Ok(config) => (config, None),
            Err(error) if args.variants.is_empty() => (base.clone(), Some(Failure::before(&error))),
            Err(error) => return Err(error),
        };
        if matches!(args.seeds, Seeds::List(_)) && variant.sets.iter().any(|set| set.concerns("run.seed")) {
            let name = &variant.name;
            return Err(Error::Fit(format!(
                "the variant `{name}` sets run.seed, and --seeds is a list of seeds for all: leave out one of them"
            )));
        }
        let seed = config.settings.run.seed;
        let seeds = args.seeds.of(seed);
        let seeds =
            seeds.ok_or_else(|| Error::Fit(format!("--seeds counts from run.seed, and {seed} is too large")))?;
        rows.push(Row {
            name: variant.name.clone(),
            seeds,
            runs: Vec::new(),
            fault,
        });
    }
    Ok(rows)
}

fn configured(layers: &Layers, variant: &Variant) -> Result<Config, Error> {
    let mut layers = layers.clone();
    layers.sets.extend(variant.sets.iter().cloned());
    Ok(layers.load(DIGITS)?)
}

/// Tries out every variant, and trains all that can be.
fn train_all(runs: &Runs<'_>, variants: &[Variant], rows: &mut [Row]) -> Result<(), Error> {
    let sets: Vec<Vec<String>> = variants.iter().map(Variant::texts).collect();
    for (row, sets) in rows.iter_mut().zip(&sets) {
        if row.fault.is_none() {
            tracing::debug!("trying out {}", row.name);
            row.fault = runs.try_out(sets)?;
        }
        if let Some(fault) = &row.fault {
            tracing::warn!("{}", fault.of_run(&row.name));
        }
    }
    let mut folders: Vec<String> = Vec::new();
    for (row, sets) in rows.iter_mut().zip(&sets) {
        let folder = own_folder(&folder_name(&row.name), &folders);
        folders.push(folder.clone());
        if row.fault.is_some() {
            continue;
        }
        for seed in row.seeds.clone() {
            tracing::info!("{}, seed {seed}", row.name);
            let mut sets = sets.clone();
            sets.push(format!("run.seed={seed}"));
            let outcome = runs.train(&format!("{folder}-seed{seed}"), &sets)?;
            if let Outcome::Failed(failure) = &outcome {
                tracing::warn!("{}", failure.of_run(&row.name));
            }
            row.runs.push(outcome);
        }
    }
    Ok(())
}

/// Names that differ may have the same plain characters.
fn own_folder(name: &str, taken: &[String]) -> String {
    let numbered = (2..).map(|number: u64| format!("{name}-{number}"));
    let mut names = std::iter::once(name.to_owned()).chain(numbered);
    names.find(|name| !taken.contains(name)).unwrap_or_default()
}

/// Says which runs a comparison lacks that was interrupted.
fn with_missing(error: Error, rows: &[Row]) -> Error {
    if !matches!(error, Error::Train(TrainError::Stopped(_))) {
        return error;
    }
    let missing = rows.iter().filter(|row| !row.missing().is_empty());
    let missing: Vec<_> = missing
        .map(|row| {
            let seeds: Vec<_> = row.missing().iter().map(u64::to_string).collect();
            format!("{} (seed {})", row.name, seeds.join(", "))
        })
        .collect();
    Error::Train(TrainError::Stopped(format!(
        "; these runs are missing: {}",
        missing.join("; ")
    )))
}

#[cfg(test)]
mod tests {
    use super::own_folder;

    #[test]
    fn folders_are_every_variants_own() {
        let taken = ["a".to_owned(), "a-2".to_owned()];
        assert_eq!(own_folder("b", &taken), "b");
        assert_eq!(own_folder("a", &taken), "a-3");
    }
}
