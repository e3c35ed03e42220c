//! Numbers on their way from a device to the host.
//!
//! Reading a number that a GPU computes makes the host wait until the GPU has caught up, and then the GPU waits for the
//! host. So training reads late: a number is copied into pinned memory when the GPU gets there, and looked at when an event
//! says that it has arrived, which may be some batches later. On a CPU numbers are read at once.

use super::copies::host_copy;
use super::streams::{Event, gpu};
use crate::torch::TorchError;
use std::collections::VecDeque;
use tch::{Kind, Tensor};

/// So many numbers may be on their way; then the host waits for the first of them. It keeps the host from running away from
/// the device: memory that two streams have used comes back only when both are done with it.
const UNDERWAY: usize = 16;

/// How the host has read numbers of a GPU; all 0 on a CPU.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HostReads {
    /// The host waited until the device had done everything it was given: an idle device, not wanted in training.
    pub blocking: u64,
    /// Read when they had arrived.
    pub deferred: u64,
    /// How often the host waited for the first of too many numbers; the device has more to do meanwhile.
    pub throttled: u64,
}

impl HostReads {
    /// Both together.
    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            blocking: self.blocking + other.blocking,
            deferred: self.deferred + other.deferred,
            throttled: self.throttled + other.throttled,
        }
    }
}

/// Numbers on their way, each group of them with what the host knows of it already.
#[derive(Debug)]
pub(crate) struct Readback<T> {
    waiting: VecDeque<(T, Pending)>,
    reads: HostReads,
}

#[derive(Debug)]
enum Pending {
    Here(Vec<f64>),
    Underway { host: Tensor, arrived: Event },
}

impl<T> Default for Readback<T> {
    fn default() -> Self {
        Self {
            waiting: VecDeque::new(),
            reads: HostReads::default(),
        }
    }
}

impl<T> Readback<T> {
    /// Sends for the elements of a tensor.
    pub(crate) fn send_for(&mut self, what: T, numbers: &Tensor) -> Result<(), TorchError> {
        let pending = match gpu(numbers.device()) {
            None => Pending::Here(elements(numbers)?),
            Some(gpu) => Pending::Underway {
                host: host_copy(numbers, true)?,
                arrived: Event::record(gpu)?,
            },
        };
        self.waiting.push_back((what, pending));
        Ok(())
    }

    /// Sends for the elements of a tensor and waits for them.
    pub(crate) fn read(&mut self, numbers: &Tensor) -> Result<Vec<f64>, TorchError> {
        self.waits_for(numbers);
        elements(numbers)
    }

    /// Takes note that the host is about to wait for a tensor, if it is on a GPU.
    pub(crate) fn waits_for(&mut self, tensor: &Tensor) {
        self.reads.blocking += u64::from(gpu(tensor.device()).is_some());
    }

    /// The first group, if it has arrived. With `all` the host waits for it.
    pub(crate) fn next(&mut self, all: bool) -> Result<Option<(T, Vec<f64>)>, TorchError> {
        let Some((_, Pending::Underway { arrived, .. })) = self.waiting.front() else {
            return Ok(self.waiting.pop_front().map(here));
        };
        if !arrived.happened()? {
            let throttle = self.waiting.len() > UNDERWAY;
            if !all && !throttle {
                return Ok(None);
            }
            self.reads.throttled += u64::from(throttle && !all);
            arrived.synchronize()?;
        }
        self.reads.deferred += 1;
        Ok(self.waiting.pop_front().map(here))
    }

    /// Whether nothing is on its way.
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Forgets what is on its way.
    pub(crate) fn clear(&mut self) {
        self.waiting.clear();
    }

    /// How it has read so far.
    pub(crate) fn reads(&self) -> HostReads {
        self.reads
    }
}

/// A group that has arrived.
fn here<T>((what, pending): (T, Pending)) -> (T, Vec<f64>) {
    match pending {
        Pending::Here(numbers) => (what, numbers),
        Pending::Underway { host, .. } => {
            // SAFETY: pinned host memory of contiguous doubles, and the event says that they are there.
            let numbers = unsafe { std::slice::from_raw_parts(host.data_ptr().cast::<f64>(), host.numel()) };
            (what, numbers.to_vec())
        }
    }
}

fn elements(numbers: &Tensor) -> Result<Vec<f64>, TorchError> {
    let numbers = numbers.f_detach()?.f_to_kind(Kind::Double)?.f_flatten(0, -1)?;
    Ok(Vec::<f64>::try_from(&numbers)?)
}
