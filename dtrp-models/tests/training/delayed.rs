//! Every delayed method equals, bit for bit, a plain loop over batches with a list of all weight versions. The loop knows of
//! no schedule: which version a module reads for batch b is a closed form of (K, k, b), and of M where gradients are
//! accumulated over M batches.

use crate::exported;
use crate::reference::{self, BLOCKS, PIECES, Tensors, is_parameter, piece};
use crate::run::{Run, assert_same_bits, state};
use dtrp_core::engine::Executor;
use dtrp_core::schedule::{Order, Recompute};
use dtrp_core::torch::TorchStage;
use tch::{Reduction, Tensor};

/// What distinguishes the methods.
#[derive(Clone, Copy)]
struct Rules {
    /// Batches between forward and backward at module k, for d = K−k: 2d in lockstep, else d.
    lockstep: bool,
    /// The backward differentiates at the weights of then instead of those of the forward.
    recompute: bool,
    /// Forwards use the weights predicted by momentum.
    predict: bool,
}

/// One module's history: weights and velocity after u = 0, 1, 2, ... updates.
struct History {
    versions: Vec<(Tensors, Tensors)>,
    /// Sum of the gradients that wait for the next update, and the samples of their batches. A gradient is weighted by its
    /// batch's samples as multiples of the first one's, so that batches of one size are added up as they are.
    waiting: (Tensors, Vec<f64>),
    part: Part,
}

/// What a module computes from weights and tensors in this batch and micro-batch, from 1 (0 for none); running statistics are
/// updated only if asked for.
pub(crate) type Part = Box<dyn Fn(&Tensors, &[Tensor], bool, (usize, usize)) -> Vec<Tensor>>;

/// Consecutive pieces of the network that is written out by hand.
fn by_hand(pieces: std::ops::Range<usize>) -> Part {
    Box::new(move |weights, x, statistics, _| {
        let x = x.iter().map(Tensor::shallow_clone).collect();
        let pieces = pieces.clone();
        pieces.fold(x, |x: Vec<Tensor>, index| piece(weights, index, &x, statistics))
    })
}

impl History {
    fn new(weights: Tensors, part: Part) -> Self {
        Self {
            versions: vec![(weights, Tensors::new())],
            waiting: (Tensors::new(), Vec::new()),
            part,
        }
    }

    fn newest(&self) -> &(Tensors, Tensors) {
        self.versions.last().unwrap()
    }

    /// Adds the gradient of a batch of so many samples to those that wait.
    fn wait(&mut self, gradient: Tensors, samples: i64) {
        let (sum, batches) = &mut self.waiting;
        batches.push(samples as f64);
        for (name, g) in gradient {
            let g = g * (batches[batches.len() - 1] / batches[0]);
            let added = sum.get(&name).map_or_else(|| g.copy(), |s| s + &g);
            sum.insert(name, added);
        }
    }

    /// The mean over the samples of the gradients that wait; none waits any more.
    fn mean(&mut self) -> Tensors {
        let (sum, batches) = std::mem::take(&mut self.waiting);
        let share = 1.0 / batches.iter().map(|samples| samples / batches[0]).sum::<f64>();
        sum.into_iter().map(|(name, g)| (name, g * share)).collect()
    }

    /// Adds the next version.
    fn update(&mut self, run: &Run, gradient: &Tensors) {
        let (weights, velocity) = self.newest();
        let (mut new_weights, mut new_velocity) = (Tensors::new(), Tensors::new());
        for (name, w) in weights {
            // Running statistics are not versioned: every version shares them.
            let (w, v) = match gradient.get(name) {
                None => (w.shallow_clone(), None),
                Some(g) => {
                    let (w, v) = reference::sgd(run, name, w, g, velocity.get(name));
                    (w, Some(v))
                }
            };
            new_weights.insert(name.clone(), w);
            new_velocity.extend(v.map(|v| (name.clone(), v)));
        }
        self.versions.push((new_weights, new_velocity));
    }
}

/// Weights `s` updates ahead, if momentum went on as it is.
fn predicted((weights, velocity): &(Tensors, Tensors), s: usize, rate: f64) -> Tensors {
    let ahead = |(name, w): (&String, &Tensor)| {
        let moved = velocity.get(name).map(|v| w + v * (-rate * s as f64));
        (name.clone(), moved.unwrap_or_else(|| w.shallow_clone()))
    };
    weights.iter().map(ahead).collect()
}

fn as_leaves(weights: &Tensors) -> Tensors {
    let leaf = |(name, w): (&String, &Tensor)| {
        let leaf = if is_parameter(name) {
            w.detach().set_requires_grad(true)
        } else {
            w.shallow_clone()
        };
        (name.clone(), leaf)
    };
    weights.iter().map(leaf).collect()
}

