//! `dtrp eval`: how good trained weights are, in detail.

use super::runs::Form;
use super::trained::Trained;
use crate::error::{EXIT_CODES, Error};
use crate::output;
use crate::stop;
use clap::Args;
use dtrp_text::units::{count, percent, thousands};
use dtrp_text::{Table, to_json};
use dtrp_train::{Confusion, Model, Part, Predictions};
use serde_json::{Value, json};
use std::path::Path;

const EXAMPLES: &str = "\
Examples:
  dtrp eval runs/digits-resnet-cifar-dtrp-k2
      accuracy, top-5, loss, and each class, on the test part of the run's data
  dtrp eval runs/a/checkpoints/latest --split train --format json
      of the newest checkpoint, on what it was trained on, for programs
  dtrp eval runs/a --set method.modules=4 --set run.device=cpu
      the same network on four workers: the numbers are the same
  dtrp eval resnet18.safetensors --config configs/cifar10-resnet18-dtrp-k2.yaml --set data.dir=/data/cifar10
      weights that no run of dtrp has left";

/// `dtrp eval`
#[derive(Debug, Args)]
#[command(after_long_help = format!("{EXAMPLES}\n\n{EXIT_CODES}"))]
pub(crate) struct Eval {
    #[command(flatten)]
    trained: Trained,
    /// The part of the data to look at: test, or train (without augmentation); of either as many samples as data.test_limit or
    /// data.limit says
    #[arg(long, value_name = "PART", default_value_t = Part::Test)]
    split: Part,
    /// How to print it
    #[arg(long, value_enum, default_value_t = Form::Text)]
    format: Form,
}

/// Evaluates, and prints what came of it.
pub(super) fn run(args: &Eval) -> Result<(), Error> {
    let (mut model, weights) = args.trained.open(&stop::at_signals()?)?;
    let predictions = model.predict(args.split)?;
    let report = Report {
        model: &model,
        weights: &weights,
        part: args.split,
        confusion: predictions.confusion(),
        predictions: &predictions,
    };
    match args.format {
        Form::Text => output::print(&report.text(false)),
        Form::Markdown => output::print(&report.text(true)),
        Form::Json => output::print(&to_json(&report.json())),
    }
}

/// With more classes the matrix is not printed, but the pairs that are taken for each other most often.
const MOST_COLUMNS: usize = 20;

/// Of these so many.
const PAIRS: usize = 20;

struct Report<'a> {
    model: &'a Model,
    weights: &'a Path,
    part: Part,
    predictions: &'a Predictions,
    confusion: Confusion,
}

