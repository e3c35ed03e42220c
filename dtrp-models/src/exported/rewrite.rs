//! The way back: the archive of an exported network with other weights in it.

use super::archive::Archive;
use super::stored;
use crate::ModelError;
use crate::weights::WeightsFile;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::io::{Cursor, Write};
use std::path::Path;
use tch::{Kind, Tensor};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

const CONFIG: &str = "data/weights/model_weights_config.json";
const MODEL: &str = "models/model.json";

/// The archive at `path` with the weights of `file`, which has a tensor for each name in it, in the element types of the archive. A
/// last layer with another number of rows is told to the graph too. `torch.export.load` reads the result.
///
/// # Errors
///
/// [`ModelError::Exported`] when the archive cannot be read; [`ModelError::Weights`] when the weights cannot, or are not those of the
/// network.
pub fn rewritten(path: &Path, file: &WeightsFile) -> Result<Vec<u8>, ModelError> {
    let damaged = |message: String| ModelError::Exported {
        path: path.to_owned(),
        message,
    };
    let mut archive = Archive::open(path).map_err(damaged)?;
    let mut config = parsed(&mut archive, CONFIG).map_err(damaged)?;
    let mut model = parsed(&mut archive, MODEL).map_err(damaged)?;
    let weights = replaced(&mut config, &mut model, file)?;
    let mut entries = BTreeMap::from([
        (CONFIG.to_owned(), config.to_string().into_bytes()),
        (MODEL.to_owned(), model.to_string().into_bytes()),
    ]);
    entries.extend(
        weights
            .into_iter()
            .map(|(name, bytes)| (format!("data/weights/{name}"), bytes)),
    );
    written(&mut archive, entries).map_err(damaged)
}

fn parsed(archive: &mut Archive, name: &str) -> Result<Value, String> {
    let bytes = archive.read(name)?;
    serde_json::from_slice(&bytes).map_err(|error| format!("is damaged: `{name}` makes no sense ({error})"))
}

/// Puts the weights' shapes into both descriptions, and returns the bytes by the names of their entries.
fn replaced(
    config: &mut Value,
    model: &mut Value,
    file: &WeightsFile,
) -> Result<BTreeMap<String, Vec<u8>>, ModelError> {
    let wrong = |message: String| ModelError::Weights {
        path: file.path().to_owned(),
        message,
    };
    let mut entries = BTreeMap::new();
    let no_tensors = Map::new();
    let payloads = config["config"].as_object().unwrap_or(&no_tensors);
    let names: Vec<String> = payloads.keys().cloned().collect();
    for (index, name) in names.iter().enumerate() {
        if file.shape(name).is_none() {
            return Err(wrong(format!(
                "holds no `{name}`: these are not the weights of the exported network"
            )));
        }
        let tensor = file.tensor(name)?;
        let payload = &mut config["config"][name];
        let before = numbers(&payload["tensor_meta"]["sizes"]);
        let shape = tensor.size();
        let kind = payload["tensor_meta"]["dtype"]
            .as_u64()
            .and_then(|number| u32::try_from(number).ok());
        let kind = stored::kind(kind.unwrap_or_default()).map_err(&wrong)?;
        if before.len() != shape.len() || before.get(1..) != shape.get(1..) {
            return Err(wrong(format!(
                "`{name}` has shape {shape:?}, but the exported network has {before:?}"
            )));
        }
        if before != shape {
            reshape(model, name, &before, &shape).map_err(&wrong)?;
        }
        // Each has an entry of its own, also where several lay in one.
        let entry = format!("weight_{index}");
        payload["path_name"] = entry.clone().into();
        let meta = &mut payload["tensor_meta"];
        describe(meta, &shape);
        meta["storage_offset"] = json!({ "as_int": 0 });
        entries.insert(
            entry,
            bytes(&tensor, kind).map_err(|error| wrong(format!("`{name}`: {error}")))?,
        );
    }
    Ok(entries)
}

