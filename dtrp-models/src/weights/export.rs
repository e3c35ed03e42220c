//! Weights in the forms that other programs read.

use super::{WeightsFile, encode, pytorch};
use crate::ModelError;
use dtrp_text::words;
use safetensors::tensor::TensorView;
use std::io::{Cursor, Write};
use std::path::Path;
use tch::{Kind, Tensor};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// The form of a file of weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// What PyTorch's `safetensors.torch.load_file` reads.
    Safetensors,
    /// What `numpy.load` reads: an uncompressed zip archive of `.npy` files.
    Npz,
}

words!(Format, "format", [Safetensors "safetensors", Npz "npz"]);

impl Format {
    /// By the end of a file's name.
    pub fn of(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()? {
            "safetensors" => Some(Self::Safetensors),
            "npz" => Some(Self::Npz),
            _ => None,
        }
    }
}

/// The element type of exported weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Element {
    /// 64 bits.
    F64,
    /// 32 bits.
    F32,
    /// 16 bits: 5 of exponent.
    F16,
    /// 16 bits: 8 of exponent.
    Bf16,
}

words!(Element, "element type", [F64 "f64", F32 "f32", F16 "f16", Bf16 "bf16"]);

impl Element {
    fn kind(self) -> Kind {
        match self {
            Self::F64 => Kind::Double,
            Self::F32 => Kind::Float,
            Self::F16 => Kind::Half,
            Self::Bf16 => Kind::BFloat16,
        }
    }
}

/// A file's content, and what is in it.
#[derive(Debug)]
pub struct Export {
    /// To be written.
    pub bytes: Vec<u8>,
    /// Tensors in it.
    pub tensors: usize,
    /// Numbers in them.
    pub numbers: usize,
}

/// Reads the weights of a file and puts them into another form, under the same names; floating-point numbers become
/// `element` where that is given. Auxiliary heads, which are no part of a network, are left out.
///
/// # Errors
///
/// [`ModelError::Weights`] when the file cannot be read, holds a tensor of a type that libtorch or the form lacks, or a number
/// that the element type cannot hold.
pub fn export(file: &WeightsFile, format: Format, element: Option<Element>) -> Result<Export, ModelError> {
    let wrong = |message: String| ModelError::Weights {
        path: file.path().to_owned(),
        message,
    };
    let mut tensors = Vec::new();
    for name in file.names().filter(|name| !is_of_head(name)) {
        let tensor = file.tensor(name)?;
        let tensor = converted(&tensor, element).map_err(|problem| wrong(format!("`{name}` {problem}")))?;
        tensors.push((name.to_owned(), tensor));
    }
    let bytes = match format {
        Format::Safetensors => safetensors(&tensors),
        Format::Npz => npz(&tensors),
    };
    Ok(Export {
        bytes: bytes.map_err(wrong)?,
        tensors: tensors.len(),
        numbers: tensors.iter().map(|(_, tensor)| tensor.numel()).sum(),
    })
}

/// `auxiliary2.hidden0.weight`
fn is_of_head(name: &str) -> bool {
    let rest = name.strip_prefix("auxiliary").and_then(|rest| rest.split_once('.'));
    rest.is_some_and(|(number, _)| number.parse::<u32>().is_ok())
}

fn converted(tensor: &Tensor, element: Option<Element>) -> Result<Tensor, String> {
    let Some(element) = element.filter(|_| tensor.is_floating_point()) else {
        return Ok(tensor.shallow_clone());
    };
    let told = |error: tch::TchError| error.to_string();
    let converted = tensor.f_to_kind(element.kind()).map_err(told)?;
    let infinite = |tensor: &Tensor| tensor.f_isinf()?.f_any()?.f_int64_value(&[]);
    if infinite(&converted).map_err(told)? != 0 && infinite(tensor).map_err(told)? == 0 {
        let largest = tensor.f_abs().and_then(|all| all.f_max()).map_err(told)?;
        let largest = largest.f_double_value(&[]).map_err(told)?;
        return Err(format!(
            "holds {largest:e}, which {element} cannot: take bf16 or f32, which go up to 3.4e38"
        ));
    }
    Ok(converted)
}

fn safetensors(tensors: &[(String, Tensor)]) -> Result<Vec<u8>, String> {
    let parts = tensors
        .iter()
        .map(|(name, tensor)| Ok((name, tensor.size(), encode(tensor)?)));
    let parts = parts.collect::<Result<Vec<_>, String>>()?;
    let mut views = Vec::with_capacity(parts.len());
    for (name, shape, (dtype, bytes)) in &parts {
        let shape = shape.iter().map(|side| *side as usize).collect();
        let view = TensorView::new(*dtype, shape, bytes).map_err(|error| error.to_string())?;
        views.push((name.as_str(), view));
    }
    safetensors::serialize(views, pytorch()).map_err(|error| error.to_string())
}

