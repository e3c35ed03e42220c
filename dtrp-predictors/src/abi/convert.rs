//! Between the structs of the interface and the types of this crate.

use super::{inputs, optimizer, read_within};
use crate::{OptimizerState, Real, abi};
use std::ffi::c_char;
#[cfg(feature = "host")]
use std::{ffi::c_void, ptr::null};

impl abi::Text {
    /// Borrows a string. The result must not outlive it.
    pub const fn of(text: &str) -> Self {
        Self {
            data: text.as_ptr().cast(),
            size: text.len(),
        }
    }

    /// The string, with what is not UTF-8 replaced.
    ///
    /// # Safety
    ///
    /// `data` is null or points to `size` readable bytes.
    pub unsafe fn read(self) -> String {
        // SAFETY: the caller's promise.
        unsafe { read_text(self.data, self.size) }
    }
}

/// # Safety
///
/// `data` is null or points to `size` readable bytes.
pub(crate) unsafe fn read_text(data: *const c_char, size: usize) -> String {
    if data.is_null() || size == 0 {
        return String::new();
    }
    // SAFETY: the caller's promise.
    String::from_utf8_lossy(unsafe { std::slice::from_raw_parts(data.cast::<u8>(), size) }).into_owned()
}

/// The header's form of a context. It borrows the learning rates of `context`.
#[cfg(feature = "host")]
pub(crate) fn context_to(context: &crate::Context<'_>) -> abi::Context {
    let id = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let blank = abi::Context {
        struct_size: size_of::<abi::Context>() as u64,
        module: id(context.module),
        modules: id(context.modules),
        update: context.update,
        learning_rates: context.learning_rates.as_ptr(),
        horizon: context.horizon(),
        optimizer: optimizer::SGD,
        momentum: 0.0,
        weight_decay: 0.0,
        beta1: 0.0,
        beta2: 0.0,
        epsilon: 0.0,
        nesterov: 0,
        decoupled: 0,
        stream: std::ptr::null_mut(),
    };
    match context.optimizer {
        OptimizerState::Sgd {
            momentum,
            nesterov,
            weight_decay,
        } => abi::Context {
            momentum,
            weight_decay,
            nesterov: nesterov.into(),
            ..blank
        },
        OptimizerState::Adam {
            beta1,
            beta2,
            epsilon,
            weight_decay,
            decoupled,
        } => abi::Context {
            optimizer: optimizer::ADAM,
            weight_decay,
            beta1,
            beta2,
            epsilon,
            decoupled: decoupled.into(),
            ..blank
        },
    }
}

/// A context from the header's form.
///
/// # Safety
///
/// `source` is null or a context as the header describes it, valid for `'a`.
pub(crate) unsafe fn context_from<'a>(source: *const abi::Context) -> Result<crate::Context<'a>, String> {
    // SAFETY: the caller's promise.
    let raw = unsafe { read_within(source) }.ok_or("the context is null")?;
    let learning_rates = if raw.horizon == 0 || raw.learning_rates.is_null() {
        &[]
    } else {
        // SAFETY: the header says that there are `horizon` many.
        unsafe { std::slice::from_raw_parts(raw.learning_rates, raw.horizon as usize) }
    };
    let optimizer = match raw.optimizer {
        optimizer::SGD => OptimizerState::Sgd {
            momentum: raw.momentum,
            nesterov: raw.nesterov != 0,
            weight_decay: raw.weight_decay,
        },
        optimizer::ADAM => OptimizerState::Adam {
            beta1: raw.beta1,
            beta2: raw.beta2,
            epsilon: raw.epsilon,
            weight_decay: raw.weight_decay,
            decoupled: raw.decoupled != 0,
        },
        other => {
            return Err(format!(
                "the optimizer has number {other}, which this plug-in is too old to know"
            ));
        }
    };
    let (module, modules) = (raw.module as usize, raw.modules as usize);
    Ok(crate::Context {
        module,
        modules,
        update: raw.update,
        learning_rates,
        optimizer,
    })
}

/// Which number type a borrowed array can be read as.
pub(crate) trait NativeTensor: Real {
    /// Its width.
    const BITS: u8;
    /// A NaN that no computation gives, to recognise memory that has not been written.
    #[cfg(feature = "host")]
    const UNTOUCHED: Self;
}

impl NativeTensor for f32 {
    const BITS: u8 = 32;
    #[cfg(feature = "host")]
    const UNTOUCHED: Self = Self::from_bits(0x7fd5_1a3c);
}

