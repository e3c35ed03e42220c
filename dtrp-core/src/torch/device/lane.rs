//! Where a stage's work runs on a GPU: a stream and backward threads of its own.

use super::backward::Engine;
use super::streams::{Stream, gpu};
use crate::torch::TorchError;
use tch::Device;

/// A stage's stream and backward threads on its GPU; on a CPU there are none, and nothing here does anything.
///
/// Streams of different workers are not ordered with each other, nor with the default stream, which threads outside a
/// program use: to make the weights, to read them. So a worker waits for the default stream when it enters a program and
/// for its own when it leaves; in between the host waits for nothing.
#[derive(Default)]
pub(crate) struct Lane {
    own: Option<(Stream, Engine)>,
    /// The stream that the thread used before, while a program runs.
    before: Option<Stream>,
}

impl Lane {
    /// For a device.
    pub(crate) fn new(device: Device) -> Result<Self, TorchError> {
        let own = match gpu(device) {
            Some(gpu) => Some((Stream::from_pool(gpu)?, Engine::new()?)),
            None => None,
        };
        Ok(Self { own, before: None })
    }

    /// The calling thread uses the stream from now on.
    pub(crate) fn enter(&mut self, device: Device) -> Result<(), TorchError> {
        if let (Some((stream, _)), Some(gpu)) = (&self.own, gpu(device)) {
            Stream::synchronize_default(gpu)?;
            self.before = Some(stream.enter()?);
        }
        Ok(())
    }

    /// The calling thread uses the stream that it used before; all work is done.
    pub(crate) fn leave(&mut self) -> Result<(), TorchError> {
        if let (Some((stream, _)), Some(before)) = (&self.own, self.before.take()) {
            stream.synchronize()?;
            before.enter()?;
        }
        Ok(())
    }

    /// The host waits until the worker's work so far is done.
    pub(crate) fn wait(&self) -> Result<(), TorchError> {
        match &self.own {
            Some((stream, _)) => stream.synchronize(),
            None => Ok(()),
        }
    }

    /// What executes backward work; `None` stands for libtorch's own engine.
    pub(crate) fn engine(&self) -> Option<&Engine> {
        self.own.as_ref().map(|(_, engine)| engine)
    }
}
