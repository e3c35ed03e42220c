//! Whatever is wrong with a file of whatever format: `dtrp data check` says where, and so does `dtrp train` before it starts; for
//! an image that has to be decoded, when its turn comes.

use crate::sets;
use crate::support::Place;
use std::fs;
use std::io::Read;
use std::path::Path;

/// A damaged file, as the table below has it.
struct Case {
    format: &'static Format,
    /// What is wrong.
    class: &'static str,
    /// The file that is damaged.
    file: &'static str,
    /// Damages it.
    damage: fn(&Path),
    /// Where the problem is found: `: byte N`, or nothing if it has no place.
    offset: &'static str,
    /// What is said about it.
    says: &'static str,
    /// Whether it is found before training starts.
    before: bool,
}

/// A way to store a set.
struct Format {
    set: &'static str,
    make: fn(&Path),
}

const CIFAR10: Format = Format {
    set: "cifar10",
    make: sets::cifar10,
};
const CIFAR100: Format = Format {
    set: "cifar100",
    make: sets::cifar100,
};
const IDX: Format = Format {
    set: "mnist",
    make: sets::idx,
};
const IDX_GZ: Format = Format {
    set: "fashion-mnist",
    make: sets::idx_gz,
};
const IMAGES: Format = Format {
    set: "image-folder",
    make: sets::images,
};

const fn case(
    format: &'static Format,
    class: &'static str,
    file: &'static str,
    damage: fn(&Path),
    offset: &'static str,
    says: &'static str,
) -> Case {
    Case {
        format,
        class,
        file,
        damage,
        offset,
        says,
        before: true,
    }
}

const fn when_decoded(case: Case) -> Case {
    Case { before: false, ..case }
}

const BATCH: &str = "data_batch_3.bin";
const TEST: &str = "test.bin";
const PIXELS: &str = "train-images-idx3-ubyte";
const LABELS: &str = "t10k-labels-idx1-ubyte";
const PIXELS_GZ: &str = "t10k-images-idx3-ubyte.gz";
const LABELS_GZ: &str = "train-labels-idx1-ubyte.gz";
const JPEG: &str = "train/class1/0.jpg";
const PNG: &str = "train/class0/1.png";

