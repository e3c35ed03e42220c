//! The trait of an instance: each function is one call of its table.

use super::instance::Loaded;
use crate::{
    Arrays, Coefficients, Context, Inputs, Output, PluginError, Predictor, PredictorError, Probe, Rule,
    abi::{self, kind, status},
};
use std::ffi::c_void;

impl Predictor for Loaded {
    fn name(&self) -> &str {
        &self.descriptor.id
    }

    fn label(&self) -> String {
        format!("the plug-in {}", self.plugin())
    }

    fn inputs(&self) -> Inputs {
        abi::inputs_from(self.table.inputs)
    }

    fn rule(&mut self, context: &Context<'_>) -> Result<Rule, PredictorError> {
        let contract = |reason: String| Err(self.contract("rule", reason).into());
        let Some(rule) = self.table.rule else {
            return contract("it has no such function".into());
        };
        let mut answer = abi::Rule {
            struct_size: size_of::<abi::Rule>() as u64,
            kind: kind::LINEAR,
            reserved: 0,
            weights: 1.0,
            direction: 0.0,
            gradient: 0.0,
            displacement: 0.0,
        };
        // SAFETY: both live as long as the call.
        self.call_in("rule", context, |data, context| unsafe {
            rule(data, context, &raw mut answer)
        })?;
        let abi::Rule {
            weights,
            direction,
            gradient,
            displacement,
            ..
        } = answer;
        match answer.kind {
            kind::LINEAR => {
                for (what, value, read) in [
                    ("weights", weights, true),
                    ("direction", direction, self.inputs().direction),
                    ("gradient", gradient, self.inputs().gradient),
                    ("displacement", displacement, self.inputs().displacement),
                ] {
                    if !value.is_finite() {
                        let what = format!("the coefficient of the {what}");
                        return Err(PluginError::NonFinite {
                            plugin: self.plugin(),
                            value,
                            what,
                        }
                        .into());
                    }
                    if value.abs() > f32::MAX.into() {
                        return contract(format!(
                            "its coefficient of the {what} is {value:e}, more than any number of 32 bits"
                        ));
                    }
                    if value != 0.0 && !read {
                        return contract(format!(
                            "its coefficient of the {what} is {value}, but it does not declare to read the {what}"
                        ));
                    }
                }
                Ok(Rule::Linear(Coefficients {
                    weights,
                    direction,
                    gradient,
                    displacement,
                }))
            }
            kind::CUSTOM if self.descriptor.linear => contract("it is custom, but the descriptor says linear".into()),
            kind::CUSTOM if self.table.predict.is_none() => contract("it is custom, but there is no `predict`".into()),
            kind::CUSTOM => Ok(Rule::Custom),
            other => contract(format!("the kind {other} does not exist")),
        }
    }

    fn on_gpu(&self) -> bool {
        self.descriptor.devices & abi::device::CUDA != 0
    }

    fn predict(&mut self, context: &Context<'_>, arrays: Arrays<'_>, out: Output<'_>) -> Result<(), PredictorError> {
        match (arrays, out) {
            (Arrays::F32(views), Output::F32(out)) => self.predict_slices(context, views, out),
            (Arrays::F64(views), Output::F64(out)) => self.predict_slices(context, views, out),
            (Arrays::Device(arrays), Output::Device(out)) => self.predict_on_gpu(context, arrays, &out),
            (arrays, _) => Err(arrays.unsupported(self.name())),
        }
    }

    fn wants_observe(&self) -> bool {
        self.table.observe.is_some()
    }

    fn observe(&mut self, context: &Context<'_>, arrays: Arrays<'_>) -> Result<(), PredictorError> {
        match arrays {
            Arrays::F32(views) => self.observe_slices(context, views),
            Arrays::F64(views) => self.observe_slices(context, views),
            Arrays::Device(arrays) => self.observe_on_gpu(context, arrays),
        }
    }

    fn wants_feedback(&self) -> bool {
        self.table.feedback.is_some()
    }

    fn feedback(&mut self, probe: &Probe) {
        if let Some(feedback) = self.table.feedback {
            let probe = abi::probe_to(probe);
            // SAFETY: the probe lives as long as the call.
            self.call_quietly("feedback", |data| unsafe { feedback(data, &raw const probe) });
        }
    }

    fn save(&self) -> Vec<u8> {
        let mut state = Vec::<u8>::new();
        if let Some(save) = self.table.save {
            let sink = (&raw mut state).cast::<c_void>();
            // SAFETY: `append` is given the vector that it expects, which nothing else touches meanwhile.
            self.call_quietly("save", |data| unsafe { save(data, append, sink) });
        }
        state
    }

    fn load(&mut self, state: &[u8]) -> Result<(), PredictorError> {
        let refused = |message: String| {
            Err(PluginError::State {
                plugin: self.plugin(),
                message,
            }
            .into())
        };
        let Some(load) = self.table.load else {
            return match state.len() {
                0 => Ok(()),
                n => refused(format!("it keeps none, but {n} bytes were given")),
            };
        };
        // SAFETY: the bytes live as long as the call.
        match self.call("load", |data| unsafe { load(data, state.as_ptr(), state.len()) }) {
            Err(PluginError::Failed {
                status: status::INVALID_STATE,
                message,
                ..
            }) => refused(message),
            other => Ok(other?),
        }
    }
}

/// Takes some bytes of a saved state into the vector behind `sink`.
unsafe extern "C" fn append(sink: *mut c_void, data: *const u8, size: usize) -> i32 {
    if size > 0 {
        if data.is_null() {
            return status::ERROR;
        }
        // SAFETY: `save` was given this function together with a vector, and passes `size` bytes.
        unsafe {
            (*sink.cast::<Vec<u8>>()).extend_from_slice(std::slice::from_raw_parts(data, size));
        }
    }
    status::OK
}
