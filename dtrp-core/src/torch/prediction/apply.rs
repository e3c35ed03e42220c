//! Applying a predictor: where its arrays lie, and in what form it gets them.
//!
//! ```text
//!                 linear rule                        anything else
//! on a CPU        one fused pass over slices         the predictor, on slices
//! on a GPU        a tensor operation for each input  the predictor on the GPU if it can, else on copies on the host
//! ```

use crate::torch::TorchError;
use crate::torch::device::{Event, Stream, gpu, host_copy, pin, to_gpu};
use crate::torch::network::copy;
use crate::torch::shim::add_scaled;
use dtrp_predictors::{
    Arrays, Coefficients, Context, GpuArrays, GpuOutput, GpuPointers, Output, Predictor, PredictorError, Real, Rule,
    Views,
};
use tch::{Device, Kind, Tensor};

/// The flat tensors a predictor may read.
pub(crate) struct State<'a> {
    pub(crate) weights: &'a Tensor,
    pub(crate) direction: Option<&'a Tensor>,
    pub(crate) gradient: Option<&'a Tensor>,
    pub(crate) displacement: Option<&'a Tensor>,
}

/// Writes Ŵ into `out`.
pub(super) fn apply(
    predictor: &mut dyn Predictor,
    rule: Rule,
    context: &Context<'_>,
    state: &State<'_>,
    out: &mut Tensor,
) -> Result<(), TorchError> {
    match (rule, out.device(), out.f_kind()?) {
        (_, Device::Cpu, Kind::Float) => apply_slices::<f32>(predictor, rule, context, state, out),
        (_, Device::Cpu, Kind::Double) => apply_slices::<f64>(predictor, rule, context, state, out),
        (Rule::Linear(coefficients), ..) => {
            finite(predictor, &coefficients)?;
            apply_tensors(&coefficients, state, out)
        }
        (Rule::Custom, ..) if predictor.on_gpu() => {
            let arrays = arrays(state)?;
            // SAFETY: of one length and type with the arrays and on their GPU; `out` is an arena of its own.
            let out = unsafe { GpuOutput::new(out.data_ptr()) };
            Ok(predictor.predict(context, Arrays::Device(&arrays), Output::Device(out))?)
        }
        (Rule::Custom, ..) => {
            let staged = Staged::new(state)?;
            let mut result = copy(&staged.weights)?;
            apply(predictor, rule, context, &staged.state(), &mut result)?;
            match gpu(out.device()) {
                Some(gpu) => Ok(out.f_copy_(&to_gpu(&pin(&result)?, gpu)?)?),
                None => Ok(out.f_copy_(&result)?),
            }
        }
    }
}

/// Shows a predictor an update.
pub(super) fn observe(
    predictor: &mut dyn Predictor,
    context: &Context<'_>,
    state: &State<'_>,
) -> Result<(), TorchError> {
    if predictor.on_gpu() && gpu(state.weights.device()).is_some() {
        let arrays = arrays(state)?;
        return Ok(predictor.observe(context, Arrays::Device(&arrays))?);
    }
    let host = Staged::new(state)?;
    let state = host.state();
    match state.weights.f_kind()? {
        Kind::Double => predictor.observe(context, Arrays::F64(state.views()))?,
        _ => predictor.observe(context, Arrays::F32(state.views()))?,
    }
    Ok(())
}

/// The tensors as pointers into the memory of their GPU, and the stream that the calling thread uses there.
fn arrays(state: &State<'_>) -> Result<GpuArrays, TorchError> {
    let device = state.weights.device();
    let gpu = gpu(device).ok_or_else(|| TorchError::Libtorch {
        what: "predictor",
        message: format!("the weights are not on a GPU but on {device:?}"),
    })?;
    let pointer = |tensor: Option<&Tensor>| tensor.map_or(std::ptr::null(), |t| t.data_ptr().cast_const());
    let pointers = GpuPointers {
        gpu,
        stream: Stream::native(gpu)?,
        bits: if state.weights.f_kind()? == Kind::Double {
            64
        } else {
            32
        },
        len: state.weights.numel(),
        weights: pointer(Some(state.weights)),
        direction: pointer(state.direction),
        gradient: pointer(state.gradient),
        displacement: pointer(state.displacement),
    };
    // SAFETY: flat tensors of one length and type on one GPU, borrowed for as long as the call that this is made for. They
    // are used on the calling thread's stream, as all work of this worker, and memory is not handed to another stream before.
    Ok(unsafe { GpuArrays::new(pointers) })
}

