//! What a run is going to do: the first slots of its schedule, and for `--dry-run` everything else.

use super::data::Data;
use super::trainer::Trainer;
use crate::config::Config;
use crate::error::Error;
use crate::report::{self, bytes, thousands};
use dtrp_core::analysis;
use dtrp_core::schedule::{Program, Unit};
use dtrp_core::torch::{Mode, Pass, TorchStage};
use std::fmt::Write;
use tch::{Kind, Tensor};

/// The first slots of a program as a table: enough to see it fill and run steadily.
pub(crate) fn first_slots(program: &Program) -> String {
    const HEAD: usize = 2;
    let rows = 2 * program.modules() + 8;
    // A worker starts at most one batch in a slot, so these batches fill the rows and more.
    let batches = (rows + 2 * program.modules()) as u32;
    let mut start = program.clone();
    for actions in &mut start.workers {
        actions.retain(|action| action.unit.batch <= batches);
    }
    let table = start.table();
    let mut text = format!(
        "{} ({}), {}, {}",
        program.method,
        program.order,
        report::count(program.modules() as u64, "module", "modules"),
        report::count(program.batches.into(), "batch", "batches"),
    );
    match program.micro_batches {
        0 | 1 => text.push('\n'),
        parts => {
            let _ = writeln!(text, " of {parts} micro-batches");
        }
    }
    for line in table.lines().take(HEAD + rows) {
        text.push_str(line);
        text.push('\n');
    }
    if table.lines().count() > HEAD + rows {
        text.push_str(" ...\n");
    }
    text
}

/// The plan of a run for people.
pub(crate) fn describe(config: &Config, data: &Data, trainer: &Trainer) -> Result<String, Error> {
    let length = trainer.length();
    let program = trainer.program(length.batches_per_epoch)?;
    let report =
        analysis::analyse(&program, trainer.options().capacity).map_err(|fault| Error::Bug(fault.to_string()))?;
    let inputs = input_bytes(config, data, trainer)?;
    let mut text = String::new();
    let _ = writeln!(
        text,
        "data      {}: {} training and {} test images of {}, {} classes, augmentation {}",
        config.data.name,
        thousands(data.train.samples() as u64),
        thousands(data.test.samples() as u64),
        data.train.dataset().shape(),
        data.train.dataset().classes(),
        data.train.options().augment,
    );
    let parameters = trainer.parameters();
    let _ = writeln!(
        text,
        "model     {}: {} parameters",
        config.model.name,
        thousands(parameters.iter().sum::<usize>() as u64)
    );
    let _ = writeln!(
        text,
        "run       {} steps of {} images ({} an epoch), {} updates of every module\n",
        thousands(length.steps),
        config.data.batch_size,
        length.batches_per_epoch,
        thousands(length.updates),
    );
    let head = [
        "module",
        "blocks",
        "parameters",
        "staleness",
        "stored inputs",
        "graphs",
        "versions",
        "stored",
        "weights",
    ];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for (index, (stage, worker)) in trainer.stages().iter().zip(&report.workers).enumerate() {
        let names: Vec<_> = stage.module().block_names().map(str::to_owned).collect();
        let stored = worker.stored_inputs as u64 * inputs[index];
        rows.push(vec![
            (index + 1).to_string(),
            report::blocks(&names),
            thousands(parameters[index] as u64),
            worker.max_staleness().to_string(),
            worker.stored_inputs.to_string(),
            worker.live_graphs.to_string(),
            worker.weight_versions.to_string(),
            bytes(stored),
            bytes(weight_bytes(stage, parameters[index], worker.weight_versions)),
        ]);
    }
    text.push_str(&report::table(&rows, 2));
    text.push_str("\nstored: bytes of stored inputs at most; weights: all versions, gradients, optimizer, predictions and probes\n\n");
    text.push_str(&first_slots(&program));
    Ok(text)
}

/// Bytes of one unit's input of every module, by a forward pass of one black image.
fn input_bytes(config: &Config, data: &Data, trainer: &Trainer) -> Result<Vec<u64>, Error> {
    let shape = data.train.dataset().shape();
    let size = config.data.batch_size.min(data.train.samples());
    let unit = size.div_ceil(usize::from(config.method.micro_batches));
    let shape = [1, shape.channels, shape.height, shape.width].map(|n| n as i64);
    let forward = |input: &Tensor, stage: &TorchStage| {
        let pass = Pass {
            mode: Mode::Evaluate,
            seed: config.run.seed,
            batch: u64::from(Unit::batch(1).batch),
            block: 0,
        };
        let input = input.f_to_device(stage.module().options().1)?;
        stage.module().forward(stage.weights(), &input, pass)
    };
    let run = || {
        let mut sizes = Vec::new();
        let (kind, device) = trainer.stages()[0].module().options();
        let mut activation = Tensor::f_zeros(shape, (kind, device))?;
        for stage in trainer.stages() {
            sizes.push((unit * activation.numel() * element(activation.f_kind()?)) as u64);
            activation = forward(&activation, stage)?;
        }
        Ok(sizes)
    };
    tch::no_grad(run).map_err(|error| Error::of_torch(error, false, str::to_owned))
}

fn element(kind: Kind) -> usize {
    kind.elt_size_in_bytes()
}

/// Bytes of everything that is as large as the module's weights.
fn weight_bytes(stage: &TorchStage, parameters: usize, versions: usize) -> u64 {
    let (kind, _) = stage.module().options();
    let copies = versions + stage.optimizer_copies() + stage.prediction_copies();
    (copies * parameters * element(kind)) as u64
}
