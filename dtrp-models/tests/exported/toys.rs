//! Small networks that `make.py` has exported, compared with what PyTorch has computed.

use super::run::{Net, distance, with_prefix};
use dtrp_core::torch::{Keep, Mode};
use dtrp_models::Network;
use dtrp_models::exported::Exported;
use dtrp_models::weights;
use std::collections::HashMap;
use std::path::PathBuf;
use tch::{Kind, Tensor};

pub(crate) fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/exported/files")
        .join(name)
}

fn toy() -> Exported {
    Exported::open(&file("toy.pt2"), None).unwrap_or_else(|error| panic!("{error}"))
}

fn possible(exported: &Exported) -> Vec<usize> {
    let places = exported.places().iter().filter(|place| place.problem.is_none());
    places.map(|place| place.below).collect()
}

/// The toy cut at these places, each block a module of its own.
fn cut_at(exported: &Exported, places: &[usize], kind: Kind) -> Net {
    let blocks = exported.blocks(places).unwrap();
    Net::new(blocks.into_iter().map(|block| vec![block]).collect(), kind)
}

struct Expected(HashMap<String, Tensor>);

impl Expected {
    fn read() -> Self {
        Self::of("toy")
    }

    fn of(name: &str) -> Self {
        Self(weights::load(&file(&format!("{name}.safetensors"))).unwrap())
    }

    /// Compares one step of training, and evaluation after it.
    fn compare(&self, net: &Net, kind: Kind, tolerance: f64) {
        let near = |what: &str, found: &Tensor| {
            let found = distance(found, &self.0[what]);
            assert!(found <= tolerance, "{what}: {found:e}");
        };
        let input = self.0["input"].to_kind(kind);
        let first = tch::no_grad(|| net.forward(&input, Mode::TrainKeepingStatistics, 0));
        let counted = |(name, buffer): &(String, Tensor)| name == "passes" && buffer.int64_value(&[]) != 0;
        let counted = net.buffers().into_iter().find(counted);
        assert!(counted.is_none(), "the first forward leaves buffers alone");
        let output = net.forward(&input, Mode::Train, 0);
        assert!(output.equal(&first) && input.equal(&self.0["input"].to_kind(kind)));
        near("f64.output", &output.detach());
        let gradients = net.gradients(&output, &self.0["cotangent"].to_kind(kind));
        let expected = with_prefix(&self.0, "f64.grad.");
        assert_eq!(gradients.len(), expected.len());
        for name in expected.keys() {
            near(&format!("f64.grad.{name}"), &gradients[name]);
        }
        let buffers = net.buffers();
        for name in with_prefix(&self.0, "f64.after.").keys() {
            near(&format!("f64.after.{name}"), &buffers[name]);
        }
        near(
            "f64.evaluated",
            &tch::no_grad(|| net.forward(&input, Mode::Evaluate, 9)),
        );
        let few = self.0["few.input"].to_kind(kind);
        near("f64.few.output", &tch::no_grad(|| net.forward(&few, Mode::Evaluate, 9)));
    }
}

#[test]
fn the_toy_computes_what_pytorch_does_however_it_is_cut() {
    let (toy, expected) = (toy(), Expected::read());
    let places = possible(&toy);
    assert!(places.len() > 20, "{places:?}");
    expected.compare(&cut_at(&toy, &[], Kind::Double), Kind::Double, 1e-10);
    expected.compare(&cut_at(&toy, &places, Kind::Double), Kind::Double, 1e-10);
    for place in &places {
        expected.compare(&cut_at(&toy, &[*place], Kind::Double), Kind::Double, 1e-10);
    }
    expected.compare(&Net::new(vec![toy.natural_blocks()], Kind::Float), Kind::Float, 1e-5);
}

#[test]
fn natural_blocks_can_be_cut_where_modules_are_called() {
    let (toy, expected) = (toy(), Expected::read());
    let network = Network::from(toy.natural_blocks());
    let places = network.places();
    for place in ["blocks.0/bn1", "blocks.0/conv2", "blocks.1", "blocks.1/bn1", "fc"] {
        assert!(places.contains(&place), "{place}: {places:?}");
    }
    let each = |network: Network| network.blocks.into_iter().map(|block| vec![block]).collect();
    expected.compare(
        &Net::new(each(network.clone().in_pieces()), Kind::Double),
        Kind::Double,
        1e-10,
    );
    let one = network.cut_inside(&["blocks.0/conv2".to_owned()]).unwrap();
    expected.compare(&Net::new(each(one), Kind::Double), Kind::Double, 1e-10);
}

