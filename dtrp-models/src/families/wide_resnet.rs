//! Wide ResNets for large images (Zagoruyko and Komodakis, 2016): ResNet-50 and -101 whose bottlenecks are twice as wide
//! inside. torchvision's `wide_resnet50_2` and `wide_resnet101_2`, with its parameter names and initialisation.

use super::SIZES;
use super::resnet::{Body, STEM, assemble, bottlenecks};
use crate::ModelError;
use crate::registry::{Family, ModelInput};
use dtrp_core::torch::BlockSpec;
use dtrp_text::{OptionSpec, Options};

inventory::submit!(Family::new(
    "wide-resnet",
    "ResNet of 50 or 101 layers with wider bottlenecks",
    &[
        OptionSpec::count("depth", 50, SIZES, "50 or 101"),
        OptionSpec::count(
            "width",
            2,
            SIZES,
            "how many times as wide as a ResNet's the bottlenecks are inside"
        ),
        STEM,
    ],
    build,
));

fn build(options: &Options<'_>, input: &ModelInput) -> Result<Vec<BlockSpec>, ModelError> {
    let depth = options.count("depth");
    let blocks = bottlenecks(depth).filter(|_| depth <= 101);
    let blocks = blocks.ok_or_else(|| options.invalid("depth", "50 or 101"))?;
    let width = options.count("width") as i64;
    assemble(options, input, Body::Bottleneck { width }, blocks)
}
