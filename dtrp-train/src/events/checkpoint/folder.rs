//! One checkpoint as a folder: written beside its place, brought to the disk, renamed; read with every byte checked.

use super::Checkpoint;
use super::state::{CheckpointState, FORMAT, FileFacts, VERSION};
use crate::error::CheckpointError;
use dtrp_core::torch::{SavedTensors, Tensors};
use dtrp_models::{ModelError, weights};
use dtrp_text::{to_json, write_whole};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

/// Where the run stands.
pub(super) const STATE: &str = "state.json";

/// The longest that it is: it has no tensors.
const MOST_STATE: u64 = 1 << 30;

/// The files with tensors.
const FILES: [&str; 4] = [
    "model.safetensors",
    "optimizer.safetensors",
    "predictor.safetensors",
    "flight.safetensors",
];

/// How the hidden folders' names end.
pub(super) const HIDDEN: &str = ".dtrp-new";

/// Beside `path`, on the same file system.
fn hidden(path: &Path, word: &str) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".{word}{HIDDEN}"));
    path.with_file_name(name)
}

pub(super) fn write(checkpoint: &Checkpoint, path: &Path) -> Result<(), CheckpointError> {
    let wrong = |error: io::Error| CheckpointError::writing(path, &error);
    if path.file_name().is_none() {
        return Err(wrong(io::Error::new(
            ErrorKind::InvalidInput,
            "not the name of a folder",
        )));
    }
    let beside = hidden(path, "");
    // Left by a program that was killed.
    remove(&beside);
    fs::create_dir(&beside).map_err(wrong)?;
    let whole = fill(checkpoint, &beside, path).and_then(|()| put(&beside, path).map_err(wrong));
    if whole.is_err() {
        remove(&beside);
    }
    whole
}

/// Writes the files into `beside`; the folder will be called `path`.
fn fill(checkpoint: &Checkpoint, beside: &Path, path: &Path) -> Result<(), CheckpointError> {
    let position = checkpoint.state().position;
    let statistics = position.step * u64::from(checkpoint.state().settings.method.micro_batches);
    let mut files = BTreeMap::new();
    checkpoint.with(|all| {
        for (name, tensors) in FILES
            .iter()
            .zip([&all.model, &all.optimizer, &all.predictor, &all.flight])
        {
            let file = beside.join(name);
            let tensors: Vec<_> = tensors
                .iter()
                .map(|(name, tensor)| (name.clone(), tensor.shallow_clone()))
                .collect();
            weights::save(&file, &tensors, statistics).map_err(|error| CheckpointError {
                path: path.join(name),
                problem: message(error),
                writing: true,
            })?;
            let facts = facts(&file).map_err(|error| CheckpointError::writing(&path.join(name), &error))?;
            files.insert((*name).to_owned(), facts);
        }
        Ok(())
    })?;
    let state = CheckpointState {
        files,
        ..checkpoint.state().clone()
    };
    let written = write_whole(&beside.join(STATE), to_json(&state).as_bytes());
    written.map_err(|error| CheckpointError::writing(&path.join(STATE), &error))
}

/// Gives the folder its name.
fn put(beside: &Path, path: &Path) -> io::Result<()> {
    File::open(beside)?.sync_all()?;
    if path.symlink_metadata().is_ok() {
        // The same moment of the same run, trained again.
        let old = hidden(path, "old");
        remove(&old);
        fs::rename(path, &old)?;
        fs::rename(beside, path)?;
        remove(&old);
    } else {
        fs::rename(beside, path)?;
    }
    sync(path);
    Ok(())
}

/// Brings the names beside `path` to the disk. Some file systems cannot, and need not.
pub(super) fn sync(path: &Path) {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let _ = File::open(parent.unwrap_or(Path::new("."))).and_then(|folder| folder.sync_all());
}

/// Removes a folder with the files that a checkpoint has, and nothing else.
pub(super) fn remove(folder: &Path) {
    // Without this it is no checkpoint any more, whatever happens then.
    let _ = fs::remove_file(folder.join(STATE));
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if FILES.contains(&&*name) || (name.starts_with('.') && name.ends_with(".part")) {
            let _ = fs::remove_file(entry.path());
        }
    }
    let _ = fs::remove_dir(folder);
}

