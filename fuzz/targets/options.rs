//! Options in JSON, as everything that has options reads them (data sets and predictors), the description of a predictor, and
//! that of an augmentation. What is in force is read back as itself.

#![no_main]

use dtrp_data::{Augment, list};
use dtrp_predictors::{Spec, create};
use dtrp_text::{OptionKind, Options};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    if let Ok(augment) = text.parse::<Augment>() {
        let written = augment.to_string();
        assert_eq!(written.parse::<Augment>().unwrap().to_string(), written, "{text}");
    }
    let Ok(given) = serde_json::from_str::<Value>(text) else {
        return;
    };
    for set in list() {
        let Ok(options) = Options::new("data set", set.name, set.options, &given) else {
            continue;
        };
        for option in set.options {
            match option.kind {
                OptionKind::Number { .. } | OptionKind::Share { .. } => _ = options.number(option.name),
                OptionKind::Count { .. } => _ = options.optional_count(option.name),
                OptionKind::Flag { .. } => _ = options.flag(option.name),
                OptionKind::Choice { .. } => _ = options.choice(option.name),
                OptionKind::Shape { .. } => _ = options.optional_shape(option.name),
            }
        }
        let resolved = options.resolved();
        let again = Options::of("data set", set.name, set.options, &resolved).unwrap();
        assert_eq!(again.resolved(), resolved, "{text}");
    }
    if let Ok(spec) = Spec::from_value(&given) {
        assert_eq!(Spec::from_value(&spec.to_value()).unwrap(), spec, "{text}");
        // What a library says is not for a fuzzer to find out.
        if spec.plugin.is_none()
            && let Ok(predictor) = create(&spec)
        {
            let _ = predictor.label();
        }
    }
});
