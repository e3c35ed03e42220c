//! Reading a safetensors file: the header first, and then only the tensors that are wanted.

use super::foreign;
use crate::ModelError;
use dtrp_text::without_frames;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use tch::{Kind, Tensor};

/// The longest header that the format allows, in bytes.
const MOST_HEADER: u64 = 100_000_000;

/// Element types that can be read, by their names in the format.
const TYPES: [(&str, Kind); 10] = [
    ("F64", Kind::Double),
    ("F32", Kind::Float),
    ("F16", Kind::Half),
    ("BF16", Kind::BFloat16),
    ("I64", Kind::Int64),
    ("I32", Kind::Int),
    ("I16", Kind::Int16),
    ("I8", Kind::Int8),
    ("U8", Kind::Uint8),
    ("BOOL", Kind::Bool),
];

/// A safetensors file whose header has been read and checked: what it holds is known, and no tensor is in memory yet. Of a
/// type that libtorch lacks only the name is known, which does no harm unless that tensor is wanted.
#[derive(Debug)]
pub struct WeightsFile {
    path: PathBuf,
    file: File,
    /// Where the tensors' bytes begin.
    start: u64,
    tensors: BTreeMap<String, Entry>,
}

#[derive(Debug, Deserialize)]
struct Entry {
    dtype: String,
    shape: Vec<u64>,
    data_offsets: (u64, u64),
}

