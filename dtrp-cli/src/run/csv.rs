//! `steps.csv` and `epochs.csv`: what `metrics.jsonl` holds, as tables with one row a line.
//!
//! The columns are the fields of the reports under their names; those of worker 2 begin with `worker2_`. What was not measured is
//! empty. No value holds a comma or a quote, so nothing is ever quoted.

use super::folder::Folder;
use super::growing::Growing;
use super::is_due;
use crate::error::Error;
use dtrp_train::{BoxError, EpochReport, Event, StepReport, Subscriber, WorkerReport};
use serde::Serialize;
use serde_json::Value;
use std::fmt::Write;

/// A row for each logged step.
const STEPS: &str = "steps.csv";

/// A row for each epoch.
const EPOCHS: &str = "epochs.csv";

/// Writes both tables.
pub(crate) struct Csv {
    folder: Folder,
    every: u64,
    after: u64,
    /// From the start of training on.
    tables: Option<[Growing; 2]>,
}

impl Csv {
    /// Tables in this folder with a row for every `every`-th step, as in `metrics.jsonl`. A run that is gone on with after
    /// `after` steps keeps the rows of those; a new one has 0.
    pub(crate) fn new(folder: Folder, every: u64, after: u64) -> Self {
        Self {
            folder,
            every,
            after,
            tables: None,
        }
    }

    fn start(&mut self, workers: usize) -> Result<(), Error> {
        let steps = self.table(STEPS, &columns(&NO_STEP)?)?;
        let epochs = self.table(EPOCHS, &columns(&no_epoch(workers))?)?;
        self.tables = Some([steps, epochs]);
        Ok(())
    }

    /// A table with its header.
    fn table(&self, name: &str, columns: &[(String, String)]) -> Result<Growing, Error> {
        let in_time = |header: &str, row: &str| {
            let step = header.split(',').position(|name| name == "step");
            let step = step.and_then(|at| row.split(',').nth(at)?.parse::<u64>().ok());
            step.is_some_and(|step| step <= self.after)
        };
        let mut table = Growing::go_on(&self.folder.path().join(name), in_time)?;
        if table.is_empty() {
            table.append(&line(columns.iter().map(|(name, _)| name)))?;
        }
        Ok(table)
    }

    /// Adds a row to one of the tables.
    fn row(&mut self, table: usize, report: &impl Serialize) -> Result<(), Error> {
        let row = columns(report)?;
        match &mut self.tables {
            Some(tables) => tables[table].append(&line(row.iter().map(|(_, value)| value))),
            None => Ok(()),
        }
    }
}

impl Subscriber for Csv {
    fn event(&mut self, event: &Event) -> Result<(), BoxError> {
        match event {
            Event::Started(started) => self.start(started.program.modules())?,
            Event::Step(step) if is_due(step, self.every) => self.row(0, step)?,
            Event::Epoch(epoch) => self.row(1, &**epoch)?,
            _ => {}
        }
        Ok(())
    }
}

/// Names and values of a row.
fn columns(report: &impl Serialize) -> Result<Vec<(String, String)>, Error> {
    let value = serde_json::to_value(report).map_err(|error| Error::Bug(error.to_string()))?;
    let mut row = Vec::new();
    for (name, value) in value.as_object().into_iter().flatten() {
        match value {
            Value::Array(workers) => {
                for (worker, fields) in (1..).zip(workers) {
                    let fields = fields.as_object().into_iter().flatten();
                    row.extend(fields.map(|(field, value)| (format!("worker{worker}_{field}"), cell(value))));
                }
            }
            value => row.push((name.clone(), cell(value))),
        }
    }
    Ok(row)
}

/// A number as in `metrics.jsonl`.
fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        value => value.to_string(),
    }
}

fn line<'a>(cells: impl Iterator<Item = &'a String>) -> Vec<u8> {
    let mut text = String::new();
    for cell in cells {
        let comma = if text.is_empty() { "" } else { "," };
        let _ = write!(text, "{comma}{cell}");
    }
    text.push('\n');
    text.into_bytes()
}

/// Has the columns.
const NO_STEP: StepReport = StepReport {
    step: 0,
    epoch: 0,
    loss: 0.0,
    lr: 0.0,
    seconds: 0.0,
};

/// Has the columns, for so many workers.
fn no_epoch(workers: usize) -> EpochReport {
    let worker = WorkerReport {
        busy_share: 0.0,
        staleness_max: 0,
        stored_input_peak_bytes: 0,
        prediction_gain: None,
    };
    EpochReport {
        epoch: 0,
        step: 0,
        train_loss: 0.0,
        test_loss: 0.0,
        test_accuracy: 0.0,
        images_per_second: 0.0,
        peak_rss_bytes: None,
        seconds: 0.0,
        workers: vec![worker; workers],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_the_fields() {
        let names = |row: Vec<(String, String)>| row.into_iter().map(|(name, _)| name).collect::<Vec<_>>().join(",");
        assert_eq!(names(columns(&NO_STEP).unwrap()), "step,epoch,loss,lr,seconds");
        let two = names(columns(&no_epoch(2)).unwrap());
        assert!(two.starts_with("epoch,step,train_loss,"), "{two}");
        assert!(
            two.ends_with("worker2_stored_input_peak_bytes,worker2_prediction_gain"),
            "{two}"
        );
        let step = StepReport { lr: 1e-9, ..NO_STEP };
        let row = columns(&step).unwrap();
        assert_eq!(line(row.iter().map(|(_, value)| value)), b"0,0,0.0,1e-9,0.0\n");
    }
}
