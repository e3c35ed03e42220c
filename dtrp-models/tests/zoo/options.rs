//! What the families say to options and images that they cannot take.

use crate::built_in;
use dtrp_models::auxiliary::HeadKind;
use dtrp_models::{ModelInput, OptionValues, build, defaults};
use serde_json::json;

fn message(family: &str, choice: serde_json::Value, side: usize) -> String {
    let input = ModelInput {
        channels: 3,
        height: side,
        width: 224,
        classes: 10,
    };
    let options: OptionValues = serde_json::from_value(choice).unwrap();
    match build(family, &options, &input) {
        Ok(_) => "no error".to_owned(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn errors_name_the_option_and_what_it_may_be() {
    let table = [
        (
            "vgg",
            json!({"depth": 12}),
            "`depth` is 12, but must be 11, 13, 16 or 19",
        ),
        (
            "vgg",
            json!({"batch_norm": "yes"}),
            "`batch_norm` is \"yes\", but must be true or false",
        ),
        (
            "vgg",
            json!({"head": "small"}),
            "`head` is \"small\", but must be imagenet or cifar",
        ),
        (
            "vgg",
            json!({"dropout": 1.0}),
            "`dropout` is 1.0, but must be a number from 0 to below 1",
        ),
        (
            "vgg",
            json!({"batchnorm": true}),
            "no option `batchnorm` (did you mean `batch_norm`?)",
        ),
        ("resnet", json!({"depth": 20}), "must be 18, 34, 50, 101 or 152"),
        ("resnet", json!({"stem": 3}), "must be imagenet or cifar"),
        ("wide-resnet", json!({"depth": 152}), "must be 50 or 101"),
        ("wide-resnet", json!({"width": 0}), "must be a whole number from 1"),
        ("wide-resnet-cifar", json!({"depth": 20}), "must be 6n+4"),
        ("resnet-cifar", json!({"depth": 21}), "must be 6n+2"),
        ("tiny", json!({"depth": -1}), "must be a whole number from 1"),
        ("wide-resnet-cifra", json!({}), "did you mean `wide-resnet-cifar`?"),
    ];
    for (family, choice, expected) in table {
        let message = message(family, choice.clone(), 224);
        assert!(message.contains(expected), "{family} {choice}: {message}");
    }
}

#[test]
fn small_images_are_refused_where_nothing_would_be_left_of_them() {
    for (family, smallest) in [
        ("vgg", 32),
        ("resnet", 8),
        ("wide-resnet", 8),
        ("resnet-cifar", 4),
        ("wide-resnet-cifar", 4),
    ] {
        assert_eq!(message(family, json!({}), smallest), "no error");
        let message = message(family, json!({}), smallest - 1);
        assert!(message.contains("cannot take images"), "{message}");
    }
}

#[test]
fn declared_defaults_are_the_defaults() {
    let input = ModelInput {
        channels: 3,
        height: 32,
        width: 32,
        classes: 10,
    };
    for family in built_in() {
        let declared = defaults(family.name).unwrap();
        assert_eq!(declared.len(), family.options.len(), "every option has a default");
        let spelt = build(family.name, &declared, &input).unwrap();
        let silent = build(family.name, &OptionValues::new(), &input).unwrap();
        assert_eq!(spelt.parameters(), silent.parameters(), "{}", family.name);
        assert_eq!(spelt.blocks.len(), silent.blocks.len(), "{}", family.name);
    }
}

#[test]
fn heads_are_found_by_name() {
    assert_eq!(HeadKind::named("mlp").unwrap().name, "mlp");
    let message = HeadKind::named("linear").unwrap_err().to_string();
    assert!(message.contains("did you mean `linear-pool`?"), "{message}");
}

#[test]
fn an_option_that_makes_no_difference_is_known() {
    let input = ModelInput {
        channels: 3,
        height: 32,
        width: 32,
        classes: 10,
    };
    let unread = |name: &str, options: serde_json::Value| {
        let options = serde_json::from_value(options).unwrap();
        build(name, &options, &input).unwrap().unread
    };
    assert_eq!(
        unread("vgg", serde_json::json!({"head": "cifar", "dropout": 0.3})),
        ["dropout"]
    );
    assert!(unread("vgg", serde_json::json!({"dropout": 0.3})).is_empty());
    for family in built_in().filter(|family| family.name != "vgg") {
        assert!(unread(family.name, serde_json::json!({})).is_empty(), "{}", family.name);
    }
}