#[test]
fn what_crosses_and_why_no_cut_can_be() {
    let toy = toy();
    let (_, names) = toy.natural();
    assert_eq!(names, ["stem", "blocks.0", "blocks.1", "shared", "fc"]);
    let two = toy
        .places()
        .iter()
        .find(|place| place.before.starts_with("blocks.1.conv2/"))
        .unwrap();
    assert_eq!((two.problem.as_deref(), two.crossing.len()), (None, 2));
    assert_eq!(two.crossing[0].shape, "[batch, 6, 3, 3]");
    assert_eq!(two.bytes(), 2 * 6 * 3 * 3 * 4);
    let problems: Vec<&str> = toy
        .places()
        .iter()
        .filter_map(|place| place.problem.as_deref())
        .collect();
    for says in [
        "`shared.weight` is used on both sides",
        "changed in place above it",
        "lies in the memory of `mean`",
    ] {
        assert!(
            problems.iter().any(|problem| problem.contains(says)),
            "{says}: {problems:?}"
        );
    }
    let bad = toy.places().iter().find(|place| place.problem.is_some()).unwrap();
    let error = toy.blocks(&[bad.below]).err().unwrap().to_string();
    assert!(error.contains("cannot be cut before"), "{error}");
    for wrong in [&[0][..], &[5, 5], &[9999]] {
        assert!(toy.blocks(wrong).err().unwrap().to_string().contains("must ascend"));
    }
}

#[test]
fn weights_have_their_names_kinds_and_places() {
    let net = cut_at(&toy(), &[], Kind::Float);
    let (module, _) = &net.modules[0];
    let buffers: HashMap<String, Kind> = module.buffers().map(|(s, t)| (s.name.clone(), t.kind())).collect();
    assert_eq!(buffers["mask"], Kind::Bool);
    assert_eq!(buffers["blocks.0.bn1.num_batches_tracked"], Kind::Int64);
    assert_eq!(buffers["frozen"], Kind::Float);
    // What PyTorch does not keep is not kept; what nobody reads is.
    assert!(!buffers.contains_key("table") && buffers.contains_key("unread"));
    let blocks = toy().natural_blocks();
    let kept = |keep: Keep| {
        blocks
            .iter()
            .flat_map(|block| &block.buffers)
            .filter(|buffer| buffer.keep == keep)
            .count()
    };
    assert_eq!((kept(Keep::Weights), kept(Keep::Run), kept(Keep::Nothing)), (11, 0, 2));
    assert_eq!(module.params().count(), 14);
}

#[test]
fn masks_do_not_depend_on_cuts_and_change_with_batches() {
    let toy = toy();
    let whole = cut_at(&toy, &[], Kind::Double);
    let x = Tensor::randn([3, 3, 8, 8], (Kind::Double, tch::Device::Cpu));
    let forward = |net: &Net, batch: u64| tch::no_grad(|| net.forward(&x, Mode::TrainKeepingStatistics, batch));
    assert!(forward(&whole, 4).equal(&forward(&cut_at(&toy, &possible(&toy), Kind::Double), 4)));
    assert!(!forward(&whole, 4).equal(&forward(&whole, 5)));
}

#[test]
fn two_names_of_one_tensor_are_one_parameter() {
    let tied = Exported::open(&file("tied.pt2"), None).unwrap_or_else(|error| panic!("{error}"));
    let net = cut_at(&tied, &possible(&tied), Kind::Double);
    let names: Vec<&str> = net
        .modules
        .iter()
        .flat_map(|(m, _)| m.params())
        .map(|spec| spec.name.as_str())
        .collect();
    assert_eq!(names, ["first.weight", "fc.weight", "fc.bias"]);
    // PyTorch's `load_state_dict` wants both.
    let mut params = net.modules.iter().flat_map(|(module, _)| module.params());
    assert_eq!(params.next().unwrap().also, ["second.weight"]);
}

#[test]
fn functional_operators_compute_the_same() {
    let open = |name: &str| Exported::open(&file(name), None).unwrap_or_else(|error| panic!("{error}"));
    let (plain, functional) = (open("plain.pt2"), open("functional.pt2"));
    let x = Tensor::randn([5, 3, 2, 2], (Kind::Double, tch::Device::Cpu));
    let cotangent = Tensor::randn([5, 2], (Kind::Double, tch::Device::Cpu));
    let run = |exported: &Exported, places: &[usize]| {
        let net = cut_at(exported, places, Kind::Double);
        let first = tch::no_grad(|| net.forward(&x, Mode::TrainKeepingStatistics, 0));
        assert_eq!(net.buffers()["count"].double_value(&[]), 0.0);
        let output = net.forward(&x, Mode::Train, 0);
        assert!(output.equal(&first));
        let mut found = net.gradients(&output, &cotangent);
        found.extend(net.buffers());
        found.insert("output".to_owned(), output.detach());
        found.insert(
            "evaluated".to_owned(),
            tch::no_grad(|| net.forward(&x, Mode::Evaluate, 0)),
        );
        found
    };
    let expected = run(&plain, &[]);
    assert_eq!(expected["count"].double_value(&[]), 0.5);
    assert_eq!(expected["bn.num_batches_tracked"].int64_value(&[]), 1);
    for (exported, places) in [
        (&plain, possible(&plain)),
        (&functional, Vec::new()),
        (&functional, possible(&functional)),
    ] {
        let found = run(exported, &places);
        assert_eq!(found.len(), expected.len());
        for (name, expected) in &expected {
            assert!(distance(&found[name], expected) < 1e-12, "{name}");
        }
    }
}

#[test]
fn parts_without_gradients_have_none() {
    let quiet = Exported::open(&file("quiet.pt2"), None).unwrap_or_else(|error| panic!("{error}"));
    let expected = Expected::of("quiet");
    for places in [Vec::new(), possible(&quiet)] {
        expected.compare(&cut_at(&quiet, &places, Kind::Double), Kind::Double, 1e-10);
    }
}