fn plain_loop(run: &Run, rules: Rules) -> Tensors {
    reference::enter();
    let modules = run.modules;
    let by_hand = |(stage, pieces): (&TorchStage, _)| {
        let weights = stage.state().unwrap().into_iter().collect();
        History::new(weights, by_hand(pieces))
    };
    let mut histories: Vec<History> = match run.network {
        None => run.stages().iter().zip(reference::pieces(run)).map(by_hand).collect(),
        Some(_) => {
            let parts = exported::parts(run).into_iter();
            parts.map(|(weights, part)| History::new(weights, part)).collect()
        }
    };
    let (batches, accumulate) = (run.batches as usize, run.accumulate as usize);
    for b in 1..=batches {
        let (images, labels) = run.data(b as u32);
        let mut x = vec![images];
        let mut passes = Vec::new();
        for (k, history) in (1..).zip(&histories) {
            let behind = modules - k;
            // Backwards that module k has made when it forwards batch b; every M-th brought an update.
            let backwards = match (rules.lockstep, behind) {
                (_, 0) => b - 1,
                (true, _) => b.saturating_sub(2 * behind),
                (false, _) => (b - 1).saturating_sub(behind),
            };
            let version = backwards / accumulate;
            let horizon = (b - 1) / accumulate - version;
            let state = &history.versions[version];
            let weights = if rules.predict {
                predicted(state, horizon, run.rate)
            } else {
                predicted(state, 0, 0.0)
            };
            let chosen = run.recompute.get(k - 1).map(|choice| *choice == Recompute::Full);
            let recompute = chosen.unwrap_or(rules.recompute) && behind > 0;
            let first = as_leaves(&weights);
            let leaf = |x: &Tensor| x.detach().set_requires_grad(k > 1 && x.is_floating_point());
            let input: Vec<Tensor> = x.iter().map(leaf).collect();
            let output = (history.part)(&first, &input, !recompute, (b, 0));
            x = output.iter().map(Tensor::detach).collect();
            passes.push((input, first, output, recompute));
        }
        let mut deltas: Option<Vec<Tensor>> = None;
        for (history, (input, first, output, recompute)) in histories.iter_mut().zip(passes).rev() {
            let (leaves, output) = if recompute {
                let leaves = as_leaves(&history.newest().0);
                let output = (history.part)(&leaves, &input, true, (b, 0));
                (leaves, output)
            } else {
                (first, output)
            };
            let total = match &deltas {
                None => Some(output[0].cross_entropy_loss::<Tensor>(&labels, None, Reduction::Mean, -100, 0.0)),
                // The gradient of sum(y * delta) with respect to y is delta.
                Some(deltas) => {
                    let pairs = output.iter().zip(deltas).filter(|(y, _)| y.requires_grad());
                    let sums = pairs.map(|(y, delta)| (y * delta * run.gradient_shrink).sum(y.kind()));
                    // A module without parameters above the images alone has nothing to differentiate.
                    sums.reduce(|a, b| a + b)
                }
            };
            // Not `backward`, which lays a gradient out as what it is of, and sums over it would be added up in another order.
            let named: Vec<_> = leaves.iter().filter(|(name, _)| is_parameter(name)).collect();
            let wanted = named.iter().map(|(_, leaf)| *leaf).chain(&input);
            let wanted: Vec<&Tensor> = wanted.filter(|tensor| tensor.requires_grad()).collect();
            let mut found = total
                .map_or_else(Vec::new, |total| Tensor::run_backward(&[total], &wanted, false, false))
                .into_iter();
            let gradient: Tensors = named
                .iter()
                .map(|(name, _)| (*name).clone())
                .zip(found.by_ref())
                .collect();
            let mut own = input.iter().map(|x| {
                if x.requires_grad() {
                    found.next().unwrap()
                } else {
                    Tensor::new()
                }
            });
            deltas = Some(own.by_ref().collect());
            tch::no_grad(|| {
                history.wait(gradient, labels.size()[0]);
                if b.is_multiple_of(accumulate) || b == batches {
                    let mean = history.mean();
                    history.update(run, &mean);
                }
            });
        }
    }
    histories
        .into_iter()
        .flat_map(|mut history| history.versions.pop().unwrap().0)
        .collect()
}

