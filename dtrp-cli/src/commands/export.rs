//! `dtrp export`: weights for other programs.

use super::trained::{config_of, weights};
use crate::config::{DIGITS, Layers, path_argument};
use crate::error::{EXIT_CODES, Error};
use crate::output;
use clap::Args;
use dtrp_models::exported::rewritten;
use dtrp_models::weights::{Element, Export as Exported, Format, WeightsFile, export};
use dtrp_text::units::{bytes, thousands};
use dtrp_text::words;
use serde_json::Value;
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "\
Examples:
  dtrp export runs/a -o a.safetensors
      for PyTorch: load_state_dict(safetensors.torch.load_file('a.safetensors'))
  dtrp export runs/a/checkpoints/latest -o a.npz
      for NumPy: numpy.load('a.npz')['conv1.weight']
  dtrp export runs/a -o half.safetensors --dtype bf16
      half the size
  dtrp export runs/a -o a.pt2
      of an exported network, for PyTorch: torch.export.load('a.pt2').module()";

/// `dtrp export`
#[derive(Debug, Args)]
#[command(after_long_help = format!("{EXAMPLES}\n\n{EXIT_CODES}"))]
pub(crate) struct Export {
    /// Folder of a run or of one of its checkpoints, or a safetensors file
    #[arg(value_name = "RUN|WEIGHTS", value_parser = path_argument())]
    path: PathBuf,
    /// The file to write
    #[arg(short, long, value_name = "FILE", value_parser = path_argument())]
    output: PathBuf,
    /// safetensors, npz, or, of a network from PyTorch, pt2 [default: by the end of the file's name]
    #[arg(long)]
    format: Option<Form>,
    /// Element type of the weights: f64, f32, f16, bf16 [default: that of the run]
    #[arg(long, value_name = "TYPE")]
    dtype: Option<Element>,
}

/// The form of what is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Safetensors,
    Npz,
    /// The archive that the network came from, with the trained weights.
    Pt2,
}

words!(Form, "format", [Safetensors "safetensors", Npz "npz", Pt2 "pt2"]);

impl From<Format> for Form {
    fn from(format: Format) -> Self {
        match format {
            Format::Safetensors => Self::Safetensors,
            Format::Npz => Self::Npz,
        }
    }
}

/// The exported network of a run with its weights.
fn archive(args: &Export, path: &Path, file: &WeightsFile) -> Result<Exported, Error> {
    let told = |what: &str| Err(Error::Fit(format!("{}: {what}", args.path.display())));
    if args.dtype.is_some() {
        return told("--dtype is not for pt2: the graph in it says which types its weights have");
    }
    let Some(config) = config_of(path) else {
        return told(
            "there is no configuration beside it, which says from which .pt2 file the network came: name the run's folder",
        );
    };
    let config = Layers {
        config: Some(config),
        sets: Vec::new(),
    };
    let model = config.load(DIGITS)?.settings.model;
    let Some(source) = model
        .options
        .get("file")
        .and_then(Value::as_str)
        .filter(|_| model.name == "exported")
    else {
        return told(
            "its network did not come from a .pt2 file, so there is no graph to write: take safetensors or npz",
        );
    };
    let names: Vec<&str> = file.names().collect();
    let numbers = |name: &&str| {
        file.shape(name)
            .map_or(0, |shape| shape.iter().product::<i64>() as usize)
    };
    Ok(Exported {
        bytes: rewritten(Path::new(source), file)?,
        tensors: names.len(),
        numbers: names.iter().map(numbers).sum(),
    })
}

/// Converts, writes, and says what was written.
pub(super) fn run(args: &Export) -> Result<(), Error> {
    let of_name = || match args.output.extension()?.to_str()? {
        "pt2" => Some(Form::Pt2),
        _ => Format::of(&args.output).map(Form::from),
    };
    let Some(form) = args.format.or_else(of_name) else {
        return Err(Error::Fit(format!(
            "{}: which format is meant does not follow from the name: let it end in .safetensors, .npz or .pt2, or give --format",
            args.output.display()
        )));
    };
    let path = weights(&args.path)?;
    let file = WeightsFile::open(&path)?;
    let export = match form {
        Form::Safetensors => export(&file, Format::Safetensors, args.dtype)?,
        Form::Npz => export(&file, Format::Npz, args.dtype)?,
        Form::Pt2 => archive(args, &path, &file)?,
    };
    output::write_file(&args.output, &export.bytes)?;
    tracing::info!(
        "{}: {} tensors with {} numbers, {}",
        args.output.display(),
        thousands(export.tensors as u64),
        thousands(export.numbers as u64),
        bytes(export.bytes.len() as u64)
    );
    Ok(())
}
