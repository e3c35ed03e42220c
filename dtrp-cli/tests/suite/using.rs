//! `dtrp eval`, `predict`, `export` and `lr-find`: using what a run has left.

use crate::support::{Place, Ran, TINY};
use image::{GrayImage, Rgb, RgbImage};
use serde_json::Value;
use std::fs;
use std::path::Path;

/// A run `a` in three modules with label smoothing, and how it is evaluated.
fn run(sets: &[&str]) -> Place {
    let place = Place::new();
    let own = ["method.modules=3", "optimizer.label_smoothing=0.1", "run.epochs=4"];
    place.tiny("a", &[&own, sets].concat());
    place
}

fn json(ran: &Ran) -> Value {
    serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {}{}", ran.stdout, ran.stderr))
}

fn eval(place: &Place, args: &[&str]) -> Value {
    let ran = place.dtrp(&[&["eval"], args, &["--format", "json"]].concat());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    json(&ran)
}

#[test]
fn an_evaluation_has_the_numbers_of_its_run() {
    let place = run(&[]);
    let own = eval(&place, &["runs/a"]);
    let (summary, epochs) = (place.summary("a"), place.events("a", "epoch"));
    assert_eq!(own["accuracy"], summary["final_test_accuracy"]);
    assert_eq!(own["loss"], epochs[3]["test_loss"]);
    assert!(own["trained_loss"].as_f64() > own["loss"].as_f64(), "{own}");
    assert_eq!((&own["samples"], &own["label_smoothing"]), (&64.into(), &0.1.into()));
    let counts: Vec<Vec<u64>> = serde_json::from_value(own["confusion"].clone()).unwrap();
    assert_eq!(counts.iter().flatten().sum::<u64>(), 64);
    let right = (0..10).map(|class| counts[class][class]).sum::<u64>() as f64;
    assert_eq!(own["accuracy"], right / 64.0);
    assert_eq!(own["classes"][3]["samples"], counts[3].iter().sum::<u64>());
    assert!(own["top5_accuracy"].as_f64() >= own["accuracy"].as_f64());

    // Another K, another executor, the file itself, a configuration beside it: the same network.
    for args in [
        &["runs/a", "--set", "method.modules=2"][..],
        &["runs/a", "--set", "run.executor=sequential"],
        &["runs/a/weights.safetensors"],
        &["runs/a/weights.safetensors", "--config", "runs/a/config.yaml"],
    ] {
        let other = eval(&place, args);
        for key in ["accuracy", "top5_accuracy", "loss", "trained_loss", "confusion"] {
            assert_eq!(own[key], other[key], "{args:?}: {key}");
        }
    }
    let train = eval(&place, &["runs/a", "--split", "train"]);
    assert_eq!((&train["samples"], &train["split"]), (&160.into(), &"train".into()));

    for (format, parts) in [
        ("text", ["64 samples", "with label smoothing 0.1", "true class"]),
        ("markdown", ["64 samples", "| loss as trained |", "| true class |"]),
    ] {
        let ran = place.dtrp(&["eval", "runs/a", "--format", format]);
        for part in parts {
            assert!(ran.stdout.contains(part), "{}", ran.stdout);
        }
    }
}

#[test]
fn a_checkpoint_is_evaluated_as_a_run() {
    let place = run(&[]);
    let latest = fs::read_link(place.file("runs/a/checkpoints/latest")).unwrap();
    let folder = place.file("runs/a/checkpoints").join(&latest);
    let step = format!("runs/a/checkpoints/{}", latest.display());
    fs::remove_file(place.file("runs/a/weights.safetensors")).unwrap();
    let accuracy = &place.summary("a")["final_test_accuracy"];
    for path in [&*step, "runs/a/checkpoints/latest/"] {
        assert_eq!(&eval(&place, &[path])["accuracy"], accuracy, "{path}");
    }
    let ran = Ran::of(
        place
            .command(&["eval", ".", "--format", "json"])
            .current_dir(&folder)
            .output()
            .unwrap(),
    );
    assert_eq!(&json(&ran)["accuracy"], accuracy);
    let exported = place.dtrp(&["export", "runs/a/checkpoints/latest", "-o", "a.npz"]);
    assert_eq!(exported.code, 0, "{}", exported.stderr);
    for (path, says) in [
        ("runs/a/checkpoints", "name one of them"),
        ("runs/a", "has left no weights.safetensors"),
    ] {
        let ran = place.dtrp(&["eval", path]);
        assert_eq!(ran.code, 5, "{}", ran.stderr);
        assert!(ran.stderr.contains(says), "{}", ran.stderr);
    }
}

