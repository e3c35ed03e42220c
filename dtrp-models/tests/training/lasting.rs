//! What of a saved stage does not depend on where the network is cut, what is written to files, and what is refused.

use crate::run::{Run, assert_same_bits, state};
use dtrp_core::torch::{
    Adam, ArenaLayout, Optimizer, OptimizerFacts, OptimizerMemory, SavedStage, SavedTensors, Tensors, TorchError,
    TorchStage,
};
use dtrp_models::weights;
use dtrp_predictors::OptimizerState;
use tch::{Kind, Tensor};

/// Trains, and saves all stages when the program is done.
fn trained(run: &Run) -> Vec<SavedStage> {
    let mut stages = run.stages();
    stages[0].begin(0, Some(run.source()));
    run.train(&mut stages);
    save(&stages)
}

fn save(stages: &[TorchStage]) -> Vec<SavedStage> {
    stages.iter().map(|stage| stage.save().unwrap()).collect()
}

/// The tensors of all stages, and what is to be known of their optimizers.
fn joined(saved: Vec<SavedStage>) -> (SavedTensors, Vec<OptimizerFacts>) {
    let mut tensors = SavedTensors::default();
    let mut facts = Vec::new();
    for stage in saved {
        tensors.extend(stage.tensors);
        facts.push(stage.facts.optimizer);
    }
    (tensors, facts)
}

fn adam(_: &Run) -> Box<dyn Optimizer> {
    Box::new(Adam::new())
}

fn adamw(_: &Run) -> Box<dyn Optimizer> {
    Box::new(Adam::decoupled())
}

#[test]
fn weights_and_optimizer_are_taken_up_by_another_cut() {
    for (optimizer, channels_last) in [(None, false), (None, true), (Some(adam as fn(&Run) -> _), false)] {
        let cut = |modules| Run {
            optimizer,
            channels_last,
            predictor: "difference",
            ..Run::new("dtrp", modules)
        };
        let (tensors, facts) = joined(trained(&cut(4)));
        for modules in 1..=5 {
            let run = cut(modules);
            let mut stages = run.stages();
            for stage in &mut stages {
                stage.restore_weights(&tensors.model).unwrap();
                let facts: Vec<_> = facts.iter().collect();
                stage.restore_optimizer(&facts, &tensors.optimizer).unwrap();
                assert_eq!(stage.metrics().updates, u64::from(run.batches));
            }
            let what = format!("K={modules} {}", facts[0].kind);
            assert_same_bits(&what, &state(&stages), &tensors.model);
            let (taken, _) = joined(save(&stages));
            assert!(taken.optimizer.len() >= facts[0].states.len(), "{what}");
            assert_same_bits(&what, &taken.optimizer, &tensors.optimizer);
        }
    }
}

/// In the middle of a program the modules have made different numbers of updates, and some of them none.
#[test]
fn the_largest_number_of_updates_counts() {
    let run = Run {
        optimizer: Some(adam),
        ..Run::new("dtrp", 2)
    };
    let (mut tensors, mut facts) = joined(trained(&run));
    let (early, late) = facts.split_at_mut(1);
    let (early, late) = (&mut early[0], &mut late[0]);
    // As if the first module had not made its first update yet.
    early.updates = 0;
    early.states.clear();
    early.numbers[0].1.0 = 0.0;
    for name in &early.parameters {
        drop(tensors.optimizer.remove(&format!("exp_avg.{name}")).unwrap());
        drop(tensors.optimizer.remove(&format!("exp_avg_sq.{name}")).unwrap());
    }
    let mut whole = Run { modules: 1, ..run }.stages().pop().unwrap();
    whole.restore_optimizer(&[early, late], &tensors.optimizer).unwrap();
    let saved = whole.save().unwrap();
    assert_eq!(saved.facts.optimizer.updates, late.updates);
    assert_eq!(saved.facts.optimizer.numbers, late.numbers);
    for (name, tensor) in &saved.tensors.optimizer {
        match tensors.optimizer.get(name) {
            Some(expected) => assert!(tensor.equal(expected), "{name}"),
            None => assert_eq!(tensor.abs().sum(Kind::Double).double_value(&[]), 0.0, "{name}"),
        }
    }
}

