//! The registry.

use crate::support::{contains, message};
use dtrp_data::{DataSpec, defaults, list, open};

#[test]
fn an_unknown_name_lists_the_known_ones_and_the_nearest() {
    let text = message(open(&DataSpec::new("cifar-10")));
    contains(
        &text,
        &[
            "`cifar-10`",
            "did you mean `cifar10`?",
            "the data sets are checks.grey, cifar10, cifar100, digits, fashion-mnist, image-folder, mnist, synthetic",
        ],
    );
    let text = message(open(&DataSpec::new("zzz")));
    assert!(!text.contains("did you mean"), "{text}");
}

#[test]
fn options_of_other_sets_are_errors() {
    let spec = DataSpec::in_dir("cifar10", "/nowhere").option("classes", 3);
    contains(&message(open(&spec)), &["cifar10", "`classes`", "remove it"]);
    contains(
        &message(open(&DataSpec::in_dir("digits", "/nowhere"))),
        &["digits", "`dir`", "remove it"],
    );
}

#[test]
fn names_are_unique_and_described() {
    for (number, set) in list().iter().enumerate() {
        assert!(!set.summary.is_empty() && set.options.iter().all(|option| !option.summary.is_empty()));
        assert!(list()[..number].iter().all(|other| other.name != set.name));
    }
}

#[test]
fn options_are_declared_with_their_defaults() {
    let defaults = serde_json::Value::from(defaults("synthetic").unwrap());
    let expected = serde_json::json!({
        "shape": [3, 32, 32], "classes": 10, "train_samples": 10_000, "test_samples": 1_000, "seed": 0,
    });
    assert_eq!(defaults, expected);
    let same = |spec: &DataSpec| {
        let set = open(spec).unwrap();
        (set.train.shape(), set.train.classes(), set.train.len(), set.test.len())
    };
    let spelt = DataSpec {
        options: defaults.as_object().unwrap().clone(),
        ..DataSpec::new("synthetic")
    };
    assert_eq!(same(&spelt), same(&DataSpec::new("synthetic")));
    // Null is not given, also to a set that has no such option.
    open(&DataSpec::new("digits").option("classes", serde_json::Value::Null)).unwrap();
}

#[test]
fn wrong_options_say_what_is_right() {
    for (spec, parts) in [
        (
            DataSpec::new("synthetic").option("clases", 3),
            &["no option `clases`", "did you mean `classes`?"][..],
        ),
        (
            DataSpec::new("synthetic").option("classes", 0),
            &["`classes` is 0", "from 1 to 1048576"],
        ),
        (
            DataSpec::new("synthetic").option("shape", 32),
            &["`shape` is 32", "[channels, height, width]"],
        ),
        (
            DataSpec::new("digits").option("seed", 1),
            &["no option `seed`", "remove it"],
        ),
    ] {
        contains(&message(open(&spec)), parts);
    }
}
