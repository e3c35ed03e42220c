//! Stages driven by hand. After *every* action all that there is goes through the form that files keep, and fresh stages go on
//! with the next one: what any of these moments lost shows at the end.

use crate::run::{Run, assert_same_bits, state};
use dtrp_core::engine::Stage;
use dtrp_core::schedule::{Action, Op, Program, Unit};
use dtrp_core::torch::{
    Activation, ActivationFacts, GradientFacts, Gradients, LossEvent, SavedTensors, StageFacts, TorchError, TorchStage,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What lies at a worker and on its links.
struct Mail {
    arrived: BTreeMap<Unit, Activation>,
    gradients: BTreeMap<Unit, Gradients>,
    ready: BTreeMap<Unit, Activation>,
    ready_down: BTreeMap<Unit, Gradients>,
    /// On their way from this worker.
    up: BTreeMap<Unit, Activation>,
    down: BTreeMap<Unit, Gradients>,
}

/// The same, without the tensors.
#[derive(Serialize, Deserialize)]
struct MailFacts {
    up: [Vec<(Unit, ActivationFacts)>; 3],
    down: [Vec<(Unit, GradientFacts)>; 3],
}

#[derive(Serialize, Deserialize)]
struct Facts {
    stages: Vec<StageFacts>,
    mail: Vec<MailFacts>,
    next: Vec<usize>,
}

pub(crate) type Losses = Arc<Mutex<Vec<(usize, LossEvent)>>>;

/// A run in the middle of its program.
pub(crate) struct Running {
    stages: Vec<TorchStage>,
    mail: Vec<Mail>,
    next: Vec<usize>,
    losses: Losses,
}

impl Running {
    /// At the start of the program, before which there were so many batches.
    fn begin(run: &Run, before: u64, losses: &Losses) -> Self {
        let mut stages = run.stages();
        for (index, stage) in stages.iter_mut().enumerate() {
            stage.begin(before, (index == 0).then(|| run.source()));
            let told = Arc::clone(losses);
            stage.on_loss(move |event| told.lock().unwrap().push((index, event)));
        }
        let empty = || Mail {
            arrived: BTreeMap::new(),
            gradients: BTreeMap::new(),
            ready: BTreeMap::new(),
            ready_down: BTreeMap::new(),
            up: BTreeMap::new(),
            down: BTreeMap::new(),
        };
        Self {
            mail: stages.iter().map(|_| empty()).collect(),
            next: vec![0; stages.len()],
            stages,
            losses: Arc::clone(losses),
        }
    }

    /// Whether a worker can do its next action.
    fn can(&self, program: &Program, worker: usize) -> Option<Action> {
        let action = *program.workers[worker].get(self.next[worker])?;
        let there = match action.op {
            Op::RecvY => self.mail[worker - 1].up.contains_key(&action.unit),
            Op::RecvD => self.mail[worker + 1].down.contains_key(&action.unit),
            _ => true,
        };
        there.then_some(action)
    }

    fn act(&mut self, worker: usize, Action { op, unit, horizon, .. }: Action) -> Result<(), TorchError> {
        let stage = &mut self.stages[worker];
        let mail = &mut self.mail[worker];
        stage.enter();
        match op {
            Op::Forward | Op::ForwardGraph => {
                let input = match worker {
                    0 => stage.input(unit)?,
                    _ => mail.arrived.remove(&unit).unwrap(),
                };
                let output = match op {
                    Op::Forward => Some(stage.forward(unit, input, horizon)?),
                    _ => stage.forward_graph(unit, input, horizon)?,
                };
                mail.ready.extend(output.map(|output| (unit, output)));
            }
            Op::Recompute => stage.recompute(unit)?,
            Op::Backward => {
                let down = stage.backward(unit, mail.gradients.remove(&unit))?;
                mail.ready_down.extend(down.map(|down| (unit, down)));
            }
            Op::Update => stage.update(unit.batch)?,
            Op::SendY => drop(mail.up.insert(unit, mail.ready.remove(&unit).unwrap())),
            Op::SendD => drop(mail.down.insert(unit, mail.ready_down.remove(&unit).unwrap())),
            Op::RecvY => {
                let input = self.mail[worker - 1].up.remove(&unit).unwrap();
                self.mail[worker].arrived.insert(unit, input);
            }
            Op::RecvD => {
                let delta = self.mail[worker + 1].down.remove(&unit).unwrap();
                self.mail[worker].gradients.insert(unit, delta);
            }
        }
        self.next[worker] += 1;
        self.stages[worker].leave()
    }

    /// In the form that files keep.
    fn save(&self) -> (SavedTensors, String) {
        let mut tensors = SavedTensors::default();
        let mut stages = Vec::new();
        for stage in &self.stages {
            let saved = stage.save().unwrap();
            tensors.extend(saved.tensors);
            stages.push(saved.facts);
        }
        let mail = self.mail.iter().enumerate().map(|(worker, mail)| {
            let put = |place: &str, unit: &Unit| format!("mail.{worker}.{place}.{unit}");
            let flight = &mut tensors.flight;
            let mut up = |place: &str, mail: &BTreeMap<Unit, Activation>| {
                let each = mail.iter();
                each.map(|(unit, m)| (*unit, m.save(&put(place, unit), flight).unwrap()))
                    .collect()
            };
            let up = [
                up("arrived", &mail.arrived),
                up("ready", &mail.ready),
                up("up", &mail.up),
            ];
            let mut down = |place: &str, mail: &BTreeMap<Unit, Gradients>| {
                let each = mail.iter();
                each.map(|(unit, m)| (*unit, m.save(&put(place, unit), flight).unwrap()))
                    .collect()
            };
            let down = [
                down("gradients", &mail.gradients),
                down("ready_down", &mail.ready_down),
                down("down", &mail.down),
            ];
            MailFacts { up, down }
        });
        let facts = Facts {
            mail: mail.collect(),
            stages,
            next: self.next.clone(),
        };
        (tensors, serde_json::to_string(&facts).unwrap())
    }

    /// Fresh stages that go on from there.
    fn restore(run: &Run, losses: &Losses, (tensors, facts): &(SavedTensors, String)) -> Self {
        let facts: Facts = serde_json::from_str(facts).unwrap();
        let mut running = Self::begin(run, 0, losses);
        for (stage, facts) in running.stages.iter_mut().zip(&facts.stages) {
            stage.restore(facts, tensors).unwrap();
        }
        for ((mail, facts), stage) in running.mail.iter_mut().zip(&facts.mail).zip(&running.stages) {
            let device = stage.module().options().1;
            let [arrived, ready, up] = &facts.up;
            for (place, facts) in [
                (&mut mail.arrived, arrived),
                (&mut mail.ready, ready),
                (&mut mail.up, up),
            ] {
                let restored = |m: &ActivationFacts| Activation::restore(m, &tensors.flight, device).unwrap();
                place.extend(facts.iter().map(|(unit, m)| (*unit, restored(m))));
            }
            let [gradients, ready, down] = &facts.down;
            for (place, facts) in [
                (&mut mail.gradients, gradients),
                (&mut mail.ready_down, ready),
                (&mut mail.down, down),
            ] {
                let restored = |m: &GradientFacts| Gradients::restore(m, &tensors.flight, device).unwrap();
                place.extend(facts.iter().map(|(unit, m)| (*unit, restored(m))));
            }
        }
        running.next = facts.next;
        running
    }

    /// Executes the program from where it is, in an order that `seed` chooses; `between` sees the run after every action.
    fn go_on(mut self, program: &Program, mut seed: u64, mut between: impl FnMut(Self) -> Self) -> Self {
        loop {
            let ready = (0..self.stages.len()).filter_map(|worker| Some((worker, self.can(program, worker)?)));
            let ready: Vec<_> = ready.collect();
            if ready.is_empty() {
                break;
            }
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let (worker, action) = ready[(seed >> 33) as usize % ready.len()];
            self.act(worker, action).unwrap();
            self = between(self);
        }
        for (worker, actions) in program.workers.iter().enumerate() {
            assert_eq!(self.next[worker], actions.len());
        }
        self
    }

    /// Losses by module, in the order in which each told them.
    fn told(&self) -> Vec<(usize, LossEvent)> {
        let mut told = self.losses.lock().unwrap().clone();
        told.sort_by_key(|(module, _)| *module);
        told
    }
}

/// Facts as text, without the time that was measured.
fn timeless(stages: &[TorchStage]) -> (SavedTensors, String) {
    let mut tensors = SavedTensors::default();
    let mut facts = Vec::new();
    for stage in stages {
        let mut saved = stage.save().unwrap();
        if let Some(predictor) = &mut saved.facts.own.predictor {
            predictor.spent = Duration::ZERO;
        }
        tensors.extend(saved.tensors);
        facts.push(saved.facts);
    }
    (tensors, serde_json::to_string(&facts).unwrap())
}

/// Fails unless the run that is saved and restored after every action is the run that was never touched.
pub(crate) fn check(run: &Run) {
    let what = format!(
        "{} {:?} K={} {} {} m={} M={} {:?}",
        run.method,
        run.order,
        run.modules,
        run.stages()[0].save().unwrap().facts.optimizer.kind,
        run.predictor,
        run.micro_batches,
        run.accumulate,
        run.kind
    );
    let program = run.program();
    let mut whole = Running::begin(run, 3, &Losses::default());
    // The engine itself, where it runs the whole.
    run.train(&mut whole.stages);
    let losses = Losses::default();
    let mut moments = 0;
    let hopped = Running::begin(run, 3, &losses).go_on(&program, run.seed, |running| {
        moments += 1;
        let saved = running.save();
        drop(running);
        Running::restore(run, &losses, &saved)
    });
    assert_eq!(moments, program.workers.iter().map(Vec::len).sum::<usize>(), "{what}");
    assert_same_bits(&what, &state(&whole.stages), &state(&hopped.stages));
    let ((tensors, facts), (others, other)) = (timeless(&whole.stages), timeless(&hopped.stages));
    assert_eq!(facts, other, "{what}");
    assert_same_bits(&what, &tensors.optimizer, &others.optimizer);
    assert_same_bits(&what, &tensors.predictor, &others.predictor);
    assert!(tensors.flight.is_empty() && others.flight.is_empty(), "{what}");
    assert_eq!(whole.told(), hopped.told(), "{what}");
    assert!(whole.told().len() >= run.batches as usize, "{what}");
    for (a, b) in whole.stages.iter().zip(&hopped.stages) {
        let numbers = |stage: &TorchStage| {
            let metrics = stage.metrics();
            let gain = metrics
                .gain
                .map(|gain| (gain.error.to_bits(), gain.cosine.to_bits(), gain.probes));
            (gain, metrics.updates, metrics.stored_input_peak_bytes)
        };
        assert_eq!(numbers(a), numbers(b), "{what}");
    }
}