#[test]
fn what_cannot_be_evaluated_is_told() {
    let place = run(&[]);
    fs::copy(place.file("runs/a/weights.safetensors"), place.file("w.safetensors")).unwrap();
    fs::write(place.file("bad.safetensors"), "PK").unwrap();
    for (args, code, parts) in [
        (&["nowhere"][..], 4, ["nowhere", "cannot be read"]),
        (&["runs"], 5, ["runs", "is not the folder of a run"]),
        (&["w.safetensors"], 5, ["w.safetensors", "--config"]),
        (
            &["bad.safetensors", "--config", "runs/a/config.yaml"],
            5,
            ["bad.safetensors", "no safetensors file"],
        ),
        (
            &["runs/a", "--set", "model.width=8"],
            5,
            ["weights.safetensors", "has shape"],
        ),
        (&["runs/a", "--set", "data.name=cifar10"], 4, ["data.dir", "cifar10"]),
        (&["runs/a", "--set", "run.device=cuda:9"], 6, ["run.device", "cuda:9"]),
        (&["runs/a", "--split", "both"], 2, ["--split", "both"]),
    ] {
        let ran = place.dtrp(&[&["eval"], args].concat());
        assert_eq!(ran.code, code, "{args:?}: {}", ran.stderr);
        for part in parts {
            assert!(ran.stderr.contains(part), "{args:?}: {}", ran.stderr);
        }
        assert!(!ran.stderr.contains("init_from"), "{args:?}: {}", ran.stderr);
    }
}

