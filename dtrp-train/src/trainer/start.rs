//! Weights to start from.

use crate::error::{Result, TrainError};
use dtrp_core::torch::{TorchError, TorchStage};
use dtrp_models::Fresh;
use dtrp_models::weights::{Match, WeightsFile, match_names};
use sha2::{Digest, Sha256};
use std::collections::{HashMap, HashSet};
use std::path::Path;
use tch::Tensor;

/// Element types of weights, as the format calls them.
const WEIGHTS: [&str; 4] = ["F64", "F32", "F16", "BF16"];

/// How PyTorch calls the number of batches that a normalisation has seen.
const COUNTER: &str = "num_batches_tracked";

/// Names that a message shows.
const SHOWN: usize = 4;

/// A parameter or buffer that the network needs.
struct Needed {
    name: String,
    shape: Vec<i64>,
    /// Whether it belongs to the last layer, whose rows are the classes.
    classifier: bool,
    /// Whether it is of floating-point numbers; an exported network may keep others too.
    floating: bool,
}

/// A file of weights to start from, and what of it is wanted.
pub(crate) struct Start<'a> {
    pub(crate) path: &'a Path,
    /// The SHA-256 that it must have.
    pub(crate) expected: Option<&'a str>,
    /// What is not taken from it.
    pub(crate) fresh: &'a Fresh,
    /// Whether a classifier for another number of classes starts anew; else it is refused.
    pub(crate) other_classes: bool,
}

/// Starts from the weights in a file, which must have all of this network's that do not start anew. Returns its SHA-256, in
/// hexadecimal digits.
pub(crate) fn load_weights(stages: &mut [TorchStage], start: &Start<'_>) -> Result<String> {
    let Start {
        path,
        expected,
        fresh,
        other_classes,
    } = *start;
    let wrong = |message: String| TrainError::InitFrom {
        path: path.to_owned(),
        message,
    };
    let of_model = |error: dtrp_models::ModelError| match error {
        dtrp_models::ModelError::Weights { message, .. } => wrong(message),
        other => other.into(),
    };
    let file = WeightsFile::open(path).map_err(of_model)?;
    let mut hash = Sha256::new();
    file.bytes(|piece| hash.update(piece)).map_err(of_model)?;
    let hash: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    if let Some(expected) = expected.filter(|expected| !expected.eq_ignore_ascii_case(&hash)) {
        return Err(wrong(format!(
            "these are not the weights that the settings mean: the SHA-256 of the file is {hash}, and model.init_sha256 is \
             {expected}; find the right file, or leave out model.init_sha256"
        )));
    }
    let mut needed: Vec<Needed> = Vec::new();
    for (index, stage) in stages.iter().enumerate() {
        needed.extend(needed_by(stage, index + 1 == stages.len()));
    }
    needed.retain(|needed| !fresh.has(&needed.name));
    // Files of weights that do not come from PyTorch lack its counters.
    let counters = needed.extract_if(.., |needed| needed.name.ends_with(COUNTER));
    let counters: Vec<Needed> = counters.collect();
    let names: Vec<&str> = needed.iter().map(|needed| needed.name.as_str()).collect();
    let found = match_names(&names, file.names());
    check_names(&names, &found, &file, fresh).map_err(wrong)?;
    let anew = check_forms(&needed, &found.prefix, &file, other_classes).map_err(wrong)?;
    let mut tensors: HashMap<String, Tensor> = HashMap::new();
    let counters = counters.iter().map(|counter| counter.name.as_str());
    let counters = counters.filter(|name| file.element_type(&format!("{}{name}", found.prefix)) == Some("I64"));
    for name in names
        .into_iter()
        .filter(|name| !anew.names.contains(name))
        .chain(counters)
    {
        let tensor = file.tensor(&format!("{}{name}", found.prefix)).map_err(of_model)?;
        tensors.insert(name.to_owned(), tensor);
    }
    for stage in stages.iter_mut() {
        stage.load(&tensors).map_err(|error| wrong(error.to_string()))?;
    }
    if let Some((theirs, ours)) = anew.classes {
        tracing::warn!(
            "model.init_from: {} is for {theirs} classes, the data has {ours}: {} start anew",
            path.display(),
            anew.names.join(", ")
        );
    }
    if !found.prefix.is_empty() {
        tracing::info!(
            "model.init_from: the names in {} begin with `{}`, which is left out",
            path.display(),
            found.prefix
        );
    }
    let unneeded = found.unneeded.iter().map(String::as_str);
    let unneeded: Vec<&str> = unneeded.filter(|name| !is_fresh(fresh, &found, name)).collect();
    if !unneeded.is_empty() {
        tracing::warn!(
            "model.init_from: {} also holds {}, for which the network has no place: left out",
            path.display(),
            some(&unneeded)
        );
    }
    Ok(hash)
}

/// Weights and buffers must be numbers that can be trained from.
pub(crate) fn check_finite(stages: &[TorchStage], init_from: Option<&Path>) -> Result<()> {
    for stage in stages {
        let told = |error: TorchError| TrainError::of_torch(error, false, None);
        let Some(name) = stage.not_finite().map_err(told)?.into_iter().next() else {
            continue;
        };
        let message = match init_from {
            Some(path) => {
                return Err(TrainError::InitFrom {
                    path: path.to_owned(),
                    message: format!(
                        "`{name}` holds numbers that are not finite (NaN, infinite, or too large for run.dtype): the run that \
                         wrote the file may have diverged; take weights from before that"
                    ),
                });
            }
            None => format!("`{name}` starts with numbers that are not finite (NaN or infinite): see its `Init`"),
        };
        return Err(TrainError::Fit(message));
    }
    Ok(())
}

