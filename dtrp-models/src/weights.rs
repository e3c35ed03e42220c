//! Weights as safetensors files with PyTorch's names.

mod export;
mod file;
mod foreign;
mod names;

pub use export::{Element, Export, Format, export};
pub use file::WeightsFile;
pub use names::{Match, match_names};

use crate::ModelError;
use dtrp_text::{without_frames, write_whole};
use safetensors::tensor::{Dtype, TensorView};
use std::collections::HashMap;
use std::path::Path;
use tch::{Kind, TchError, Tensor};

/// Element types that are written, with their names in the format.
const TYPES: [(Kind, Dtype); 10] = [
    (Kind::Float, Dtype::F32),
    (Kind::Double, Dtype::F64),
    (Kind::Half, Dtype::F16),
    (Kind::BFloat16, Dtype::BF16),
    (Kind::Int64, Dtype::I64),
    (Kind::Int, Dtype::I32),
    (Kind::Int16, Dtype::I16),
    (Kind::Int8, Dtype::I8),
    (Kind::Uint8, Dtype::U8),
    (Kind::Bool, Dtype::BOOL),
];

/// Writes named tensors. Where there is a `running_mean`, PyTorch expects a `num_batches_tracked` beside it: it is written
/// as `batches`, unless it is among the tensors. The file appears whole or not at all, and is on the disk when this returns.
///
/// # Errors
///
/// [`ModelError::Weights`] when the file cannot be written.
pub fn save(path: &Path, tensors: &[(String, Tensor)], batches: u64) -> Result<(), ModelError> {
    let fail = |message: String| ModelError::Weights {
        path: path.to_owned(),
        message,
    };
    let tracked = tensors.iter().filter_map(|(name, _)| name.strip_suffix("running_mean"));
    let count = Tensor::from(i64::try_from(batches).unwrap_or(i64::MAX));
    let tracked: Vec<(String, Tensor)> = tracked
        .map(|prefix| (format!("{prefix}num_batches_tracked"), count.shallow_clone()))
        .filter(|(name, _)| tensors.iter().all(|(own, _)| own != name))
        .collect();
    let mut parts = Vec::with_capacity(tensors.len() + tracked.len());
    for (name, tensor) in tensors.iter().chain(&tracked) {
        let (dtype, bytes) = encode(tensor).map_err(&fail)?;
        let shape: Vec<usize> = tensor.size().into_iter().map(|n| n as usize).collect();
        parts.push((name.as_str(), dtype, shape, bytes));
    }
    let views = parts
        .iter()
        .map(|(name, dtype, shape, bytes)| Ok((*name, TensorView::new(*dtype, shape.clone(), bytes)?)))
        .collect::<Result<Vec<_>, safetensors::SafeTensorError>>();
    let views = views.map_err(|e| fail(e.to_string()))?;
    let data = safetensors::serialize(views, pytorch()).map_err(|e| fail(e.to_string()))?;
    write_whole(path, &data).map_err(|e| fail(format!("cannot be written: {e}")))
}

/// Reads all named tensors of a file. [`WeightsFile`] reads only those that are wanted.
///
/// # Errors
///
/// [`ModelError::Weights`] when the file cannot be read, is not a safetensors file, or holds a type that libtorch lacks.
pub fn load(path: &Path) -> Result<HashMap<String, Tensor>, ModelError> {
    let file = WeightsFile::open(path)?;
    let names: Vec<String> = file.names().map(str::to_owned).collect();
    let tensor = |name: String| Ok((name.clone(), file.tensor(&name)?));
    names.into_iter().map(tensor).collect()
}

/// What PyTorch's own writer says of a file, and some readers ask for.
fn pytorch() -> Option<HashMap<String, String>> {
    Some(HashMap::from([("format".to_owned(), "pt".to_owned())]))
}

/// A tensor's elements in row-major order.
fn encode(tensor: &Tensor) -> Result<(Dtype, Vec<u8>), String> {
    let told = |error: TchError| without_frames(&error.to_string()).to_owned();
    let kind = tensor.f_kind().map_err(told)?;
    let (_, dtype) = TYPES
        .iter()
        .find(|(k, _)| *k == kind)
        .ok_or(format!("{kind:?} tensors cannot be saved"))?;
    let tensor = tensor.f_detach().and_then(|t| t.f_contiguous()).map_err(told)?;
    let count = tensor.numel();
    let mut bytes = vec![0; count * kind.elt_size_in_bytes()];
    tensor.f_copy_data_u8(&mut bytes, count).map_err(told)?;
    Ok((*dtype, bytes))
}
