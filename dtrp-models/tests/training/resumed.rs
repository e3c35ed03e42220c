//! A run that is saved and restored between any two actions of its program is the same run, bit for bit.
//!
//! Stages are driven by hand. After *every* action all that there is goes through the form that files keep, and fresh stages go
//! on with the next one: what any of these moments lost would show at the end.

use crate::run::{Run, assert_same_bits, state};
use dtrp_core::engine::Stage;
use dtrp_core::schedule::{Action, Method, Op, Order, Program, Unit};
use dtrp_core::torch::{
    Activation, ActivationFacts, Adam, BlockSpec, LossEvent, Message, OptimizerFacts, OptimizerMemory, Pass, Precision,
    SavedTensor, SavedTensors, StageFacts, Tensors, TorchError, TorchStage, Vars,
};
use dtrp_models::layers::{Dropout, Linear};
use dtrp_models::{build, option_values, weights};
use dtrp_predictors::{
    Arrays, Context, Definition, Description, Inputs, Options, Output, Predictor, PredictorError, Probe, Registration,
    Rule, Spec, Views,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tch::{Device, Kind, Tensor};

/// What lies at a worker and on its links.
struct Mail {
    arrived: BTreeMap<Unit, Activation>,
    gradients: BTreeMap<Unit, Message>,
    ready: BTreeMap<Unit, Activation>,
    ready_down: BTreeMap<Unit, Message>,
    /// On their way from this worker.
    up: BTreeMap<Unit, Activation>,
    down: BTreeMap<Unit, Message>,
}

/// The same, without the tensors.
#[derive(Serialize, Deserialize)]
struct MailFacts {
    up: [Vec<(Unit, ActivationFacts)>; 3],
    down: [Vec<(Unit, SavedTensor)>; 3],
}

#[derive(Serialize, Deserialize)]
struct Facts {
    stages: Vec<StageFacts>,
    mail: Vec<MailFacts>,
    next: Vec<usize>,
}

type Losses = Arc<Mutex<Vec<(usize, LossEvent)>>>;

/// A run in the middle of its program.
struct Running {
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
        stages.iter_mut().for_each(Stage::enter);
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
        Ok(())
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
            let mut put = |place: &str, unit: &Unit| format!("mail.{worker}.{place}.{unit}");
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
            let mut down = |place: &str, mail: &BTreeMap<Unit, Message>| {
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
                let restored = |m: &SavedTensor| Message::restore(m, &tensors.flight, device).unwrap();
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
        for stage in &mut self.stages {
            stage.leave().unwrap();
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

/// Saved and restored after every action, against the run that was never touched.
fn check(run: &Run) {
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

/// Predicts by itself, with a share that it learns from updates and from feedback.
struct Learning {
    share: f64,
    seen: u64,
}

impl Learning {
    fn forecast<T: dtrp_predictors::Real + Into<f64> + Copy>(
        &self,
        context: &Context<'_>,
        views: Views<'_, T>,
        out: &mut [T],
        from: impl Fn(f64) -> T,
    ) {
        for (index, (out, w)) in out.iter_mut().zip(views.weights).enumerate() {
            let d: f64 = views.direction.map_or(0.0, |d| d[index].into());
            *out = from((*w).into() - self.share * context.rate_sum() * d);
        }
    }
}

impl Predictor for Learning {
    fn name(&self) -> &str {
        Self::DESCRIPTION.name
    }

    fn inputs(&self) -> Inputs {
        Inputs {
            direction: true,
            gradient: true,
            displacement: true,
        }
    }

    fn rule(&mut self, _: &Context<'_>) -> Result<Rule, PredictorError> {
        Ok(Rule::Custom)
    }

    fn predict(&mut self, context: &Context<'_>, arrays: Arrays<'_>, out: Output<'_>) -> Result<(), PredictorError> {
        match (arrays, out) {
            (Arrays::F32(views), Output::F32(out)) => self.forecast(context, views, out, |x| x as f32),
            (Arrays::F64(views), Output::F64(out)) => self.forecast(context, views, out, |x| x),
            _ => return Err(arrays.unsupported("org.example.learning")),
        }
        Ok(())
    }

    fn wants_observe(&self) -> bool {
        true
    }

    fn observe(&mut self, context: &Context<'_>, _: Arrays<'_>) -> Result<(), PredictorError> {
        self.seen += context.update;
        self.share *= 0.99;
        Ok(())
    }

    fn wants_feedback(&self) -> bool {
        true
    }

    fn feedback(&mut self, probe: &Probe) {
        if probe.direction_norm2 > 0.0 {
            self.share = 0.5 * self.share + 0.5 * probe.realised_dot_direction / probe.direction_norm2;
        }
    }

    fn save(&self) -> Vec<u8> {
        [self.share.to_bits(), self.seen].map(u64::to_le_bytes).concat()
    }

    fn load(&mut self, state: &[u8]) -> Result<(), PredictorError> {
        let word = |at: usize| u64::from_le_bytes(state[at..at + 8].try_into().unwrap());
        (self.share, self.seen) = (f64::from_bits(word(0)), word(8));
        Ok(())
    }
}

impl Definition for Learning {
    const DESCRIPTION: Description = Description {
        name: "org.example.learning",
        version: "1.0.0",
        summary: "for this test",
        formula: "as much of the way of momentum as was right before",
        licence: "MIT OR Apache-2.0",
        kind: dtrp_predictors::Kind::Custom,
        options: &[],
    };

    fn build(_: &Options<'_>) -> Result<Self, PredictorError> {
        Ok(Self { share: 1.0, seen: 0 })
    }
}

dtrp_predictors::inventory::submit! { Registration::of::<Learning>() }

type MakeOptimizer = Option<fn(&Run) -> Box<dyn dtrp_core::torch::Optimizer>>;

/// Every optimizer, with predictors that it can be predicted by.
fn optimizers() -> Vec<(MakeOptimizer, Vec<&'static str>)> {
    let all = [
        "none",
        "damped",
        "decayed",
        "difference",
        "adaptive",
        "org.example.learning",
    ];
    let with = |own: &'static str| [&[own][..], &all].concat();
    vec![
        (None, with("momentum")),
        (
            Some(|run| Box::new(run.sgd().momentum(0.0))),
            vec!["none", "difference"],
        ),
        (Some(|run| Box::new(run.sgd().nesterov(true))), with("momentum")),
        (Some(|run| Box::new(run.sgd().spike_compensation(2))), with("momentum")),
        (
            Some(|_| Box::new(Adam::new())),
            vec!["adam", "none", "difference", "org.example.learning"],
        ),
        (
            Some(|_| Box::new(Adam::decoupled().weight_decay(0.1).decay_bias_and_norm(false))),
            vec!["adamw", "none", "difference", "org.example.learning"],
        ),
    ]
}

fn network() -> Vec<BlockSpec> {
    let choice = option_values([("depth", 8.into()), ("width", 4.into())]);
    build("resnet-cifar", &choice, &crate::run::INPUT).unwrap().blocks
}

/// With dropout in the middle.
fn with_dropout() -> Vec<BlockSpec> {
    let mut blocks = network();
    let dropout = BlockSpec::build("dropout", |_| {
        let dropout = Dropout::new(0.3, 0);
        move |vars: &Vars<'_>, x: &Tensor, pass: &Pass| dropout.forward(vars, x.shallow_clone(), pass)
    });
    blocks.insert(2, dropout);
    blocks
}

/// With a block without parameters whose gradient repeats one number in memory.
fn with_a_sum() -> Vec<BlockSpec> {
    let mut blocks = network();
    blocks.truncate(3);
    blocks.push(BlockSpec::build("sum", |_| {
        |_: &Vars<'_>, x: &Tensor, _: &Pass| x.f_sum_dim_intlist([2i64, 3].as_slice(), false, None::<Kind>)
    }));
    blocks.push(BlockSpec::build("fc", |scope| {
        let linear = Linear::torch(&mut scope.sub("fc"), 8, 5);
        move |vars: &Vars<'_>, x: &Tensor, _: &Pass| linear.forward(vars, x)
    }));
    blocks
}

/// Every method in every order, each with another optimizer, predictor, type, and number of batches under one update.
#[test]
fn every_method_goes_on_from_any_moment() {
    let optimizers = optimizers();
    let mut turn = 0;
    for method in Method::all() {
        for order in method.orders {
            for modules in 1..=3 {
                turn += 1;
                let (optimizer, predictors) = &optimizers[turn % optimizers.len()];
                check(&Run {
                    order: Some(*order),
                    predictor: predictors[turn % predictors.len()],
                    batches: 5,
                    micro_batches: if method.micro_batches { 1 + (turn % 3) as u16 } else { 1 },
                    accumulate: if method.accumulate { 1 + (turn % 2) as u32 } else { 1 },
                    seed: turn as u64,
                    kind: [Kind::Float, Kind::Double][turn / 2 % 2],
                    optimizer: *optimizer,
                    probe_every: [1, 3][turn / 3 % 2],
                    milestone: Some(2),
                    gradient_shrink: [1.0, 0.5][turn / 5 % 2],
                    ..Run::new(method.name, modules)
                });
            }
        }
    }
}

#[test]
fn every_optimizer_and_predictor_goes_on_from_any_moment() {
    for (optimizer, predictors) in optimizers() {
        for predictor in predictors {
            check(&Run {
                optimizer,
                predictor,
                batches: 6,
                order: Some(Order::Eager),
                ..Run::new("dtrp", 3)
            });
        }
    }
}

#[test]
fn micro_batches_go_on_from_any_moment() {
    for method in Method::all().iter().filter(|method| method.micro_batches) {
        check(&Run {
            micro_batches: 3,
            accumulate: if method.accumulate { 2 } else { 1 },
            batches: 4,
            ..Run::new(method.name, 2)
        });
    }
}

#[test]
fn networks_of_all_sorts_go_on_from_any_moment() {
    for method in ["dtrp", "fdg", "spectrain"] {
        let run = Run {
            batches: 5,
            ..Run::new(method, 3)
        };
        check(&Run {
            network: Some(with_dropout),
            ..run.clone()
        });
        // The block without parameters is a module of its own.
        check(&Run {
            network: Some(with_a_sum),
            modules: 5,
            batches: 7,
            ..run.clone()
        });
        check(&Run {
            channels_last: true,
            precision: Precision::Bf16,
            ..run
        });
    }
}
