//! Folders of JPEG and PNG files.

use crate::support::{contains, message};
use dtrp_data::{Batch, DataSpec, ImageShape, Loader, LoaderOptions, check, open};
use image::{ImageFormat, Rgb, RgbImage};
use proptest::prelude::*;
use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A picture of one colour, with a darker right half.
pub(crate) fn picture(format: ImageFormat, height: u32, width: u32, color: [u8; 3]) -> Vec<u8> {
    let image = RgbImage::from_fn(width, height, |x, _| {
        Rgb(if x < width / 2 { color } else { color.map(|c| c / 2) })
    });
    let mut file = Cursor::new(Vec::new());
    image.write_to(&mut file, format).unwrap();
    file.into_inner()
}

pub(crate) fn put(path: PathBuf, bytes: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

/// Classes `blue` and `red`, three and two images to train on, one and none to test on.
pub(crate) fn make(root: &Path) {
    let png = |color| picture(ImageFormat::Png, 8, 8, color);
    let jpeg = |color| picture(ImageFormat::Jpeg, 16, 24, color);
    put(root.join("train/blue/1.png"), &png([10, 20, 200]));
    put(root.join("train/blue/2.jpg"), &jpeg([10, 20, 200]));
    put(root.join("train/blue/3.JPEG"), &jpeg([10, 20, 220]));
    put(root.join("train/red/a.png"), &png([210, 10, 20]));
    // A name that lies about the format does no harm.
    put(root.join("train/red/b.jpg"), &png([220, 10, 20]));
    put(root.join("train/red/notes.txt"), b"not an image");
    put(root.join("train/red/.hidden.png"), b"nor this");
    put(root.join("val/blue/x.png"), &png([30, 20, 200]));
    put(root.join("val/notes.txt"), b"not a class");
}

fn spec(root: &Path, side: usize) -> DataSpec {
    DataSpec::in_dir("image-folder", root).shape(ImageShape::new(3, side, side))
}

#[test]
fn classes_are_folders_and_samples_come_in_turns() {
    let root = tempfile::tempdir().unwrap();
    make(root.path());
    let set = open(&spec(root.path(), 8)).unwrap();
    assert_eq!(set.train.class_names(), ["blue", "red"]);
    assert_eq!((set.train.len(), set.test.len(), set.train.classes()), (5, 1, 2));
    let mut image = vec![0; 192];
    let expected = [
        (0, [10, 20, 200]),
        (1, [210, 10, 20]),
        (0, [10, 20, 200]),
        (1, [220, 10, 20]),
        (0, [10, 20, 220]),
    ];
    for (index, (label, color)) in expected.into_iter().enumerate() {
        assert_eq!(set.train.get(index, &mut image).unwrap(), label);
        // The top left pixel of each channel; JPEG is not exact.
        for (channel, color) in color.into_iter().enumerate() {
            assert!(
                image[channel * 64].abs_diff(color) < 8,
                "sample {index}: {} is not {color}",
                image[channel * 64]
            );
        }
        // The right half is darker: channels are planes, not interleaved.
        assert!(image[label as usize * 128 + 7] < 120 || label == 1);
    }
    assert_eq!(set.test.get(0, &mut image).unwrap(), 0);
    assert_eq!(image[..8], [30, 30, 30, 30, 15, 15, 15, 15]);

    let grey = spec(root.path(), 8).shape(ImageShape::new(1, 4, 6)).option("resize", 9);
    let set = open(&grey).unwrap();
    set.test.get(0, &mut image[..24]).unwrap();
    assert_eq!(set.test.normalization().mean.len(), 1);
}

#[test]
fn images_are_decoded_alike_on_any_number_of_threads_with_any_augmentation() {
    let root = tempfile::tempdir().unwrap();
    make(root.path());
    let set = open(&spec(root.path(), 8)).unwrap();
    for augment in [
        "none",
        "crop-flip",
        "random-resized-crop,flip",
        "flip,random-resized-crop:0.5",
    ] {
        let batches = |threads, epoch| -> Vec<Batch> {
            let augment = augment.parse().unwrap();
            let options = LoaderOptions {
                batch_size: 2,
                threads,
                augment,
                ..LoaderOptions::default()
            };
            let loader = Loader::new(Arc::clone(&set.train), options).unwrap();
            loader.epoch(epoch, 0).collect::<Result<_, _>>().unwrap()
        };
        for threads in 1..4 {
            assert_eq!(batches(0, 0), batches(threads, 0), "{augment}");
        }
        assert_ne!(batches(0, 0), batches(0, 1), "{augment}");
    }
}

/// Files are replaced or removed; what `open` or the first look at the image says.
#[test]
fn broken_files_are_named_with_the_offset() {
    let jpeg = picture(ImageFormat::Jpeg, 16, 16, [1, 200, 3]);
    let png = picture(ImageFormat::Png, 16, 16, [1, 200, 3]);
    let scan = jpeg.windows(2).position(|two| two == [0xff, 0xda]).unwrap();
    let data = scan + 2 + usize::from(jpeg[scan + 3]);
    let webp = include_bytes!("../images/orientation.webp");
    let exif = webp.windows(4).position(|four| four == b"EXIF").unwrap();
    let idat = png.windows(4).position(|four| four == b"IDAT").unwrap() - 4;
    let changed = |bytes: &[u8], at: usize, value: u8| {
        let mut bytes = bytes.to_vec();
        bytes[at] = value;
        bytes
    };
    let at = |offset: usize| format!("byte {offset}:");
    for (bytes, offset, problem) in [
        (vec![], at(0), "empty"),
        (b"GIF89a...".to_vec(), at(0), "neither JPEG nor PNG"),
        (jpeg[..3].to_vec(), at(3), "truncated"),
        (jpeg[..scan + 3].to_vec(), at(scan + 3), "truncated"),
        (jpeg[..scan + 5].to_vec(), at(scan + 5), "truncated"),
        (jpeg[..data + 4].to_vec(), at(data + 4), "truncated"),
        (jpeg[..jpeg.len() - 1].to_vec(), at(jpeg.len() - 1), "truncated"),
        (changed(&jpeg, 5, 0), at(4), "segment of length 0"),
        ([&jpeg[..2], &[0xff, 0xd9]].concat(), at(2), "without image data"),
        (changed(&jpeg, scan + 4, 200), at(data), "cannot be decoded"),
        (png[..7].to_vec(), at(0), "neither JPEG nor PNG"),
        (png[..8].to_vec(), at(8), "truncated"),
        (png[..idat + 20].to_vec(), at(idat + 20), "truncated"),
        (png[..png.len() - 1].to_vec(), at(png.len() - 1), "truncated"),
        (
            changed(&png, idat + 20, png[idat + 20] ^ 1),
            at(idat),
            "checksum is wrong",
        ),
        (changed(&png, 17, 9), at(8), "checksum is wrong"),
        (webp[..webp.len() - 1].to_vec(), at(webp.len() - 1), "truncated"),
        (webp[..7].to_vec(), at(0), "neither JPEG nor PNG"),
        // A chunk for which 4 GB would be taken.
        (changed(webp, exif + 7, 255), at(exif), "a WebP chunk of 42"),
    ] {
        let root = tempfile::tempdir().unwrap();
        make(root.path());
        put(root.path().join("train/blue/2.jpg"), &bytes);
        let result = open(&spec(root.path(), 8)).and_then(|set| set.train.get(2, &mut [0; 192]).map(|_| ()));
        contains(&message(result), &["train/blue/2.jpg", &offset, problem]);
    }
}

#[test]
fn wrong_folders_say_what_to_do() {
    let check = |change: &dyn Fn(&Path), parts: &[&str]| {
        let root = tempfile::tempdir().unwrap();
        make(root.path());
        change(root.path());
        contains(&message(open(&spec(root.path(), 8))), parts);
    };
    let remove = |inner: &'static str| move |root: &Path| fs::remove_dir_all(root.join(inner)).unwrap();
    check(&remove("train"), &["train is not there", "train/CLASS/*.jpg"]);
    check(&remove("val"), &["test is not there", "train/CLASS/*.jpg"]);
    check(&remove("val/blue"), &["val/CLASS/*.jpg is not there"]);
    check(
        &remove("train/blue"),
        &["train/blue is not there", "val/blue is a class to test on"],
    );
    check(
        &|root| fs::create_dir(root.join("train/green")).unwrap(),
        &["train/green/*.jpg is not there", "needs images"],
    );
    // An empty test/ is an error where there is nothing else: beside a good val/ it was one too, which hid that.
    check(
        &|root| {
            fs::create_dir(root.join("test")).unwrap();
            fs::remove_dir_all(root.join("val")).unwrap();
        },
        &["test/CLASS/*.jpg is not there"],
    );
    let none = || DataSpec::in_dir("image-folder", "/nowhere");
    let shaped = |channels, height, width| none().shape(ImageShape::new(channels, height, width));
    contains(&message(open(&none())), &["/nowhere is not there", "data.dir"]);
    contains(&message(open(&shaped(2, 8, 8))), &["`shape`", "1 channel"]);
    contains(&message(open(&shaped(3, 8, 0))), &["`shape`", "1 to 65536"]);
    contains(
        &message(open(&shaped(3, 8, 9).option("resize", 8))),
        &["`resize`", "from 9"],
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Damaged files are decoded or refused; nothing panics.
    #[test]
    fn any_bytes_are_read_or_refused(
        jpeg: bool, cut in prop::option::of(0..1000usize), changes in prop::collection::vec((0..1000usize, any::<u8>()), 0..6),
        noise in prop::option::of(prop::collection::vec(any::<u8>(), 0..200)),
    ) {
        let format = if jpeg { ImageFormat::Jpeg } else { ImageFormat::Png };
        let mut bytes = noise.unwrap_or_else(|| picture(format, 16, 24, [9, 99, 199]));
        if let Some(cut) = cut {
            bytes.truncate(cut);
        }
        for (at, value) in changes {
            let at = at % bytes.len().max(1);
            if let Some(byte) = bytes.get_mut(at) {
                *byte = value;
            }
        }
        let root = tempfile::tempdir().unwrap();
        put(root.path().join("train/a/1.jpg"), &bytes);
        put(root.path().join("test/a/1.png"), &picture(ImageFormat::Png, 2, 2, [0; 3]));
        let spec = spec(root.path(), 4);
        let decoded = open(&spec).and_then(|set| set.train.get(0, &mut [0; 48]));
        let report = check(&spec, 1).unwrap();
        prop_assert_eq!(decoded.is_ok(), report.problems.is_empty(), "{:?}", report);
    }
}

/// With `DTRP_IMAGE_FOLDER_DIR` set to a real folder: it opens and its first samples decode.
#[test]
fn real_image_folder() {
    let Some(dir) = std::env::var_os("DTRP_IMAGE_FOLDER_DIR") else {
        return;
    };
    let set = open(&spec(Path::new(&dir), 32)).unwrap();
    let options = LoaderOptions {
        threads: 2,
        limit: Some(2000),
        ..LoaderOptions::default()
    };
    let loader = Loader::new(Arc::clone(&set.train), options).unwrap();
    let mut counts = vec![0; set.train.classes()];
    for batch in loader.epoch(0, 0) {
        batch
            .unwrap()
            .labels
            .iter()
            .for_each(|&label| counts[label as usize] += 1);
    }
    assert!(counts.iter().all(|&count| count > 0), "{counts:?}");
}
