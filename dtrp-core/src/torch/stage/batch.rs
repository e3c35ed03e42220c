//! What passes through a stage: units of data, activations with their labels, losses.

use crate::schedule::Unit;
use crate::torch::TorchError;
use crate::torch::device::Message;
use crate::torch::group::{Carried, Parcel};
use crate::torch::saved::{Exact, SavedTensor, Tensors};
use serde::{Deserialize, Serialize};
use tch::{Device, Tensor};

/// A unit of data, as the first module takes it.
#[derive(Debug)]
pub struct Input {
    /// Samples × channels × height × width, of the run's element type, on any device.
    pub images: Tensor,
    /// What the [`Loss`](crate::torch::Loss) compares outputs with, samples first: for cross-entropy class numbers, one a
    /// sample, of type int64. On any device; best on that of the module that computes the loss.
    pub labels: Tensor,
    /// The unit's share of its batch, 1 for a whole batch.
    pub share: f64,
    /// Into how many micro-batches its batch is split, 1 for none.
    pub parts: u16,
}

/// What a worker is busy with that waits for a source.
pub(super) const READING: &str = "reading its next batch";

/// Where the first module takes its data from.
pub trait Source: Send {
    /// The next unit; units are asked for in order.
    ///
    /// # Errors
    ///
    /// [`TorchError::Data`] when it cannot be read, [`TorchError::Stopped`] when the run should stop here.
    fn next(&mut self, unit: Unit) -> Result<Input, TorchError>;
}

/// What travels up between modules: the tensors that cross the cut, with the labels of the unit and its place in the batch.
#[derive(Debug)]
pub struct Activation {
    pub(super) tensors: Vec<Message>,
    pub(super) labels: Message,
    pub(super) share: f64,
    pub(super) parts: u16,
}

impl Activation {
    /// An input that the calling thread has read.
    pub(super) fn new(input: Input) -> Result<Self, TorchError> {
        Ok(Self {
            tensors: vec![Message::new(input.images)?],
            labels: Message::new(input.labels)?,
            share: input.share,
            parts: input.parts,
        })
    }

    /// What the module below computed, in the order of its last block. On a GPU it may not have been computed yet.
    pub fn tensors(&self) -> impl ExactSizeIterator<Item = &Tensor> {
        self.tensors.iter().map(Message::tensor)
    }

    /// The labels of its samples.
    pub fn labels(&self) -> &Tensor {
        self.labels.tensor()
    }

    /// Copies the tensors to `tensors`, under names that begin with `name`, when whoever computes them has
    /// [left](crate::engine::Stage::leave) the program.
    ///
    /// # Errors
    ///
    /// Those of libtorch: no room.
    pub fn save(&self, name: &str, tensors: &mut Tensors) -> Result<ActivationFacts, TorchError> {
        Ok(ActivationFacts {
            tensors: save_all(&self.tensors, name, tensors)?,
            labels: self.labels.save(&format!("{name}.labels"), tensors)?,
            share: Exact(self.share),
            parts: self.parts,
        })
    }

    /// What [`save`](Self::save) has written, on the receiver's device.
    ///
    /// # Errors
    ///
    /// [`TorchError::Absent`] and [`TorchError::Shape`] where it is not among `tensors`; no room.
    pub fn restore(facts: &ActivationFacts, tensors: &Tensors, device: Device) -> Result<Self, TorchError> {
        Ok(Self {
            tensors: restore_all(&facts.tensors, tensors, device)?,
            labels: Message::restore(&facts.labels, tensors, device)?,
            share: facts.share.0,
            parts: facts.parts,
        })
    }

    /// The tensors on the receiver's device, for the calling thread's stream.
    pub(super) fn receive(&self, device: Device) -> Result<Vec<Tensor>, TorchError> {
        self.tensors.iter().map(|message| message.receive(device)).collect()
    }

    /// Samples of the unit.
    pub(super) fn samples(&self) -> i64 {
        self.labels.tensor().size().first().map_or(0, |samples| *samples)
    }

    pub(super) fn with(&self, tensors: Vec<Message>) -> Self {
        Self {
            tensors,
            labels: self.labels.share(),
            ..*self
        }
    }
}

impl Carried for Activation {
    /// Its tensors, then the labels.
    fn pack(self) -> Result<Parcel, TorchError> {
        let mut tensors = self.receive(Device::Cpu)?;
        tensors.push(self.labels.receive(Device::Cpu)?);
        Ok(Parcel {
            tensors: tensors.into_iter().map(Some).collect(),
            share: self.share,
            parts: self.parts,
        })
    }

