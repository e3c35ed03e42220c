//! Image files of every kind, against Pillow's pixels.

use crate::image_folders::{picture, put};
use crate::support::{contains, md5, message};
use dtrp_data::{DataError, DataSpec, ImageShape, check, open};
use image::ImageFormat;
use proptest::prelude::*;
use std::fs;
use std::path::Path;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

/// The one image of a folder, brought to a shape.
pub(crate) fn decode(file: &[u8], name: &str, shape: ImageShape) -> Result<Vec<u8>, DataError> {
    let root = tempfile::tempdir().unwrap();
    for part in ["train", "test"] {
        put(root.path().join(part).join("one").join(name), file);
    }
    let spec = DataSpec::in_dir("image-folder", root.path()).shape(shape);
    let mut image = vec![0; shape.len()];
    open(&spec)?.train.get(0, &mut image)?;
    Ok(image)
}

/// Every file in `tests/images` has the pixels that `expected.txt` says, in colour and in grey, or is refused by name.
///
/// `make.py` beside them says how the files and the hashes were made: by Pillow, with libjpeg-turbo.
#[test]
fn every_image_has_the_pixels_of_pillow_or_is_refused_by_name() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/images");
    let expected = fs::read_to_string(folder.join("expected.txt")).unwrap();
    let (mut equal, mut refused) = (0, 0);
    for line in expected.lines() {
        let fields: Vec<_> = line.split('\t').collect();
        let file = fs::read(folder.join(fields[0])).unwrap();
        match fields[..] {
            [name, "refused", problem] => {
                let image = decode(&file, name, ImageShape::new(3, 8, 8));
                contains(&message(image), &[name, "byte ", problem]);
                refused += 1;
            }
            [name, size, color, grey] => {
                let (width, height) = size.split_once('x').unwrap();
                let [width, height] = [width, height].map(|side| side.parse().unwrap());
                // A shape of the image's size copies it.
                for (channels, hash) in [(3, color), (1, grey)] {
                    let image = decode(&file, name, ImageShape::new(channels, height, width));
                    let image = image.unwrap_or_else(|error| panic!("{name}: {error}"));
                    assert_eq!(md5(&image), hash, "{name}, {channels} channels");
                }
                equal += 1;
            }
            _ => panic!("{line}"),
        }
    }
    assert_eq!((equal, refused), (97, 18));
}

/// A header's numbers alone take neither memory nor time.
#[test]
fn headers_that_promise_too_much_are_refused_at_once() {
    let jpeg = picture(ImageFormat::Jpeg, 16, 16, [1, 200, 3]);
    let frame = jpeg
        .windows(2)
        .position(|two| matches!(two, [0xff, 0xc0 | 0xc1]))
        .unwrap();
    let sized = |height: u16, width: u16| {
        let mut file = jpeg.clone();
        file[frame + 5..frame + 7].copy_from_slice(&height.to_be_bytes());
        file[frame + 7..frame + 9].copy_from_slice(&width.to_be_bytes());
        file
    };
    let at = format!("byte {frame}:");
    let start = Instant::now();
    for (height, width, problem) in [
        (65535, 65535, "more than 178956970 pixels"),
        (13000, 13000, "the file is too short"),
        (0, 9, "0 pixels high"),
        (9, 0, "0 wide"),
    ] {
        let image = decode(&sized(height, width), "a.jpg", ImageShape::new(3, 8, 8));
        contains(&message(image), &["a.jpg", &at, problem, "replace"]);
    }
    // Scans without end, each over the whole image.
    let scan = jpeg.windows(2).position(|two| two == [0xff, 0xda]).unwrap();
    let many = [
        &jpeg[..scan],
        &jpeg[scan..jpeg.len() - 2].repeat(600),
        &jpeg[jpeg.len() - 2..],
    ]
    .concat();
    contains(
        &message(decode(&many, "a.jpg", ImageShape::new(3, 8, 8))),
        &["600 scans", "at most 500"],
    );
    let bomb = [b"P6 65000 65000 255\n".as_slice(), &[0; 99]].concat();
    contains(
        &message(decode(&bomb, "a.ppm", ImageShape::new(3, 8, 8))),
        &["more than 178956970 pixels"],
    );
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
}

/// Images are taken as stored, and `check` counts those that other programs would turn, clip or distrust.
#[test]
fn what_is_worth_telling_of_images_is_counted() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/images");
    let root = tempfile::tempdir().unwrap();
    for name in [
        "orientation.jpg",
        "orientation.webp",
        "420.jpg",
        "left-over.jpg",
        "grey-16.png",
        "deep.pgm",
        "orientation.tif",
    ] {
        put(
            root.path().join("train/one").join(name),
            &fs::read(folder.join(name)).unwrap(),
        );
    }
    put(
        root.path().join("test/one/a.jpg"),
        &fs::read(folder.join("orientation.jpg")).unwrap(),
    );
    let report = check(&DataSpec::in_dir("image-folder", root.path()), 2).unwrap();
    assert_eq!(report.problems, []);
    let [turned, left_over, clipped, test] = &report.notes[..] else {
        panic!("{:?}", report.notes);
    };
    contains(
        turned,
        &["train: ", "orientation in the EXIF data", "not applied", ": 2"],
    );
    contains(left_over, &["train: ", "bytes left over", ": 1"]);
    contains(clipped, &["train: ", "16 bits", "become 255", ": 2"]);
    contains(test, &["test: ", "orientation", ": 1"]);
}

static IMAGES: LazyLock<Vec<(String, Vec<u8>)>> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/images");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.retain(|path| !matches!(path.extension().and_then(|it| it.to_str()), Some("py" | "txt")));
    files.sort();
    let read = |path: &std::path::PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap().to_string();
        (name, fs::read(path).unwrap())
    };
    files.iter().map(read).collect()
});

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Damaged images of every kind are decoded or refused, alike in training and in `check`; nothing panics.
    #[test]
    fn any_damage_is_read_or_refused(
        which: prop::sample::Index, cut in prop::option::weighted(0.3, any::<prop::sample::Index>()),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        start in 0..64usize,
    ) {
        let (name, mut bytes) = which.get(&IMAGES).clone();
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        for (number, (at, value)) in changes.into_iter().enumerate() {
            if !bytes.is_empty() {
                // Half of them in the header, where sizes and kinds are.
                let most = if number % 2 == 0 { bytes.len() } else { bytes.len().min(start + 1) };
                bytes[at.index(most)] = value;
            }
        }
        let root = tempfile::tempdir().unwrap();
        put(root.path().join("train/a").join(&name), &bytes);
        put(root.path().join("test/a/1.png"), &picture(ImageFormat::Png, 2, 2, [0; 3]));
        let spec = DataSpec::in_dir("image-folder", root.path()).shape(ImageShape::new(3, 4, 4));
        let decoded = open(&spec).and_then(|set| set.train.get(0, &mut [0; 48]));
        let report = check(&spec, 1).unwrap();
        prop_assert_eq!(decoded.is_ok(), report.problems.is_empty(), "{} {:?}", name, report);
    }
}
