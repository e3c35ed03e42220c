//! One worker: interprets the actions of its list on its stage. Both executors drive the same worker.

use super::error::StageFailure;
use super::pause::Mail;
use super::stage::Stage;
use crate::schedule::{Action, Op, Unit};
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What lies ready at a worker between its actions.
pub(super) struct Worker<S: Stage> {
    stage: S,
    first: bool,
    last: bool,
    arrived_up: HashMap<Unit, S::Up>,
    arrived_down: HashMap<Unit, S::Down>,
    ready_up: HashMap<Unit, S::Up>,
    ready_down: HashMap<Unit, S::Down>,
}

impl<S: Stage> Worker<S> {
    /// Worker `index` (from 0) of `modules`, at which this lies.
    pub(super) fn new(stage: S, index: usize, modules: usize, mail: Mail<S>) -> Self {
        Self {
            stage,
            first: index == 0,
            last: index + 1 == modules,
            arrived_up: mail.arrived_up.into_iter().collect(),
            arrived_down: mail.arrived_down.into_iter().collect(),
            ready_up: mail.ready_up.into_iter().collect(),
            ready_down: mail.ready_down.into_iter().collect(),
        }
    }

    /// The stage, and what lies at the worker.
    pub(super) fn into_parts(self) -> (S, Mail<S>) {
        fn sorted<T>(mail: HashMap<Unit, T>) -> Vec<(Unit, T)> {
            let mut mail: Vec<_> = mail.into_iter().collect();
            mail.sort_by_key(|(unit, _)| *unit);
            mail
        }
        let mail = Mail {
            arrived_up: sorted(self.arrived_up),
            arrived_down: sorted(self.arrived_down),
            ready_up: sorted(self.ready_up),
            ready_down: sorted(self.ready_down),
        };
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

    /// Whether the activation of this unit lies there.
    pub(super) fn has_up(&self, unit: Unit) -> bool {
        self.arrived_up.contains_key(&unit)
    }

    /// Whether the gradient of this unit lies there.
    pub(super) fn has_down(&self, unit: Unit) -> bool {
        self.arrived_down.contains_key(&unit)
    }

    /// Lays down what `RECV_Y` received.
    pub(super) fn put_up(&mut self, unit: Unit, activation: S::Up) {
        self.arrived_up.insert(unit, activation);
    }

    /// Lays down what `RECV_D` received.
    pub(super) fn put_down(&mut self, unit: Unit, gradient: S::Down) {
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
                if let Some(down) = self.stage.backward(unit, delta).map_err(StageFailure::Error)? {
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
        Err(StageFailure::Panic(
            text.unwrap_or_else(|| "without a message".to_owned()),
        ))
    })
}