fn check(method: &'static str, order: Option<Order>, predictor: &'static str, rules: Rules) {
    check_exported(method, order, predictor, rules);
    for modules in 1..=BLOCKS {
        for (batches, gradient_shrink) in [(9, 1.0), (2, 1.0), (7, 0.5)] {
            let run = reference::exact(Run {
                order,
                predictor,
                batches,
                gradient_shrink,
                ..Run::new(method, modules)
            });
            let what = format!("{method} {predictor} {order:?} K={modules} N={batches} beta={gradient_shrink}");
            assert_same_bits(&what, &run.weights(), &plain_loop(&run, rules));
        }
    }
    for places in [
        &["layer2.0/conv2"][..],
        &["layer1.0/conv2", "layer3.0/conv2"],
        &["layer2.0", "layer2.0/conv2", "layer3.0"],
        &PIECES[1..],
    ] {
        let run = reference::exact(Run {
            order,
            predictor,
            places: places.to_vec(),
            shortcut: "B",
            ..Run::new(method, places.len() + 1)
        });
        let what = format!("{method} {predictor} {order:?} cuts {places:?}");
        assert_same_bits(&what, &run.weights(), &plain_loop(&run, rules));
    }
}

/// The same for an exported network with a shared weight, dropout, stochastic depth, batch norms and other buffers.
fn check_exported(method: &'static str, order: Option<Order>, predictor: &'static str, rules: Rules) {
    let places: [&[&str]; 7] = [
        &["fc"],
        &["blocks.0/conv2"],
        &["blocks.1/bn1", "shared"],
        &["blocks.0", "blocks.1/conv2", "fc"],
        &["blocks.0/conv2", "blocks.1", "shared/drop"],
        &["stem/conv2d", "blocks.0", "blocks.0/bn1", "blocks.1", "fc"],
        &[
            "stem/conv2d",
            "blocks.0",
            "blocks.0/bn1",
            "blocks.1",
            "blocks.1/empty_1",
            "fc",
        ],
    ];
    for places in places {
        let run = reference::exact(Run {
            order,
            predictor,
            places: places.to_vec(),
            network: Some(exported::toy),
            ..Run::new(method, places.len() + 1)
        });
        let threads = Run {
            executor: Executor::Threads,
            ..run.clone()
        };
        let what = format!("{method} {predictor} {order:?} exported, cuts {places:?}");
        let weights = run.weights();
        assert_same_bits(&what, &weights, &plain_loop(&run, rules));
        assert_same_bits(&what, &weights, &threads.weights());
        assert_eq!(weights["passes"].int64_value(&[]), i64::from(run.batches), "{what}");
    }
}

const EAGER_GRAPH: Rules = Rules {
    lockstep: false,
    recompute: false,
    predict: false,
};

#[test]
fn ddg_and_pipedream_keep_the_graph_of_the_forward() {
    check("ddg", None, "none", EAGER_GRAPH);
    check("pipedream", None, "none", EAGER_GRAPH);
}

#[test]
fn features_replay_differentiates_at_the_newest_weights() {
    check(
        "features-replay",
        None,
        "none",
        Rules {
            recompute: true,
            ..EAGER_GRAPH
        },
    );
}

#[test]
fn fdg_keeps_graphs_twice_as_deep() {
    check(
        "fdg",
        None,
        "none",
        Rules {
            lockstep: true,
            ..EAGER_GRAPH
        },
    );
}

/// ADL. The last update has fewer batches than the others, where M does not divide N, and the last batch fewer samples: the
/// mean is one over samples.
#[test]
fn fdg_with_accumulation_updates_with_the_mean_of_m_gradients() {
    let rules = Rules {
        lockstep: true,
        ..EAGER_GRAPH
    };
    for modules in 1..=BLOCKS {
        for (accumulate, batches, gradient_shrink) in [(2, 9, 1.0), (3, 11, 0.5), (4, 3, 1.0)] {
            let run = |accumulate| {
                reference::exact(Run {
                    accumulate,
                    batches,
                    gradient_shrink,
                    predictor: "none",
                    ..Run::new("fdg", modules)
                })
            };
            let what = format!("fdg K={modules} N={batches} M={accumulate} beta={gradient_shrink}");
            let adl = run(accumulate).weights();
            assert_same_bits(&what, &adl, &plain_loop(&run(accumulate), rules));
            let every_batch = &run(1).weights()["conv1.weight"];
            assert!(!adl["conv1.weight"].equal(every_batch), "{what}");
        }
    }
}

#[test]
fn spectrain_differentiates_at_the_predicted_weights() {
    check(
        "spectrain",
        None,
        "momentum",
        Rules {
            predict: true,
            ..EAGER_GRAPH
        },
    );
}

