//! The interface between the engine and whatever computes.

use super::doing::Doing;
use crate::schedule::Unit;

/// One module, with the verbs of the actions.
///
/// The engine calls them in the order of the module's list in the program, always from one thread at a time. What a
/// stage keeps between `F` and `B` (inputs, graphs) it keeps by unit.
pub trait Stage: Send + 'static {
    /// What travels up: the activation, and whatever must go with it (labels).
    type Up: Send + 'static;
    /// What travels down: the gradient δ.
    type Down: Send + 'static;
    /// Why an action failed.
    type Error: std::error::Error + Send + Sync + 'static;

    /// Where it says what it is busy with inside an action; asked for once, before the first action of a run, and again when
    /// the run goes on after a pause. By default it says nothing.
    fn doing(&self) -> Doing {
        Doing::default()
    }

    /// Called in the thread that executes the stage, before its first action, and before the first one after a pause.
    fn enter(&mut self) {}

    /// Called in the same thread after its last action, whether or not that succeeded, and after the last one before a pause.
    /// What an action has begun and not waited for ends here. What the stage keeps between its actions it keeps over a pause.
    ///
    /// # Errors
    ///
    /// What is only found out at the end; it counts only if nothing failed before.
    fn leave(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }

    /// Reads the input of a unit from the data; called for module 1 only, in the order of the units.
    ///
    /// # Errors
    ///
    /// When the data cannot be read.
    fn input(&mut self, unit: Unit) -> Result<Self::Up, Self::Error>;

    /// `F`: forward without graph; the input is kept for [`recompute`](Stage::recompute). With a horizon the weights are
    /// predicted so many updates ahead.
    ///
    /// # Errors
    ///
    /// When the computation fails.
    fn forward(&mut self, unit: Unit, input: Self::Up, horizon: Option<u32>) -> Result<Self::Up, Self::Error>;

    /// `G`: forward with graph. The last module computes the loss and returns `None`.
    ///
    /// # Errors
    ///
    /// When the computation fails, or the loss is not finite.
    fn forward_graph(
        &mut self,
        unit: Unit,
        input: Self::Up,
        horizon: Option<u32>,
    ) -> Result<Option<Self::Up>, Self::Error>;

    /// `R`: forward with graph from the kept input, with the current weights.
    ///
    /// # Errors
    ///
    /// When the computation fails.
    fn recompute(&mut self, unit: Unit) -> Result<(), Self::Error>;

    /// `B`: vector-Jacobian product on the unit's graph. `delta` is the gradient from above, `None` where the module has
    /// its own loss. Returns the gradient for the module below, `None` at module 1.
    ///
    /// # Errors
    ///
    /// When the computation fails.
    fn backward(&mut self, unit: Unit, delta: Option<Self::Down>) -> Result<Option<Self::Down>, Self::Error>;

    /// `U`: applies the gradients of all units back-propagated since the last update.
    ///
    /// # Errors
    ///
    /// When the computation fails.
    fn update(&mut self, batch: u32) -> Result<(), Self::Error>;
}
