//! `dtrp compare` and `dtrp sweep`: the same training run with a few keys varied, as one table.

mod row;
mod seeds;
mod sweep;
mod table;
mod variants;

#[cfg(feature = "fuzzing")]
pub(crate) use sweep::combined;

use super::report;
use super::runs::{Asked, Job, Marks, Runs, folder_name};
use crate::config::{Config, DIGITS, Layers, Set, path_argument};
use crate::error::{Error, Failure};
use crate::history::Given as GivenRun;
use crate::output;
use crate::stop;
use clap::{Args, ValueEnum};
use dtrp_train::{Stop, TrainError};
use row::Row;
use seeds::Seeds;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use sweep::{List, combinations};
use table::{json, table, told};
use variants::{Given, Variant, chosen};

const EXAMPLES: &str = "\
Examples:
  dtrp compare
      every method in each of its orders, on the digits
  dtrp compare --variant 'bp: method.name=bp' --variant 'dtrp: method.name=dtrp method.modules=2' --seeds 3
      two variants, mean and deviation over the seeds 1, 2 and 3 (with --set run.seed=5 over 5, 6 and 7), and whether they differ
  dtrp compare --config configs/cifar10-resnet20-dtrp-k4.yaml --set run.epochs=4 --format markdown \\
               --variant 'lockstep: method.order=lockstep' --variant 'eager: method.order=eager'
      two orders on CIFAR-10, as a table for a page
  dtrp compare --variant 'tiny: model={name: tiny, depth: 3}' --variant more.yaml --seeds 7,8,9
      values are YAML; a file has names, and below each the keys that it sets
  dtrp compare --seeds 5 --jobs 2 --resume --report comparison.html
      two runs at once; what an interrupted comparison has trained already is not trained again

Every variant is tried out before the first is trained. One that cannot be trained, diverges or fails is a row that says
so. At Ctrl-C the runs that go on end in good order, and the table so far is printed; the same line with --resume goes on.";

const SWEEP_EXAMPLES: &str = "\
Examples:
  dtrp sweep --set-list optimizer.lr=0.1,0.05,0.01
      three learning rates
  dtrp sweep --set-list optimizer.lr=0.1,0.05 --set-list method.order=lockstep,eager --seeds 3 --jobs 2
      all four combinations, each with three seeds, two runs at once
  dtrp sweep --set-list 'method.cuts=[3, 6],[2, 5],auto' --format latex
      values are YAML: commas in brackets and quotes part nothing

Tables, folders, failures, Ctrl-C and --resume are those of `dtrp compare`: see its --help.";

/// What comparisons of all kinds have.
#[derive(Debug, Args)]
struct Shared {
    #[command(flatten)]
    layers: Layers,
    /// Train every variant with so many seeds, counted from run.seed, or with those of a list such as 7,8,9; show the mean
    #[arg(long, value_name = "N | LIST", default_value = "1")]
    seeds: Seeds,
    /// Where the runs' folders go [default: runs/ and the command's name]
    #[arg(long, value_parser = path_argument())]
    dir: Option<PathBuf>,
    /// So many runs at once
    #[arg(short, long, value_name = "N", default_value = "1")]
    jobs: NonZeroUsize,
    /// Go on with a comparison: runs of the same configuration that have a result are not trained again, those that were
    /// stopped go on from their newest checkpoint
    #[arg(long)]
    resume: bool,
    /// How to print the table
    #[arg(long, value_enum, default_value_t = Form::Text)]
    format: Form,
    /// Write a page about all runs too, as `dtrp report` does
    #[arg(long, value_name = "FILE.html", value_parser = path_argument())]
    report: Option<PathBuf>,
}

/// How a comparison is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    Text,
    Markdown,
    /// A tabular, for the package booktabs
    Latex,
    /// Everything that was measured
    Json,
}

/// `dtrp compare`
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Compare {
    /// A run: a name, and the keys that it sets; or a YAML file of several [default: every method in each of its orders]
    #[arg(long = "variant", value_name = "NAME: PATH=VALUE ... | FILE.yaml")]
    variants: Vec<Given>,
    #[command(flatten)]
    shared: Shared,
}

/// `dtrp sweep`
#[derive(Debug, Args)]
#[command(after_long_help = SWEEP_EXAMPLES)]
pub(crate) struct Sweep {
    /// A key and the values that it takes in turn; of several every combination is trained
    #[arg(long = "set-list", value_name = "PATH=VALUE,VALUE...", required = true)]
    lists: Vec<List>,
    #[command(flatten)]
    shared: Shared,
}

/// Trains all variants and prints the table.
pub(super) fn run(args: &Compare) -> Result<(), Error> {
    let variants = chosen(&args.variants)?;
    compared(&args.shared, &variants, "runs/compare", args.variants.is_empty())
}

/// Trains all combinations and prints the table.
pub(super) fn sweep(args: &Sweep) -> Result<(), Error> {
    compared(&args.shared, &combinations(&args.lists)?, "runs/sweep", false)
}

