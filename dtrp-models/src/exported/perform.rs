//! What a node does in a pass.

use super::graph::Node;
use super::own;
use super::semantics::Does;
use dtrp_core::torch::{Mode, Pass, Returned, TorchError, Value};
use tch::{TchError, Tensor};

/// A copy that gradients go back through.
pub(super) fn copy(tensor: &Tensor) -> Result<Tensor, TchError> {
    let mut copy = tensor.f_empty_like()?;
    copy.f_copy_(tensor)?;
    Ok(copy)
}

/// What the message says, without what a terminal would put before it.
pub(super) fn message(error: &TorchError) -> String {
    match error {
        TorchError::Libtorch { message, .. } => message.clone(),
        TorchError::Tch(TchError::Torch(message)) => dtrp_text::without_frames(message).to_owned(),
        other => other.to_string(),
    }
}

/// Calls the node's operator, or does what stands for it in this pass.
pub(super) fn perform(node: &Node, values: Vec<Value<'_>>, pass: &Pass) -> Result<Vec<Returned>, TorchError> {
    // Random numbers are those of the node, whichever block it is in.
    let own = Pass {
        block: node.number,
        ..*pass
    };
    let evaluating = pass.mode == Mode::Evaluate;
    match (&node.does, &values[..]) {
        (Does::Drop(dropped), [Value::Tensor(x), ..]) => {
            let (y, mask) = own::drop(dropped, x, &own)?;
            return Ok([Some(y), mask].into_iter().flatten().map(Returned::Tensor).collect());
        }
        (Does::Survive(keep), [Value::Tensor(x), ..]) => {
            let in_place = node.changed().next().is_some();
            return Ok(vec![Returned::Tensor(own::survive(*keep, x, in_place, &own)?)]);
        }
        (Does::Scale, [Value::Tensor(x), ..]) if evaluating => return Ok(vec![Returned::Tensor(x.shallow_clone())]),
        (Does::Attend(rate), _) if !evaluating => {
            return Ok(vec![Returned::Tensor(own::attend(*rate, &values, &own)?)]);
        }
        _ => {}
    }
    let mut copies: Vec<(usize, Tensor)> = Vec::new();
    let mut values: Vec<Value<'_>> = values;
    match &node.does {
        Does::Normalise(norm) => match pass.mode {
            Mode::Train if norm.in_place => {}
            Mode::TrainKeepingStatistics if norm.optional => {
                norm.running.iter().for_each(|index| values[*index] = Value::None);
            }
            // The graph of a functional one keeps them, and they change at the end of the pass.
            Mode::Train | Mode::TrainKeepingStatistics => {
                for index in &norm.running {
                    if let Value::Tensor(running) = values[*index] {
                        copies.push((*index, copy(running)?));
                    }
                }
            }
            Mode::Evaluate => values[norm.training] = Value::Bool(false),
        },
        Does::Attend(_) => {
            let arguments = &node.operator.signature().arguments;
            if let Some(index) = arguments.iter().position(|argument| argument.name == "dropout_p") {
                values[index] = Value::Float(0.0);
            }
        }
        _ => {}
    }
    for (index, copy) in &copies {
        values[*index] = Value::Tensor(copy);
    }
    node.operator.call(&values)
}
