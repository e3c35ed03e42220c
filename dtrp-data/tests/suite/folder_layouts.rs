//! How people lay out folders of images, and what is told of what is left out.

use crate::image_folders::{make, picture, put};
use crate::support::{contains, message};
use dtrp_data::{DataSpec, ImageShape, Split, check, open};
use image::ImageFormat;
use std::ffi::{CString, OsStr};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;

fn png(level: u8) -> Vec<u8> {
    picture(ImageFormat::Png, 4, 4, [level; 3])
}

fn spec(root: &Path) -> DataSpec {
    DataSpec::in_dir("image-folder", root).shape(ImageShape::new(3, 4, 4))
}

/// The first level and the label of each sample to train on and to test on.
fn levels(split: &Split) -> [Vec<(u8, u32)>; 2] {
    [&split.train, &split.test].map(|part| {
        let mut image = vec![0; 48];
        let sample = |index| {
            let label = part.get(index, &mut image).unwrap();
            (image[0], label)
        };
        (0..part.len()).map(sample).collect()
    })
}

fn pipe(path: &Path) {
    let path = CString::new(path.as_os_str().as_bytes()).unwrap();
    // SAFETY: the path is a C string.
    assert_eq!(unsafe { libc::mkfifo(path.as_ptr(), 0o600) }, 0);
}

#[test]
fn images_are_taken_at_any_depth_and_with_every_extension_and_the_rest_is_counted() {
    let root = tempfile::tempdir().unwrap();
    let train = root.path().join("train");
    make(root.path());
    for (number, name) in ["x.bmp", "x.WebP", "x.jfif", "x.TIF", "x.tiff", "x.ppm", "x.pgm"]
        .iter()
        .enumerate()
    {
        put(train.join("red/deep/er").join(name), &png(number as u8));
    }
    put(train.join("red/empty.gif"), b"");
    put(train.join("red/noname"), b"");
    put(train.join("stray.png"), &png(9));
    put(train.join(".git/x.png"), &png(9));
    let set = open(&spec(root.path())).unwrap();
    assert_eq!((set.train.len(), set.test.len()), (12, 1));
    assert_eq!(set.train.class_names(), ["blue", "red"]);
    // Two text files and the two above; a hidden image and a hidden folder; and the stray one.
    let note = "train/: left out: 6; no extension of images: 3 (.gif, .txt, noname); outside the class folders: 1 (stray.png); \
                hidden: 2 (.git, .hidden.png)";
    assert_eq!(set.train.notes(), [note]);
    let test_note = "val/: left out: 1; no extension of images: 1 (.txt)";
    assert_eq!(set.test.notes(), [test_note]);
    let report = check(&spec(root.path()), 1).unwrap();
    assert_eq!(
        (&report.problems[..], &report.notes[..]),
        (&[][..], &[note.to_string(), test_note.to_string()][..])
    );
}

#[test]
fn a_broken_file_is_one_problem_and_its_class_keeps_the_others() {
    let root = tempfile::tempdir().unwrap();
    let class = root.path().join("train/blue");
    make(root.path());
    symlink("/nowhere/notes", class.join("notes.txt")).unwrap();
    symlink("/nowhere/image", class.join("link.jpg")).unwrap();
    symlink("loop.jpg", class.join("loop.jpg")).unwrap();
    symlink("..", class.join("up")).unwrap();
    pipe(&class.join("pipe.png"));
    pipe(&class.join("pipe"));
    let _socket = UnixListener::bind(class.join("socket.jpg")).unwrap();
    symlink("/dev/zero", class.join("zero.bmp")).unwrap();
    // Training on what is left would be training on less than was meant.
    contains(&message(open(&spec(root.path()))), &["train/blue/", "cannot "]);
    let report = check(&spec(root.path()), 2).unwrap();
    let found: Vec<_> = report.problems.iter().map(ToString::to_string).collect();
    for (file, problem) in [
        ("link.jpg", "the link leads nowhere; mend or remove it"),
        ("loop.jpg", "symbolic links"),
        ("pipe.png", "a pipe, socket or device"),
        ("socket.jpg", "a pipe, socket or device"),
        ("zero.bmp", "a pipe, socket or device"),
    ] {
        let of_file = |text: &&String| text.contains(&format!("train/blue/{file}: ")) && text.contains(problem);
        assert_eq!(found.iter().filter(of_file).count(), 1, "{file} in {found:#?}");
    }
    assert_eq!(found.len(), 5, "{found:#?}");
    // `up` leads to the folder of both classes, whose images are found once more, and not in circles.
    assert_eq!(report.parts[0].samples, 5 + 2);
    contains(
        &report.notes[0],
        &[
            "links that lead nowhere: 1 (link.jpg)",
            "pipes, sockets or devices: 3 (pipe.png, socket.jpg, zero.bmp)",
            "cannot be looked at: 1 (loop.jpg)",
            "links to a folder that was seen already: 1 (blue)",
        ],
    );
    for image in ["link.jpg", "loop.jpg", "pipe.png", "socket.jpg", "zero.bmp"] {
        fs::remove_file(class.join(image)).unwrap();
    }
    // What is no image needs not lead anywhere.
    assert_eq!(open(&spec(root.path())).unwrap().train.len(), 5 + 2);
}

