//! Workers in several processes train to the bits of threads: the test binary starts itself as ranks.

use crate::exported;
use crate::ranks::{self, Ranks};
use crate::run::Run;
use dtrp_core::engine::{EngineOptions, Executor, Placement};
use dtrp_core::schedule::{Method, Plan, Program, Unit};
use dtrp_core::torch::group::{Meeting, Peers};
use dtrp_core::torch::{Evaluation, Input, Source, TorchError, TorchStage, evaluate, evaluate_among};
use dtrp_models::{ModelInput, build, option_values};
use std::time::{Duration, Instant};
use tch::{Device, Kind, Tensor};

/// Every method in every order, with micro-batches where it has them; both layouts, other element types, and cuts that several tensors
/// cross, among them integers.
fn runs(modules: usize) -> Vec<(String, Run)> {
    let mut all = Vec::new();
    for method in Method::all() {
        for order in method.orders {
            for micro_batches in if method.micro_batches { 1..=2 } else { 1..=1 } {
                let run = Run {
                    order: Some(*order),
                    micro_batches,
                    executor: Executor::Threads,
                    channels_last: micro_batches == 1,
                    batches: 20,
                    ..Run::new(method.name, modules)
                };
                all.push((format!("{} {order} {micro_batches}", method.name), run));
            }
        }
    }
    for method in ["dtrp", "pipedream", "gpipe"] {
        let run = Run {
            executor: Executor::Threads,
            ..Run::new(method, modules)
        };
        let double = Run {
            kind: Kind::Double,
            ..run.clone()
        };
        all.push((format!("{method} in double precision"), double));
        if modules == 3 {
            let inside = Run {
                places: vec!["layer1.0/conv2", "layer2.0/conv2"],
                ..run.clone()
            };
            all.push((format!("{method} cut inside of blocks"), inside));
        }
        if modules == 2 {
            let list = Run {
                network: Some(exported::toy),
                ..run
            };
            all.push((format!("{method} over a list of tensors"), list));
        }
    }
    all
}

/// The program that evaluates.
fn looking(run: &Run) -> Program {
    let plan = Plan::new(run.modules, run.batches);
    Method::named("local").unwrap().program(&plan).unwrap()
}

fn seen(name: &str, looked: Evaluation) -> String {
    let Evaluation {
        loss,
        accuracy,
        samples,
    } = looked;
    format!(
        "result {name}: loss {:016x} accuracy {accuracy} of {samples}",
        loss.to_bits()
    )
}

/// One line for each parameter and statistic.
fn lines(name: &str, state: impl IntoIterator<Item = (String, Tensor)>) -> Vec<String> {
    state
        .into_iter()
        .map(|(parameter, tensor)| format!("result {name}: {parameter} {:?} {:016x}", tensor.size(), bits(&tensor)))
        .collect()
}

/// A number that all bits of a tensor make.
fn bits(tensor: &Tensor) -> u64 {
    let values = Vec::<f64>::try_from(tensor.to_kind(Kind::Double).flatten(0, -1)).unwrap();
    let mix = |hash: u64, value: f64| (hash ^ value.to_bits()).wrapping_mul(0x0100_0000_01b3);
    values.into_iter().fold(0xcbf2_9ce4_8422_2325, mix)
}

