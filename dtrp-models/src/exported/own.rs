//! Operators whose random numbers are the run's own: both forwards of a batch see the same ones, however the network is cut.

use super::semantics::Dropped;
use crate::layers::{dropout_mask, kept_mask, tally};
use dtrp_core::torch::{Pass, Value};
use tch::{Kind, TchError, Tensor};

/// The result, and the mask where the operator returns one.
pub(super) fn drop(dropped: &Dropped, x: &Tensor, pass: &Pass) -> Result<(Tensor, Option<Tensor>), TchError> {
    let Dropped { rate, in_place, .. } = *dropped;
    let mask_of = |value: f64| {
        let mask = x.f_full_like(value)?.f_to_kind(Kind::Bool)?;
        Ok::<_, TchError>(dropped.mask.then_some(mask))
    };
    if rate == 0.0 || !pass.training() {
        if rate > 0.0 {
            // Nothing is drawn, but training will keep a mask.
            tally::keeps_bytes((x.numel() * x.kind().elt_size_in_bytes()) as u64);
        }
        return Ok((x.shallow_clone(), mask_of(1.0)?));
    }
    let mut shape = x.size();
    if dropped.channels {
        shape.iter_mut().skip(2).for_each(|side| *side = 1);
    }
    let options = (x.kind(), x.device());
    let mask = if rate == 1.0 {
        Tensor::f_zeros(shape.as_slice(), options)?
    } else if dropped.alpha {
        kept_mask(&shape, rate, pass, 0, options)?
    } else {
        dropout_mask(&shape, rate, pass, 0, options)?
    };
    let told = dropped.mask.then(|| mask.f_ne(0.0)).transpose()?;
    let (factor, shift) = if dropped.alpha {
        let (factor, shift) = alpha(&mask, rate)?;
        (factor, Some(shift))
    } else {
        (mask, None)
    };
    let mut x = x.shallow_clone();
    let y = if in_place {
        x.f_mul_(&factor)?
    } else {
        x.f_mul(&factor)?
    };
    let y = match shift {
        Some(shift) if in_place => y.shallow_clone().f_add_(&shift)?,
        Some(shift) => y.f_add(&shift)?,
        None => y,
    };
    Ok((y, told))
}

/// What a mask of zeros and ones is multiplied and shifted by in self-normalising networks (Klambauer et al., 2017), as PyTorch
/// has it.
fn alpha(mask: &Tensor, rate: f64) -> Result<(Tensor, Tensor), TchError> {
    const ALPHA: f64 = 1.758_099_340_847_376_6;
    let scale = 1.0 / ((ALPHA * ALPHA * rate + 1.0) * (1.0 - rate)).sqrt();
    let shift = mask
        .f_sub_scalar(1.0)?
        .f_mul_scalar(ALPHA * scale)?
        .f_add_scalar(ALPHA * scale * rate)?;
    Ok((mask.f_mul_scalar(scale)?, shift))
}

/// Ones with probability `keep`, else zeros; ones in evaluation. In place, or a new tensor.
pub(super) fn survive(keep: f64, x: &Tensor, in_place: bool, pass: &Pass) -> Result<Tensor, TchError> {
    let drawn = if pass.training() && keep < 1.0 {
        kept_mask(&x.size(), 1.0 - keep, pass, 0, (x.kind(), x.device()))?
    } else {
        x.f_ones_like()?
    };
    if in_place {
        x.shallow_clone().f_copy_(&drawn)?;
        Ok(x.shallow_clone())
    } else {
        Ok(drawn)
    }
}

