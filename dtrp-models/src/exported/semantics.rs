//! What operators do that training and evaluation, or the two forwards of a batch, see differently.

use super::graph::{Argument, ValueId};
use dtrp_core::torch::Operator;

/// What a node does, beyond calling its operator as it stands.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Does {
    /// Just that.
    Call,
    /// A normalisation with batch statistics, which evaluation does with the running ones.
    Normalise(Norm),
    /// Dropout of any kind: from the run's own random numbers, nothing in evaluation.
    Drop(Dropped),
    /// Ones with this probability, else zeros; ones in evaluation. Its division by the probability comes after it.
    Survive(f64),
    /// That division, which evaluation leaves out.
    Scale,
    /// Attention that drops weights with this probability; none in evaluation.
    Attend(f64),
}

/// Where a normalisation has what, by the number of the argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Norm {
    /// Whether batch statistics are used.
    pub(super) training: usize,
    /// The running mean and variance, where there are any.
    pub(super) running: Vec<usize>,
    /// They may be left out, and are not changed then.
    pub(super) optional: bool,
    /// They are changed in place, whatever the schema says.
    pub(super) in_place: bool,
}

/// A dropout.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Dropped {
    pub(super) rate: f64,
    pub(super) in_place: bool,
    /// Whole channels.
    pub(super) channels: bool,
    /// What keeps mean and variance of self-normalising networks.
    pub(super) alpha: bool,
    /// It returns its mask too.
    pub(super) mask: bool,
}

/// What a network was exported for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ExportedFor {
    Training,
    Evaluation,
}

impl Does {
    /// The arguments that it changes although the schema does not say so.
    pub(super) fn statistics(&self) -> impl Iterator<Item = usize> {
        let running: &[usize] = match self {
            Self::Normalise(norm) if norm.in_place => &norm.running,
            _ => &[],
        };
        running.iter().copied()
    }

    /// The arguments that the output does not depend on in training.
    pub(super) fn unread(&self) -> &[usize] {
        match self {
            Self::Normalise(norm) => &norm.running,
            _ => &[],
        }
    }
}

/// What a node does. The second: whether it shows that the network was exported for training or for evaluation.
pub(super) fn of(operator: &Operator, arguments: &[Argument]) -> Result<(Does, Option<ExportedFor>), String> {
    let declared = &operator.signature().arguments;
    let index = |name: &str| declared.iter().position(|argument| argument.name == name);
    let number = |name: &str| index(name).map(|index| &arguments[index]);
    let (name, _) = operator.name().split_once('.').unwrap_or((operator.name(), ""));
    let short = name.strip_prefix("aten::").unwrap_or(name);
    let flag = |given: Option<&Argument>| !matches!(given, Some(Argument::Bool(false) | Argument::Int(0)));
    let purpose = |training: bool| {
        Some(if training {
            ExportedFor::Training
        } else {
            ExportedFor::Evaluation
        })
    };
    match short {
        "batch_norm"
        | "native_batch_norm"
        | "cudnn_batch_norm"
        | "instance_norm"
        | "_native_batch_norm_legit"
        | "_native_batch_norm_legit_functional" => {
            let Some(training) = index("training").or(index("use_input_stats")) else {
                return Ok((Does::Call, None));
            };
            let running: Vec<usize> = ["running_mean", "running_var"].into_iter().filter_map(index).collect();
            let given = running
                .iter()
                .any(|index| matches!(arguments[*index], Argument::Tensor(_)));
            if !given {
                return Ok((Does::Call, None));
            }
            if !flag(Some(&arguments[training])) {
                return Ok((Does::Call, purpose(false)));
            }
            let norm = Norm {
                training,
                optional: running.iter().all(|index| declared[*index].kind.ends_with('?')),
                in_place: short != "_native_batch_norm_legit_functional",
                running,
            };
            Ok((Does::Normalise(norm), purpose(true)))
        }
        "_native_batch_norm_legit_no_training" | "_batch_norm_no_update" => Ok((Does::Call, purpose(false))),
        "_batch_norm_with_update" | "_batch_norm_with_update_functional" => Err(format!(
            "`{}` cannot be turned over for evaluation: export without `run_decompositions`",
            operator.name()
        )),
        "dropout"
        | "dropout_"
        | "feature_dropout"
        | "feature_dropout_"
        | "alpha_dropout"
        | "alpha_dropout_"
        | "feature_alpha_dropout"
        | "feature_alpha_dropout_"
        | "native_dropout" => {
            let rate = match number("p") {
                Some(Argument::Float(rate)) => *rate,
                Some(Argument::Int(rate)) => *rate as f64,
                _ => return Err("its probability is no number".to_owned()),
            };
            if !(0.0..=1.0).contains(&rate) {
                return Err(format!("its probability is {rate}"));
            }
            let training = flag(number("train"));
            let dropped = Dropped {
                rate: if training { rate } else { 0.0 },
                in_place: short.ends_with('_'),
                channels: short.starts_with("feature"),
                alpha: short.contains("alpha"),
                mask: short == "native_dropout",
            };
            Ok((Does::Drop(dropped), purpose(training)))
        }
        "bernoulli" | "bernoulli_" => match number("p") {
            Some(Argument::Float(keep)) if (0.0..=1.0).contains(keep) => Ok((Does::Survive(*keep), None)),
            _ => Err(random(operator)),
        },
        "scaled_dot_product_attention" => match number("dropout_p") {
            Some(Argument::Float(rate)) if *rate > 0.0 => Ok((Does::Attend(*rate), purpose(true))),
            _ => Ok((Does::Call, None)),
        },
        _ if operator.signature().random => Err(random(operator)),
        _ => Ok((Does::Call, None)),
    }
}

fn random(operator: &Operator) -> String {
    format!(
        "`{}` draws random numbers, which cannot be repeated in the second forward of a batch: only dropout and stochastic depth \
         (`bernoulli_` with a number, and a division by it) can be used",
        operator.name()
    )
}

/// Whether a division is that by the probability `keep`, of the draw whose result is `drawn`.
pub(super) fn is_scaling(operator: &Operator, arguments: &[Argument], drawn: ValueId, keep: f64) -> bool {
    let name = operator.name().split('.').next().unwrap_or_default();
    matches!(name, "aten::div" | "aten::div_")
        && matches!(arguments, [Argument::Tensor(value), Argument::Float(by), ..] if *value == drawn && *by == keep)
}

/// Operators whose results may lie in the memory of what they are given, although their schemas do not say so.
pub(super) fn may_share(operator: &Operator, does: &Does) -> bool {
    let name = operator.name().split('.').next().unwrap_or_default();
    matches!(does, Does::Drop(_) | Does::Survive(_) | Does::Scale)
        || matches!(
            name,
            "aten::broadcast_tensors"
                | "aten::meshgrid"
                | "aten::atleast_1d"
                | "aten::atleast_2d"
                | "aten::atleast_3d"
                | "aten::einsum"
                | "aten::_unsafe_view"
                | "aten::_reshape_alias"
                | "aten::pad"
                | "aten::cartesian_prod"
                | "aten::block_diag"
                | "aten::combinations"
        )
}
