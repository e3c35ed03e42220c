//! A predictor that is no linear rule, in the memory of a GPU and on copies on the host: the same result.

use crate::alone;
use crate::run::{Run, assert_same_bits, state};
use dtrp_core::engine::Executor;
use dtrp_core::torch::HostReads;
use dtrp_predictors::{
    Arrays, Context, Definition, Description, Inputs, Kind, Options, Output, Predictor, PredictorError, Registration,
    Rule, inventory,
};
use std::collections::BTreeMap;
use std::ffi::c_void;
use tch::{Device, Tensor};

/// Ŵ = w − clamp((Σ η_i)·d), on the GPU if told so. Simulated GPUs have their memory on the host, so that it can be written in
/// Rust.
struct Clamped<const GPU: bool>;

fn clamped(context: &Context<'_>, weights: &[f64], direction: Option<&[f64]>, out: &mut [f64]) {
    let rate: f64 = context.learning_rates.iter().sum();
    for (i, (out, w)) in out.iter_mut().zip(weights).enumerate() {
        let step = direction.map_or(0.0, |d| rate * d[i]);
        *out = w - step.clamp(-1e-3, 1e-3);
    }
}

impl<const GPU: bool> Predictor for Clamped<GPU>
where
    Self: Definition,
{
    fn name(&self) -> &str {
        Self::DESCRIPTION.name
    }

    fn inputs(&self) -> Inputs {
        Inputs::DIRECTION
    }

    fn rule(&mut self, _: &Context<'_>) -> Result<Rule, PredictorError> {
        Ok(Rule::Custom)
    }

    fn on_gpu(&self) -> bool {
        GPU
    }

    fn predict(&mut self, context: &Context<'_>, arrays: Arrays<'_>, out: Output<'_>) -> Result<(), PredictorError> {
        let (arrays, out) = match (arrays, out) {
            (Arrays::F64(views), Output::F64(out)) => {
                clamped(context, views.weights, views.direction, out);
                return Ok(());
            }
            (Arrays::Device(arrays), Output::Device(out)) => (arrays, out),
            _ => return Err(arrays.unsupported(self.name())),
        };
        assert_eq!((arrays.gpu, arrays.bits), (0, 64));
        assert!(!arrays.stream.is_null() && arrays.gradient.is_null());
        // SAFETY: the memory of simulated GPUs is the host's, and holds `len` elements at each pointer.
        let view = |data: *const c_void| unsafe {
            (!data.is_null()).then(|| std::slice::from_raw_parts(data.cast::<f64>(), arrays.len))
        };
        // SAFETY: as above; the output overlaps no input.
        let out = unsafe { std::slice::from_raw_parts_mut(out.data().cast::<f64>(), arrays.len) };
        let weights = view(arrays.weights).expect("weights");
        clamped(context, weights, view(arrays.direction), out);
        Ok(())
    }
}

const fn description(name: &'static str) -> Description {
    Description {
        name,
        version: "0.1.0",
        summary: "for tests",
        formula: "Ŵ = w − clamp((Σ η_i)·d)",
        licence: "MIT",
        kind: Kind::Custom,
        options: &[],
    }
}

impl Definition for Clamped<true> {
    const DESCRIPTION: Description = description("org.example.on-gpu");

    fn build(_: &Options<'_>) -> Result<Self, PredictorError> {
        Ok(Self)
    }
}

impl Definition for Clamped<false> {
    const DESCRIPTION: Description = description("org.example.on-host");

    fn build(_: &Options<'_>) -> Result<Self, PredictorError> {
        Ok(Self)
    }
}

inventory::submit! { Registration::of::<Clamped<true>>() }
inventory::submit! { Registration::of::<Clamped<false>>() }

fn trained(predictor: &'static str, device: Device) -> (BTreeMap<String, Tensor>, HostReads) {
    let run = Run {
        predictor,
        kind: tch::Kind::Double,
        devices: vec![device],
        executor: Executor::Threads,
        ..Run::new("dtrp", 3)
    };
    let mut stages = run.stages();
    stages[0].begin(0, Some(run.source()));
    run.train(&mut stages);
    (state(&stages), stages[0].metrics().reads)
}

#[test]
fn staged_and_in_device_memory_are_the_same() {
    let _turn = alone();
    if !dtrp_simulated_gpu::AVAILABLE {
        eprintln!("skipped: on a real GPU this takes a predictor in CUDA");
        return;
    }
    let (there, reads) = trained("org.example.on-gpu", Device::Cuda(0));
    assert_eq!(reads.blocking, 0, "nothing goes through the host");
    let (here, reads) = trained("org.example.on-host", Device::Cuda(0));
    // One wait for each prediction but the last module's, which makes none.
    assert!(reads.blocking >= 5, "{reads:?}");
    assert_same_bits("staged", &there, &here);
    let (cpu, reads) = trained("org.example.on-gpu", Device::Cpu);
    assert_eq!(reads, HostReads::default());
    for (name, tensor) in &cpu {
        assert!(crate::run::difference(tensor, &there[name]) < 1e-10, "{name}");
    }
    let races = dtrp_simulated_gpu::races();
    assert!(races.is_empty(), "{}", races.join("\n"));
}