#[test]
#[ignore = "started as a process of its own"]
fn a_rank() {
    let Some(own) = ranks::own() else { return };
    let placement = Placement::new(own.placement.clone());
    let mut meeting = Meeting::new(own.rank, placement.clone(), "127.0.0.1", own.port);
    meeting.patience = Duration::from_secs(30);
    let peers = Peers::meet(&meeting).unwrap_or_else(|error| own.end(&error.to_string()));
    let mine = placement.own(own.rank);
    if own.is("speed") {
        let (run, mut stages) = large();
        stages = stages
            .into_iter()
            .enumerate()
            .filter(|(k, _)| mine.contains(k))
            .map(|(_, stage)| stage)
            .collect();
        if mine.contains(&0) {
            stages[0].begin(0, Some(Box::new(Same)));
        }
        // All begin together.
        peers.gather(Vec::new()).unwrap();
        let begin = Instant::now();
        peers
            .run(&run.program(), &mut stages, &EngineOptions::default())
            .unwrap();
        println!("seconds {}", begin.elapsed().as_secs_f64());
        peers.close().unwrap();
        return;
    }
    for (name, run) in runs(own.placement.len()) {
        let all = run.stages().into_iter().enumerate();
        let mut stages: Vec<TorchStage> = all.filter(|(k, _)| mine.contains(k)).map(|(_, stage)| stage).collect();
        if mine.contains(&0) {
            stages[0].begin(0, Some(run.source()));
        }
        let options = EngineOptions::default();
        peers
            .run(&run.program(), &mut stages, &options)
            .unwrap_or_else(|error| own.end(&format!("{name}: {error}")));
        let looked = {
            let source = mine.contains(&0).then(|| run.source());
            let ignore = Box::new(|_: &Tensor, _: &Tensor| Ok(()));
            evaluate_among(&peers, &mut stages, &looking(&run), source, &options, ignore).unwrap()
        };
        // Who has the last module knows what was seen.
        assert_eq!(looked.is_some(), mine.contains(&(own.placement.len() - 1)));
        if let Some(looked) = looked {
            println!("{}", seen(&name, looked));
        }
        let state = stages.iter().flat_map(|stage| stage.state().unwrap()).collect();
        for line in peers
            .gather(state)
            .unwrap()
            .into_iter()
            .flat_map(|state| lines(&name, state))
        {
            println!("{line}");
        }
    }
    peers.close().unwrap();
}

/// A ResNet-20 for images of 32 x 32, and its stages.
fn large() -> (Run, Vec<TorchStage>) {
    let run = Run {
        batches: 12,
        executor: Executor::Threads,
        channels_last: true,
        network: Some(|| {
            let input = ModelInput {
                channels: 3,
                height: 32,
                width: 32,
                classes: 10,
            };
            build("resnet-cifar", &option_values([("depth", 20.into())]), &input)
                .unwrap()
                .blocks
        }),
        ..Run::new("dtrp", 2)
    };
    let stages = run.stages();
    (run, stages)
}

/// The same batch of 128 again and again.
struct Same;

impl Source for Same {
    fn next(&mut self, _: Unit) -> Result<Input, TorchError> {
        let images = Tensor::ones([128, 32, 32, 3], (Kind::Float, Device::Cpu));
        Ok(Input {
            images: images.permute([0, 3, 1, 2]),
            labels: Tensor::zeros([128], (Kind::Int64, Device::Cpu)),
            share: 1.0,
            parts: 1,
        })
    }
}

/// How often the speed is measured, with threads and with processes in turn.
const ROUNDS: usize = 3;

#[test]
#[ignore = "measures the speed, for which the machine must be idle"]
fn processes_are_as_fast_as_threads() {
    for _ in 0..ROUNDS {
        let (run, mut stages) = large();
        stages[0].begin(0, Some(Box::new(Same)));
        let begin = Instant::now();
        run.train(&mut stages);
        println!("threads {:.3} s", begin.elapsed().as_secs_f64());
        let ended = Ranks::start("processes::a_rank", &[0, 1], 2, "speed").wait(Duration::from_secs(300));
        for line in ended[0].stdout.lines().filter(|line| line.contains("seconds ")) {
            println!("processes: {line}");
        }
    }
}

#[test]
fn processes_train_to_the_bits_of_threads() {
    for placement in [&[0, 1][..], &[0, 1, 2], &[0, 1, 2, 3], &[0, 0, 1, 1], &[0, 1, 0]] {
        let modules = placement.len();
        let size = placement.iter().max().unwrap() + 1;
        let ranks = Ranks::start("processes::a_rank", placement, size, "train");
        let mut wanted: Vec<String> = Vec::new();
        for (name, run) in runs(modules) {
            let mut stages = run.stages();
            stages[0].begin(0, Some(run.source()));
            run.train(&mut stages);
            let looked = evaluate(&mut stages, &looking(&run), run.source(), &EngineOptions::default()).unwrap();
            wanted.push(seen(&name, looked));
            wanted.extend(lines(&name, stages.iter().flat_map(|stage| stage.state().unwrap())));
        }
        let mut found: Vec<String> = Vec::new();
        for (rank, ended) in ranks.wait(Duration::from_secs(240)).into_iter().enumerate() {
            assert!(
                ended.success,
                "rank {rank} of {placement:?}: {} {}",
                ended.text(),
                ended.stderr
            );
            let own = ended
                .stdout
                .lines()
                .filter_map(|line| Some(line[line.find("result ")?..].to_owned()));
            found.extend(own);
        }
        found.sort();
        wanted.sort();
        assert_eq!(found, wanted, "{placement:?}");
    }
}
