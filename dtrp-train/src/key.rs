//! Which setting an error is about.

use crate::error::TrainError;
use dtrp_core::partition::PartitionError;
use dtrp_core::schedule::ScheduleError;
use dtrp_data::DataError;
use dtrp_models::ModelError;
use dtrp_predictors::PredictorError;

impl TrainError {
    /// The path of the setting that is to be changed, such as `model.depth`, where it is one and is known. Messages of the
    /// crates below, which know no settings, do not have it.
    pub fn key(&self) -> Option<String> {
        let key = match self {
            TrainError::Setting(error) => error.key,
            TrainError::Data(error) => return of_data(error),
            TrainError::Model(error) => return of_model(error),
            TrainError::InitFrom { .. } => "model.init_from",
            TrainError::Schedule(error) => return of_schedule(error).map(str::to_owned),
            TrainError::Program { path: Some(_), .. } => "method.program",
            TrainError::Partition(PartitionError::Memory { .. }) => "method.memory_budget",
            TrainError::Partition(_) => "method.modules",
            TrainError::Costs(_) => "method.costs",
            TrainError::Device { .. } => "run.device",
            TrainError::Predictor { source, .. } => match source {
                PredictorError::Option(error) => return Some(format!("method.predictor.options.{}", error.option)),
                _ => "method.predictor",
            },
            _ => return None,
        };
        Some(key.to_owned())
    }
}

fn of_data(error: &DataError) -> Option<String> {
    let key = match error {
        DataError::Unknown(unknown) if unknown.kind == "augmentation" => "data.augment",
        DataError::Unknown(_) => "data.name",
        DataError::Augment { .. } => "data.augment",
        DataError::Option(error) => return Some(format!("data.{}", error.option)),
        DataError::Dir { .. } | DataError::NeedsNoDir(_) | DataError::Missing { .. } => "data.dir",
        DataError::Loader { option: "dataset", .. } => "data.name",
        DataError::Loader { option, .. } => return Some(format!("data.{option}")),
        _ => return None,
    };
    Some(key.to_owned())
}

fn of_model(error: &ModelError) -> Option<String> {
    let key = match error {
        ModelError::Unknown(unknown) if unknown.kind == "auxiliary head" => "method.auxiliary",
        ModelError::Unknown(unknown) if unknown.kind == "cut" => "method.cuts",
        ModelError::Unknown(unknown) if unknown.kind == "parameter" => "model.fresh",
        ModelError::Unknown(_) | ModelError::Input { .. } => "model.name",
        ModelError::Option(error) => return Some(format!("model.{}", error.option)),
        ModelError::TooManyModules { .. } => "method.modules",
        ModelError::Cuts { .. } | ModelError::Places { .. } => "method.cuts",
        ModelError::Weights { .. } => "model.init_from",
        ModelError::Exported { .. } => "model.file",
        ModelError::Anew { .. } => "model.fresh",
        _ => return None,
    };
    Some(key.to_owned())
}

fn of_schedule(error: &ScheduleError) -> Option<&'static str> {
    match error {
        ScheduleError::UnknownMethod(_) | ScheduleError::Method { .. } => Some("method.name"),
        ScheduleError::Order { .. } => Some("method.order"),
        ScheduleError::Option {
            what: "accumulation", ..
        } => Some("method.accumulate"),
        ScheduleError::Option { .. } => Some("method.micro_batches"),
        _ => None,
    }
}
