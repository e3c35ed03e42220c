//! A network, data and a loss of one's own: stripes across, stripes along and chessboards are told apart.

use dtrp_train::models::layers::{Conv2d, Linear, average_pool, relu};
use dtrp_train::schedule::Dtrp;
use dtrp_train::tch::{Kind, Tensor};
use dtrp_train::torch::{BlockSpec, Loss, Pass, TorchError, Vars};
use dtrp_train::{Data, ImageShape, Result, Training};

/// Two convolutions with ReLU, then the means of each channel, and from them a number for each class.
fn network() -> Vec<BlockSpec> {
    let layer = |name, inputs| {
        BlockSpec::build(name, |scope| {
            let conv = Conv2d::new(&mut scope.sub(name), inputs, 8, 3, 1);
            move |vars: &Vars<'_>, images: &Tensor, _: &Pass| relu(conv.forward(vars, images)?)
        })
    };
    let head = BlockSpec::build("head", |scope| {
        let linear = Linear::torch(&mut scope.sub("head"), 8, 3);
        move |vars: &Vars<'_>, images: &Tensor, _: &Pass| linear.forward(vars, &average_pool(images, [1, 1])?)
    });
    vec![layer("first", 1), layer("second", 8), head]
}

/// The squared distance of the probabilities from the truth (Brier, 1950), a mean over the samples.
struct Brier;

impl Loss for Brier {
    fn of(&self, output: &Tensor, labels: &Tensor) -> Result<Tensor, TorchError> {
        let truth = labels.f_one_hot(output.size()[1])?.f_to_kind(output.kind())?;
        let distance = output.f_softmax(1, None::<Kind>)?.f_sub(&truth)?.f_square()?;
        Ok(distance.f_sum(None::<Kind>)?.f_div_scalar(output.size()[0])?)
    }
}

/// Images of 8 × 8 pixels with their classes: each pattern in many shades, beginning light or dark.
fn samples(count: u32) -> impl Iterator<Item = (Vec<u8>, u32)> {
    (0..count).map(|number| {
        let (class, shift, dark) = (number % 3, number / 3 % 2, (number * 37 % 120) as u8);
        let along = move |pixel: u32| [pixel / 8, pixel % 8, pixel / 8 + pixel % 8][class as usize];
        let shades = [dark, 255 - dark / 2];
        let pixels = (0..64).map(|pixel| shades[((along(pixel) + shift) % 2) as usize]);
        (pixels.collect(), class)
    })
}

fn main() -> Result<()> {
    let data = Data::of_samples("patterns", ImageShape::new(1, 8, 8), 3, samples(600), samples(90))?;
    let training = Training::new(network(), data)
        .method(Dtrp::new(3))
        .loss(Brier)
        .epochs(10);
    let result = training.build()?.fit()?;
    println!("{:.1} % of the patterns are told apart", 100.0 * result.test_accuracy);
    assert!(result.test_accuracy > 0.95);
    Ok(())
}