/// What is replaced by a pipe after it was listed is not waited for.
#[test]
fn a_file_that_becomes_a_pipe_is_an_error() {
    let root = tempfile::tempdir().unwrap();
    make(root.path());
    let set = open(&spec(root.path())).unwrap();
    let image = root.path().join("train/blue/1.png");
    fs::remove_file(&image).unwrap();
    pipe(&image);
    contains(
        &message(set.train.get(0, &mut [0; 48])),
        &["train/blue/1.png", "cannot read the file", "a pipe"],
    );
    for name in ["cifar10", "mnist"] {
        let root = tempfile::tempdir().unwrap();
        for file in [
            "data_batch_1.bin",
            "train-images-idx3-ubyte",
            "train-images-idx3-ubyte.gz",
        ] {
            pipe(&root.path().join(file));
        }
        let report = check(&DataSpec::in_dir(name, root.path()), 1).unwrap();
        contains(&format!("{:?}", report.problems), &["a pipe, socket or device"]);
        assert!(open(&DataSpec::in_dir(name, root.path())).is_err());
    }
}

#[test]
fn names_that_are_no_text_are_names() {
    let root = tempfile::tempdir().unwrap();
    let odd = |bytes: &'static [u8]| OsStr::from_bytes(bytes);
    for part in ["train", "test"] {
        // Both classes' names look the same when shown.
        put(
            root.path().join(part).join(odd(b"a\xff")).join(odd(b"\xfe.png")),
            &png(2),
        );
        put(
            root.path().join(part).join(odd(b"a\xfe")).join(odd(b"\xff.PNG")),
            &png(3),
        );
    }
    let [train, test] = levels(&open(&spec(root.path())).unwrap());
    assert_eq!((&train, &test), (&vec![(3, 0), (2, 1)], &vec![(3, 0), (2, 1)]));
    assert_eq!(check(&spec(root.path()), 1).unwrap().problems, []);
}

#[test]
fn the_first_part_with_class_folders_is_tested_on() {
    let root = tempfile::tempdir().unwrap();
    for (part, level) in [("train", 1), ("val", 2), ("valid", 3)] {
        put(root.path().join(part).join("n01/1.png"), &png(level));
    }
    put(root.path().join("test/0001.png"), &png(9));
    let set = open(&spec(root.path())).unwrap();
    assert_eq!(levels(&set)[1], [(2, 0)]);
    assert_eq!(set.test.notes(), ["test/ has no folders of classes: val/ is tested on"]);
    // Folders of no class are no reason to take it.
    put(root.path().join("test/images/1.png"), &png(9));
    assert_eq!(levels(&open(&spec(root.path())).unwrap())[1], [(2, 0)]);
    put(root.path().join("test/n01/1.png"), &png(4));
    contains(
        &message(open(&spec(root.path()))),
        &["train/images is not there", "test/images is a class to test on"],
    );
    fs::remove_dir_all(root.path().join("test/images")).unwrap();
    assert_eq!(levels(&open(&spec(root.path())).unwrap())[1], [(4, 0)]);
}

#[test]
fn tiny_imagenet_is_read_as_it_comes() {
    let root = tempfile::tempdir().unwrap();
    let put = |path: &str, bytes: &[u8]| put(root.path().join(path), bytes);
    for (class, level) in [("n01", 1), ("n02", 2)] {
        put(&format!("train/{class}/images/{class}_0.JPEG"), &png(level));
        put(
            &format!("train/{class}/{class}_boxes.txt"),
            b"n01_0.JPEG\t0\t0\t62\t62\n",
        );
    }
    for (number, level) in [(0, 10), (1, 11), (2, 12)] {
        put(&format!("val/images/val_{number}.JPEG"), &png(level));
    }
    put("test/images/test_0.JPEG", &png(9));
    let list = "val/val_annotations.txt";
    put(
        list,
        b"val_0.JPEG\tn02\t0\t32\t44\t62\nval_1.JPEG\tn01\t0\t0\t1\t1\r\nval_2.JPEG\tn02\t1\t2\t3\t4\n",
    );
    let set = open(&spec(root.path())).unwrap();
    assert_eq!(levels(&set), [vec![(1, 0), (2, 1)], vec![(11, 0), (10, 1), (12, 1)]]);
    assert_eq!(check(&spec(root.path()), 1).unwrap().problems, []);

    put(list, b"val_0.JPEG\tn02\nval_1.JPEG\tn03\n");
    contains(
        &message(open(&spec(root.path()))),
        &["val_annotations.txt: byte 15:", "\"n03\""],
    );
    put(list, b"val_0.JPEG n02\n");
    contains(
        &message(open(&spec(root.path()))),
        &["val_annotations.txt: byte 0:", "a tab"],
    );
    put(list, b"val_0.JPEG\tn02\nval_9.JPEG\tn01\n");
    let report = check(&spec(root.path()), 1).unwrap();
    assert_eq!(report.problems.len(), 1);
    contains(
        &report.problems[0].to_string(),
        &["val/images/val_9.JPEG", "val_annotations.txt names it"],
    );
    contains(&report.notes.concat(), &["outside the class folders: 2"]);
    contains(&message(open(&spec(root.path()))), &["val_9.JPEG is not there"]);
}