impl WeightsFile {
    /// Reads the header.
    ///
    /// # Errors
    ///
    /// [`ModelError::Weights`] when the file cannot be read, or is not a whole safetensors file: then with what it is instead,
    /// as far as that can be seen, and what to do.
    pub fn open(path: &Path) -> Result<Self, ModelError> {
        let opened = open(path);
        opened.map_err(|message| ModelError::Weights {
            path: path.to_owned(),
            message,
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The names of its tensors, ascending.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// The shape of a tensor; `None` where it has none of this name.
    pub fn shape(&self, name: &str) -> Option<Vec<i64>> {
        let entry = self.tensors.get(name)?;
        Some(
            entry
                .shape
                .iter()
                .map(|n| i64::try_from(*n).unwrap_or(i64::MAX))
                .collect(),
        )
    }

    /// The element type of a tensor, as the format calls it, such as `F32`.
    pub fn element_type(&self, name: &str) -> Option<&str> {
        self.tensors.get(name).map(|entry| entry.dtype.as_str())
    }

    /// Gives `each` the bytes of the file, header and all, in pieces of at most a megabyte: what a checksum is made of.
    ///
    /// # Errors
    ///
    /// [`ModelError::Weights`] when the file cannot be read.
    pub fn bytes(&self, mut each: impl FnMut(&[u8])) -> Result<(), ModelError> {
        let unreadable = |error: std::io::Error| ModelError::Weights {
            path: self.path.clone(),
            message: format!("cannot be read: {error}"),
        };
        let mut file = &self.file;
        file.rewind().map_err(unreadable)?;
        let mut piece = vec![0; 1 << 20];
        loop {
            match file.read(&mut piece).map_err(unreadable)? {
                0 => return Ok(()),
                length => each(&piece[..length]),
            }
        }
    }

    /// Reads one tensor.
    ///
    /// # Errors
    ///
    /// [`ModelError::Weights`] when there is none of this name, libtorch lacks its type, or the file cannot be read.
    pub fn tensor(&self, name: &str) -> Result<Tensor, ModelError> {
        self.read(name).map_err(|message| ModelError::Weights {
            path: self.path.clone(),
            message: format!("`{name}` {message}"),
        })
    }

    fn read(&self, name: &str) -> Result<Tensor, String> {
        let entry = self.tensors.get(name).ok_or("is not there")?;
        let kind = kind_of(&entry.dtype).ok_or_else(|| {
            let known: Vec<_> = TYPES.iter().map(|(name, _)| *name).collect();
            let known = known.join(", ");
            format!(
                "has type {}, which cannot be read (only {known} can): convert it before",
                entry.dtype
            )
        })?;
        let shape: Vec<i64> = entry.shape.iter().map(|n| *n as i64).collect();
        let (from, to) = entry.data_offsets;
        // Not longer than the file, as was checked.
        let mut bytes = vec![0; (to - from) as usize];
        let mut file = &self.file;
        let read = file
            .seek(SeekFrom::Start(self.start + from))
            .and_then(|_| file.read_exact(&mut bytes));
        read.map_err(|error| format!("cannot be read: {error}"))?;
        Tensor::f_from_data_size(&bytes, &shape, kind).map_err(|error| without_frames(&error.to_string()).to_owned())
    }
}

fn kind_of(name: &str) -> Option<Kind> {
    TYPES.iter().find(|(known, _)| *known == name).map(|(_, kind)| *kind)
}

fn open(path: &Path) -> Result<WeightsFile, String> {
    // Opening a pipe would wait for whoever writes into it.
    let unreadable = |error: std::io::Error| format!("cannot be read: {error}");
    let metadata = std::fs::metadata(path).map_err(unreadable)?;
    if metadata.is_dir() {
        return Err("is a folder: name the .safetensors file in it".to_owned());
    }
    if !metadata.is_file() {
        return Err("is not a file: it must be a .safetensors file".to_owned());
    }
    let mut file = File::open(path).map_err(unreadable)?;
    let length = metadata.len();
    let mut beginning = Vec::new();
    (&mut file)
        .take(foreign::SHOWS)
        .read_to_end(&mut beginning)
        .map_err(unreadable)?;
    if let Some(what) = foreign::recognise(&beginning) {
        return Err(what);
    }
    let Some((size, _)) = beginning.split_first_chunk() else {
        return Err(format!(
            "is no safetensors file: it ends after {length} bytes, within the header"
        ));
    };
    let header_length = u64::from_le_bytes(*size);
    if header_length > MOST_HEADER {
        return Err(format!(
            "is no safetensors file: its header would have {header_length} bytes, and the format allows {MOST_HEADER}"
        ));
    }
    let start = 8 + header_length;
    if start > length {
        return Err(format!(
            "is truncated, or no safetensors file: its header would end at byte {start}, the file has {length}; copy or \
             download it again"
        ));
    }
    let mut header = vec![0; header_length as usize];
    let read = file.seek(SeekFrom::Start(8)).and_then(|_| file.read_exact(&mut header));
    read.map_err(unreadable)?;
    let tensors = entries(&header).map_err(|error| format!("is no safetensors file: {error}"))?;
    let mut end = 0;
    for (name, entry) in &tensors {
        entry
            .check()
            .map_err(|error| format!("is no safetensors file: `{name}` {error}"))?;
        end = end.max(entry.data_offsets.1);
    }
    let wanted = start.saturating_add(end);
    if wanted != length {
        let what = if wanted > length { "truncated" } else { "damaged" };
        return Err(format!(
            "is {what}: by its header it has {wanted} bytes, but there are {length}; copy or download it again"
        ));
    }
    without_overlap(&tensors)?;
    Ok(WeightsFile {
        path: path.to_owned(),
        file,
        start,
        tensors,
    })
}

/// No name stands for a part of another's bytes. (Two may stand for the same ones.)
fn without_overlap(tensors: &BTreeMap<String, Entry>) -> Result<(), String> {
    let mut places: Vec<_> = tensors.iter().map(|(name, entry)| (entry.data_offsets, name)).collect();
    places.sort_unstable();
    for pair in places.windows(2) {
        let [(before, first), (after, second)] = [pair[0], pair[1]];
        if after.0 < before.1 && after != before {
            return Err(format!(
                "is damaged: the bytes of `{second}` begin at {}, those of `{first}` end at {}; copy or download it again",
                after.0, before.1
            ));
        }
    }
    Ok(())
}

/// The tensors that a header names. Beside them it may have texts under `__metadata__`.
fn entries(header: &[u8]) -> Result<BTreeMap<String, Entry>, String> {
    let header: Map<String, Value> =
        serde_json::from_slice(header).map_err(|error| format!("its header is no JSON object ({error})"))?;
    let tensors = header.into_iter().filter(|(name, _)| name != "__metadata__");
    let entry = |(name, value): (String, Value)| {
        let entry = serde_json::from_value(value);
        match entry {
            Ok(entry) => Ok((name, entry)),
            Err(error) => Err(format!("what its header says of `{name}` makes no sense ({error})")),
        }
    };
    tensors.map(entry).collect()
}

impl Entry {
    /// The bytes are as many as shape and type say, as far as the type is known.
    fn check(&self) -> Result<(), String> {
        let (from, to) = self.data_offsets;
        let bytes = to.checked_sub(from).ok_or("ends before it begins")?;
        let Some(kind) = kind_of(&self.dtype) else {
            return Ok(());
        };
        let element = kind.elt_size_in_bytes() as u64;
        let wanted = self.shape.iter().try_fold(element, |bytes, n| bytes.checked_mul(*n));
        if wanted != Some(bytes) {
            let (shape, dtype) = (&self.shape, &self.dtype);
            return Err(format!("has {bytes} bytes, which is not {shape:?} of {dtype}"));
        }
        Ok(())
    }
}