/// The tensors a predictor reads, in host memory: the same tensors if they are there already, else copies in pinned memory.
struct Staged {
    weights: Tensor,
    direction: Option<Tensor>,
    gradient: Option<Tensor>,
    displacement: Option<Tensor>,
}

impl Staged {
    /// The host waits for the copies.
    fn new(state: &State<'_>) -> Result<Self, TorchError> {
        let from = gpu(state.weights.device());
        let host = |tensor: &Tensor| match from {
            Some(_) => host_copy(tensor, false),
            None => Ok(tensor.shallow_clone()),
        };
        let staged = Self {
            weights: host(state.weights)?,
            direction: state.direction.map(host).transpose()?,
            gradient: state.gradient.map(host).transpose()?,
            displacement: state.displacement.map(host).transpose()?,
        };
        if let Some(gpu) = from {
            Event::record(gpu)?.synchronize()?;
        }
        Ok(staged)
    }

    fn state(&self) -> State<'_> {
        State {
            weights: &self.weights,
            direction: self.direction.as_ref(),
            gradient: self.gradient.as_ref(),
            displacement: self.displacement.as_ref(),
        }
    }
}

impl State<'_> {
    /// The elements of tensors in host memory, of element type T.
    fn views<T: Real>(&self) -> Views<'_, T> {
        Views {
            weights: slice(self.weights),
            direction: self.direction.map(slice),
            gradient: self.gradient.map(slice),
            displacement: self.displacement.map(slice),
        }
    }
}

fn apply_slices<T: Real>(
    predictor: &mut dyn Predictor,
    rule: Rule,
    context: &Context<'_>,
    state: &State<'_>,
    out: &mut Tensor,
) -> Result<(), TorchError> {
    let views = state.views::<T>();
    let len = out.numel();
    if len == 0 {
        // A module without parameters: its tensors point nowhere.
        return Ok(());
    }
    // SAFETY: a flat, contiguous CPU tensor of element type T (see `apply`), which nobody else holds while `out` is
    // borrowed mutably; it is an arena of its own, so it overlaps none of the views.
    let out = unsafe { std::slice::from_raw_parts_mut(out.data_ptr().cast::<T>(), len) };
    match rule {
        Rule::Linear(coefficients) => {
            finite(predictor, &coefficients)?;
            coefficients.apply(views, out);
        }
        Rule::Custom => predictor.predict(context, T::arrays(views), T::output(out))?,
    }
    Ok(())
}

fn finite(predictor: &dyn Predictor, coefficients: &Coefficients) -> Result<(), PredictorError> {
    if coefficients.is_finite() {
        return Ok(());
    }
    Err(PredictorError::NonFinite {
        predictor: predictor.name().into(),
        what: "a coefficient of the rule",
    })
}

/// The elements of a flat CPU tensor.
fn slice<T: Real>(flat: &Tensor) -> &[T] {
    if flat.numel() == 0 {
        return &[];
    }
    // SAFETY: arenas and optimizer state are flat, contiguous and of one element type, which `apply` has matched with T;
    // the tensor is borrowed for as long as the slice, and no other thread writes to this module's tensors.
    unsafe { std::slice::from_raw_parts(flat.data_ptr().cast::<T>(), flat.numel()) }
}

fn apply_tensors(coefficients: &Coefficients, state: &State<'_>, out: &mut Tensor) -> Result<(), TorchError> {
    out.f_copy_(state.weights)?;
    if coefficients.weights != 1.0 {
        let _ = out.f_mul_scalar_(coefficients.weights)?;
    }
    let terms = [
        (coefficients.direction, state.direction),
        (coefficients.gradient, state.gradient),
        (coefficients.displacement, state.displacement),
    ];
    for (coefficient, input) in terms {
        if let Some(input) = input.filter(|_| coefficient != 0.0) {
            add_scaled(out, input, coefficient)?;
        }
    }
    Ok(())
}
