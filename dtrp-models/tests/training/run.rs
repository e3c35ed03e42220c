//! What the training tests share: a small network on random data, trained by any method, and the same network written out
//! by hand as the oracle.

use dtrp_core::engine::{self, EngineOptions, Execution, Executor, Stage};
use dtrp_core::schedule::{Method, Order, Plan, Program, Recompute, Unit};
use dtrp_core::torch::{
    Activation, BlockSpec, CrossEntropy, Curve, Forecaster, Gradients, Input, LearningRate, Loss, Module, Optimizer,
    Precision, Sgd, Source, StageOptions, TorchError, TorchStage, Upload, Warmup, WorkerThread,
};
use dtrp_models::{ModelInput, Network, auxiliary, build, option_values, split_before, split_evenly};
use dtrp_predictors::Spec;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use tch::{Device, Kind, Tensor};

pub(crate) const INPUT: ModelInput = ModelInput {
    channels: 3,
    height: 8,
    width: 8,
    classes: 5,
};

/// Makes the optimizer of a module.
pub(crate) type MakeOptimizer = fn(&Run) -> Box<dyn Optimizer>;

/// One training run.
#[derive(Clone)]
pub(crate) struct Run {
    pub(crate) method: &'static str,
    pub(crate) modules: usize,
    pub(crate) order: Option<Order>,
    pub(crate) predictor: &'static str,
    pub(crate) batches: u32,
    pub(crate) micro_batches: u16,
    pub(crate) accumulate: u32,
    pub(crate) seed: u64,
    pub(crate) kind: Kind,
    /// One for all modules, or one for each.
    pub(crate) devices: Vec<Device>,
    pub(crate) precision: Precision,
    pub(crate) channels_last: bool,
    pub(crate) executor: Executor,
    pub(crate) rate: f64,
    /// Updates after which the rate is a tenth of it.
    pub(crate) milestone: Option<u64>,
    pub(crate) warmup: Option<Warmup>,
    pub(crate) momentum: f64,
    pub(crate) nesterov: bool,
    pub(crate) weight_decay: f64,
    pub(crate) decay_all: bool,
    pub(crate) label_smoothing: f64,
    /// Instead of cross-entropy.
    pub(crate) loss: Option<Arc<dyn Loss>>,
    pub(crate) shortcut: &'static str,
    /// Of each module; nothing leaves it to the method.
    pub(crate) recompute: Vec<Recompute>,
    /// Names of the places to cut at; evenly if there are none.
    pub(crate) places: Vec<&'static str>,
    /// Instead of the small ResNet.
    pub(crate) network: Option<fn() -> Vec<BlockSpec>>,
    pub(crate) gradient_shrink: f64,
    /// Instead of SGD with the numbers above.
    pub(crate) optimizer: Option<MakeOptimizer>,
    /// A probe of every so many predictions.
    pub(crate) probe_every: u32,
}

impl Run {
    pub(crate) fn new(method: &'static str, modules: usize) -> Self {
        Self {
            method,
            modules,
            order: None,
            predictor: "momentum",
            batches: 7,
            micro_batches: 1,
            accumulate: 1,
            seed: 1,
            kind: Kind::Float,
            devices: vec![Device::Cpu],
            precision: Precision::F32,
            channels_last: false,
            executor: Executor::Sequential,
            rate: 0.05,
            milestone: None,
            warmup: None,
            momentum: 0.9,
            nesterov: false,
            weight_decay: 5e-4,
            decay_all: true,
            label_smoothing: 0.0,
            loss: None,
            shortcut: "A",
            recompute: Vec::new(),
            places: Vec::new(),
            network: None,
            gradient_shrink: 1.0,
            optimizer: None,
            probe_every: 1,
        }
    }

