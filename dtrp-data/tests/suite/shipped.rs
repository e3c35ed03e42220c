//! The sets that need no files.

use crate::support::{all, contains, message};
use dtrp_data::{DataError, DataSpec, ImageShape, open};
use serde_json::Value;

/// `counts`: samples per class.
fn check_digits(part: &std::sync::Arc<dyn dtrp_data::Dataset>, counts: [usize; 10], first: [u8; 8], label: u32) {
    let samples = all(part);
    let count = |class| samples.iter().filter(|(_, label)| *label == class).count();
    assert_eq!(std::array::from_fn(|class| count(class as u32)), counts);
    assert_eq!((&samples[0].0[8..16], samples[0].1), (&first[..], label));
    assert_eq!((part.shape(), part.classes()), (ImageShape::new(1, 8, 8), 10));
}

/// Counts by class and the second row of the first image, as `digits/make.py` and scikit-learn have
/// them.
#[test]
fn digits_are_all_there() {
    let digits = open(&DataSpec::new("digits")).unwrap();
    check_digits(
        &digits.train,
        [142, 146, 142, 146, 145, 146, 145, 143, 139, 144],
        [0, 0, 207, 239, 159, 239, 80, 0],
        0,
    );
    check_digits(
        &digits.test,
        [36, 36, 35, 37, 36, 36, 36, 36, 35, 36],
        [0, 0, 191, 223, 223, 191, 0, 0],
        8,
    );
    let images = |part| {
        all(part)
            .into_iter()
            .map(|(image, _)| image)
            .collect::<std::collections::HashSet<_>>()
    };
    assert!(images(&digits.train).is_disjoint(&images(&digits.test)));
}

#[test]
fn digits_have_their_normalization() {
    let train = open(&DataSpec::new("digits")).unwrap().train;
    let pixels: Vec<f64> = all(&train)
        .iter()
        .flat_map(|(image, _)| image.clone())
        .map(|p| f64::from(p) / 255.0)
        .collect();
    let mean = pixels.iter().sum::<f64>() / pixels.len() as f64;
    let std = (pixels.iter().map(|p| (p - mean).powi(2)).sum::<f64>() / pixels.len() as f64).sqrt();
    let normalization = train.normalization();
    assert!((f64::from(normalization.mean[0]) - mean).abs() < 1e-4, "{mean}");
    assert!((f64::from(normalization.std[0]) - std).abs() < 1e-4, "{std}");
}

fn synthetic(shape: ImageShape, classes: usize, seed: u64) -> dtrp_data::Split {
    let spec = DataSpec::new("synthetic").shape(shape).option("classes", classes);
    let spec = spec.option("train_samples", 60).option("test_samples", 20);
    open(&spec.option("seed", seed)).unwrap()
}

/// The nearest class mean of the training part names every test image: the set can be learnt.
#[test]
fn synthetic_can_be_learnt_and_is_the_same_every_time() {
    for (shape, classes) in [
        (ImageShape::new(3, 16, 16), 4),
        (ImageShape::new(1, 8, 12), 2),
        (ImageShape::new(1, 31, 7), 3),
    ] {
        let set = synthetic(shape, classes, 7);
        assert_eq!(all(&set.train), all(&synthetic(shape, classes, 7).train));
        assert_ne!(all(&set.train), all(&synthetic(shape, classes, 8).train));
        assert_ne!(all(&set.train)[..20], all(&set.test));
        let mut means = vec![vec![0.0; shape.len()]; classes];
        for (image, label) in all(&set.train) {
            means[label as usize]
                .iter_mut()
                .zip(&image)
                .for_each(|(mean, &p)| *mean += f64::from(p) * classes as f64 / 60.0);
        }
        let distance = |image: &[u8], class: usize| -> f64 {
            image
                .iter()
                .zip(&means[class])
                .map(|(&p, mean)| (f64::from(p) - mean).powi(2))
                .sum()
        };
        for (image, label) in all(&set.test) {
            let nearest = (0..classes).min_by(|&a, &b| distance(&image, a).total_cmp(&distance(&image, b)));
            assert_eq!(nearest, Some(label as usize), "{shape}");
        }
    }
}

#[test]
fn synthetic_is_as_large_as_one_likes() {
    let spec = DataSpec::new("synthetic").shape(ImageShape::new(3, 512, 512));
    let set = open(&spec.option("train_samples", 4_000_000_000_u64)).unwrap();
    let mut image = vec![0; set.train.shape().len()];
    assert_eq!(set.train.get(3_999_999_999, &mut image).unwrap(), 9);
}

#[test]
fn wrong_arguments_are_errors() {
    let set = open(&DataSpec::new("digits")).unwrap().test;
    contains(
        &message(set.get(359, &mut [0; 64])),
        &["digits", "359 samples", "no sample 359"],
    );
    assert!(matches!(
        set.get(0, &mut [0; 63]),
        Err(DataError::Buffer { want: 64, got: 63, .. })
    ));
    for (option, value) in [
        ("shape", ImageShape::new(1, 0, 4).into()),
        ("shape", ImageShape::new(usize::MAX, 4, 4).into()),
        ("classes", Value::from(0)),
        ("test_samples", 0.into()),
    ] {
        let spec = DataSpec::new("synthetic").option(option, value);
        assert!(matches!(open(&spec), Err(DataError::Option { .. })), "{spec:?}");
    }
}
