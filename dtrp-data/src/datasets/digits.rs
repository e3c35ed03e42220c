//! `digits`: the shipped set, 1,797 handwritten digits of 8×8 pixels. Origin, licence and format:
//! `digits/README.md`.

use crate::dataset::{Dataset, Normalization, Split, check_get};
use crate::shape::ImageShape;
use crate::{DataError, DataSpec, DatasetInfo};
use dtrp_text::Options;
use std::sync::{Arc, LazyLock};

inventory::submit!(
    DatasetInfo::new("digits", "small handwritten digits; ships with dtrp", &[], open)
        .images(SHAPE, CLASSES, [1_438, 359])
        .licence(
            "CC BY 4.0; E. Alpaydin and C. Kaynak, UCI Machine Learning Repository",
            Some("https://doi.org/10.24432/C50P49"),
        )
);

const SHAPE: ImageShape = ImageShape::new(1, 8, 8);
const CLASSES: usize = 10;
const BYTES: &[u8] = include_bytes!("../../digits/digits.bin");
const HEADER: usize = 16;
const RECORD: usize = 34;
const PIXELS: usize = 64;

/// One part of the set, unpacked.
struct Digits {
    pixels: Vec<[u8; PIXELS]>,
    labels: Vec<u8>,
}

/// What to train on, and what to test on. Unpacked once: that is a long division for every pixel.
static PARTS: LazyLock<[Arc<Digits>; 2]> = LazyLock::new(|| {
    let count = |at: usize| u32::from_le_bytes([BYTES[at], BYTES[at + 1], BYTES[at + 2], BYTES[at + 3]]) as usize;
    let (train, test) = BYTES[HEADER..].split_at(count(8) * RECORD);
    debug_assert_eq!(test.len(), count(12) * RECORD);
    [train, test].map(|records| Arc::new(Digits::unpack(records)))
});

fn open(_: &DataSpec, _: &Options<'_>) -> Result<Split, DataError> {
    let [train, test] = PARTS.clone();
    Ok(Split { train, test })
}

impl Digits {
    fn unpack(records: &[u8]) -> Self {
        let mut set = Self {
            pixels: Vec::new(),
            labels: Vec::new(),
        };
        for record in records.chunks_exact(RECORD) {
            let mut number = [0; RECORD];
            number.copy_from_slice(record);
            set.labels.push(next_base_17(&mut number));
            set.pixels
                .push(std::array::from_fn(|_| to_byte(next_base_17(&mut number))));
        }
        set
    }
}

/// The lowest base-17 digit of a little-endian number, which is divided by 17: long division, a
/// byte at a time.
fn next_base_17(number: &mut [u8; RECORD]) -> u8 {
    let mut rest = 0;
    for byte in number.iter_mut().rev() {
        let value = rest * 256 + u16::from(*byte);
        *byte = (value / 17) as u8;
        rest = value % 17;
    }
    rest as u8
}

/// 0..16 to 0..255, rounded.
fn to_byte(level: u8) -> u8 {
    ((u16::from(level) * 255 + 8) / 16) as u8
}

impl Dataset for Digits {
    fn name(&self) -> &str {
        "digits"
    }

    fn len(&self) -> usize {
        self.labels.len()
    }

    fn shape(&self) -> ImageShape {
        SHAPE
    }

    fn classes(&self) -> usize {
        CLASSES
    }

    fn normalization(&self) -> Normalization {
        Normalization::new(&[0.3054], &[0.3761])
    }

    fn get(&self, index: usize, image: &mut [u8]) -> Result<u32, DataError> {
        check_get(self, index, image)?;
        image.copy_from_slice(&self.pixels[index]);
        Ok(u32::from(self.labels[index]))
    }
}
