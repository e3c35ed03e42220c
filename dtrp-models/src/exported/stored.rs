//! The numbers in an archive: weights, buffers and constants.

use super::archive::Archive;
use super::schema::{Payload, PayloadConfig, SymInt, TensorMeta, read};
use dtrp_core::torch::Given;
use std::collections::{BTreeMap, HashMap};
use tch::Kind;

/// A tensor of the archive.
#[derive(Debug, Clone)]
pub(super) struct Stored {
    pub(super) shape: Vec<i64>,
    pub(super) given: Given,
    /// Whether it is trained, where it is a parameter.
    pub(super) trained: bool,
    /// The name of the first tensor that lies in the same memory: its own, unless two names stand for one tensor.
    pub(super) same_as: String,
}

/// Element types by their numbers in the schema.
const KINDS: [(u32, Kind); 9] = [
    (1, Kind::Uint8),
    (2, Kind::Int8),
    (3, Kind::Int16),
    (4, Kind::Int),
    (5, Kind::Int64),
    (6, Kind::Half),
    (7, Kind::Float),
    (8, Kind::Double),
    (12, Kind::Bool),
];

/// The element type with this number in the schema.
pub(super) fn kind(number: u32) -> Result<Kind, String> {
    if number == 13 {
        return Ok(Kind::BFloat16);
    }
    let found = KINDS.iter().find(|(known, _)| *known == number).map(|(_, kind)| *kind);
    found.ok_or_else(|| format!("element type {number} of the export schema is not supported"))
}

/// Reads the tensors of `data/FOLDER`, by name.
pub(super) fn tensors(archive: &mut Archive, folder: &str) -> Result<BTreeMap<String, Stored>, String> {
    let config = format!("data/{folder}/model_{folder}_config.json");
    let PayloadConfig { config } = read(&config, &archive.read(&config)?)?;
    let mut users: HashMap<&str, usize> = HashMap::new();
    for payload in config.values() {
        *users.entry(&payload.path_name).or_default() += 1;
    }
    // Of memory that several names stand for: its bytes, and who has which part of it.
    let mut shared: HashMap<&str, Vec<u8>> = HashMap::new();
    let mut firsts: HashMap<&str, Vec<(Place, &str)>> = HashMap::new();
    let mut tensors = BTreeMap::new();
    for (name, payload) in &config {
        let wrong = |problem: String| format!("is damaged, or cannot be used: tensor `{name}` {problem}");
        let path = payload.path_name.as_str();
        if path.contains(['/', '\\']) || path.contains("..") {
            return Err(wrong(format!(
                "lies at `{}`, outside the archive",
                dtrp_text::shortened(path)
            )));
        }
        let (meta, place) = place(payload).map_err(wrong)?;
        let kind = kind(meta.dtype).map_err(wrong)?;
        let mut same_as = name.clone();
        let given = if users[path] == 1 {
            let bytes = archive.read(&format!("data/{folder}/{path}"))?;
            place.take(bytes, kind).map_err(wrong)?
        } else {
            if !shared.contains_key(path) {
                shared.insert(path, archive.read(&format!("data/{folder}/{path}"))?);
            }
            let others = firsts.entry(path).or_default();
            match others.iter().find(|(other, _)| *other == place) {
                Some((_, first)) => same_as = (*first).to_owned(),
                None => others.push((place.clone(), name)),
            }
            place.take(shared[path].clone(), kind).map_err(wrong)?
        };
        let stored = Stored {
            shape: place.shape,
            given,
            trained: meta.requires_grad,
            same_as,
        };
        tensors.insert(name.clone(), stored);
    }
    Ok(tensors)
}

/// Where the elements of a tensor lie in its memory.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    shape: Vec<i64>,
    strides: Vec<i64>,
    offset: i64,
}