impl Report<'_> {
    fn text(&self, markdown: bool) -> String {
        let settings = self.model.settings();
        let samples = self.predictions.len() as u64;
        let title = format!(
            "{} on the {} part of {} ({}): {}",
            settings.model.name,
            self.part,
            settings.data.name,
            count(samples, "sample", "samples"),
            self.weights.display()
        );
        let form = |table: &Table| {
            if markdown {
                table.markdown()
            } else {
                output::fitted(table)
            }
        };
        let parts = [
            output::wrapped(&title),
            self.summary(markdown),
            form(&self.classes()),
            self.confused(&form),
        ];
        parts.map(|part| part.trim_end().to_owned() + "\n").join("\n")
    }

    /// Each measure with its value, and what there is to know of it.
    fn measures(&self) -> Vec<[String; 3]> {
        let predictions = self.predictions;
        let right = predictions.samples().filter(|sample| sample.is_right()).count() as u64;
        let smoothing = self.model.settings().optimizer.label_smoothing;
        let of_top5 = match predictions.top5() {
            Some(_) => "the class is among the five likeliest".to_owned(),
            None => format!("says nothing with {} classes", self.confusion.classes()),
        };
        let rows = [
            (
                "accuracy",
                percent(Some(predictions.accuracy()), 2),
                format!("{} of {}", thousands(right), thousands(predictions.len() as u64)),
            ),
            ("top-5 accuracy", percent(predictions.top5(), 2), of_top5),
            (
                "loss",
                format!("{:.6}", predictions.loss()),
                "without label smoothing".to_owned(),
            ),
            (
                "loss as trained",
                format!("{:.6}", predictions.trained_loss()),
                format!("with label smoothing {smoothing}"),
            ),
        ];
        rows.map(|(what, value, note)| [what.to_owned(), value, note]).to_vec()
    }

    fn summary(&self, markdown: bool) -> String {
        let measures = self.measures();
        if markdown {
            let mut table = Table::new(1);
            table.row(["measure", "value", "remark"]);
            for row in measures {
                table.row(row);
            }
            return table.markdown();
        }
        let lines = measures
            .iter()
            .map(|[what, value, note]| format!("{what:<16} {value:>10}  ({note})\n"));
        output::wrapped(&lines.collect::<String>())
    }

    fn classes(&self) -> Table {
        let names = self.predictions.class_names();
        let mut table = Table::new(1);
        table.row(["class", "samples", "right", "precision", "most often taken for"]);
        for (class, name) in names.iter().enumerate() {
            let other = self.confusion.most_confused(class);
            table.row([
                name.clone(),
                thousands(self.confusion.samples(class)),
                percent(self.confusion.accuracy(class), 2),
                percent(self.confusion.precision(class), 2),
                other.map_or("-".to_owned(), |(other, times)| format!("{} ({times})", names[other])),
            ]);
        }
        table
    }

    /// The matrix, or of one that is too wide the largest numbers in it.
    fn confused(&self, form: &dyn Fn(&Table) -> String) -> String {
        let (names, rows) = (self.predictions.class_names(), self.confusion.rows());
        let mut table = Table::new(1);
        if names.len() <= MOST_COLUMNS {
            table.row([&["true class".to_owned()], names].concat());
            for (name, row) in names.iter().zip(rows) {
                let counts = row.iter().map(|count| thousands(*count));
                table.row(std::iter::once(name.clone()).chain(counts));
            }
            return format!(
                "confusion: a row for each true class, a column for each answer\n\n{}",
                form(&table)
            );
        }
        let pairs = rows.iter().enumerate().flat_map(|(truth, row)| {
            let counts = row.iter().enumerate();
            counts.map(move |(answer, count)| (*count, truth, answer))
        });
        let mut pairs: Vec<_> = pairs
            .filter(|(count, truth, answer)| *count > 0 && truth != answer)
            .collect();
        pairs.sort_by_key(|(count, truth, answer)| (std::cmp::Reverse(*count), *truth, *answer));
        table.row(["true class", "taken for", "times"]);
        for (count, truth, answer) in pairs.iter().take(PAIRS) {
            table.row([names[*truth].clone(), names[*answer].clone(), thousands(*count)]);
        }
        format!(
            "the most frequent mistakes (--format json has the whole matrix)\n\n{}",
            form(&table)
        )
    }

    fn json(&self) -> Value {
        let (settings, predictions) = (self.model.settings(), self.predictions);
        let names = predictions.class_names();
        let class = |(class, name): (usize, &String)| {
            json!({
                "class": class,
                "name": name,
                "samples": self.confusion.samples(class),
                "accuracy": self.confusion.accuracy(class),
                "precision": self.confusion.precision(class),
            })
        };
        json!({
            "weights": self.weights.to_string_lossy(),
            "model": settings.model.name,
            "data": settings.data.name,
            "split": self.part,
            "samples": predictions.len(),
            "accuracy": predictions.accuracy(),
            "top5_accuracy": predictions.top5(),
            "loss": predictions.loss(),
            "trained_loss": predictions.trained_loss(),
            "label_smoothing": settings.optimizer.label_smoothing,
            "classes": names.iter().enumerate().map(class).collect::<Vec<_>>(),
            "confusion": self.confusion,
        })
    }
}
