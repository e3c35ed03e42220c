//! Counting what a forward pass costs. Layers report here; nobody listens unless a network is being described, and then a
//! report costs next to nothing. Layers of your own should report too, or their part is missing from
//! [`Network::describe`](crate::Network::describe).

use std::cell::RefCell;
use std::collections::HashMap;
use tch::Tensor;

thread_local! {
    static LISTENER: RefCell<Option<Tally>> = const { RefCell::new(None) };
}

/// What was reported.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Multiply-adds of convolutions and linear layers.
    pub(crate) multiply_adds: u64,
    /// Tensors kept for the backward pass, by address. They are held on to, so that no address is used twice.
    kept: HashMap<usize, Tensor>,
    /// Bytes kept besides.
    more: u64,
    /// Parameters of norms, and for each how many values it normalised together.
    pub(crate) norms: Vec<(String, u64)>,
}

impl Tally {
    /// Bytes kept for the backward pass, each tensor once, without `inputs` and with `outputs`.
    pub(crate) fn bytes_between(mut self, inputs: &[Tensor], outputs: &[Tensor]) -> u64 {
        for output in outputs {
            self.kept.insert(output.data_ptr() as usize, output.shallow_clone());
        }
        for input in inputs {
            self.kept.remove(&(input.data_ptr() as usize));
        }
        let bytes = |t: &Tensor| (t.numel() * t.kind().elt_size_in_bytes()) as u64;
        self.kept.values().map(bytes).sum::<u64>() + self.more
    }
}

/// Reports multiply-adds.
pub fn multiply_adds(count: u64) {
    with(|tally| tally.multiply_adds += count);
}

/// Reports that a tensor is kept for the backward pass. The same one may be reported any number of times.
pub fn keeps(tensor: &Tensor) {
    with(|tally| {
        tally.kept.insert(tensor.data_ptr() as usize, tensor.shallow_clone());
    });
}

/// Reports that something else is kept for the backward pass.
pub fn keeps_bytes(bytes: u64) {
    with(|tally| tally.more += bytes);
}

/// Reports a normalisation over samples and pixels of `x` (samples × channels × …), by the name of its parameter in the whole
/// network ([`Scope::full_name`](dtrp_core::torch::Scope::full_name)). Training makes sure that it sees two values for each
/// channel.
pub fn normalises(parameter: &str, x: &Tensor) {
    with(|tally| {
        let channels = x.size().get(1).copied().unwrap_or(1).max(1) as u64;
        tally.norms.push((parameter.to_owned(), x.numel() as u64 / channels));
    });
}

/// Whether anybody listens in this thread.
pub(crate) fn is_heard() -> bool {
    LISTENER.with_borrow(Option::is_some)
}

/// Runs `work` and returns what was reported meanwhile in this thread.
pub(crate) fn listen<T>(work: impl FnOnce() -> T) -> (T, Tally) {
    let outer = LISTENER.replace(Some(Tally::default()));
    let result = work();
    let tally = LISTENER.replace(outer);
    (result, tally.unwrap_or_default())
}

fn with(report: impl FnOnce(&mut Tally)) {
    LISTENER.with_borrow_mut(|listener| listener.as_mut().map(report));
}
