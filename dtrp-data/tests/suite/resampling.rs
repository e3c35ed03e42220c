//! Resizing against Pillow 12's `resize(…, BILINEAR)` of the same pixels, to the bit.

use crate::image_folders::put;
use crate::support::md5;
use dtrp_data::random::Stream;
use dtrp_data::{DataError, DataSpec, Dataset, ImageShape, Normalization, Region, augment, open};
use proptest::prelude::*;
use std::sync::Arc;

/// Pixel i is (37·i + 11·i²) mod 256.
fn pixels(count: usize) -> Vec<u8> {
    (0..count).map(|i| ((i * 37 + i * i * 11) % 256) as u8).collect()
}

/// Goes through a PNG in an image folder, which is brought to `shape` whole.
fn check(from: (u32, u32), to: (usize, usize), expected: &[u8]) {
    let root = tempfile::tempdir().unwrap();
    for part in ["train", "test"] {
        let class = root.path().join(part).join("one");
        std::fs::create_dir_all(&class).unwrap();
        let image = image::GrayImage::from_raw(from.1, from.0, pixels((from.0 * from.1) as usize)).unwrap();
        image.save(class.join("a.png")).unwrap();
    }
    let spec = DataSpec::in_dir("image-folder", root.path()).shape(ImageShape::new(1, to.0, to.1));
    let mut image = vec![0; to.0 * to.1];
    open(&spec).unwrap().train.get(0, &mut image).unwrap();
    assert_eq!(image, expected, "{from:?} to {to:?}");
}

#[test]
#[rustfmt::skip]
fn images_are_resized_like_pillow_does() {
    check((6, 6), (4, 4), &[41, 126, 170, 170, 128, 115, 180, 172, 105, 99, 182, 117, 78, 167, 137, 151]);
    check((4, 4), (7, 7), &[
        0, 17, 45, 83, 125, 177, 210, 24, 53, 98, 109, 116, 134, 146, 63, 110, 183, 150, 103, 66, 43, 150, 169, 198, 175,
        146, 128, 116, 232, 217, 191, 186, 186, 197, 203, 235, 185, 104, 118, 146, 185, 210, 236, 165, 50, 75, 121, 178, 214,
    ]);
    check((9, 9), (2, 2), &[134, 138, 156, 141]);
    check((12, 8), (6, 4), &[
        128, 161, 142, 121, 141, 138, 130, 133, 130, 158, 134, 153, 173, 134, 118, 132, 148, 158, 134, 167, 117, 129, 128, 123,
    ]);
    check((5, 5), (5, 5), &pixels(25));
}

struct One(ImageShape);
impl Dataset for One {
    fn name(&self) -> &str {
        "one"
    }
    fn len(&self) -> usize {
        1
    }
    fn shape(&self) -> ImageShape {
        self.0
    }
    fn classes(&self) -> usize {
        1
    }
    fn normalization(&self) -> Normalization {
        Normalization::new(&[0.5], &[0.5])
    }
    fn get(&self, _: usize, image: &mut [u8]) -> Result<u32, DataError> {
        image.copy_from_slice(&pixels(image.len()));
        Ok(0)
    }
}

#[test]
#[rustfmt::skip]
fn a_region_is_cut_out_before_it_is_resized() {
    let mut image = vec![0; 64];
    let region = Region { top: 2, left: 1, height: 5, width: 6 };
    One(ImageShape::new(1, 8, 8)).get_region(0, &mut |_, _| region, &mut image).unwrap();
    assert_eq!(image, [
        224, 168, 109, 60, 26, 165, 251, 250, 179, 171, 127, 66, 90, 147, 164, 142, 122, 172, 152, 81, 175, 122, 55, 11, 137,
        156, 158, 150, 206, 116, 71, 96, 112, 150, 174, 178, 198, 120, 97, 141, 47, 154, 200, 167, 149, 134, 133, 146, 54,
        139, 155, 102, 154, 129, 98, 79, 64, 128, 117, 52, 162, 125, 67, 26,
    ]);
}

