//! What a run is going to do, for `--dry-run`.

use crate::error::Error;
use crate::memory;
use crate::output;
use crate::report;
use crate::run::first_slots;
use dtrp_text::Table;
use dtrp_text::units::{bytes, thousands};
use dtrp_train::{ModulePlan, Rehearsal, RunPlan, Trainer};
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

/// The memory of a run by kind for people, and what a step took, against what the machine has.
pub(crate) fn memory(planned: &[ModulePlan], rehearsal: &Rehearsal) -> String {
    let mut table = Table::new(1);
    table.row([
        "module",
        "device",
        "stored inputs",
        "weights",
        "optimizer",
        "prediction",
    ]);
    let workers = rehearsal.summary.workers.iter();
    let mut sums = [0; 4];
    let mut on_host = 0;
    for (number, (module, worker)) in (1..).zip(planned.iter().zip(workers)) {
        let row = [
            module.stored_bytes,
            module.memory.weight_bytes,
            module.memory.optimizer_bytes,
            module.memory.prediction_bytes,
        ];
        for (sum, bytes) in sums.iter_mut().zip(row) {
            *sum += bytes;
        }
        if worker.device == "cpu" {
            on_host += row.iter().sum::<u64>();
        }
        let row = row.map(bytes);
        table.row([format!("{number}"), worker.device.to_string()].into_iter().chain(row));
    }
    table.row(["all".to_owned(), String::new()].into_iter().chain(sums.map(bytes)));
    let mut text = String::from("\nmemory by kind, at most\n\n") + &output::fitted(&table);
    let steps = match rehearsal.batches {
        1 => "a step".to_owned(),
        batches => format!("{batches} steps"),
    };
    let mut told = format!("\n{steps} on random images took {:.2} s", rehearsal.time.as_secs_f64());
    if let Some(peak) = rehearsal.peak_rss_bytes {
        let _ = write!(told, "; the process has held {} at most", bytes(peak));
    }
    if let Some(machine) = memory::of_machine() {
        let (total, available) = (bytes(machine.total), bytes(machine.available));
        let _ = write!(told, ", and the machine has {total}, {available} of them free");
        if on_host > machine.available {
            let _ = write!(told, ": what the run holds ({}) does not fit", bytes(on_host));
        }
    }
    told.push('\n');
    for (gpu, room) in rehearsal.summary.gpus.iter().flatten().zip(&rehearsal.gpus) {
        let _ = write!(
            told,
            "{}: tensors of {} at most",
            gpu.device,
            bytes(gpu.peak_allocated_bytes)
        );
        if let Some(room) = room {
            let _ = write!(
                told,
                ", and it has {}, {} of them free",
                bytes(room.total),
                bytes(room.free)
            );
        }
        told.push('\n');
    }
    text.push_str(&output::wrapped(&told));
    text
}
