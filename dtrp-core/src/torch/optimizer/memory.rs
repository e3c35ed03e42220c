//! What an optimizer keeps between updates, for a checkpoint.

use crate::torch::TorchError;
use tch::Tensor;

/// What an optimizer keeps between updates: all that its next one depends on beside its settings.
#[derive(Debug)]
pub struct OptimizerMemory {
    /// Whose it is, such as `adam`: another kind of optimizer does not take it up.
    pub kind: String,
    /// Tensors by name, such as `exp_avg` (PyTorch's names where it has them), each flat like the weights: of their length,
    /// element type and device.
    pub tensors: Vec<(String, Tensor)>,
    /// Numbers by name, such as `step`.
    pub numbers: Vec<(String, f64)>,
}

impl OptimizerMemory {
    /// Of an optimizer of this kind that keeps nothing.
    pub fn new(kind: &str) -> Self {
        Self {
            kind: kind.to_owned(),
            tensors: Vec::new(),
            numbers: Vec::new(),
        }
    }

    /// With a tensor that it keeps, which is not copied.
    #[must_use]
    pub fn tensor(mut self, name: &str, tensor: &Tensor) -> Self {
        self.tensors.push((name.to_owned(), tensor.shallow_clone()));
        self
    }

    /// With a number that it keeps.
    #[must_use]
    pub fn number(mut self, name: &str, number: f64) -> Self {
        self.numbers.push((name.to_owned(), number));
        self
    }

    /// Takes the tensor of this name out of it; `None` if it is not there.
    pub fn take(&mut self, name: &str) -> Option<Tensor> {
        let index = self.tensors.iter().position(|(known, _)| known == name)?;
        Some(self.tensors.swap_remove(index).1)
    }

    /// The number of this name.
    ///
    /// # Errors
    ///
    /// [`TorchError::Unfit`] if it is not there.
    pub fn get(&self, name: &str) -> Result<f64, TorchError> {
        let found = self.numbers.iter().find(|(known, _)| known == name);
        found.map(|(_, number)| *number).ok_or_else(|| TorchError::Unfit {
            what: format!("it has no number `{name}` of the optimizer `{}`", self.kind),
        })
    }

    /// All tensors of it have been taken out.
    ///
    /// # Errors
    ///
    /// [`TorchError::Unfit`] if one is left.
    pub fn all_taken(&self) -> Result<(), TorchError> {
        match self.tensors.first() {
            None => Ok(()),
            Some((name, _)) => Err(TorchError::Unfit {
                what: format!("the optimizer `{}` has no use for `{name}`", self.kind),
            }),
        }
    }
}
