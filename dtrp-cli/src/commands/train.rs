//! `dtrp train`.

use crate::cli;
use crate::config::{DIGITS, Set, as_yaml, to_yaml};
use crate::error::Error;
use crate::report;
use crate::run::Folder;
use crate::train::{Data, Stop, Trainer, compensate, describe, train};

/// Trains as the configuration says, and prints what came of it.
pub(crate) fn run(args: cli::Train) -> Result<(), Error> {
    let mut layers = args.layers;
    if let Some(name) = &args.name {
        layers.sets.push(Set::by_flag("--name", "run.name", name));
    }
    let mut config = layers.load(DIGITS)?;
    // Threads of operators outside the workers: copies and initial values, which are no work.
    tch::set_num_threads(config.run.threads_per_worker.into());
    // Whatever can be wrong is found before the folder is made.
    let mut data = Data::open(&config)?;
    let stop = Stop::at_signals()?;
    let (compensation, costs) = compensate(&mut config, &mut data, &stop)?;
    let mut trainer = Trainer::new(&config, &data)?;
    if args.dry_run {
        report::print(&describe(&config, &data, &trainer)?);
        return Ok(());
    }
    let name = config.run.name.as_deref().unwrap_or("run");
    let (folder, moved) = Folder::create(&config.run.dir, name)?;
    if let Some(old) = moved {
        tracing::info!("the earlier run of this name is now in {}", old.display());
    }
    folder.write("config.yaml", &to_yaml(&config)?)?;
    if let Some(costs) = costs {
        folder.write("costs.yaml", &as_yaml(&costs)?)?;
    }
    tracing::info!("training into {}", folder.path().display());
    let (summary, result) = train(&config, &data, &mut trainer, &folder, compensation, &stop)?;
    if summary.epochs > 0 {
        report::print(&report::run(&summary, folder.path()));
    }
    result
}