fn place(payload: &Payload) -> Result<(&TensorMeta, Place), String> {
    let meta = payload.tensor_meta.as_ref().filter(|_| !payload.use_pickle);
    let meta = meta.ok_or("is pickled, or no plain tensor: only plain tensors can be read")?;
    let numbers = |sizes: &[SymInt]| {
        let number = |size: &SymInt| match size {
            SymInt::AsInt(number) if *number >= 0 => Ok(*number),
            _ => Err("has a size that is no number".to_owned()),
        };
        sizes.iter().map(number).collect::<Result<Vec<i64>, String>>()
    };
    let offset = meta.storage_offset.as_slice();
    let place = Place {
        shape: numbers(&meta.sizes)?,
        strides: numbers(&meta.strides)?,
        offset: numbers(offset)?.first().copied().unwrap_or(0),
    };
    if place.strides.len() != place.shape.len() {
        return Err("has another number of strides than of dimensions".to_owned());
    }
    Ok((meta, place))
}

impl Place {
    /// The elements in row-major order.
    fn take(&self, bytes: Vec<u8>, kind: Kind) -> Result<Given, String> {
        let size = kind.elt_size_in_bytes();
        let count = self
            .shape
            .iter()
            .try_fold(1usize, |all, n| all.checked_mul(usize::try_from(*n).ok()?));
        let wanted = count.and_then(|count| count.checked_mul(size));
        if self.offset == 0 && self.is_row_major() && wanted == Some(bytes.len()) {
            return Ok(Given::new(kind, bytes));
        }
        let short = || format!("has {} bytes, too few for {:?} of {kind:?}", bytes.len(), self.shape);
        // No tensor may have more elements than its memory: an expanded one would be a bomb.
        let (count, wanted) = (count.ok_or_else(short)?, wanted.ok_or_else(short)?);
        if wanted > bytes.len() {
            return Err(short());
        }
        let mut elements = Vec::with_capacity(wanted);
        for index in 0..count {
            let mut rest = index as i64;
            let mut at = self.offset;
            for (side, stride) in self.shape.iter().zip(&self.strides).rev() {
                at = (rest % side)
                    .checked_mul(*stride)
                    .and_then(|step| at.checked_add(step))
                    .ok_or_else(short)?;
                rest /= side;
            }
            let start = usize::try_from(at)
                .ok()
                .and_then(|at| at.checked_mul(size))
                .ok_or_else(short)?;
            let end = start.checked_add(size).ok_or_else(short)?;
            elements.extend_from_slice(bytes.get(start..end).ok_or_else(short)?);
        }
        Ok(Given::new(kind, elements))
    }

    fn is_row_major(&self) -> bool {
        let mut stride = 1i64;
        for (side, own) in self.shape.iter().zip(&self.strides).rev() {
            if *side != 1 && *own != stride {
                return false;
            }
            stride = stride.saturating_mul(*side);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(shape: &[i64], strides: &[i64], offset: i64) -> Place {
        Place {
            shape: shape.to_vec(),
            strides: strides.to_vec(),
            offset,
        }
    }

    #[test]
    fn elements_are_taken_from_where_they_lie() {
        let bytes: Vec<u8> = (0..6).collect();
        let taken = |place: Place| {
            place
                .take(bytes.clone(), Kind::Uint8)
                .map(|given| given.bytes().to_vec())
        };
        assert_eq!(taken(place(&[2, 3], &[3, 1], 0)), Ok(vec![0, 1, 2, 3, 4, 5]));
        assert_eq!(taken(place(&[3, 2], &[1, 3], 0)), Ok(vec![0, 3, 1, 4, 2, 5]));
        assert_eq!(taken(place(&[2], &[2], 1)), Ok(vec![1, 3]));
        assert_eq!(taken(place(&[], &[], 5)), Ok(vec![5]));
        for bad in [
            place(&[7], &[1], 0),
            place(&[2], &[6], 0),
            place(&[1 << 40, 1 << 40], &[0, 0], 0),
            place(&[6], &[i64::MAX], 0),
        ] {
            assert!(taken(bad).is_err());
        }
    }
}
