//! DTRP on two workers, on the digits that ship with dtrp.

use dtrp_train::models::{build, option_values};
use dtrp_train::{Cosine, Data, Sgd, Training, schedule::Dtrp};

fn main() -> dtrp_train::Result<()> {
    let data = Data::open("digits")?.batch_size(64).augment("crop:1");
    let network = build("resnet-cifar", &option_values([("depth", 14.into())]), &data.input())?;
    let mut trainer = Training::new(network, data)
        .method(Dtrp::new(2))
        .optimizer(Sgd::new(0.1).momentum(0.9).weight_decay(5e-4))
        .rate(Cosine::to(0.0))
        .epochs(10)
        .seed(1)
        .build()?;
    trainer.on_event(|event| println!("{event}"));
    let result = trainer.fit()?;
    println!("{:.2} %", 100.0 * result.test_accuracy);
    assert!(result.test_accuracy >= 0.97);
    trainer.save_weights(std::env::temp_dir().join("digits.safetensors"))
}
