//! The weight versions of a module.

use crate::torch::TorchError;
use crate::torch::network::Arena;
use crate::torch::network::Module;

/// Weight versions: one, or a ring of them while graphs live across updates. Predicted weights are in one of them too.
pub(super) struct Versions {
    arenas: Vec<Arena>,
    /// How many graphs hold on to each.
    holds: Vec<usize>,
    current: usize,
}

impl Versions {
    /// The first version.
    pub(super) fn new(arena: Arena) -> Self {
        Self {
            arenas: vec![arena],
            holds: vec![0],
            current: 0,
        }
    }

    /// Index of the current version.
    pub(super) fn current(&self) -> usize {
        self.current
    }

    /// The weights of a version.
    pub(super) fn arena(&self, index: usize) -> &Arena {
        &self.arenas[index]
    }

    /// The current weights.
    pub(super) fn weights(&self) -> &Arena {
        &self.arenas[self.current]
    }

    /// The current weights, to be changed.
    pub(super) fn weights_mut(&mut self) -> &mut Arena {
        &mut self.arenas[self.current]
    }

    /// A graph needs this version until it is [`release`](Self::release)d.
    pub(super) fn hold(&mut self, index: usize) {
        self.holds[index] += 1;
    }

    /// A graph that held it has gone.
    pub(super) fn release(&mut self, index: usize) {
        self.holds[index] -= 1;
    }

    /// All graphs have gone.
    pub(super) fn release_all(&mut self) {
        self.holds.fill(0);
    }

    /// An arena that is neither current nor held by a graph; a new one if there is none.
    pub(super) fn spare(&mut self, module: &Module) -> Result<usize, TorchError> {
        let free = |index: &usize| *index != self.current && self.holds[*index] == 0;
        if let Some(index) = (0..self.arenas.len()).find(free) {
            return Ok(index);
        }
        self.arenas.push(Arena::zeros(module.layout(), module.options())?);
        self.holds.push(0);
        Ok(self.arenas.len() - 1)
    }

    /// Makes room for the next version. Where graphs live on the current arena, that is another one, so that the graphs keep
    /// the weights that they were built on.
    pub(super) fn turn(&mut self, module: &Module) -> Result<(), TorchError> {
        if self.holds[self.current] > 0 {
            let next = self.spare(module)?;
            let mut flat = self.arenas[next].flat.shallow_clone();
            flat.f_copy_(&self.arenas[self.current].flat)?;
            self.current = next;
        }
        Ok(())
    }
}
