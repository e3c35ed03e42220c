//! Trainings so small that they take no time.

use dtrp_train::settings::Settings;
use dtrp_train::{Data, ImageShape, Result, Trainer, Training};

/// Two sorts of stripes.
pub(crate) fn stripes(side: usize, samples: u32) -> Data {
    let pixels =
        move |n: u32| (0..side * side).map(move |i| if (i % 2 == 0) == n.is_multiple_of(2) { 200 } else { 20 });
    let some = |count: u32| (0..count).map(|n| (pixels(n).collect(), n % 2)).collect::<Vec<_>>();
    Data::of_samples("stripes", ImageShape::new(1, side, side), 2, some(samples), some(4)).unwrap()
}

/// The settings of a small network on the digits, with changes as one writes them in a file.
pub(crate) fn settings(changes: &[(&str, serde_json::Value)]) -> Settings {
    let mut tree = serde_json::json!({
        "run": {"epochs": 2},
        "data": {"limit": 48, "test_limit": 16, "batch_size": 16, "threads": 0},
        "model": {"name": "tiny", "depth": 2, "width": 4},
        "method": {},
        "optimizer": {"schedule": {}},
    });
    for (path, value) in changes {
        let mut place = &mut tree;
        for key in path.split('.') {
            place = &mut place[key];
        }
        *place = value.clone();
    }
    serde_json::from_value(tree).unwrap()
}

pub(crate) fn build(changes: &[(&str, serde_json::Value)]) -> Result<Trainer> {
    Training::from_settings(settings(changes))?.build()
}

/// The error of a training that must not begin.
pub(crate) fn refused(changes: &[(&str, serde_json::Value)]) -> String {
    match build(changes) {
        Ok(_) => panic!("{changes:?} was not refused"),
        Err(error) => error.to_string(),
    }
}
