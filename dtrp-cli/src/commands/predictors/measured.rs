//! What came of a run with one predictor, and the table of several.

use super::compare::LeftOut;
use crate::commands::runs::{Finished, Form, mean, of_workers};
use crate::config::Config;
use crate::error::Error;
use crate::report::{self, percent};
use dtrp_core::schedule::Order;
use serde::Serialize;
use serde_json::Value;
use std::fmt::Write;
use std::path::PathBuf;

/// The results of one run. What was not measured is null.
#[derive(Debug, Serialize)]
pub(super) struct Measured {
    predictor: String,
    order: &'static str,
    /// `finished` or `diverged`.
    end: Value,
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
    folder: PathBuf,
}

impl Measured {
    /// Reads what a run left.
    pub(super) fn of(predictor: &str, order: Order, run: &Finished) -> Result<Self, Error> {
        let summary = &run.summary;
        let finished = summary["end"] == "finished";
        let losses = run.losses()?;
        let last = &losses[losses.len() - losses.len().div_ceil(10)..];
        let seconds: f64 = of_workers(summary, "prediction_seconds").iter().sum();
        let steps = summary["steps"].as_f64().filter(|steps| *steps > 0.0);
        let train = summary["train_seconds"].as_f64().unwrap_or(0.0);
        let busy = predicting(summary).filter_map(|worker| worker["busy_share"].as_f64());
        let busy = busy.sum::<f64>() * train;
        let gains = of_workers(summary, "prediction_gain");
        let cosines = of_workers(summary, "prediction_cosine");
        Ok(Self {
            predictor: predictor.to_owned(),
            order: order.name(),
            end: summary["end"].clone(),
            train_loss: mean(last).filter(|_| finished),
            test_accuracy: summary["final_test_accuracy"].as_f64().filter(|_| finished),
            prediction_gain: mean(&gains),
            prediction_gains: gains,
            prediction_cosine: mean(&cosines),
            prediction_cosines: cosines,
            prediction_milliseconds_per_step: steps.filter(|_| finished).map(|n| 1e3 * seconds / n),
            prediction_share: (finished && busy > 0.0).then(|| seconds / busy),
            folder: run.folder.clone(),
        })
    }

    fn cells(&self) -> Vec<String> {
        let number =
            |value: Option<f64>, decimals: usize| value.map_or("-".to_owned(), |value| format!("{value:.decimals$}"));
        let list = |values: &[f64]| {
            let values: Vec<_> = values.iter().map(|value| format!("{value:.2}")).collect();
            match values.is_empty() {
                true => "-".to_owned(),
                false => values.join(" "),
            }
        };
        let loss = match self.train_loss {
            None => self.end.as_str().unwrap_or("-").to_owned(),
            loss => number(loss, 4),
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

fn predicting(summary: &Value) -> impl Iterator<Item = &Value> {
    let workers = summary["workers"].as_array().into_iter().flatten();
    workers.filter(|worker| worker["prediction_seconds"].is_number())
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
    let mut cells = vec![head.map(str::to_owned).to_vec()];
    cells.extend(rows.iter().map(Measured::cells));
    // One module that predicts is its own mean.
    if rows.iter().all(|row| row.prediction_gains.len() < 2) {
        for row in &mut cells {
            row.remove(7);
            row.remove(5);
        }
    }
    let mut text = match form {
        Form::Markdown => report::markdown(&cells),
        _ => report::table(&cells, 2),
    };
    let (method, model) = (&config.method, &config.model);
    let _ = write!(
        text,
        "\n{} on {} modules, {} on {}, seed {}.\n\
         train loss: mean over the last tenth of the steps. gain: 1 is no better than no prediction, 0 is perfect.\n\
         ms/step: rule, prediction and observation, all modules together; share: of the time that their workers computed.\n",
        method.name, method.modules, model.name, config.data.name, config.run.seed,
    );
    for LeftOut { predictor, reason } in left_out {
        let _ = writeln!(text, "left out: {predictor}: {reason}");
    }
    text
}