proptest! {
    #[test]
    fn random_regions_are_inside_and_of_the_allowed_size(height in 1..400usize, width in 1..400usize, min in 0.01..=1.0f32, seed: u64) {
        let mut stream = Stream::new(seed, "augment", 0, 0);
        for _ in 0..20 {
            let region = augment::random_region(height, width, min, &mut stream);
            prop_assert!(region.height >= 1 && region.top + region.height <= height, "{region:?}");
            prop_assert!(region.width >= 1 && region.left + region.width <= width, "{region:?}");
            if height > 20 && width > 20 {
                let ratio = region.width as f64 / region.height as f64;
                let slack = 1.0 + 1.0 / region.height.min(region.width) as f64;
                prop_assert!(ratio < 4.0 / 3.0 * slack && ratio > 0.75 / slack, "{region:?}");
            }
        }
    }

    /// Any region of any image to any shape, also one that is partly outside, and flat images stay
    /// flat.
    #[test]
    fn resizing_never_leaves_the_range(
        height in 1..30usize, width in 1..30usize, channels in 1..4usize,
        top in 0..40usize, left in 0..40usize, rows in 0..40usize, columns in 0..40usize, flat: u8,
    ) {
        struct Flat(ImageShape, u8);
        impl Dataset for Flat {
            fn name(&self) -> &str {
                "flat"
            }
            fn len(&self) -> usize {
                1
            }
            fn shape(&self) -> ImageShape {
                self.0
            }
            fn classes(&self) -> usize {
                1
            }
            fn normalization(&self) -> Normalization {
                Normalization::new(&[0.5], &[0.5])
            }
            fn get(&self, _: usize, image: &mut [u8]) -> Result<u32, DataError> {
                image.fill(self.1);
                Ok(0)
            }
        }
        let set: Arc<dyn Dataset> = Arc::new(Flat(ImageShape::new(channels, height, width), flat));
        let mut image = vec![0; set.shape().len()];
        let region = Region { top, left, height: rows, width: columns };
        set.get_region(0, &mut |_, _| region, &mut image).unwrap();
        prop_assert!(image.iter().all(|&pixel| pixel == flat));
    }
}

/// `data.resize` does what torchvision's `Resize` and `CenterCrop` do to the same pixels, to the bit.
///
/// The hashes are of the planes of Pillow 13's `resize((w, h), BILINEAR)` to the sizes, and `crop` of the places,
/// that torchvision 0.29's functions `_compute_resized_output_size` and `center_crop` say.
#[test]
#[rustfmt::skip]
fn resizing_and_cropping_give_the_pixels_of_torchvision() {
    for ((height, width), resize, (rows, columns), expected) in [
        ((50, 40), 26, (24, 24), "7b2ed5966c337a0a7ac463033d086123"),
        ((40, 50), 26, (24, 24), "37b8a5fcd1582d72f3c7dc3a77389846"),
        ((33, 57), 16, (16, 16), "10b6d3cc70f12404c7e9bbc6aa2cf12f"),
        ((57, 33), 17, (16, 16), "9c28026fa6ea93bbf37ea55ceb0f2ef7"),
        ((20, 20), 20, (13, 14), "a86006822480b05a8c32b3fd43f4c435"),
        ((9, 31), 64, (64, 48), "921b0c0cdc705d29731e797a9666177d"),
        ((64, 64), 32, (27, 30), "60048a83b48523ba4a0dd82361bf7ce2"),
        ((375, 500), 256, (224, 224), "401a25ea108901a6dd875215605d8391"),
        ((500, 333), 256, (224, 224), "c042ccb448432a178d667f14224883af"),
        ((1, 7), 5, (5, 5), "13bedd2dc7131060717ecb99afdca610"),
        ((131, 17), 40, (33, 40), "0ddb11b033e4e19c16776d43856e5ec0"),
        ((400, 300), 299, (299, 299), "46c804bb6b9be3b101ddb55baaf7093e"),
        ((30, 41), 31, (28, 31), "4d430aff152a313a571234cf9a24e72a"),
        ((47, 48), 46, (46, 46), "11985ef0cfca679b5e2037217af29d0e"),
    ] {
        let root = tempfile::tempdir().unwrap();
        for part in ["train", "test"] {
            // A binary PPM: the simplest file there is.
            let file = [format!("P6 {width} {height} 255\n").into_bytes(), pixels(height * width * 3)].concat();
            put(root.path().join(part).join("one/a.ppm"), &file);
        }
        let spec = DataSpec::in_dir("image-folder", root.path());
        let spec = spec.shape(ImageShape::new(3, rows, columns)).option("resize", resize);
        let mut image = vec![0; 3 * rows * columns];
        open(&spec).unwrap().train.get(0, &mut image).unwrap();
        assert_eq!(md5(&image), expected, "{height}x{width} to {resize}, {rows}x{columns}");
    }
}

/// The largest middle part; what `resize` does is another way, with a test of its own above (this one took it for
/// a part of the image as stored, which it is not).
#[test]
fn the_centre_has_the_ratio_of_the_shape() {
    let shape = ImageShape::new(3, 224, 224);
    let region = |top, left, height, width| Region {
        top,
        left,
        height,
        width,
    };
    for ((height, width), shape, expected) in [
        ((300, 600), shape, region(0, 150, 300, 300)),
        ((500, 401), shape, region(49, 0, 401, 401)),
        ((32, 32), shape, region(0, 0, 32, 32)),
        ((1, 1), shape, region(0, 0, 1, 1)),
        ((1, 9), shape, region(0, 4, 1, 1)),
        ((12, 8), ImageShape::new(1, 2, 4), region(4, 0, 4, 8)),
    ] {
        assert_eq!(Region::center(height, width, shape), expected);
    }
}