/// The names of element types in a `.npy` file, little-endian.
const NUMPY: [(Kind, &str); 4] = [
    (Kind::Half, "<f2"),
    (Kind::Float, "<f4"),
    (Kind::Double, "<f8"),
    (Kind::Int64, "<i8"),
];

fn npz(tensors: &[(String, Tensor)]) -> Result<Vec<u8>, String> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, tensor) in tensors {
        let kind = tensor.f_kind().map_err(|error| error.to_string())?;
        let numpy = NUMPY.iter().find(|(own, _)| *own == kind).map(|(_, numpy)| numpy);
        let numpy = numpy.ok_or_else(|| match kind {
            Kind::BFloat16 => format!("`{name}` is bf16, which NumPy does not know: take f32, or a safetensors file"),
            _ => format!("`{name}` has a type that cannot be written to npz: take a safetensors file"),
        })?;
        let (_, bytes) = encode(tensor)?;
        // As numpy.savez writes them; the date, which says nothing, is the format's first.
        let options = SimpleFileOptions::DEFAULT
            .compression_method(CompressionMethod::Stored)
            .large_file(bytes.len() >= 1 << 31);
        let written = archive
            .start_file(format!("{name}.npy"), options)
            .map_err(std::io::Error::from);
        let written = written
            .and_then(|()| archive.write_all(&npy_header(numpy, &tensor.size())))
            .and_then(|()| archive.write_all(&bytes));
        written.map_err(|error| format!("`{name}` cannot be written: {error}"))?;
    }
    let done = archive.finish().map_err(|error| error.to_string())?;
    Ok(done.into_inner())
}

/// The header of a `.npy` file, version 1.0: magic, version, length, and a Python literal, padded so that the numbers begin at
/// a multiple of 64.
fn npy_header(numpy: &str, shape: &[i64]) -> Vec<u8> {
    /// Magic, version and length.
    const FIXED: usize = 10;
    let shape: String = shape.iter().map(|side| format!("{side}, ")).collect();
    let mut text = format!("{{'descr': '{numpy}', 'fortran_order': False, 'shape': ({shape}), }}");
    let padded = (FIXED + text.len() + 1).next_multiple_of(64) - FIXED;
    text.extend(std::iter::repeat_n(' ', padded - text.len() - 1));
    text.push('\n');
    let mut header = b"\x93NUMPY\x01\x00".to_vec();
    header.extend((text.len() as u16).to_le_bytes());
    header.extend(text.bytes());
    header
}

#[cfg(test)]
mod tests {
    use super::super::save;
    use super::*;

    fn file(tensors: &[(&str, Tensor)]) -> (tempfile::TempDir, WeightsFile) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w.safetensors");
        let tensors: Vec<_> = tensors
            .iter()
            .map(|(name, tensor)| ((*name).to_owned(), tensor.copy()))
            .collect();
        save(&path, &tensors, 7).unwrap();
        let file = WeightsFile::open(&path).unwrap();
        (folder, file)
    }

    #[test]
    fn heads_stay_behind_and_numbers_must_fit() {
        let large = Tensor::from_slice(&[1.0f32, 70000.0]);
        let (_folder, file) = file(&[
            ("fc.weight", large.copy()),
            ("auxiliary1.fc.weight", large.copy()),
            ("auxiliary.weight", large),
        ]);
        let all = export(&file, Format::Safetensors, None).unwrap();
        assert_eq!((all.tensors, all.numbers), (2, 4));
        let error = export(&file, Format::Npz, Some(Element::F16)).unwrap_err().to_string();
        assert!(
            error.contains("w.safetensors") && error.contains("holds 7e4, which f16 cannot"),
            "{error}"
        );
        assert!(export(&file, Format::Safetensors, Some(Element::Bf16)).is_ok());
        let error = export(&file, Format::Npz, Some(Element::Bf16)).unwrap_err().to_string();
        assert!(error.contains("NumPy does not know"), "{error}");
    }

    #[test]
    fn headers_are_those_of_numpy() {
        for shape in [&[][..], &[3], &[64, 3, 7, 7]] {
            let header = npy_header("<f4", shape);
            assert_eq!(header.len() % 64, 0);
            assert_eq!(
                usize::from(u16::from_le_bytes([header[8], header[9]])) + 10,
                header.len()
            );
        }
        let text = String::from_utf8_lossy(&npy_header("<f4", &[3])[10..]).into_owned();
        assert!(
            text.starts_with("{'descr': '<f4', 'fortran_order': False, 'shape': (3, ), }"),
            "{text}"
        );
    }
}
