//! What training minimises, and what evaluation counts.

use crate::torch::TorchError;
use tch::{Kind, Reduction, Tensor};

/// A loss: a differentiable function of the network's output and the labels. One value serves all stages of a run.
///
/// [`CrossEntropy`] is the usual one. Another needs no more than [`of`](Loss::of); where an answer is not the class with
/// the largest output, [`right`](Loss::right) says what counts.
pub trait Loss: Send + Sync {
    /// The mean loss over the samples of one unit: a scalar with graph. `output` is what the last block gives, samples
    /// first (logits, samples × classes), in the type of the weights; `labels` are those of the
    /// [`Input`](crate::torch::Input).
    ///
    /// It must be a mean: a micro-batch's loss is weighted by its share of the batch.
    ///
    /// # Errors
    ///
    /// Those of libtorch, such as shapes that do not fit.
    fn of(&self, output: &Tensor, labels: &Tensor) -> Result<Tensor, TorchError>;

    /// The loss that evaluation reports, likewise a mean, without graph; the same unless said otherwise.
    ///
    /// # Errors
    ///
    /// As [`of`](Loss::of).
    fn of_evaluation(&self, output: &Tensor, labels: &Tensor) -> Result<Tensor, TorchError> {
        self.of(output, labels)
    }

    /// How many samples are answered rightly: a scalar of any type. Unless said otherwise an answer is the index of the
    /// largest output, and `labels` hold one such index a sample.
    ///
    /// # Errors
    ///
    /// As [`of`](Loss::of).
    fn right(&self, output: &Tensor, labels: &Tensor) -> Result<Tensor, TorchError> {
        Ok(output.f_argmax(1, false)?.f_eq_tensor(labels)?.f_sum(Kind::Double)?)
    }
}

/// Mean cross-entropy over the samples. Outputs are logits (samples × classes), labels class numbers (samples, int64).
///
/// Label smoothing changes what is learnt, not what is true: evaluation reports the cross-entropy with the labels as they
/// are, so that test losses of runs with and without it compare.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct CrossEntropy {
    /// Share of the target spread evenly over all classes, 0..1 (Szegedy et al., 2016).
    pub label_smoothing: f64,
}

impl Loss for CrossEntropy {
    fn of(&self, logits: &Tensor, labels: &Tensor) -> Result<Tensor, TorchError> {
        cross_entropy(logits, labels, self.label_smoothing)
    }

    fn of_evaluation(&self, logits: &Tensor, labels: &Tensor) -> Result<Tensor, TorchError> {
        cross_entropy(logits, labels, 0.0)
    }
}

fn cross_entropy(logits: &Tensor, labels: &Tensor, smoothing: f64) -> Result<Tensor, TorchError> {
    /// PyTorch's default: no class has this number, so none is ignored.
    const IGNORE_NONE: i64 = -100;
    Ok(logits.f_cross_entropy_loss::<Tensor>(labels, None, Reduction::Mean, IGNORE_NONE, smoothing)?)
}
