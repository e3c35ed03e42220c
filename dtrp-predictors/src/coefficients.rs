//! A linear rule's result, and the one pass over memory that applies it.

use crate::{Real, Views};

/// Ŵ = `weights`·w + `direction`·d + `gradient`·g + `displacement`·Δ.
///
/// w: current weights. d: the optimizer's direction (SGD: momentum buffer; Adam family: m̂/(√v̂+ε)).
/// g: the last gradient, as the module computed it, before weight decay. Δ = w^u − w^{u−1}: the last displacement.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Coefficients {
    /// Of the current weights; 1 unless weight decay is predicted.
    pub weights: f64,
    /// Of the optimizer's direction.
    pub direction: f64,
    /// Of the last gradient.
    pub gradient: f64,
    /// Of the last displacement.
    pub displacement: f64,
}

impl Coefficients {
    /// Ŵ = w, bit for bit.
    pub const IDENTITY: Self = Self {
        weights: 1.0,
        direction: 0.0,
        gradient: 0.0,
        displacement: 0.0,
    };

    /// w + `coefficient`·d.
    pub const fn along(coefficient: f64) -> Self {
        Self {
            direction: coefficient,
            ..Self::IDENTITY
        }
    }

    /// Whether applying this copies the weights and reads nothing else.
    pub fn is_identity(&self) -> bool {
        *self == Self::IDENTITY
    }

    /// Whether every coefficient is finite.
    pub fn is_finite(&self) -> bool {
        [self.weights, self.direction, self.gradient, self.displacement]
            .into_iter()
            .all(f64::is_finite)
    }

    /// Moves only the share `rho` of the predicted way: w + ρ·(Ŵ − w). Exact at both ends: ρ = 0 is the
    /// [identity](Self::IDENTITY), ρ = 1 changes nothing.
    #[must_use]
    pub fn scaled(self, rho: f64) -> Self {
        if rho == 1.0 {
            return self;
        }
        if rho == 0.0 {
            return Self::IDENTITY;
        }
        Self {
            weights: 1.0 + rho * (self.weights - 1.0),
            direction: rho * self.direction,
            gradient: rho * self.gradient,
            displacement: rho * self.displacement,
        }
    }

    /// Writes Ŵ into `out`, in one pass: each input with a coefficient other than 0 is read once, `out` is written
    /// once. Terms are added in the order w, d, g, Δ, in the precision of `T`, without fused multiply-add, so the bits
    /// do not depend on the machine.
    ///
    /// # Panics
    ///
    /// If an input that is read and `out` differ in length.
    pub fn apply<T: Real>(&self, views: Views<'_, T>, out: &mut [T]) {
        let n = out.len();
        let mut terms: [(T, &[T]); 4] = [(T::ZERO, &[]); 4];
        let mut count = 0;
        for (name, coefficient, input) in [
            ("weights", self.weights, Some(views.weights)),
            ("direction", self.direction, views.direction),
            ("gradient", self.gradient, views.gradient),
            ("displacement", self.displacement, views.displacement),
        ] {
            let Some(input) = input.filter(|_| coefficient != 0.0) else {
                continue;
            };
            assert_eq!(input.len(), n, "{name} and the output differ in length");
            terms[count] = (T::from_f64(coefficient), input);
            count += 1;
        }
        let [a, b, c, d] = terms;
        // One loop for each number of terms, so that the compiler can vectorise every one of them.
        match count {
            0 => out.fill(T::ZERO),
            1 if a.0 == T::from_f64(1.0) => out.copy_from_slice(a.1),
            1 => {
                for (o, &x) in out.iter_mut().zip(a.1) {
                    *o = a.0 * x;
                }
            }
            2 => {
                for ((o, &x), &y) in out.iter_mut().zip(a.1).zip(b.1) {
                    *o = a.0 * x + b.0 * y;
                }
            }
            3 => {
                for (((o, &x), &y), &z) in out.iter_mut().zip(a.1).zip(b.1).zip(c.1) {
                    *o = a.0 * x + b.0 * y + c.0 * z;
                }
            }
            _ => {
                for ((((o, &x), &y), &z), &u) in out.iter_mut().zip(a.1).zip(b.1).zip(c.1).zip(d.1) {
                    *o = a.0 * x + b.0 * y + c.0 * z + d.0 * u;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const W: [f64; 5] = [0.5, -0.0, f64::MIN_POSITIVE / 8.0, -3.0, 1e300];
    const D: [f64; 5] = [1.0, 2.0, 3.0, 4.0, 5.0];

    fn apply(c: Coefficients, views: Views<'_, f64>) -> Vec<f64> {
        let mut out = vec![f64::NAN; views.weights.len()];
        c.apply(views, &mut out);
        out
    }

    fn bits(values: &[f64]) -> Vec<u64> {
        values.iter().map(|v| v.to_bits()).collect()
    }

    #[test]
    fn identity_copies_every_bit_and_reads_nothing_else() {
        // A slice of the wrong length would panic if it were read.
        let views = Views {
            direction: Some(&D[..1]),
            ..Views::of(&W)
        };
        assert_eq!(bits(&apply(Coefficients::IDENTITY, views)), bits(&W));
    }

    #[test]
    fn absent_inputs_count_as_zero() {
        let c = Coefficients {
            direction: -2.0,
            gradient: 3.0,
            displacement: 4.0,
            ..Coefficients::IDENTITY
        };
        assert_eq!(bits(&apply(c, Views::of(&W))), bits(&W));
    }

    #[test]
    fn every_set_of_inputs_gives_the_sum_of_its_terms() {
        let (w, d, g, x) = ([1.0, 2.0], [10.0, 20.0], [100.0, 200.0], [1000.0, 2000.0]);
        let views = Views {
            weights: &w,
            direction: Some(&d),
            gradient: Some(&g),
            displacement: Some(&x),
        };
        for set in 0..16u32 {
            let on = |i: u32| f64::from(set >> i & 1) * f64::from(i + 2);
            let c = Coefficients {
                weights: on(0),
                direction: on(1),
                gradient: on(2),
                displacement: on(3),
            };
            let expected: Vec<f64> = (0..2)
                .map(|i| on(0) * w[i] + on(1) * d[i] + on(2) * g[i] + on(3) * x[i])
                .collect();
            assert_eq!(apply(c, views), expected, "inputs {set:04b}");
        }
    }

    #[test]
    fn rho_moves_part_of_the_way() {
        let c = Coefficients {
            weights: 0.9,
            direction: -0.3,
            gradient: -0.1,
            displacement: 2.0,
        };
        assert_eq!(c.scaled(1.0), c);
        assert!(c.scaled(0.0).is_identity());
        let half = c.scaled(0.5);
        assert!((half.weights - 0.95).abs() < 1e-15 && half.direction == -0.15 && half.displacement == 1.0);
    }
}
