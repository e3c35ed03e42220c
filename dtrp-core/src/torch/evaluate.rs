//! Evaluation: the modules' current weights and running statistics on held-out data.
//!
//! It is a program like any other. Run over stages that only look, the program of local learning is a pipeline of
//! forwards in which nothing comes back, so evaluation keeps every worker busy.

use super::batch::{Activation, Source};
use super::error::TorchError;
use super::message::Message;
use super::readback::Readback;
use super::stage::TorchStage;
use crate::engine::{self, EngineError, Executor, Options, Stage};
use crate::schedule::{Method, Plan, Unit};
use crate::trace::Recording;
use tch::{Kind, Tensor};

/// The result of an evaluation.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Evaluation {
    /// Mean loss.
    pub loss: f64,
    /// Share of samples whose most likely class is right, 0..1.
    pub accuracy: f64,
    /// Number of samples.
    pub samples: u64,
}

/// Evaluates the network on `batches` batches of `source`.
///
/// # Errors
///
/// When the data cannot be read or an operator fails.
pub fn evaluate(
    stages: &mut [TorchStage],
    batches: u32,
    source: Box<dyn Source>,
    executor: Executor,
) -> Result<Evaluation, EngineError<TorchError>> {
    let modules = stages.len();
    let mut source = Some(source);
    let mut observers: Vec<Observer<'_>> = stages
        .iter_mut()
        .enumerate()
        .map(|(index, stage)| Observer {
            stage,
            source: source.take_if(|_| index == 0),
            last: index + 1 == modules,
            sums: Evaluation::default(),
            readback: Readback::default(),
        })
        .collect();
    let options = Options {
        executor,
        recording: Recording::Logical,
        ..Options::default()
    };
    let program = Method::named("local").and_then(|method| method.program(&Plan::new(modules, batches)));
    // The method exists and takes any plan with a module.
    let Ok(program) = program else {
        return Ok(Evaluation::default());
    };
    engine::run(&program, &mut observers, &options)?;
    let sums = observers.last().map(|o| o.sums).unwrap_or_default();
    let samples = sums.samples.max(1) as f64;
    Ok(Evaluation {
        loss: sums.loss / samples,
        accuracy: sums.accuracy / samples,
        samples: sums.samples,
    })
}

/// A stage that forwards and changes nothing.
struct Observer<'a> {
    stage: &'a mut TorchStage,
    source: Option<Box<dyn Source>>,
    last: bool,
    /// Sums, not yet divided by the samples.
    sums: Evaluation,
    /// Number of right answers and mean loss of batches of so many samples.
    readback: Readback<u64>,
}

impl Observer<'_> {
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

impl Stage for Observer<'_> {
    type Up = Activation;
    type Down = Message;
    type Error = TorchError;

    fn enter(&mut self) {
        self.stage.enter();
    }

    fn leave(&mut self) -> Result<(), TorchError> {
        let added = self.add_up(true);
        self.stage.leave().and(added)
    }

    fn input(&mut self, unit: Unit) -> Result<Activation, TorchError> {
        let none = || TorchError::Data("module 1 was not given any data".to_owned());
        Activation::new(self.source.as_mut().ok_or_else(none)?.next(unit)?)
    }

    fn forward(&mut self, _: Unit, input: Activation, _: Option<u32>) -> Result<Activation, TorchError> {
        Ok(input)
    }

    fn forward_graph(&mut self, _: Unit, input: Activation, _: Option<u32>) -> Result<Option<Activation>, TorchError> {
        let output = tch::no_grad(|| self.stage.look(&input))?;
        if !self.last {
            return Ok(Some(output));
        }
        let labels = output.labels.receive(self.stage.device())?;
        let logits = output.tensor().f_to_kind(self.stage.module().options().0)?;
        let right = logits.f_argmax(1, false)?.f_eq_tensor(&labels)?;
        let loss = self.stage.loss().of(&logits, &labels)?;
        let right = right.f_sum(Kind::Double)?;
        let numbers = Tensor::f_stack(&[right, loss.f_to_kind(Kind::Double)?], 0)?;
        self.readback.send_for(labels.numel() as u64, &numbers)?;
        self.add_up(false)?;
        Ok(None)
    }

    fn recompute(&mut self, _: Unit) -> Result<(), TorchError> {
        Ok(())
    }

    fn backward(&mut self, _: Unit, _: Option<Message>) -> Result<Option<Message>, TorchError> {
        Ok(None)
    }

    fn update(&mut self, _: u32) -> Result<(), TorchError> {
        Ok(())
    }
}
