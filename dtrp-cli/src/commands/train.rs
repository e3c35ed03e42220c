//! `dtrp train`.

use super::training::build;
use crate::cli;
use crate::config::{Config, DIGITS, Set, as_yaml};
use crate::error::Error;
use crate::plan;
use crate::progress::Progress;
use crate::report;
use crate::run::{Files, Folder, Metrics, WEIGHTS};
use crate::stop;
use dtrp_train::{Summary, TrainError, Trainer};
use std::path::Path;

/// Trains as the configuration says, and prints what came of it.
pub(crate) fn run(args: cli::Train) -> Result<(), Error> {
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