fn needed_by(stage: &TorchStage, last: bool) -> Vec<Needed> {
    /// Weight and bias.
    const LAYER: usize = 2;
    let module = stage.module();
    let first_of_last_layer = module.params().count().saturating_sub(LAYER);
    let params = module.params().enumerate().map(|(index, spec)| Needed {
        name: spec.name.clone(),
        shape: spec.shape.clone(),
        classifier: last && index >= first_of_last_layer,
        floating: true,
    });
    let buffers = module.buffers().map(|(spec, tensor)| Needed {
        name: spec.name.clone(),
        shape: spec.shape.clone(),
        classifier: false,
        floating: tensor.is_floating_point(),
    });
    params.chain(buffers).collect()
}

/// Every tensor that is needed must be there, once; weights beyond them must not belong to the parts that this network has,
/// or it is another one, which has more in them.
fn check_names(needed: &[&str], found: &Match, file: &WeightsFile, fresh: &Fresh) -> Result<(), String> {
    let top = |name: &str| name.split('.').next().unwrap_or_default().to_owned();
    let parts: HashSet<String> = needed.iter().map(|name| top(name)).collect();
    let own = |name: &&str| {
        let rest = name.strip_prefix(&found.prefix);
        let inside = rest.is_some_and(|rest| rest.contains('.') && parts.contains(&top(rest)));
        inside
            && !is_fresh(fresh, found, name)
            && file
                .element_type(name)
                .is_some_and(|element| WEIGHTS.contains(&element))
    };
    let missing: Vec<&str> = found.missing.iter().map(String::as_str).collect();
    let foreign: Vec<&str> = found.unneeded.iter().map(String::as_str).filter(own).collect();
    if missing.is_empty() && foreign.is_empty() {
        if found.others.is_empty() {
            return Ok(());
        }
        return Err(format!(
            "it holds the weights of this network more than once, under `{}` and `{}`: leave one of them in the file",
            found.prefix,
            found.others.join("`, `")
        ));
    }
    let parts: Vec<String> = [("it lacks", missing), ("the network has no", foreign)]
        .into_iter()
        .filter(|(_, names)| !names.is_empty())
        .map(|(what, names)| format!("{what} {}", some(&names)))
        .collect();
    let under = match found.prefix.as_str() {
        "" => String::new(),
        prefix => format!(" (under `{prefix}`)"),
    };
    Err(format!(
        "not the weights of this network{under}: {}; `dtrp models show` lists what it is made of, and model.* says which \
         network it is",
        parts.join("; ")
    ))
}

/// Whether a tensor of the file is of what starts anew.
fn is_fresh(fresh: &Fresh, found: &Match, name: &str) -> bool {
    name.strip_prefix(&found.prefix).is_some_and(|name| fresh.has(name))
}

/// What starts anew because the file is for another number of classes.
#[derive(Default)]
struct Anew<'a> {
    names: Vec<&'a str>,
    /// Of the file and of the network.
    classes: Option<(i64, i64)>,
}

/// Shapes and element types must fit, but for the classifier where it may start anew, and all that do not are told together.
fn check_forms<'a>(
    needed: &'a [Needed],
    prefix: &str,
    file: &WeightsFile,
    other_classes: bool,
) -> Result<Anew<'a>, String> {
    let mut misfits = Vec::new();
    for needed in needed {
        let Needed { name, shape, .. } = needed;
        let stored = format!("{prefix}{name}");
        let found = file.shape(&stored).unwrap_or_default();
        if found != *shape {
            misfits.push((needed, found));
        }
        let element = file.element_type(&stored).unwrap_or_default();
        if WEIGHTS.contains(&element) != needed.floating {
            let expected = if needed.floating {
                "weights are F32, F64, F16 or BF16"
            } else {
                "this network keeps integers or truth values there"
            };
            return Err(format!(
                "`{stored}` has type {element}, but {expected}: convert it before"
            ));
        }
    }
    let Some((first, found)) = misfits.first() else {
        return Ok(Anew::default());
    };
    let rows = |needed: &Needed, found: &[i64]| {
        let same = needed.classifier && found.get(1..) == needed.shape.get(1..);
        same.then(|| Some((*found.first()?, *needed.shape.first()?))).flatten()
    };
    let classes = rows(first, found);
    if other_classes && classes.is_some() && misfits.iter().all(|(needed, found)| rows(needed, found) == classes) {
        return Ok(Anew {
            names: misfits.iter().map(|(needed, _)| needed.name.as_str()).collect(),
            classes,
        });
    }
    let Needed { name, shape, .. } = first;
    let more = match misfits.len() - 1 {
        0 => String::new(),
        more => format!(" ({more} more do not fit either)"),
    };
    let advice = match classes {
        Some((theirs, ours)) if !other_classes => {
            format!("the file is for {theirs} classes, the data has {ours}; take data with {theirs} classes")
        }
        _ => "model.* must be the network that the file was written by, and the data have its channels; what should start anew \
              can be named in model.fresh"
            .to_owned(),
    };
    Err(format!(
        "`{name}` has shape {found:?}, but this network needs {shape:?}{more}: {advice}"
    ))
}

/// The first few names.
fn some(names: &[&str]) -> String {
    let more = names.len().saturating_sub(SHOWN);
    let shown = names[..names.len().min(SHOWN)].join(", ");
    match more {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
