//! Evaluation: the modules' current weights and running statistics on held-out data.
//!
//! It is a program like any other. Run over stages that only look, the program of local learning is a pipeline of
//! forwards in which nothing comes back, so evaluation keeps every worker busy.

use super::batch::READING;
use super::passes::single;
use super::{Activation, Gradients, Source, TorchStage};
use crate::engine::{self, Doing, EngineError, EngineOptions, Execution, Stage};
use crate::schedule::{Program, Unit};
use crate::torch::TorchError;
use crate::torch::device::Readback;
use crate::torch::group::Peers;
use tch::{Kind, Tensor};

/// The result of an evaluation.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Evaluation {
    /// Mean loss, as [`Loss::of_evaluation`](crate::torch::Loss::of_evaluation) gives it.
    pub loss: f64,
    /// Share of samples that are answered rightly, 0..1.
    pub accuracy: f64,
    /// Number of samples.
    pub samples: u64,
}

/// Evaluates the network on as many units of `source` as `program` has. No gradient may travel in it: the program of the
/// method `local` is the one to take. What its other actions do is nothing: no graph is built, no weight changes.
///
/// # Errors
///
/// When the data cannot be read, an operator fails, or the program is not for these stages. As with [`engine::run`], `stages`
/// is empty afterwards where a worker never comes back.
pub fn evaluate(
    stages: &mut Vec<TorchStage>,
    program: &Program,
    source: Box<dyn Source>,
    options: &EngineOptions,
) -> Result<Evaluation, EngineError<TorchError>> {
    evaluate_with(stages, program, source, options, Box::new(|_, _| Ok(())))
}

/// Takes what the last block gives for a unit (samples first) and the labels of the unit, both on the last module's device.
pub type OnOutput = Box<dyn FnMut(&Tensor, &Tensor) -> Result<(), TorchError> + Send>;

/// As [`evaluate`], and calls `on_output` with every unit, in their order, from the last worker's thread.
///
/// # Errors
///
/// As [`evaluate`], and those of `on_output`.
pub fn evaluate_with(
    stages: &mut Vec<TorchStage>,
    program: &Program,
    source: Box<dyn Source>,
    options: &EngineOptions,
    on_output: OnOutput,
) -> Result<Evaluation, EngineError<TorchError>> {
    let run = |observers: &mut Vec<Observer>| engine::run(program, observers, options);
    observe(stages, Some(source), Some(on_output), run).map(Option::unwrap_or_default)
}

/// As [`evaluate_with`], where several processes execute the workers: all of them call this, each with its own stages. Only the
/// process that has module 1 needs a source, and only that of the last module is told the result, and calls `on_output`.
///
/// # Errors
///
/// As [`evaluate_with`], and [`EngineError::Peer`].
pub fn evaluate_among(
    peers: &Peers,
    stages: &mut Vec<TorchStage>,
    program: &Program,
    source: Option<Box<dyn Source>>,
    options: &EngineOptions,
    on_output: OnOutput,
) -> Result<Option<Evaluation>, EngineError<TorchError>> {
    let run = |observers: &mut Vec<Observer>| peers.run(program, observers, options);
    observe(stages, source, Some(on_output), run)
}

/// Has the stages look while a program runs; what the last module has seen, if it is among them.
fn observe(
    stages: &mut Vec<TorchStage>,
    mut source: Option<Box<dyn Source>>,
    mut on_output: Option<OnOutput>,
    run: impl FnOnce(&mut Vec<Observer>) -> Result<Execution, EngineError<TorchError>>,
) -> Result<Option<Evaluation>, EngineError<TorchError>> {
    let observer = |stage: TorchStage| {
        let (first, last) = (stage.options.module == 1, stage.is_last());
        Observer {
            source: source.take_if(|_| first),
            last,
            on_output: on_output.take_if(|_| last),
            sums: Evaluation::default(),
            readback: Readback::default(),
            stage,
        }
    };
    let mut observers: Vec<Observer> = std::mem::take(stages).into_iter().map(observer).collect();
    let result = run(&mut observers);
    let sums = observers
        .last()
        .filter(|observer| observer.last)
        .map(|observer| observer.sums);
    stages.extend(observers.into_iter().map(|observer| observer.stage));
    result?;
    Ok(sums.map(|sums| {
        let samples = sums.samples.max(1) as f64;
        Evaluation {
            loss: sums.loss / samples,
            accuracy: sums.accuracy / samples,
            samples: sums.samples,
        }
    }))
}

/// A stage that forwards and changes nothing.
struct Observer {
    stage: TorchStage,
    source: Option<Box<dyn Source>>,
    last: bool,
    /// Of the last module.
    on_output: Option<OnOutput>,
    /// Sums, not yet divided by the samples.
    sums: Evaluation,
    /// Number of right answers and mean loss of units of so many samples.
    readback: Readback<u64>,
}

impl Observer {
    fn add_up(&mut self, all: bool) -> Result<(), TorchError> {
        while let Some((samples, numbers)) = self.readback.next(all)? {
            if let [right, loss] = numbers[..] {
                self.sums.samples += samples;
                self.sums.accuracy += right;
                self.sums.loss += loss * samples as f64;
            }
        }
        Ok(())
    }
}

impl Stage for Observer {
    type Up = Activation;
    type Down = Gradients;
    type Error = TorchError;

    fn doing(&self) -> Doing {
        Stage::doing(&self.stage)
    }

    fn enter(&mut self) {
        self.stage.enter();
    }

    fn leave(&mut self) -> Result<(), TorchError> {
        let added = self.add_up(true);
        self.stage.leave().and(added)
    }

    fn input(&mut self, unit: Unit) -> Result<Activation, TorchError> {
        let none = || TorchError::data("module 1 was not given any data");
        let _busy = Stage::doing(&self.stage).now(READING, None);
        Activation::new(self.source.as_mut().ok_or_else(none)?.next(unit)?)
    }

    fn forward(&mut self, _: Unit, input: Activation, _: Option<u32>) -> Result<Activation, TorchError> {
        tch::no_grad(|| self.stage.look(&input))
    }

    fn forward_graph(&mut self, _: Unit, input: Activation, _: Option<u32>) -> Result<Option<Activation>, TorchError> {
        let output = tch::no_grad(|| self.stage.look(&input))?;
        if !self.last {
            return Ok(Some(output));
        }
        let labels = output.labels.receive(self.stage.device())?;
        let logits = single(output.tensors())?.f_to_kind(self.stage.module().options().0)?;
        let (right, loss) = tch::no_grad(|| -> Result<_, TorchError> {
            let loss = self.stage.loss();
            Ok((loss.right(&logits, &labels)?, loss.of_evaluation(&logits, &labels)?))
        })?;
        let numbers = Tensor::f_stack(&[right.f_to_kind(Kind::Double)?, loss.f_to_kind(Kind::Double)?], 0)?;
        let samples = labels.size().first().map_or(0, |n| n.unsigned_abs());
        self.readback.send_for(samples, &numbers)?;
        if let Some(on_output) = &mut self.on_output {
            tch::no_grad(|| on_output(&logits, &labels))?;
        }
        self.add_up(false)?;
        Ok(None)
    }

    fn recompute(&mut self, _: Unit) -> Result<(), TorchError> {
        Ok(())
    }

    fn backward(&mut self, _: Unit, _: Option<Gradients>) -> Result<Option<Gradients>, TorchError> {
        Ok(None)
    }

    fn update(&mut self, _: u32) -> Result<(), TorchError> {
        Ok(())
    }
}
