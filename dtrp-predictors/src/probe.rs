//! What a prediction turned out to be worth.

/// One closed probe: what was predicted at F(b) against what had come at R(b). Every field but the horizon is a sum
/// over all parameters of one module, in f64.
///
/// With W_F the weights at F(b), Ŵ the prediction made there, W_R the weights at R(b):
/// r = W_R − W_F is the realised displacement, p = Ŵ − W_F the predicted one, and e = −(Σ η_i)·d, with the learning
/// rates of the horizon and the direction d *at F(b)*, what `momentum` would have predicted.
///
/// ⟨r,e⟩ and ⟨e,e⟩ are read by predictors that [want feedback](crate::Predictor::wants_feedback); where none does, a
/// host may leave them 0.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Probe {
    /// s: how many updates lay between F(b) and R(b).
    pub horizon: u32,
    /// ⟨r, e⟩.
    pub realised_dot_direction: f64,
    /// ⟨e, e⟩.
    pub direction_norm2: f64,
    /// ⟨r, r⟩.
    pub realised_norm2: f64,
    /// ⟨p, p⟩.
    pub predicted_norm2: f64,
    /// ⟨p, r⟩.
    pub predicted_dot_realised: f64,
    /// ‖W_R − Ŵ‖².
    pub error_norm2: f64,
}

impl Probe {
    /// Sums over plain slices of one length: W_F, Ŵ, W_R, and e.
    ///
    /// # Panics
    ///
    /// If the lengths differ.
    pub fn measure<T: Copy + Into<f64>>(
        horizon: u32,
        at_forward: &[T],
        predicted: &[T],
        at_recompute: &[T],
        e: &[T],
    ) -> Self {
        let n = at_forward.len();
        assert!(
            predicted.len() == n && at_recompute.len() == n && e.len() == n,
            "slices differ in length"
        );
        let mut sums = Self {
            horizon,
            ..Self::default()
        };
        for i in 0..n {
            let (start, end): (f64, f64) = (at_forward[i].into(), at_recompute[i].into());
            let (guess, e): (f64, f64) = (predicted[i].into(), e[i].into());
            let (r, p) = (end - start, guess - start);
            sums.realised_dot_direction += r * e;
            sums.direction_norm2 += e * e;
            sums.realised_norm2 += r * r;
            sums.predicted_norm2 += p * p;
            sums.predicted_dot_realised += p * r;
            sums.error_norm2 += (end - guess) * (end - guess);
        }
        sums
    }

    /// ρ_err = ‖W_R − Ŵ‖ / ‖W_R − W_F‖: 1 is no better than no prediction, 0 is perfect. `None` if nothing moved.
    pub fn gain(&self) -> Option<f64> {
        (self.realised_norm2 > 0.0).then(|| (self.error_norm2 / self.realised_norm2).sqrt())
    }

    /// Cosine between predicted and realised displacement. `None` if either is zero.
    pub fn cosine(&self) -> Option<f64> {
        let norms = self.predicted_norm2.sqrt() * self.realised_norm2.sqrt();
        (norms > 0.0).then(|| self.predicted_dot_realised / norms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gain_and_cosine() {
        // r = (2, 0), p = (1, 0), e = (0, 3).
        let probe = Probe::measure(3, &[1.0f32, 1.0], &[2.0, 1.0], &[3.0, 1.0], &[0.0, 3.0]);
        assert_eq!((probe.gain(), probe.cosine()), (Some(0.5), Some(1.0)));
        assert_eq!((probe.realised_dot_direction, probe.direction_norm2), (0.0, 9.0));
        assert_eq!((Probe::default().gain(), Probe::default().cosine()), (None, None));
    }
}
