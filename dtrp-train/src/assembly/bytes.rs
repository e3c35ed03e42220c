//! The bytes that blocks take, as far as they follow from shapes: without measuring.

use super::recipe::Recipe;
use crate::error::Result;
use dtrp_core::costs::{BlockCost, Costs};

/// The blocks with the bytes that each of them takes for one batch, as far as they follow from shapes; times are 0.
pub(crate) fn bytes_of_blocks(recipe: &Recipe) -> Result<Costs> {
    let input = recipe.input();
    let floating = recipe.settings.run.dtype.bytes();
    let element = floating as u64;
    let batch = recipe.batch_size() as u64;
    let mut input_bytes = (input.channels * input.height * input.width) as u64 * element;
    let mut blocks = Vec::new();
    for block in recipe.blocks()? {
        blocks.push(BlockCost {
            name: block.name.clone(),
            input_bytes: input_bytes * batch,
            // The descriptions count in f32.
            activation_bytes: block.activation_bytes * element / 4 * batch,
            parameter_bytes: block.parameters as u64 * element,
            ..BlockCost::default()
        });
        input_bytes = block.outputs.iter().map(|output| output.bytes(floating)).sum();
    }
    Ok(Costs {
        batch_size: u32::try_from(batch).ok(),
        blocks,
    })
}
