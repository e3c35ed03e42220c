//! An instance of a plug-in as a [`Predictor`].

use super::{
    descriptor::Descriptor,
    handshake::read_table,
    host::{HOST, clear_error, take_error},
    library::Library,
};
use crate::{
    Arrays, Context, GpuArrays, GpuOutput, Inputs, PluginError, Predictor, PredictorError, Real, Views,
    abi::{self, NativeTensor, status},
};
use std::{cell::RefCell, ffi::c_void, ptr::null};

/// An instance of a plug-in. Made by [`Library::create`].
#[derive(Debug)]
pub(crate) struct Loaded {
    library: &'static Library,
    pub(super) descriptor: &'static Descriptor,
    pub(super) table: abi::Predictor,
    /// Why a call that could not say so (`feedback`, `save`) failed: the next call says it.
    pending: RefCell<Option<PluginError>>,
    /// The call that panicked, and its message: the instance is only destroyed after this.
    panicked: RefCell<Option<(&'static str, String)>>,
}

// SAFETY: the interface lets an instance be used from any thread, one call at a time; `&mut self` and the lack of `Sync`
// ensure the latter.
unsafe impl Send for Loaded {}

impl Loaded {
    /// `id` is passed as it is, so that the conformance check can ask for one that does not exist.
    pub(crate) fn create(
        library: &'static Library,
        descriptor: &'static Descriptor,
        id: &str,
        options: &str,
    ) -> Result<Self, PredictorError> {
        let Some(create) = library.entry().create else {
            return Err(PluginError::MissingFunction {
                path: library.path().into(),
                function: "create",
            }
            .into());
        };
        let mut table = null();
        clear_error();
        // SAFETY: the arguments are those that the header describes.
        let status = unsafe {
            create(
                &HOST,
                id.as_ptr().cast(),
                id.len(),
                options.as_ptr().cast(),
                options.len(),
                &raw mut table,
            )
        };
        if status == status::INVALID_OPTION {
            return Err(PluginError::Options {
                plugin: library.plugin(id),
                message: take_error(),
            }
            .into());
        }
        check(library, id, "create", status)?;
        // SAFETY: what `create` gave.
        let table = unsafe { read_table(library.path(), table) }?;
        Ok(Self {
            library,
            descriptor,
            table,
            pending: RefCell::default(),
            panicked: RefCell::default(),
        })
    }

    pub(crate) fn plugin(&self) -> String {
        self.library.plugin(&self.descriptor.id)
    }

    /// Runs one call of the table, unless the instance is broken.
    pub(super) fn call(&self, name: &'static str, call: impl FnOnce(*mut c_void) -> i32) -> Result<(), PluginError> {
        if let Some((call, message)) = &*self.panicked.borrow() {
            let (plugin, message) = (self.plugin(), message.clone());
            return Err(PluginError::Panicked { plugin, call, message });
        }
        if let Some(error) = self.pending.take() {
            return Err(error);
        }
        clear_error();
        let result = check(self.library, &self.descriptor.id, name, call(self.table.data));
        if let Err(PluginError::Panicked { call, message, .. }) = &result {
            self.panicked.replace(Some((call, message.clone())));
        }
        result
    }

    /// As [`call`](Self::call), for functions of the trait that cannot fail: the error waits for the next that can.
    pub(super) fn call_quietly(&self, name: &'static str, call: impl FnOnce(*mut c_void) -> i32) {
        if let Err(error) = self.call(name, call) {
            self.pending.replace(Some(error));
        }
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
        let context = abi::context_to(context);
        self.call("predict", |data| {
            abi::views_to(&self.visible(views), |views| {
                abi::slice_out(out, |out| {
                    // SAFETY: all arguments live as long as the call, have one length, and the output is borrowed
                    // exclusively, so that it overlaps no input.
                    unsafe { predict(data, &raw const context, views, out) }
                })
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
        let context = abi::context_to(context);
        Ok(self.call("observe", |data| {
            abi::views_to(&self.visible(views), |views| {
                // SAFETY: all arguments live as long as the call.
                unsafe { observe(data, &raw const context, views) }
            })
        })?)
    }
}

/// Turns a status into an error, with the text that the plug-in left.
fn check(library: &Library, id: &str, call: &'static str, status: i32) -> Result<(), PluginError> {
    let plugin = || library.plugin(id);
    match status {
        status::OK => Ok(()),
        status::PANIC => Err(PluginError::Panicked {
            plugin: plugin(),
            call,
            message: take_error(),
        }),
        _ => Err(PluginError::Failed {
            plugin: plugin(),
            call,
            status,
            message: take_error(),
        }),
    }
}

impl Drop for Loaded {
    fn drop(&mut self) {
        if let Some(destroy) = self.table.destroy {
            // SAFETY: once, with the data of the table, and no call is running.
            unsafe { destroy(self.table.data) };
        }
    }
}
