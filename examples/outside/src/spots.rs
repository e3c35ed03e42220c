//! A data set of one's own: where in the image is the bright spot?

use dtrp_train::ImageShape;
use dtrp_train::datasets::{DataError, DataSpec, DatasetInfo, InMemory, OptionSpec, Options, Split, inventory};

/// What the set is called.
pub const SPOTS: &str = "org.example.spots";

/// The classes: above, below, left, right.
pub const SIDES: usize = 4;

inventory::submit! {
    DatasetInfo::new(
        SPOTS,
        "a bright spot at one of the four sides",
        &[
            OptionSpec::count("side", 8, 4..=64, "pixels of each side of the image"),
            OptionSpec::count("samples", 400, 8..=100_000, "images to train on; a quarter as many to test on"),
        ],
        open,
    )
}

fn open(_: &DataSpec, options: &Options<'_>) -> Result<Split, DataError> {
    let (side, count) = (options.count("side") as usize, options.count("samples") as usize);
    let shape = ImageShape::new(1, side, side);
    let part = |range| InMemory::new(SPOTS, shape, SIDES, samples(side, range));
    Ok(Split::new(part(0..count)?, part(count..count + count / 4)?))
}

/// The samples of these numbers: the pixels of each image, row by row, and its class.
pub fn samples(side: usize, numbers: std::ops::Range<usize>) -> impl Iterator<Item = (Vec<u8>, u32)> {
    numbers.map(move |number| {
        let (class, along) = (number % SIDES, 1 + number / SIDES % (side - 2));
        let (row, column) = [(0, along), (side - 1, along), (along, 0), (along, side - 1)][class];
        let mut pixels: Vec<u8> = (0..side * side)
            .map(|pixel| ((pixel * 31 + number * 17) % 64) as u8)
            .collect();
        pixels[row * side + column] = 255;
        (pixels, class as u32)
    })
}
