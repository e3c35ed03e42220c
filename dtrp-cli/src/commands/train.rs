//! `dtrp train`.

use super::training::build;
use crate::config::{Config, DIGITS, Layers, Set, as_yaml};
use crate::error::{EXIT_CODES, Error};
use crate::plan;
use crate::progress::Progress;
use crate::report;
use crate::run::{Files, Folder, Metrics, WEIGHTS};
use crate::stop;
use clap::Args;
use dtrp_train::{Summary, TrainError, Trainer};
use std::path::Path;

/// Of the whole program.
pub(crate) const EXAMPLES: &str = "\
Examples:
  dtrp train
      DTRP on two workers, on the handwritten digits that ship with dtrp
  dtrp train --config configs/cifar10-resnet20-dtrp-k2.yaml --set data.dir=/data/cifar10
      the same on CIFAR-10
  dtrp train --set method.modules=4 --set method.order=eager --name four
      four workers, eager order, results in runs/four
  dtrp train --set 'method.predictor={name: momentum, options: {rho: 0.5}}' --set run.max_steps=200
      a predictor with an option, and a short run
  dtrp config show --set optimizer.lr=0.05
      the configuration that a run would use
  dtrp schedule show --method dtrp --modules 3 --batches 6 --order eager
      a program as a table
  dtrp bench --pairs 5
      images per second against plain backpropagation
  dtrp bench --set method.cuts=auto --against method.cuts=even
      images per second with cuts that are measured against even ones";

/// `dtrp train`
#[derive(Debug, Args)]
#[command(after_long_help = format!("{EXAMPLES}\n\n{EXIT_CODES}"))]
pub(crate) struct Train {
    #[command(flatten)]
    layers: Layers,
    /// Name of the run's folder, the same as --set run.name=NAME
    #[arg(short, long)]
    name: Option<String>,
    /// Build everything and print the plan: modules, schedule, memory; train nothing
    #[arg(long)]
    dry_run: bool,
}

/// Trains as the configuration says, and prints what came of it.
pub(super) fn run(args: Train) -> Result<(), Error> {
    let mut layers = args.layers;
    if let Some(name) = &args.name {
        layers.sets.push(Set::by_flag("--name", "run.name", name));
    }
    let config = layers.load(DIGITS)?;
    // Whatever can be wrong is found before the folder is made.
    let mut trainer = build(&config, &stop::at_signals()?)?;
    if args.dry_run {
        report::print(&plan::describe(&trainer)?);
        return Ok(());
    }
    let folder = prepare(config, &mut trainer)?;
    let result = trainer.fit();
    let summary = trainer.summary(&result);
    if summary.epochs > 0 {
        report::print(&report::run(&summary, folder.path()));
    }
    result
        .map(drop)
        .map_err(|error| with_advice(error, &summary, folder.path()))
}

/// Makes the run's folder, and has everything that happens written there and shown.
fn prepare(config: Config, trainer: &mut Trainer) -> Result<Folder, Error> {
    let config = config.resolved(trainer.settings());
    let keys = &config.program.run;
    let (folder, moved) = Folder::create(&keys.dir, &config.run_name())?;
    if let Some(old) = moved {
        tracing::info!("the earlier run of this name is now in {}", old.display());
    }
    folder.write("config.yaml", &config.to_yaml()?)?;
    if let Some(costs) = trainer.costs() {
        folder.write("costs.yaml", &as_yaml(costs)?)?;
    }
    tracing::info!("training into {}", folder.path().display());
    trainer.subscribe(Metrics::create(&folder, keys.log_every)?);
    trainer.subscribe(Progress::new(keys.progress, trainer.length().steps));
    trainer.subscribe(Files::new(folder.clone()));
    Ok(folder)
}

/// Adds what was kept, and what may help.
fn with_advice(error: TrainError, summary: &Summary, folder: &Path) -> Error {
    let weights = folder.join(WEIGHTS);
    let weights = weights.display();
    let kept = match summary.epochs {
        0 => format!("{weights} holds the weights from before the first epoch"),
        epochs => format!("{weights} holds the weights after epoch {epochs}"),
    };
    let advice = match error {
        TrainError::Stopped(_) => format!("; {kept}"),
        TrainError::Diverged(_) => {
            format!("\n{kept}; a smaller optimizer.lr, or a longer optimizer.schedule.warmup_epochs, may help")
        }
        error => {
            tracing::info!("{kept}");
            return error.into();
        }
    };
    Error::Run { error, advice }
}
