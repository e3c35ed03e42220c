//! What came of a run with one predictor, and the table of several.

use super::compare::LeftOut;
use crate::commands::runs::{Finished, Form, mean, of_workers};
use crate::config::Config;
use crate::error::{Error, Failure};
use dtrp_core::schedule::Order;
use dtrp_text::Table;
use dtrp_text::units::percent;
use dtrp_train::{End, Settings, WorkerSummary};
use serde::Serialize;
use std::fmt::Write;

/// The results of one run. What was not measured is null.
#[derive(Debug, Serialize)]
pub(super) struct Measured {
    predictor: String,
    order: &'static str,
    /// `finished`, `diverged` or `failed`.
    end: End,
    /// Why there is nothing else.
    failure: Option<Failure>,
    /// Mean over the last tenth of the steps.
    train_loss: Option<f64>,
    test_accuracy: Option<f64>,
    /// Mean over the modules that predict, and of each of them.
    prediction_gain: Option<f64>,
    prediction_gains: Vec<f64>,
    prediction_cosine: Option<f64>,
    prediction_cosines: Vec<f64>,
    /// Of all modules together.
    prediction_milliseconds_per_step: Option<f64>,
    /// Of the time that the workers which predict computed, 0..1.
    prediction_share: Option<f64>,
    /// Null where there is none.
    folder: Option<String>,
}

impl Measured {
    /// Reads what a run left.
    pub(super) fn of(predictor: &str, order: Order, run: &Finished) -> Result<Self, Error> {
        let summary = &run.summary;
        let finished = summary.end == End::Finished;
        let losses = run.losses()?;
        let last = &losses[losses.len() - losses.len().div_ceil(10)..];
        let seconds: f64 = of_workers(summary, |worker| worker.prediction_seconds).iter().sum();
        let steps = (summary.steps > 0).then_some(summary.steps as f64);
        let predicting = |worker: &WorkerSummary| worker.prediction_seconds.and(worker.busy_share);
        let busy = of_workers(summary, predicting).iter().sum::<f64>() * summary.train_seconds;
        let gains = of_workers(summary, |worker| worker.prediction_gain);
        let cosines = of_workers(summary, |worker| worker.prediction_cosine);
        Ok(Self {
            predictor: predictor.to_owned(),
            order: order.name(),
            end: summary.end,
            failure: None,
            train_loss: mean(last).filter(|_| finished),
            test_accuracy: summary.final_test_accuracy.filter(|_| finished),
            prediction_gain: mean(&gains),
            prediction_gains: gains,
            prediction_cosine: mean(&cosines),
            prediction_cosines: cosines,
            prediction_milliseconds_per_step: steps.filter(|_| finished).map(|n| 1e3 * seconds / n),
            prediction_share: (finished && busy > 0.0).then(|| seconds / busy),
            folder: Some(run.folder.to_string_lossy().into_owned()),
        })
    }

    /// Of a run without results.
    pub(super) fn failed(predictor: &str, order: Order, failure: Failure) -> Self {
        Self {
            predictor: predictor.to_owned(),
            order: order.name(),
            end: End::Failed,
            failure: Some(failure),
            train_loss: None,
            test_accuracy: None,
            prediction_gain: None,
            prediction_gains: Vec::new(),
            prediction_cosine: None,
            prediction_cosines: Vec::new(),
            prediction_milliseconds_per_step: None,
            prediction_share: None,
            folder: None,
        }
    }

    fn cells(&self) -> Vec<String> {
        let number =
            |value: Option<f64>, decimals: usize| value.map_or("-".to_owned(), |value| format!("{value:.decimals$}"));
        let list = |values: &[f64]| {
            let values: Vec<_> = values.iter().map(|value| format!("{value:.2}")).collect();
            if values.is_empty() {
                "-".to_owned()
            } else {
                values.join(" ")
            }
        };
        let loss = match (self.train_loss, &self.failure) {
            (None, Some(failure)) => failure.to_string(),
            (None, None) => self.end.to_string(),
            (loss, _) => number(loss, 4),
        };
        vec![
            self.predictor.clone(),
            self.order.to_owned(),
            loss,
            percent(self.test_accuracy, 2),
            number(self.prediction_gain, 3),
            list(&self.prediction_gains),
            number(self.prediction_cosine, 3),
            list(&self.prediction_cosines),
            number(self.prediction_milliseconds_per_step, 3),
            percent(self.prediction_share, 2),
        ]
    }
}

/// The table, with what its columns mean.
pub(super) fn table(form: Form, config: &Config, rows: &[Measured], left_out: &[LeftOut]) -> String {
    let head = [
        "predictor",
        "order",
        "train loss",
        "test accuracy",
        "gain",
        "by module",
        "cosine",
        "by module",
        "ms/step",
        "share",
    ];
    // One module that predicts is its own mean.
    let several = rows.iter().any(|row| row.prediction_gains.len() > 1);
    let shown = |column: &usize| several || ![5, 7].contains(column);
    let mut cells = Table::new(2);
    let mut add = |row: Vec<String>| {
        let row = row.into_iter().enumerate().filter(|(column, _)| shown(column));
        cells.row(row.map(|(_, cell)| cell));
    };
    add(head.map(str::to_owned).to_vec());
    rows.iter().map(Measured::cells).for_each(&mut add);
    let mut text = match form {
        Form::Markdown => cells.markdown(),
        _ => cells.to_string(),
    };
    let Settings {
        run,
        data,
        model,
        method,
        ..
    } = &config.settings;
    let _ = write!(
        text,
        "\n{} on {} modules, {} on {}, seed {}.\n\
         train loss: mean over the last tenth of the steps. gain: 1 is no better than no prediction, 0 is perfect.\n\
         ms/step: rule, prediction and observation, all modules together; share: of the time that their workers computed.\n",
        method.name, method.modules, model.name, data.name, run.seed,
    );
    for LeftOut { predictor, reason } in left_out {
        let _ = writeln!(text, "left out: {predictor}: {reason}");
    }
    text
}
