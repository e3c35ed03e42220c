//! The registry.

use crate::support::{contains, message};
use dtrp_data::{DataSpec, names, open};

#[test]
fn an_unknown_name_lists_the_known_ones_and_the_nearest() {
    let text = message(open(&DataSpec::new("cifar-10")));
    contains(
        &text,
        &[
            "`cifar-10`",
            "did you mean `cifar10`?",
            "digits, cifar10, cifar100, mnist, fashion-mnist, image-folder, synthetic",
        ],
    );
    let text = message(open(&DataSpec::new("zzz")));
    assert!(!text.contains("did you mean"), "{text}");
}

#[test]
fn options_of_other_sets_are_errors() {
    let spec = DataSpec {
        classes: Some(3),
        ..DataSpec::in_dir("cifar10", "/nowhere")
    };
    contains(&message(open(&spec)), &["cifar10", "`classes`", "remove it"]);
    contains(
        &message(open(&DataSpec::in_dir("digits", "/nowhere"))),
        &["digits", "`dir`", "remove it"],
    );
}

#[test]
fn names_are_unique_and_described() {
    for (number, set) in names().iter().enumerate() {
        assert!(!set.description.is_empty());
        assert!(names()[..number].iter().all(|other| other.name != set.name));
    }
}
