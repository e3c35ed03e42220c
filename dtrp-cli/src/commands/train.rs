//! `dtrp train`.

use super::training::build;
use crate::config::{Config, DIGITS, Layers, Set, as_yaml, path_argument};
use crate::error::{EXIT_CODES, Error};
use crate::output;
use crate::plan;
use crate::progress::Progress;
use crate::report;
use crate::run::{CONFIG, COSTS, Claim, Csv, Files, Folder, InUse, SummaryFile, TensorBoard, WEIGHTS};
use crate::stop;
use clap::Args;
use dtrp_train::{Summary, TrainError, Trainer};
use std::path::{Path, PathBuf};

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
    /// Folder that the run's folder goes into, the same as --set run.dir=DIR
    #[arg(long, value_parser = path_argument())]
    dir: Option<PathBuf>,
    /// Fail, instead of taking NAME-2, where a run of this name is still going on
    #[arg(long)]
    no_number: bool,
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
    let mut config = layers.load(DIGITS)?;
    if let Some(dir) = &args.dir {
        config.program.run.dir.clone_from(dir);
    }
    // Whatever can be wrong is found before the folder is made.
    let mut trainer = build(&config, &stop::at_signals()?)?;
    if args.dry_run {
        return output::print(&plan::describe(&trainer)?);
    }
    let in_use = if args.no_number { InUse::Refuse } else { InUse::Number };
    let folder = prepare(config, in_use, &mut trainer)?;
    let result = trainer.fit();
    let summary = trainer.summary(&result);
    let printed = if summary.epochs > 0 {
        output::print(&report::run(&summary, folder.path()))
    } else {
        Ok(())
    };
    result.map_err(|error| with_advice(error, &summary, folder.path()))?;
    printed
}

/// Makes the run's folder, and has everything that happens written there and shown.
fn prepare(config: Config, in_use: InUse, trainer: &mut Trainer) -> Result<Folder, Error> {
    let mut config = config.resolved(trainer.settings());
    let name = config.run_name();
    let claim = Claim::new(&config.program.run.dir, &name, in_use)?;
    if claim.name() != name {
        tracing::info!("a run `{name}` is still going on; this one is `{}`", claim.name());
        config.program.run.name = Some(claim.name().to_owned());
    }
    config.follow(|key, path| {
        let moved = claim.moved(path)?;
        let (old, new) = (path.display(), moved.display());
        tracing::info!("{key}: what was {old} is {new} from now on, and config.yaml says so");
        Some(moved)
    });
    if let Some(key) = config.not_utf8() {
        tracing::warn!("{key} is not UTF-8: config.yaml cannot hold it exactly, and does not repeat the run as it is");
    }
    let yaml = config.to_yaml()?;
    claim.write(CONFIG, &yaml)?;
    if let Some(costs) = trainer.costs() {
        claim.write(COSTS, &as_yaml(costs)?)?;
    }
    let keys = &config.program.run;
    let (folder, metrics, earlier) = claim.publish(keys.log_every)?;
    if let Some(earlier) = earlier {
        tracing::info!("the earlier run of this name is now in {}", earlier.display());
    }
    tracing::info!("training into {}", folder.path().display());
    trainer.subscribe(SummaryFile::new(folder.clone(), trainer.stages().len()));
    trainer.subscribe(metrics);
    if config.program.logging.csv {
        trainer.subscribe(Csv::new(folder.clone(), keys.log_every, 0));
    }
    if config.program.logging.tensorboard {
        trainer.subscribe(TensorBoard::new(folder.clone(), keys.log_every, 0, yaml));
    }
    trainer.subscribe(Progress::new(keys.progress, trainer.length().steps));
    trainer.subscribe(Files::new(folder.clone()));
    Ok(folder)
}

/// Adds what was kept, and what may help.
fn with_advice(error: TrainError, summary: &Summary, folder: &Path) -> Error {
    let weights = folder.join(WEIGHTS);
    let (there, weights) = (weights.exists(), weights.display());
    let kept = match summary.epochs {
        _ if !there => "there are no weights".to_owned(),
        _ if matches!(error, TrainError::Weights(_) | TrainError::Subscriber(_)) => {
            format!("{weights} holds the last weights that could be written")
        }
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
