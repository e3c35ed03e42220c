//! `dtrp export`: weights for other programs.

use super::trained::weights;
use crate::config::path_argument;
use crate::error::{EXIT_CODES, Error};
use crate::output;
use clap::Args;
use dtrp_models::weights::{Element, Format, WeightsFile, export};
use dtrp_text::units::{bytes, thousands};
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  dtrp export runs/a -o a.safetensors
      for PyTorch: load_state_dict(safetensors.torch.load_file('a.safetensors'))
  dtrp export runs/a/checkpoints/latest -o a.npz
      for NumPy: numpy.load('a.npz')['conv1.weight']
  dtrp export runs/a -o half.safetensors --dtype bf16
      half the size";

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
    /// safetensors or npz [default: by the end of the file's name]
    #[arg(long)]
    format: Option<Format>,
    /// Element type of the weights: f64, f32, f16, bf16 [default: that of the run]
    #[arg(long, value_name = "TYPE")]
    dtype: Option<Element>,
}

/// Converts, writes, and says what was written.
pub(super) fn run(args: &Export) -> Result<(), Error> {
    let Some(format) = args.format.or_else(|| Format::of(&args.output)) else {
        return Err(Error::Fit(format!(
            "{}: which format is meant does not follow from the name: let it end in .safetensors or .npz, or give --format",
            args.output.display()
        )));
    };
    let file = WeightsFile::open(&weights(&args.path)?)?;
    let export = export(&file, format, args.dtype)?;
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