/// Trains all variants and prints the table. Of the program's `own` variants one that does not go with the configuration is a row.
fn compared(shared: &Shared, variants: &[Variant], dir: &str, own: bool) -> Result<(), Error> {
    let stop = stop::at_signals()?;
    let dir = shared.dir.as_deref().unwrap_or(Path::new(dir));
    let runs = Runs::new(&shared.layers, dir, &stop)?;
    let mut rows = planned(shared, variants, own)?;
    if let Some(file) = &shared.report {
        can_be_written(file)?;
    }
    let result = train_all(&runs, shared, variants, &mut rows);
    if result.is_ok() || rows.iter().any(Row::has_runs) {
        output::print(&match shared.format {
            Form::Text => output::fitted(&table(&rows)) + &output::wrapped(&told(&rows)),
            Form::Markdown => table(&rows).markdown(),
            Form::Latex => table(&rows).latex(),
            Form::Json => json(&rows),
        })?;
    }
    result.map_err(|error| with_missing(error, &rows))?;
    if let Some(file) = &shared.report {
        write_report(file, &rows, &stop)?;
    }
    let failed = rows.iter().find_map(|row| Some((row, row.failure()?)));
    match failed {
        Some((row, failure)) => Err(failure.of_run(&row.name)),
        None => Ok(()),
    }
}

/// Nobody should train for hours for a page that has no place.
fn can_be_written(file: &Path) -> Result<(), Error> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    match folder.map(Path::metadata) {
        Some(Err(error)) => Err(Error::file("write", file)(error)),
        _ => Ok(()),
    }
}

/// The page of all runs that have a result, those of a variant under its name.
fn write_report(file: &Path, rows: &[Row], stop: &Stop) -> Result<(), Error> {
    let runs = rows.iter().flat_map(|row| {
        let folders = row.ended().map(|(_, run)| &run.folder);
        folders.map(|folder| GivenRun::named(&row.name, folder))
    });
    let runs: Vec<_> = runs.collect();
    if runs.is_empty() {
        tracing::warn!("no run has a result: there is nothing to report");
        return Ok(());
    }
    report::write(&runs, file, !stop.requested())
}

/// Loads and checks every variant's configuration, and says with which seeds it is trained. What is wrong with one of the user's
/// own is told at once; a method that does not go with the configuration is a row.
fn planned(args: &Shared, variants: &[Variant], own: bool) -> Result<Vec<Row>, Error> {
    let base = args.layers.load(DIGITS)?;
    let mut rows = Vec::new();
    for variant in variants {
        let (config, fault) = match configured(&args.layers, &variant.sets) {
            Ok(config) => (config, None),
            Err(error) if own => (base.clone(), Some(Failure::before(&error))),
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
            runs: seeds.iter().map(|_| None).collect(),
            seeds,
            fault,
        });
    }
    Ok(rows)
}

fn configured(layers: &Layers, sets: &[Set]) -> Result<Config, Error> {
    let mut layers = layers.clone();
    layers.sets.extend_from_slice(sets);
    Ok(layers.load(DIGITS)?)
}

/// Tries out every variant, and trains all that can be.
fn train_all(runs: &Runs<'_>, shared: &Shared, variants: &[Variant], rows: &mut [Row]) -> Result<(), Error> {
    for (row, variant) in rows.iter_mut().zip(variants) {
        if row.fault.is_none() {
            tracing::debug!("trying out {}", row.name);
            row.fault = runs.try_out(&variant.texts())?;
        }
        if let Some(fault) = &row.fault {
            tracing::warn!("{}", fault.of_run(&row.name));
        }
    }
    let jobs = jobs(shared, variants, rows, runs.marks())?;
    if shared.resume {
        runs.same_files(&jobs)?;
    }
    let (outcomes, result) = runs.train_all(&jobs, shared.jobs.get(), shared.resume);
    let places = rows.iter_mut().filter(|row| row.fault.is_none());
    let places = places.flat_map(|row| row.runs.iter_mut());
    for (place, outcome) in places.zip(outcomes) {
        *place = outcome;
    }
    result
}

/// The runs of all variants that can be trained.
fn jobs(shared: &Shared, variants: &[Variant], rows: &[Row], mut marks: Marks) -> Result<Vec<Job>, Error> {
    let mut folders: Vec<String> = Vec::new();
    let mut jobs = Vec::new();
    for (row, variant) in rows.iter().zip(variants) {
        let folder = own_folder(&folder_name(&row.name), &folders);
        folders.push(folder.clone());
        if row.fault.is_some() {
            continue;
        }
        for seed in &row.seeds {
            let seed_set = format!("run.seed={seed}");
            let mut sets = variant.sets.clone();
            sets.push(seed_set.parse().map_err(Error::Bug)?);
            jobs.push(Job {
                name: format!("{}, seed {seed}", row.name),
                folder: format!("{folder}-seed{seed}"),
                asked: Asked::of(&configured(&shared.layers, &sets)?, &mut marks)?,
                sets: sets.iter().map(|set| set.text().to_owned()).collect(),
            });
        }
    }
    Ok(jobs)
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
        "; these runs are missing: {}; the same line with --resume goes on",
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