    fn unpack(parcel: Parcel) -> Result<Self, TorchError> {
        let unfit = || TorchError::Unfit {
            what: "an activation has come without its tensors or labels".to_owned(),
        };
        let mut tensors: Vec<Tensor> = parcel.tensors.into_iter().collect::<Option<_>>().ok_or_else(unfit)?;
        let labels = Message::new(tensors.pop().ok_or_else(unfit)?)?;
        Ok(Self {
            tensors: tensors.into_iter().map(Message::new).collect::<Result<_, _>>()?,
            labels,
            share: parcel.share,
            parts: parcel.parts,
        })
    }
}

/// An [`Activation`] that has been saved, without the elements of its tensors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActivationFacts {
    /// What the module below computed.
    pub tensors: Vec<SavedTensor>,
    /// The labels of its samples.
    pub labels: SavedTensor,
    /// The unit's share of its batch.
    pub share: Exact,
    /// Into how many micro-batches its batch is split.
    pub parts: u16,
}

/// What travels down between modules: for each tensor of the [`Activation`] that went up the gradient of the loss with respect
/// to it, of its shape; `None` where it has none: because it is not of floating point, or nothing above depends on it.
#[derive(Debug)]
pub struct Gradients(pub(super) Vec<Option<Message>>);

impl Gradients {
    /// The gradients. On a GPU they may not have been computed yet.
    pub fn tensors(&self) -> impl ExactSizeIterator<Item = Option<&Tensor>> {
        self.0.iter().map(|message| message.as_ref().map(Message::tensor))
    }

    /// Copies the tensors to `tensors`, under names that begin with `name`, when whoever computes them has
    /// [left](crate::engine::Stage::leave) the program.
    ///
    /// # Errors
    ///
    /// Those of libtorch: no room.
    pub fn save(&self, name: &str, tensors: &mut Tensors) -> Result<GradientFacts, TorchError> {
        let all = self.0.iter().enumerate();
        let saved = all.map(|(index, message)| {
            let saved = message.as_ref().map(|message| message.save(&nth(name, index), tensors));
            saved.transpose()
        });
        Ok(GradientFacts(saved.collect::<Result<_, _>>()?))
    }

    /// What [`save`](Self::save) has written, on the receiver's device.
    ///
    /// # Errors
    ///
    /// As [`Activation::restore`].
    pub fn restore(facts: &GradientFacts, tensors: &Tensors, device: Device) -> Result<Self, TorchError> {
        let restored = facts.0.iter().map(|saved| {
            let message = saved.as_ref().map(|saved| Message::restore(saved, tensors, device));
            message.transpose()
        });
        Ok(Self(restored.collect::<Result<_, _>>()?))
    }
}

impl Carried for Gradients {
    fn pack(self) -> Result<Parcel, TorchError> {
        let tensors = self.0.iter().map(|message| {
            let received = message.as_ref().map(|message| message.receive(Device::Cpu));
            received.transpose()
        });
        Ok(Parcel {
            tensors: tensors.collect::<Result<_, _>>()?,
            share: 1.0,
            parts: 1,
        })
    }

    fn unpack(parcel: Parcel) -> Result<Self, TorchError> {
        let tensors = parcel
            .tensors
            .into_iter()
            .map(|tensor| tensor.map(Message::new).transpose());
        Ok(Self(tensors.collect::<Result<_, _>>()?))
    }
}

/// [`Gradients`] that have been saved, without the elements of their tensors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct GradientFacts(pub Vec<Option<SavedTensor>>);

fn save_all(messages: &[Message], name: &str, tensors: &mut Tensors) -> Result<Vec<SavedTensor>, TorchError> {
    let all = messages.iter().enumerate();
    all.map(|(index, message)| message.save(&nth(name, index), tensors))
        .collect()
}

fn restore_all(facts: &[SavedTensor], tensors: &Tensors, device: Device) -> Result<Vec<Message>, TorchError> {
    facts
        .iter()
        .map(|saved| Message::restore(saved, tensors, device))
        .collect()
}

/// The name of one of several tensors.
pub(super) fn nth(name: &str, index: usize) -> String {
    format!("{name}.{index}")
}

/// The loss of one batch, told by the last module when it is known.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LossEvent {
    /// The batch, numbered within its program.
    pub batch: u32,
    /// Its mean loss.
    pub loss: f64,
    /// The learning rate of the last module's next update.
    pub rate: f64,
}
