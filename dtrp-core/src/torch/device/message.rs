//! Tensors on their way from one worker to another.
//!
//! On a GPU a worker hands over a tensor that its stream may not have computed yet. The message carries an event that marks
//! when it will be; the receiver's stream waits for it on the device. The host does not wait, nothing is copied, and the
//! allocator is told that a second stream uses the memory. Between GPUs the receiver copies, directly from one to the other
//! where the hardware can. On a CPU a message is a tensor and nothing else.

use super::copies::{pin, record_stream, to_gpu};
use super::streams::{Event, Stream, gpu};
use crate::torch::TorchError;
use crate::torch::saved::{SavedTensor, Tensors};
use std::sync::Arc;
use tch::{Device, Tensor};

/// A tensor, and when it will be there.
#[derive(Debug)]
pub struct Message {
    tensor: Tensor,
    /// Marks its end in the stream that computes it; `None` on a CPU, and where it stays with the worker that has it.
    ready: Option<Arc<Event>>,
}

impl Message {
    /// Sends a tensor that the calling thread has computed.
    ///
    /// # Errors
    ///
    /// Those of libtorch.
    pub fn new(tensor: Tensor) -> Result<Self, TorchError> {
        let event = |gpu| Event::record(gpu).map(Arc::new);
        let ready = gpu(tensor.device()).map(event).transpose()?;
        Ok(Self { tensor, ready })
    }

    /// A tensor that stays with the worker that has it.
    pub(crate) fn local(tensor: Tensor) -> Self {
        Self { tensor, ready: None }
    }

    /// The tensor on the receiver's device, for the calling thread's stream.
    ///
    /// # Errors
    ///
    /// Those of libtorch.
    pub fn receive(&self, device: Device) -> Result<Tensor, TorchError> {
        if let (Some(ready), Some(from)) = (&self.ready, gpu(self.tensor.device())) {
            // A copy between GPUs runs on the stream that this thread uses on the one it comes from.
            ready.block(from)?;
            record_stream(&self.tensor)?;
        }
        match gpu(device) {
            _ if self.tensor.device() == device => Ok(self.tensor.shallow_clone()),
            Some(to) => to_gpu(&self.tensor, to),
            None => Ok(self.tensor.f_to_device(device)?),
        }
    }

    /// Copies the tensor to `tensors`, under this name, when whoever computes it has [left](crate::engine::Stage::leave) the
    /// program.
    ///
    /// # Errors
    ///
    /// Those of libtorch: no room.
    pub fn save(&self, name: &str, tensors: &mut Tensors) -> Result<SavedTensor, TorchError> {
        SavedTensor::save(name.to_owned(), &self.tensor, tensors)
    }

    /// What [`save`](Self::save) has written, on the receiver's device.
    ///
    /// # Errors
    ///
    /// [`TorchError::Absent`] and [`TorchError::Shape`] where it is not among `tensors`; no room.
    pub fn restore(saved: &SavedTensor, tensors: &Tensors, device: Device) -> Result<Self, TorchError> {
        Self::new(saved.restore(tensors, device)?)
    }

    /// The tensor where the sender left it. On a GPU it may not have been computed yet.
    pub fn tensor(&self) -> &Tensor {
        &self.tensor
    }

    pub(crate) fn share(&self) -> Self {
        Self {
            tensor: self.tensor.shallow_clone(),
            ready: self.ready.clone(),
        }
    }
}

/// Takes tensors from the host to a device, ahead of the work that needs them.
///
/// On a GPU the copy has a stream of its own and starts from pinned memory, so it runs beside the computation: the host is
/// ahead of the device, and asks for a batch while the device computes earlier ones.
#[derive(Debug)]
pub struct Upload {
    device: Device,
    stream: Option<Stream>,
}

impl Upload {
    /// To `device`.
    ///
    /// # Errors
    ///
    /// Those of libtorch.
    pub fn new(device: Device) -> Result<Self, TorchError> {
        let stream = gpu(device).map(Stream::from_pool).transpose()?;
        Ok(Self { device, stream })
    }

    /// The device.
    pub fn device(&self) -> Device {
        self.device
    }

    /// The tensor on the device, for the calling thread's stream.
    ///
    /// # Errors
    ///
    /// Those of libtorch.
    pub fn upload(&self, tensor: &Tensor) -> Result<Tensor, TorchError> {
        let (Some(stream), Some(index)) = (self.stream, gpu(self.device)) else {
            return Ok(tensor.f_to_device(self.device)?);
        };
        let pinned = pin(tensor)?;
        let copy = || Message::new(to_gpu(&pinned, index)?);
        stream.during(copy)?.receive(self.device)
    }
}