/// Attention whose weights are dropped: softmax(q kᵀ · scale + mask), dropped, times v. Queries, keys and values are … × length ×
/// features.
pub(super) fn attend(rate: f64, values: &[Value<'_>], pass: &Pass) -> Result<Tensor, TchError> {
    let unsupported = |what: &str| TchError::Torch(format!("attention with dropout and {what} is not supported"));
    let [
        Value::Tensor(query),
        Value::Tensor(key),
        Value::Tensor(value),
        mask,
        _,
        causal,
        scale,
        grouped,
        ..,
    ] = values
    else {
        return Err(unsupported("other arguments than libtorch 2.11 has"));
    };
    if matches!(grouped, Value::Bool(true)) {
        return Err(unsupported("grouped queries"));
    }
    let features = *query.size().last().unwrap_or(&1);
    let scale = match scale {
        Value::Float(scale) => *scale,
        _ => 1.0 / (features as f64).sqrt(),
    };
    let mut scores = query.f_matmul(&key.f_transpose(-2, -1)?)?.f_mul_scalar(scale)?;
    if matches!(causal, Value::Bool(true)) {
        let later = scores.f_ones_like()?.f_triu(1)?.f_to_kind(Kind::Bool)?;
        scores = scores.f_masked_fill(&later, f64::NEG_INFINITY)?;
    }
    if let Value::Tensor(mask) = mask {
        scores = if mask.kind() == Kind::Bool {
            scores.f_masked_fill(&mask.f_logical_not()?, f64::NEG_INFINITY)?
        } else {
            scores.f_add(mask)?
        };
    }
    let weights = scores.f_softmax(-1, None::<Kind>)?;
    let kept = dropout_mask(&weights.size(), rate, pass, 0, (weights.kind(), weights.device()))?;
    weights.f_mul(&kept)?.f_matmul(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use dtrp_core::torch::{Mode, Operator, Returned};
    use tch::Device;

    const PASS: Pass = Pass {
        mode: Mode::Train,
        seed: 1,
        batch: 2,
        block: 3,
    };

    fn random(shape: &[i64]) -> Tensor {
        Tensor::randn(shape, (Kind::Double, Device::Cpu))
    }

    #[test]
    fn attention_that_drops_nothing_is_libtorchs() {
        let operator = Operator::find("aten::scaled_dot_product_attention", "")
            .unwrap()
            .unwrap();
        let (query, key, value) = (random(&[2, 3, 5, 4]), random(&[2, 3, 7, 4]), random(&[2, 3, 7, 6]));
        let masks = [None, Some(random(&[5, 7])), Some(random(&[2, 1, 5, 7]).gt(-1.0))];
        for mask in &masks {
            for (causal, scale) in [(false, None), (false, Some(0.3)), (mask.is_none(), None)] {
                let values = [
                    Value::Tensor(&query),
                    Value::Tensor(&key),
                    Value::Tensor(&value),
                    mask.as_ref().map_or(Value::None, Value::Tensor),
                    Value::Float(0.0),
                    Value::Bool(causal),
                    scale.map_or(Value::None, Value::Float),
                    Value::Bool(false),
                ];
                let own = attend(0.0, &values, &PASS).unwrap();
                let Returned::Tensor(expected) = operator.call(&values).unwrap().remove(0) else {
                    panic!("no tensor")
                };
                assert!(
                    own.allclose(&expected, 1e-12, 1e-12, false),
                    "{mask:?} {causal} {scale:?}"
                );
                assert!(
                    !attend(0.4, &values, &PASS)
                        .unwrap()
                        .allclose(&expected, 1e-3, 1e-3, false)
                );
            }
        }
    }

    #[test]
    fn every_dropout_keeps_the_mean() {
        let usual = Dropped {
            rate: 0.3,
            in_place: false,
            channels: false,
            alpha: false,
            mask: false,
        };
        let x = random(&[16, 32, 12, 12]) + 1.0;
        for (alpha, channels) in [(false, false), (false, true), (true, false), (true, true)] {
            let dropped = Dropped {
                alpha,
                channels,
                ..usual.clone()
            };
            let x = if alpha { &x - 1.0 } else { x.shallow_clone() };
            let (y, _) = drop(&dropped, &x, &PASS).unwrap();
            let mean = |x: &Tensor| x.mean(Kind::Double).double_value(&[]);
            assert!((mean(&y) - mean(&x)).abs() < 0.1, "{alpha} {channels}: {}", mean(&y));
            if alpha {
                assert!((y.std(false).double_value(&[]) - 1.0).abs() < 0.05);
            }
            // A channel is dropped whole, to one value.
            let first = (&y - y.narrow(2, 0, 1).narrow(3, 0, 1)).abs().amax([2, 3], false);
            let whole = first.eq(0.0).sum(Kind::Double).double_value(&[]) / 512.0;
            assert_eq!((whole - 0.3).abs() < 0.12, channels, "{whole}");
            // In place it is the same, in the same memory.
            let copy = x.copy();
            let (same, _) = drop(
                &Dropped {
                    in_place: true,
                    ..dropped
                },
                &copy,
                &PASS,
            )
            .unwrap();
            assert!(same.equal(&y) && same.data_ptr() == copy.data_ptr());
        }
        let evaluated = Pass {
            mode: Mode::Evaluate,
            ..PASS
        };
        let (y, mask) = drop(
            &Dropped {
                mask: true,
                ..usual.clone()
            },
            &x,
            &evaluated,
        )
        .unwrap();
        assert!(y.equal(&x) && mask.unwrap().all().int64_value(&[]) == 1);
        let (zeros, _) = drop(&Dropped { rate: 1.0, ..usual }, &x, &PASS).unwrap();
        assert_eq!(zeros.abs().max().double_value(&[]), 0.0);
    }
}
