//! `dtrp train`.

use super::training::{build_from, training};
use crate::config::{Config, DIGITS, Layers, Set, as_yaml, path_argument};
use crate::error::{EXIT_CODES, Error};
use crate::output;
use crate::plan;
use crate::progress::Progress;
use crate::report;
use crate::run::{
    CHECKPOINTS, CONFIG, COSTS, Claim, Csv, Files, Folder, InUse, Metrics, Origin, Resume, SummaryFile, TensorBoard,
    WEIGHTS, came_to_nothing,
};
use crate::stop;
use clap::Args;
use dtrp_text::to_json;
use dtrp_train::{Keeper, Stop, Summary, TrainError, Trainer};
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
  dtrp train --resume runs/four --set run.epochs=60
      goes on with a run that was stopped, or that has ended, up to 60 epochs
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
    /// Go on with a run: `auto` for the one that this configuration would train (from the beginning where it has no
    /// checkpoint), or the folder of a run or of a checkpoint; with --name as a run of its own
    #[arg(long, value_name = "auto|PATH")]
    resume: Option<Resume>,
    /// Do everything but training: build it, print the plan, run one step on random data, and tell memory by kind; nothing is
    /// kept
    #[arg(long)]
    dry_run: bool,
}

impl Train {
    /// What is done where a run of the name is still going on.
    fn in_use(&self) -> InUse {
        if self.no_number { InUse::Refuse } else { InUse::Number }
    }
}