impl NativeTensor for f64 {
    const BITS: u8 = 64;
    #[cfg(feature = "host")]
    const UNTOUCHED: Self = Self::from_bits(0x7ffd_51a3_c0de_5eed);
}

/// A length and a stride of 1, for [`abi::Tensor`] to point to.
#[cfg(feature = "host")]
fn shape_of(length: usize) -> [i64; 2] {
    [i64::try_from(length).unwrap_or(i64::MAX), 1]
}

#[cfg(feature = "host")]
fn tensor<T: NativeTensor>(data: *mut T, shape: *mut i64) -> abi::Tensor {
    abi::Tensor {
        data: data.cast::<c_void>(),
        device: abi::Device {
            kind: abi::device::CPU as i32,
            id: 0,
        },
        ndim: 1,
        dtype: abi::DataType {
            code: 2,
            bits: T::BITS,
            lanes: 1,
        },
        shape,
        strides: shape.wrapping_add(1),
        byte_offset: 0,
    }
}

/// Runs `call` with the header's form of inputs, which live as long as the call.
#[cfg(feature = "host")]
pub(crate) fn views_to<T: NativeTensor, R>(views: &crate::Views<'_, T>, call: impl FnOnce(&abi::Views) -> R) -> R {
    let mut shape = shape_of(views.weights.len());
    let shape = shape.as_mut_ptr();
    // The contract forbids writing to inputs, so that giving away `*mut` to what is shared is sound.
    let borrow = |slice: &[T]| tensor(slice.as_ptr().cast_mut(), shape);
    let weights = borrow(views.weights);
    let [direction, gradient, displacement] =
        [views.direction, views.gradient, views.displacement].map(|slice| slice.map(borrow));
    let pointer = |tensor: &Option<abi::Tensor>| tensor.as_ref().map_or(null(), std::ptr::from_ref);
    call(&abi::Views {
        struct_size: size_of::<abi::Views>() as u64,
        weights: &raw const weights,
        direction: pointer(&direction),
        gradient: pointer(&gradient),
        displacement: pointer(&displacement),
    })
}

/// Runs `call` with the header's form of an output, which lives as long as the call.
#[cfg(feature = "host")]
pub(crate) fn slice_out<T: NativeTensor, R>(out: &mut [T], call: impl FnOnce(&abi::Tensor) -> R) -> R {
    let mut shape = shape_of(out.len());
    call(&tensor(out.as_mut_ptr(), shape.as_mut_ptr()))
}

/// Runs `call` with the header's form of inputs and an output in the memory of a GPU; they live as long as the call. Only the
/// inputs that were asked for are shown.
#[cfg(feature = "host")]
pub(crate) fn gpu_views_to<R>(
    arrays: &crate::GpuArrays,
    asked: crate::Inputs,
    out: *mut c_void,
    call: impl FnOnce(&abi::Views, &abi::Tensor) -> R,
) -> R {
    let mut shape = shape_of(arrays.len);
    let shape = shape.as_mut_ptr();
    let on_gpu = |data: *mut c_void| abi::Tensor {
        device: abi::Device {
            kind: abi::device::CUDA as i32,
            id: arrays.gpu,
        },
        dtype: abi::DataType {
            code: 2,
            bits: arrays.bits,
            lanes: 1,
        },
        ..tensor(data.cast::<f32>(), shape)
    };
    let input = |data: *const c_void, asked: bool| (asked && !data.is_null()).then(|| on_gpu(data.cast_mut()));
    let weights = on_gpu(arrays.weights.cast_mut());
    let direction = input(arrays.direction, asked.direction);
    let gradient = input(arrays.gradient, asked.gradient);
    let displacement = input(arrays.displacement, asked.displacement);
    let pointer = |tensor: &Option<abi::Tensor>| tensor.as_ref().map_or(null(), std::ptr::from_ref);
    let views = abi::Views {
        struct_size: size_of::<abi::Views>() as u64,
        weights: &raw const weights,
        direction: pointer(&direction),
        gradient: pointer(&gradient),
        displacement: pointer(&displacement),
    };
    call(&views, &on_gpu(out))
}