fn facts(path: &Path) -> io::Result<FileFacts> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    let mut bytes = 0;
    let mut piece = vec![0; 1 << 20];
    loop {
        let length = file.read(&mut piece)?;
        if length == 0 {
            break;
        }
        hash.update(&piece[..length]);
        bytes += length as u64;
    }
    let sha256 = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(FileFacts { bytes, sha256 })
}

fn message(error: ModelError) -> String {
    match error {
        ModelError::Weights { message, .. } => message,
        other => other.to_string(),
    }
}

/// What every version has.
#[derive(Deserialize)]
struct Beginning {
    #[serde(default)]
    format: String,
    #[serde(default)]
    version: u32,
    #[serde(default)]
    dtrp_version: String,
}

/// Reads `state.json` alone, without a look at the other files.
pub(super) fn read_state(path: &Path) -> Result<CheckpointState, CheckpointError> {
    let file = path.join(STATE);
    let wrong = |problem: String| CheckpointError::reading(&file, problem);
    let metadata = fs::metadata(&file).map_err(|error| {
        let there = path.exists();
        match error.kind() {
            ErrorKind::NotFound if there => CheckpointError::reading(
                path,
                "is no checkpoint: it has no state.json (name a folder such as RUN/checkpoints/step-00000100)",
            ),
            ErrorKind::NotFound => CheckpointError::reading(path, "there is no such folder"),
            _ => wrong(format!("cannot be read: {error}")),
        }
    })?;
    if !metadata.is_file() || metadata.len() > MOST_STATE {
        return Err(wrong("is no file of a checkpoint".to_owned()));
    }
    let text = fs::read_to_string(&file).map_err(|error| wrong(format!("cannot be read: {error}")))?;
    let damaged = |error: serde_json::Error| {
        wrong(format!(
            "is damaged, or no file of a checkpoint ({error}): take another checkpoint"
        ))
    };
    let beginning: Beginning = serde_json::from_str(&text).map_err(damaged)?;
    if beginning.format != FORMAT {
        return Err(wrong("is not that of a dtrp checkpoint".to_owned()));
    }
    if beginning.version > VERSION {
        return Err(wrong(format!(
            "was written by dtrp {} in version {} of the format, and this program reads up to {VERSION}: take a newer dtrp",
            beginning.dtrp_version, beginning.version
        )));
    }
    serde_json::from_str(&text).map_err(damaged)
}

pub(super) fn read(path: &Path) -> Result<Checkpoint, CheckpointError> {
    let state = read_state(path)?;
    let mut all = SavedTensors::default();
    let places = [&mut all.model, &mut all.optimizer, &mut all.predictor, &mut all.flight];
    for (name, place) in FILES.iter().zip(places) {
        *place = read_tensors(&path.join(name), state.files.get(*name))?;
    }
    Ok(Checkpoint::new(state, all))
}

fn read_tensors(path: &Path, expected: Option<&FileFacts>) -> Result<Tensors, CheckpointError> {
    let wrong = |problem: String| CheckpointError::reading(path, problem);
    let Some(expected) = expected else {
        return Err(wrong("state.json does not say what is in it".to_owned()));
    };
    // Opening a pipe would wait for whoever writes into it.
    if !fs::metadata(path).is_ok_and(|found| found.is_file()) {
        return Err(wrong("is missing: take another checkpoint".to_owned()));
    }
    let found = facts(path).map_err(|error| wrong(format!("cannot be read: {error}")))?;
    if found.bytes != expected.bytes {
        return Err(wrong(format!(
            "has {} bytes, and {} were written: it is truncated or damaged; take another checkpoint",
            found.bytes, expected.bytes
        )));
    }
    if found.sha256 != expected.sha256 {
        return Err(wrong(
            "is damaged: its checksum is not the one in state.json; take another checkpoint".to_owned(),
        ));
    }
    let tensors = weights::load(path).map_err(|error| wrong(message(error)))?;
    Ok(tensors.into_iter().collect())
}