/// Trains as the configuration says, and prints what came of it.
pub(super) fn run(args: Train) -> Result<(), Error> {
    let mut layers = args.layers.clone();
    if let Some(name) = &args.name {
        layers.sets.push(Set::by_flag("--name", "run.name", name));
    }
    let origin = match &args.resume {
        Some(Resume::From(path)) => Some(Origin::at(path)?),
        _ => None,
    };
    let mut config = match &origin {
        Some(origin) if layers.config.is_none() => of_checkpoint(origin, &layers.sets)?,
        _ => layers.load(DIGITS)?,
    };
    if let Some(dir) = &args.dir {
        config.program.run.dir.clone_from(dir);
    }
    let origin = match &args.resume {
        Some(Resume::Auto) => of_same_name(&config)?,
        _ => origin,
    };
    // Whatever can be wrong is found before the folder is made.
    let stop = stop::at_signals()?;
    let checkpoint = origin.as_ref().map(|origin| &origin.checkpoint);
    let mut trainer = build_from(&config, &stop, checkpoint)?;
    if args.dry_run {
        return dry_run(config, &stop, trainer, checkpoint.is_some());
    }
    let folder = match origin {
        Some(origin) => go_on(config, &args, &origin, &mut trainer)?,
        None if args.resume.is_some() => begin_anew(config, args.in_use(), &mut trainer)?,
        None => prepare(config, args.in_use(), &mut trainer)?,
    };
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

/// Prints the plan, and what a step takes.
fn dry_run(mut config: Config, stop: &Stop, mut trainer: Trainer, goes_on: bool) -> Result<(), Error> {
    output::print(&plan::describe(&trainer)?)?;
    let planned = trainer.plan()?.modules;
    if goes_on {
        // Of a checkpoint batches may be in flight, which are no part of a step.
        config.settings.model.init_from = None;
        config.settings.model.init_sha256 = None;
        config.settings.method.cuts = trainer.settings().method.cuts.clone();
        config.settings.method.recompute = trainer.settings().method.recompute.clone();
        config.program.method.costs = None;
        drop(trainer);
        trainer = training(&config, stop)?.build()?;
    }
    let rehearsal = trainer.rehearse()?;
    output::print(&plan::memory(&planned, &rehearsal))
}

/// The configuration that a checkpoint's run has, with what is typed.
fn of_checkpoint(origin: &Origin, sets: &[Set]) -> Result<Config, Error> {
    if let Some(run) = &origin.run {
        let file = run.join(CONFIG);
        let layers = Layers {
            config: Some(file),
            sets: sets.to_vec(),
        };
        return Ok(layers.load(DIGITS)?);
    }
    let settings = &origin.checkpoint.state().settings;
    let name = format!("the settings in {}", origin.path.display());
    Ok(Config::parse(&name, &to_json(settings), sets)?)
}

/// The newest checkpoint of the run that has the name of this one, for `--resume auto`.
fn of_same_name(config: &Config) -> Result<Option<Origin>, Error> {
    let run = config.program.run.dir.join(config.run_name());
    let origin = Origin::newest_of(&run)?;
    if origin.is_none() {
        tracing::info!(
            "{} has no checkpoint: training starts from the beginning",
            run.display()
        );
    }
    Ok(origin)
}

/// Goes on in the folder of the run that the checkpoint belongs to, or, where another name or folder was asked for or it belongs
/// to none, in one of its own.
fn go_on(mut config: Config, args: &Train, origin: &Origin, trainer: &mut Trainer) -> Result<Folder, Error> {
    let (path, checkpoint) = (origin.path.display(), &origin.checkpoint);
    let own = args.resume != Some(Resume::Auto) && (args.name.is_some() || args.dir.is_some());
    let told = format!("going on from {path}, after {} batches", checkpoint.step());
    let Some(run) = origin.run.as_ref().filter(|_| !own) else {
        tracing::info!("{told}");
        return prepare(config, args.in_use(), trainer);
    };
    if origin.outdated {
        return Err(Error::Fit(format!(
            "{path}: the run has gone on since: `--resume {}` takes its newest checkpoint, and with --name NAME this one becomes \
             the start of a run of its own",
            run.display()
        )));
    }
    config = config.resolved(trainer.settings());
    let (dir, name) = (run.parent(), run.file_name());
    config.program.run.dir = dir.unwrap_or(Path::new(".")).to_owned();
    config.program.run.name = name.map(|name| name.to_string_lossy().into_owned());
    let yaml = config.to_yaml()?;
    let state = checkpoint.state();
    let log_every = config.program.run.log_every;
    let (folder, metrics) = Folder::reopen(run, log_every, state.results.told, state.position.epochs)?;
    folder.write(CONFIG, &yaml)?;
    keeper(&folder, trainer).forget_after(checkpoint.step());
    tracing::info!("{told}");
    follow(&config, &folder, metrics, trainer, state.results.told)?;
    Ok(folder)
}

/// Begins the run of `--resume auto` that has no checkpoint: in the place of one that came to nothing, so that a job that is
/// ended and started again does not leave a folder every time.
fn begin_anew(config: Config, in_use: InUse, trainer: &mut Trainer) -> Result<Folder, Error> {
    let run = config.program.run.dir.join(config.run_name());
    if !came_to_nothing(&run) {
        return prepare(config, in_use, trainer);
    }
    let config = config.resolved(trainer.settings());
    let yaml = config.to_yaml()?;
    match Folder::reopen(&run, config.program.run.log_every, 0, 0) {
        Ok((folder, metrics)) => {
            folder.write(CONFIG, &yaml)?;
            if let Some(costs) = trainer.costs() {
                folder.write(COSTS, &as_yaml(costs)?)?;
            }
            follow(&config, &folder, metrics, trainer, 0)?;
            Ok(folder)
        }
        // It is still going on, or cannot be written to: as for any other run.
        Err(_) => prepare(config, in_use, trainer),
    }
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
    claim.write(CONFIG, &config.to_yaml()?)?;
    if let Some(costs) = trainer.costs() {
        claim.write(COSTS, &as_yaml(costs)?)?;
    }
    let (folder, metrics, earlier) = claim.publish(config.program.run.log_every)?;
    if let Some(earlier) = earlier {
        tracing::info!("the earlier run of this name is now in {}", earlier.display());
    }
    follow(&config, &folder, metrics, trainer, 0)?;
    Ok(folder)
}

/// Has everything that happens written into the folder, and shown. Steps up to `after` are there already.
fn follow(config: &Config, folder: &Folder, metrics: Metrics, trainer: &mut Trainer, after: u64) -> Result<(), Error> {
    let (run, logging) = (&config.program.run, &config.program.logging);
    tracing::info!("training into {}", folder.path().display());
    trainer.subscribe(SummaryFile::new(folder.clone(), trainer.summary(&Ok(()))));
    trainer.subscribe(metrics);
    if logging.csv {
        trainer.subscribe(Csv::new(folder.clone(), run.log_every, after));
    }
    if logging.tensorboard {
        trainer.subscribe(TensorBoard::new(
            folder.clone(),
            run.log_every,
            after,
            config.to_yaml()?,
        ));
    }
    trainer.subscribe(Progress::new(run.progress, trainer.length().steps));
    trainer.subscribe(Files::new(folder.clone()));
    trainer.subscribe(keeper(folder, trainer));
    Ok(())
}

/// What writes the checkpoints.
fn keeper(folder: &Folder, trainer: &Trainer) -> Keeper {
    let keys = &trainer.settings().checkpoint;
    Keeper::new(folder.path().join(CHECKPOINTS), keys.keep_last, keys.keep_best)
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
        TrainError::Stopped(_) if folder.join(CHECKPOINTS).exists() => {
            format!(
                "; {kept}, and `dtrp train --resume {}` goes on from where it stopped",
                folder.display()
            )
        }
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