/// Each class of damage in each format.
#[rustfmt::skip]
const CASES: &[Case] = &[
    case(&CIFAR10, "truncated", BATCH, |f| cut(f, 3 * 3073 + 7), ": byte 9219", "cut short, 7 of 3073 bytes"),
    case(&CIFAR10, "corrupt, mislabelled", BATCH, |f| set(f, 2 * 3073, 10), ": byte 6146", "record 2 has label 10"),
    case(&CIFAR10, "empty", BATCH, |f| cut(f, 0), ": byte 0", "the file is empty"),
    case(&CIFAR10, "wrongly sized", BATCH, |f| add(f, 1), ": byte 24584", "1 of 3073 bytes"),
    case(&CIFAR10, "unreadable", BATCH, folder_instead, "", "cannot read the file"),
    case(&CIFAR10, "absent", BATCH, remove, "", "dtrp data fetch cifar10"),
    case(&CIFAR100, "truncated", TEST, |f| cut(f, 3074 + 1), ": byte 3074", "cut short, 1 of 3074 bytes"),
    case(&CIFAR100, "corrupt", TEST, |f| set(f, 3074, 20), ": byte 3074", "record 1 has label 20, but labels are below 20"),
    case(&CIFAR100, "mislabelled", TEST, |f| set(f, 3075, 100), ": byte 3075", "record 1 has label 100, but labels are below 100"),
    case(&CIFAR100, "empty", TEST, |f| cut(f, 0), ": byte 0", "the file is empty"),
    case(&CIFAR100, "wrongly sized", TEST, |f| add(f, 3073), ": byte 24592", "3073 of 3074 bytes"),
    case(&CIFAR100, "unreadable", TEST, folder_instead, "", "cannot read the file"),
    case(&CIFAR100, "absent", TEST, remove, "", "dtrp data fetch cifar100"),
    case(&IDX, "truncated", PIXELS, |f| cut(f, 1000), ": byte 1000", "it is truncated"),
    case(&IDX, "truncated header", PIXELS, |f| cut(f, 15), ": byte 15", "inside its header"),
    case(&IDX, "corrupt", PIXELS, |f| set(f, 2, 9), ": byte 2", "it is damaged"),
    case(&IDX, "empty", LABELS, |f| cut(f, 0), ": byte 0", "the file is empty"),
    case(&IDX, "mislabelled", LABELS, |f| set(f, 8 + 5, 10), ": byte 13", "label 5 is 10"),
    case(&IDX, "wrongly sized", LABELS, |f| add(f, 2), ": byte 16", "the file ends here"),
    case(&IDX, "of another set", LABELS, |f| put(f, &[0, 0, 8, 1, 0, 0, 0, 2, 1, 1]), ": byte 4", "2 labels for 8 images"),
    case(&IDX, "unreadable", PIXELS, folder_instead, "", "cannot read the file"),
    case(&IDX, "absent", PIXELS, remove, "", "dtrp data fetch mnist"),
    case(&IDX_GZ, "truncated", PIXELS_GZ, |f| cut(f, len(f) - 1), ": byte 6288", "damaged or truncated"),
    case(&IDX_GZ, "truncated inside", PIXELS_GZ, |f| repack(f, |bytes| bytes.truncate(99)), ": byte 99", "it is truncated"),
    case(&IDX_GZ, "corrupt", LABELS_GZ, |f| set(f, 0, 0), ": byte 0", "compressed data is damaged"),
    case(&IDX_GZ, "empty", PIXELS_GZ, |f| cut(f, 0), ": byte 0", "the file is empty"),
    case(&IDX_GZ, "mislabelled", LABELS_GZ, |f| repack(f, |bytes| bytes[8] = 77), ": byte 8", "label 0 is 77"),
    case(&IDX_GZ, "wrongly sized", LABELS_GZ, |f| repack(f, |bytes| bytes.push(1)), ": byte 48", "the file ends here"),
    case(&IDX_GZ, "unreadable", LABELS_GZ, folder_instead, "", "cannot read the file"),
    case(&IDX_GZ, "absent", "train-labels-idx1-ubyte", remove_gz, "", "dtrp data fetch fashion-mnist"),
    when_decoded(case(&IMAGES, "truncated", JPEG, |f| cut(f, 100), ": byte 100", "it is truncated")),
    when_decoded(case(&IMAGES, "corrupt", JPEG, |f| put(f, b"GIF89a"), ": byte 0", "neither JPEG nor PNG")),
    when_decoded(case(&IMAGES, "wrongly sized", JPEG, no_pixels, ": byte ", "cannot be decoded")),
    case(&IMAGES, "empty", JPEG, |f| cut(f, 0), ": byte 0", "the file is empty"),
    case(&IMAGES, "unreadable", JPEG, link_to_nothing, "", "cannot look at the file"),
    when_decoded(case(&IMAGES, "truncated", PNG, |f| cut(f, 30), ": byte 30", "it is truncated")),
    when_decoded(case(&IMAGES, "corrupt", PNG, |f| set(f, 20, 99), ": byte 8", "checksum is wrong")),
    when_decoded(case(&IMAGES, "wrongly sized", PNG, twice_as_high, ": byte 33", "cannot be decoded")),
    case(&IMAGES, "empty", PNG, |f| cut(f, 0), ": byte 0", "the file is empty"),
    case(&IMAGES, "mislabelled", "train/class9", test_images_only, "", "class9 is a class to test on that has none to train on"),
    case(&IMAGES, "absent", "train/class1/*.jpg", no_images, "", "a class needs images"),
];

fn put(file: &Path, bytes: &[u8]) {
    fs::write(file, bytes).unwrap();
}

fn change(file: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(file).unwrap();
    change(&mut bytes);
    put(file, &bytes);
}

fn len(file: &Path) -> usize {
    fs::metadata(file).unwrap().len() as usize
}

fn cut(file: &Path, bytes: usize) {
    change(file, |all| all.truncate(bytes));
}

