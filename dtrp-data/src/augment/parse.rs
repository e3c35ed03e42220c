//! The text of augmentations.

use super::{Augment, Op};
use crate::DataError;
use dtrp_text::UnknownName;
use std::fmt;
use std::str::FromStr;

pub(super) const NAMES: &[(&str, &str)] = &[
    ("none", "no change"),
    ("crop-flip", "crop,flip: the usual recipe for CIFAR"),
    (
        "crop",
        "pad with zeros by an eighth (or crop:PAD pixels) and cut the old size out at random",
    ),
    ("flip", "mirror left and right, every other time"),
    (
        "cutout",
        "fill a square of half the side (or cutout:SIDE pixels) with the mean colour",
    ),
    (
        "random-resized-crop",
        "scale a random part, 0.08 to 1 of the area (or from random-resized-crop:MIN), to the old size",
    ),
];

/// Larger numbers make no sense for an image and would overflow.
const MAX_PIXELS: usize = 1 << 20;

impl FromStr for Augment {
    type Err = DataError;

    /// Names with commas between; `none` only by itself.
    fn from_str(text: &str) -> Result<Self, DataError> {
        if text.trim() == "none" {
            return Ok(Self::none());
        }
        let mut ops = Vec::new();
        for part in text.split(',').map(str::trim) {
            let (name, number) = match part.split_once(':') {
                Some((name, number)) => (name.trim_end(), Some(number.trim_start())),
                None => (part, None),
            };
            let wrong = |problem: &str| DataError::Augment {
                text: part.to_string(),
                problem: problem.to_string(),
            };
            let pixels = || match number.map(str::parse) {
                None => Ok(None),
                Some(Ok(pixels)) if (1..=MAX_PIXELS).contains(&pixels) => Ok(Some(pixels)),
                Some(_) => Err(wrong(
                    "the number after the colon is pixels, at least 1, as in `crop:4`",
                )),
            };
            match name {
                "crop" => ops.push(Op::Crop { pad: pixels()? }),
                "cutout" => ops.push(Op::Cutout { side: pixels()? }),
                "flip" | "crop-flip" | "none" if number.is_some() => {
                    return Err(wrong("takes no number"));
                }
                "random-resized-crop" => match number.map_or(Ok(0.08), str::parse) {
                    Ok(min) if min > 0.0 && min <= 1.0 => ops.push(Op::RandomResizedCrop { min }),
                    _ => {
                        return Err(wrong(
                            "the number after the colon is a share of the area, above 0 and at most 1",
                        ));
                    }
                },
                "flip" => ops.push(Op::Flip),
                "crop-flip" => ops.extend([Op::Crop { pad: None }, Op::Flip]),
                "none" => return Err(wrong("stands only by itself; remove it from the list")),
                _ => {
                    let names = NAMES.iter().map(|(name, _)| *name);
                    return Err(UnknownName::new("augmentation", name, names).into());
                }
            }
        }
        Ok(Self { ops })
    }
}

impl fmt::Display for Augment {
    /// What [`FromStr`] reads.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut rest, mut comma) = (self.ops.as_slice(), "");
        if rest.is_empty() {
            return f.write_str("none");
        }
        while let [op, after @ ..] = rest {
            f.write_str(comma)?;
            (rest, comma) = (after, ",");
            match op {
                Op::Crop { pad: None } if after.first() == Some(&Op::Flip) => {
                    f.write_str("crop-flip")?;
                    rest = &after[1..];
                }
                Op::Crop { pad: None } => f.write_str("crop")?,
                Op::Crop { pad: Some(pad) } => write!(f, "crop:{pad}")?,
                Op::Flip => f.write_str("flip")?,
                Op::Cutout { side: None } => f.write_str("cutout")?,
                Op::Cutout { side: Some(side) } => write!(f, "cutout:{side}")?,
                Op::RandomResizedCrop { min: 0.08 } => f.write_str("random-resized-crop")?,
                Op::RandomResizedCrop { min } => write!(f, "random-resized-crop:{min}")?,
            }
        }
        Ok(())
    }
}
