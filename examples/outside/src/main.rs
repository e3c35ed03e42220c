//! Trains twice: everything by name, as a configuration would have it, and with blocks and samples that have no names.

use dtrp_train::schedule::{Dtrp, Fdg};
use dtrp_train::{Data, Event, ImageShape, Result, Settings, Sgd, Training};
use outside::{Brier, LOOKAHEAD, SIDES, SPOTS, STRIPS, blocks, samples};

fn main() -> Result<()> {
    let mut settings = Settings::default();
    settings.data.name = SPOTS.to_owned();
    settings.data.options.insert("side".to_owned(), 6.into());
    settings.model.name = STRIPS.to_owned();
    settings.method.predictor = LOOKAHEAD.into();
    settings.optimizer.lr = 0.05;
    let mut trainer = Training::from_settings(settings)?.epochs(10).build()?;
    trainer.on_event(|event| {
        if let Event::Epoch(epoch) = event {
            println!("{epoch}");
        }
    });
    let named = trainer.fit()?.test_accuracy;

    let shape = ImageShape::new(1, 8, 8);
    let data = Data::of_samples("spots", shape, SIDES, samples(8, 0..400), samples(8, 400..500))?.batch_size(32);
    let network = blocks(3, 24, &data.input());
    let mut trainer = Training::new(network, data)
        .method(Fdg::new(3))
        .loss(Brier)
        .optimizer(Sgd::new(0.1).momentum(0.9))
        .epochs(20)
        .build()?;
    let own = trainer.fit()?.test_accuracy;

    println!("by name {:.1} %, of one's own {:.1} %", 100.0 * named, 100.0 * own);
    println!("{}", Dtrp::new(2).batches(3).table()?);
    assert!(named > 0.9 && own > 0.9);
    Ok(())
}
