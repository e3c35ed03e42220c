//! The functions of an instance: from C to the trait, with panics caught on the way.

use crate::{
    Arrays, Kind, Predictor, PredictorError, Rule,
    abi::{self, NativeTensor, kind, status},
};
use std::{
    any::Any,
    ffi::{c_char, c_void},
    panic::{AssertUnwindSafe, catch_unwind},
};

type SetError = Option<unsafe extern "C" fn(*const c_char, usize)>;

/// What a host holds by a pointer to its table.
#[repr(C)]
pub(super) struct Instance {
    pub(super) table: abi::Predictor,
    predictor: Box<dyn Predictor>,
    set_error: SetError,
}

impl Instance {
    /// Gives the instance away; `destroy` takes it back.
    pub(super) fn leak(predictor: Box<dyn Predictor>, kind: Kind, set_error: SetError) -> *mut Self {
        let table = abi::Predictor {
            struct_size: size_of::<abi::Predictor>() as u64,
            data: std::ptr::null_mut(),
            inputs: abi::inputs_to(predictor.inputs()),
            reserved: 0,
            destroy: Some(destroy),
            rule: Some(rule),
            predict: (kind == Kind::Custom).then_some(predict),
            observe: predictor.wants_observe().then_some(observe),
            feedback: predictor.wants_feedback().then_some(feedback),
            save: Some(save),
            load: Some(load),
        };
        let instance = Box::into_raw(Box::new(Self {
            table,
            predictor,
            set_error,
        }));
        // SAFETY: just made, and not yet given away.
        unsafe { (*instance).table.data = instance.cast() };
        instance
    }
}

/// Runs `work`; tells the host about errors and panics, and returns the status for them.
pub(super) fn guard(set_error: SetError, work: impl FnOnce() -> Result<(), PredictorError>) -> i32 {
    let (status, message) = match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(())) => return status::OK,
        Ok(Err(error)) => (status_of(&error), error.to_string()),
        Err(payload) => {
            let message = panic_message(&*payload);
            // Its destructor could panic in turn, where nothing would catch it.
            std::mem::forget(payload);
            (status::PANIC, message)
        }
    };
    if let Some(set_error) = set_error {
        // SAFETY: the host's own function, with a text that lives as long as the call.
        unsafe { set_error(message.as_ptr().cast(), message.len()) };
    }
    status
}

pub(crate) fn panic_message(payload: &(dyn Any + Send)) -> String {
    let text = payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("a panic without a message").to_owned()
}

fn status_of(error: &PredictorError) -> i32 {
    match error {
        PredictorError::Option(_) => status::INVALID_OPTION,
        PredictorError::UnknownPredictor(_) => status::UNKNOWN_PREDICTOR,
        PredictorError::Optimizer { .. } | PredictorError::Unsupported { .. } => status::UNSUPPORTED,
        PredictorError::State { .. } => status::INVALID_STATE,
        _ => status::ERROR,
    }
}

/// Runs `work` on the predictor behind `data`.
///
/// # Safety
///
/// `data` is the one of [`Instance::leak`], and no other call on it is running.
unsafe fn with(data: *mut c_void, work: impl FnOnce(&mut dyn Predictor) -> Result<(), PredictorError>) -> i32 {
    // SAFETY: the caller's promise; the table is not touched through this reference.
    let Instance {
        predictor, set_error, ..
    } = unsafe { &mut *data.cast::<Instance>() };
    let set_error = *set_error;
    guard(set_error, || work(&mut **predictor))
}

/// An error about what the host passed.
fn other(predictor: &dyn Predictor) -> impl Fn(String) -> PredictorError + use<> {
    let predictor = predictor.name().to_owned();
    move |message| PredictorError::Other {
        predictor: predictor.clone(),
        message,
    }
}

unsafe extern "C" fn destroy(data: *mut c_void) {
    if data.is_null() {
        return;
    }
    // SAFETY: `data` came from `leak`, and the host gives it back once.
    let instance = unsafe { Box::from_raw(data.cast::<Instance>()) };
    guard(instance.set_error, || {
        drop(instance.predictor);
        Ok(())
    });
}

unsafe extern "C" fn rule(data: *mut c_void, context: *const abi::Context, out: *mut abi::Rule) -> i32 {
    let answer = |predictor: &mut dyn Predictor| {
        // SAFETY: the host passes a context that lives as long as the call.
        let context = unsafe { abi::context_from(context) }.map_err(other(predictor))?;
        let rule = predictor.rule(&context)?;
        let fields = match rule {
            Rule::Linear(c) => (kind::LINEAR, c.weights, c.direction, c.gradient, c.displacement),
            Rule::Custom => (kind::CUSTOM, 1.0, 0.0, 0.0, 0.0),
        };
        // SAFETY: the host passes a rule; all these fields were there in the first version.
        unsafe {
            let out = &mut *out;
            (out.kind, out.weights, out.direction, out.gradient, out.displacement) = fields;
        }
        Ok(())
    };
    // SAFETY: the host passes back the data of the table.
    unsafe { with(data, answer) }
}

