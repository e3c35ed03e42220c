//! Sets made by a program: in memory, and registered under a name.

use crate::support::{contains, message};
use dtrp_data::{
    DataError, DataSpec, Dataset, DatasetInfo, ImageShape, InMemory, Loader, LoaderOptions, OptionSpec, Options, Split,
    find, inventory, open,
};

const SHAPE: ImageShape = ImageShape::new(2, 1, 2);

fn set(samples: Vec<(Vec<u8>, u32)>) -> Result<InMemory, DataError> {
    InMemory::new("mine", SHAPE, 3, samples)
}

#[test]
fn images_and_labels_come_back() {
    let samples = vec![(vec![0, 255, 7, 7], 2), (vec![255, 0, 7, 7], 0)];
    let set = set(samples.clone()).unwrap();
    assert_eq!(
        (set.name(), set.len(), set.classes(), set.shape()),
        ("mine", 2, 3, SHAPE)
    );
    assert_eq!(set.class_names(), ["0", "1", "2"]);
    for (index, (pixels, label)) in samples.iter().enumerate() {
        let mut image = vec![0; 4];
        assert_eq!(set.get(index, &mut image).unwrap(), *label);
        assert_eq!(image, *pixels);
    }
    contains(
        &message(set.get(2, &mut [0; 4])),
        &["`mine`", "2 samples", "no sample 2"],
    );
    // The first channel is half black, half white; the second one is the same everywhere and is not scaled.
    let normalization = set.normalization();
    assert_eq!(normalization.mean, [0.5, 7.0 / 255.0]);
    assert_eq!(normalization.std, [0.5, 1.0]);
}

#[test]
fn it_loads_like_any_other_set() {
    let samples = (0..10).map(|i| (vec![i; 4], u32::from(i) % 3));
    let set = InMemory::new("mine", SHAPE, 3, samples).unwrap();
    let split = Split::new(set.clone(), set);
    let options = LoaderOptions {
        batch_size: 4,
        shuffle: false,
        ..LoaderOptions::default()
    };
    let loader = Loader::new(split.train, options).unwrap();
    let batches: Vec<_> = loader.epoch(0, 0).map(Result::unwrap).collect();
    assert_eq!(batches.iter().map(|batch| batch.len()).collect::<Vec<_>>(), [4, 4, 2]);
    assert_eq!(batches[1].labels, [1, 2, 0, 1]);
    assert_eq!(batches[1].images[..8], [4, 4, 4, 4, 5, 5, 5, 5]);
}

#[test]
fn the_sample_that_is_wrong_is_named() {
    let good = || (vec![1; 4], 0);
    for (samples, parts) in [
        (
            vec![good(), (vec![1; 5], 0)],
            &["`mine`: sample 1 has 5 bytes", "2x1x2 has 4"][..],
        ),
        (
            vec![good(), good(), (vec![1; 4], 3)],
            &["`mine`: sample 2 has label 3", "3 classes"],
        ),
        (vec![], &["`mine` has no samples"]),
    ] {
        contains(&message(set(samples)), parts);
    }
    for shape in [ImageShape::new(0, 4, 4), ImageShape::new(usize::MAX, 4, 4)] {
        let text = message(InMemory::new("mine", shape, 3, [(vec![], 0)]));
        contains(&text, &["`mine` cannot have images of"]);
    }
}

inventory::submit!(
    DatasetInfo::new(
        "checks.grey",
        "one level of grey for each class",
        &[OptionSpec::count("levels", 4, 2..=256, "classes")],
        grey,
    )
    .licence("MIT", None)
);

fn grey(_: &DataSpec, options: &Options<'_>) -> Result<Split, DataError> {
    let levels = options.count("levels") as usize;
    let part = |count: usize| {
        let sample = |i| {
            (
                vec![(i % levels * 255 / (levels - 1)) as u8; SHAPE.len()],
                (i % levels) as u32,
            )
        };
        InMemory::new("checks.grey", SHAPE, levels, (0..count).map(sample))
    };
    Ok(Split::new(part(20)?, part(10)?))
}

#[test]
fn a_set_of_ones_own_is_opened_by_name_with_its_options() {
    assert_eq!(find("checks.grey").unwrap().licence, "MIT");
    let open_with = |value: u32| open(&DataSpec::new("checks.grey").option("levels", value));
    assert_eq!(open(&DataSpec::new("checks.grey")).unwrap().train.classes(), 4);
    assert_eq!(open_with(3).unwrap().test.classes(), 3);
    contains(
        &message(open_with(1)),
        &["`checks.grey`", "`levels` is 1", "from 2 to 256"],
    );
    contains(
        &message(open(&DataSpec::new("checks.gray"))),
        &["did you mean `checks.grey`?"],
    );
    contains(
        &message(open(&DataSpec::new("checks.grey").option("level", 3))),
        &["did you mean `levels`?"],
    );
    contains(
        &message(open(&DataSpec::in_dir("checks.grey", "/nowhere"))),
        &["`dir` is not for this set"],
    );
}