    /// Batch `number` (from 1): random images and labels, the same for every method. The last one is smaller.
    pub(crate) fn data(&self, number: u32) -> (Tensor, Tensor) {
        let samples = if number == self.batches { 5 } else { 8 };
        let mut state = self.seed.wrapping_mul(1_000_003).wrapping_add(u64::from(number)) | 1;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state >> 11
        };
        let pixels: Vec<f64> = (0..samples * 3 * 64)
            .map(|_| next() as f64 / (1u64 << 52) as f64 - 1.0)
            .collect();
        let labels: Vec<i64> = (0..samples).map(|_| (next() % 5) as i64).collect();
        let images = Tensor::from_slice(&pixels)
            .view([samples as i64, 3, 8, 8])
            .to_kind(self.kind);
        let images = images.permute([0, 2, 3, 1]).contiguous().permute([0, 3, 1, 2]);
        (images, Tensor::from_slice(&labels))
    }

    pub(crate) fn stages(&self) -> Vec<TorchStage> {
        let choice = option_values([
            ("depth", 8.into()),
            ("width", 4.into()),
            ("shortcut", self.shortcut.into()),
        ]);
        let places: Vec<String> = self.places.iter().map(|place| (*place).to_owned()).collect();
        let network = match self.network {
            Some(blocks) => Network::from(blocks()),
            None => build("resnet-cifar", &choice, &INPUT).unwrap(),
        };
        let network = network.cut_inside(&places).unwrap();
        let described = match self.network {
            Some(_) => None,
            None => Some(network.describe(&INPUT).unwrap()),
        };
        let method = Method::named(self.method).unwrap();
        let ranges = if places.is_empty() {
            split_evenly(network.blocks.len(), self.modules)
        } else {
            let names: Vec<&str> = network.names().collect();
            split_before(&names, self.modules, &places)
        };
        let (ranges, blocks) = (ranges.unwrap(), network.blocks);
        let heads = match described {
            Some(described) if !method.gradients => {
                auxiliary::heads(auxiliary::list()[0], &described, &ranges, INPUT.classes)
            }
            _ => Vec::new(),
        };
        let (mut blocks, mut heads) = (blocks.into_iter(), heads.into_iter());
        let stage = |(index, range): (usize, std::ops::Range<usize>)| {
            let own = blocks.by_ref().take(range.len()).collect();
            let module = Module::with_auxiliary(own, heads.next(), range.start, self.kind, self.device(index));
            let module = module.unwrap();
            let module = module.precision(self.precision);
            let module = if self.channels_last {
                module.channels_last()
            } else {
                module
            };
            let predictor = dtrp_predictors::create(&Spec::named(self.predictor)).unwrap();
            let options = StageOptions {
                module: index + 1,
                modules: self.modules,
                seed: self.seed,
                loss: self.loss.clone().unwrap_or_else(|| {
                    Arc::new(CrossEntropy {
                        label_smoothing: self.label_smoothing,
                    })
                }),
                rate: self.learning_rate(),
                optimizer: self
                    .optimizer
                    .map_or_else(|| Box::new(self.sgd()) as _, |own| own(self)),
                gradient_shrink: self.gradient_shrink,
                gradients: method.gradients,
                forecaster: Some(Forecaster::new(predictor, self.probe_every)),
                worker: WorkerThread { threads: 1 },
            };
            TorchStage::new(module, options).unwrap()
        };
        ranges.into_iter().enumerate().map(stage).collect()
    }

    pub(crate) fn sgd(&self) -> Sgd {
        Sgd::new()
            .momentum(self.momentum)
            .nesterov(self.nesterov)
            .weight_decay(self.weight_decay)
            .decay_bias_and_norm(self.decay_all)
    }

    fn learning_rate(&self) -> LearningRate {
        let curve = Curve::MultiStep {
            milestones: self.milestone.into_iter().collect(),
            gamma: 0.1,
        };
        LearningRate::new(self.rate, curve, self.warmup).unwrap()
    }

    fn device(&self, module: usize) -> Device {
        self.devices[module % self.devices.len()]
    }

    pub(crate) fn source(&self) -> Box<dyn Source> {
        Box::new(Batches {
            images: Upload::new(self.device(0)).unwrap(),
            labels: Upload::new(self.device(self.modules - 1)).unwrap(),
            run: self.clone(),
        })
    }

    pub(crate) fn program(&self) -> Program {
        let mut plan = Plan::new(self.modules, self.batches);
        plan.order = self.order;
        let plan = plan.micro_batches(self.micro_batches).accumulate(self.accumulate);
        let plan = plan.recompute(self.recompute.clone());
        Method::named(self.method).unwrap().program(&plan).unwrap()
    }

    pub(crate) fn train<S: Stage<Error = TorchError>>(&self, stages: &mut Vec<S>) -> Execution {
        let program = self.program();
        let options = EngineOptions {
            executor: self.executor,
            ..EngineOptions::default()
        };
        engine::run(&program, stages, &options).unwrap_or_else(|e| panic!("{}: {e}", self.method))
    }

    /// Trains from the start and returns the final weights and statistics by name.
    pub(crate) fn weights(&self) -> BTreeMap<String, Tensor> {
        let mut stages = self.stages();
        stages[0].begin(0, Some(self.source()));
        self.train(&mut stages);
        state(&stages)
    }

    /// Trains and returns what every module received and computed for each batch.
    pub(crate) fn spy(&self) -> Vec<Seen> {
        let mut stages = self.stages();
        stages[0].begin(0, Some(self.source()));
        let mut spies: Vec<Spy> = stages
            .into_iter()
            .map(|stage| Spy {
                stage,
                seen: Seen::default(),
            })
            .collect();
        self.train(&mut spies);
        spies.into_iter().map(|spy| spy.seen).collect()
    }
}

