//! One worker: interprets the actions of its list on its stage. Both executors drive the same worker.

use super::error::StageFailure;
use super::mail::Mail;
use super::stage::Stage;
use crate::schedule::{Action, Op, Program, Unit};
use dtrp_text::without_frames;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What lies ready at a worker between its actions.
pub(super) struct Worker<S: Stage> {
    stage: S,
    first: bool,
    last: bool,
    /// Whether the program has it send gradients; if not, those that the stage gives are not kept.
    sends_down: bool,
    /// Messages taken from the links.
    taken: Taken,
    arrived_up: HashMap<Unit, S::Up>,
    arrived_down: HashMap<Unit, S::Down>,
    ready_up: HashMap<Unit, S::Up>,
    ready_down: HashMap<Unit, S::Down>,
}

/// So many messages.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Taken {
    pub(super) up: usize,
    pub(super) down: usize,
}

impl<S: Stage> Worker<S> {
    /// Worker `index` (from 0) of a program, and what lies at it.
    pub(super) fn new(stage: S, index: usize, program: &Program, mail: Mail<S>) -> Self {
        Self {
            stage,
            first: index == 0,
            last: index + 1 == program.modules(),
            sends_down: program.count(index + 1, Op::SendD) > 0,
            taken: Taken::default(),
            arrived_up: mail.arrived_up.into_iter().collect(),
            arrived_down: mail.arrived_down.into_iter().collect(),
            ready_up: mail.ready_up.into_iter().collect(),
            ready_down: mail.ready_down.into_iter().collect(),
        }
    }

    /// The stage, and what lies at the worker.
    pub(super) fn into_parts(self) -> (S, Mail<S>) {
        let mut mail = Mail {
            arrived_up: self.arrived_up.into_iter().collect(),
            arrived_down: self.arrived_down.into_iter().collect(),
            ready_up: self.ready_up.into_iter().collect(),
            ready_down: self.ready_down.into_iter().collect(),
        };
        mail.sort();
        (self.stage, mail)
    }

    /// Prepares the calling thread.
    pub(super) fn enter(&mut self) {
        self.stage.enter();
    }

    /// Ends what the actions have begun, in the same thread.
    pub(super) fn leave(&mut self) -> Result<(), StageFailure<S::Error>> {
        caught(|| self.stage.leave().map_err(StageFailure::Error))
    }

    /// Takes the activation that `SEND_Y` of this unit sends.
    pub(super) fn take_up(&mut self, unit: Unit) -> Result<S::Up, StageFailure<S::Error>> {
        let missing = StageFailure::Contract("the stage gave no activation to send");
        self.ready_up.remove(&unit).ok_or(missing)
    }

    /// Takes the gradient that `SEND_D` of this unit sends.
    pub(super) fn take_down(&mut self, unit: Unit) -> Result<S::Down, StageFailure<S::Error>> {
        let missing = StageFailure::Contract("the stage gave no gradient to send");
        self.ready_down.remove(&unit).ok_or(missing)
    }

    /// Whether the activation of this unit has come already, while the worker paused.
    pub(super) fn has_up(&self, unit: Unit) -> bool {
        self.arrived_up.contains_key(&unit)
    }

    /// Whether the gradient of this unit has come already, while the worker paused.
    pub(super) fn has_down(&self, unit: Unit) -> bool {
        self.arrived_down.contains_key(&unit)
    }

    /// How many messages it has taken from its links.
    pub(super) fn taken(&self) -> Taken {
        self.taken
    }

    /// Lays down what came from the worker below.
    pub(super) fn put_up(&mut self, unit: Unit, activation: S::Up) {
        self.taken.up += 1;
        self.arrived_up.insert(unit, activation);
    }

    /// Lays down what came from the worker above.
    pub(super) fn put_down(&mut self, unit: Unit, gradient: S::Down) {
        self.taken.down += 1;
        self.arrived_down.insert(unit, gradient);
    }

    /// Executes a computation. A panic of the stage is a failure like any other.
    pub(super) fn compute(&mut self, action: &Action) -> Result<(), StageFailure<S::Error>> {
        caught(|| self.dispatch(action))
    }

    fn dispatch(&mut self, action: &Action) -> Result<(), StageFailure<S::Error>> {
        let unit = action.unit;
        match action.op {
            Op::Forward => {
                let input = self.take_input(unit)?;
                let output = self
                    .stage
                    .forward(unit, input, action.horizon)
                    .map_err(StageFailure::Error)?;
                self.ready_up.insert(unit, output);
            }
            Op::ForwardGraph => {
                let input = self.take_input(unit)?;
                let output = self
                    .stage
                    .forward_graph(unit, input, action.horizon)
                    .map_err(StageFailure::Error)?;
                match output {
                    Some(_) if self.last => {}
                    Some(output) => {
                        self.ready_up.insert(unit, output);
                    }
                    None if self.last => {}
                    None => {
                        return Err(StageFailure::Contract("only the last stage computes the loss"));
                    }
                }
            }
            Op::Recompute => self.stage.recompute(unit).map_err(StageFailure::Error)?,
            Op::Backward => {
                let delta = self.arrived_down.remove(&unit);
                let down = self.stage.backward(unit, delta).map_err(StageFailure::Error)?;
                if let Some(down) = down.filter(|_| self.sends_down) {
                    self.ready_down.insert(unit, down);
                }
            }
            Op::Update => self.stage.update(unit.batch).map_err(StageFailure::Error)?,
            Op::SendY | Op::RecvY | Op::SendD | Op::RecvD => {}
        }
        Ok(())
    }

    fn take_input(&mut self, unit: Unit) -> Result<S::Up, StageFailure<S::Error>> {
        if self.first {
            return self.stage.input(unit).map_err(StageFailure::Error);
        }
        let missing = StageFailure::Contract("there is no input: the program must receive it first");
        self.arrived_up.remove(&unit).ok_or(missing)
    }
}

/// Runs what a stage does. A panic is a failure like any other.
fn caught<E: std::error::Error + 'static>(
    body: impl FnOnce() -> Result<(), StageFailure<E>>,
) -> Result<(), StageFailure<E>> {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<&str>().map(|s| (*s).to_owned());
        let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
        // As where a call of libtorch was unwrapped.
        let text = text.map(|text| without_frames(&text).to_owned());
        Err(StageFailure::Panic(
            text.unwrap_or_else(|| "without a message".to_owned()),
        ))
    })
}