/// The images of the test part, written to files, get the answers that the evaluation counts.
#[test]
fn images_of_the_test_part_are_predicted_as_they_are_evaluated() {
    let place = run(&[]);
    let set = dtrp_data::open(&dtrp_data::DataSpec::new("digits")).unwrap().test;
    let (mut names, mut labels) = (Vec::new(), Vec::new());
    for index in 0..64 {
        let mut pixels = vec![0; 64];
        labels.push(set.get(index, &mut pixels).unwrap() as usize);
        names.push(format!("{index}.png"));
        GrayImage::from_raw(8, 8, pixels)
            .unwrap()
            .save(place.file(&names[index]))
            .unwrap();
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let ran = place.dtrp(&[&["predict", "runs/a", "--format", "json"], &names[..]].concat());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    same_as_evaluated(&json(&ran), &labels, &eval(&place, &["runs/a"]));
    let ran = place.dtrp(&["predict", "runs/a", "0.png", "-k", "2"]);
    assert_eq!(ran.stdout.lines().count(), 3, "{}", ran.stdout);
}

/// Logits, as `dtrp predict` prints them, against accuracy and loss of `dtrp eval`.
fn same_as_evaluated(predicted: &Value, labels: &[usize], evaluated: &Value) {
    let images = predicted["images"].as_array().unwrap();
    assert_eq!(images.len(), labels.len());
    let (mut right, mut loss) = (0, 0.0);
    for (image, label) in images.iter().zip(labels) {
        let logits: Vec<f64> = serde_json::from_value(image["logits"].clone()).unwrap();
        right += usize::from(image["top"][0]["class"] == *label);
        loss += logits.iter().map(|logit| logit.exp()).sum::<f64>().ln() - logits[*label];
        let best = &image["top"][0];
        let class = best["class"].as_u64().unwrap() as usize;
        assert_eq!(best["name"], predicted["class_names"][class]);
        assert!(logits.iter().all(|logit| *logit <= logits[class]));
    }
    let samples = labels.len() as f64;
    assert_eq!(evaluated["accuracy"], right as f64 / samples);
    let own = evaluated["loss"].as_f64().unwrap();
    assert!(
        (loss / samples - own).abs() < 1e-6 * own.max(1.0),
        "{} {own}",
        loss / samples
    );
}

/// Folders of pictures of two colours, some of another size than the others.
fn pictures(folder: &Path) -> Vec<(String, usize)> {
    let mut files = Vec::new();
    for part in ["train", "test"] {
        for (label, class) in ["cool", "warm"].into_iter().enumerate() {
            fs::create_dir_all(folder.join(part).join(class)).unwrap();
            for number in 0..6u32 {
                let picture = RgbImage::from_fn(40 + number, 33, |x, y| {
                    let level = ((x * 5 + y * 3 + number * 17) % 120) as u8;
                    if label == 0 {
                        Rgb([level, 60, 200])
                    } else {
                        Rgb([200, 60, level])
                    }
                });
                let name = format!("{part}/{class}/{number}.png");
                picture.save(folder.join(&name)).unwrap();
                if part == "test" {
                    files.push((format!("photos/{name}"), label));
                }
            }
        }
    }
    files
}

#[test]
fn pictures_of_any_size_are_brought_to_the_sets_shape() {
    for (name, resize) in [("with", "data.resize=20"), ("without", "data.resize=null")] {
        let place = Place::new();
        let files = pictures(&place.file("photos"));
        let sets = [
            "model={name: tiny, width: 4}",
            "data={name: image-folder, dir: photos, shape: [3, 16, 16], batch_size: 4}",
            resize,
            "run.epochs=2",
            "run.name=a",
        ];
        let ran = place.train(&sets);
        assert_eq!(ran.code, 0, "{name}: {}", ran.stderr);
        let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
        let labels: Vec<usize> = files.iter().map(|(_, label)| *label).collect();
        let ran = place.dtrp(&[&["predict", "runs/a", "--format", "json"], &names[..]].concat());
        assert_eq!(ran.code, 0, "{name}: {}", ran.stderr);
        let predicted = json(&ran);
        assert_eq!(predicted["class_names"], serde_json::json!(["cool", "warm"]));
        same_as_evaluated(&predicted, &labels, &eval(&place, &["runs/a"]));
        let ran = place.dtrp(&["eval", "runs/a"]);
        assert!(ran.stdout.contains("says nothing with 2 classes"), "{}", ran.stdout);
    }
}

#[test]
fn a_bad_image_is_named_and_the_others_are_answered() {
    let place = run(&[]);
    GrayImage::from_pixel(8, 8, image::Luma([90]))
        .save(place.file("good.png"))
        .unwrap();
    RgbImage::from_pixel(30, 20, Rgb([1, 2, 3]))
        .save(place.file("large.png"))
        .unwrap();
    let whole = fs::read(place.file("large.png")).unwrap();
    fs::write(place.file("cut.png"), &whole[..whole.len() / 2]).unwrap();
    let ran = place.dtrp(&["predict", "runs/a", "nowhere.png", "good.png", "cut.png", "large.png"]);
    assert_eq!(ran.code, 4, "{}", ran.stderr);
    assert!(
        ran.stdout.contains("good.png") && !ran.stdout.contains("cut.png"),
        "{}",
        ran.stdout
    );
    for part in [
        "nowhere.png: cannot read the file",
        "cut.png: byte",
        "large.png: the image is 30 pixels wide and 20 high, and the images of `digits` are 8 wide and 8 high",
        "--scale",
        "3 of 4 images could not be read",
    ] {
        assert!(ran.stderr.contains(part), "{part}: {}", ran.stderr);
    }
    let ran = place.dtrp(&["predict", "runs/a", "--scale", "large.png", "--format", "json"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let ran = place.dtrp(&["predict", "runs/a", "--format", "json", "cut.png", "good.png"]);
    assert_eq!(ran.code, 4);
    let images = &json(&ran)["images"];
    assert!(
        images[0]["error"].is_string() && images[1]["top"].is_array(),
        "{images}"
    );

    // From stdin.
    let mut command = place.command(&["predict", "runs/a", "-"]);
    let ran = Ran::of(
        command
            .stdin(fs::File::open(place.file("good.png")).unwrap())
            .output()
            .unwrap(),
    );
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stdout.contains("-      "), "{}", ran.stdout);
}

fn header(file: &Path) -> Value {
    let bytes = fs::read(file).unwrap();
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    serde_json::from_slice(&bytes[8..8 + length]).unwrap()
}

#[test]
fn exported_weights_are_those_of_the_run() {
    let place = run(&[]);
    let export = |args: &[&str]| place.dtrp(&[&["export", "runs/a"], args].concat());
    let ran = export(&["-o", "a.safetensors"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let (own, exported) = (place.weights("a"), fs::read(place.file("a.safetensors")).unwrap());
    assert!(own == exported, "nothing was to be converted");
    assert_eq!(header(&place.file("a.safetensors"))["__metadata__"]["format"], "pt");
    for dtype in ["f16", "bf16", "f32", "f64"] {
        let ran = export(&["-o", "b.safetensors", "--dtype", dtype]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let header = header(&place.file("b.safetensors"));
        assert_eq!(header["conv1.weight"]["dtype"], dtype.to_uppercase());
        assert_eq!(header["bn1.num_batches_tracked"]["dtype"], "I64");
    }
    // What was exported is evaluated again, to the precision that is left.
    let evaluated = eval(&place, &["b.safetensors", "--config", "runs/a/config.yaml"]);
    assert_eq!(evaluated["loss"], eval(&place, &["runs/a"])["loss"]);
    assert_eq!(export(&["-o", "a.npz"]).code, 0);
    assert_eq!(&fs::read(place.file("a.npz")).unwrap()[..4], b"PK\x03\x04");
    for (args, code, says) in [
        (&["-o", "a.bin"][..], 5, "--format"),
        (&["-o", "a.npz", "--dtype", "bf16"], 5, "NumPy does not know"),
        (&["-o", "a.npz", "--dtype", "f8"], 2, "f16"),
        (&["-o", "nowhere/a.npz"], 9, "nowhere/a.npz"),
    ] {
        let ran = export(args);
        assert_eq!(ran.code, code, "{args:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(says), "{args:?}: {}", ran.stderr);
    }
}

#[test]
fn a_range_test_leaves_nothing_and_suggests_a_rate() {
    let place = Place::new();
    let sets: Vec<&str> = TINY.iter().flat_map(|set| ["--set", set]).collect();
    let find = |args: &[&str]| place.dtrp(&[&["lr-find"], &sets[..], args].concat());
    let ran = find(&["--format", "json"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let found = json(&ran);
    let points = found["points"].as_array().unwrap();
    // The rates are those of an exponential schedule from 1e-6 to 10.
    for (at, point) in points.iter().enumerate() {
        let expected = 1e-6 * 1e7f64.powf(at as f64 / 99.0);
        assert!((point["lr"].as_f64().unwrap() / expected - 1.0).abs() < 1e-9, "{point}");
    }
    for key in ["steepest", "minimum"] {
        let rate = found[key].as_f64().unwrap();
        assert!((1e-3..=10.0).contains(&rate), "{key} {rate}");
    }
    assert!(!place.file("runs").exists());
    assert_eq!(json(&find(&["--format", "json"])), found, "another time, another curve");
    let ran = find(&[]);
    assert!(ran.stdout.contains("suggestion: optimizer.lr="), "{}", ran.stdout);

    // Nothing is learnt at rates so small; nothing is suggested.
    let ran = find(&["--from", "1e-9", "--to", "1e-7", "--steps", "20"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(
        ran.stdout.contains("no suggestion: the loss fell by less"),
        "{}",
        ran.stdout
    );
    // What diverges is an end of the range, not a failure.
    let ran = find(&["--to", "1e12", "--steps", "60", "--format", "json"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(["exploded", "diverged"].contains(&json(&ran)["end"].as_str().unwrap()));
    for (args, code, says) in [
        (&["--from", "1", "--to", "0.1"][..], 5, "not from 1 to 0.1"),
        (&["--steps", "3"], 2, "20"),
        (&["--to", "1e300"], 3, "optimizer.schedule.final_lr"),
    ] {
        let ran = find(args);
        assert_eq!(ran.code, code, "{args:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(says), "{args:?}: {}", ran.stderr);
    }
}