fn set(file: &Path, at: usize, value: u8) {
    change(file, |bytes| bytes[at] = value);
}

fn add(file: &Path, count: usize) {
    change(file, |bytes| bytes.extend(vec![0; count]));
}

/// Changes what is in a compressed file.
fn repack(file: &Path, damage: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = Vec::new();
    let mut unpacked = flate2::read::GzDecoder::new(fs::File::open(file).unwrap());
    unpacked.read_to_end(&mut bytes).unwrap();
    damage(&mut bytes);
    put(file, &sets::gzip(&bytes));
}

fn remove(file: &Path) {
    fs::remove_file(file).unwrap();
}

fn remove_gz(file: &Path) {
    remove(&file.with_extension("gz"));
}

/// What no user can read, not even one who may read everything.
fn folder_instead(file: &Path) {
    remove(file);
    fs::create_dir(file).unwrap();
}

fn link_to_nothing(file: &Path) {
    remove(file);
    std::os::unix::fs::symlink("nowhere", file).unwrap();
}

/// The start-of-frame segment of a JPEG: `FF C0 length(2) precision height(2) width(2)`.
fn no_pixels(file: &Path) {
    change(file, |bytes| {
        let frame = bytes.windows(2).position(|two| two == [0xff, 0xc0]).unwrap();
        bytes[frame + 7..frame + 9].fill(0);
    });
}

/// The header of a PNG: signature(8), `length(4) IHDR width(4) height(4) other(5) checksum(4)`.
fn twice_as_high(file: &Path) {
    change(file, |bytes| {
        bytes[23] *= 2;
        let mut checksum = flate2::Crc::new();
        checksum.update(&bytes[12..29]);
        bytes[29..33].copy_from_slice(&checksum.sum().to_be_bytes());
    });
}

fn test_images_only(class: &Path) {
    let root = class.parent().unwrap().parent().unwrap();
    let image = fs::read(root.join(PNG)).unwrap();
    sets::put(root.join("test/class9/0.png"), &image);
}

fn no_images(pattern: &Path) {
    for entry in fs::read_dir(pattern.parent().unwrap()).unwrap() {
        remove(&entry.unwrap().path());
    }
}

#[test]
fn each_is_found_with_its_place() {
    for Case {
        format,
        class,
        file,
        damage,
        offset,
        says,
        before,
    } in CASES
    {
        let place = Place::new();
        (format.make)(&place.file("set"));
        damage(&place.file("set").join(file));
        let what = format!("{} {class}", format.set);
        let found = format!("set/{file}{offset}");

        let ran = place.dtrp(&["data", "check", "set", "--name", format.set]);
        assert_eq!(ran.code, 4, "{what}: {}", ran.stderr);
        let line = ran
            .stdout
            .lines()
            .find(|line| line.contains(&found) && line.contains(says));
        assert!(line.is_some(), "{what}: no `{found}` and `{says}` in {}", ran.stdout);

        let name = format!("data.name={}", format.set);
        let mut sets = vec![
            name.as_str(),
            "data.dir=set",
            "data.batch_size=8",
            "run.epochs=1",
            "model.depth=8",
            "model.width=4",
        ];
        if format.set == "image-folder" {
            sets.push("data.shape=[3, 8, 8]");
        }
        let ran = place.train(&sets);
        assert_eq!(ran.code, 4, "{what}: {}", ran.stderr);
        assert!(
            ran.stderr.contains(&found) && ran.stderr.contains(says),
            "{what}: {}",
            ran.stderr
        );
        assert_eq!(ran.stderr.matches("error:").count(), 1, "{what}: {}", ran.stderr);
        assert_eq!(place.file("runs").exists(), !before, "{what}: {}", ran.stderr);
    }
}

#[test]
fn whole_files_have_no_problems() {
    for format in [&CIFAR10, &CIFAR100, &IDX, &IDX_GZ, &IMAGES] {
        let place = Place::new();
        (format.make)(&place.file("set"));
        let ran = place.dtrp(&["data", "check", "set", "--name", format.set]);
        assert_eq!(ran.code, 0, "{}: {}{}", format.set, ran.stdout, ran.stderr);
    }
}
