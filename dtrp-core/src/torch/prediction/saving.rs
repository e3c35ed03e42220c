//! A forecaster that is saved and restored: its predictor, its open probe and its sums.

use super::Forecaster;
use super::probe::OpenProbe;
use crate::schedule::Unit;
use crate::torch::TorchError;
use crate::torch::saved::{Exact, Tensors, find, host, take};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use tch::{Device, Kind, Tensor};

/// A [`Forecaster`] that has been saved, without tensors and the bytes that its predictor has written of itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PredictorFacts {
    /// The predictor's name.
    pub name: String,
    /// Sum of ρ_err over `probes` closed probes.
    pub errors: Exact,
    /// How many.
    pub probes: u64,
    /// Sum of the cosines over `cosine_probes` of them.
    pub cosines: Exact,
    /// How many.
    pub cosine_probes: u64,
    /// Predictions since the last probe was opened.
    pub since_probe: u32,
    /// The probe that is open.
    pub open: Option<ProbeFacts>,
    /// Time spent on predicting.
    pub spent: Duration,
}

/// An open probe that has been saved, without its tensors.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProbeFacts {
    /// Which unit's weights were predicted.
    pub unit: Unit,
    /// How many updates ahead.
    pub horizon: u32,
    /// Whether it keeps e, what `momentum` would have predicted.
    pub direction: bool,
}

/// Names of what is saved, after the prefix.
const STATE: &str = "predictor";
const AT_FORWARD: &str = "probe.at_forward";
const PREDICTED: &str = "probe.predicted";
const DIRECTION: &str = "probe.direction";

impl Forecaster {
    /// Whether a closed probe is still on its way from the device.
    pub(crate) fn is_measuring(&self) -> bool {
        !self.readback.is_empty()
    }

    /// Copies everything to `tensors`, under names that begin with `prefix`.
    pub(crate) fn save(&self, prefix: &str, tensors: &mut Tensors) -> Result<PredictorFacts, TorchError> {
        let state = Tensor::f_from_slice(&self.predictor.save())?;
        tensors.insert(format!("{prefix}{STATE}"), state);
        if let Some(open) = &self.probe {
            let mut put = |name: &str, tensor: &Tensor| -> Result<(), TorchError> {
                tensors.insert(format!("{prefix}{name}"), host(tensor)?);
                Ok(())
            };
            put(AT_FORWARD, &open.at_forward)?;
            put(PREDICTED, &open.predicted)?;
            if let Some(direction) = &open.direction {
                put(DIRECTION, direction)?;
            }
        }
        let probe = |open: &OpenProbe| ProbeFacts {
            unit: open.unit,
            horizon: open.horizon,
            direction: open.direction.is_some(),
        };
        Ok(PredictorFacts {
            name: self.predictor.name().to_owned(),
            errors: Exact(self.errors),
            probes: self.probes,
            cosines: Exact(self.cosines),
            cosine_probes: self.cosine_probes,
            since_probe: self.since_probe,
            open: self.probe.as_ref().map(probe),
            spent: self.spent,
        })
    }

    /// Takes up what [`save`](Self::save) wrote. `flat` makes a flat tensor like the weights.
    pub(crate) fn restore(
        &mut self,
        facts: &PredictorFacts,
        prefix: &str,
        tensors: &Tensors,
        flat: impl Fn() -> Result<Tensor, TorchError>,
    ) -> Result<(), TorchError> {
        if self.predictor.name() != facts.name {
            let (ours, theirs) = (self.predictor.name(), &facts.name);
            return Err(TorchError::Unfit {
                what: format!("its predictor is `{theirs}`, but this run's is `{ours}`"),
            });
        }
        let name = format!("{prefix}{STATE}");
        let state = find(tensors, &name)?;
        let found = state.f_kind()?;
        if found != Kind::Uint8 {
            return Err(TorchError::ElementType {
                name,
                found,
                expected: Kind::Uint8,
            });
        }
        let state = state.f_to_device(Device::Cpu)?.f_flatten(0, -1)?;
        self.predictor.load(&Vec::<u8>::try_from(&state)?)?;
        let get = |name: &str| -> Result<Tensor, TorchError> {
            let place = flat()?;
            take(tensors, &format!("{prefix}{name}"), &place)?;
            Ok(place)
        };
        let open = |open: &ProbeFacts| -> Result<OpenProbe, TorchError> {
            Ok(OpenProbe {
                unit: open.unit,
                horizon: open.horizon,
                at_forward: get(AT_FORWARD)?,
                predicted: get(PREDICTED)?,
                direction: open.direction.then(|| get(DIRECTION)).transpose()?,
            })
        };
        self.probe = facts.open.as_ref().map(open).transpose()?;
        self.errors = facts.errors.0;
        self.probes = facts.probes;
        self.cosines = facts.cosines.0;
        self.cosine_probes = facts.cosine_probes;
        self.since_probe = facts.since_probe;
        self.spent = facts.spent;
        Ok(())
    }
}