fn bytes(tensor: &Tensor, kind: Kind) -> Result<Vec<u8>, tch::TchError> {
    let tensor = tensor.f_detach()?.f_to_kind(kind)?.f_contiguous()?;
    let mut bytes = vec![0; tensor.numel() * kind.elt_size_in_bytes()];
    tensor.f_copy_data_u8(&mut bytes, tensor.numel())?;
    Ok(bytes)
}

fn numbers(sizes: &Value) -> Vec<i64> {
    let sizes = sizes.as_array().map_or(&[][..], Vec::as_slice);
    sizes.iter().map(|size| size["as_int"].as_i64().unwrap_or(-1)).collect()
}

/// Says that a tensor has this shape, in row-major order.
fn describe(meta: &mut Value, shape: &[i64]) {
    let mut strides = vec![1; shape.len()];
    for index in (1..shape.len()).rev() {
        strides[index - 1] = strides[index] * shape[index].max(1);
    }
    let list = |numbers: &[i64]| {
        numbers
            .iter()
            .map(|number| json!({ "as_int": number }))
            .collect::<Value>()
    };
    meta["sizes"] = list(shape);
    meta["strides"] = list(&strides);
}

/// Tells the graph that a parameter of its last layer has another number of rows.
fn reshape(model: &mut Value, name: &str, before: &[i64], shape: &[i64]) -> Result<(), String> {
    let program = &mut model["graph_module"];
    let specs = program["signature"]["input_specs"]
        .as_array()
        .map_or(&[][..], Vec::as_slice);
    let spec = specs.iter().find(|spec| spec["parameter"]["parameter_name"] == name);
    let value = spec
        .and_then(|spec| spec["parameter"]["arg"]["name"].as_str())
        .map(str::to_owned);
    let value = value
        .ok_or_else(|| format!("`{name}` has another shape than in the exported network, where it is no parameter"))?;
    let nodes = program["graph"]["nodes"].as_array().map_or(&[][..], Vec::as_slice);
    let uses = |node: &&Value| {
        let inputs = node["inputs"].as_array().map_or(&[][..], Vec::as_slice);
        inputs.iter().any(|input| input["arg"]["as_tensor"]["name"] == *value)
    };
    let node = nodes.iter().find(uses);
    let linear = node.filter(|node| node["target"] == "torch.ops.aten.linear.default");
    let output = linear
        .and_then(|node| node["outputs"][0]["as_tensor"]["name"].as_str())
        .map(str::to_owned);
    let output = output.ok_or_else(|| {
        format!(
            "`{name}` has shape {shape:?}, but {before:?} in the exported network, where it is not of a linear layer"
        )
    })?;
    let values = &mut program["graph"]["tensor_values"];
    describe(&mut values[&value], shape);
    let (old, new) = (json!({ "as_int": before[0] }), json!({ "as_int": shape[0] }));
    for key in ["sizes", "strides"] {
        let sides = values[&output][key]
            .as_array_mut()
            .map_or(&mut [][..], Vec::as_mut_slice);
        sides
            .iter_mut()
            .filter(|side| **side == old)
            .for_each(|side| *side = new.clone());
    }
    Ok(())
}

/// The archive with these entries instead of its own, as PyTorch writes it: nothing compressed.
fn written(archive: &mut Archive, entries: BTreeMap<String, Vec<u8>>) -> Result<Vec<u8>, String> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let failed = |error: std::io::Error| format!("cannot be written again: {error}");
    let kept = archive
        .names()
        .into_iter()
        .filter(|name| !name.starts_with("data/weights/") && name != MODEL);
    let kept: Vec<String> = kept.collect();
    let mut all = Vec::with_capacity(kept.len() + entries.len());
    for name in kept {
        let bytes = archive.read(&name)?;
        all.push((name, bytes));
    }
    all.extend(entries);
    for (name, bytes) in all {
        let options = SimpleFileOptions::DEFAULT
            .compression_method(CompressionMethod::Stored)
            .large_file(bytes.len() >= 1 << 31);
        let full = format!("{}{name}", archive.folder());
        zip.start_file(full, options).map_err(|error| failed(error.into()))?;
        zip.write_all(&bytes).map_err(failed)?;
    }
    let done = zip.finish().map_err(|error| failed(error.into()))?;
    Ok(done.into_inner())
}
