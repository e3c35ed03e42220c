//! Augmentations against slow, obvious versions of themselves.

use crate::support::{contains, message};
use dtrp_data::random::Stream;
use dtrp_data::{Augment, ImageShape};
use proptest::prelude::*;

const MEAN: [u8; 3] = [101, 102, 103];

fn apply(text: &str, image: &[u8], shape: ImageShape, mut stream: Stream) -> Vec<u8> {
    let mut image = image.to_vec();
    let augment: Augment = text.parse().unwrap();
    augment.apply(&mut image, shape, &MEAN[..shape.channels], &mut stream, &mut Vec::new());
    image
}

/// Pixel by pixel: `source(c, y, x)` gives the new pixel.
fn by_pixel(shape: ImageShape, source: impl Fn(usize, isize, isize) -> u8) -> Vec<u8> {
    let mut image = Vec::new();
    for c in 0..shape.channels {
        for y in 0..shape.height as isize {
            for x in 0..shape.width as isize {
                image.push(source(c, y, x));
            }
        }
    }
    image
}

fn pixel(image: &[u8], shape: ImageShape, c: usize, y: isize, x: isize) -> Option<u8> {
    let inside = (0..shape.height as isize).contains(&y) && (0..shape.width as isize).contains(&x);
    inside.then(|| image[(c * shape.height + y as usize) * shape.width + x as usize])
}

fn any_image() -> impl Strategy<Value = (ImageShape, Vec<u8>)> {
    (1..4usize, 1..12usize, 1..12usize).prop_flat_map(|(channels, height, width)| {
        let shape = ImageShape::new(channels, height, width);
        (Just(shape), prop::collection::vec(1..=255u8, shape.len()))
    })
}

proptest! {
    #[test]
    fn none_changes_nothing((shape, image) in any_image(), seed: u64) {
        prop_assert_eq!(apply("none", &image, shape, Stream::new(seed, "augment", 0, 0)), image);
    }

    #[test]
    fn crop_is_a_window_of_the_padded_image((shape, image) in any_image(), seed: u64, pad in 1..16usize) {
        let stream = Stream::new(seed, "augment", 0, 0);
        let mut copy = stream.clone();
        let dy = copy.below(2 * pad + 1) as isize - pad as isize;
        let dx = copy.below(2 * pad + 1) as isize - pad as isize;
        let expected = by_pixel(shape, |c, y, x| pixel(&image, shape, c, y + dy, x + dx).unwrap_or(0));
        prop_assert_eq!(apply(&format!("crop:{pad}"), &image, shape, stream), expected);
    }

    #[test]
    fn flip_mirrors_left_and_right((shape, image) in any_image(), seed: u64) {
        let stream = Stream::new(seed, "augment", 0, 0);
        let last = shape.width as isize - 1;
        let mirrored = by_pixel(shape, |c, y, x| pixel(&image, shape, c, y, last - x).unwrap_or(0));
        let expected = if stream.clone().coin() { mirrored } else { image.clone() };
        prop_assert_eq!(apply("flip", &image, shape, stream), expected);
    }

    #[test]
    fn cutout_fills_a_square((shape, image) in any_image(), seed: u64, side in 1..16usize) {
        let stream = Stream::new(seed, "augment", 0, 0);
        let mut copy = stream.clone();
        let (cy, cx) = (copy.below(shape.height) as isize, copy.below(shape.width) as isize);
        let (half, side_) = ((side / 2) as isize, side as isize);
        let cut = |at: isize, center: isize| (center - half..center - half + side_).contains(&at);
        let expected = by_pixel(shape, |c, y, x| {
            if cut(y, cy) && cut(x, cx) { MEAN[c] } else { pixel(&image, shape, c, y, x).unwrap_or(0) }
        });
        prop_assert_eq!(apply(&format!("cutout:{side}"), &image, shape, stream), expected);
    }

    #[test]
    fn any_text_is_read_or_refused(text in "(none|crop|flip|cutout|crop-flip|[a-z0-9:,. -]){0,6}") {
        if let Ok(augment) = text.parse::<Augment>() {
            prop_assert_eq!(augment.to_string().parse::<Augment>().unwrap(), augment);
        }
    }
}

#[test]
fn crops_reach_every_window_and_flips_both_sides() {
    let shape = ImageShape::new(1, 32, 32);
    let image: Vec<u8> = (0..1024).map(|at| (at % 251 + 1) as u8).collect();
    let seen: std::collections::HashSet<_> = (0..2000)
        .map(|index| apply("crop-flip", &image, shape, Stream::new(0, "augment", 0, index)))
        .collect();
    // 9 × 9 windows of the image padded by 32/8 = 4, each in two directions.
    assert_eq!(seen.len(), 9 * 9 * 2);
}

#[test]
fn texts_round_trip() {
    for (text, shown) in [
        ("none", "none"),
        (" none ", "none"),
        ("crop", "crop"),
        ("crop-flip", "crop-flip"),
        ("crop,flip", "crop-flip"),
        ("flip, crop", "flip,crop"),
        ("crop:4,flip,cutout:16", "crop:4,flip,cutout:16"),
        ("crop-flip,cutout", "crop-flip,cutout"),
    ] {
        assert_eq!(text.parse::<Augment>().unwrap().to_string(), shown);
    }
}

#[test]
fn wrong_texts_say_what_is_right() {
    for (text, parts) in [
        (
            "crop-flop",
            &["`crop-flop`", "did you mean `crop-flip`?", "none, crop-flip"][..],
        ),
        ("", &["``", "none, crop-flip"]),
        ("crop,", &["``"]),
        ("crop:0", &["`crop:0`", "at least 1"]),
        ("crop:-1", &["at least 1"]),
        ("cutout:99999999999999999999", &["pixels"]),
        ("flip:2", &["takes no number"]),
        ("none,flip", &["by itself"]),
    ] {
        contains(&message(text.parse::<Augment>()), parts);
    }
}