/// Heads are another for every cut; with this cut they go on, with another they start anew.
#[test]
fn auxiliary_heads_belong_to_their_cut() {
    let run = Run::new("local", 3);
    let (tensors, facts) = joined(trained(&run));
    assert!(tensors.model.keys().all(|name| !name.contains("auxiliary")));
    let heads = tensors.predictor.keys().filter(|name| name.contains("auxiliary"));
    assert!(heads.clone().count() > 0 && heads.clone().all(|name| name.starts_with("module.")));
    let facts: Vec<_> = facts.iter().collect();
    let other = Run { modules: 2, ..run };
    let fresh = other.stages()[0].save().unwrap();
    let mut stages = other.stages();
    for stage in &mut stages {
        stage.restore_weights(&tensors.model).unwrap();
        stage.restore_optimizer(&facts, &tensors.optimizer).unwrap();
    }
    assert_same_bits("network", &state(&stages), &tensors.model);
    let taken = stages[0].save().unwrap();
    assert_same_bits("heads", &taken.tensors.predictor, &fresh.tensors.predictor);
    for (name, tensor) in &taken.tensors.optimizer {
        if name.contains("auxiliary") {
            assert_eq!(tensor.abs().sum(Kind::Double).double_value(&[]), 0.0, "{name}");
        }
    }
}

/// Through safetensors and JSON on the disk.
#[test]
fn what_is_saved_survives_files() {
    let folder = tempfile::tempdir().unwrap();
    let run = Run {
        predictor: "adaptive",
        ..Run::new("dtrp", 2)
    };
    let saved = trained(&run).remove(0);
    let facts = serde_json::to_string_pretty(&saved.facts).unwrap();
    let through = |name: &str, tensors: &Tensors| -> Tensors {
        let path = folder.path().join(name);
        let list: Vec<_> = tensors
            .iter()
            .map(|(name, t)| (name.clone(), t.shallow_clone()))
            .collect();
        weights::save(&path, &list, 0).unwrap();
        let counters = |name: &str| name.ends_with("num_batches_tracked");
        let read = weights::load(&path).unwrap().into_iter();
        read.filter(|(name, _)| !counters(name)).collect()
    };
    let read = SavedTensors {
        model: through("model", &saved.tensors.model),
        optimizer: through("optimizer", &saved.tensors.optimizer),
        predictor: through("predictor", &saved.tensors.predictor),
        flight: through("flight", &saved.tensors.flight),
    };
    let mut stage = run.stages().remove(0);
    stage.restore(&serde_json::from_str(&facts).unwrap(), &read).unwrap();
    let again = stage.save().unwrap();
    assert_eq!(serde_json::to_string_pretty(&again.facts).unwrap(), facts);
    assert_same_bits("model", &again.tensors.model, &saved.tensors.model);
    assert_same_bits("optimizer", &again.tensors.optimizer, &saved.tensors.optimizer);
    assert_same_bits("predictor", &again.tensors.predictor, &saved.tensors.predictor);
}

/// Between two programs nothing is in flight: it may be restored before `begin`.
#[test]
fn the_next_program_goes_on() {
    let run = Run {
        predictor: "adaptive",
        ..Run::new("dtrp", 3)
    };
    let mut stages = run.stages();
    stages[0].begin(0, Some(run.source()));
    run.train(&mut stages);
    let saved = save(&stages);
    let mut fresh = run.stages();
    for (stage, saved) in fresh.iter_mut().zip(&saved) {
        stage.restore(&saved.facts, &saved.tensors).unwrap();
    }
    let ends = [stages, fresh].map(|mut stages| {
        stages
            .iter_mut()
            .for_each(|stage| stage.begin(u64::from(run.batches), None));
        stages[0].begin(u64::from(run.batches), Some(run.source()));
        run.train(&mut stages);
        stages
    });
    assert_same_bits("weights", &state(&ends[0]), &state(&ends[1]));
    let [a, b] = ends.map(|stages| joined(save(&stages)));
    assert_same_bits("optimizer", &a.0.optimizer, &b.0.optimizer);
    assert_same_bits("predictor", &a.0.predictor, &b.0.predictor);
    assert_eq!(a.1, b.1);
}

