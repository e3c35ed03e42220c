//! The calls of an instance that are given arrays, and what is checked of these.

use super::instance::Loaded;
use crate::{
    Arrays, Context, GpuArrays, GpuOutput, Inputs, PluginError, Predictor, PredictorError, Real, Views,
    abi::{self, NativeTensor},
};
use std::ffi::c_void;

impl Loaded {
    /// As [`call_in`](Self::call_in), with arrays, which must be the same afterwards: a predictor that changes the weights
    /// would spoil the network without a word.
    fn call_with<T: NativeTensor>(
        &self,
        name: &'static str,
        context: &Context<'_>,
        views: Views<'_, T>,
        call: impl FnOnce(*mut c_void, *const abi::Context, &abi::Views) -> i32,
    ) -> Result<(), PluginError> {
        let views = self.visible(views);
        let before = digest(&views);
        self.call_in(name, context, |data, context| {
            abi::views_to(&views, |views| call(data, context, views))
        })?;
        if digest(&views) == before {
            return Ok(());
        }
        Err(self.wrote(name, "its inputs"))
    }

    /// Only what the predictor asked for.
    fn visible<'a, T>(&self, views: Views<'a, T>) -> Views<'a, T> {
        let Inputs {
            direction,
            gradient,
            displacement,
        } = self.inputs();
        Views {
            weights: views.weights,
            direction: views.direction.filter(|_| direction),
            gradient: views.gradient.filter(|_| gradient),
            displacement: views.displacement.filter(|_| displacement),
        }
    }

    fn check_dtype<T: NativeTensor>(&self) -> Result<(), PluginError> {
        let names = [(abi::dtype::F32, f32::NAME), (abi::dtype::F64, f64::NAME)];
        let declared: Vec<_> = names
            .iter()
            .filter(|(bit, _)| self.descriptor.dtypes & bit != 0)
            .map(|(_, n)| *n)
            .collect();
        if declared.contains(&T::NAME) {
            return Ok(());
        }
        Err(PluginError::Dtype {
            plugin: self.plugin(),
            dtype: T::NAME,
            declared: declared.join(" and "),
        })
    }

    pub(super) fn predict_slices<T: NativeTensor>(
        &mut self,
        context: &Context<'_>,
        views: Views<'_, T>,
        out: &mut [T],
    ) -> Result<(), PredictorError> {
        crate::predictor::check_lengths(self.name(), &views, out.len())?;
        let Some(predict) = self.table.predict else {
            return Err(T::arrays(views).unsupported(&self.descriptor.id));
        };
        self.check_dtype::<T>()?;
        out.fill(T::UNTOUCHED);
        self.call_with("predict", context, views, |data, context, views| {
            abi::slice_out(out, |out| {
                // SAFETY: all arguments live as long as the call, have one length, and the output is borrowed
                // exclusively, so that it overlaps no input.
                unsafe { predict(data, context, views, out) }
            })
        })?;
        self.check_finite(out)
    }

    /// One more pass over the output: cheap beside what a custom predictor does, and without it NaN would spread into
    /// every module before the loss shows it.
    fn check_finite<T: NativeTensor>(&self, out: &[T]) -> Result<(), PredictorError> {
        // x·0 is 0 for every finite x and NaN otherwise; sums of lanes vectorise, a search with an exit does not.
        let mut lanes = [T::ZERO; 16];
        let (chunks, rest) = out.as_chunks::<16>();
        for chunk in chunks {
            for (lane, &x) in lanes.iter_mut().zip(chunk) {
                *lane += x * T::ZERO;
            }
        }
        if lanes.iter().chain(rest).all(|x| x.is_finite()) {
            return Ok(());
        }
        let index = out.iter().position(|x| !x.is_finite()).unwrap_or(0);
        if out[index].bits() == T::UNTOUCHED.bits() {
            return Err(PluginError::LeftUnwritten {
                plugin: self.plugin(),
                length: out.len(),
                dtype: T::NAME,
                index,
            }
            .into());
        }
        let (value, what) = (out[index].into(), format!("parameter {index} of {}", out.len()));
        Err(PluginError::NonFinite {
            plugin: self.plugin(),
            value,
            what,
        }
        .into())
    }

    pub(super) fn predict_on_gpu(
        &self,
        context: &Context<'_>,
        arrays: &GpuArrays,
        out: &GpuOutput,
    ) -> Result<(), PredictorError> {
        let Some(predict) = self.table.predict else {
            return Err(Arrays::Device(arrays).unsupported(&self.descriptor.id));
        };
        self.check_bits(arrays.bits)?;
        let context = abi::Context {
            stream: arrays.stream,
            ..abi::context_to(context)
        };
        Ok(self.call("predict", |data| {
            abi::gpu_views_to(arrays, self.inputs(), out.data(), |views, out| {
                // SAFETY: the structs live as long as the call, what they point to by the promise of those who made the arrays.
                unsafe { predict(data, &raw const context, views, out) }
            })
        })?)
    }

    pub(super) fn observe_on_gpu(&self, context: &Context<'_>, arrays: &GpuArrays) -> Result<(), PredictorError> {
        let Some(observe) = self.table.observe else {
            return Ok(());
        };
        self.check_bits(arrays.bits)?;
        let context = abi::Context {
            stream: arrays.stream,
            ..abi::context_to(context)
        };
        Ok(self.call("observe", |data| {
            abi::gpu_views_to(arrays, self.inputs(), std::ptr::null_mut(), |views, _| {
                // SAFETY: as above; there is no output.
                unsafe { observe(data, &raw const context, views) }
            })
        })?)
    }

    fn check_bits(&self, bits: u8) -> Result<(), PluginError> {
        match bits {
            64 => self.check_dtype::<f64>(),
            _ => self.check_dtype::<f32>(),
        }
    }

    pub(super) fn observe_slices<T: NativeTensor>(
        &mut self,
        context: &Context<'_>,
        views: Views<'_, T>,
    ) -> Result<(), PredictorError> {
        let Some(observe) = self.table.observe else {
            return Ok(());
        };
        self.check_dtype::<T>()?;
        crate::predictor::check_lengths(self.name(), &views, views.weights.len())?;
        Ok(self.call_with("observe", context, views, |data, context, views| {
            // SAFETY: all arguments live as long as the call.
            unsafe { observe(data, context, views) }
        })?)
    }
}

/// Of the bits of all that a predictor may read: where it writes to that, this changes.
fn digest<T: NativeTensor>(views: &Views<'_, T>) -> u64 {
    let mut lanes = [0_u64; 8];
    let all = [Some(views.weights), views.direction, views.gradient, views.displacement];
    for array in all.into_iter().flatten() {
        // Opaque, since the compiler may take it that nobody writes to what is only lent.
        let (chunks, rest) = std::hint::black_box(array).as_chunks::<8>();
        for chunk in chunks {
            for (lane, x) in lanes.iter_mut().zip(chunk) {
                *lane = lane.rotate_left(7) ^ x.bits();
            }
        }
        for (lane, x) in lanes.iter_mut().zip(rest) {
            *lane = lane.rotate_left(7) ^ x.bits();
        }
    }
    lanes.iter().fold(0, |sum, lane| sum.rotate_left(11) ^ lane)
}
