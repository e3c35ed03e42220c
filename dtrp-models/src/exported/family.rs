//! `model: { name: exported, file: net.pt2 }`.

use super::Exported;
use crate::ModelError;
use crate::registry::{Family, ModelInput};
use dtrp_core::torch::BlockSpec;
use dtrp_text::{OptionSpec, Options};

inventory::submit!(Family::new(
    "exported",
    "a PyTorch network, from the file that `torch.export.save` writes",
    &[
        OptionSpec::path("file", "the .pt2 file"),
        OptionSpec::optional_count("output", 0..=1 << 10, "which of several outputs are the logits, from 0"),
    ],
    build,
));

fn build(options: &Options<'_>, input: &ModelInput) -> Result<Vec<BlockSpec>, ModelError> {
    let output = options.optional_count("output").map(|output| output as usize);
    let file = options.path("file");
    let file =
        file.ok_or_else(|| options.invalid("file", "the path of a .pt2 file, which `torch.export.save` writes"))?;
    let exported = Exported::open(&file, output)?;
    Ok(exported.fitted(options.owner(), input)?.natural_blocks())
}