unsafe extern "C" fn predict(
    data: *mut c_void,
    context: *const abi::Context,
    views: *const abi::Views,
    out: *const abi::Tensor,
) -> i32 {
    let answer = |predictor: &mut dyn Predictor| {
        // SAFETY: the host passes an output that lives as long as the call.
        let out = unsafe { &*out };
        // SAFETY: the host passes a context, inputs and an output of one length that live as long as the call.
        unsafe {
            match out.dtype.bits {
                64 => predict_as::<f64>(predictor, context, views, out),
                _ => predict_as::<f32>(predictor, context, views, out),
            }
        }
    };
    // SAFETY: the host passes back the data of the table.
    unsafe { with(data, answer) }
}

/// # Safety
///
/// The arguments are those that the header describes for `predict`.
unsafe fn predict_as<T: NativeTensor>(
    predictor: &mut dyn Predictor,
    context: *const abi::Context,
    views: *const abi::Views,
    out: &abi::Tensor,
) -> Result<(), PredictorError> {
    let other = other(predictor);
    // SAFETY: the caller's promise.
    let (context, views, (start, length)) = unsafe {
        (
            abi::context_from(context).map_err(&other)?,
            abi::views_from::<T>(views).map_err(&other)?,
            out.elements::<T>().map_err(&other)?,
        )
    };
    let out = match length {
        0 => &mut [],
        // SAFETY: the output has `length` elements, and overlaps no input, by the header.
        _ => unsafe { std::slice::from_raw_parts_mut(start, length) },
    };
    crate::predictor::check_lengths(predictor.name(), &views, length)?;
    predictor.predict(&context, T::arrays(views), T::output(out))
}

unsafe extern "C" fn observe(data: *mut c_void, context: *const abi::Context, views: *const abi::Views) -> i32 {
    let answer = |predictor: &mut dyn Predictor| {
        let other = other(predictor);
        // SAFETY: the host passes a context that lives as long as the call.
        let context = unsafe { abi::context_from(context) }.map_err(&other)?;
        // SAFETY: the host passes inputs that live as long as the call.
        let raw = unsafe { abi::read_within(views) }.ok_or_else(|| other("the views are null".into()))?;
        // SAFETY: the weights are null or an array, by the header.
        if unsafe { raw.weights.as_ref() }.is_some_and(|weights| weights.dtype.bits == 64) {
            // SAFETY: the inputs live as long as the call.
            let views = unsafe { abi::views_from(views) }.map_err(&other)?;
            predictor.observe(&context, Arrays::F64(views))
        } else {
            // SAFETY: as above.
            let views = unsafe { abi::views_from(views) }.map_err(&other)?;
            predictor.observe(&context, Arrays::F32(views))
        }
    };
    // SAFETY: the host passes back the data of the table.
    unsafe { with(data, answer) }
}

unsafe extern "C" fn feedback(data: *mut c_void, probe: *const abi::Probe) -> i32 {
    let answer = |predictor: &mut dyn Predictor| {
        // SAFETY: the host passes a probe that lives as long as the call.
        let probe = unsafe { abi::read_within(probe) };
        predictor.feedback(&abi::probe_from(
            &probe.ok_or_else(|| other(predictor)("the probe is null".into()))?,
        ));
        Ok(())
    };
    // SAFETY: the host passes back the data of the table.
    unsafe { with(data, answer) }
}

unsafe extern "C" fn save(data: *mut c_void, write: abi::Write, sink: *mut c_void) -> i32 {
    let answer = |predictor: &mut dyn Predictor| {
        let state = predictor.save();
        // SAFETY: the host's own function, with its own sink and bytes that live as long as the call.
        match unsafe { write(sink, state.as_ptr(), state.len()) } {
            status::OK => Ok(()),
            status => Err(other(predictor)(format!(
                "the host could not take its state (status {status})"
            ))),
        }
    };
    // SAFETY: the host passes back the data of the table.
    unsafe { with(data, answer) }
}

unsafe extern "C" fn load(data: *mut c_void, state: *const u8, size: usize) -> i32 {
    let answer = |predictor: &mut dyn Predictor| {
        let state = match size {
            0 => &[],
            // SAFETY: the host passes `size` bytes that live as long as the call.
            _ => unsafe { std::slice::from_raw_parts(state, size) },
        };
        predictor.load(state)
    };
    // SAFETY: the host passes back the data of the table.
    unsafe { with(data, answer) }
}