/// Says nothing of what it keeps.
struct Silent;

impl Optimizer for Silent {
    fn step(&mut self, _: &ArenaLayout, _: &mut Tensor, _: &mut Tensor, _: f64) -> Result<(), TorchError> {
        Ok(())
    }

    fn direction(&self) -> Option<&Tensor> {
        None
    }

    fn copies(&self) -> usize {
        0
    }

    fn state(&self) -> OptimizerState {
        OptimizerState::Sgd {
            momentum: 0.0,
            nesterov: false,
            weight_decay: 0.0,
        }
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let run = Run::new("dtrp", 2);
    let refused = |run: &Run, change: &dyn Fn(&mut SavedStage)| {
        let mut saved = trained(&Run::new("dtrp", 2)).remove(0);
        change(&mut saved);
        let mut stage = run.stages().remove(0);
        stage.restore(&saved.facts, &saved.tensors).unwrap_err().to_string()
    };
    let says = |told: String, pieces: &[&str]| {
        assert!(pieces.iter().all(|piece| told.contains(piece)), "{told}");
    };
    let same = |_: &mut SavedStage| {};
    let with = |optimizer: fn(&Run) -> Box<dyn Optimizer>| Run {
        optimizer: Some(optimizer),
        ..run.clone()
    };
    says(refused(&with(adam), &same), &["`sgd with momentum`", "`adam`"]);
    says(refused(&with(adamw), &same), &["`sgd with momentum`", "`adamw`"]);
    let still: fn(&Run) -> Box<dyn Optimizer> = |run| Box::new(run.sgd().momentum(0.0));
    says(refused(&with(still), &same), &["`sgd without momentum`"]);
    says(
        refused(&with(|_| Box::new(Silent)), &same),
        &["does not say what it keeps", "implement"],
    );
    let told = run.stages()[0].save().map(|saved| saved.facts.optimizer.states);
    assert!(told.unwrap().is_empty());
    let silent = with(|_| Box::new(Silent)).stages()[0].save();
    assert!(matches!(silent, Err(TorchError::NotSaved)));
    assert!(run.stages()[0].can_be_saved() && !with(|_| Box::new(Silent)).stages()[0].can_be_saved());
    assert!(matches!(
        Silent.load(OptimizerMemory::new("silent")),
        Err(TorchError::NotSaved)
    ));

    let double = Run {
        kind: Kind::Double,
        ..run.clone()
    };
    says(
        refused(&double, &same),
        &["conv1.weight", "Float", "Double", "run.dtype"],
    );
    let other = Run {
        predictor: "none",
        ..run.clone()
    };
    says(refused(&other, &same), &["`momentum`", "`none`"]);
    let three = Run {
        modules: 3,
        ..run.clone()
    };
    says(refused(&three, &same), &["module 1 of 2", "module 1 of 3"]);

    let name = "momentum_buffer.conv1.weight";
    says(
        refused(&run, &|s| drop(s.tensors.optimizer.remove(name))),
        &[name, "no tensor"],
    );
    says(
        refused(&run, &|s| drop(s.tensors.model.remove("conv1.weight"))),
        &["`conv1.weight`", "no tensor"],
    );
    let flat = |tensor: &Tensor| tensor.flatten(0, -1);
    says(
        refused(&run, &|s| s.tensors.optimizer.values_mut().for_each(|t| *t = flat(t))),
        &["momentum_buffer.", "shape"],
    );
    says(
        refused(&run, &|s| s.tensors.model.values_mut().for_each(|t| *t = flat(t))),
        &["`conv1.weight`", "shape", "[4, 3, 3, 3]"],
    );
    says(
        refused(&run, &|s| s.facts.optimizer.parameters.clear()),
        &["`conv1.weight`"],
    );
    says(
        refused(&run, &|s| drop(s.tensors.predictor.remove("module.1.predictor"))),
        &["module.1.predictor"],
    );
    says(
        refused(&run, &|s| s.facts.own.predictor = None),
        &["it has no predictor, but this run has one"],
    );
    says(refused(&run, &|s| s.facts.flight.versions = 1), &["module.1.version.0"]);
}
