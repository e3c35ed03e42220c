//! What a run is going to do, for `--dry-run`.

use crate::error::Error;
use crate::output;
use crate::report;
use crate::run::first_slots;
use dtrp_text::Table;
use dtrp_text::units::{bytes, thousands};
use dtrp_train::{RunPlan, Trainer};
use std::fmt::Write;

/// The plan of a run for people.
pub(crate) fn describe(trainer: &Trainer) -> Result<String, Error> {
    let RunPlan {
        length,
        program,
        modules,
    } = trainer.plan()?;
    let settings = trainer.settings();
    let (train, test) = (trainer.train_set(), trainer.test_set());
    let mut text = String::new();
    let _ = writeln!(
        text,
        "data      {}: {} training and {} test images of {}, {} classes, augmentation {}",
        settings.data.name,
        thousands(train.samples() as u64),
        thousands(test.samples() as u64),
        train.dataset().shape(),
        train.dataset().classes(),
        train.options().augment,
    );
    let parameters: usize = modules.iter().map(|module| module.parameters).sum();
    let _ = writeln!(
        text,
        "model     {}: {} parameters",
        settings.model.name,
        thousands(parameters as u64)
    );
    let _ = writeln!(
        text,
        "run       {} steps of {} images ({} an epoch), {} updates of every module\n",
        thousands(length.steps),
        settings.data.batch_size,
        length.batches_per_epoch,
        thousands(length.updates),
    );
    let mut table = Table::new(2);
    table.row([
        "module",
        "blocks",
        "parameters",
        "staleness",
        "stored inputs",
        "graphs",
        "versions",
        "stored",
        "weights",
    ]);
    for (number, module) in (1..).zip(&modules) {
        table.row([
            format!("{number}"),
            report::blocks(&module.blocks),
            thousands(module.parameters as u64),
            module.staleness.to_string(),
            module.stored_inputs.to_string(),
            module.live_graphs.to_string(),
            module.weight_versions.to_string(),
            bytes(module.stored_bytes),
            bytes(module.weight_bytes),
        ]);
    }
    let mut text = output::wrapped(&text) + &output::fitted(&table);
    let note = "\nstored: bytes of stored inputs at most; weights: all versions, gradients, optimizer, predictions and probes\n\n";
    text.push_str(&output::wrapped(note));
    text.push_str(&first_slots(&program));
    Ok(text)
}
