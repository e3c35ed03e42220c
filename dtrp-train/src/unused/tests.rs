//! Each kind of setting without effect, by hand.

use super::*;
use crate::settings::ScheduleName;
use dtrp_core::schedule::Program;
use dtrp_core::torch::{Block, BlockSpec, Pass, Vars};
use tch::{TchError, Tensor};

struct Nothing;

impl Block for Nothing {
    fn forward(&self, _: &Vars<'_>, input: &Tensor, _: &Pass) -> Result<Tensor, TchError> {
        Ok(input.shallow_clone())
    }
}

fn keys(settings: &Settings, program: &Program, epochs: f64) -> Vec<String> {
    let report = dtrp_core::analysis::analyse(program, std::num::NonZeroUsize::MIN).unwrap();
    let staleness: Vec<_> = report.workers.iter().map(|worker| worker.max_staleness()).collect();
    let steps = (epochs * 10.0) as u64;
    let length = Length {
        batches_per_epoch: 10,
        steps,
        updates_per_epoch: 10,
        updates: steps,
    };
    let mut network = Network::from(Vec::new());
    let block = BlockSpec::build("block", |_| Nothing);
    network.blocks = vec![block; 10];
    let facts = Facts {
        program,
        staleness: &staleness,
        length: &length,
        network: &network,
        samples: [1000, 100],
        own_loss: false,
        own_optimizer: false,
    };
    let found = unused(settings, facts).into_iter();
    found
        .filter(|unused| unused.set)
        .map(|unused| unused.key.into_owned())
        .collect()
}

#[test]
fn nothing_of_the_defaults_is_told() {
    let program = dtrp_core::schedule::Dtrp::new(2).batches(16).program().unwrap();
    assert_eq!(keys(&Settings::default(), &program, 40.0), Vec::<&str>::new());
}

#[test]
fn what_a_method_does_not_use() {
    let program = |name: &str, modules| {
        let plan = dtrp_core::schedule::Plan::new(modules, 16);
        dtrp_core::schedule::Method::named(name)
            .unwrap()
            .program(&plan)
            .unwrap()
    };
    let mut settings = Settings::default();
    settings.method.auxiliary = "conv".to_owned();
    settings.method.gradient_shrink = 0.5;
    settings.method.predictor = "damped".into();
    settings.method.spike = true;
    assert_eq!(keys(&settings, &program("dtrp", 3), 40.0), ["method.auxiliary"]);
    assert_eq!(
        keys(&settings, &program("fdg", 3), 40.0),
        ["method.predictor", "method.auxiliary"]
    );
    let local = ["method.predictor", "method.gradient_shrink", "method.spike"];
    assert_eq!(keys(&settings, &program("local", 3), 40.0), local);
    let bp = ["method.predictor", "method.auxiliary", "method.spike"];
    assert_eq!(keys(&settings, &program("bp", 3), 40.0), bp);
    // PipeMare's rule divides by the staleness, which is 1 where it is least.
    settings = Settings::default();
    settings.method.rescale_epochs = 1.0;
    assert_eq!(keys(&settings, &program("dtrp", 2), 40.0), ["method.rescale_epochs"]);
    assert_eq!(keys(&settings, &program("dtrp", 3), 40.0), Vec::<&str>::new());
}

#[test]
fn a_predictor_without_a_direction_says_so() {
    let program = dtrp_core::schedule::Dtrp::new(3).batches(16).program().unwrap();
    let mut settings = Settings::default();
    settings.optimizer.momentum = 0.0;
    for (predictor, nothing) in [
        ("momentum", true),
        ("damped", true),
        ("adaptive", true),
        ("difference", false),
        ("none", false),
    ] {
        settings.method.predictor = predictor.into();
        let told = keys(&settings, &program, 40.0);
        assert_eq!(
            told.iter().any(|key| key == "method.predictor"),
            nothing,
            "{predictor}: {told:?}"
        );
    }
    // With weight decay the weights shrink, which `decayed` foresees.
    settings.method.predictor = "decayed".into();
    assert_eq!(keys(&settings, &program, 40.0), Vec::<&str>::new());
    settings.optimizer.weight_decay = 0.0;
    assert_eq!(keys(&settings, &program, 40.0), ["method.predictor"]);
}

#[test]
fn what_a_schedule_does_not_use() {
    let program = dtrp_core::schedule::Dtrp::new(2).batches(16).program().unwrap();
    let mut settings = Settings::default();
    settings.optimizer.schedule.milestones = vec![3.0, 50.0];
    assert_eq!(keys(&settings, &program, 40.0), ["optimizer.schedule.milestones"]);
    settings.optimizer.schedule.name = ScheduleName::MultiStep;
    assert_eq!(keys(&settings, &program, 40.0), ["optimizer.schedule.milestones"]);
    assert_eq!(keys(&settings, &program, 60.0), Vec::<&str>::new());
    settings.optimizer.schedule.warmup_epochs = 61.0;
    let told = [
        "optimizer.schedule.name",
        "optimizer.schedule.milestones",
        "optimizer.schedule.warmup_epochs",
    ];
    assert_eq!(keys(&settings, &program, 60.0), told);
    settings.optimizer.schedule.milestones = vec![70.0];
    settings.optimizer.schedule.gamma = 0.5;
    settings.optimizer.schedule.warmup_epochs = 0.01;
    let told = [
        "optimizer.schedule.milestones",
        "optimizer.schedule.gamma",
        "optimizer.schedule.warmup_epochs",
    ];
    assert_eq!(keys(&settings, &program, 60.0), told);
}

#[test]
fn what_data_and_length_leave_unused() {
    let program = dtrp_core::schedule::Dtrp::new(2).batches(16).program().unwrap();
    let mut settings = Settings::default();
    (settings.data.threads, settings.data.prefetch) = (0, 8);
    (settings.data.limit, settings.data.test_limit) = (Some(1000), Some(99));
    assert_eq!(keys(&settings, &program, 40.0), ["data.limit", "data.prefetch"]);
    settings = Settings::default();
    (settings.run.epochs, settings.run.max_steps) = (7, Some(69));
    assert_eq!(keys(&settings, &program, 6.9), ["run.epochs"]);
    settings.run.max_steps = Some(71);
    assert_eq!(keys(&settings, &program, 7.0), ["run.max_steps"]);
    settings.data.batch_size = 2000;
    assert_eq!(keys(&settings, &program, 7.0), ["run.max_steps", "data.batch_size"]);
}