/// Inputs from the header's form.
///
/// # Safety
///
/// `source` is null or a struct of views as the header describes it, valid for `'a`.
pub(crate) unsafe fn views_from<'a, T: NativeTensor>(source: *const abi::Views) -> Result<crate::Views<'a, T>, String> {
    // SAFETY: the caller's promise.
    let raw = unsafe { read_within(source) }.ok_or("the views are null")?;
    let optional = |tensor: *const abi::Tensor| {
        // SAFETY: a pointer that is not null is a tensor, by the header.
        (!tensor.is_null()).then(|| unsafe { slice_from(&*tensor) }).transpose()
    };
    Ok(crate::Views {
        weights: optional(raw.weights)?.ok_or("the weights are null")?,
        direction: optional(raw.direction)?,
        gradient: optional(raw.gradient)?,
        displacement: optional(raw.displacement)?,
    })
}

/// The elements of a borrowed array on the CPU.
///
/// # Safety
///
/// `tensor` is one as the header describes it, valid for `'a` and not written meanwhile.
unsafe fn slice_from<'a, T: NativeTensor>(tensor: &abi::Tensor) -> Result<&'a [T], String> {
    // SAFETY: the caller's promise.
    let (data, length) = unsafe { tensor.elements::<T>()? };
    if length == 0 {
        return Ok(&[]);
    }
    // SAFETY: `length` elements lie there, by the header.
    Ok(unsafe { std::slice::from_raw_parts(data, length) })
}

impl abi::Tensor {
    /// First element and length of a contiguous array of `T` on the CPU.
    ///
    /// # Safety
    ///
    /// The tensor is one as the header describes it.
    pub(crate) unsafe fn elements<T: NativeTensor>(&self) -> Result<(*mut T, usize), String> {
        if self.device.kind != abi::device::CPU as i32 {
            return Err(format!(
                "the array lies on a device of type {}, not on the CPU",
                self.device.kind
            ));
        }
        if self.dtype
            != (abi::DataType {
                code: 2,
                bits: T::BITS,
                lanes: 1,
            })
        {
            return Err(format!("the array holds {:?}, not {}", self.dtype, T::NAME));
        }
        if self.ndim != 1 || self.shape.is_null() {
            return Err(format!("the array has {} dimensions, not 1", self.ndim));
        }
        // SAFETY: `ndim` is 1, so that one length and, unless null, one stride can be read.
        let (length, stride) = unsafe { (*self.shape, if self.strides.is_null() { 1 } else { *self.strides }) };
        let length = usize::try_from(length).map_err(|_| format!("the array has length {length}"))?;
        if stride != 1 && length > 1 {
            return Err(format!("the array has stride {stride}, not 1"));
        }
        let data = self
            .data
            .cast::<u8>()
            .wrapping_add(self.byte_offset as usize)
            .cast::<T>();
        if length > 0 && (self.data.is_null() || !data.is_aligned()) {
            return Err("the array is null or not aligned".into());
        }
        Ok((data, length))
    }
}

#[cfg(feature = "host")]
pub(crate) fn probe_to(probe: &crate::Probe) -> abi::Probe {
    abi::Probe {
        struct_size: size_of::<abi::Probe>() as u64,
        horizon: probe.horizon,
        reserved: 0,
        realised_dot_direction: probe.realised_dot_direction,
        direction_norm2: probe.direction_norm2,
        realised_norm2: probe.realised_norm2,
        predicted_norm2: probe.predicted_norm2,
        predicted_dot_realised: probe.predicted_dot_realised,
        error_norm2: probe.error_norm2,
    }
}

pub(crate) fn probe_from(probe: &abi::Probe) -> crate::Probe {
    crate::Probe {
        horizon: probe.horizon,
        realised_dot_direction: probe.realised_dot_direction,
        direction_norm2: probe.direction_norm2,
        realised_norm2: probe.realised_norm2,
        predicted_norm2: probe.predicted_norm2,
        predicted_dot_realised: probe.predicted_dot_realised,
        error_norm2: probe.error_norm2,
    }
}

pub(crate) fn inputs_to(reads: crate::Inputs) -> u32 {
    let bit = |on: bool, bit: u32| if on { bit } else { 0 };
    bit(reads.direction, inputs::DIRECTION)
        | bit(reads.gradient, inputs::GRADIENT)
        | bit(reads.displacement, inputs::DISPLACEMENT)
}

#[cfg(feature = "host")]
pub(crate) fn inputs_from(bits: u32) -> crate::Inputs {
    crate::Inputs {
        direction: bits & inputs::DIRECTION != 0,
        gradient: bits & inputs::GRADIENT != 0,
        displacement: bits & inputs::DISPLACEMENT != 0,
    }
}
