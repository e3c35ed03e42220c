//! An instance of a plug-in as a [`Predictor`].

use super::{
    descriptor::Descriptor,
    exit::{Call, Inside},
    handshake::read_table,
    host::{HOST, clear_error, take_error},
    library::{DEFAULT_LIMIT, Library},
    limit::limited,
};
use crate::{
    Arrays, Context, GpuArrays, GpuOutput, Inputs, PluginError, Predictor, PredictorError, Real, Views,
    abi::{self, NativeTensor, status},
};
use std::{
    cell::RefCell,
    env,
    ffi::c_void,
    ptr::null,
    sync::{Mutex, PoisonError},
};

/// The first error that nobody could be told.
static UNTOLD: Mutex<Option<PluginError>> = Mutex::new(None);

/// Why a call failed after which no other came: `feedback` of the last probe, `destroy`. For the end of a program.
pub fn untold() -> Option<PluginError> {
    UNTOLD.lock().unwrap_or_else(PoisonError::into_inner).take()
}

fn cannot_tell(error: PluginError) {
    let mut untold = UNTOLD.lock().unwrap_or_else(PoisonError::into_inner);
    untold.get_or_insert(error);
}

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
        let inside = Inside::of(at(library, descriptor, "create"));
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
        drop(inside);
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
        let folder = env::current_dir().ok();
        let inside = Inside::of(at(self.library, self.descriptor, name));
        let status = call(self.table.data);
        drop(inside);
        if folder != env::current_dir().ok() {
            // What the run writes belongs where it began.
            let _ = folder.map(env::set_current_dir);
            return Err(self.contract(name, "it has changed the working directory of the program".into()));
        }
        let result = check(self.library, &self.descriptor.id, name, status);
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

    /// The error that waits for the next call.
    pub(crate) fn settle(&self) -> Result<(), PluginError> {
        self.pending.take().map_or(Ok(()), Err)
    }

    pub(super) fn contract(&self, call: &'static str, reason: String) -> PluginError {
        let plugin = self.plugin();
        PluginError::Contract { plugin, call, reason }
    }

    /// As [`call`](Self::call), with a copy of the learning rates, since what a plug-in may only read is the run's.
    pub(super) fn call_in(
        &self,
        name: &'static str,
        context: &Context<'_>,
        call: impl FnOnce(*mut c_void, *const abi::Context) -> i32,
    ) -> Result<(), PluginError> {
        let mut rates = context.learning_rates.to_vec();
        let lent = abi::Context {
            learning_rates: rates.as_mut_ptr(),
            ..abi::context_to(context)
        };
        self.call(name, |data| call(data, &raw const lent))?;
        let bits = |rates: &[f64]| rates.iter().map(|rate| rate.to_bits()).collect::<Vec<_>>();
        if bits(std::hint::black_box(&rates)) == bits(context.learning_rates) {
            return Ok(());
        }
        Err(self.contract(
            name,
            "it has written to the learning rates, which it may only read".into(),
        ))
    }

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
        Err(self.contract(name, "it has written to its inputs, which it may only read".into()))
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

/// Where a call is.
fn at(library: &Library, descriptor: &'static Descriptor, call: &'static str) -> Call {
    Call {
        path: library.path(),
        id: Some(&descriptor.id),
        call,
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
        if let Err(error) = self.settle() {
            cannot_tell(error);
        }
        let Some(destroy) = self.table.destroy else { return };
        let data = Data(self.table.data);
        let call = at(self.library, self.descriptor, "destroy");
        let work = move || {
            let Data(data) = { data };
            let _inside = Inside::of(call);
            // SAFETY: once, with the data of the table, and no call is running.
            unsafe { destroy(data) };
        };
        if limited(DEFAULT_LIMIT, work).is_none() {
            cannot_tell(PluginError::Timeout {
                plugin: self.plugin(),
                call: "destroy",
                limit: DEFAULT_LIMIT,
            });
        }
    }
}

/// What the functions of an instance work on, on its way to another thread.
struct Data(*mut c_void);

// SAFETY: as of `Loaded`.
unsafe impl Send for Data {}
