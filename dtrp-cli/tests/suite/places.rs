//! Cuts inside residual blocks, by name.

use crate::support::{Place, TINY};
use serde_json::Value;

#[test]
fn a_run_is_cut_inside_its_blocks() {
    let place = Place::new();
    let cuts = "method.cuts=[layer1.0/conv2, layer3.0]";
    place.tiny("inside", &["method.modules=3", cuts]);
    let workers = place.summary("inside")["workers"].clone();
    let blocks: Vec<&Value> = workers.as_array().unwrap().iter().map(|w| &w["blocks"]).collect();
    assert_eq!(blocks[1][0], "layer1.0/conv2", "{blocks:?}");
    // Its configuration repeats it.
    let again = ["train", "--config", "runs/inside/config.yaml", "--name", "again"];
    assert_eq!(place.dtrp(&again).code, 0);
    assert!(place.weights("inside") == place.weights("again"));
    // Plain backpropagation computes the same wherever the network is cut, and it is evaluated with any cut.
    place.tiny("bp", &["method.name=bp", "method.modules=1"]);
    place.tiny("bp-inside", &["method.name=bp", "method.modules=3", cuts]);
    assert!(place.weights("bp") == place.weights("bp-inside"));
    let accuracy = |name: &str| {
        let ran = place.dtrp(&["eval", &format!("runs/{name}"), "--format", "json"]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        serde_json::from_str::<Value>(&ran.stdout).unwrap()["accuracy"].clone()
    };
    assert_eq!(accuracy("bp"), accuracy("bp-inside"));
}

#[test]
fn what_is_no_place_is_told() {
    let place = Place::new();
    for (cuts, code, said) in [
        ("[layer1.0/conv3]", 5, "did you mean `layer1.0/conv2`?"),
        ("[layer1.0, layer2.0]", 5, "do not make 2 modules: give 1 places"),
        ("[stem]", 5, "method.cuts: unknown cut `stem`"),
        ("[layer1.0, 3]", 3, "names of places"),
    ] {
        let cut = format!("method.cuts={cuts}");
        let ran = place.train(&[TINY, &[&cut]].concat());
        assert_eq!(ran.code, code, "{cuts}: {}", ran.stderr);
        assert!(ran.stderr.contains(said), "{cuts}: {}", ran.stderr);
        assert_eq!(ran.stderr.matches("error").count(), 1, "{}", ran.stderr);
    }
}

#[test]
fn places_are_listed_with_what_crosses() {
    let place = Place::new();
    let show = ["models", "show", "resnet-cifar", "-o", "depth=8"];
    let ran = place.dtrp(&show);
    let line = ran
        .stdout
        .lines()
        .find(|line| line.trim_start().starts_with("layer2.0/conv2"));
    let line = line.unwrap_or_else(|| panic!("{}", ran.stdout));
    assert!(line.contains("32 x 16 x 16 + 16 x 32 x 32"), "{line}");
    let ran = place.dtrp(&[&show[..], &["--format", "json"]].concat());
    let shown: Value = serde_json::from_str(&ran.stdout).unwrap();
    let cuts = shown["cuts"].as_array().unwrap();
    let inside = cuts.iter().find(|cut| cut["place"] == "layer2.0/conv2").unwrap();
    assert_eq!(inside["crossing_bytes"], (32 * 16 * 16 + 16 * 32 * 32) * 4);
}