#[test]
fn dsp_and_dtrp_recompute() {
    let lockstep = Rules {
        lockstep: true,
        recompute: true,
        predict: false,
    };
    check("dsp", Some(Order::Lockstep), "none", lockstep);
    check(
        "dsp",
        Some(Order::Eager),
        "none",
        Rules {
            lockstep: false,
            ..lockstep
        },
    );
    check(
        "dtrp",
        Some(Order::Lockstep),
        "momentum",
        Rules {
            predict: true,
            ..lockstep
        },
    );
    check(
        "dtrp",
        Some(Order::Eager),
        "momentum",
        Rules {
            predict: true,
            lockstep: false,
            ..lockstep
        },
    );
}

/// Each module recomputes, or keeps its graph and the weights of its forward, for itself.
#[test]
fn modules_recompute_what_is_chosen() {
    for (method, order, predict) in [
        ("dtrp", Order::Lockstep, true),
        ("dtrp", Order::Eager, true),
        ("spectrain", Order::Eager, true),
        ("fdg", Order::Lockstep, false),
        ("features-replay", Order::Sweep, false),
    ] {
        let rules = Rules {
            lockstep: order == Order::Lockstep,
            recompute: false,
            predict,
        };
        for choices in 0..8 {
            let choice = |k: usize| Recompute::ALL[choices >> k & 1];
            let run = reference::exact(Run {
                order: Some(order),
                predictor: if predict { "momentum" } else { "none" },
                recompute: (0..4).map(choice).collect(),
                ..Run::new(method, 4)
            });
            let what = format!("{method} {order:?} {:?}", run.recompute);
            assert_same_bits(&what, &run.weights(), &plain_loop(&run, rules));
            let threads = Run {
                executor: Executor::Threads,
                ..run.clone()
            };
            assert_same_bits(&what, &run.weights(), &threads.weights());
        }
    }
}

/// Micro-batches with a flush are gradient accumulation.
#[test]
fn gpipe_and_1f1b_are_accumulated_gradients() {
    for modules in 1..=4 {
        for m in [1, 2, 3] {
            let run = |method| {
                reference::exact(Run {
                    micro_batches: m,
                    ..Run::new(method, modules)
                })
            };
            let what = format!("K={modules} m={m}");
            let gpipe = run("gpipe").weights();
            assert_same_bits(&what, &gpipe, &run("1f1b").weights());
            assert_same_bits(&what, &gpipe, &accumulated(&run("gpipe")));
        }
    }
    // An exported network, cut anywhere, whose dropout draws for each micro-batch; the last batch is smaller.
    for places in [&[][..], &["blocks.0/conv2"], &["blocks.0", "blocks.1/conv2", "fc"]] {
        for m in [1, 2, 3] {
            let run = |method| {
                reference::exact(Run {
                    micro_batches: m,
                    network: Some(exported::toy),
                    places: places.to_vec(),
                    ..Run::new(method, places.len() + 1)
                })
            };
            let what = format!("exported, cuts {places:?} m={m}");
            let gpipe = run("gpipe").weights();
            assert_same_bits(&what, &gpipe, &run("1f1b").weights());
            assert_same_bits(&what, &gpipe, &accumulated(&run("gpipe")));
        }
    }
}

/// The unsplit network, micro-batch by micro-batch, gradients weighted by size and added up.
fn accumulated(run: &Run) -> Tensors {
    reference::enter();
    let (start, part) = match run.network {
        None => (state(&run.stages()), by_hand(0..PIECES.len())),
        Some(_) => {
            let whole = Run {
                modules: 1,
                places: Vec::new(),
                ..run.clone()
            };
            exported::parts(&whole).remove(0)
        }
    };
    let mut history = History::new(start, part);
    for b in 1..=run.batches {
        let (images, labels) = run.data(b);
        let (total, m) = (images.size()[0], i64::from(run.micro_batches));
        let mut sum = Tensors::new();
        for j in 0..m {
            let (from, to) = (j * total / m, (j + 1) * total / m);
            let leaves = as_leaves(&history.newest().0);
            let micro = (b as usize, if m > 1 { j as usize + 1 } else { 0 });
            let logits = (history.part)(&leaves, &[images.narrow(0, from, to - from)], true, micro).remove(0);
            let labels = labels.narrow(0, from, to - from);
            let loss = logits.cross_entropy_loss::<Tensor>(&labels, None, Reduction::Mean, -100, 0.0);
            let loss = if m > 1 {
                loss * ((to - from) as f64 / total as f64)
            } else {
                loss
            };
            loss.backward();
            for (name, leaf) in leaves.iter().filter(|(name, _)| is_parameter(name)) {
                let g = leaf.grad();
                let added = sum.get(name).map_or_else(|| g.copy(), |s| s + &g);
                sum.insert(name.clone(), added);
            }
        }
        tch::no_grad(|| history.update(run, &sum));
    }
    history.versions.pop().unwrap().0
}
