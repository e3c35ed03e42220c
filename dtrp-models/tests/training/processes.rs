//! Workers in several processes train to the bits of threads: the test binary starts itself as ranks.

use crate::exported;
use crate::ranks::{self, Ranks};
use crate::run::Run;
use dtrp_core::engine::{EngineOptions, Executor, Placement};
use dtrp_core::schedule::Method;
use dtrp_core::torch::TorchStage;
use dtrp_core::torch::group::{Meeting, Peers};
use std::time::Duration;
use tch::Tensor;

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
            kind: tch::Kind::Double,
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

/// One line for each parameter and statistic of these stages.
fn lines(name: &str, stages: &[TorchStage]) -> Vec<String> {
    let state = stages.iter().flat_map(|stage| stage.state().unwrap());
    state
        .map(|(parameter, tensor)| format!("result {name}: {parameter} {:?} {:016x}", tensor.size(), bits(&tensor)))
        .collect()
}

/// A number that all bits of a tensor make.
fn bits(tensor: &Tensor) -> u64 {
    let values = Vec::<f64>::try_from(tensor.to_kind(tch::Kind::Double).flatten(0, -1)).unwrap();
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
        for line in lines(&name, &stages) {
            println!("{line}");
        }
    }
    peers.close().unwrap();
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
            wanted.extend(lines(&name, &stages));
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
