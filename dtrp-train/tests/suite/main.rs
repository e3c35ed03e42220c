//! Training as a library: what is told, what is refused, and what comes out.

mod answers;
mod effects;
mod errors;
mod events;
mod hangs;
mod limits;
mod norms;
mod results;
mod support;
mod weights;

use dtrp_models::{build, option_values};
use dtrp_train::{Cosine, Data, Sgd, Training, schedule::Schedule};

/// A run so small that it takes no time: 3 batches an epoch, 2 epochs.
fn tiny(method: impl Schedule) -> Training {
    let data = Data::open("digits").unwrap().batch_size(32).limit(96).test_limit(64);
    let network = build("tiny", &option_values([("width", 4.into())]), &data.input()).unwrap();
    Training::new(network, data)
        .method(method)
        .optimizer(Sgd::new(0.05).weight_decay(1e-4))
        .rate(Cosine::to(0.0))
        .epochs(2)
}
