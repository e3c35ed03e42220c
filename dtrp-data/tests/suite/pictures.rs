//! Image files of one's own become what the set's images are.

use dtrp_data::{DataError, DataSpec, ImageShape, Picture, open};
use image::{GrayImage, RgbImage};
use std::path::Path;

fn colours(width: u32, height: u32, seed: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        let level = |of: u32| (x * 7 + y * 13 + of * 50 + seed * 31) as u8;
        image::Rgb([level(1), level(2), level(3)])
    })
}

/// In every shape, with and without `resize`, a file of the test part is read to what the set gives for it.
#[test]
fn a_file_of_the_set_is_the_sets_image() {
    let folder = tempfile::tempdir().unwrap();
    for (number, place) in ["train/a", "train/b", "test/a", "test/b"].into_iter().enumerate() {
        let place = folder.path().join(place);
        std::fs::create_dir_all(&place).unwrap();
        colours(40 + number as u32, 31, number as u32)
            .save(place.join("x.png"))
            .unwrap();
    }
    for channels in [1, 3] {
        for (height, width, resize) in [(8, 8, None), (10, 6, None), (8, 8, Some(12)), (31, 40, None)] {
            let mut spec =
                DataSpec::in_dir("image-folder", folder.path()).shape(ImageShape::new(channels, height, width));
            if let Some(resize) = resize {
                spec = spec.option("resize", resize);
            }
            let set = open(&spec).unwrap().test;
            for (index, name) in ["test/a/x.png", "test/b/x.png"].into_iter().enumerate() {
                let mut image = vec![0; set.shape().len()];
                set.get(index, &mut image).unwrap();
                let picture = Picture::read(&folder.path().join(name), channels).unwrap();
                assert_eq!(
                    set.image_of(&picture).unwrap(),
                    image,
                    "{channels} {height} {width} {resize:?}"
                );
            }
        }
    }
}

#[test]
fn sets_of_one_size_take_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let set = open(&DataSpec::new("digits")).unwrap().test;
    let mut image = vec![0; 64];
    set.get(3, &mut image).unwrap();
    let path = folder.path().join("three.png");
    GrayImage::from_raw(8, 8, image.clone()).unwrap().save(&path).unwrap();
    assert_eq!(set.image_of(&Picture::read(&path, 1).unwrap()).unwrap(), image);

    let path = folder.path().join("large.png");
    colours(40, 30, 0).save(&path).unwrap();
    let picture = Picture::read(&path, 1).unwrap();
    let error = set.image_of(&picture).unwrap_err().to_string();
    for part in [
        "large.png",
        "40 pixels wide and 30 high",
        "`digits` are 8 wide and 8 high",
    ] {
        assert!(error.contains(part), "{error}");
    }
    assert_eq!(picture.scaled(set.shape()).len(), 64);
}

#[test]
fn what_is_no_image_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("text.png");
    std::fs::write(&path, "hello").unwrap();
    let told = |path: &Path, channels| Picture::read(path, channels).err().unwrap();
    assert!(matches!(told(&path, 3), DataError::Corrupt { .. }));
    assert!(matches!(
        told(&folder.path().join("nowhere.png"), 3),
        DataError::Io { .. }
    ));
    colours(2, 2, 0).save(&path).unwrap();
    assert!(told(&path, 4).to_string().contains("images of 4 channels"));
}