pub(crate) fn state(stages: &[TorchStage]) -> BTreeMap<String, Tensor> {
    stages.iter().flat_map(|stage| stage.state().unwrap()).collect()
}

/// Fails unless both hold the same names with the same bits.
pub(crate) fn assert_same_bits(what: &str, a: &BTreeMap<String, Tensor>, b: &BTreeMap<String, Tensor>) {
    assert_eq!(
        a.keys().collect::<Vec<_>>(),
        b.keys().collect::<Vec<_>>(),
        "{what}: names"
    );
    for (name, tensor) in a {
        assert!(
            tensor.equal(&b[name]),
            "{what}: {name} differs by {:e}",
            difference(tensor, &b[name])
        );
    }
}

/// The largest absolute difference of two tensors.
pub(crate) fn difference(a: &Tensor, b: &Tensor) -> f64 {
    (a - b).abs().max().double_value(&[])
}

struct Batches {
    run: Run,
    images: Upload,
    labels: Upload,
}

impl Source for Batches {
    fn next(&mut self, unit: Unit) -> Result<Input, TorchError> {
        let (images, labels) = self.run.data(unit.batch);
        let images = self.images.upload(&images)?;
        let labels = self.labels.upload(&labels)?;
        if unit.micro == 0 {
            return Ok(Input {
                images,
                labels,
                share: 1.0,
                parts: 1,
            });
        }
        let (total, m) = (images.size()[0], i64::from(self.run.micro_batches));
        let (from, to) = (
            (i64::from(unit.micro) - 1) * total / m,
            i64::from(unit.micro) * total / m,
        );
        Ok(Input {
            images: images.narrow(0, from, to - from),
            labels: labels.narrow(0, from, to - from),
            share: (to - from) as f64 / total as f64,
            parts: self.run.micro_batches,
        })
    }
}

/// What one module received and sent, by batch: of several tensors the first.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) outputs: HashMap<u32, Tensor>,
    pub(crate) deltas: HashMap<u32, Tensor>,
}

struct Spy {
    stage: TorchStage,
    seen: Seen,
}

impl Stage for Spy {
    type Up = Activation;
    type Down = Gradients;
    type Error = TorchError;

    fn enter(&mut self) {
        self.stage.enter();
    }
    fn leave(&mut self) -> Result<(), TorchError> {
        self.stage.leave()
    }
    fn input(&mut self, unit: Unit) -> Result<Activation, TorchError> {
        self.stage.input(unit)
    }
    fn forward(&mut self, unit: Unit, input: Activation, horizon: Option<u32>) -> Result<Activation, TorchError> {
        let output = self.stage.forward(unit, input, horizon)?;
        self.seen
            .outputs
            .insert(unit.batch, output.tensors().next().unwrap().copy());
        Ok(output)
    }
    fn forward_graph(&mut self, u: Unit, x: Activation, h: Option<u32>) -> Result<Option<Activation>, TorchError> {
        let output = self.stage.forward_graph(u, x, h)?;
        if let Some(output) = &output {
            self.seen
                .outputs
                .insert(u.batch, output.tensors().next().unwrap().copy());
        }
        Ok(output)
    }
    fn recompute(&mut self, unit: Unit) -> Result<(), TorchError> {
        self.stage.recompute(unit)
    }
    fn backward(&mut self, unit: Unit, delta: Option<Gradients>) -> Result<Option<Gradients>, TorchError> {
        if let Some(delta) = &delta {
            let first = delta.tensors().next().flatten();
            self.seen.deltas.insert(unit.batch, first.unwrap().copy());
        }
        self.stage.backward(unit, delta)
    }
    fn update(&mut self, batch: u32) -> Result<(), TorchError> {
        self.stage.update(batch)
    }
}
